"""Somebody withdraws: Google is silenced at once, its cookies are gone everywhere, and nothing is sent again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.demo import HOSTS, IDS, PARENT_DOMAIN
from tests.journeys.visitor import Visitor, data_layer, eventually, is_silenced

pytestmark = pytest.mark.browser


def plant_google_cookies(visitor: Visitor) -> None:
    """Set what other Google products leave behind: out of reach of scripts, host-only, and on the parent domain."""
    visitor.context.add_cookies(
        [
            {"name": "FPID", "value": "1", "domain": f".{PARENT_DOMAIN}", "path": "/", "httpOnly": True},
            {"name": "_ga_HOSTONLY1", "value": "1", "url": visitor.demo.at("place")},
            {"name": "_ga_HOSTONLY2", "value": "1", "url": visitor.demo.at("invest")},
            {"name": "_gid", "value": "1", "domain": f".{PARENT_DOMAIN}", "path": "/"},
            {"name": "_gcl_au", "value": "1", "domain": f".{HOSTS['place']}", "path": "/", "secure": True},
        ]
    )


def test_withdrawing_silences_google_on_the_page_itself(visitor: Visitor) -> None:
    page = visitor.goto(site="place")
    visitor.accept_and_be_measured()

    visitor.withdraw(site="place")

    assert is_silenced(page, IDS["place"])
    consents = [command for command in data_layer(page) if command[0] == "consent"]
    assert consents[-1][1] == "update"
    assert {signal for signal, state in consents[-1][2].items() if state == "granted"} == {"security_storage"}


def test_nothing_is_sent_after_withdrawing_on_any_site(visitor: Visitor) -> None:
    visitor.goto(site="place")
    visitor.accept_and_be_measured()
    visitor.withdraw(site="place")

    visitor.forget()
    visitor.page.get_by_role("link", name="Step Forward Luton").click()
    for site in HOSTS:
        page = visitor.goto(site=site)
        page.get_by_role("navigation", name="Main").get_by_role("link").nth(1).click()
        page.get_by_role("navigation", name="Main").get_by_role("link").nth(2).click()

    assert visitor.heard_elsewhere() == []
    assert visitor.google_cookies() == set()


def test_what_was_not_withdrawn_goes_on(visitor: Visitor) -> None:
    visitor.goto("/cookies", site="place")
    visitor.choose("Analytics cookies", "Yes")
    visitor.save()
    visitor.wait_for_page_views(1)

    visitor.goto("/cookies", site="place")
    visitor.choose("Preference cookies", "Yes")
    visitor.save()
    visitor.goto(site="invest")

    visitor.wait_for_page_views(3)
    assert {"_ga", "_ga_SFLPLACE1", "_ga_SFLINVST1"} <= visitor.google_cookies()


def test_withdrawing_deletes_googles_cookies_wherever_they_are(any_visitor: Visitor) -> None:
    any_visitor.goto("/cookies", site="place")
    any_visitor.choose("Analytics cookies", "Yes")
    any_visitor.save()
    plant_google_cookies(any_visitor)
    assert any_visitor.google_cookies() >= {"FPID", "_ga_HOSTONLY1", "_ga_HOSTONLY2", "_gid", "_gcl_au"}

    any_visitor.withdraw(site="place")

    assert any_visitor.google_cookies() == {"_ga_HOSTONLY2"}  # the browser tells and takes it on its own host only
    any_visitor.goto(site="invest")
    assert any_visitor.google_cookies() == set()


def test_googles_cookies_stay_while_they_are_accepted(any_visitor: Visitor) -> None:
    any_visitor.goto("/cookies", site="place")
    any_visitor.choose("Analytics cookies", "Yes")
    any_visitor.save()
    plant_google_cookies(any_visitor)

    for site in HOSTS:
        any_visitor.goto(site=site)

    assert any_visitor.google_cookies() >= {"FPID", "_ga_HOSTONLY1", "_ga_HOSTONLY2", "_gid", "_gcl_au"}


def test_analytics_can_be_accepted_again_on_the_page_where_they_were_withdrawn(visitor: Visitor) -> None:
    page = visitor.goto(site="place")
    visitor.accept_and_be_measured()
    visitor.withdraw(site="place")
    assert is_silenced(page, IDS["place"])
    visitor.forget()

    visitor.choose("Analytics cookies", "Yes")
    page.get_by_role("button", name="Save cookie settings").click()

    eventually(page, lambda: any(hit.consent == "G101" for hit in visitor.demo.hits()))
    assert not is_silenced(page, IDS["place"])
    assert {"_ga", "_ga_SFLPLACE1"} <= visitor.google_cookies()


def test_withdrawing_takes_one_click_and_one_save_from_any_page(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/about")
    any_visitor.accept()

    page.get_by_role("contentinfo").get_by_role("link", name="Cookies").click()
    any_visitor.choose("Preference cookies", "No")
    any_visitor.choose("Analytics cookies", "No")
    any_visitor.save()

    any_visitor.goto("/cookies", site="invest")
    expect(any_visitor.radio("Preference cookies", "No")).to_be_checked()
    expect(any_visitor.radio("Analytics cookies", "No")).to_be_checked()
