"""Withdrawing clears what the policy lists in the browser's web storage, and nothing else there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, StorageItem
from tests.journeys.server import Serve
from tests.journeys.visitor import PATIENCE

pytestmark = pytest.mark.browser

PAGE = "<!doctype html><html lang=en><head><title>Stored</title></head><body><h1>Stored</h1></body></html>"

# Declared in analytics: to be cleared. Essential, in preferences, unknown, or in the other storage: to be kept.
ANALYTICS = {"localStorage": {"_gcl_ls", "stats_id", "stats_"}, "sessionStorage": {"stats.visit"}}
OTHERS = {
    "localStorage": {"basket", "theme", "unknown", "x_stats_id", "Stats_id", "stats.visit"},
    "sessionStorage": {"basket", "stats_id", "statsXvisit", "stats.visit2"},
}
FILL = "areas => Object.entries(areas).forEach(([area, keys]) => keys.forEach(key => window[area].setItem(key, '1')))"
KEYS = "() => ['localStorage', 'sessionStorage'].map(area => [area, Object.keys(window[area])])"


def item(name: str, kind: Literal["localStorage", "sessionStorage"]) -> StorageItem:
    return StorageItem(name=name, purpose="For a test.", duration="1 day", type=kind)


def make_app(port: int) -> ASGIApp:
    analytics = (
        item("_gcl_ls", "localStorage"),
        item("stats_*", "localStorage"),
        item("stats.visit", "sessionStorage"),
    )
    policy = ConsentPolicy(
        site_name="Stored",
        controller=Controller(name="Stored Ltd", email="privacy@example.org"),
        categories=(
            Category(id="essential", items=(item("basket", "localStorage"), item("basket", "sessionStorage"))),
            Category(id="preferences", items=(item("theme", "localStorage"),)),
            Category(id="analytics", items=analytics),
        ),
    )
    return ConsentMiddleware(
        Starlette(routes=[Route("/", lambda _: HTMLResponse(PAGE))]), policy, keys=[secrets.token_urlsafe(32)]
    )


@pytest.fixture
def page(browser: Browser, serve: Serve) -> Iterator[Page]:
    """A visitor who accepted all, with everything stored, on the cookies page."""
    serving = serve(make_app)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"http://localhost:{serving.port}/")
    page.get_by_role("button", name="Accept all cookies").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.evaluate(FILL, {area: sorted(ANALYTICS[area] | OTHERS[area]) for area in ANALYTICS})
    page.goto(f"http://localhost:{serving.port}/cookies")
    yield page
    context.close()
    serving.stop()


def answer(page: Page, category: str, words: str) -> None:
    page.get_by_role("group", name=category).get_by_role("radio", name=words).check()
    page.get_by_role("button", name="Save cookie settings").click()
    expect(page.get_by_role("alert")).to_be_visible()


def stored(page: Page) -> dict[str, set[str]]:
    return {area: set(keys) for area, keys in page.evaluate(KEYS)}


def test_withdrawing_removes_declared_keys_of_both_storages_and_no_other(page: Page) -> None:
    answer(page, "Analytics cookies", "No")

    assert stored(page) == OTHERS


def test_keys_stay_while_their_category_is_accepted(page: Page) -> None:
    answer(page, "Preference cookies", "No")

    assert stored(page) == {
        "localStorage": (ANALYTICS["localStorage"] | OTHERS["localStorage"]) - {"theme"},
        "sessionStorage": ANALYTICS["sessionStorage"] | OTHERS["sessionStorage"],
    }


def test_another_tab_of_the_site_clears_its_own_session_storage_when_it_hears(page: Page) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    other.evaluate("() => sessionStorage.setItem('stats.visit', '1')")

    answer(page, "Analytics cookies", "No")

    other.wait_for_function("() => sessionStorage.getItem('stats.visit') === null")
