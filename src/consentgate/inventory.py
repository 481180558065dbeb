"""Find the tags of well-known services that a page carries by itself: elements in, findings out.

A plain link is no finding, nor is a script whose type keeps it from running.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from consentgate.catalogue import Catalogue, KnownService, catalogue
from consentgate.page_reader import Element, PageReader

__all__ = [
    "HINTS",
    "Finding",
    "find_tags",
    "is_running_script",
    "links_in",
    "loads",
    "service_at",
    "tags_in_link_header",
    "tags_of",
]

_LONGEST_ADDRESS = 2_048  # bytes
_LONGEST_EVIDENCE = 100  # characters

_SOURCES: Mapping[str, str] = {
    "embed": "src",
    "frame": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
}
# A link of another kind is not followed before somebody clicks: canonical, alternate, author, me …
HINTS = frozenset(("dns-prefetch", "modulepreload", "preconnect", "prefetch", "preload", "prerender"))
"""Kinds of link that only prepare for what comes later."""
_LOADING = HINTS | {"apple-touch-icon", "icon", "stylesheet"}
# With another type, such as text/plain, a browser keeps a script as text (HTML 4.12.1.1).
_SCRIPT_TYPE = re.compile(
    r"(?:module)?|(?:text|application)/(?:x-)?(?:java|ecma)script|text/(?:javascript1\.[0-5]|jscript|livescript)"
)
# … except for the loaders that start such a script a moment later, whoever the visitor is and whatever was answered.
_DELAYED_TYPE = re.compile(
    r"(?:text/)?rocketlazyloadscript|pmdelayedscript|litespeed/javascript|nitropack/inlinescript|lazy"
    r"|[0-9a-f]{24}-(?:(?:text|application)/javascript|module)?"
)
_DELAYED_SOURCES = ("data-rocket-src", "data-src")
_AROUND_ADDRESS = "".join(map(chr, range(0x21)))  # what browsers drop at both ends (URL 4.4)
_WITHIN_ADDRESS = str.maketrans("\\", "/", "\t\n\r")  # what they drop and mend elsewhere
_ADDRESS = re.compile(r"(?:https?:)?//(?:[^/?#@]*+@)?([^/?#:\[\]@]++)(?::[0-9]*+)?([^#]*+)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*+:", re.IGNORECASE)
_IN_STYLE = re.compile(rb"""(?:@import[\t\n\f\r ]*+["']|url\([\t\n\f\r ]*+["']?+)([^"')\t\n\f\r ]++)""", re.IGNORECASE)
_STYLE_COMMENT = re.compile(rb"/\*.*?(?:\*/|\Z)", re.DOTALL)
# A comment begins where code can stand before it: "https://…" and "*/*" in a string are none.
_SCRIPT_COMMENT = re.compile(rb"/(?<![^\s;{}(),>]/)(?:\*.*?(?:\*/|\Z)|/[^\n\r]*+)", re.DOTALL)
_LINK = re.compile(rb"<([^<>]*+)>([^<,]*+)")
_REL = re.compile(rb"""rel[\t ]*+=[\t ]*+(?:"([^"]*+)"|([^\t ;,"]++))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """Tell of one service that a page carries.

    Args:
        title: the service's name.
        provider: who receives the data.
        evidence: what gives it away, shortened and without the query of an address.
        category: where most sites would ask for it.
        cookies: names and patterns of cookies it is known to set on the site's own domain.
        advice: what is better than asking for it; empty when there is nothing better.
    """

    title: str
    provider: str
    evidence: str
    category: str
    cookies: tuple[str, ...] = ()
    advice: str = ""

    @property
    def can_be_held_back(self) -> bool:
        """Whether its tag can be written inert; a style sheet within the page cannot."""
        return not self.evidence.startswith("<style>")


def find_tags(page: bytes) -> list[Finding]:
    """Return what a whole page carries, each piece of evidence once, in the page's order."""
    reader = PageReader()
    elements = reader.feed(page) + reader.close()
    return list(dict.fromkeys(finding for element in elements for finding in tags_of(element)))


# What an element loads.


def tags_of(element: Element, known: Catalogue | None = None) -> Iterator[Finding]:
    """Yield the services that an element loads or starts.

    Args:
        element: of a page.
        known: the services to look for; by default all that come with consentgate.
    """
    known = known or catalogue()
    name, attributes = element.name, element.attributes
    if name == "style":
        yield from _tags_of_style(element.text, known)
    elif name == "script":
        yield from _tags_of_script(attributes, element.text, known)
    elif name != "link" or loads(attributes.get("rel", "")):
        source = _SOURCES.get(name, "")
        yield from _tags_at(attributes.get(source, ""), f'<{name} {source}="%s">', known)


def tags_in_link_header(value: bytes) -> Iterator[Finding]:
    """Yield the services that a response's `Link` header makes browsers call (RFC 8288)."""
    for address, rel in links_in(value):
        if loads(rel):
            yield from _tags_at(address[:_LONGEST_ADDRESS], "Link: <%s>", catalogue())


def links_in(value: bytes) -> Iterator[tuple[str, str]]:
    """Yield address and relation of each member of a `Link` header (RFC 8288)."""
    for address, parameters in _LINK.findall(value):
        rel = _REL.search(parameters)
        yield address.decode("latin-1"), (rel[1] or rel[2] or b"").decode("latin-1") if rel else ""


def loads(rel: str) -> bool:
    """Tell whether browsers follow a link of this kind before somebody clicks."""
    return not _LOADING.isdisjoint(rel.lower().split())


def service_at(address: str, known: Catalogue) -> KnownService | None:
    """Return the service that an address in a page belongs to."""
    found = _host_and_path(address)
    return known.service_at(*found) if found else None


def _host_and_path(address: str) -> tuple[str, str] | None:
    address = address.strip(_AROUND_ADDRESS).translate(_WITHIN_ADDRESS)
    absolute = _ADDRESS.match(address)
    if absolute is None and _OTHER_SCHEME.match(address):
        return None
    return (absolute[1].lower().rstrip("."), absolute[2]) if absolute else ("", address)


def _tags_at(address: str, evidence: str, known: Catalogue) -> Iterator[Finding]:
    """Yield the service that an address belongs to, if any."""
    found = _host_and_path(address)
    service = known.service_at(*found) if found else None
    if found and service is not None:
        yield _finding(service, evidence % (found[0] + re.split(r"[?#]", found[1], maxsplit=1)[0]))


def _tags_of_style(text: bytes, known: Catalogue) -> Iterator[Finding]:
    for address in _IN_STYLE.findall(_STYLE_COMMENT.sub(b"", text)):
        yield from _tags_at(address[:_LONGEST_ADDRESS].decode("latin-1"), "<style> with %s", known)


def is_running_script(attributes: Mapping[str, str]) -> bool:
    """Tell whether a browser runs a script of this type (HTML 4.12.1.1)."""
    return _SCRIPT_TYPE.fullmatch(attributes.get("type", "").strip().lower()) is not None


def _tags_of_script(attributes: Mapping[str, str], text: bytes, known: Catalogue) -> Iterator[Finding]:
    delayed = _DELAYED_TYPE.fullmatch(attributes.get("type", "").strip().lower())
    if not delayed and not is_running_script(attributes):
        return
    sources = ("src", *_DELAYED_SOURCES) if delayed else ("src",)
    source = next((name for name in sources if name in attributes), None)
    if source:
        yield from _tags_at(attributes[source], f'<script {source}="%s">', known)
    else:
        yield from _tags_of_code(text, known)


def _tags_of_code(text: bytes, known: Catalogue) -> Iterator[Finding]:
    code = _SCRIPT_COMMENT.sub(b"", text).translate(None, b" \t\n\f\r")
    code = code.replace(b"\\/", b"/").replace(b'"', b"'").replace(b"`", b"'")
    for service, snippet in known.services_in(code):
        yield _finding(service, f"<script> with {snippet}")


def _finding(service: KnownService, evidence: str) -> Finding:
    shown = "".join(character if character.isprintable() else "?" for character in evidence)
    if len(shown) > _LONGEST_EVIDENCE:
        shown = shown[: _LONGEST_EVIDENCE - 1] + "…"
    return Finding(service.title, service.provider, shown, service.category, service.cookies, service.advice)
