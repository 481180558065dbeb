"""The three placements in a browser: nothing moves, nothing that has focus is hidden, and the order stays sensible."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from consentgate import ConsentMiddleware
from consentgate.policy import Placement
from examples.step_forward_luton.app import demo_policy
from examples.step_forward_luton.sites import create_sites
from tests.conftest import make_policy, make_site
from tests.journeys.demo import Demo
from tests.journeys.server import Serve
from tests.journeys.test_layout import FRAME, SHIFTS
from tests.journeys.visitor import PATIENCE

pytestmark = pytest.mark.browser

PLACEMENTS: tuple[Placement, ...] = ("first", "after-skip-link", "bottom")
SKIPPING = b"""<!doctype html><html lang=en><head><title>x</title></head><body><a href="#main">Skip to content</a>
<main id=main tabindex=-1><h1>Words</h1></main></body></html>"""
# How much of what has focus can be seen, from 0 to 1: browsers leave a tall field where it is when a part of it shows.
VISIBLE = """() => {
    const element = document.activeElement, banner = document.getElementById("consentgate");
    if (!element || element === document.body || banner.contains(element)) return 1;
    const box = element.getBoundingClientRect(), cover = banner.getBoundingClientRect();
    const floor = getComputedStyle(banner).position === "fixed" ? cover.top : innerHeight;
    const seen = Math.min(box.bottom, floor) - Math.max(box.top, 0);
    return Math.max(0, seen) / Math.max(1, Math.min(box.height, floor));
}"""

MakePage = Callable[[ViewportSize], Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[MakePage]:
    contexts = []

    def make(size: ViewportSize) -> Page:
        context = browser.new_context(viewport=size)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(SHIFTS)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


async def show_skipping(request: Request) -> Response:
    return HTMLResponse(SKIPPING)


def demo_at(placement: Placement) -> Callable[[int], ASGIApp]:
    def make(port: int) -> ASGIApp:
        policy = replace(demo_policy(port), placement=placement)
        return ConsentMiddleware(create_sites(port), policy, keys=[secrets.token_urlsafe(32)])

    return make


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_nothing_moves_wherever_it_stands(open_page: MakePage, serve: Serve, placement: Placement) -> None:
    demo = Demo(serve(demo_at(placement)).port)

    for size in (ViewportSize(width=1280, height=800), ViewportSize(width=320, height=640)):
        page = open_page(size)
        page.goto(demo.at("main", "/about"))
        page.evaluate(FRAME)

        expect(page.get_by_role("button", name="Reject all cookies")).to_be_in_viewport()
        assert page.evaluate("() => window.shifts") == []


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("size", [(1280, 800), (1280, 641), (700, 660), (320, 640), (320, 256)], ids=str)
def test_focus_is_never_hidden_on_the_way_there_and_back(
    open_page: MakePage, serve: Serve, placement: Placement, size: tuple[int, int]
) -> None:
    demo = Demo(serve(demo_at(placement)).port)
    page = open_page(ViewportSize(width=size[0], height=size[1]))
    page.goto(demo.at("main", "/contact"))

    for key in ("Tab", "Shift+Tab"):
        for _ in range(30):
            page.keyboard.press(key)
            assert page.evaluate(VISIBLE) > 0.1, page.evaluate("() => document.activeElement.outerHTML")


def test_at_the_bottom_it_is_there_where_there_is_room_and_in_the_flow_elsewhere(
    open_page: MakePage, serve: Serve
) -> None:
    demo = Demo(serve(demo_at("bottom")).port)
    page = open_page(ViewportSize(width=1280, height=800))
    page.goto(demo.at("main", "/about"))
    position = "banner => getComputedStyle(banner).position"

    assert page.locator("#consentgate").evaluate(position) == "fixed"
    for width, height in ((1280, 600), (320, 640), (320, 256)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.locator("#consentgate").evaluate(position) == "static"


def test_at_the_bottom_the_end_of_the_page_can_be_seen(open_page: MakePage, serve: Serve) -> None:
    demo = Demo(serve(demo_at("bottom")).port)
    page = open_page(ViewportSize(width=1280, height=800))
    page.goto(demo.at("main", "/about"))

    page.keyboard.press("End")
    page.wait_for_function("() => scrollY + innerHeight >= document.documentElement.scrollHeight - 1")

    note, banner = page.locator(".footer__note").bounding_box(), page.locator("#consentgate").bounding_box()
    assert note is not None
    assert banner is not None
    assert note["y"] + note["height"] <= banner["y"]
    page.get_by_role("button", name="Reject all cookies").click()
    page.get_by_role("button", name="Hide cookie message").click()
    assert page.locator("html").evaluate("html => getComputedStyle(html).paddingBottom") == "0px"


@pytest.mark.parametrize("cache", ["personal", "shared"])
def test_after_the_skip_link_means_after_it_by_keyboard_too(open_page: MakePage, serve: Serve, cache: str) -> None:
    policy = make_policy(secure=False, placement="after-skip-link", cache=cache)
    port = serve(lambda _: make_site(Starlette(routes=[Route("/", show_skipping)]), policy)).port
    page = open_page(ViewportSize(width=1280, height=800))
    page.goto(f"http://127.0.0.1:{port}/")
    expect(page.locator("#consentgate")).to_be_visible()

    for element in (page.get_by_role("link", name="Skip to content"), page.get_by_role("button", name="Accept all")):
        page.keyboard.press("Tab")
        expect(element).to_be_focused()
    assert page.evaluate("() => document.getElementById('consentgate').previousElementSibling.tagName") == "A"
