"""Put markup where a page's template left a mark for it: bytes in, bytes out, holding back a part of a mark at most."""

from __future__ import annotations

__all__ = ["MARK", "Placeholder"]

MARK = b"<!--consentgate-banner-->"
"""The same for every visitor, so that an application may cache what it rendered; by itself it shows nothing."""


class Placeholder:
    """Replace the first mark in one page.

    Args:
        markup: what stands there instead.
    """

    def __init__(self, markup: bytes) -> None:
        self._markup = markup
        self._held = b""
        self.is_filled = False

    def feed(self, chunk: bytes, *, last: bool) -> bytes:
        """Take the next piece of the page and return what may leave now."""
        if self.is_filled:
            return chunk
        data = self._held + chunk
        before, found, after = data.partition(MARK)
        if found:
            self.is_filled = True
            self._held = b""
            return before + self._markup + after
        leaves = len(data) if last else len(data) - _begun(data)
        self._held = data[leaves:]
        return data[:leaves]


def _begun(data: bytes) -> int:
    """Return how many bytes at the end may be the beginning of a mark."""
    return next((size for size in range(min(len(MARK) - 1, len(data)), 0, -1) if data.endswith(MARK[:size])), 0)
