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
_LONGEST_WORD = 64  # bytes, with what has to follow it
_REACH = 512  # bytes around what changed in a page that are looked at with it; scripts may have a comment within a word
_STEP = 128  # bytes: so exactly is found out what changed
_LONGEST_KEPT = 262_144  # bytes of a page that came more than once, …
_MOST_KEPT = 4_194_304  # … and of all of them
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
        self._begun = set[int]()
        self.kept: dict[Address, bytes] = {}
        """The last page of an address that was found to hold none of the words, for those that come again."""
        self._kept = 0  # bytes of them
        self._around: dict[Address, tuple[bytes, bytes]] = {}  # how such pages begin and end, before and after changes
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
        if around is None or not (page.startswith(around[0]) and page.endswith(around[1])):
            around = self._compare(page, address)
            if around is None:
                return False
        before, after = around
        changed = page[max(0, len(before) - _REACH) : len(page) - len(after) + _REACH]
        return not self.is_in(changed)

    def _compare(self, page: bytes, address: Address) -> tuple[bytes, bytes] | None:
        """Find out what changes in an address's pages; `None` where that is too much to tell."""
        kept = self.kept.get(address)
        if kept is None:
            return None
        before, after = self._around.get(address, (kept, kept))
        start = _same_at_start(page, before)
        rest = min(len(page), len(kept)) - start
        end = _same_at_end(page[-rest:], after[-rest:]) if rest else 0
        if len(page) - start - end > len(page) // 4:
            return None
        around = self._around[address] = kept[:start], kept[len(kept) - end :]
        return around

    def may_be_in(self, page: bytes, address: Address = (), cut: int = 0) -> bool:
        """Tell whether a whole page, or a part of it that stands alone, holds one of the words.

        Args:
            page: the page.
            address: the same; without it, nothing of the page is kept.
            cut: where its body begins; what changes is often before that, and the rest need not be looked at again.
        """
        key = hash(page)
        if key in self._clear:
            self._keep(page, address)
            return False
        if key in self._harmless:
            return False
        if self._is_new_in(page, address, cut):
            return True
        _remember(self._clear, key)
        return False

    def _is_new_in(self, page: bytes, address: Address, cut: int) -> bool:
        """Tell whether one of the words is in a page that did not come before."""
        if not address:
            is_in_rest = self._may_be_in_rest(page[cut:])
            return is_in_rest or (cut > 0 and self._may_be_in_beginning(page[: cut + _LONGEST_WORD]))
        if self.is_in(page):
            return True
        came = hash(address)
        if came in self._came:  # a page that changes each time: the next one is compared with this
            self._keep(page, address)
        _remember(self._came, came)
        return False

    def _may_be_in_rest(self, rest: bytes) -> bool:
        if hash(rest) in self._clear:
            return False
        if self.is_in(rest):
            return True
        _remember(self._clear, hash(rest))
        return False

    def _keep(self, page: bytes, address: Address) -> None:
        """Keep a page that came more than once, or differs from the one before, in place of the last at its address."""
        if not address or len(page) > _LONGEST_KEPT or sum(map(len, address)) > _LONGEST_ADDRESS:
            return
        before = self.kept.get(address)
        self._kept += _room(address, page) - (0 if before is None else _room(address, before))
        if self._kept > _MOST_KEPT:
            self.kept.clear()
            self._around.clear()
            self._kept = _room(address, page)
        self.kept[address] = page
        self._around.pop(address, None)

    def _may_be_in_beginning(self, beginning: bytes) -> bool:
        key = hash(beginning)
        if key in self._begun:
            return False
        if self.is_in(beginning):
            return True
        _remember(self._begun, key)
        return False

    def is_in(self, part: bytes) -> bool:
        """Tell whether a part of a page holds one of the words."""
        return self._is_in(part.lower())

    def leaving(self, piece: bytes, address: Address = ()) -> int:
        """Return up to where a piece of a page may leave unread: all of it, or up to a tag that has hardly begun.

        It is -1 where the piece holds one of the words, or where something that loads is unfinished at its end.

        Args:
            piece: the piece.
            address: of a page's first piece, what tells it from others; without it, nothing of the piece is kept.
        """
        name = ("the beginning", *address) if address else ()
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


def _same_at_start(one: bytes, other: bytes) -> int:
    """Return how many bytes two pages begin with alike, or a few less."""
    at, end = 0, min(len(one), len(other))
    if one[:end] == other[:end]:
        return end
    while end - at > _STEP:
        middle = (at + end) // 2
        if one[at:middle] == other[at:middle]:
            at = middle
        else:
            end = middle
    return at


def _same_at_end(one: bytes, other: bytes) -> int:
    """Return how many bytes two pages end with alike, or a few less."""
    at, end = 0, min(len(one), len(other))
    if one[len(one) - end :] == other[len(other) - end :]:
        return end
    while end - at > _STEP:
        middle = (at + end) // 2
        if one[len(one) - middle : len(one) - at] == other[len(other) - middle : len(other) - at]:
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
    comment = lower.rfind(b"<!--", 0, at)
    return comment >= 0 and lower.find(b"-->", comment + 2, at) < 0


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
