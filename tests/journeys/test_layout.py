"""It fits: small screens, large text, other directions of writing, print, forced colours; and nothing moves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.visitor import MakeVisitor, Visitor

pytestmark = pytest.mark.browser

SCROLLS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
STICKING_OUT = """() => {
    const sticksOut = box => box.left < -1 || box.right > innerWidth + 1;
    return [...document.querySelectorAll("body *")]
        .filter(element => element.checkVisibility() && !element.closest(".visually-hidden, .skip-link, thead"))
        .filter(element => sticksOut(element.getBoundingClientRect()))
        .map(element => element.outerHTML.slice(0, 80));
}"""
# WCAG 1.4.12
SPACED_OUT = "* { line-height: 1.5; letter-spacing: 0.12em; word-spacing: 0.16em } p { margin-bottom: 2em }"
CUT_OFF = "all => all.filter(one => one.scrollHeight > one.clientHeight || one.scrollWidth > one.clientWidth)"
BROKEN_HEADS = """() => [...document.querySelectorAll("th")].filter(head => {
    const range = document.createRange();
    range.selectNodeContents(head);
    return range.getClientRects().length > 1;
}).map(head => head.textContent)"""
SHIFTS = """
    window.shifts = [];
    new PerformanceObserver(list => list.getEntries().forEach(entry => window.shifts.push(entry.value)))
        .observe({type: "layout-shift", buffered: true});
"""
STYLE = """element => {
    const style = getComputedStyle(element);
    return Object.fromEntries([...style].map(name => [name, style[name]]));
}"""
SIZE = "element => { const box = element.getBoundingClientRect(); return [box.width, box.height] }"
FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


def overflow(page: Page) -> tuple[int, list[str]]:
    """Say by how many pixels a page scrolls sideways, and which elements stand out of the window."""
    return page.evaluate(SCROLLS), page.evaluate(STICKING_OUT)


BOTH_PAGES = pytest.mark.parametrize("path", ["/about", "/cookies"], ids=["banner", "cookies_page"])


@BOTH_PAGES
def test_nothing_scrolls_sideways_at_320_pixels(make_visitor: MakeVisitor, path: str) -> None:
    page = make_visitor(viewport={"width": 320, "height": 640}).goto(path)
    assert overflow(page) == (0, [])

    page.evaluate("() => document.querySelectorAll('[dir], html').forEach(one => { one.dir = 'rtl' })")

    assert overflow(page) == (0, [])


@BOTH_PAGES
def test_nothing_scrolls_sideways_with_text_twice_as_large(make_visitor: MakeVisitor, path: str) -> None:
    page = make_visitor(viewport={"width": 640, "height": 800}).goto(path)
    page.add_style_tag(content="html { font-size: 200% }")
    assert overflow(page) == (0, [])

    page.set_viewport_size({"width": 1280, "height": 800})

    assert overflow(page) == (0, [])


def test_column_heads_stay_whole_words_with_text_twice_as_large(visitor: Visitor) -> None:
    page = visitor.goto("/cookies")

    page.add_style_tag(content="html { font-size: 200% }")

    assert page.evaluate(BROKEN_HEADS) == []


def test_cookie_names_are_written_left_to_right_everywhere(visitor: Visitor) -> None:
    page = visitor.goto("/cookies")

    page.locator("html").evaluate("html => { html.dir = 'rtl' }")

    assert page.get_by_text("_ga_*").evaluate("code => getComputedStyle(code).direction") == "ltr"
    assert page.get_by_role("table").first.evaluate("table => getComputedStyle(table).direction") == "rtl"


def test_nothing_is_cut_off_when_text_is_spaced_out(make_visitor: MakeVisitor) -> None:
    page = make_visitor(viewport={"width": 320, "height": 640}).goto("/about")

    page.add_style_tag(content=SPACED_OUT)

    assert overflow(page) == (0, [])
    assert page.locator("#consentgate button:visible").evaluate_all(CUT_OFF) == []


def test_notice_of_a_saved_choice_fits_320_pixels_with_text_twice_as_large(make_visitor: MakeVisitor) -> None:
    visitor = make_visitor(viewport={"width": 320, "height": 640})
    page = visitor.goto("/cookies")
    page.add_style_tag(content="html { font-size: 200% }")

    visitor.save()

    assert overflow(page) == (0, [])


def test_accept_and_reject_are_equal_and_large_enough(visitor: Visitor) -> None:
    page = visitor.goto("/about")

    for width in (1280, 480, 320):
        page.set_viewport_size({"width": width, "height": 800})
        accept, reject = (page.get_by_role("button", name=f"{word} all cookies") for word in ("Accept", "Reject"))

        assert accept.evaluate(STYLE) == reject.evaluate(STYLE)
        assert accept.evaluate(SIZE) == reject.evaluate(SIZE)
        assert accept.evaluate(SIZE)[1] >= 44


def test_banner_lies_in_the_flow_and_covers_nothing(visitor: Visitor) -> None:
    page = visitor.goto("/about")

    banner, header = visitor.banner.bounding_box(), page.locator("header.header").bounding_box()

    assert banner is not None
    assert header is not None
    assert banner["y"] == 0
    assert header["y"] >= banner["y"] + banner["height"]
    assert visitor.banner.evaluate("element => getComputedStyle(element).position") == "static"


def test_banner_is_not_printed(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    expect(visitor.banner).to_be_visible()

    page.emulate_media(media="print")

    expect(visitor.banner).to_be_hidden()


def test_buttons_and_banner_keep_their_edges_in_forced_colours(make_visitor: MakeVisitor) -> None:
    visitor = make_visitor(forced_colors="active")
    page = visitor.goto("/about")

    for button in ("Accept all cookies", "Reject all cookies"):
        found = page.get_by_role("button", name=button).evaluate(STYLE)
        assert found["border-top-style"] == "solid"
        assert float(found["border-top-width"].removesuffix("px")) >= 1
        assert found["border-top-color"] != found["background-color"]
    assert visitor.banner.evaluate("element => getComputedStyle(element).borderBottomStyle") == "solid"


def test_nothing_moves_on_the_first_visit(visitor: Visitor) -> None:
    visitor.context.add_init_script(SHIFTS)
    page = visitor.goto("/about")

    page.evaluate(FRAME)

    assert page.evaluate("() => window.shifts") == []


def test_a_late_banner_would_be_noticed(visitor: Visitor) -> None:
    visitor.context.add_init_script(SHIFTS)
    page = visitor.goto("/about")

    page.locator("#consentgate").evaluate("banner => { banner.style.paddingTop = '100px' }")
    page.wait_for_function("() => window.shifts.length > 0")

    assert page.evaluate("() => window.shifts[0]") > 0


def test_a_page_without_scripts_shows_nothing_that_needs_one(visitor_without_scripts: Visitor) -> None:
    page = visitor_without_scripts.goto("/about")

    expect(page.get_by_role("button", name="Hide cookie message")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
