"""Take pictures of banner, confirmation and cookies page: `python -m tests.journeys.screenshots OUTDIR`.

It writes docs/images/banner.png, the picture in the README, too, and the two contact sheets of all languages.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from consentgate.translations import available
from tests.browser import REMEDY, find_browser
from tests.journeys.conftest import launch
from tests.journeys.demo import Demo, make_demo
from tests.journeys.languages import make_languages
from tests.journeys.server import serve
from tests.journeys.visitor import Visitor

IMAGES = Path(__file__).parents[2] / "docs" / "images"
README_PICTURE = IMAGES / "banner.png"

SMALL: dict[str, Any] = {"viewport": {"width": 320, "height": 640}}
LARGE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}

LOOKS: dict[str, dict[str, Any]] = {
    "1280-light": LARGE,
    "1280-dark": LARGE | {"color_scheme": "dark"},
    "320-light": SMALL,
    "320-dark": SMALL | {"color_scheme": "dark"},
    "1280-forced-colours": LARGE | {"forced_colors": "active"},
    "1280-forced-colours-dark": LARGE | {"forced_colors": "active", "color_scheme": "dark"},
}
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "1280-text-200": (LARGE, "() => { document.documentElement.style.fontSize = '200%' }"),
    "320-text-200": (SMALL, "() => { document.documentElement.style.fontSize = '200%' }"),
    "1280-rtl": (LARGE, "() => document.querySelectorAll('[dir], html').forEach(one => { one.dir = 'rtl' })"),
    "320-rtl": (SMALL, "() => document.querySelectorAll('[dir], html').forEach(one => { one.dir = 'rtl' })"),
}


def banner(visitor: Visitor) -> None:
    visitor.goto("/")


def banner_with_focus(visitor: Visitor) -> None:
    visitor.goto("/")
    visitor.page.keyboard.press("Tab")


def confirmation(visitor: Visitor) -> None:
    visitor.goto("/")
    visitor.accept()


def cookies_page(visitor: Visitor) -> None:
    visitor.goto("/cookies")


def saved(visitor: Visitor) -> None:
    visitor.goto("/")
    visitor.page.get_by_role("contentinfo").get_by_role("link", name="Cookies").click()
    visitor.save()


def refusal(visitor: Visitor) -> None:
    page = visitor.goto("/cookies")
    page.locator("input[name=wording]").evaluate("input => { input.value = '0123456789abcdef' }")
    visitor.choose("Analytics cookies", "Yes")
    page.get_by_role("button", name="Save cookie settings").click()
    page.wait_for_url("**/cookies/choice")


STATES: dict[str, Callable[[Visitor], None]] = {
    "banner": banner,
    "banner-with-focus": banner_with_focus,
    "confirmation": confirmation,
    "cookies-page": cookies_page,
    "saved": saved,
    "refusal": refusal,
}


def take_all(browser: Browser, demo: Demo, folder: Path) -> None:
    """Take each state in each look."""
    looks = {name: (settings, "() => {}") for name, settings in LOOKS.items()} | CHANGES
    for look, (settings, change) in looks.items():
        for state, show in STATES.items():
            visitor = Visitor(browser.new_context(**settings), demo)
            show(visitor)
            visitor.page.evaluate(change)
            whole = state in ("cookies-page", "saved")
            visitor.page.screenshot(path=folder / f"{state}-{look}.png", full_page=whole)
            visitor.context.close()


SHEET_LOOKS = ("320-light", "320-dark", "1280-light", "1280-dark")
SHEET = """<!doctype html><html lang="en"><title>Contact sheet</title><style>body {{ margin: 0; padding: 12px;
width: 1500px; background: #777; font: 15px sans-serif; color: #fff }}
table {{ border-spacing: 10px }} td {{ vertical-align: top }}
.narrow {{ width: 190px }} .wide {{ width: 500px }}</style><table>{rows}</table>"""


def take_every_language(browser: Browser, demo: Demo, folder: Path) -> None:
    """Take banner and cookies page in every language, small and large, light and dark, and a contact sheet of each."""
    for name, address in {"banner": "/{0}", "cookies-page": "/cookies?lang={0}"}.items():
        for look in SHEET_LOOKS:
            visitor = Visitor(browser.new_context(**LOOKS[look]), demo)
            for language in available():
                visitor.goto(address.format(language))
                height = 720 if look.startswith("320") or name == "cookies-page" else 360
                visitor.page.screenshot(
                    path=folder / f"{name}-{language}-{look}.png",
                    full_page=True,
                    clip={"x": 0, "y": 0, "width": LOOKS[look]["viewport"]["width"], "height": height},
                )
            visitor.context.close()
        make_contact_sheet(browser, folder, name)


def make_contact_sheet(browser: Browser, folder: Path, name: str) -> None:
    """Put the pictures of one page side by side, a row for each language."""
    rows = ""
    for language in available():
        pictures = (_picture(folder / f"{name}-{language}-{look}.png", look) for look in SHEET_LOOKS)
        rows += f"<tr><td>{language}{''.join(pictures)}"
    page = browser.new_page(viewport={"width": 1524, "height": 900})
    page.set_content(SHEET.format(rows=rows))
    page.screenshot(path=IMAGES / f"languages-{name}.jpg", full_page=True, type="jpeg", quality=55)
    page.close()


def _picture(path: Path, look: str) -> str:
    kind = "narrow" if look.startswith("320") else "wide"
    return f'<td><img alt="" class="{kind}" src="data:image/png;base64,{b64encode(path.read_bytes()).decode()}">'


def take_readme_picture(browser: Browser, demo: Demo, path: Path) -> None:
    """Take the top of the main site as a newcomer sees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    visitor = Visitor(browser.new_context(**LARGE), demo)
    visitor.goto("/")
    visitor.page.screenshot(path=path, clip={"x": 0, "y": 0, "width": 1280, "height": 560})
    visitor.context.close()


def main(arguments: list[str]) -> int:
    """Take all pictures and return the exit code."""
    if len(arguments) != 1:
        print("Use: python -m tests.journeys.screenshots OUTDIR", file=sys.stderr)
        return 2
    executable = find_browser()
    if executable is None:
        print(f"No browser that starts: {REMEDY}.", file=sys.stderr)
        return 1
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    with serve(make_demo) as port, sync_playwright() as playwright:
        browser = launch(playwright, executable)
        take_all(browser, Demo(port), folder)
        take_readme_picture(browser, Demo(port), README_PICTURE)
        with serve(make_languages()) as languages_port:
            take_every_language(browser, Demo(languages_port), folder)
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}, and {README_PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
