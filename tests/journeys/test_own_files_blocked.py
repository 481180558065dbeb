"""A blocker or a fault keeps our own files or answers away: what is left is a plain form that works."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser

SCRIPT = "**/static/consentgate.*.js"
STYLE = "**/static/consentgate.*.css"
CHOICE = "**/cookies/choice"
STATE = "**/cookies/state"


def block(visitor: Visitor, pattern: str) -> None:
    visitor.context.route(pattern, lambda route: route.abort("blockedbyclient"))


def break_background_requests(visitor: Visitor, *, status: int | None) -> None:
    """Let the script's own requests fail, by a status or on the way; the plain form's go through."""

    def handle(route: Route) -> None:
        if route.request.resource_type != "fetch":
            route.continue_()
        elif status is None:
            route.abort("connectionreset")
        else:
            route.fulfill(status=status, body="<p>not ours</p>")

    visitor.context.route(CHOICE, handle)


@pytest.mark.parametrize("pattern", [pytest.param(SCRIPT, id="script"), pytest.param(STYLE, id="style")])
def test_choice_is_saved_and_confirmed_when_a_file_is_blocked(visitor: Visitor, pattern: str) -> None:
    block(visitor, pattern)
    visitor.goto("/about")

    visitor.accept()

    expect(visitor.confirmation).to_contain_text("You have accepted all cookies.")
    expect(visitor.confirmation).to_be_focused()
    expect(visitor.page.get_by_role("button", name="Accept all cookies")).to_be_hidden()
    visitor.goto("/about", site="invest")
    expect(visitor.banner.get_by_role("button", name="Accept all cookies")).to_have_count(0)


def test_nothing_is_confirmed_before_a_choice_when_the_style_is_blocked(visitor: Visitor) -> None:
    block(visitor, STYLE)
    page = visitor.goto("/about")

    expect(page.get_by_role("button", name="Reject all cookies")).to_be_visible()
    expect(page.get_by_role("button", name="Hide cookie message")).to_have_count(0)  # none that can be perceived


def test_nothing_is_measured_when_the_script_is_blocked(visitor: Visitor) -> None:
    block(visitor, SCRIPT)
    visitor.goto("/about")
    visitor.accept()
    visitor.goto("/news")

    visitor.withdraw()

    assert visitor.heard_elsewhere() == []


@pytest.mark.parametrize("status", [None, 403, 500, 200], ids=["cut_off", "forbidden", "broken", "not_json"])
def test_choice_is_sent_by_the_plain_form_when_the_script_cannot(visitor: Visitor, status: int | None) -> None:
    break_background_requests(visitor, status=status)
    page = visitor.goto("/about?from=leaflet")

    visitor.accept()

    expect(visitor.confirmation).to_contain_text("You have accepted all cookies.")
    assert page.url == visitor.demo.at("main", "/about?from=leaflet")
    visitor.wait_for_page_views(1)


def test_withdrawal_is_sent_by_the_plain_form_when_the_script_cannot(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    break_background_requests(visitor, status=None)

    visitor.withdraw()

    visitor.forget()
    visitor.goto("/about")
    visitor.goto("/news", site="main")
    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()


def test_a_choice_about_other_words_is_not_taken_and_that_is_explained(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.locator("input[name=wording]").evaluate("input => { input.value = '0123456789abcdef' }")

    page.get_by_role("button", name="Accept all cookies").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your cookie settings were not saved")
    expect(page.get_by_role("main")).to_contain_text("changed while the page was open")
    visitor.goto("/about")
    expect(page.get_by_role("button", name="Accept all cookies")).to_be_visible()
    assert visitor.heard_elsewhere() == []


def test_a_broken_state_address_harms_no_page(visitor: Visitor) -> None:
    visitor.context.route(STATE, lambda route: route.fulfill(status=500, body="broken"))
    visitor.goto("/about")
    visitor.accept_and_be_measured()

    visitor.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    visitor.withdraw()

    visitor.forget()
    visitor.goto("/news")
    assert visitor.heard_elsewhere() == []
