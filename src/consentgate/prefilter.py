"""Tell quickly that a page, or a piece of one, holds none of some words: then nobody has to read it.

A page is looked through as few times as possible, each time for one letter or short part that several words share, and
what was found to be clear is remembered by its hash: the same page again costs no more than that.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from consentgate.bounded import Bounded
from consentgate.page_reader import TAG, end_of_script

__all__ = ["HASHES_TELL", "LOADING", "LONGEST_OPENER", "OPENER", "PARTIAL_OPENER", "Address", "Prefilter", "Word"]

LOADING = (b"embed", b"frame", b"iframe", b"img", b"link", b"object", b"script")
"""The elements that load something by themselves."""

# The first letters are written out in both cases: `re` passes what is no tag of these several times as fast so.
OPENER = re.compile(
    rb"<(?=[eEfFiIlLoOsS][bBcCfFiImMrR][aAbBgGjJnNrR])(?i:" + b"|".join(LOADING) + rb")(?=[\t\n\f\r />])"
)
"""Where the tag of one of these begins."""

_BEGUN = sorted({name[:length] for name in LOADING for length in range(1, len(name) + 1)})
PARTIAL_OPENER = re.compile(rb"<(?i:" + b"|".join(_BEGUN) + rb")?\Z")
"""The same, where it cannot be told yet: the element's name may go on, and something has to follow it."""

LONGEST_OPENER = 7
"""Bytes of the longest: `<script`."""

_SPACE = b"\t\n\f\r "
_FEW = 64  # bytes of white space between "=" and a quote, beyond which a piece is looked at in full
_REMEMBERED = 4_096  # pages, or pieces, that are known to be clear: 8 bytes of each, and Python's own around them
_REACH = 256  # bytes around what changed in a page that are looked at with it; a word in a tag takes fewer
_STEP = 128  # bytes: so exactly is found out what changed
_LONGEST_KEPT = 262_144  # bytes of a page that came more than once, …
_MOST_KEPT = 4_194_304  # … and of all of them
_PIECES = ("first piece", "second piece", "third piece", "fourth piece")  # of a page; those that are kept
_MOST_PIECES_KEPT = len(_PIECES)
_AROUND_KEPT = 256  # bytes that Python itself needs for each
_LONGEST_ADDRESS = 256  # characters: visitors make addresses up
# Other hashes, and one without a secret, somebody could work against; shorter ones do not tell pages apart.
HASHES_TELL = (
    sys.hash_info.algorithm.startswith("siphash") and sys.hash_info.width >= 64 and bool(sys.flags.hash_randomization)
)
# How often the letters stand in web pages, in percent (13 MB of saved ones, in lower case).
_SHARES = {
    "a": 5.3, "b": 0.9, "c": 2.8, "d": 2.1, "e": 5.0, "f": 1.1, "g": 1.2, "h": 1.5, "i": 3.7, "j": 0.2, "k": 0.5,
    "l": 3.3, "m": 1.7, "n": 4.1, "o": 3.0, "p": 2.9, "q": 0.1, "r": 3.0, "s": 5.3, "t": 4.4, "u": 1.4, "v": 0.8,
    "w": 0.7, "x": 0.4, "y": 0.6, "z": 0.3, "_": 0.6, ".": 1.4, "-": 1.9, "/": 2.3, "<": 2.3, ":": 0.6,
}  # fmt: skip
_SHARE_OF_OTHERS = 0.5
_PASS, _LETTER_ALONE, _LETTER_OF_MANY = 6.0, 6.0, 3.0  # microseconds for 20 KB, and for each percent of it that fits
_LENGTHS = (1, 3, 5)  # of what is looked for


Address = tuple[str, ...]
"""What tells a page from others, its host and path say; empty for one of which nothing is kept."""


class Word(NamedTuple):
    """Say what a page has to hold, in lower case.

    Args:
        text: what to look for.
        then: a regular expression for what has to follow it.
    """

    text: bytes
    then: bytes = b""


class _Around(NamedTuple):
    """Say what does not change in an address's pages.

    Args:
        before: how they begin.
        after: how they end.
        start: index from which a page is looked at: somewhat before the change, and before the script it is in.
    """

    before: bytes
    after: bytes
    start: int


class Prefilter:
    """Look for words in pages, whatever case they are written in.

    Args:
        words: what to look for, of which any is enough.
    """

    def __init__(self, words: Iterable[Word]) -> None:
        self._passes = tuple(re.compile(pattern, re.DOTALL) for pattern in _passes(set(words)))
        self._clear = set[int]()
        self._harmless = set[int]()
        self._plain: dict[int, int] = {}
        self.kept: Bounded[Address, bytes] = Bounded(_MOST_KEPT, _room)
        """Pages that hold none of the words, one of each address, to be compared with those that come."""
        self._around: dict[Address, _Around] = {}
        self._came = set[int]()  # addresses of which a page that held none of them came

    def knows(self, page: bytes, address: Address) -> bool:
        """Tell whether a whole page holds none of the words, as far as the last ones at its address tell.

        One that is just what was `kept` is known without asking here. Of one that is the same but for a part in it,
        that part is looked at, with as much around it as a word may reach: a page is compared in a tenth of the time.

        Args:
            page: the page.
            address: what tells it from others, its host and path say.
        """
        around = self._around.get(address)
        if around is None or not (page.startswith(around.before) and page.endswith(around.after)):
            around = self._compare(page, address)
            if around is None:
                return False
        end = len(page) - len(around.after) + _REACH
        changed = page[around.start : end].lower()
        if _is_in_script(changed):
            # The words of a script may lie far apart, with comments between them: it is looked at to its end.
            end = page.find(b"</script", end)
            if end < 0:
                return False
            changed = page[around.start : end].lower()
            if b"<!--" in changed:  # with which it may not end there
                return False
        return not self._is_in(changed)

    def _compare(self, page: bytes, address: Address) -> _Around | None:
        """Find out what changes in an address's pages; `None` where that is too much to tell."""
        kept = self.kept.get(address)
        if kept is None:
            return None
        if kept == page:
            return _Around(kept, b"", len(kept))
        before, after, _ = self._around.get(address, (kept, kept, 0))
        start = _same(page, before, at_end=False)
        rest = min(len(page), len(kept)) - start
        end = _same(page[-rest:], after[-rest:], at_end=True) if rest else 0
        lower = kept[:start].lower()
        look_from = max(0, start - _REACH)
        if _is_in_script(lower):
            look_from = min(look_from, lower.rfind(b"<script"))
        if _is_in_comment(lower, start) or len(page) - look_from - end > len(page) // 4:
            return None
        around = self._around[address] = _Around(kept[:start], kept[len(kept) - end :], look_from)
        return around

    def may_be_in(self, page: bytes, address: Address = ()) -> bool:
        """Tell whether a whole page, or a part of it that stands alone, holds one of the words.

        Args:
            page: the page.
            address: the same; without it, nothing of the page is kept.
        """
        key = hash(page)
        if key in self._clear:
            self._keep(page, address)
            return False
        if key in self._harmless:
            return False
        if self.is_in(page):
            return True
        _remember(self._clear, key)
        came = hash(address)
        if came in self._came:  # a page that changes each time: the next one is compared with this
            self._keep(page, address)
        _remember(self._came, came)
        return False

    def _keep(self, page: bytes, address: Address) -> None:
        """Keep a page that came more than once, or differs from the one before, in place of the last at its address."""
        if not address or len(page) > _LONGEST_KEPT or sum(map(len, address)) > _LONGEST_ADDRESS:
            return
        if self.kept.keep(address, page):
            self._around.clear()
        self._around.pop(address, None)

    def is_in(self, part: bytes) -> bool:
        """Tell whether a part of a page holds one of the words."""
        return self._is_in(part.lower())

    def leaving(self, piece: bytes, address: Address = (), number: int = 0) -> int:
        """Return up to where a piece of a page may leave unread: all of it, or up to a tag that has hardly begun.

        It is -1 where the piece holds one of the words, or where something that loads is unfinished at its end.

        Args:
            piece: the piece.
            address: what tells its page from others; without it, nothing of the piece is kept.
            number: of the piece, from 0 on.
        """
        name = (_PIECES[number], *address) if address and number < _MOST_PIECES_KEPT else ()
        if name and self.kept.get(name) == piece:
            return len(piece)
        key = hash(piece)
        known = self._plain.get(key)
        if known is not None:
            if name and known == len(piece):
                self._keep(piece, name)
            return known
        lower = piece.lower()
        begun = PARTIAL_OPENER.search(lower, max(0, len(lower) - LONGEST_OPENER))
        end = begun.start() if begun else len(lower)
        if self._is_in(lower) or _is_unfinished(lower[:end]):
            return -1
        if HASHES_TELL:
            if len(self._plain) >= _REMEMBERED:
                self._plain.clear()
            self._plain[key] = end
        return end

    def hits(self, piece: bytes) -> list[int]:
        """List where in a piece words stand; of words that overlap, one."""
        lower = piece.lower()
        return sorted(found.start() for one in self._passes for found in one.finditer(lower))

    def clear(self, page: bytes) -> None:
        """Remember of a whole page that it was read, and that its words are not what they looked like.

        That holds for just this page: in another one, the same words may be.
        """
        _remember(self._harmless, hash(page))

    def _is_in(self, lower: bytes) -> bool:
        for one in self._passes:  # noqa: SIM110 - of short pieces, a generator would take longer than the search
            if one.search(lower):
                return True
        return False


def _same(one: bytes, other: bytes, *, at_end: bool) -> int:
    """Return how many bytes two pages begin with alike, or end with, or a few less."""

    def are_alike(at: int, to: int) -> bool:
        if at_end:
            return one[len(one) - to : len(one) - at] == other[len(other) - to : len(other) - at]
        return one[at:to] == other[at:to]

    at, end = 0, min(len(one), len(other))
    if are_alike(at, end):
        return end
    while end - at > _STEP:
        middle = (at + end) // 2
        if are_alike(at, middle):
            at = middle
        else:
            end = middle
    return at


def _room(address: Address, rest: bytes) -> int:
    """Return the memory that something kept takes, with how it begins and ends, in bytes, or a little more."""
    return 2 * len(rest) + 4 * sum(map(len, address)) + _AROUND_KEPT


def _remember(known: set[int], key: int) -> None:
    if not HASHES_TELL:
        return
    if len(known) >= _REMEMBERED:
        known.clear()
    known.add(key)


def _is_unfinished(lower: bytes) -> bool:
    """Tell whether a tag that could load something, or a script, may be unfinished where a piece in lower case ends.

    It errs on one side only: what is unfinished is always said to be.
    """
    begun = lower.find(b"<", lower.rfind(b">") + 1)
    if begun >= 0 and (PARTIAL_OPENER.search(lower, begun) or OPENER.search(lower, begun)):
        return True
    # With a ">" after it, a tag is unfinished only if that stands within quotes, of which the second is still to come.
    is_open = any(_may_be_open(lower, quote) for quote in (b'"', b"'"))
    if is_open and any(TAG.match(lower, found.start()) is None for found in OPENER.finditer(lower)):
        return True
    return _is_in_script(lower)


def _may_be_open(lower: bytes, quote: bytes) -> bool:
    at = lower.rfind(quote)
    before = lower[max(0, at - _FEW) : max(0, at)].rstrip(_SPACE)
    return at >= 0 and (before.endswith(b"=") or (not before and at >= _FEW))


def _is_in_script(lower: bytes) -> bool:
    at = lower.rfind(b"<script")
    if at < 0:
        return False
    tag = TAG.match(lower, at)
    if tag is None or end_of_script(lower, tag.end()) < 0:
        return True
    # "</script>" ends no script that has "<!-- <script" in its text.
    return b"<!--" in lower and _is_in_comment(lower, at)


def _is_in_comment(lower: bytes, at: int) -> bool:
    begun = lower.rfind(b"<!--", 0, at)
    return begun >= 0 and lower.find(b"-->", begun + 2, at) < 0


def _passes(words: set[Word]) -> Iterator[bytes]:
    """Yield regular expressions that find all words, each looking for a part that several of them share."""
    parts = {word: set(_parts(word.text)) for word in words}
    while parts:
        shared = Counter(part for of_word in parts.values() for part in of_word)
        best = min(shared, key=lambda part: (_cost(part) / shared[part], part))
        found = [word for word in parts if best in parts[word]]
        yield re.escape(best) + b"(?:" + b"|".join(sorted(_around(best, word) for word in found)) + b")"
        for word in found:
            del parts[word]


def _parts(text: bytes) -> Iterator[bytes]:
    for length in _LENGTHS:
        yield from (text[start : start + length] for start in range(len(text) - length + 1))


def _cost(part: bytes) -> float:
    share = _SHARES.get(chr(part[0]), _SHARE_OF_OTHERS)
    return _PASS + share * (_LETTER_ALONE if len(part) == 1 else _LETTER_OF_MANY)


def _around(part: bytes, word: Word) -> bytes:
    """Return the expression for the rest of a word where a part of it was found."""
    before, _, after = word.text.partition(part)
    behind = b"(?<=" + re.escape(before + part + after) + b")" if before else b""
    ahead = b"(?=" + word.then + b")" if word.then else b""
    return re.escape(after) + behind + ahead
