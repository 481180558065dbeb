"""Take pictures of banner and cookies page in every language: `python -m tests.journeys.language_pictures OUTDIR`.

Each in two widths, light and dark. It writes the two sheets of docs/images/ too: what a phone shows of each.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from consentgate.translations import available
from tests.browser import REMEDY, find_browser
from tests.journeys.conftest import launch
from tests.journeys.languages import make_languages
from tests.journeys.server import serve

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SHEETS = {"languages.jpg": ("banner", ("light", "dark")), "languages-cookies-page.jpg": ("cookies-page", ("light",))}

LOOKS: dict[str, dict[str, Any]] = {
    f"{width}-{scheme}": {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    for width, height in ((320, 640), (1280, 800))
    for scheme in ("light", "dark")
}
_SHEET_PAGE = """<body style="margin:8px;display:flex;flex-wrap:wrap;gap:8px;align-items:flex-start;background:#777">"""


def take_all(browser: Browser, origin: str, folder: Path) -> None:
    """Take both pages in every language and every look."""
    for look, settings in LOOKS.items():
        context = browser.new_context(**settings)
        page = context.new_page()
        for language in available():
            page.goto(f"{origin}/{language}")
            page.locator("#consentgate").screenshot(path=folder / f"banner-{language}-{look}.png")
            page.goto(f"{origin}/cookies?lang={language}")
            page.screenshot(path=folder / f"cookies-page-{language}-{look}.png", full_page=True)
        context.close()


def take_sheet(browser: Browser, folder: Path, kind: str, schemes: tuple[str, ...], path: Path) -> None:
    """Put all pictures of a phone's width beside each other."""
    pictures = [folder / f"{kind}-{language}-320-{scheme}.png" for scheme in schemes for language in available()]
    encoded = (b64encode(picture.read_bytes()).decode("ascii") for picture in pictures)
    page = browser.new_page(viewport={"width": 8 + 12 * 168, "height": 600})
    page.set_content(
        _SHEET_PAGE + "".join(f'<img style="width:160px" src="data:image/png;base64,{one}">' for one in encoded)
    )
    page.screenshot(path=path, full_page=True, type="jpeg", quality=60)
    page.close()


def main(arguments: list[str]) -> int:
    """Take all pictures and return the exit code."""
    if len(arguments) != 1:
        print("Use: python -m tests.journeys.language_pictures OUTDIR", file=sys.stderr)
        return 2
    executable = find_browser()
    if executable is None:
        print(f"No browser that starts: {REMEDY}.", file=sys.stderr)
        return 1
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    with serve(make_languages()) as port, sync_playwright() as playwright:
        browser = launch(playwright, executable)
        take_all(browser, f"http://stepforwardluton.localhost:{port}", folder)
        for name, (kind, schemes) in SHEETS.items():
            take_sheet(browser, folder, kind, schemes, IMAGES / name)
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}, and {len(SHEETS)} sheets in {IMAGES}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
