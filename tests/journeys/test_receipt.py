"""What a visitor chose, when and in which words: seen on the cookies page, downloaded, printed and erased."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from consentgate import load_policy
from consentgate.records import PolicyVersion
from consentgate.rendering import Rendering
from consentgate.report import report_page, summarise
from examples.step_forward_luton.app import POLICY_FILE
from tests.conftest import NOW
from tests.journeys.visitor import MakeVisitor, Visitor

pytestmark = pytest.mark.browser
NUMBER = re.compile(r"[a-z2-7]{24}")


def receipt_on(page: Page) -> str:
    return page.locator("#consentgate-receipt").inner_text()


def violations(page: Page) -> list[str]:
    return [violation["id"] for violation in Axe().run(page).response["violations"]]


def test_the_receipt_is_there_as_soon_as_the_choice_is_saved(make_visitor: MakeVisitor) -> None:
    visitor = make_visitor()
    page = visitor.goto("/cookies")
    expect(page.get_by_role("heading", name="Your receipt")).to_have_count(0)

    visitor.choose("Analytics cookies", "Yes")
    visitor.save()

    expect(page.get_by_role("heading", name="Your receipt")).to_be_visible()
    assert "You accepted on" in receipt_on(page)
    assert violations(page) == []


def test_a_receipt_that_is_renewed_says_what_holds_now(make_visitor: MakeVisitor) -> None:
    visitor = make_visitor()
    page = visitor.goto("/cookies")
    visitor.choose("Analytics cookies", "Yes")
    visitor.save()
    expect(page.locator("#consentgate-receipt")).to_contain_text("You accepted on")

    visitor.choose("Analytics cookies", "No")
    visitor.save()

    expect(page.locator("#consentgate-receipt")).not_to_contain_text("You accepted on")
    assert NUMBER.search(receipt_on(page)) is None


def test_a_receipt_is_downloaded_and_the_record_erased(any_visitor: Visitor, tmp_path: Path) -> None:
    visitor = any_visitor
    page = visitor.goto("/")
    visitor.accept()
    visitor.goto("/cookies")
    number = NUMBER.search(receipt_on(page))
    assert number is not None

    with page.expect_download() as download:
        page.get_by_role("link", name="Download it as a file").click()
    download.value.save_as(tmp_path / "receipt.json")
    page.get_by_role("button", name="Erase my record").click()

    assert json.loads((tmp_path / "receipt.json").read_text())["receipt_id"] == number[0]
    expect(page.get_by_role("alert")).to_contain_text("Your record is erased")
    page.get_by_role("link", name="Go to the cookies page").click()
    assert "You accepted on" in receipt_on(page)
    assert NUMBER.search(receipt_on(page)) is None


def test_the_page_to_print_shows_the_answer_and_no_controls_on_paper(make_visitor: MakeVisitor) -> None:
    visitor = make_visitor()
    page = visitor.goto("/")
    visitor.accept()
    visitor.goto("/cookies")
    page.get_by_role("link", name="Show it as a page to print").click()
    assert violations(page) == []

    page.emulate_media(media="print")

    expect(page.get_by_text("Receipt number")).to_be_visible()
    expect(page.get_by_text("Download it as a file")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 1280])
def test_the_owners_report_is_accessible_and_fits(make_visitor: MakeVisitor, tmp_path: Path, width: int) -> None:
    policy = load_policy(POLICY_FILE)
    version = PolicyVersion(Rendering(policy).policy_version.content, NOW)
    keys = {"day": NOW - NOW % 86_400, "site": policy.hosts[0], "language": "en", "policy_version": version.hash}

    def tally(*by: str, since: int = 0) -> list[tuple[tuple[object, ...], int]]:
        acts = [("accept_all", True, 40), ("reject_all", False, 60), ("withdraw", False, 3)]
        if by[-1] != "grants":
            return [(tuple(keys[name] for name in by), 103)]
        return [((keys[by[0]], action, grants), count) for action, grants, count in acts]

    file = tmp_path / "report.html"
    file.write_text(report_page(summarise(tally), [version], policy, now=NOW), encoding="utf-8")
    page = make_visitor(viewport={"width": width, "height": 800}).page

    page.goto(file.as_uri())
    page.locator("summary").click()

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.get_by_text("40.0 %").first).to_be_visible()
