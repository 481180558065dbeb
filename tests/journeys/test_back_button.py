"""Somebody goes back: the page comes out of the back/forward cache as it was left, but the choice is today's."""

from __future__ import annotations

import threading

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.journeys.demo import IDS, Demo, make_demo
from tests.journeys.server import Serve
from tests.journeys.visitor import Visitor, click_link_to_another_site, data_layer, eventually, is_silenced

pytestmark = pytest.mark.browser

REMEMBER = "() => addEventListener('pageshow', event => { window.cameBack = event.persisted })"


def go_back(page: Page, *, steps: int) -> None:
    """Go back and check that the page was not loaded anew, for then there would be nothing to see."""
    with page.expect_navigation(wait_until="commit"):
        page.evaluate("steps => setTimeout(() => history.go(-steps))", steps)
    page.wait_for_function("() => 'cameBack' in window")
    assert page.evaluate("() => window.cameBack"), "Chromium did not keep the page."


def without_answer(app: ASGIApp, path: str, is_silent: threading.Event) -> ASGIApp:
    """Wrap an application so that one address is never answered once that is wanted."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != path or not is_silent.is_set():
            await app(scope, receive, send)
            return
        while (await receive())["type"] != "http.disconnect":
            pass

    return wrapped


def test_a_page_from_before_the_withdrawal_comes_back_silent(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.evaluate(REMEMBER)
    visitor.accept_and_be_measured()
    visitor.goto("/news")
    visitor.wait_for_page_views(2)
    visitor.withdraw()
    visitor.forget()

    go_back(page, steps=2)
    eventually(page, lambda: is_silenced(page, IDS["main"]))
    click_link_to_another_site(page)

    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()


def test_a_page_that_comes_back_tells_google_that_consent_is_withdrawn(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.evaluate(REMEMBER)
    visitor.accept_and_be_measured()
    visitor.withdraw()

    go_back(page, steps=1)

    eventually(page, lambda: data_layer(page)[-1][2]["analytics_storage"] == "denied")
    assert is_silenced(page, IDS["main"])


def test_a_page_that_comes_back_is_silent_until_the_server_has_answered(browser: Browser, serve: Serve) -> None:
    server_is_silent = threading.Event()
    serving = serve(lambda port: without_answer(make_demo(port), "/cookies/state", server_is_silent))
    visitor = Visitor(browser.new_context(), Demo(serving.port))
    page = visitor.goto("/about")
    page.evaluate(REMEMBER)
    visitor.accept_and_be_measured()
    visitor.withdraw()
    server_is_silent.set()
    visitor.forget()

    go_back(page, steps=1)
    click_link_to_another_site(page)

    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()
    visitor.context.close()
    serving.stop()


def test_a_page_comes_back_measuring_when_nothing_was_withdrawn(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.evaluate(REMEMBER)
    visitor.accept_and_be_measured()
    visitor.goto("/news")
    visitor.wait_for_page_views(2)
    visitor.forget()

    go_back(page, steps=1)
    eventually(page, lambda: not is_silenced(page, IDS["main"]))
    click_link_to_another_site(page)

    eventually(page, lambda: any(hit.event == "click" for hit in visitor.demo.hits()))


def test_a_page_that_asked_comes_back_without_its_banner(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.evaluate(REMEMBER)
    visitor.goto("/news")
    visitor.accept_and_be_measured()

    go_back(page, steps=1)

    expect(visitor.banner).to_have_count(0)
    visitor.wait_for_page_views(2)


def test_a_page_that_asked_comes_back_asking_when_nothing_was_chosen(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.evaluate(REMEMBER)
    visitor.goto("/news")

    go_back(page, steps=1)

    expect(page.get_by_role("button", name="Accept all cookies")).to_be_visible()
    visitor.reject()
    assert visitor.heard_elsewhere() == []


def test_a_page_that_came_back_hears_of_a_choice_in_another_tab(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.evaluate(REMEMBER)
    visitor.goto("/news")
    go_back(page, steps=1)
    other = visitor.open_tab("/news")

    other.get_by_role("button", name="Reject all cookies").click()

    expect(visitor.banner).to_have_count(0)


def test_without_scripts_going_back_never_brings_google_back(visitor_without_scripts: Visitor) -> None:
    visitor = visitor_without_scripts
    visitor.goto("/about")
    visitor.accept()
    visitor.goto("/news")
    visitor.withdraw()

    for _ in range(3):
        visitor.page.go_back(wait_until="commit")  # a page that comes out of the cache is never loaded
        expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()

    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()
