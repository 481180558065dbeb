"""Follow the links of a site as two visitors, one undecided and one who granted everything, and list what they met."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urljoin, urlsplit

from starlette.types import ASGIApp

from consentgate.cli.import_app import said
from consentgate.cli.visitor import Answer, Page, Visitor
from consentgate.inventory import Finding, tags_in_link_header, tags_of
from consentgate.page_reader import TAGS, PageReader
from consentgate.testing import PresetConsent
from consentgate.visit import Site

__all__ = ["Crawl", "Sighting", "Who", "crawl"]

Who = Literal["undecided", "granted"]

_SCHEME = "https"
_LINKS = frozenset((b"a", b"area", b"base", b"frame", b"iframe"))
_LONGEST_PATH = 2_048  # characters
_SAFE = "/?%&=+,;:@!$'()*~#[]"


@dataclass(frozen=True, slots=True)
class Sighting:
    """Tell where something was met: on which path, by which visitor."""

    path: str
    who: Who


@dataclass(slots=True)
class Crawl:
    """Collect what the visitors met.

    Args:
        pages: how many answers each visitor got.
        cookies: the `Set-Cookie` lines the application wrote, by name, with the first places.
        tags: the services that pages carry by themselves.
        unlinked: pages without a link to the cookies page.
        failures: pages on which the application raised, with the error.
        elsewhere: other hosts that redirects led to.
        left_out: how many further links were known when the limit was reached.
    """

    pages: dict[Who, int] = field(default_factory=dict)
    cookies: list[tuple[bytes, Sighting]] = field(default_factory=list)
    tags: list[tuple[Finding, Sighting]] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)
    failures: list[tuple[str, Sighting]] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)
    left_out: int = 0


async def crawl(
    app: ASGIApp,
    site: Site,
    *,
    host: str,
    paths: Sequence[str],
    most_pages: int,
    state: Mapping[str, Any],
) -> Crawl:
    """Visit an application twice.

    Args:
        app: with ConsentMiddleware around or inside it.
        site: of that middleware.
        host: the `Host` header.
        paths: where to start.
        most_pages: how many pages each visitor opens.
        state: what the application's lifespan left for its requests.
    """
    found = Crawl()
    jars: Mapping[Who, Mapping[str, str]] = {"undecided": {}, "granted": _everything(site, host)}
    for who, cookies in jars.items():
        visitor = Visitor(app, host, cookies=cookies, state=state)
        await _Walk(visitor, who, site, found).run(paths, most_pages)
    return found


def _everything(site: Site, host: str) -> dict[str, str]:
    granted = [category.id for category in site.policy.categories]
    preset = PresetConsent.signed(
        site.cookie, site.policy, granted=granted, host=_hostname(host), scheme=_SCHEME, now=site.now()
    )
    return preset.as_httpx()


class _Walk:
    """Let one visitor follow the links."""

    def __init__(self, visitor: Visitor, who: Who, site: Site, found: Crawl) -> None:
        self._visitor = visitor
        self._who = who
        self._site = site
        self._own_prefix = site.policy.path_prefix
        self._found = found
        self._queue: deque[str] = deque()
        self._known: set[str] = set()

    async def run(self, paths: Sequence[str], most_pages: int) -> None:
        for path in paths:
            self._follow(path, _SCHEME + "://" + self._visitor.host + "/")
        opened = 0
        while self._queue and opened < most_pages:
            path = self._queue.popleft()
            self._look_at(path, await self._visitor.open(path))
            opened += 1
        self._found.pages[self._who] = opened
        self._found.left_out = max(self._found.left_out, len(self._queue))

    def _look_at(self, path: str, page: Page) -> None:
        here = Sighting(path.partition("?")[0], self._who)
        if page.error is not None:
            self._found.failures.append((said(page.error), here))
        self._found.cookies += [(line, here) for line in page.written.values(b"set-cookie")]
        self._found.tags += [
            (tag, here) for value in page.written.values(b"link") for tag in tags_in_link_header(value)
        ]
        address = f"{_SCHEME}://{self._visitor.host}{path}"
        if 300 <= page.left.status < 400:
            for location in page.left.values(b"location"):
                self._follow(location.decode("latin-1"), address, from_redirect=True)
        if page.written.is_html:
            is_linked = self._read(page.written, address, here)
            if page.written.status == 200 and not is_linked and not self._site.skips(here.path):
                self._found.unlinked.append(here.path)

    def _read(self, answer: Answer, address: str, here: Sighting) -> bool:
        """Look at a page's elements, and tell whether one links to the cookies page."""
        is_linked = False
        reader = PageReader(TAGS | _LINKS)
        base = address
        for element in reader.feed(bytes(answer.body)) + reader.close():
            self._found.tags += [(tag, here) for tag in tags_of(element)]
            link = element.attributes.get("src" if element.name in ("frame", "iframe") else "href", "")
            if element.name == "base" and link and base == address:
                base = urljoin(address, link)
            elif element.name.encode() in _LINKS:
                is_linked |= element.name == "a" and self._is_own(_path(base, link))
                self._follow(link, base)
        return is_linked

    def _is_own(self, path: str) -> bool:
        return path == self._own_prefix or path.startswith(self._own_prefix + "/")

    def _follow(self, link: str, base: str, *, from_redirect: bool = False) -> None:
        """Remember a link of this site for later."""
        try:
            parts = urlsplit(urljoin(base, link.strip()))
            host = parts.hostname or ""
        except ValueError:
            return
        if parts.scheme not in ("http", "https"):
            return
        if host != _hostname(self._visitor.host):
            if from_redirect:
                self._found.elsewhere.add(host)
            return
        path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
        if path not in self._known and not self._is_own(parts.path) and len(path) <= _LONGEST_PATH:
            self._known.add(path)
            self._queue.append(path)


def _path(base: str, link: str) -> str:
    try:
        return urlsplit(urljoin(base, link.strip())).path
    except ValueError:  # not an address
        return ""


def _hostname(authority: str) -> str:
    return urlsplit(f"//{authority}").hostname or ""
