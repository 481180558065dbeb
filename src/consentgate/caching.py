"""Caching headers of a page that we change, and validators that know what was put into it (RFC 9110, RFC 9111)."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "CONDITIONS",
    "conditions_for_app",
    "etag_for_browser",
    "individual",
    "is_about_caching",
    "is_marked",
    "is_never_stored",
    "personal",
    "shared",
    "unshared",
    "varies_by_encoding",
]

HeaderList = list[tuple[bytes, bytes]]

CONDITIONS = frozenset((b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"range"))
"""Request headers on which an application may answer with less than the page."""

# They describe the page the app made, not the one that leaves (RFC 9110 14.3; RFC 9530).
_OF_THE_OTHER_PAGE = frozenset((b"accept-ranges", b"content-digest", b"content-md5", b"digest", b"repr-digest"))
# Of a personal page further: a date cannot tell two visitors' pages apart, and these are orders to shared caches
# that override Cache-Control (RFC 9213, its forerunners, and what single caches call theirs).
_ORDERS_TO_CACHES = frozenset(
    (
        b"cdn-cache-control",
        b"cloudflare-cdn-cache-control",
        b"edge-control",
        b"netlify-cdn-cache-control",
        b"surrogate-control",
        b"vercel-cdn-cache-control",
        b"x-accel-expires",
        b"x-litespeed-cache-control",
    )
)
_OF_A_SHARED_PAGE = _ORDERS_TO_CACHES | {b"expires", b"last-modified"}
_OF_INTEREST = _OF_THE_OTHER_PAGE | _OF_A_SHARED_PAGE | {b"vary", b"cache-control", b"etag"}
_KEPT_DIRECTIVES = frozenset((b"no-store", b"no-transform", b"must-revalidate"))
_LETS_KEEP = (b"public", b"max-age", b"s-maxage")
_FOR_SHARED = (b"private", b"public", b"s-maxage", b"proxy-revalidate")
_MARK = b"..consentgate-"
_ENTITY_TAG = re.compile(rb'((?:W/)?"([^"]*)")')


def personal(headers: Iterable[tuple[bytes, bytes]], state: str, *, signals: Iterable[bytes] = ()) -> HeaderList:
    """Return the headers of a page that only this visitor may get again.

    `Vary: Cookie` for caches that obey it, `private, no-cache` for the many that do not: a browser asks again each
    time, and the validator says for which choice the page was made, so that a withdrawn tag never comes back.

    Args:
        headers: the application's.
        state: what tells this visitor's page from others' pages at the same address.
        signals: further request headers the page depends on.
    """
    kept: HeaderList = []
    vary: list[bytes] = []
    directives: list[bytes] = []
    for header in headers:
        name = header[0].lower()
        if name not in _OF_INTEREST:
            kept.append(header)
        elif name == b"vary":
            vary += _members(header[1])
        elif name == b"cache-control":
            directives += _members(header[1])
        elif name == b"etag":
            kept.append((header[0], etag_for_browser(header[1], state)))
    kept.append((b"vary", _with_members(vary, (b"Cookie", *signals))))
    kept.append((b"cache-control", _private(directives)))
    return kept


def is_about_caching(name: bytes) -> bool:
    """Tell whether a personal page's headers may not keep one with this lower-case name as it is."""
    return name in _OF_INTEREST


def shared(headers: Iterable[tuple[bytes, bytes]], state: str) -> HeaderList:
    """Return the headers of a page whose bytes are the same for every visitor, so that any cache may keep it."""
    return [
        (name, etag_for_browser(value, state) if name.lower() == b"etag" else value)
        for name, value in headers
        if name.lower() not in _OF_THE_OTHER_PAGE and name.lower() != b"last-modified"
    ]


def unshared(headers: HeaderList, *, signals: Iterable[bytes] = ()) -> HeaderList:
    """Return the headers of an answer that a shared cache must not hand out as the page at its address.

    A part of a page for a script, for example, or a page that markup could not be put into for this request alone.
    One that the application lets no cache keep stays as it is.

    Args:
        headers: the application's.
        signals: the request headers that made the answer another one than the page.
    """
    orders = any(name.lower() in _ORDERS_TO_CACHES or name.lower() == b"expires" for name, _ in headers)
    if not orders and not any(
        directive.lower().startswith(_LETS_KEEP) for directive in _all(headers, b"cache-control")
    ):
        return headers
    return individual(headers, signals=signals)


def individual(headers: HeaderList, *, signals: Iterable[bytes] = ()) -> HeaderList:
    """Return the headers of an answer that only the visitor's own browser may keep, as long as the application says.

    Without a word of the application's too: caches keep some answers unasked (RFC 9111 4.2.2).

    Args:
        headers: the application's.
        signals: the request headers that the answer depends on.
    """
    replaced = _ORDERS_TO_CACHES | {b"cache-control", b"vary"}
    kept = [(name, value) for name, value in headers if name.lower() not in replaced]
    own = [each for each in _all(headers, b"cache-control") if not each.lower().startswith(_FOR_SHARED)]
    if varies := _with_members(_all(headers, b"vary"), signals):
        kept.append((b"vary", varies))
    return [*kept, (b"cache-control", b", ".join([b"private", *own]))]


def etag_for_browser(etag: bytes, state: str) -> bytes:
    """Return a validator of the page as it leaves: the application's own, weak, and marked with what was put in."""
    opaque = etag.removeprefix(b"W/").strip(b'"')
    return b'W/"%s%s%s"' % (opaque, _MARK, state.encode())


def conditions_for_app(value: bytes, state: str, *, is_page: bool) -> bytes:
    """Return the part of an `If-None-Match` header that the application may answer with 304.

    Of our validators those made for the same state, as the application wrote them. Of the application's own, which
    a browser may hold from before consentgate, none where a page is asked for.
    """
    kept = []
    for member, content in _ENTITY_TAG.findall(value):
        opaque, marked, made_for = content.rpartition(_MARK)
        if marked and made_for == state.encode():
            kept += [b'"%s"' % opaque, b'W/"%s"' % opaque]
        elif not marked and not is_page:
            kept.append(member)
    return b", ".join(kept)


def is_marked(value: bytes) -> bool:
    """Tell whether an `If-None-Match` header holds a validator of ours."""
    return _MARK in value


def varies_by_encoding(headers: HeaderList) -> bool:
    """Tell whether caches are told that the answer may be compressed."""
    return any(b"accept-encoding" in value.lower() for name, value in headers if name.lower() == b"vary")


def is_never_stored(headers: HeaderList) -> bool:
    """Tell whether an application lets nobody keep what it answers (RFC 9111 5.2.2.5)."""
    return any(each.lower() == b"no-store" for each in _all(headers, b"cache-control"))


def _all(headers: HeaderList, wanted: bytes) -> list[bytes]:
    return [member for name, value in headers if name.lower() == wanted for member in _members(value)]


def _members(value: bytes) -> list[bytes]:
    return [member for part in value.split(b",") if (member := part.strip())]


def _with_members(vary: list[bytes], added: Iterable[bytes]) -> bytes:
    if not vary:
        return b", ".join(added)
    if b"*" in vary:
        return b"*"
    present = {member.lower() for member in vary}
    return b", ".join([*vary, *(member for member in added if member.lower() not in present)])


def _private(directives: list[bytes]) -> bytes:
    if not directives:
        return b"private, no-cache"
    kept = [directive for directive in directives if directive.lower() in _KEPT_DIRECTIVES]
    return b", ".join([b"private", b"no-cache", *dict.fromkeys(kept)])
