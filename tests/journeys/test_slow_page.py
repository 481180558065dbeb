"""A page is slow to load: Google waits for it, and is not even asked when consent is withdrawn meanwhile."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.demo import IDS, STAND_IN_HOST
from tests.journeys.visitor import Visitor, eventually, is_silenced

pytestmark = pytest.mark.browser


SLOW_PICTURE = """
    if (location.pathname === "/news") addEventListener("DOMContentLoaded", () => {
        document.body.append(Object.assign(new Image(), {src: "/slow.png"}));
    });
"""


def accept_and_open_slow_page(visitor: Visitor) -> list[Route]:
    """Leave a page loading, and return what it waits for."""
    waiting: list[Route] = []
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    visitor.context.add_init_script(SLOW_PICTURE)
    visitor.context.route("**/slow.png", lambda route: waiting.append(route))
    visitor.forget()
    visitor.page.goto(visitor.demo.at("main", "/news"), wait_until="domcontentloaded")
    visitor.page.wait_for_function("() => window.dataLayer")
    eventually(visitor.page, lambda: len(waiting) == 1)
    assert visitor.page.evaluate("() => document.readyState") == "interactive"
    return waiting


def withdraw_on_another_tab(visitor: Visitor) -> None:
    """Withdraw where no page of ours has run a tag, so that what is asked for is asked for by the slow page."""
    other = visitor.context.new_page()
    other.route(f"http://{STAND_IN_HOST}:*/**", lambda route: route.abort())
    other.goto(visitor.demo.at("main", "/cookies"))
    other.get_by_role("group", name="Analytics cookies").get_by_role("radio", name="No").check()
    other.get_by_role("button", name="Save cookie settings").click()
    expect(other.get_by_role("alert")).to_be_visible()
    other.close()


def finish(page: Page, waiting: list[Route]) -> None:
    waiting[0].abort()
    page.wait_for_load_state("load")


def tags_asked_for(visitor: Visitor) -> list[str]:
    """List for which pages Google's script was asked, of those that are open since the logs were started afresh."""
    return [hit.page for hit in visitor.demo.hits() if hit.path == "/gtag/js"]


def test_google_starts_when_the_page_is_complete(visitor: Visitor) -> None:
    waiting = accept_and_open_slow_page(visitor)
    assert tags_asked_for(visitor) == []

    finish(visitor.page, waiting)

    visitor.wait_for_page_views(1)
    assert len(tags_asked_for(visitor)) == 1


def test_google_is_not_asked_when_consent_is_withdrawn_before_the_page_is_complete(visitor: Visitor) -> None:
    waiting = accept_and_open_slow_page(visitor)
    withdraw_on_another_tab(visitor)
    eventually(visitor.page, lambda: is_silenced(visitor.page, IDS["main"]))
    assert tags_asked_for(visitor) == []
    visitor.forget()

    finish(visitor.page, waiting)
    visitor.goto("/about")

    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()
