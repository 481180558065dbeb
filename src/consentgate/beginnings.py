"""How pages begin, up to their `<body>`: read at one go where it is usual, and remembered by address.

A page that begins like the last one at its address gets the same markup at the same places, so that it need not be
tokenized again. What is remembered is no more than that one's beginning: see `Beginnings` and `Fronts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from consentgate.page_reader import ATTRIBUTES, repeated

__all__ = [
    "CHARSET_WINDOW",
    "LONGEST_TAG",
    "PLAIN_HEAD",
    "Beginning",
    "Beginnings",
    "Fronts",
    "Known",
    "Markup",
    "Reading",
    "is_utf8_named",
    "language_of",
    "values_in",
]

LONGEST_TAG = 65_536
"""Bytes of one tag; a page with a longer one is left alone, however it is cut."""

CHARSET_WINDOW = 1_024
"""Bytes in which browsers look for `<meta charset>` (HTML 13.2.3.2)."""

_LONGEST_KNOWN = 8_192  # bytes of a beginning that is remembered
_MOST_KNOWN = 256  # of these: 2 MB at the very most
_MOST_FRONTS = 2_097_152  # bytes of beginnings that are kept with their markup, …
_AROUND_FRONT = 1_024  # … with what Python itself needs for each, its key and the path in that

_LANGUAGE = re.compile(rb"[a-zA-Z0-9-]{1,35}")
_AMP = frozenset(mark + kind for mark in (b"amp", b"\xe2\x9a\xa1") for kind in (b"", b"4ads", b"4email"))
_UTF_8 = (b"utf-8", b"utf8")
_NAME_AND_VALUE = re.compile(
    rb"""(?=[^\t\n\f\r />])(=?+[^\t\n\f\r />=]*+)"""
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|([^\t\n\f\r >]*+)))?"""
)
# Most of a head at one go: whole elements that change nothing of what follows. What is not plainly one of them ends the
# run: raw text with a "<" in it, a <meta> with any word of a charset or a policy in it, or whose values hold ">".
_REST = rb"(?=[\t\n\f\r />])" + ATTRIBUTES + b">"
_REST_OF_META = (
    rb"(?=[\t\n\f\r />])(?="
    + repeated(rb"(?-i:[^cChH<>]++)|c(?!harset)|h(?!ttp-equiv)")
    + rb">)"
    + ATTRIBUTES.replace(rb'"[^"]*+"', rb'"[^">]*+"').replace(rb"'[^']*+'", rb"'[^'>]*+'")
    + b">"
)


def _plain_head(name: bytes) -> bytes:
    """Return the expression for a part of a head, in which `name` is the name of a group."""
    raw = rb"<(?P<" + name + rb">title|style|script)" + _REST + rb"[^<]*+</(?P=" + name + rb")" + _REST
    return rb"[\t\n\f\r ]++|<link" + _REST + rb"|<meta" + _REST_OF_META + rb"|" + raw


PLAIN_HEAD = re.compile(repeated(_plain_head(b"raw"), b"+"), re.IGNORECASE)
# The beginning as most pages have it, at one go. Each tag is read as by itself; with anything else between them, or in
# the head, there is no match.
_BLANKS = rb"[\t\n\f\r ]*+"
_USUAL = re.compile(
    _BLANKS
    + rb"<!doctype\b[^>]*+>"
    + _BLANKS
    + rb"<html(?=[\t\n\f\r />])(?P<of_html>"
    + ATTRIBUTES
    + rb")>"
    + _BLANKS
    + rb"<head"
    + _REST
    + repeated(_plain_head(b"raw1"))
    + rb"(?:<meta(?=[\t\n\f\r />])(?=[^>]*charset)(?P<of_meta>"
    + ATTRIBUTES
    + rb")>"
    + repeated(_plain_head(b"raw2"))
    + rb")?(?P<end_of_head></head)"
    + _REST
    + _BLANKS
    + rb"<body"
    + _REST,
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Say what was learnt about a page before its body began.

    Args:
        language: the `lang` of `<html>`, or an empty string.
        has_base: whether a `<base>` changes what relative addresses mean.
        has_policy: whether a `<meta>` carries a Content-Security-Policy.
        is_utf8: whether it says that it is UTF-8, by a byte order mark or where browsers look for `<meta charset>`.
    """

    language: str = ""
    has_base: bool = False
    has_policy: bool = False
    is_utf8: bool = False


class Markup(NamedTuple):
    """Hold what is inserted: UTF-8 where the page is known to be that, else ASCII, which fits every charset."""

    head: bytes = b""
    body: bytes = b""


class Reading(NamedTuple):
    """Say how a page is to be read.

    Args:
        address: what tells pages that begin alike from others, their path say.
        page_expected: as for an `Injector`.
        charset_known: as for an `Injector`.
    """

    address: str
    page_expected: bool
    charset_known: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Keep how a page began, up to the end of its `<body>` tag, and what was learnt about it on the way."""

    text: bytes
    to_head: bytes  # what comes before the head's markup
    to_body: bytes  # … and between the head's and the body's
    of_head: Beginning
    of_body: Beginning
    came_twice: bool = False  # in a row, at its address

    def spliced(self, page: bytes, head: bytes, body: bytes) -> bytes:
        """Return the first piece of a page that begins so, with its markup."""
        rest = memoryview(page)[len(self.text) :]  # copied once only
        return b"".join((self.to_head, head, self.to_body, body, rest))


class Beginnings:
    """Remember how pages begin, so that a page that begins like the last one at its address need not be read again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool, bool], Known] = {}
        self._seen: dict[tuple[str, bool, bool], int] = {}  # a hash of what each began with the last time

    def known(self, page: bytes, reading: tuple[str, bool, bool]) -> Known | None:
        """Return the beginning that a page begins with, or `None` when it begins as none before it at its address.

        Args:
            page: the first piece.
            reading: the fields of a `Reading`, how it is to be read.
        """
        known = self._known.get(reading)
        return known if known is not None and page.startswith(known.text) else None

    def splice(self, page: bytes, reading: Reading, markup: Callable[[Beginning], Markup]) -> bytes | None:
        """Put markup into the first piece of a page, or return `None` when it does not begin as one before it did.

        What comes out is what an `Injector` would make of it, which looks at no more than such a beginning.

        Args:
            page: the first piece.
            reading: how it is to be read.
            markup: called with what is known of the page.
        """
        known = self.known(page, reading)
        if known is None:
            return None
        of_head = markup(known.of_head)
        of_body = of_head if known.of_body is known.of_head else markup(known.of_body)
        return known.spliced(page, of_head.head, of_body.body)

    def learn(self, reading: tuple[str, bool, bool], known: Known) -> None:
        """Keep a beginning that came twice in a row, in place of the one that was known.

        Few are kept, and none that is long. What is in one visitor's page alone, a token say, never is.
        """
        if len(known.text) + len(reading[0]) > _LONGEST_KNOWN:  # visitors make up addresses
            return
        seen = hash(known.text)
        if self._seen.get(reading) != seen:
            if len(self._seen) >= _MOST_KNOWN:
                self._seen.clear()
            self._seen[reading] = seen
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[reading] = replace(known, came_twice=True)

    def read(self, page: bytes, reading: tuple[str, bool, bool]) -> Known | None:
        """Read the beginning of a page at one go, or return `None` when only an `Injector` can tell.

        Args:
            page: the first piece.
            reading: the fields of a `Reading`, how it is to be read.
        """
        usual = _USUAL.match(page)
        if usual is None or usual.end() > LONGEST_TAG:
            return None
        _, _, charset_known = reading
        if usual["of_meta"] is None and not charset_known:
            return None
        is_in_time = usual.end("of_meta") < CHARSET_WINDOW
        beginning = _beginning_of(usual["of_html"], usual["of_meta"] if is_in_time else None)
        if beginning is None:
            return None
        end, head_at = usual.end(), usual.start("end_of_head")
        known = Known(page[:end], page[:head_at], page[head_at:end], beginning, beginning)
        self.learn(reading, known)
        return known


class Fronts(dict[Hashable, tuple[bytes, bytes]]):
    """Hold how pages begin, and how they do once the markup is in, by what decides about the markup."""

    def __init__(self) -> None:
        super().__init__()
        self._size = 0  # bytes

    def keep(self, key: Hashable, text: bytes, front: bytes) -> None:
        """Keep one.

        Args:
            key: what decides about the markup, beside how the page begins.
            text: how it begins as the application wrote it.
            front: how it begins with the markup.
        """
        before = self.get(key)
        self._size += _room(text, front) - (0 if before is None else _room(*before))
        if self._size > _MOST_FRONTS:
            self.clear()
            self._size = _room(text, front)
        self[key] = text, front


def _room(text: bytes, front: bytes) -> int:
    """Return the memory that something kept takes, in bytes, or a little more."""
    return len(text) + len(front) + _AROUND_FRONT


@lru_cache(maxsize=64)  # a site's pages have few, and reading them takes as long as all the rest of the beginning
def _beginning_of(of_html: bytes, of_meta: bytes | None) -> Beginning | None:
    """Return what the attributes of `<html>` and of `<meta charset>` say, or `None` for an AMP page."""
    language = language_of(of_html)
    if language is None:
        return None
    return Beginning(language=language, is_utf8=of_meta is not None and is_utf8_named(of_meta))


def language_of(attributes: bytes) -> str | None:
    """Return the language that a `<html>` tag's attributes name, or `None` where they say that it is an AMP page."""
    values = values_in(attributes)
    if not _AMP.isdisjoint(values):
        return None
    language = _LANGUAGE.match(values.get(b"lang", b""))
    return language[0].decode("ascii") if language else ""


def is_utf8_named(attributes: bytes) -> bool:
    """Tell whether the charset that a `<meta>` tag's attributes name is UTF-8."""
    values = values_in(attributes)
    named = values.get(b"charset") or values.get(b"content", b"").partition(b"charset=")[2]
    return named.strip(b"\t\n\f\r \"'").lower() in _UTF_8


def values_in(attributes: bytes) -> dict[bytes, bytes]:
    """Read a tag's attributes; the first of a name counts (HTML 13.2.5.33)."""
    found = reversed(list(_NAME_AND_VALUE.finditer(attributes)))
    return {match[1].lower(): match[2] or match[3] or match[4] or b"" for match in found}
