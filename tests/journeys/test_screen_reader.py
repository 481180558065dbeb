"""What a screen reader is told: the accessibility tree of banner, confirmation and cookies page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser


def test_the_banner_is_a_named_region_before_everything_else(visitor: Visitor) -> None:
    page = visitor.goto("/about")

    expect(visitor.banner).to_match_aria_snapshot("""
      - region "Cookies on Step Forward Luton":
        - heading "Cookies on Step Forward Luton" [level=2]
        - paragraph
        - list:
          - listitem:
            - strong: Preference cookies
          - listitem:
            - strong: Analytics cookies
        - button "Accept all cookies"
        - button "Reject all cookies"
        - link "View cookies"
        - link "Privacy policy"
        - paragraph
    """)
    assert page.locator("body").aria_snapshot().startswith('- region "Cookies on Step Forward Luton"')


def test_what_is_hidden_is_not_read(visitor: Visitor) -> None:
    visitor.goto("/about")

    assert "Hide cookie message" not in visitor.banner.aria_snapshot()
    assert "You have" not in visitor.banner.aria_snapshot()


def test_the_confirmation_is_an_alert_with_focus(any_visitor: Visitor) -> None:
    any_visitor.goto("/about")

    any_visitor.reject()

    expect(any_visitor.banner).to_match_aria_snapshot("""
      - region "Cookies on Step Forward Luton":
        - alert:
          - paragraph:
            - link "change your cookie settings"
          - button "Hide cookie message"
    """)
    expect(any_visitor.confirmation).to_be_focused()


def test_the_cookies_page_is_read_by_headings_tables_and_groups(visitor: Visitor) -> None:
    page = visitor.goto("/cookies")

    expect(page.get_by_role("main")).to_match_aria_snapshot("""
      - main:
        - navigation "Languages"
        - heading "Cookies on Step Forward Luton" [level=1]
        - heading "What cookies are" [level=2]
        - heading "Your cookie settings" [level=2]
        - region "Essential cookies":
          - heading "Essential cookies" [level=3]
          - table
        - region "Preference cookies":
          - group:
            - radio "Yes"
            - radio "No" [checked]
        - region "Analytics cookies":
          - group:
            - radio "Yes"
            - radio "No" [checked]
        - button "Save cookie settings"
    """)


def test_a_saved_choice_is_announced_by_its_heading(any_visitor: Visitor) -> None:
    any_visitor.goto("/cookies")

    any_visitor.save()

    expect(any_visitor.page.get_by_role("alert", name="Success")).to_be_focused()
