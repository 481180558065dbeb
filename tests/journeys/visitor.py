"""One visitor: a fresh browser profile, what it was sent to do, and every request that left it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Error, Locator, Page, Request, expect

from tests.journeys.demo import HOSTS, Demo, SiteName

__all__ = [
    "PATIENCE",
    "Answer",
    "MakeVisitor",
    "Visitor",
    "click_link_to_another_site",
    "data_layer",
    "eventually",
    "has_visible_outline",
    "is_silenced",
]

PATIENCE = 20_000  # ms until a condition that should come is given up; other work may keep the machine busy
POLL = 40  # ms

Answer = Literal["Accept all cookies", "Reject all cookies"]

# A request of our own: whatever the page sent before it is in the log when it is answered.
SENTINEL = "() => fetch('/static/icon.svg', {cache: 'no-store'}).then(answer => answer.blob()).then(() => true)"

OUTLINE = "element => { const s = getComputedStyle(element); return [s.outlineStyle, parseFloat(s.outlineWidth)] }"


class Visitor:
    """Drive one browser profile through the demo."""

    def __init__(self, context: BrowserContext, demo: Demo) -> None:
        context.set_default_timeout(PATIENCE)
        self.context = context
        self.demo = demo
        self.requests: list[Request] = []
        self.errors: list[str] = []
        context.on("request", lambda request: self.requests.append(request))  # Playwright marks the function
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = context.new_page()

    def goto(self, path: str = "/", *, site: SiteName = "main") -> Page:
        """Open a page in the first tab."""
        self.page.goto(self.demo.at(site, path))
        return self.page

    def open_tab(self, path: str = "/", *, site: SiteName = "main") -> Page:
        """Open a page in another tab."""
        page = self.context.new_page()
        page.goto(self.demo.at(site, path))
        return page

    @property
    def banner(self) -> Locator:
        """The banner or the confirmation, on the first tab."""
        return self.page.locator("#consentgate")

    @property
    def confirmation(self) -> Locator:
        """The visible message that a choice is saved, on the first tab."""
        return self.page.get_by_role("alert")

    def answer(self, words: Answer) -> None:
        """Press a button of the banner and wait until the choice is confirmed."""
        self.page.get_by_role("button", name=words).click()
        expect(self.confirmation).to_be_visible()

    def accept(self) -> None:
        """Accept all cookies on the page that is open."""
        self.answer("Accept all cookies")

    def reject(self) -> None:
        """Reject all cookies on the page that is open."""
        self.answer("Reject all cookies")

    def accept_and_be_measured(self) -> None:
        """Accept all cookies and wait until Google was told of this page."""
        seen = len(self.page_views())
        self.accept()
        self.wait_for_page_views(seen + 1)

    def choose(self, category: str, answer: Literal["Yes", "No"]) -> None:
        """Set a category's radio button on the cookies page."""
        self.radio(category, answer).check()

    def radio(self, category: str, answer: Literal["Yes", "No"]) -> Locator:
        """Find a category's radio button on the cookies page."""
        return self.page.get_by_role("group", name=category).get_by_role("radio", name=answer)

    def save(self) -> None:
        """Save the cookies page and wait until that is confirmed."""
        self.page.get_by_role("button", name="Save cookie settings").click()
        expect(self.confirmation).to_be_visible()

    def withdraw(self, *, site: SiteName = "main") -> None:
        """Withdraw the consent to analytics on the cookies page of a site."""
        self.goto("/cookies", site=site)
        self.choose("Analytics cookies", "No")
        self.save()

    def page_views(self) -> list[str]:
        """List the measurement ids of the page views that Google was told."""
        return [hit.measurement_id for hit in self.demo.hits() if hit.event == "page_view"]

    def wait_for_page_views(self, count: int) -> None:
        """Wait until Google was told of so many page views."""
        eventually(self.page, lambda: len(self.page_views()) >= count)

    def forget(self) -> None:
        """Start both logs afresh, so that only what comes now counts."""
        self.demo.clear()
        self.requests.clear()

    def heard_elsewhere(self) -> list[str]:
        """List what went anywhere but to the sites: by the log of all tabs, and by what Google would have received."""
        for page in self.context.pages:
            if urlsplit(page.url).hostname in HOSTS.values():
                let_requests_pass(page)
        sent = [request.url for request in self.requests if urlsplit(request.url).hostname not in HOSTS.values()]
        return sent + [f"{hit.path} {hit.event} {hit.page}" for hit in self.demo.hits()]

    def cookie_names(self) -> set[str]:
        """List the names of all cookies in the profile, whatever their domain."""
        return {name for cookie in self.context.cookies() if (name := cookie.get("name"))}

    def google_cookies(self) -> set[str]:
        """List the names of the cookies that are Google's."""
        return set(filter(is_google_cookie, self.cookie_names()))


MakeVisitor = Callable[..., Visitor]
"""Takes the settings of a Playwright context."""


def is_google_cookie(name: str) -> bool:
    """Tell Google's cookies from the sites' own."""
    return name.startswith(("_ga", "_gid", "_gcl", "FPID", "FPLC"))


def let_requests_pass(page: Page) -> None:
    """Wait until whatever a page has sent so far is in the log."""

    def answered() -> bool:
        try:
            return bool(page.evaluate(SENTINEL))
        except Error as error:
            if "context was destroyed" in error.message:  # it was on its way to another page: once more
                return False
            raise

    eventually(page, answered)


def eventually(page: Page, condition: Callable[[], bool]) -> None:
    """Wait until a condition outside the page holds."""
    for _ in range(PATIENCE // POLL):
        if condition():
            return
        page.wait_for_timeout(POLL)
    raise AssertionError("It did not happen in time.")


def data_layer(page: Page) -> list[list[Any]]:
    """Read the commands that were queued for Google's tag, in order."""
    commands: list[list[Any]] = page.evaluate("() => (window.dataLayer || []).map(entry => Array.from(entry))")
    return commands


def is_silenced(page: Page, measurement_id: str) -> bool:
    """Tell whether Google's tag is switched off on a page."""
    return bool(page.evaluate("id => window['ga-disable-' + id] === true", measurement_id))


def click_link_to_another_site(page: Page) -> None:
    """Do what a running tag would report."""
    page.get_by_role("navigation", name="Our sites").get_by_role("link").first.click()


def has_visible_outline(element: Locator) -> bool:
    """Tell whether an element can be seen to have focus."""
    style, width = element.evaluate(OUTLINE)
    return bool(style == "solid" and width >= 2)
