"""The main journeys in a real browser, on every example program under its own server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

from tests.browser import REMEDY, find_browser
from tests.journeys.conftest import launch
from tests.journeys.visitor import PATIENCE, eventually
from tests.mounts.servers import Mount, Running
from tests.needs import leave_out

pytestmark = pytest.mark.browser

# Each example's page to begin at, and another one.
PATHS = {
    "datasette": ("/bread", "/bakery/bread"),
    "django": ("/bread", "/"),
    "fastapi": ("/branch/park", "/"),
    "litestar": ("/bread", "/"),
    "plain_asgi": ("/", "/tomorrow"),
    "quart": ("/bread", "/"),
    "starlette": ("/visit", "/"),
    "wsgi": ("/bread", "/"),
}
MOUNTS = [Mount(f"examples.{name if name == 'plain_asgi' else name + '_site'}:app") for name in PATHS]
on_every_example = pytest.mark.parametrize("running", MOUNTS, indirect=True, ids=str)

# Google's own script, as little of it as a test needs: it writes its cookie and tells of the page.
GTAG = """(() => {
  const hit = () => window['ga-disable-G-AB12CD34EF'] || fetch('https://www.google-analytics.com/g/collect?en=page_view');
  document.cookie = '_ga=GA1.1.1; path=/; max-age=34560000';
  hit();
})()"""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    executable = find_browser()
    if executable is None:
        leave_out(f"No browser that starts: {REMEDY}.")
    browser = launch(playwright, executable)
    yield browser
    browser.close()


@dataclass(slots=True)
class Guest:
    """Drive a fresh profile through one example, with Google played by the test."""

    page: Page
    running: Running
    sent: list[str] = field(default_factory=list)

    @property
    def paths(self) -> tuple[str, str]:
        """The page to begin at, and another one."""
        return PATHS[self.running.mount.target.removeprefix("examples.").partition(":")[0].removesuffix("_site")]

    def goto(self, path: str) -> None:
        self.page.goto(self.running.url + path)

    def answer(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()
        expect(self.page.get_by_role("alert")).to_be_visible()

    def choose(self, words: str) -> None:
        self.page.get_by_role("group", name="Analytics cookies").get_by_role("radio", name=words).check()
        self.answer("Save cookie settings")

    def cookies(self) -> set[str]:
        return {cookie["name"] for cookie in self.page.context.cookies()} & {"_ga", "visited"}

    @property
    def question(self) -> bool:
        """Whether the banner asks."""
        return self.page.get_by_role("button", name="Accept all cookies").is_visible()

    def play_google(self, route: Route) -> None:
        self.sent.append(urlsplit(route.request.url).path)
        if route.request.url.startswith("https://www.googletagmanager.com/gtag/js"):
            route.fulfill(body=GTAG, content_type="text/javascript")
        else:
            route.fulfill(status=204, headers={"access-control-allow-origin": "*"})


@pytest.fixture(params=["scripts_on", "scripts_off"])
def guest(request: pytest.FixtureRequest, browser: Browser, running: Running) -> Iterator[Guest]:
    context = browser.new_context(java_script_enabled=request.param == "scripts_on")
    context.set_default_timeout(PATIENCE)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    guest = Guest(context.new_page(), running)
    context.route(lambda address: urlsplit(address).hostname != "127.0.0.1", lambda route: guest.play_google(route))
    yield guest
    context.close()
    assert errors == []


@on_every_example
def test_first_visit_asks_on_every_page_and_sends_nothing(guest: Guest) -> None:
    for path in guest.paths:
        guest.goto(path)
        assert guest.question
        assert guest.page.locator("body > :first-child").get_attribute("id") == "consentgate"

    assert guest.sent == []
    assert guest.page.context.cookies() == [] or guest.cookies() == set()


@on_every_example
def test_accepting_is_confirmed_and_counts_from_then_on(guest: Guest, request: pytest.FixtureRequest) -> None:
    scripts = "scripts_on" in request.node.name
    first, other = guest.paths
    guest.goto(first)

    guest.answer("Accept all cookies")
    if scripts:  # a visitor who leaves sooner is not counted there
        eventually(guest.page, lambda: guest.sent.count("/g/collect") == 1)
    guest.goto(other)

    assert not guest.question
    if scripts:
        eventually(guest.page, lambda: guest.sent.count("/g/collect") >= 2)
        assert "_ga" in guest.cookies()
    else:
        assert guest.sent == []


@on_every_example
def test_rejecting_is_confirmed_and_nothing_is_ever_sent(guest: Guest) -> None:
    first, other = guest.paths
    guest.goto(first)

    guest.answer("Reject all cookies")
    for path in (other, first, other):
        guest.goto(path)
        assert not guest.question

    assert guest.sent == []
    assert guest.cookies() == set()


@on_every_example
def test_settings_are_saved_from_the_footers_link_and_shown_again(guest: Guest) -> None:
    guest.goto(guest.paths[0])
    guest.page.get_by_role("contentinfo").get_by_role("link", name="Cookies", exact=True).click()

    guest.choose("Yes")

    guest.goto("/cookies")
    group = guest.page.get_by_role("group", name="Analytics cookies")
    expect(group.get_by_role("radio", name="Yes")).to_be_checked()
    guest.goto(guest.paths[1])
    assert not guest.question


@on_every_example
def test_withdrawing_removes_googles_cookie_and_stops_it(guest: Guest) -> None:
    first, other = guest.paths
    guest.goto(first)
    guest.answer("Accept all cookies")
    guest.page.context.add_cookies(
        [{"name": name, "value": "1", "url": guest.running.url} for name in ("_ga", "_ga_AB12CD34EF")]
    )
    guest.goto("/cookies")

    guest.choose("No")
    guest.page.wait_for_load_state("networkidle")
    guest.sent.clear()
    for path in (other, first):
        guest.goto(path)
        assert not guest.question

    assert guest.sent == []
    assert not {cookie["name"] for cookie in guest.page.context.cookies()} & {"_ga", "_ga_AB12CD34EF", "visited"}
