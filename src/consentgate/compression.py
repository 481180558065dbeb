"""Compress a page on its way out as the application would have, and open one that it did compress."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

__all__ = ["STEP", "Gunzip", "Gzip", "Habit", "accepts_gzip"]

STEP = 1_048_576
"""Bytes of a page that are opened at a time: more than most pages have, so that those stay in one piece."""

_LEVEL = 6  # zlib's own balance of time and size
_BITE = 65_536  # bytes that are handed to zlib at a time
_GZIP_WINDOW = 31  # bits, with the gzip header
# Possessive: a browser's 60 KB of spaces must not be tried in every possible way.
_WEIGHT = r"\s*+(?>(?:;\s*+q\s*+=\s*+([0-9.]++)\s*+)?)(?=,|$)"
_GZIP = re.compile(r"(?:^|,)\s*+(?:x-)?gzip" + _WEIGHT, re.IGNORECASE)
_ANY = re.compile(r"(?:^|,)\s*+\*" + _WEIGHT, re.IGNORECASE)


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether a browser takes gzip (RFC 9110 12.5.3): named with a weight above 0, or covered by `*`."""
    found = _GZIP.search(accept_encoding) or _ANY.search(accept_encoding)
    return found is not None and _weight(found[1]) > 0


def _weight(written: str | None) -> float:
    try:
        return 1.0 if written is None else float(written)
    except ValueError:
        return 0.0


class Habit:
    """Remember what an application has shown about its compression.

    Some say `Vary: Accept-Encoding` with every page that they would compress, also when they are asked not to: those
    are asked not to, so that the work is done once. Others say it only when they do compress. These are asked for gzip:
    a page they compress is opened and packed again, and a page they leave alone leaves as it is. To tell the two apart,
    one page that came compressed is asked for uncompressed the next time.
    """

    def __init__(self) -> None:
        self._says_so: bool | None = None
        self.tried: str | None = None
        """The path of a page that came compressed; from most applications none does, and nothing is remembered."""

    def rests_when_asked(self, path: str) -> bool:
        """Tell whether to ask for this page uncompressed."""
        return self.tried == path if self._says_so is None else self._says_so

    def awaits_plain(self, path: str) -> bool:
        """Tell whether something is to be learnt from this page when it comes uncompressed."""
        return self._says_so is None and self.tried == path

    def came_packed(self, path: str, *, varies: bool) -> None:
        """Note a page that came compressed."""
        if self._says_so is None and varies:
            self.tried = path

    def came_plain(self, path: str, *, varies: bool) -> bool:
        """Note a page that was asked for uncompressed, and tell whether the application would have compressed it."""
        if self._says_so is not None or self.tried != path:
            return varies
        self._says_so = varies
        return True


class Gunzip:
    """Open a compressed page piece by piece. One that is not gzip at all passes as it is."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(_GZIP_WINDOW)
        self._has_opened = False
        self._is_broken = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take a piece and yield what it holds, no more than `STEP` bytes at a time: a piece may hold a thousand times
        its size. What follows a fault inside a page is lost, as in a browser.
        """
        for start in range(0, len(chunk), _BITE):
            yield from self._opened(chunk[start : start + _BITE])

    def _opened(self, chunk: bytes) -> Iterator[bytes]:
        is_full = False  # whether there may be more to come of what was taken already
        while (chunk or is_full) and not self._is_broken:
            if self._decompressor.eof:  # several streams in a row are one page (RFC 1952 2.2)
                self._decompressor = zlib.decompressobj(_GZIP_WINDOW)
            try:
                opened = self._decompressor.decompress(chunk, STEP)
            except zlib.error:
                self._is_broken = True
                break
            chunk = self._decompressor.unconsumed_tail or self._decompressor.unused_data
            is_full = len(opened) == STEP
            if opened:
                self._has_opened = True
                yield opened
        if self._is_broken and not self._has_opened and chunk:
            yield chunk


class Gzip:
    """Compress one page piece by piece, so that each piece leaves at once."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def feed(self, chunk: bytes, *, last: bool) -> bytes:
        """Take a piece and return what the browser needs to show it."""
        compressed = self._compressor.compress(chunk) if chunk else b""
        if last:
            return compressed + self._compressor.flush()
        return compressed + self._compressor.flush(zlib.Z_SYNC_FLUSH) if chunk else compressed
