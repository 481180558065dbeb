"""Somebody accepts: one click, nothing lost, Google starts on that very page, and never asked again on three sites."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.demo import IDS, PARENT_DOMAIN
from tests.journeys.visitor import Visitor, data_layer, has_visible_outline

pytestmark = pytest.mark.browser

OF_PREFERENCES_AND_ANALYTICS = ("analytics_storage", "functionality_storage", "personalization_storage")
OF_MARKETING = ("ad_storage", "ad_user_data", "ad_personalization")
ALL_DENIED = {**dict.fromkeys(OF_PREFERENCES_AND_ANALYTICS + OF_MARKETING, "denied"), "security_storage": "granted"}
ALL_ACCEPTED = ALL_DENIED | dict.fromkeys(OF_PREFERENCES_AND_ANALYTICS, "granted")


def test_one_click_accepts_and_is_confirmed(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/about")

    any_visitor.accept()

    expect(any_visitor.confirmation).to_contain_text("You have accepted all cookies.")
    expect(any_visitor.confirmation).to_be_focused()
    assert has_visible_outline(any_visitor.confirmation)  # also for those who use a mouse
    expect(page.get_by_role("button", name="Accept all cookies")).to_be_hidden()
    assert page.url == any_visitor.demo.at("main", "/about")
    any_visitor.confirmation.get_by_role("link", name="change your cookie settings").click()
    assert page.url == any_visitor.demo.at("main", "/cookies")


def test_hiding_the_confirmation_leaves_focus_at_the_top_of_the_page(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/about")
    any_visitor.accept()

    page.get_by_role("button", name="Hide cookie message").click()

    expect(any_visitor.banner).to_have_count(0)
    assert page.url == any_visitor.demo.at("main", "/about")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()


def test_without_scripts_the_confirmation_is_shown_once(visitor_without_scripts: Visitor) -> None:
    visitor = visitor_without_scripts
    visitor.goto("/about")
    visitor.accept()

    visitor.goto("/about")

    expect(visitor.banner).to_have_count(0)


def test_accepting_keeps_what_was_typed_and_does_not_reload(visitor: Visitor) -> None:
    page = visitor.goto("/contact")
    page.get_by_label("Your message").fill("Not sent yet")
    page.evaluate("() => { window.still = true }")

    visitor.accept_and_be_measured()

    expect(page.get_by_label("Your message")).to_have_value("Not sent yet")
    assert page.evaluate("() => window.still") is True
    assert [r.url for r in visitor.requests if r.is_navigation_request()] == [visitor.demo.at("main", "/contact")]
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_value("Not sent yet")


def test_google_starts_on_the_page_where_it_was_accepted(visitor: Visitor) -> None:
    visitor.goto("/about")
    assert visitor.heard_elsewhere() == []

    visitor.accept_and_be_measured()

    hit = next(hit for hit in visitor.demo.hits() if hit.event == "page_view")
    assert hit.consent == "G101"
    assert hit.measurement_id == IDS["main"]
    assert hit.page == visitor.demo.at("main", "/about")


def test_google_is_told_of_each_page_once_and_no_advertising_host_of_any(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept_and_be_measured()

    for count, path in enumerate(("/news", "/cookies"), start=2):
        visitor.goto(path)
        visitor.wait_for_page_views(count)

    pages = [hit.page for hit in visitor.demo.hits() if hit.event == "page_view"]
    assert pages == [visitor.demo.at("main", path) for path in ("/about", "/news", "/cookies")]
    assert {hit.path for hit in visitor.demo.hits()} == {"/gtag/js", "/g/collect"}
    assert "_gcl_au" not in visitor.cookie_names()


def assert_google_was_told_in_order(commands: list[list[Any]]) -> None:
    assert commands[0] == ["consent", "default", ALL_DENIED]
    assert commands[1] == ["consent", "update", ALL_ACCEPTED]
    names = [command[0] for command in commands]
    assert names.count("config") == 1
    assert names.index("js") < names.index("config")
    settings = commands[names.index("config")][2]
    assert settings["allow_google_signals"] is False
    assert settings["allow_ad_personalization_signals"] is False
    assert "url_passthrough" not in str(commands)  # it would put click ids into links


def test_consent_is_said_before_google_is_configured_on_each_page(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept_and_be_measured()
    assert_google_was_told_in_order(data_layer(visitor.page))

    visitor.goto("/news")
    visitor.wait_for_page_views(2)

    assert_google_was_told_in_order(data_layer(visitor.page))


def test_accepting_holds_on_the_other_sites(any_visitor: Visitor) -> None:
    any_visitor.goto()
    any_visitor.accept()

    any_visitor.goto(site="place")
    expect(any_visitor.banner.get_by_role("button", name="Accept all cookies")).to_have_count(0)
    any_visitor.goto(site="invest")
    expect(any_visitor.banner).to_have_count(0)


def test_each_site_is_measured_under_its_own_id(visitor: Visitor) -> None:
    visitor.goto()
    visitor.accept_and_be_measured()
    visitor.goto(site="place")
    visitor.wait_for_page_views(2)
    visitor.goto(site="invest")
    visitor.wait_for_page_views(3)

    seen = [(hit.page, hit.measurement_id) for hit in visitor.demo.hits() if hit.event == "page_view"]
    assert seen == [(visitor.demo.at(site), measurement_id) for site, measurement_id in IDS.items()]


def test_google_keeps_its_cookies_on_the_parent_domain(visitor: Visitor) -> None:
    visitor.goto(site="place")
    visitor.accept_and_be_measured()

    cookies = {cookie["name"]: cookie for cookie in visitor.context.cookies() if cookie["name"].startswith("_ga")}

    assert set(cookies) == {"_ga", "_ga_SFLPLACE1"}
    assert {cookie["domain"] for cookie in cookies.values()} == {f".{PARENT_DOMAIN}"}


def test_consent_cookie_is_for_all_sites_and_out_of_reach_of_scripts(visitor: Visitor) -> None:
    visitor.goto()
    visitor.accept()

    cookie = next(cookie for cookie in visitor.context.cookies() if cookie["name"] == "__Secure-consentgate")

    assert cookie["domain"] == f".{PARENT_DOMAIN}"
    assert cookie["secure"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["httpOnly"]
    assert "consentgate" not in visitor.page.evaluate("() => document.cookie")
