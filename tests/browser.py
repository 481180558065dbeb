"""Find a Chromium for the browser tests; `python -m tests.browser --ensure` gets one where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

NAMES_ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
REMEDY = "install Chromium or Chrome, or name one in CONSENTGATE_BROWSER"

DOWNLOAD_SECONDS = 300  # Playwright's Chromium is some 300 MB
APT_SECONDS = 600
START_SECONDS = 30  # the first start from a cold disk


def find_browser() -> str | None:
    """Return the path of a Chromium that starts, or None."""
    return next(filter(starts, candidates()), None)


def candidates() -> Iterator[str]:
    """Yield where a browser may be, in order of preference; a browser that was asked for is the only one."""
    if named := os.environ.get("CONSENTGATE_BROWSER"):
        yield shutil.which(named) or named
        return

    yield from filter(None, map(shutil.which, NAMES_ON_PATH))
    yield MACOS_CHROME
    if playwrights := playwright_chromium():
        yield playwrights


def starts(browser: str) -> bool:
    """Tell a browser from a missing file, Ubuntu's stub for its snap, and one that lacks its libraries."""
    return run([browser, "--version"], seconds=START_SECONDS)


def playwright_chromium() -> str | None:
    """Return where Playwright keeps its own Chromium, whether or not it is installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:  # the environment of `make demo`
        return None

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def ensure_browser() -> str | None:
    """Find a browser, or install one by the first means that works."""
    for install in (install_with_playwright, install_with_apt):
        if (browser := find_browser()) or os.environ.get("CONSENTGATE_BROWSER"):
            return browser
        install()
    return find_browser()


def install_with_playwright() -> None:
    """Download Playwright's Chromium into the user's cache."""
    print("No browser found: asking Playwright for Chromium …", flush=True)
    run([sys.executable, "-m", "playwright", "install", "chromium"], seconds=DOWNLOAD_SECONDS)


def install_with_apt() -> None:
    """Install Debian's Chromium, where we may: as root, in a container or a CI job."""
    if not may_use_apt():
        return

    print("… then apt for Chromium …", flush=True)
    update = ["apt-get", "update"]
    install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-core"]
    _ = run(update, seconds=APT_SECONDS) and run(install, seconds=APT_SECONDS)


def may_use_apt() -> bool:
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def run(command: Sequence[str], *, seconds: int) -> bool:
    """Run a command without its output; False when it fails, hangs or does not exist."""
    try:
        finished = subprocess.run(
            command,
            timeout=seconds,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return finished.returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Say which browser the tests will use; only in CI is a missing browser a failure."""
    browser = ensure_browser() if "--ensure" in arguments else find_browser()
    if browser:
        print(f"Browser tests use {browser}")
        return 0

    print(f"No browser that starts, so the browser tests will not run: {REMEDY}.")
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
