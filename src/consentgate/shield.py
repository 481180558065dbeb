"""What the application may see of a request: no cookie of a category the visitor did not grant."""

from __future__ import annotations

from starlette.types import Scope

from consentgate.caching import conditions_for_app, is_marked
from consentgate.cookies import names_in, without
from consentgate.response_kind import BYPASSES
from consentgate.visit import RequestConsent, Visit

__all__ = ["show_to_app", "wants_page"]

HeaderList = list[tuple[bytes, bytes]]

# A date cannot tell two visitors' pages apart, and a part of a page cannot be spliced.
_OF_THE_OTHER_PAGE = frozenset((b"if-modified-since", b"if-range", b"if-unmodified-since", b"range"))


def show_to_app(scope: Scope, visit: Visit) -> RequestConsent:
    """Put the visitor's consent into a scope and take out what the application may not see.

    The scope stays the same object, as it does in Starlette: what routers note in it is read by middleware outside.
    """
    consent = RequestConsent(visit)
    scope["consentgate"] = consent
    scope.setdefault("state", {})["consent"] = consent
    scope["headers"] = _permitted(visit)
    if scope["type"] == "http":
        scope["headers"] = _without_conditions(scope["headers"], visit)
        if wants_page(visit):
            _ask_for_bytes(scope, visit)
    return consent


def wants_page(visit: Visit) -> bool:
    """Tell whether a browser asks for a page that can change, going by the `Accept` header of its navigations."""
    return "text/html" in visit.header(b"accept") and bool(visit.site.policy.optional_categories)


def _permitted(visit: Visit) -> HeaderList:
    rules = visit.site.rules
    optional = [name for name in names_in(visit.headers) if rules.is_optional(name)]
    if not optional:  # then the consent cookie need not be read
        return visit.headers
    hidden = [name for name in optional if not rules.permits(name, visit.consent.granted)]
    if not hidden:
        return visit.headers
    shown = [(key, without(value, hidden) if key.lower() == b"cookie" else value) for key, value in visit.headers]
    return [(key, value) for key, value in shown if value or key.lower() != b"cookie"]


def _without_conditions(headers: HeaderList, visit: Visit) -> HeaderList:
    """Let "not modified" be answered only when the page would be the same for this visitor as well."""
    is_page = wants_page(visit) and not visit.is_skipped
    kept: HeaderList = []
    for key, value in headers:
        name = key.lower()
        if is_page and name in _OF_THE_OTHER_PAGE:
            continue
        if name == b"if-none-match" and (is_page or is_marked(value)):
            value = conditions_for_app(value, visit.state, is_page=is_page)
            if not value:
                continue
        kept.append((key, value))
    return kept


def _ask_for_bytes(scope: Scope, visit: Visit) -> None:
    """Have the page come by in pieces that markup can be put into: not by path, and not compressed."""
    scope["extensions"] = {name: how for name, how in (scope.get("extensions") or {}).items() if name not in BYPASSES}
    if visit.awaits_markup:
        scope["headers"] = [
            (key, b"identity" if key.lower() == b"accept-encoding" else value) for key, value in scope["headers"]
        ]
