"""With `enforce`, the browser itself refuses a service's host until the visitor agrees, whoever wrote the tag."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics
from tests.journeys.server import Serve
from tests.journeys.visitor import PATIENCE

pytestmark = pytest.mark.browser

# What somebody pasted into a template: a script and a beacon of a declared service, and a script of nobody's.
PASTED = """<!doctype html><html lang=en><head><title>Pasted</title>
<script src="http://stats.localhost:{port}/pasted.js"></script>
<script src="http://elsewhere.localhost:{port}/foreign.js"></script>
</head><body><h1>Pasted</h1><img alt="" src="http://stats.localhost:{port}/beacon.gif">
<script src="/own.js"></script></body></html>"""


@dataclass(slots=True)
class Site:
    """A site, a declared service and a stranger on one port of this computer, and what each was asked for."""

    enforce: bool
    asked: list[str] = field(default_factory=list)

    def make_app(self, port: int) -> ASGIApp:
        analytics = GoogleAnalytics(measurement_id="G-PASTED01", script_origin=f"http://stats.localhost:{port}")
        policy = ConsentPolicy(
            site_name="Pasted",
            controller=Controller(name="Pasted Ltd", email="privacy@example.org"),
            categories=(Category(id="analytics", services=(analytics,)),),
            enforce=self.enforce,
        )

        async def show(request: Request) -> Response:
            if request.url.path == "/":
                return HTMLResponse(PASTED.format(port=port))
            if request.url.path != "/favicon.ico":
                self.asked.append(f"{request.url.hostname}{request.url.path}")
            return Response(f"window.ran = [...(window.ran || []), '{request.url.path}']", media_type="text/javascript")

        return ConsentMiddleware(Starlette(routes=[Route("/{path:path}", show)]), policy, keys=[secrets.token_hex(32)])

    def ran(self, page: Page) -> list[str]:
        """List the scripts that ran on a page."""
        found: list[str] = page.evaluate("() => window.ran || []")
        return found


Open = Callable[[bool], tuple[Site, Page]]


@pytest.fixture
def open_site(browser: Browser, serve: Serve) -> Iterator[Open]:
    """Serve a site and open its page for a new visitor."""
    closing: list[Callable[[], None]] = []

    def start(enforce: bool) -> tuple[Site, Page]:
        site = Site(enforce)
        serving = serve(site.make_app)
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        closing.extend((context.close, serving.stop))
        page = context.new_page()
        page.goto(f"http://site.localhost:{serving.port}/")
        return site, page

    yield start
    for close in closing:
        close()


def answer(page: Page, words: str) -> None:
    page.get_by_role("button", name=words).click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_before_consent_a_pasted_tag_is_refused_by_the_browser_itself(open_site: Open) -> None:
    site, page = open_site(True)

    assert site.ran(page) == ["/own.js"]
    assert site.asked == ["site.localhost/own.js"]


def test_without_enforce_the_same_tag_loads_before_consent(open_site: Open) -> None:
    site, page = open_site(False)

    assert site.ran(page) == ["/pasted.js", "/foreign.js", "/own.js"]
    assert "stats.localhost/beacon.gif" in site.asked


def test_after_consent_the_service_is_let_in_and_nobody_else(open_site: Open) -> None:
    site, page = open_site(True)
    answer(page, "Accept all cookies")
    site.asked.clear()

    page.reload()

    assert site.ran(page)[:2] == ["/pasted.js", "/own.js"]
    assert "stats.localhost/beacon.gif" in site.asked
    assert not any(asked.startswith("elsewhere.") for asked in site.asked)


def test_after_a_refusal_and_after_a_withdrawal_it_is_refused_again(open_site: Open) -> None:
    site, page = open_site(True)
    answer(page, "Reject all cookies")
    page.reload()
    after_refusal = list(site.asked)
    page.get_by_role("heading").evaluate("() => location.assign('/cookies')")
    page.get_by_role("group", name="Analytics cookies").get_by_role("radio", name="Yes").check()
    answer(page, "Save cookie settings")
    page.get_by_role("group", name="Analytics cookies").get_by_role("radio", name="No").check()
    page.get_by_role("button", name="Save cookie settings").click()
    page.wait_for_load_state("networkidle")
    site.asked.clear()

    page.goto(page.url.replace("/cookies", "/"))

    assert set(after_refusal) == {"site.localhost/own.js"}
    assert site.asked == ["site.localhost/own.js"]
