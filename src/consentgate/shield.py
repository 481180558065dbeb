"""What the application may see of a request: no cookie of a category the visitor did not grant."""

from __future__ import annotations

from starlette.types import Scope

from consentgate.caching import CONDITIONS, conditions_for_app, is_marked
from consentgate.cookies import names_in, without
from consentgate.response_kind import BYPASSES, is_fragment
from consentgate.visit import Visit

__all__ = ["show_to_app"]

HeaderList = list[tuple[bytes, bytes]]

# A date cannot tell two visitors' pages apart, and a part of a page cannot be spliced.
_OF_THE_OTHER_PAGE = CONDITIONS - {b"if-none-match"}

_UNCOMPRESSED = (b"accept-encoding", b"identity")
_PACKED = (b"accept-encoding", b"gzip")
_BYPASSES = frozenset(BYPASSES)


def show_to_app(scope: Scope, visit: Visit) -> None:
    """Put the visitor's consent into a scope and take out what the application may not see.

    The scope stays the same object, as it does in Starlette: what routers note in it is read by middleware outside.
    """
    scope["consentgate"] = visit
    if "state" in scope:
        scope["state"]["consent"] = visit
    else:
        scope["state"] = {"consent": visit}
    seen = visit.seen
    headers = _permitted(visit) if seen.has_optional else visit.headers
    if scope["type"] == "http":
        is_read = seen.wants_page  # its bytes, so that markup can be put in and tags be found
        if not visit.is_plain:
            headers = _without_conditions(headers, visit)
            is_read = is_read or (visit.site.holds_tags and is_fragment(visit))
        if is_read:
            headers = _asking_for_bytes(headers, scope, visit)
    scope["headers"] = headers


def _permitted(visit: Visit) -> HeaderList:
    standing, rules = visit.standing, visit.site.rules
    if standing.grants_everything:
        return visit.headers
    granted = standing.consent.granted
    hidden = {name for name in names_in(visit.cookies) if not rules.permits(name, granted)}
    if not hidden:
        return visit.headers
    shown = [(key, without(value, hidden) if key == b"cookie" else value) for key, value in visit.headers]
    return [(key, value) for key, value in shown if value or key != b"cookie"]


def _without_conditions(headers: HeaderList, visit: Visit) -> HeaderList:
    """Let "not modified" be answered only when the page would be the same for this visitor as well."""
    if CONDITIONS.isdisjoint(visit.fields):
        return headers
    is_page = visit.seen.wants_page and not visit.is_skipped
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
    takes_gzip, site = visit.seen.takes_gzip, visit.site
    if takes_gzip is None or (site.skips_some and visit.is_skipped) or not (site.holds_tags or visit.awaits_markup):
        return headers
    asked = _UNCOMPRESSED
    if takes_gzip and (site.compression.tried is None or not _is_to_rest(visit)):
        visit.may_be_packed = True
        asked = _PACKED
    if len(visit.fields) == len(visit.headers):
        try:  # found in C, in a quarter of the time
            at = headers.index((b"accept-encoding", visit.fields[b"accept-encoding"]))
        except ValueError:  # its pairs may be lists
            pass
        else:
            changed = headers.copy()
            changed[at] = asked
            return changed
    return [asked if header[0] == b"accept-encoding" else header for header in headers]


def _is_to_rest(visit: Visit) -> bool:
    """Tell whether a page's compression is left to us: only where markup is put in, which it is into no part of one."""
    return visit.site.compression.rests_when_asked(visit.path) and visit.awaits_markup and not is_fragment(visit)
