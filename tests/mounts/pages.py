"""Read pages as a visitor's browser does."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

import html5lib
import httpx

__all__ = ["GOOGLE", "asset_paths", "choose", "has_banner", "has_confirmation", "has_tag"]

GOOGLE = re.compile(r"googletagmanager|google-analytics|gtag|G-AB12CD34EF")
BANNER_ID = "consentgate"


def has_banner(page: httpx.Response) -> bool:
    """Tell whether the question is the first thing in the page's body."""
    first = _first_in_body(page)
    return first is not None and first.get("id") == BANNER_ID and _finds(first, "*[@name='asked']")


def has_confirmation(page: httpx.Response) -> bool:
    """Tell whether the message that a choice was saved is the first thing in the page's body."""
    first = _first_in_body(page)
    return first is not None and first.get("id") == BANNER_ID and not _finds(first, "*[@name='asked']")


def has_tag(page: httpx.Response) -> bool:
    """Tell whether the page starts Google Analytics."""
    return "googletagmanager" in page.text and "G-AB12CD34EF" in page.text


def asset_paths(page: httpx.Response) -> list[str]:
    """List the paths of the style sheet and the script that were put into a page."""
    return re.findall(r'(?:href|src)="(/[^"]+/static/consentgate\.[^"]+)"', page.text)


def choose(browser: httpx.Client, page: httpx.Response, choice: str, *, prefix: str = "") -> httpx.Response:
    """Press one of the banner's buttons: send the form as it stands in the page.

    Args:
        browser: the visitor's.
        page: the page with the banner.
        choice: the button's value.
        prefix: what a proxy takes away from the path.
    """
    form = _tree(page).find(f".//*[@id='{BANNER_ID}']/form")
    assert form is not None
    fields = {field.get("name", ""): field.get("value", "") for field in form.iter("input")}
    address, origin = form.get("action", "").removeprefix(prefix), str(browser.base_url)
    return browser.post(address, data={**fields, "choice": choice}, headers={"origin": origin})


def _first_in_body(page: httpx.Response) -> Element | None:
    body = _tree(page).find("body")
    assert body is not None
    return None if (body.text or "").strip() or not len(body) else body[0]


def _finds(element: Element, path: str) -> bool:
    return element.find(f".//{path}") is not None


def _tree(page: httpx.Response) -> Element:
    tree: Element = html5lib.parse(page.text, namespaceHTMLElements=False)
    return tree
