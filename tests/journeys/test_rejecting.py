"""Somebody rejects: as easy as accepting, and the pages are as if neither Google nor consentgate existed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.demo import HOSTS
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser


def test_one_click_rejects_and_is_confirmed(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/about")

    any_visitor.reject()

    expect(any_visitor.confirmation).to_contain_text("You have rejected all cookies that are not essential.")
    expect(any_visitor.confirmation).to_be_focused()
    assert page.url == any_visitor.demo.at("main", "/about")


def test_rejecting_holds_on_all_sites_whose_pages_then_carry_nothing_of_ours(any_visitor: Visitor) -> None:
    any_visitor.goto()
    any_visitor.reject()
    any_visitor.goto()  # without scripts the confirmation has to be read, not only sent

    for site in HOSTS:
        response = any_visitor.page.goto(any_visitor.demo.at(site))
        assert response is not None
        assert "consentgate" not in response.text()
        any_visitor.page.get_by_role("navigation", name="Main").get_by_role("link").nth(1).click()

    assert any_visitor.heard_elsewhere() == []
    assert any_visitor.google_cookies() == set()


def test_pressing_twice_is_confirmed_once_without_loading_the_page(visitor: Visitor) -> None:
    page = visitor.goto("/about")
    page.evaluate("() => { window.sameDocument = true }")

    page.get_by_role("button", name="Reject all cookies").dblclick()

    expect(visitor.confirmation).to_be_focused()
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Hide cookie message").click()
    expect(visitor.banner).to_have_count(0)
    assert page.evaluate("() => window.sameDocument === true")


def test_rejecting_keeps_what_was_typed(visitor: Visitor) -> None:
    page = visitor.goto("/contact")
    page.get_by_label("Your message").fill("Not sent yet")

    visitor.reject()

    expect(page.get_by_label("Your message")).to_have_value("Not sent yet")


def test_rejecting_in_an_old_tab_overrules_what_was_accepted_since(visitor: Visitor) -> None:
    visitor.goto("/about")
    old_tab = visitor.open_tab(site="place")  # goes on asking: another host, and never brought to the front again
    visitor.accept_and_be_measured()
    old_tab.get_by_role("button", name="Reject all cookies").click()
    expect(old_tab.get_by_role("alert")).to_be_visible()

    visitor.goto("/news")
    visitor.forget()
    visitor.goto("/about")
    visitor.goto(site="invest")

    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()
