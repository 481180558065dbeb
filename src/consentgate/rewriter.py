"""Change single start tags of an HTML byte stream: bytes in, bytes out, no I/O, all other bytes as they came.

Most pages hold nothing to change, and finding that out is cheap: only the tags that could load something are looked
at, wherever they stand. When one of them concerns us the page is read as browsers read it, from its first byte, since
only that tells a tag from the same letters in a comment, a text or another tag's attribute. Of a page that is still
coming, no more is held back than a tag or an inline script that is not complete yet.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from consentgate.page_reader import LONGEST_TEXT, TAG, Element, PageReader, element_of, end_of_script
from consentgate.prefilter import LOADING, LONGEST_OPENER, OPENER, PARTIAL_OPENER, Prefilter

__all__ = ["Rewriter", "Surroundings"]

_NAMES = frozenset((*LOADING, b"base", b"html"))
_AFTER_SCRIPT = 9  # bytes that have to be seen after a script's text: "</script" and what follows it
_MOST_REMEMBERED = 524_288  # bytes of a page that has left, kept in case that it has to be read from there
_BEGINNING = 65_536  # bytes of a longer page's beginning, which is kept besides: its language and its <base> are there
_LONGEST_TOKEN = 65_536  # bytes of one unfinished tag; a page with a longer one goes out as it is from there on


class Surroundings(NamedTuple):
    """Say what was learnt about a page before a tag.

    Args:
        has_base: whether a `<base>` changes what relative addresses mean.
        language: the `lang` of `<html>`, or an empty string.
    """

    has_base: bool = False
    language: str = ""


class Rewriter:
    """Change the start tags of one page.

    Args:
        concerns: called with a start tag and, for an inline script, its text (up to 64 KB); tells whether the tag may
            be changed. It may be asked about what turns out to be no tag.
        change: called with elements that can load something, up to the last that concerns us, in the page's order
            and without their attributes, and with what came before; returns what takes the place of a start tag,
            or `None`.
        prefilter: knows words, one of which is in all that concerns us; without it, every tag is asked about.
    """

    def __init__(
        self,
        concerns: Callable[[bytes, bytes], bool],
        change: Callable[[Element, Surroundings], bytes | None],
        prefilter: Prefilter | None = None,
    ) -> None:
        self._concerns = concerns
        self._change = change
        self._prefilter = prefilter
        self._pieces: list[bytes] = []  # what is held back
        self._held = 0  # bytes of it
        self._patience = _LONGEST_TOKEN  # up to how many of them a piece without a ">" is not worth a look
        self._left = 0  # bytes of the page that have left
        self._reader: PageReader | None = None
        self._read = 0  # bytes of the page that the reader has seen
        self._unread = deque[bytes]()  # what has left since
        self._unread_size = 0
        self._beginning = b""  # of a long page that was not read, because nothing in it concerned us
        self._around = Surroundings()
        self._finished = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece of the page and return what may leave now."""
        if self._finished:
            return chunk
        # No more than how a tag begins, which nobody has read yet.
        if self._held and self._held <= LONGEST_OPENER and self._read + self._unread_size == self._left:
            chunk = b"".join((*self._pieces, chunk))
            self._pieces, self._held = [], 0
        if not self._held and self._prefilter is not None and (end := self._prefilter.leaving(chunk)) >= 0:
            if end < len(chunk):
                self._pieces, self._held = [chunk[end:]], len(chunk) - end
                chunk = chunk[:end]
            self._left += end
            if end:
                self._remember(chunk)
            return chunk
        return self._take(chunk)

    def whole(self, page: bytes) -> bytes:
        """Take a page that comes in one piece, and return it changed."""
        wanted = self._wanted_of(page)
        if wanted < 0:
            return self._take(page) + self.close()
        return self._leave(page, len(page), self._elements(page, wanted)) if wanted else page

    def _wanted_of(self, page: bytes) -> int:
        """Return up to where a whole page has to be read for what concerns us; -1 where only reading can tell."""
        if self._prefilter is None:
            return -1
        hits = self._prefilter.hits(page)
        wanted = 0
        for _, end, concerns in self._loading(page, hits, hits[-1] + LONGEST_OPENER + 1 if hits else 0):
            if end < 0:
                return -1
            wanted = max(wanted, end) if concerns else wanted
        return wanted

    def _take(self, chunk: bytes) -> bytes:
        was_held = bool(self._pieces)
        self._pieces.append(chunk)
        self._held += len(chunk)
        if was_held and b">" not in chunk and self._held <= self._patience:
            return b""  # nothing can have become complete
        self._patience = max(_LONGEST_TOKEN, 2 * self._held)  # or an endless tag would be read again with each piece
        data = b"".join(self._pieces)
        complete, wanted = self._complete(data)
        if complete < 0 or (was_held and not complete):
            return self._read_through(data)
        return self._leave(data, complete, self._elements(data, wanted) if wanted else [])

    def close(self) -> bytes:
        """End the page and return what was held back."""
        data = b"".join(self._pieces)
        left = self._read_through(data) if data and not self._finished else data
        if self._finished:
            return left
        self._finished = True
        return left + b"".join(self._pieces)  # browsers drop an unfinished tag, and never run an unfinished script

    def _complete(self, data: bytes) -> tuple[int, int]:
        """Return up to where no tag is unfinished, and up to where the page has to be read because of what concerns us.

        The first is -1 where only reading can tell.
        """
        partial = PARTIAL_OPENER.search(data, max(0, len(data) - LONGEST_OPENER))
        complete = partial.start() if partial else len(data)
        hits = self._prefilter.hits(data) if self._prefilter is not None else None
        spans: list[tuple[int, int, bool]] = []
        for start, end, concerns in self._loading(data, hits, len(data)):
            if start < 0:
                return -1, 0
            if end < 0:
                complete = min(complete, start)
                break
            spans.append((start, end, concerns))
        # What looks unfinished may stand within another tag, an attribute's value say, that must not be torn.
        for start, end, _ in reversed(spans):
            complete = start if start < complete < end else complete
        wanted = max((end for _, end, concerns in spans if concerns and end <= complete), default=0)
        return (complete if len(data) - complete <= _LONGEST_TOKEN else -1), wanted

    def _loading(self, data: bytes, hits: Sequence[int] | None, until: int) -> Iterator[tuple[int, int, bool]]:
        """Yield from where to where what could load something stands, and whether it concerns us.

        It ends with -1 for an end where one is unfinished, and for its start as well where too much is looked at twice.
        """
        looked_at = 0
        for opener in OPENER.finditer(data, 0, until):
            start = opener.start()
            tag = TAG.match(data, start)
            text_end = _text_end(tag, data) if tag else -1
            if tag is None or text_end < 0:
                yield start, -1, False
                return
            looked_at += text_end - start
            if looked_at > 4 * len(data) + _LONGEST_TOKEN:
                yield -1, -1, False
                return
            end = min(text_end + _AFTER_SCRIPT, len(data)) if _is_script(tag) else text_end
            is_hit = hits is None or bisect_left(hits, start) < bisect_left(hits, text_end)
            text = data[tag.end() : min(text_end, tag.end() + LONGEST_TEXT)] if is_hit else b""
            yield start, end, is_hit and self._concerns(tag[0], text)

    def _elements(self, data: bytes, end: int) -> list[Element]:
        """Read the page as browsers do, up to an index in what is held, and return the elements there."""
        if self._beginning:
            beginning, self._beginning = self._beginning, b""
            for element in PageReader(_NAMES, with_attributes=False).feed(beginning):
                self._learn(element)
        reader = self._reader = self._reader or PageReader(_NAMES, with_attributes=False, start=self._read)
        found: list[Element] = []
        for piece in (*self._unread, data[max(0, self._read + self._unread_size - self._left) : end]):
            found += reader.feed(piece, at_once=True)
        self._read = max(self._read + self._unread_size, self._left + end)
        self._unread.clear()
        self._unread_size = 0
        return found

    def _read_through(self, data: bytes) -> bytes:
        """Read all there is, and let leave what that settles."""
        elements = self._elements(data, len(data))
        settled = self._reader.settled - self._left if self._reader else 0
        return self._leave(data, max(0, settled), elements)

    def _leave(self, data: bytes, end: int, elements: list[Element]) -> bytes:
        if self._reader is not None and self._reader.is_finished:  # a <plaintext>, or a tag beyond all bounds
            self._finished, end = True, len(data)
        parts: list[bytes] = []
        at = 0
        for element in elements:
            start = element.start - self._left
            self._learn(element)
            changed = self._change(element, self._around) if start >= at and self._is_hit(element) else None
            if changed is not None:
                parts += (data[at:start], changed)
                at = start + len(element.tag)
        self._pieces = [data[end:]] if end < len(data) else []
        self._held = len(data) - end
        unread = data[max(0, self._read + self._unread_size - self._left) : end]
        self._left += end
        if unread:
            self._remember(unread)
        if not parts:
            return data[:end]
        return b"".join((*parts, data[at:end]))

    def _remember(self, piece: bytes) -> None:
        """Keep a piece that has left, and forget the oldest of a long page.

        Should the rest have to be read nevertheless, it is from the oldest that is kept, as if no comment and no
        element with a text of its own had been open there: a reader finds its way back at the next end of one.
        """
        self._unread.append(piece)
        self._unread_size += len(piece)
        while self._unread_size > _MOST_REMEMBERED and len(self._unread) > 1:
            oldest = self._unread.popleft()
            if self._read == len(self._beginning) < _BEGINNING:
                self._beginning += oldest[: _BEGINNING - len(self._beginning)]
            self._reader = None
            self._read += len(oldest)
            self._unread_size -= len(oldest)

    def _is_hit(self, element: Element) -> bool:
        look = self._prefilter
        return look is None or look.is_in(element.tag) or look.is_in(element.text)

    def _learn(self, element: Element) -> None:
        if element.name == "base":
            self._around = self._around._replace(has_base=True)
        elif element.name == "html" and not self._around.language:
            self._around = self._around._replace(language=element_of(element.tag).attributes.get("lang", ""))


def _text_end(tag: re.Match[bytes], data: bytes) -> int:
    """Return where a script's text ends, for other elements the tag itself, or -1 when that has not come yet."""
    if not _is_script(tag):
        return tag.end()
    end = end_of_script(data, tag.end())
    return len(data) if end < 0 and len(data) - tag.end() > LONGEST_TEXT + _AFTER_SCRIPT else end


def _is_script(tag: re.Match[bytes]) -> bool:
    return tag[2].lower() == b"script"
