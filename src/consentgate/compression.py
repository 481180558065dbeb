"""Compress a page again that we had asked the application to leave uncompressed."""

from __future__ import annotations

import re
import zlib

__all__ = ["Gzip", "accepts_gzip"]

_LEVEL = 6  # zlib's own balance of time and size
_GZIP_WINDOW = 31  # bits, with the gzip header
# Possessive: a browser's 60 KB of spaces must not be tried in every possible way.
_WEIGHT = r"\s*+(?:;\s*+q\s*+=\s*+([0-9.]++)\s*+)?+(?=,|$)"
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
