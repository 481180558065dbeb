"""Somebody reads the cookies page and chooses for each category."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.visitor import Visitor, data_layer

pytestmark = pytest.mark.browser


def test_nothing_is_chosen_for_the_visitor_and_essential_cookies_are_not_asked(visitor: Visitor) -> None:
    page = visitor.goto("/cookies")

    for category in ("Preference cookies", "Analytics cookies"):
        expect(visitor.radio(category, "No")).to_be_checked()
        expect(visitor.radio(category, "Yes")).not_to_be_checked()
    expect(page.get_by_role("table", name="Essential cookies")).to_contain_text("__Secure-consentgate")
    expect(page.get_by_role("group", name="Essential cookies")).to_have_count(0)


def test_each_category_is_saved_for_itself_and_on_all_sites(any_visitor: Visitor) -> None:
    any_visitor.goto("/cookies")
    any_visitor.choose("Preference cookies", "Yes")
    any_visitor.save()

    any_visitor.goto("/cookies", site="place")

    expect(any_visitor.radio("Preference cookies", "Yes")).to_be_checked()
    expect(any_visitor.radio("Analytics cookies", "No")).to_be_checked()


def test_preferences_alone_start_no_analytics(any_visitor: Visitor) -> None:
    any_visitor.goto("/cookies")
    any_visitor.choose("Preference cookies", "Yes")
    any_visitor.save()

    any_visitor.goto("/about")
    any_visitor.goto("/", site="invest")

    expect(any_visitor.banner).to_have_count(0)
    assert any_visitor.heard_elsewhere() == []
    assert any_visitor.google_cookies() == set()


def test_analytics_start_on_the_cookies_page_when_saved_there(visitor: Visitor) -> None:
    visitor.goto("/cookies")
    visitor.choose("Analytics cookies", "Yes")

    visitor.save()

    visitor.wait_for_page_views(1)
    update = data_layer(visitor.page)[1]
    assert update[:2] == ["consent", "update"]
    assert update[2]["analytics_storage"] == "granted"
    assert update[2]["personalization_storage"] == "denied"


def test_a_site_remembers_a_preference_when_that_was_granted(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/cookies")
    any_visitor.choose("Preference cookies", "Yes")
    any_visitor.save()
    any_visitor.goto("/about")
    page.get_by_role("button", name="Large text").click()

    any_visitor.goto("/news")

    expect(page.locator("html")).to_have_attribute("data-text-size", "large")


def test_a_site_remembers_no_preference_that_was_not_granted(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/about")
    page.get_by_role("button", name="Large text").click()

    any_visitor.goto("/news")

    expect(page.locator("html")).to_have_attribute("data-text-size", "normal")
    assert "sfl_text_size" not in any_visitor.cookie_names()


def test_notice_has_focus_and_leads_back_to_where_the_visitor_came_from(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/about?from=leaflet")
    page.get_by_role("contentinfo").get_by_role("link", name="Cookies").click()
    any_visitor.save()
    any_visitor.save()  # saving again does not forget the way

    expect(any_visitor.confirmation).to_contain_text("Your cookie settings are saved.")
    expect(any_visitor.confirmation).to_be_focused()
    any_visitor.confirmation.get_by_role("link", name="Go back to the page you were looking at").click()
    expect(page).to_have_url(any_visitor.demo.at("main", "/about?from=leaflet"))
    expect(any_visitor.banner).to_have_count(0)  # everything was answered with no


def test_notice_leads_home_when_the_visitor_came_from_nowhere(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/cookies")
    any_visitor.save()

    any_visitor.confirmation.get_by_role("link", name="Go to the home page").click()

    expect(page).to_have_url(any_visitor.demo.at("main"))
