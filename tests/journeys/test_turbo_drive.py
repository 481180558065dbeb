"""A site whose links are followed by Turbo Drive: the banner stays until it is answered, and the choice holds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as Address
from starlette.types import ASGIApp

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics
from tests.journeys.server import Serve
from tests.journeys.visitor import PATIENCE, eventually
from tests.npm import TURBO, file_of, require_npm

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang=en><head><title>{name}</title><script src="/turbo.js"></script></head>
<body><h1>{name}</h1><nav><a href="/one">One</a> <a href="/two">Two</a> <a href="/cookies">Settings</a></nav></body>
</html>"""


def make_app(port: int) -> ASGIApp:
    policy = ConsentPolicy(
        site_name="Turbo",
        controller=Controller(name="Turbo Ltd", email="privacy@example.org"),
        categories=(Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-TURBO001"),)),),
    )

    async def show(request: Request) -> Response:
        return HTMLResponse(PAGE.format(name=request.url.path))

    async def library(request: Request) -> Response:
        return Response(file_of(*TURBO).read_bytes(), media_type="text/javascript")

    routes = [Address("/turbo.js", library), Address("/{path:path}", show)]
    return ConsentMiddleware(Starlette(routes=routes), policy, keys=[secrets.token_urlsafe(32)])


class Surfer:
    """Follow links without ever loading a page anew."""

    def __init__(self, page: Page, port: int) -> None:
        self.page = page
        self.google: list[str] = []
        self.choices = 0
        page.context.route("https://www.googletagmanager.com/**", self._play_google)
        page.on("request", self._count)
        page.goto(f"http://localhost:{port}/one")
        page.evaluate("() => { window.sameDocument = true }")

    def follow(self, name: str, *, heading: str) -> None:
        self.page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(self.page.locator("html[data-turbo-preview]")).to_have_count(0)  # a copy, until the page itself comes
        self.page.wait_for_load_state("networkidle")
        assert self.page.evaluate("() => window.sameDocument === true"), "The page was loaded anew."

    def answer(self, words: str) -> None:
        self.page.get_by_role("button", name=words).click()
        expect(self.page.get_by_role("alert")).to_be_visible()

    @property
    def question(self) -> bool:
        return self.page.get_by_role("button", name="Accept all cookies").is_visible()

    def _count(self, request: object) -> None:
        self.choices += str(getattr(request, "url", "")).endswith("/cookies/choice")

    def _play_google(self, route: Route) -> None:
        self.google.append(route.request.url)
        route.fulfill(body="window.gtagRuns = (window.gtagRuns || 0) + 1", content_type="text/javascript")


@pytest.fixture
def surfer(browser: Browser, serve: Serve) -> Iterator[Surfer]:
    require_npm()
    serving = serve(make_app)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield Surfer(context.new_page(), serving.port)
    context.close()
    serving.stop()
    assert errors == []


def test_the_question_comes_along_until_it_is_answered(surfer: Surfer) -> None:
    for name, heading in (("Two", "/two"), ("One", "/one")):
        surfer.follow(name, heading=heading)
        assert surfer.question
        assert surfer.page.locator("#consentgate").count() == 1

    surfer.answer("Reject all cookies")
    surfer.follow("Two", heading="/two")

    assert not surfer.question
    assert surfer.choices == 1
    assert surfer.google == []


def test_settings_page_that_turbo_shows_saves_and_starts_google(surfer: Surfer) -> None:
    surfer.follow("Two", heading="/two")
    surfer.answer("Reject all cookies")
    surfer.follow("Settings", heading="Cookies on Turbo")

    surfer.page.get_by_role("group", name="Analytics cookies").get_by_role("radio", name="Yes").check()
    surfer.answer("Save cookie settings")

    eventually(surfer.page, lambda: len(surfer.google) == 1)
    assert surfer.choices == 2


def test_accepting_on_a_later_page_starts_google_once(surfer: Surfer) -> None:
    surfer.follow("Two", heading="/two")
    surfer.answer("Accept all cookies")
    eventually(surfer.page, lambda: len(surfer.google) == 1)

    surfer.follow("One", heading="/one")
    surfer.follow("Two", heading="/two")

    assert not surfer.question
    assert surfer.choices == 1
    assert surfer.page.evaluate("() => window.gtagRuns") == 1
    commands = surfer.page.evaluate("() => window.dataLayer.map(entry => entry[0])")
    assert commands.count("config") == 1
