"""A store that never takes more than so many bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Bounded"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(dict[Key, Value]):
    """Keep values up to so many bytes. All are let go when they would be more: what is needed comes again.

    Args:
        most: bytes of all values together.
        room: says how many bytes a key and its value take.
    """

    def __init__(self, most: int, room: Callable[[Key, Value], int]) -> None:
        super().__init__()
        self._most = most
        self._room = room
        self._size = 0  # bytes

    def keep(self, key: Key, value: Value) -> bool:
        """Keep a value in place of the last one, and tell whether all others were let go."""
        room = self._room(key, value)
        before = self.get(key)
        self._size += room - (0 if before is None else self._room(key, before))
        is_full = self._size > self._most
        if is_full:
            self.clear()
            self._size = room
        self[key] = value
        return is_full
