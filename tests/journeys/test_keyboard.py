"""Somebody uses the keyboard only: everything is within reach, in order, visible, and nothing happens by accident."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.visitor import Answer, Visitor, has_visible_outline

pytestmark = pytest.mark.browser


def tab_to(page: Page, element: Locator, *, most: int = 60) -> None:
    """Press Tab until an element has focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if element.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("Tab does not lead there.")


def posts(visitor: Visitor) -> list[str]:
    return [request.url for request in visitor.requests if request.method == "POST"]


def test_tab_leads_through_the_banner_first_and_then_on_and_back(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/about")
    in_order = [
        page.get_by_role("button", name="Accept all cookies"),
        page.get_by_role("button", name="Reject all cookies"),
        any_visitor.banner.get_by_role("link", name="View cookies"),
        any_visitor.banner.get_by_role("link", name="Privacy policy"),
        page.get_by_role("link", name="Skip to main content"),
    ]

    for element in in_order:
        page.keyboard.press("Tab")
        expect(element).to_be_focused()
        assert has_visible_outline(element)

    page.keyboard.press("Shift+Tab")
    expect(in_order[-2]).to_be_focused()


@pytest.mark.parametrize("key", ["Enter", "Space"])
@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        pytest.param("Accept all cookies", "You have accepted", id="accept"),
        pytest.param("Reject all cookies", "You have rejected", id="reject"),
    ],
)
def test_banner_is_answered_by_key(visitor: Visitor, words: Answer, outcome: str, key: str) -> None:
    page = visitor.goto("/about")
    tab_to(page, page.get_by_role("button", name=words), most=2)

    page.keyboard.press(key)

    expect(visitor.confirmation).to_contain_text(outcome)
    expect(visitor.confirmation).to_be_focused()
    assert has_visible_outline(visitor.confirmation)


def test_confirmation_is_hidden_by_key_and_tab_goes_on_at_the_top(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(visitor.confirmation).to_be_focused()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="change your cookie settings")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Hide cookie message")).to_be_focused()
    page.keyboard.press("Enter")

    expect(visitor.banner).to_have_count(0)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()


def test_escape_records_nothing(visitor: Visitor) -> None:
    page = visitor.goto("/about")

    for _ in range(4):
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")

    expect(page.get_by_role("button", name="Accept all cookies")).to_be_visible()
    visitor.goto("/about")
    expect(page.get_by_role("button", name="Accept all cookies")).to_be_visible()
    assert posts(visitor) == []
    assert visitor.cookie_names() == set()
    assert visitor.heard_elsewhere() == []


def test_cookies_page_is_answered_by_arrows_and_saved_by_enter(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/cookies")
    tab_to(page, any_visitor.radio("Analytics cookies", "No"))
    assert has_visible_outline(any_visitor.radio("Analytics cookies", "No"))

    page.keyboard.press("ArrowUp")
    expect(any_visitor.radio("Analytics cookies", "Yes")).to_be_checked()
    assert posts(any_visitor) == []  # a changed radio button is not yet a choice
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save cookie settings")).to_be_focused()
    assert has_visible_outline(page.get_by_role("button", name="Save cookie settings"))
    page.keyboard.press("Enter")

    expect(any_visitor.confirmation).to_be_focused()
    assert has_visible_outline(any_visitor.confirmation)
    assert posts(any_visitor)[0] == any_visitor.demo.at("main", "/cookies/choice")
    any_visitor.goto("/cookies")
    expect(any_visitor.radio("Analytics cookies", "Yes")).to_be_checked()


def test_a_changed_radio_button_that_is_not_saved_is_forgotten(visitor: Visitor) -> None:
    visitor.goto("/cookies")
    visitor.choose("Analytics cookies", "Yes")

    visitor.goto("/about")

    expect(visitor.page.get_by_role("button", name="Accept all cookies")).to_be_visible()
    assert posts(visitor) == []
    assert visitor.heard_elsewhere() == []
