"""A site forbids everything but its own files: banner, script and tag need no exception for inline code."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics
from examples.step_forward_luton.google_stand_in import create_stand_in
from tests.journeys.server import Serve
from tests.journeys.visitor import PATIENCE

pytestmark = pytest.mark.browser

CSP = b"default-src 'self'; form-action 'self'"
TRUSTED_TYPES = b"default-src 'self'; form-action 'self'; require-trusted-types-for 'script'"
PAGE = "<!doctype html><html lang=en><head><title>Strict</title></head><body><h1>Strict</h1>%s</body></html>"


class WithCsp:
    """Put the policy on every response, also on those of consentgate itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_csp(message: Message) -> None:
            if message["type"] == "http.response.start":
                csp = TRUSTED_TYPES if scope["path"] == "/trusted" else CSP
                message = {**message, "headers": [*message["headers"], (b"content-security-policy", csp)]}
            await send(message)

        await self.app(scope, receive, send_with_csp)


async def show(request: Request) -> Response:
    return HTMLResponse(PAGE % "")


async def show_with_inline_script(request: Request) -> Response:
    return HTMLResponse(PAGE % "<script>window.ran = true</script>")


def make_strict_app(port: int) -> ASGIApp:
    analytics = GoogleAnalytics(measurement_id="G-STRICT01", script_origin=f"http://localhost:{port}")
    policy = ConsentPolicy(
        site_name="Strict",
        hosts=("localhost",),
        secure=False,
        privacy_policy="/privacy",
        controller=Controller(name="Strict Ltd", email="privacy@example.org"),
        categories=(Category(id="analytics", services=(analytics,)),),
    )
    routes = [
        Route("/", show),
        Route("/trusted", show),
        Route("/inline", show_with_inline_script),
        Mount("/", create_stand_in()),  # the fake of Google's script, on the site's own origin
    ]
    consent = Middleware(ConsentMiddleware, policy=policy, keys=[secrets.token_urlsafe(32)])
    return Starlette(routes=routes, middleware=[Middleware(WithCsp), consent])


class StrictVisit:
    """Open pages of the strict site and note what its policy stopped."""

    def __init__(self, page: Page, port: int) -> None:
        self.page = page
        self.violations: list[str] = []
        self._address = f"http://localhost:{port}"
        page.on("console", self._note)

    def goto(self, path: str) -> None:
        self.page.goto(self._address + path)

    def _note(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.violations.append(message.text)


@pytest.fixture
def visit(browser: Browser, serve: Serve) -> Iterator[StrictVisit]:
    serving = serve(make_strict_app)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    yield StrictVisit(context.new_page(), serving.port)
    context.close()
    serving.stop()


def test_banner_has_its_style(visit: StrictVisit) -> None:
    visit.goto("/")

    accept = visit.page.get_by_role("button", name="Accept all cookies")
    assert accept.evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(22, 24, 29)"
    assert visit.violations == []


def test_accepting_and_withdrawing_break_no_rule(visit: StrictVisit) -> None:
    visit.goto("/")
    with visit.page.expect_request(lambda request: "en=page_view" in request.url):
        visit.page.get_by_role("button", name="Accept all cookies").click()
    expect(visit.page.get_by_role("alert")).to_be_focused()
    assert visit.page.evaluate("() => document.cookie.includes('_ga=')")

    with visit.page.expect_request(lambda request: "en=page_view" in request.url):
        visit.goto("/cookies")
    visit.page.get_by_role("radio", name="No").check()
    visit.page.get_by_role("button", name="Save cookie settings").click()
    expect(visit.page.get_by_role("alert")).to_be_focused()

    assert visit.page.evaluate("() => window['ga-disable-G-STRICT01']") is True
    assert not visit.page.evaluate("() => document.cookie.includes('_ga')")
    assert visit.violations == []


def test_where_no_script_may_write_markup_the_plain_form_saves_and_confirms(visit: StrictVisit) -> None:
    visit.goto("/trusted")

    visit.page.get_by_role("button", name="Reject all cookies").click()

    expect(visit.page.get_by_role("alert")).to_contain_text("You have rejected all cookies")
    visit.goto("/trusted")
    expect(visit.page.locator("#consentgate")).to_have_count(0)


def test_the_rules_do_hold(visit: StrictVisit) -> None:
    with visit.page.expect_event("console", lambda message: "Content Security Policy" in message.text):
        visit.goto("/inline")

    assert visit.page.evaluate("() => 'ran' in window") is False
    assert len(visit.violations) == 1
