"""What a site keeps in a visitor's browser: one item of a category, and which names an item stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from consentgate.errors import Problem

__all__ = ["StorageItem", "StorageType", "expression", "is_pattern", "matches", "name_problem", "overlap"]

StorageType = Literal["cookie", "localStorage", "sessionStorage", "indexedDB", "script", "pixel"]

# RFC 6265bis 4.1.1: a cookie name is a token; `*` is ours, for any run of characters.
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SHORTEST_PATTERN = 2  # characters beside `*`: `*` alone would claim every cookie of the site


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageItem:
    """Describe one thing kept in, or read from, a visitor's browser.

    PECR (as amended in 2025) covers cookies, web storage, scripts and pixels alike.

    Args:
        name: the exact name, or a pattern in which `*` stands for any characters, for example `_ga_*`.
        purpose: what it is for, in a sentence a visitor understands.
        duration: how long it is kept, as a visitor reads it, for example `184 days`.
        provider: who sets or reads it; empty when it is the site itself.
        type: the kind of storage.
        path: the cookie's `Path` attribute, needed to expire it (RFC 6265bis 5.7).
    """

    name: str
    purpose: str
    duration: str
    provider: str = ""
    type: StorageType = "cookie"
    path: str = "/"

    def problems(self, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this item."""
        if remedy := name_problem(self.name, self.type):
            yield Problem(f"{place}.name", self.name, remedy)
        if not self.purpose.strip():
            yield Problem(f"{place}.purpose", self.purpose, "Say in one sentence what it is for.")
        if not self.duration.strip():
            yield Problem(f"{place}.duration", self.duration, 'Say how long it is kept, for example "1 year".')
        if not is_cookie_path(self.path):
            yield Problem(f"{place}.path", self.path, 'Write the cookie\'s path, starting with "/".')


def is_cookie_path(path: str) -> bool:
    """Tell whether a `Path` attribute can be written as it is (RFC 6265bis 4.1.1)."""
    return path.startswith("/") and path.isascii() and path.isprintable() and ";" not in path


def name_problem(name: str, kind: StorageType = "cookie") -> str | None:
    """Say why a name or pattern cannot be used, or `None` when it can."""
    if not name.strip():
        return "Give the name of the cookie or storage key."
    if kind == "cookie" and not _COOKIE_NAME.fullmatch(name):
        return "A cookie's name has no spaces, quotes, commas, semicolons or equals signs."
    if is_pattern(name) and len(name.replace("*", "")) < _SHORTEST_PATTERN:
        return f"Put at least {_SHORTEST_PATTERN} characters beside *, so that it cannot claim every name."
    return None


def is_pattern(name: str) -> bool:
    """Tell whether a name stands for several names."""
    return "*" in name


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *between = map(re.escape, re.split(r"\*+", pattern))
    last = f".*{between.pop()}" if between else ""
    # Atomic groups: a visitor's 60 KB cookie name must not be tried in every possible way.
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in between) + last, re.DOTALL)


def expression(pattern: str) -> str:
    """Return a pattern as a regular expression that browsers read, which know no atomic groups."""
    return ".*".join(map(re.escape, re.split(r"\*+", pattern)))


def matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern, or an exact name, stands for this name."""
    return _compiled(pattern).fullmatch(name) is not None


def overlap(one: str, other: str) -> bool:
    """Tell whether some name is matched by both patterns."""
    starts = {0}  # how much of `other` can stand for the same characters as the part of `one` looked at so far
    for character in one:
        reached = _after_stars(other, starts)
        if character == "*":
            starts = set(range(min(reached), len(other) + 1)) if reached else set()
            continue
        starts = {at + (other[at] != "*") for at in reached if other[at : at + 1] in (character, "*")}
    return len(other) in _after_stars(other, starts)


def _after_stars(pattern: str, starts: set[int]) -> set[int]:
    """Add the places reached when each `*` stands for nothing."""
    reached = set(starts)
    for at in starts:
        while pattern[at : at + 1] == "*":
            at += 1
            reached.add(at)
    return reached
