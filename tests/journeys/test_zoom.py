"""Larger text, zoom, and the site's own dark switch."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.test_layout import overflow
from tests.journeys.visitor import MakeVisitor, Visitor

pytestmark = pytest.mark.browser

GROUND = "element => getComputedStyle(element).backgroundColor"
SIZE = "element => parseFloat(getComputedStyle(element).fontSize)"
pages = pytest.mark.parametrize("path", ["/about", "/cookies"], ids=["banner", "cookies_page"])


def set_browsers_text_size(page: Page, pixels: int) -> None:
    """Do what the browser's own setting for text does."""
    session = page.context.new_cdp_session(page)
    session.send("Page.enable")
    session.send("Page.setFontSizes", {"fontSizes": {"standard": pixels, "fixed": pixels}})


@pages
def test_text_follows_the_size_that_visitors_set_in_their_browser(make_visitor: MakeVisitor, path: str) -> None:
    page = make_visitor(viewport={"width": 640, "height": 800}).goto(path)
    text = page.locator("#consentgate p, main p").first
    before = text.evaluate(SIZE)

    set_browsers_text_size(page, 32)

    assert text.evaluate(SIZE) == 2 * before
    assert overflow(page) == (0, [])


@pages
def test_it_can_be_used_at_four_times_its_size(make_visitor: MakeVisitor, path: str) -> None:
    """1,280 by 1,024 pixels at 400 % are 320 by 256 (WCAG 1.4.10)."""
    visitor = make_visitor(viewport={"width": 320, "height": 256}, device_scale_factor=4)
    page = visitor.goto(path)

    assert overflow(page) == (0, [])
    if path == "/about":
        visitor.reject()
    else:
        visitor.save()
    expect(visitor.confirmation).to_be_in_viewport()


@pytest.mark.parametrize(
    ("name", "value"), [("data-theme", "{}"), ("data-bs-theme", "{}"), ("class", "{}")], ids=lambda value: str(value)
)
def test_the_sites_own_switch_overrules_the_visitors_setting(visitor: Visitor, name: str, value: str) -> None:
    page = visitor.goto("/about")
    grounds = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        page.locator("html").evaluate("(html, name) => html.removeAttribute(name)", name)
        grounds[scheme] = visitor.banner.evaluate(GROUND)
    assert grounds["light"] != grounds["dark"]

    for scheme, other in (("light", "dark"), ("dark", "light")):
        page.emulate_media(color_scheme="light" if other == "light" else "dark")
        page.locator("html").evaluate("(html, [name, value]) => html.setAttribute(name, value)", [name, scheme])

        assert visitor.banner.evaluate(GROUND) == grounds[scheme]
        assert visitor.banner.evaluate("element => getComputedStyle(element).colorScheme") == scheme


def test_the_cookies_page_has_the_colours_of_its_site(make_visitor: MakeVisitor) -> None:
    visitor = make_visitor()
    found = set()
    for site in ("main", "place", "invest"):
        page = visitor.goto("/cookies", site=site)
        found.add(page.get_by_role("button", name="Save cookie settings").evaluate(GROUND))

    assert len(found) == 3
