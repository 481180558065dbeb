"""How pages begin, up to their `<body>`: read at one go where it is usual, and remembered by address.

A page that begins like the last one at its address gets the same markup at the same places, so that it need not be
tokenized again. What is remembered is no more than that one's beginning: see `Beginnings` and `Fronts`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from string import ascii_letters, digits
from typing import NamedTuple

from consentgate.bounded import Bounded
from consentgate.page_reader import ATTRIBUTES, TAG, repeated

__all__ = [
    "CHARSET_WINDOW",
    "LONGEST_TAG",
    "PLAIN_HEAD",
    "Beginning",
    "Beginnings",
    "Front",
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
_MOST_CHANGING = 64  # beginnings that change, each kept until the next one at its address comes
_MOST_FAILURES = 16  # to find tokens at an address
_MOST_TOKENS = 16  # in one beginning
_MOST_FRONTS = 2_097_152  # bytes of beginnings that are kept with their markup, …
_AROUND_FRONT = 1_024  # … with what Python itself needs for each, its key and the path in that

_IN_TOKENS = (ascii_letters + digits + "+/=_-.:~").encode()  # Base64's and a URL's characters, as in signed tokens
_RUN = re.compile(rb"[^\0]+")
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
_PART_OF_HEAD = re.compile(_plain_head(b"raw"), re.IGNORECASE)
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
    + rb"(?P<before_charset>"
    + repeated(_plain_head(b"raw1"))
    + rb")"
    + rb"(?:<meta(?=[\t\n\f\r />])(?=[^>]*charset)(?P<of_meta>"
    + ATTRIBUTES
    + rb")>(?P<after_charset>"
    + repeated(_plain_head(b"raw2"))
    + rb"))?(?P<end_of_head></head)"
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


class Token(NamedTuple):
    """Say where each page has a token of its own, of the same length: a form's, say, or a nonce.

    Args:
        start: index in the page of its first byte.
        end: index after its last one.
        then: what stands between it and the next one, or the end of the beginning.
    """

    start: int
    end: int
    then: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """Keep how pages begin, up to the end of the `<body>` tag, and what was learnt about it on the way.

    Args:
        text: that beginning, or as much of it as stands before the first token.
        head_at: index in the page where the head's markup goes.
        end: index after the `<body>` tag, where the body's goes.
        of_head: what is known where the head's markup goes.
        of_body: … and where the body's does.
        tokens: what changes from one page to the next.
        comes_again: whether it came twice in a row at its address, save for its tokens.
    """

    text: bytes
    head_at: int
    end: int
    of_head: Beginning
    of_body: Beginning
    tokens: Sequence[Token] = ()
    comes_again: bool = False

    def begins(self, page: bytes) -> bool:
        """Tell whether a page begins so."""
        if not page.startswith(self.text):
            return False
        for start, end, then in self.tokens:  # noqa: SIM110 - a generator would take longer than what it looks at
            if not (_is_token(page[start:end]) and page.startswith(then, end)):
                return False
        return True

    def spliced(self, page: bytes, head: bytes, body: bytes) -> bytes:
        """Return the first piece of a page that begins so, with its markup."""
        rest = memoryview(page)[self.end :]  # copied once only
        return b"".join((page[: self.head_at], head, page[self.head_at : self.end], body, rest))

    def with_tokens(self, spans: Sequence[tuple[int, int]]) -> Known:
        """Return the same for pages that have other tokens, which are not kept.

        Args:
            spans: from where to where they stand, in order.
        """
        starts = [*(start for start, _ in spans), self.end]
        tokens = [
            Token(start, end, self.text[end:following])
            for (start, end), following in zip(spans, starts[1:], strict=True)
        ]
        return replace(self, text=self.text[: starts[0]], tokens=tokens, comes_again=True)


class Beginnings:
    """Remember how pages begin, so that a page that begins like the last one at its address need not be read again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool, bool], Known] = {}
        self._seen: dict[tuple[str, bool, bool], int] = {}  # a hash of what each began with the last time
        # What began in yet another way, until it is compared with the next; and how often that showed no tokens.
        self._changing: dict[tuple[str, bool, bool], Known] = {}
        self._failures = Counter[tuple[str, bool, bool]]()

    def known(self, page: bytes, reading: tuple[str, bool, bool]) -> Known | None:
        """Return the beginning that a page begins with, or `None` when it begins as none before it at its address.

        Args:
            page: the first piece.
            reading: the fields of a `Reading`, how it is to be read.
        """
        known = self._known.get(reading)
        return known if known is not None and known.begins(page) else None

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
        """Keep a beginning that came twice in a row, or twice but for its tokens, in place of the one that was known.

        Few are kept, and none that is long. Of tokens the place is kept alone. To find it, a beginning that differs
        from the one before is kept until the next one comes.
        """
        if known.end + len(reading[0]) > _LONGEST_KNOWN:  # visitors make up addresses
            return
        seen, before = hash(known.text), self._seen.get(reading)
        if seen == before:
            self._keep(reading, replace(known, comes_again=True))
            return
        if len(self._seen) >= _MOST_KNOWN:
            self._seen.clear()
        self._seen[reading] = seen
        if before is not None:
            self._compare(reading, known)

    def _compare(self, reading: tuple[str, bool, bool], known: Known) -> None:
        """Find the tokens of pages that begin in another way each time; where there is more to it, nothing is kept."""
        if self._failures[reading] >= _MOST_FAILURES:
            return
        last = self._changing.pop(reading, None)
        if last is not None and last.end == known.end:
            if spans := _tokens_between(last.text, known.text):
                self._keep(reading, known.with_tokens(spans))
                return
            self._failures[reading] += 1
        if len(self._changing) >= _MOST_CHANGING:
            self._changing.clear()
            self._failures.clear()
        self._changing[reading] = known

    def _keep(self, reading: tuple[str, bool, bool], known: Known) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[reading] = known

    def read(self, page: bytes, reading: tuple[str, bool, bool], *, keeps: bool = True) -> Known | None:
        """Read the beginning of a page at one go, or return `None` when only an `Injector` can tell.

        Args:
            page: the first piece.
            reading: the fields of a `Reading`, how it is to be read.
            keeps: whether anything of it may be kept.
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
        known = Known(page[:end], head_at, end, beginning, beginning)
        if keeps:
            self.learn(reading, known)
        return known


class Front(NamedTuple):
    """Hold how pages begin, and what is put into them.

    Args:
        known: how they begin.
        words: the body's markup.
        text: how they begin with all their markup; empty where that changes from one page to the next.
    """

    known: Known
    words: bytes
    text: bytes


class Fronts(Bounded[Hashable, Front]):
    """Hold how pages begin, and what is put into them, by what decides about that."""

    def __init__(self) -> None:
        super().__init__(_MOST_FRONTS, _room)


def _tokens_between(one: bytes, other: bytes) -> list[tuple[int, int]]:
    """Return from where to where two usual beginnings of the same length have tokens; none when more sets them apart.

    A token stands in the quoted value of an attribute, or in the text of a title, a script or a style sheet, where
    whatever token stands there changes nothing of how the beginning is read.
    """
    differing = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")
    spans: list[tuple[int, int]] = []
    for run in _RUN.finditer(differing):
        if spans and run.end() <= spans[-1][1]:
            continue
        start = len(one[: run.start()].rstrip(_IN_TOKENS))
        end = len(one) - len(one[run.start() :].lstrip(_IN_TOKENS))
        are_tokens = end >= run.end() and _is_token(one[start:end]) and _is_token(other[start:end])
        if not are_tokens or len(spans) == _MOST_TOKENS:
            return []
        spans.append((start, end))
    usual = _USUAL.fullmatch(one)
    places = [] if usual is None else list(_places_of_tokens(usual))
    return spans if all(any(start <= at and to <= end for start, end in places) for at, to in spans) else []


def _is_token(part: bytes) -> bool:
    return not part.strip(_IN_TOKENS) and part.lower().find(b"charset") < 0  # of which a <meta> could speak


def _places_of_tokens(usual: re.Match[bytes]) -> Iterator[tuple[int, int]]:
    """Yield from where to where in a usual beginning a token may stand."""
    text = usual.string
    for parts in ("before_charset", "after_charset"):
        for part in _PART_OF_HEAD.finditer(text, *usual.span(parts)):
            tag = TAG.match(text, part.start())
            if tag is None:  # white space
                continue
            for value in _NAME_AND_VALUE.finditer(text, tag.start(3), tag.end(3)):
                yield from (value.span(quoted) for quoted in (2, 3))
            if part["raw"]:
                yield tag.end(), text.rindex(b"</", 0, part.end())


def _room(key: Hashable, front: Front) -> int:
    """Return the memory that something kept takes, in bytes, or a little more."""
    return front.known.end + len(front.words) + len(front.text) + _AROUND_FRONT


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
