"""Which category a cookie's name belongs to, worked out once from the policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from consentgate.cookies import (
    AROUND,
    domains_to_clear,
    expiry_lines,
    is_writable_name,
    paths_to_clear,
    set_cookie_name,
)
from consentgate.policy import Category, ConsentPolicy
from consentgate.storage import is_pattern, matches

__all__ = ["MOST_EXPIRY_LINES", "CookieRules"]

Entry = TypeVar("Entry")

_MOST_KEPT = 1_024  # names
_LONGEST_KEPT = 256  # characters of a name whose rule is remembered: visitors choose the names they send
# About 100 bytes each: proxies commonly allow 4 to 8 KB for all of a response's headers. What is left over is
# expired by the next answer.
MOST_EXPIRY_LINES = 24
_LEAST_UNLIKELY = 4  # of them are kept for unlikely places, so that many cookies cannot crowd those out for ever
_MOST_AT_ONCE = 32  # cookies looked at in one answer: a visitor may send thousands
_TURNS_EACH = 1024  # turns before the next so many are looked at; enough for every line of the ones before


def own_cookie_names(policy: ConsentPolicy) -> list[str]:
    """List every name under which consentgate itself keeps a cookie."""
    plain = (policy.cookie_name, f"{policy.cookie_name}-message")
    return [prefix + name for name in plain for prefix in ("", "__Secure-", "__Host-")]


class CookieRules:
    """Answer for every cookie name whether a visitor's consent covers it.

    Exact names come before patterns, and what a category lists comes before what services leave behind.
    """

    def __init__(self, policy: ConsentPolicy) -> None:
        listed = [
            (item.name, category, item.path)
            for category in policy.categories
            for item in policy.items_of(category)
            if item.type == "cookie"
        ]
        leftovers = [
            (name, category, "/")
            for category in policy.categories
            for service in category.services
            for name in service.leftover_names()
        ]
        rules = listed + leftovers
        self._exact = {name: (category, path) for name, category, path in reversed(rules) if not is_pattern(name)}
        # No pattern of a site's may claim the consent cookie itself.
        self._exact |= dict.fromkeys(own_cookie_names(policy), (policy.first_essential, "/"))
        self._patterns = [rule for rule in rules if is_pattern(rule[0])]
        self._in_folders = [(name, category) for name, (category, path) in self._exact.items() if path != "/"]
        self._find = lru_cache(_MOST_KEPT)(self._look_up)
        self.of_lines = CategoriesOfLines(self.category_of)
        self._optional = _any_of([name for name, category, _ in rules if not category.is_essential]).search

    def category_of(self, name: str) -> Category | None:
        """Return the category that declares a cookie, or `None` for one that nobody declared."""
        found = self._rule_for(name)
        return found[0] if found else None

    def may_hold_optional(self, cookies: bytes) -> bool:
        """Tell whether one of a `Cookie` header's cookies may be one that a visitor can refuse, by how its name begins.

        Most requests have none, which is seen here without looking any name up.
        """
        return self._optional(b";" + cookies) is not None

    def permits(self, name: str, granted: frozenset[str]) -> bool:
        """Tell whether a cookie may be set or read; one that nobody declared may."""
        category = self.category_of(name)
        return category is None or category.id in granted

    def in_folders(self, granted: frozenset[str]) -> list[str]:
        """List the cookies, by exact name, that are not granted and that the policy puts into a folder of the site.

        A request for a page elsewhere does not carry them, so that only the policy can tell that they may be there.
        """
        return [name for name, category in self._in_folders if not category.is_essential and category.id not in granted]

    def expiries(
        self, names: Iterable[str], granted: frozenset[str], *, host: str, path: str, secure: bool, turn: int
    ) -> list[bytes]:
        """Write the `Set-Cookie` lines that expire what is not granted among a request's cookies.

        A request does not tell where a cookie was set. The likely places come first: its declared path on the host and
        every parent. The unlikely ones (a folder of this page, a partition) share the room that is left, another part
        of them at each turn.

        Args:
            names: the request's cookies.
            granted: ids of the granted categories.
            host: the request's host, without port.
            path: the request's path.
            secure: whether the lines may be `Secure`.
            turn: any number that grows from one answer to the next.
        """
        withheld = _part(list(self._withheld(names, granted)), _MOST_AT_ONCE, turn // _TURNS_EACH)
        domains = domains_to_clear(host)
        likely = [line for name, at in withheld for line in expiry_lines(name, domains, path=at, secure=secure)]
        unlikely = _unlikely(withheld, domains, path, secure=secure)
        room = max(min(len(unlikely), _LEAST_UNLIKELY), MOST_EXPIRY_LINES - len(likely))
        return _part(likely, MOST_EXPIRY_LINES - room, turn) + _part(unlikely, room, turn)

    def _withheld(self, names: Iterable[str], granted: frozenset[str]) -> Iterator[tuple[str, str]]:
        for name in names:
            found = self._rule_for(name)
            if found and found[0].id not in granted and is_writable_name(name):
                yield name, found[1]

    def _rule_for(self, name: str) -> tuple[Category, str] | None:
        return self._find(name) if len(name) <= _LONGEST_KEPT else self._look_up(name)

    def _look_up(self, name: str) -> tuple[Category, str] | None:
        if found := self._exact.get(name):
            return found
        for pattern, category, path in self._patterns:
            if matches(pattern, name):
                return category, path
        return None


class CategoriesOfLines(dict[bytes, Category | None]):
    """Say which category declares the cookie of a `Set-Cookie` line, by the line up to its first `=`.

    Args:
        category_of: returns the category that declares a name.
    """

    def __init__(self, category_of: Callable[[str], Category | None]) -> None:
        super().__init__()
        self._category_of = category_of

    def __missing__(self, named: bytes) -> Category | None:
        category = self._category_of(set_cookie_name(named))
        if b";" not in named and len(named) <= _LONGEST_KEPT:  # else a cookie's value may be in it
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[named] = category
        return category


def _any_of(names: Iterable[str]) -> re.Pattern[bytes]:
    """Return an expression for a cookie whose name begins as one of some names and patterns does."""
    beginnings = sorted({name.partition("*")[0].encode("latin-1") for name in names})
    named = b"|".join(map(re.escape, beginnings)) or rb"(?!)"
    return re.compile(rb";[%s]*(?:%s)" % (re.escape(AROUND), named))


def _unlikely(
    withheld: Sequence[tuple[str, str]], domains: Sequence[str | None], path: str, *, secure: bool
) -> list[bytes]:
    lines: list[bytes] = []
    for name, declared in withheld:
        if secure:
            lines += expiry_lines(name, domains, path=declared, partitioned=True)
        for other in dict.fromkeys(("/", *paths_to_clear(path))):
            if other != declared:
                lines += expiry_lines(name, domains, path=other, secure=secure)
    return lines


def _part(lines: list[Entry], room: int, turn: int) -> list[Entry]:
    """Return as many lines as there is room for, going round from one turn to the next."""
    if len(lines) <= room or not room:
        return lines[:room]
    start = turn * room % len(lines)
    return (lines[start:] + lines[:start])[:room]
