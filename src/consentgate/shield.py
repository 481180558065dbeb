"""What the application may see of a request: no cookie of a category the visitor did not grant."""

from __future__ import annotations

from functools import lru_cache

from starlette.types import Scope

from consentgate.caching import CONDITIONS, conditions_for_app, is_marked
from consentgate.compression import accepts_gzip
from consentgate.cookies import names_in, without
from consentgate.response_kind import BYPASSES, is_fragment
from consentgate.visit import RequestConsent, Visit

__all__ = ["show_to_app", "wants_page"]

HeaderList = list[tuple[bytes, bytes]]

# A date cannot tell two visitors' pages apart, and a part of a page cannot be spliced.
_OF_THE_OTHER_PAGE = CONDITIONS - {b"if-none-match"}

_UNCOMPRESSED = (b"accept-encoding", b"identity")
_PACKED = (b"accept-encoding", b"gzip")
_BYPASSES = frozenset(BYPASSES)


def show_to_app(scope: Scope, visit: Visit) -> RequestConsent:
    """Put the visitor's consent into a scope and take out what the application may not see.

    The scope stays the same object, as it does in Starlette: what routers note in it is read by middleware outside.
    """
    consent = RequestConsent(visit)
    scope["consentgate"] = consent
    scope.setdefault("state", {})["consent"] = consent
    headers = _permitted(visit) if visit.has_optional_cookies else visit.headers
    if scope["type"] == "http":
        is_page = wants_page(visit)
        if not visit.is_plain and not CONDITIONS.isdisjoint(visit.fields):
            headers = _without_conditions(headers, visit)
        if is_page or (visit.site.holds_tags and is_fragment(visit)):
            headers = _asking_for_bytes(headers, scope, visit)
    scope["headers"] = headers
    return consent


def wants_page(visit: Visit) -> bool:
    """Tell whether a browser asks for a page that can change, going by the `Accept` header of its navigations."""
    accept = visit.fields.get(b"accept", b"*/*")
    # Scripts ask for anything, which is soon seen; `find`, as `in` takes thrice as long for bytes.
    return accept != b"*/*" and accept.find(b"text/html") >= 0 and visit.site.has_choice


def _permitted(visit: Visit) -> HeaderList:
    rules = visit.site.rules
    granted = visit.consent.granted
    if granted == rules.everything:
        return visit.headers
    hidden = {name for name in names_in(visit.cookies) if not rules.permits(name, granted)}
    if not hidden:
        return visit.headers
    shown = [(key, without(value, hidden) if key == b"cookie" else value) for key, value in visit.headers]
    return [(key, value) for key, value in shown if value or key != b"cookie"]


def _without_conditions(headers: HeaderList, visit: Visit) -> HeaderList:
    """Let "not modified" be answered only when the page would be the same for this visitor as well."""
    is_page = wants_page(visit) and not visit.is_skipped
    kept: HeaderList = []
    for name, value in headers:
        if is_page and name in _OF_THE_OTHER_PAGE:
            continue
        if name == b"if-none-match" and (is_page or is_marked(value)):
            value = conditions_for_app(value, visit.state, is_page=is_page)
            if not value:
                continue
        kept.append((name, value))
    return kept


def _asking_for_bytes(headers: HeaderList, scope: Scope, visit: Visit) -> HeaderList:
    """Have the page come by in pieces that markup can be put into: not by path, and at most compressed with gzip.

    A compressing application that says so for caches is asked not to; for the others see `compression.Habit`. Where
    nothing is put into pages, they may well come compressed: most leave as they came.
    """
    extensions = scope.get("extensions")
    if extensions and not _BYPASSES.isdisjoint(extensions):
        scope["extensions"] = {name: how for name, how in extensions.items() if name not in _BYPASSES}
    accepted = visit.fields.get(b"accept-encoding")
    if accepted is None or not (visit.holds_tags or visit.awaits_markup):
        return headers
    rests = visit.site.compression.rests_when_asked(visit.path) and visit.awaits_markup and not is_fragment(visit)
    visit.may_be_packed = not rests and _takes_gzip(accepted)
    asked = _PACKED if visit.may_be_packed else _UNCOMPRESSED
    pair = (b"accept-encoding", accepted)
    if len(visit.fields) == len(visit.headers) and pair in headers:  # the only one: found in C, in a quarter of that
        changed = headers.copy()
        changed[headers.index(pair)] = asked
        return changed
    return [asked if header[0] == b"accept-encoding" else header for header in headers]


@lru_cache(maxsize=64)  # what browsers send differs little, and reading it takes ten times as long
def _takes_gzip(accept_encoding: bytes) -> bool:
    return accepts_gzip(accept_encoding.decode("latin-1"))
