"""Whatever a page's style sheet says: banner readable, buttons equal and large; and the page looks as it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from consentgate.theme import contrast
from tests.journeys.hostile import ILL_MEANT, OF_OTHERS, make_hostile_site
from tests.journeys.server import Serve
from tests.journeys.visitor import PATIENCE
from tests.npm import require_npm

pytestmark = pytest.mark.browser

each_sheet = pytest.mark.parametrize("sheet", [*OF_OTHERS, *ILL_MEANT])
WIDTHS = (1280, 320)
HEIGHT = 900

# All that a browser knows of how an element looks; our custom properties, which a page may set, look like nothing.
LOOKS = """selector => [...document.querySelectorAll(selector)].map(element => {
    const style = getComputedStyle(element);
    return Object.fromEntries([...style].filter(name => !name.startsWith("--")).map(name => [name, style[name]]));
})"""
TEXTS = """() => {
    const hex = colour => "#" + colour.match(/\\d+/g).slice(0, 3).map(n => (+n).toString(16).padStart(2, "0")).join("");
    const ground = element => {
        const colour = getComputedStyle(element).backgroundColor;
        return colour.endsWith(", 0)") ? ground(element.parentElement) : hex(colour);
    };
    const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll("#consentgate *")].filter(element => element.checkVisibility() && own(element))
        .map(element => {
            const style = getComputedStyle(element), box = element.getBoundingClientRect();
            return {tag: element.tagName, text: element.textContent.trim(), colour: hex(style.color),
                ground: ground(element), size: parseFloat(style.fontSize), opacity: style.opacity,
                left: box.left, right: box.right, width: box.width, height: box.height,
                seen: element.checkVisibility({opacityProperty: true, visibilityProperty: true})};
        });
}"""
BUTTONS = "#consentgate [name=choice]"


@pytest.fixture(scope="module")
def port(serve: Serve) -> int:
    require_npm()
    return serve(make_hostile_site).port


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": HEIGHT})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def show(page: Page, port: int, sheet: str, width: int) -> None:
    size: ViewportSize = {"width": width, "height": HEIGHT}
    page.set_viewport_size(size)
    page.goto(f"http://127.0.0.1:{port}/{sheet}")


@each_sheet
def test_accept_and_reject_are_equal_and_large(page: Page, port: int, sheet: str) -> None:
    for width in WIDTHS:
        show(page, port, sheet, width)

        accept, reject = page.evaluate(LOOKS, BUTTONS)
        sizes = [box for button in page.locator(BUTTONS).all() if (box := button.bounding_box())]

        assert accept == reject, width
        assert len(sizes) == 2
        assert (sizes[0]["width"], sizes[0]["height"]) == (sizes[1]["width"], sizes[1]["height"]), width
        assert min(sizes[0]["width"], sizes[0]["height"]) >= 44, width


@each_sheet
def test_every_word_can_be_read(page: Page, port: int, sheet: str) -> None:
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            show(page, port, sheet, width)

            texts: list[dict[str, Any]] = page.evaluate(TEXTS)

            assert {"H2", "P", "LI", "STRONG", "BUTTON", "A"} <= {text["tag"] for text in texts}
            for text in texts:
                where = f"{width} px, {scheme}: {text}"
                assert contrast(text["colour"], text["ground"]) >= 4.5, where
                assert text["size"] >= 16, where
                assert (text["seen"], text["opacity"]) == (True, "1"), where
                assert 0 <= text["left"] < text["right"] <= width, where
    page.emulate_media(color_scheme="light")


@each_sheet
def test_focus_is_seen_and_buttons_can_be_pressed(page: Page, port: int, sheet: str) -> None:
    show(page, port, sheet, 1280)

    for button in page.locator(BUTTONS).all():
        page.keyboard.press("Tab")
        expect(button).to_be_focused()
        style = button.evaluate(
            "element => { const s = getComputedStyle(element); return [s.outlineStyle, s.outlineWidth] }"
        )
        assert style == ["solid", "3px"]
    page.locator(BUTTONS).last.click()  # fails where something covers it or takes its clicks away

    expect(page.get_by_role("alert")).to_contain_text("You have rejected")
    page.context.clear_cookies()


@each_sheet
def test_the_page_looks_as_it_did(page: Page, port: int, sheet: str) -> None:
    show(page, port, sheet, 1280)
    page.locator("#consentgate").evaluate("banner => banner.remove()")
    with_ours = page.evaluate(LOOKS, "html, body, body *")

    page.locator("link[href*=consentgate]").evaluate("link => { link.disabled = true }")

    without: list[dict[str, str]] = page.evaluate(LOOKS, "html, body, body *")
    assert len(without) == len(with_ours) > 20
    for one, other in zip(with_ours, without, strict=True):
        assert {name: (one[name], other[name]) for name in one if one[name] != other[name]} == {}


@each_sheet
def test_the_banner_looks_as_on_an_empty_page(page: Page, port: int, sheet: str) -> None:
    """All of its style, but for what depends on its width, and what visitors may change."""
    show(page, port, "", 1280)
    usual = page.evaluate(LOOKS, "#consentgate, #consentgate *")
    show(page, port, sheet, 1280)

    found = page.evaluate(LOOKS, "#consentgate, #consentgate *")

    changed = {name for one, other in zip(usual, found, strict=True) for name in one if one[name] != other.get(name)}
    assert {name for name in changed if not name.startswith(MAY_DIFFER)} == set()


MAY_DIFFER = (
    "inline-size", "width", "block-size", "height", "perspective-origin", "transform-origin",  # by the width of <body>
    "margin-inline", "margin-left", "margin-right",
    "min-block-size", "min-height",  # "auto" in a flex or grid body
    "outline-width",  # of what has no outline
    "border-start", "border-end", "border-top-left-radius", "border-top-right-radius", "border-bottom-left-radius",
    "border-bottom-right-radius",  # of what has no edge and no ground; buttons are compared below
)  # fmt: skip


@each_sheet
def test_buttons_keep_their_corners(page: Page, port: int, sheet: str) -> None:
    show(page, port, sheet, 1280)

    assert [look["border-top-left-radius"] for look in page.evaluate(LOOKS, BUTTONS)] == ["4px", "4px"]


def test_what_visitors_set_to_read_better_reaches_the_banner(page: Page, port: int) -> None:
    """WCAG 1.4.12, as bookmarklets and extensions do it."""
    show(page, port, "", 1280)

    page.add_style_tag(
        content="* { line-height: 1.9 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important;"
        " font-family: OpenDyslexic, sans-serif !important } p { margin-bottom: 2em !important }"
    )

    for selector in ("#consentgate p", BUTTONS):
        look = page.evaluate(LOOKS, selector)[0]
        size = float(look["font-size"].removesuffix("px"))
        assert look["letter-spacing"] == f"{size * 0.12:g}px"
        assert look["word-spacing"] == f"{size * 0.16:g}px"
        assert look["line-height"] == f"{size * 1.9:g}px"
        assert look["font-family"] == "OpenDyslexic, sans-serif"
    assert page.evaluate(LOOKS, "#consentgate p")[0]["margin-bottom"] == "32px"


def test_a_weaker_style_sheet_would_be_noticed(page: Page, port: int) -> None:
    show(page, port, "first_button", 1280)

    page.locator("link[href*=consentgate]").evaluate("link => { link.disabled = true }")

    accept, reject = page.evaluate(LOOKS, BUTTONS)
    assert accept != reject
