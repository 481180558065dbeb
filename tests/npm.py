"""Get what the tests need from npm, each at one version and without its dependencies: `python -m tests.npm`.

Other people's style sheets, to be held against ours, scripts that change pages, the
TypeScript compiler and the HTML validator. They lie in an
untracked folder and never become part of the package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.needs import leave_out

__all__ = [
    "HTMX",
    "TURBO",
    "TYPESCRIPT",
    "VALIDATOR",
    "fetch_missing",
    "file_of",
    "folder_of",
    "missing",
    "require_npm",
]

FOLDER = Path(__file__).parents[1] / ".npm"
PACKAGES = {
    "@hotwired/turbo": "8.0.23",
    "@wordpress/block-library": "11.1.0",  # what every WordPress theme of today loads
    "bootstrap": "5.3.9",
    "govuk-frontend": "6.6.0",
    "htmx.org": "2.0.8",
    "tailwindcss": "4.3.5",
    "typescript": "6.0.3",  # the last one that runs on Node.js alone: 7 is a program for each kind of machine
    "vnu-jar": "26.9.27",
}
HTMX = ("htmx.org", "dist/htmx.min.js")
TURBO = ("@hotwired/turbo", "dist/turbo.es2017-umd.js")
TYPESCRIPT = ("typescript", "bin/tsc")
VALIDATOR = ("vnu-jar", "build/dist/vnu.jar")

ATTEMPTS = 3  # a registry's passing fault fails no build
PAUSE = 10  # seconds
DOWNLOAD_SECONDS = 300


def file_of(package: str, path: str) -> Path:
    """Return where a file of a package is, whether or not it has been fetched."""
    return folder_of(package, PACKAGES[package]) / path


def folder_of(package: str, version: str) -> Path:
    """Return where a package is, whether or not it has been fetched."""
    return FOLDER / f"{package.replace('/', '+')}@{version}"


def missing() -> list[str]:
    """List the packages that have not been fetched."""
    return [package for package, version in PACKAGES.items() if not folder_of(package, version).is_dir()]


def require_npm() -> None:
    """Leave a test out whose packages have not been fetched."""
    if missing():
        leave_out(f"Not fetched: {', '.join(missing())}. Run: make browser")


def fetch(package: str, version: str) -> None:
    """Have npm download one package, which checks its integrity, and unpack it."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", f"--pack-destination={scratch}", f"{package}@{version}"]
        subprocess.run(command, check=True, timeout=DOWNLOAD_SECONDS, stdin=subprocess.DEVNULL, cwd=scratch)
        (archive,) = Path(scratch).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")
        FOLDER.mkdir(exist_ok=True)
        shutil.move(Path(scratch) / "package", folder_of(package, version))


def fetch_patiently(package: str, version: str) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            fetch(package, version)
            break
        except subprocess.SubprocessError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE)


def fetch_missing(packages: Mapping[str, str]) -> bool:
    """Fetch what is not there yet of some packages, each at its version, and tell whether all are there now."""
    for package, version in packages.items():
        if folder_of(package, version).is_dir():
            continue
        print(f"Fetching {package} {version} …", flush=True)
        try:
            fetch_patiently(package, version)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{package} could not be fetched ({error}). Is npm installed?", file=sys.stderr)
            return False
    return True


def main() -> int:
    """Fetch what is not there yet and return the exit code; only in CI is a missing npm a failure."""
    return int(not fetch_missing(PACKAGES) and bool(os.environ.get("CI")))


if __name__ == "__main__":
    sys.exit(main())
