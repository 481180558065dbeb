"""Somebody has two tabs open: a choice in one is true in the other, on the same site and on another."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.demo import IDS, SiteName
from tests.journeys.visitor import Visitor, click_link_to_another_site, data_layer, eventually, is_silenced

pytestmark = pytest.mark.browser

# A running tag may write its cookie again after the server deleted it and just before this tab hears of that.
WRITES_UNTIL_TOLD = """
    new BroadcastChannel("consentgate").addEventListener("message", () => {
        document.cookie = "_ga=late; path=/; domain=stepforwardluton.localhost";
        window.wroteLate = document.cookie.includes("_ga=late");
    });
"""


def wait_until_silenced(page: Page, measurement_id: str) -> None:
    eventually(page, lambda: is_silenced(page, measurement_id))


def test_withdrawing_silences_the_other_tab_without_a_reload(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    other = visitor.open_tab("/news")
    visitor.wait_for_page_views(2)
    other.evaluate("() => { window.still = true }")

    visitor.withdraw()
    wait_until_silenced(other, IDS["main"])
    visitor.forget()
    click_link_to_another_site(other)
    visitor.goto("/about")

    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()


def test_the_other_tab_tells_google_that_consent_is_withdrawn(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    other = visitor.open_tab("/news")
    visitor.wait_for_page_views(2)
    other.evaluate("() => { window.still = true }")

    visitor.withdraw()
    wait_until_silenced(other, IDS["main"])

    assert other.evaluate("() => window.still") is True
    assert data_layer(other)[-1][:2] == ["consent", "update"]
    assert data_layer(other)[-1][2]["analytics_storage"] == "denied"


def test_a_cookie_that_the_other_tab_wrote_in_between_is_deleted_too(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    other = visitor.context.new_page()
    other.add_init_script(WRITES_UNTIL_TOLD)
    other.goto(visitor.demo.at("main", "/news"))
    visitor.wait_for_page_views(2)

    visitor.withdraw()
    wait_until_silenced(other, IDS["main"])

    assert other.evaluate("() => window.wroteLate") is True
    eventually(other, lambda: visitor.google_cookies() == set())


def test_a_tab_that_hears_of_no_withdrawal_goes_on(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    other = visitor.open_tab("/news")
    visitor.wait_for_page_views(2)
    visitor.forget()

    visitor.goto("/cookies")
    visitor.save()
    click_link_to_another_site(other)

    eventually(other, lambda: any(hit.event == "click" for hit in visitor.demo.hits()))
    assert "_ga" in visitor.google_cookies()


def test_accepting_takes_the_banner_away_in_the_other_tab_and_starts_google_there(visitor: Visitor) -> None:
    visitor.goto("/about")
    other = visitor.open_tab("/news")
    expect(other.locator("#consentgate")).to_be_visible()

    visitor.accept()

    expect(other.locator("#consentgate")).to_have_count(0)
    visitor.wait_for_page_views(2)
    pages = {hit.page for hit in visitor.demo.hits() if hit.event == "page_view"}
    assert pages == {visitor.demo.at("main", "/about"), visitor.demo.at("main", "/news")}


def test_rejecting_takes_the_banner_away_in_the_other_tab_and_starts_nothing(visitor: Visitor) -> None:
    visitor.goto("/about")
    other = visitor.open_tab("/news")

    visitor.reject()

    expect(other.locator("#consentgate")).to_have_count(0)
    click_link_to_another_site(other)
    assert visitor.heard_elsewhere() == []


def test_a_confirmation_that_is_being_read_is_not_taken_away(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept()
    other = visitor.open_tab("/cookies")

    other.get_by_role("button", name="Save cookie settings").click()
    expect(other.get_by_role("alert")).to_be_visible()

    expect(visitor.confirmation).to_be_visible()


@pytest.mark.parametrize("site", ["main", "place"])
def test_a_hidden_tab_is_silenced_when_it_comes_to_the_front(visitor_with_real_tabs: Visitor, site: SiteName) -> None:
    visitor = visitor_with_real_tabs
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    other = visitor.open_tab(site=site)
    visitor.wait_for_page_views(2)
    visitor.page.bring_to_front()
    eventually(other, lambda: other.evaluate("() => document.visibilityState") == "hidden")

    visitor.withdraw()
    other.bring_to_front()
    wait_until_silenced(other, IDS[site])
    visitor.forget()
    click_link_to_another_site(other)
    visitor.page.bring_to_front()

    assert visitor.heard_elsewhere() == []
    eventually(visitor.page, lambda: visitor.google_cookies() == set())


def test_a_hidden_banner_of_another_site_goes_when_it_comes_to_the_front(visitor_with_real_tabs: Visitor) -> None:
    visitor = visitor_with_real_tabs
    other = visitor.open_tab(site="place")
    visitor.page.bring_to_front()
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    expect(other.locator("#consentgate")).to_have_count(1)

    other.bring_to_front()

    expect(other.locator("#consentgate")).to_have_count(0)
    visitor.wait_for_page_views(2)
    assert IDS["place"] in visitor.page_views()
