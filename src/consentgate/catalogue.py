"""Well-known services and cookies, read from `catalogue.toml`: an address, a snippet or a name in, what it is out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from consentgate.storage import is_pattern, matches

__all__ = ["Catalogue", "KnownCookie", "KnownService", "catalogue"]

_GOOGLE = re.compile(r"(^|\.)google\.(?:com?\.)?[a-z]{2}$")
_PURPOSES: Mapping[str, str] = {
    "analytics": "Tells visits apart, so that they can be counted ({title}).",
    "marketing": "Recognises your browser for advertising ({title}).",
    "preferences": "Remembers you for {title}.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownService:
    """Describe a service that pages load from somebody else.

    Args:
        title: the name visitors know it by.
        provider: who receives the data.
        category: where most sites would ask for it.
        addresses: hosts with everything below them, followed by the beginning of the path where the host is not enough.
        elsewhere: a regular expression for the path and query of its script on any host; empty when there is none.
        snippets: what an inline script of it holds, without white space and with `'` for every quote.
        cookies: names and patterns of the cookies it sets on the site's own domain.
        advice: what is better than asking for it; empty when there is nothing better.
    """

    title: str
    provider: str
    category: str
    addresses: tuple[str, ...]
    elsewhere: str = ""
    snippets: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCookie:
    """Describe what a cookie of a certain name is usually for.

    Args:
        category: where most sites would list it.
        purpose: what it is for, in a sentence a visitor understands.
        provider: who sets it; empty when it is the site itself.
        is_guess: whether only a part of the name speaks for it.
    """

    category: str
    purpose: str
    provider: str = ""
    is_guess: bool = False


class Catalogue:
    """Look up services and cookies.

    Args:
        services: what pages may load.
        cookies: names or patterns in lower case, with what they stand for; the first that fits counts.
    """

    def __init__(self, services: Iterable[KnownService], cookies: Iterable[tuple[str, KnownCookie]]) -> None:
        self.services = tuple(services)
        self._cookies = [*_cookies_of(self.services), *cookies]
        self._elsewhere = [(re.compile(service.elsewhere), service) for service in self.services if service.elsewhere]
        self._snippets = [(snippet.encode(), service) for service in self.services for snippet in service.snippets]
        self._hosts: dict[str, list[tuple[str, KnownService]]] = {}
        for path, host, service in sorted(_addresses(self.services), key=lambda found: -len(found[0])):
            self._hosts.setdefault(host, []).append((path, service))

    def service_at(self, host: str, path: str) -> KnownService | None:
        """Return the service that an address belongs to: a host in lower case, and a path with its query."""
        host = _GOOGLE.sub(r"\1google.com", host)
        while host:
            for beginning, service in self._hosts.get(host, ()):
                if path.startswith(beginning):
                    return service
            _, _, host = host.partition(".")
        return next((service for pattern, service in self._elsewhere if pattern.search(path)), None)

    def services_in(self, script: bytes) -> Iterator[tuple[KnownService, str]]:
        """Yield the services an inline script starts, each with the snippet that gives it away.

        The script has to be stripped of comments and white space, and its quotes have to be `'`.
        """
        found = set()
        for snippet, service in self._snippets:
            if service.title not in found and snippet in script:
                found.add(service.title)
                yield service, snippet.decode()

    def cookie(self, name: str) -> KnownCookie | None:
        """Say what a cookie of this name is usually for, or `None` when nobody can tell."""
        name = name.lower().removeprefix("__host-").removeprefix("__secure-")
        return next((cookie for known, cookie in self._cookies if _fits(known, name)), None)


@cache
def catalogue() -> Catalogue:
    """Return the catalogue that comes with consentgate."""
    import tomllib

    content = resources.files("consentgate").joinpath("catalogue.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(content)
    return Catalogue(
        (KnownService(**_frozen(table)) for table in tables["services"]),
        ((name, _known_cookie(table, name)) for table in tables["cookies"] for name in table["names"]),
    )


def _frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _known_cookie(table: Mapping[str, str], name: str) -> KnownCookie:
    return KnownCookie(
        category=table["category"],
        purpose=table["purpose"],
        provider=table.get("provider", ""),
        is_guess=name.startswith("*"),
    )


def _cookies_of(services: Iterable[KnownService]) -> Iterator[tuple[str, KnownCookie]]:
    for service in services:
        if not service.cookies:  # a site's own service may be in a category of the site's own
            continue
        purpose = _PURPOSES[service.category].format(title=service.title)
        cookie = KnownCookie(category=service.category, purpose=purpose, provider=service.provider)
        yield from ((name.lower(), cookie) for name in service.cookies)


def _addresses(services: Iterable[KnownService]) -> Iterator[tuple[str, str, KnownService]]:
    for service in services:
        for address in service.addresses:
            host, slash, path = address.partition("/")
            yield slash + path, host, service


def _fits(known: str, name: str) -> bool:
    return matches(known, name) if is_pattern(known) else known == name
