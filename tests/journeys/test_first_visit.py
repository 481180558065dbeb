"""Somebody comes for the first time: asked at once, told plainly, and nothing leaves the site."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.journeys.demo import HOSTS
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser

GOOGLES_ADDRESSES = ("googletagmanager", "google-analytics", "doubleclick", "google-stand-in", "gtag", "G-SFL")


def test_banner_is_the_first_element_of_the_body_and_a_named_region(any_visitor: Visitor) -> None:
    page = any_visitor.goto()

    region = page.get_by_role("region", name="Cookies on Step Forward Luton", exact=True)
    expect(region).to_be_visible()
    expect(region.get_by_role("heading", level=2, name="Cookies on Step Forward Luton")).to_be_visible()
    assert page.locator("body > :first-child").get_attribute("id") == "consentgate"
    assert page.locator("#consentgate").count() == 1


def test_banner_names_purposes_third_party_periods_and_hosts(visitor: Visitor) -> None:
    visitor.goto()

    for words in ("Preference cookies", "Analytics cookies", "Google Analytics by Google", "184 days", "365 days"):
        expect(visitor.banner).to_contain_text(words)
    for host in HOSTS.values():
        expect(visitor.banner).to_contain_text(host)


def test_only_the_site_itself_is_asked_before_opt_in(any_visitor: Visitor) -> None:
    for site, host in HOSTS.items():
        any_visitor.requests.clear()
        page = any_visitor.goto(site=site)
        page.get_by_role("navigation", name="Main").get_by_role("link").nth(1).click()
        any_visitor.goto("/cookies", site=site)

        assert {urlsplit(request.url).hostname for request in any_visitor.requests} == {host}
    assert any_visitor.heard_elsewhere() == []


def test_pages_hold_no_address_of_google_before_opt_in(visitor: Visitor) -> None:
    for path in ("/", "/contact", "/cookies"):
        response = visitor.page.goto(visitor.demo.at("main", path))

        assert response is not None
        sent = response.text()
        assert [address for address in GOOGLES_ADDRESSES if address in sent] == []
        assert "Google Analytics" in sent  # named, as visitors must be told


def test_banner_is_on_every_page_until_a_choice_but_not_on_the_cookies_page(any_visitor: Visitor) -> None:
    any_visitor.goto()
    expect(any_visitor.banner).to_be_visible()
    any_visitor.goto("/contact")
    expect(any_visitor.banner).to_be_visible()

    any_visitor.goto("/cookies")

    expect(any_visitor.banner).to_have_count(0)
    assert any_visitor.cookie_names() == {"sfl_session"}  # of the contact form, and essential


def test_contact_form_works_without_a_choice(any_visitor: Visitor) -> None:
    page = any_visitor.goto("/contact")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Email address").fill("ada@example.com")
    page.get_by_label("What is it about?").select_option("Something else")
    page.get_by_label("Your message").fill("Hello")
    page.get_by_role("button", name="Send message").click()

    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(any_visitor.banner).to_be_visible()


def test_contact_form_keeps_what_was_typed_when_something_is_missing(visitor: Visitor) -> None:
    page = visitor.goto("/contact")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Send message").click()

    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Ada")
