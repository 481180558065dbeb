"""Pages that had to be read, as they came and as they left: the same page again need not be read again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from consentgate.bounded import Bounded
from consentgate.prefilter import Address

__all__ = ["KeptPage", "KeptPages"]

_MOST_KEPT = 4_194_304  # bytes of all of them
_LONGEST_KEPT = 262_144  # bytes of one, as it came
_MOST_SEEN = 1_024  # hashes of pages that came once
_AROUND_KEPT = 2_048  # bytes that Python itself needs for each, with its key


class KeptPage(NamedTuple):
    """Hold what became of a page.

    Args:
        came: the page.
        leaves: the same as it left.
        withheld: names of the services whose tags were held back, one for each tag.
        asks: whether the question was put into it.
    """

    came: bytes
    leaves: bytes
    withheld: tuple[str, ...]
    asks: bool


class KeptPages:
    """Keep pages that came twice, the last one for each choice at an address."""

    def __init__(self) -> None:
        self._pages: Bounded[tuple[Address, Hashable], KeptPage] = Bounded(_MOST_KEPT, _room)
        self._seen = set[int]()
        self.addresses = set[Address]()
        """Those of which a page is kept."""

    def find(self, address: Address, key: Hashable, page: bytes) -> KeptPage | None:
        """Return what became of a page, or `None` when it is not known.

        Args:
            address: what tells it from other pages, its host and path say.
            key: what else decides about what becomes of it; short, as visitors have a say in it.
            page: as it came.
        """
        kept = self._pages.get((address, key))
        return kept if kept is not None and kept.came == page else None

    def keep(self, address: Address, key: Hashable, page: KeptPage) -> None:
        """Keep a page, if it came before.

        Args:
            address: the same.
            key: the same.
            page: what became of it.
        """
        if len(page.came) > _LONGEST_KEPT:
            return
        seen = hash((address, key, page.came))
        if seen not in self._seen:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen.add(seen)
            return
        if self._pages.keep((address, key), page):
            self.addresses.clear()
        self.addresses.add(address)


def _room(key: tuple[Address, Hashable], page: KeptPage) -> int:
    """Return the memory that a page takes, in bytes, or a little more."""
    address, _ = key
    return len(page.came) + len(page.leaves) + 8 * sum(map(len, address)) + _AROUND_KEPT
