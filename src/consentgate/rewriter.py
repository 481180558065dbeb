"""Change single start tags of an HTML byte stream: bytes in, bytes out, no I/O, all other bytes as they came.

Most pages hold nothing to change, and finding that out is cheap: only the tags that could load something are looked
at, wherever they stand. When one of them concerns us the page is read as browsers read it, from its first byte, since
only that tells a tag from the same letters in a comment, a text or another tag's attribute. Of a page that is still
coming, no more is held back than a tag or an inline script that is not complete yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from consentgate.page_reader import LONGEST_TEXT, TAG, Element, PageReader, element_of, end_of_script

__all__ = ["Rewriter", "Surroundings"]

_LOADING = (b"embed", b"frame", b"iframe", b"img", b"link", b"object", b"script")
_NAMES = frozenset((*_LOADING, b"base", b"html"))
# The first letters are written out in both cases: `re` passes what is no tag of these several times as fast so.
_OPENER = re.compile(
    rb"<(?=[eEfFiIlLoOsS][bBcCfFiImMrR][aAbBgGjJnNrR])(?i:" + b"|".join(_LOADING) + rb")(?=[\t\n\f\r />])"
)
_PARTIAL_OPENER = re.compile(rb"<[a-zA-Z]{0,6}\Z")
_LONGEST_OPENER = 7  # bytes: "<script"
_LAST_BYTES = 2_048  # of a piece, in which an unfinished tag begins: few are longer
_AFTER_SCRIPT = 9  # bytes that have to be seen after a script's text: "</script" and what follows it
_MOST_REMEMBERED = 524_288  # bytes of a page that has left, kept in case that it has to be read from there
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
        change: called with each element that can load something, up to the last that concerns us, in the page's order
            and without its attributes, and with what came before it; returns what takes the place of its start tag,
            or `None`.
        may_be_in: tells quickly of a piece whether it can hold a part of what concerns us.
    """

    def __init__(
        self,
        concerns: Callable[[bytes, bytes], bool],
        change: Callable[[Element, Surroundings], bytes | None],
        may_be_in: Callable[[bytes], bool] = lambda piece: True,
    ) -> None:
        self._concerns = concerns
        self._change = change
        self._may_be_in = may_be_in
        self._pieces: list[bytes] = []  # what is held back
        self._left = 0  # bytes of the page that have left
        self._reader: PageReader | None = None
        self._read = 0  # bytes of the page that the reader has seen
        self._unread: list[bytes] = []  # what has left since
        self._unread_size = 0
        self._around = Surroundings()
        self._finished = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece of the page and return what may leave now."""
        if self._finished:
            return chunk
        was_held = bool(self._pieces)
        if not was_held and not self._may_be_in(chunk) and _ends_plainly(chunk):
            return self._leave(chunk, len(chunk), [])
        self._pieces.append(chunk)
        if was_held and b">" not in chunk and sum(map(len, self._pieces)) <= _LONGEST_TOKEN:
            return b""  # nothing can have become complete
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
        partial = _PARTIAL_OPENER.search(data, max(0, len(data) - _LONGEST_OPENER))
        complete = partial.start() if partial else len(data)
        spans: list[tuple[int, int, bool]] = []
        looked_at = 0
        for opener in _OPENER.finditer(data):
            start = opener.start()
            tag = TAG.match(data, start)
            text_end = _text_end(tag, data) if tag else -1
            if tag is None or text_end < 0:
                complete = min(complete, start)
                break
            looked_at += text_end - start
            if looked_at > 4 * len(data) + _LONGEST_TOKEN:
                return -1, 0
            text = data[tag.end() : min(text_end, tag.end() + LONGEST_TEXT)]
            end = min(text_end + _AFTER_SCRIPT, len(data)) if _is_script(tag) else text_end
            spans.append((start, end, self._concerns(tag[0], text)))
        # What looks unfinished may stand within another tag, an attribute's value say, that must not be torn.
        for start, end, _ in reversed(spans):
            complete = start if start < complete < end else complete
        wanted = max((end for _, end, concerns in spans if concerns and end <= complete), default=0)
        return (complete if len(data) - complete <= _LONGEST_TOKEN else -1), wanted

    def _elements(self, data: bytes, end: int) -> list[Element]:
        """Read the page as browsers do, up to an index in what is held, and return the elements there."""
        reader = self._reader = self._reader or PageReader(_NAMES, with_attributes=False)
        found: list[Element] = []
        for piece in (*self._unread, data[max(0, self._read + self._unread_size - self._left) : end]):
            found += reader.feed(piece, at_once=True)
        self._read = max(self._read + self._unread_size, self._left + end)
        self._unread, self._unread_size = [], 0
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
            changed = self._change(element, self._around) if start >= at else None
            if changed is not None:
                parts += (data[at:start], changed)
                at = start + len(element.tag)
        self._pieces = [data[end:]] if end < len(data) else []
        unread = data[max(0, self._read + self._unread_size - self._left) : end]
        self._left += end
        if unread:
            self._remember(unread)
        if not parts:
            return data[:end]
        return b"".join((*parts, data[at:end]))

    def _remember(self, piece: bytes) -> None:
        self._unread.append(piece)
        self._unread_size += len(piece)
        if self._unread_size > _MOST_REMEMBERED and len(self._unread) > 1:
            for element in self._elements(b"", 0):
                self._learn(element)

    def _learn(self, element: Element) -> None:
        if element.name == "base":
            self._around = self._around._replace(has_base=True)
        elif element.name == "html" and not self._around.language:
            self._around = self._around._replace(language=element_of(element.tag).attributes.get("lang", ""))


def _ends_plainly(piece: bytes) -> bool:
    """Tell quickly whether no tag that could load something, and no script, is unfinished where a piece ends."""
    for script in (b"<script", b"<SCRIPT", b"<Script"):
        at = piece.rfind(script)
        if at >= 0 and end_of_script(piece, at + 1) < 0:
            return False
    if _PARTIAL_OPENER.search(piece, max(0, len(piece) - _LONGEST_OPENER)):
        return False
    start = max(0, len(piece) - _LAST_BYTES)
    return all(TAG.match(piece, opener.start()) for opener in _OPENER.finditer(piece, start))


def _text_end(tag: re.Match[bytes], data: bytes) -> int:
    """Return where a script's text ends, for other elements the tag itself, or -1 when that has not come yet."""
    if not _is_script(tag):
        return tag.end()
    end = end_of_script(data, tag.end())
    return len(data) if end < 0 and len(data) - tag.end() > LONGEST_TEXT + _AFTER_SCRIPT else end


def _is_script(tag: re.Match[bytes]) -> bool:
    return tag[2].lower() == b"script"
