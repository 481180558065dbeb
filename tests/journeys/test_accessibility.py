"""Nobody is kept out: axe-core finds nothing on any page of ours, small and large, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.browser

OPTIONS = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"target-size": {"enabled": True}},  # WCAG 2.2, and off unless asked for
    "resultTypes": ["violations"],
}
SIZES: dict[str, ViewportSize] = {"1280": {"width": 1280, "height": 800}, "320": {"width": 320, "height": 640}}

Scheme = Literal["light", "dark"]


def show_banner(visitor: Visitor) -> None:
    visitor.goto("/about")
    expect(visitor.page.get_by_role("button", name="Accept all cookies")).to_be_visible()


def show_confirmation(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.accept()


def show_cookies_page(visitor: Visitor) -> None:
    visitor.goto("/cookies")


def show_saved_cookies_page(visitor: Visitor) -> None:
    visitor.goto("/about")
    visitor.goto("/cookies")
    visitor.choose("Analytics cookies", "Yes")
    visitor.save()


def show_refusal(visitor: Visitor) -> None:
    page = visitor.goto("/cookies")
    page.locator("input[name=wording]").evaluate("input => { input.value = '0123456789abcdef' }")
    visitor.choose("Analytics cookies", "Yes")
    page.get_by_role("button", name="Save cookie settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your cookie settings were not saved")


def violations(page: Page) -> list[str]:
    """Say what axe-core finds: rule, place and reason."""
    results: dict[str, Any] = Axe().run(page, options=OPTIONS).response
    assert results["testEngine"]["name"] == "axe-core"
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in results["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(show_banner, id="banner"),
        pytest.param(show_confirmation, id="confirmation"),
        pytest.param(show_cookies_page, id="cookies_page"),
        pytest.param(show_saved_cookies_page, id="saved_cookies_page"),
        pytest.param(show_refusal, id="refusal"),
    ],
)
def test_axe_finds_nothing(visitor: Visitor, show: Callable[[Visitor], None]) -> None:
    show(visitor)
    schemes: tuple[Scheme, ...] = ("light", "dark")

    for size in SIZES.values():
        for scheme in schemes:
            visitor.page.set_viewport_size(size)
            visitor.page.emulate_media(color_scheme=scheme)

            assert violations(visitor.page) == [], f"{size['width']} px, {scheme}"


def test_axe_would_find_something(visitor: Visitor) -> None:
    page = visitor.goto("/cookies")
    page.evaluate("() => document.body.append(Object.assign(document.createElement('input'), {size: 1}))")

    assert any(found.startswith("label:") for found in violations(page))
