"""Hold back the tags that pages carry by themselves: which ones, for whom, and what leaves in their place.

Held back are the tags of services that the policy declares, and elements that are marked by hand with `data-consent`
(or in the ways of two other tools, so that sites can move over). A tag that the visitor agreed to passes untouched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from urllib.parse import quote

from consentgate.catalogue import Catalogue, KnownService, catalogue
from consentgate.declarations import declaring_category
from consentgate.inventory import HINTS, Finding, is_running_script, links_in, loads, service_at, tags_of
from consentgate.page_reader import Element, attributes_in, element_of, repeated
from consentgate.policy import ConsentPolicy
from consentgate.prefilter import Prefilter, Word
from consentgate.rewriter import Surroundings

__all__ = ["Held", "PrintedTags", "TagGate"]

_REMEMBERED = 2_048  # start tags whose meaning is kept: sites print the same ones on every page
_LONGEST_REMEMBERED = 1_024  # bytes of such a tag
_LANGUAGE = re.compile(r"[a-zA-Z0-9-]{2,35}")
_PLAIN = "text/plain"  # a type that no browser runs
_SCRIPTS_REMEMBERED = 64  # inline scripts, likewise
_LONGEST_SCRIPT_REMEMBERED = 8_192  # bytes of such a script
_EVERYDAY = ("php",)
_IN_WORDS = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
_LONGEST_GAP = 24  # bytes between a host's name and its path: the rest of the name, a port, a slash in any notation
_NAME_END = rb"[\t\n\f\r />=]"
_MARKS = (Word(b"data-consent"), Word(b"data-category", _NAME_END), Word(b"data-name", _NAME_END))
_TOKEN = re.compile(rb"[a-z0-9_-]+|[^a-z0-9_-]")
_BETWEEN_TOKENS = repeated(rb"\s|/\*" + repeated(rb"[^*]|\*(?!/)") + rb"\*/|//[^\n\r]*+")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_TINY = re.compile(r"\s*0*[0-2](?:px)?\s*")
_MEMBER = re.compile(rb"""[^,<]*<[^>]*>(?:[^,"]|"(?:[^"\\]|\\.)*")*""")
_SOURCES = (b"src", b"srcset", b"srcdoc", b"href", b"data")
"""Attributes by which an element loads something."""
_KEPT_AS = {name: b"data-consent-" + name for name in _SOURCES}
_BACK = {kept: name for name, kept in _KEPT_AS.items()} | {
    b"data-consent-type": b"type",
    b"data-type": b"type",
    b"data-src": b"src",
    b"data-srcset": b"srcset",
    b"data-href": b"href",
}


@dataclass(frozen=True, slots=True)
class Held:
    """Say what an element of a page means.

    Args:
        categories: what the visitor has to agree to, all of it.
        title: the service's name, or the host that an element loads from.
        inert: whether it is written so that browsers leave it alone.
    """

    categories: tuple[str, ...]
    title: str
    inert: bool


class PrintedTags:
    """Know which elements of pages a policy holds back.

    Args:
        policy: what visitors are asked.
    """

    def __init__(self, policy: ConsentPolicy) -> None:
        optional = {category.id for category in policy.optional_categories}
        own = [
            KnownService(
                title=service.title,
                provider=service.provider,
                category=category.id,
                addresses=service.addresses,
                snippets=service.snippets,
            )
            for category in policy.optional_categories
            for service in category.services
        ]
        declared = {service.title: service.category for service in own}
        for known in catalogue().services:
            finding = Finding(known.title, known.provider, "", known.category, known.cookies)
            category = declaring_category(policy, finding)
            if category is not None and category.id in optional:
                declared.setdefault(known.title, category.id)
        self._known = Catalogue((*own, *catalogue().services), ())
        self._declared = declared
        self._ids = {category.id for category in policy.categories}
        self._names = _names(policy, declared)
        services = [service for service in self._known.services if service.title in declared]
        self._in_scripts = Catalogue(services, ())
        self.prefilter = Prefilter((*_words(services), *_MARKS))
        self._of_tag = lru_cache(_REMEMBERED)(self._look_at)
        self._inert = lru_cache(_REMEMBERED)(_inert_script)
        self._of_script = lru_cache(_SCRIPTS_REMEMBERED)(self._look_at)

    def of(self, tag: bytes, text: bytes = b"") -> Held | None:
        """Say what a start tag, with the text of an inline script, means; `None` when it is left alone."""
        if text:
            return self._of_script(tag, text) if len(text) <= _LONGEST_SCRIPT_REMEMBERED else self._look_at(tag, text)
        return self._of_tag(tag) if len(tag) <= _LONGEST_REMEMBERED else self._look_at(tag)

    def inert_script(self, tag: bytes, categories: tuple[str, ...]) -> bytes:
        """Return a script's start tag as it waits for an answer.

        Args:
            tag: as the page has it.
            categories: ids of those that it waits for.
        """
        return self._inert(tag, categories) if len(tag) <= _LONGEST_REMEMBERED else _inert_script(tag, categories)

    def at(self, address: str) -> KnownService | None:
        """Return the declared service that an address belongs to."""
        service = service_at(address, self._known)
        return service if service is not None and service.title in self._declared else None

    def category_of(self, service: KnownService) -> str:
        """Return the id of the category in which a service is declared."""
        return self._declared[service.title]

    def _look_at(self, tag: bytes, text: bytes = b"") -> Held | None:
        element = element_of(tag, text)
        return self._marked(element) or self._recognised(element)

    def _recognised(self, element: Element) -> Held | None:
        known = self._in_scripts if element.text else self._known
        titles = [found.title for found in tags_of(element, known) if found.title in self._declared]
        if not titles:
            return None
        return Held(tuple(dict.fromkeys(self._declared[title] for title in titles)), titles[0], inert=False)

    def _marked(self, element: Element) -> Held | None:
        """Say what an element is marked with, by hand or by the conventions of other tools."""
        attributes = element.attributes
        is_plain = element.name == "script" and attributes.get("type", "").strip().lower() == _PLAIN
        waits = is_plain or any(name in attributes for name in ("data-src", "data-href", "data-consent-src"))
        if "data-consent" in attributes:
            named = attributes["data-consent"].split()
        elif is_plain and "data-category" in attributes:
            named = attributes["data-category"].split()
        elif waits and "data-name" in attributes:
            named = [self._names.get(_plain(attributes["data-name"]), "")]
        else:
            return None
        if not named or not self._ids.issuperset(named):
            return None
        runs = element.name == "script" and is_running_script(attributes)
        loads_now = any(attributes.get(name.decode()) for name in _SOURCES) if element.name != "script" else runs
        return Held(tuple(named), _title(element, self), inert=not loads_now)


class TagGate:
    """Decide for one visitor's page.

    Args:
        tags: what the policy holds back.
        granted: ids of the categories the visitor agreed to.
        embed: how the address begins of the page that stands in for a frame, up to its `for=…`, given what came
            before it and the frame's own address.
        script: markup of the script that brings tags to life once the visitor agrees; empty when nobody can agree on
            this page.
        note: told the name of the service of each tag that is held back.
    """

    def __init__(
        self,
        tags: PrintedTags,
        granted: frozenset[str],
        embed: Callable[[Surroundings, str], str],
        script: Callable[[Surroundings], bytes],
        note: Callable[[str], object] | None = None,
    ) -> None:
        self._tags = tags
        self._granted = granted
        self._embed = embed
        self._script = script
        self._note = note
        self._is_scripted = False
        self.has_met = False  # whether the page holds anything that depends on the visitor's choice

    def concerns(self, tag: bytes, text: bytes) -> bool:
        """Tell whether a tag may have to be changed for this visitor."""
        held = self._tags.of(tag, text)
        self.has_met |= held is not None
        return held is not None and (held.inert or not self._allows(held))

    def change(self, element: Element, around: Surroundings) -> bytes | None:
        """Return what takes the place of an element's start tag, or `None` to leave it."""
        held = self._tags.of(element.tag, element.text)
        if held is None:
            return None
        self.has_met = True  # where only reading could tell what is a tag, nobody asked about it before
        if self._allows(held):
            return _revived(element) if held.inert else None
        if self._note is not None and not held.inert:
            self._note(held.title)
        if element.name == "script":
            withheld = self._tags.inert_script(element.tag, held.categories)
        else:
            element = replace(element, attributes=element_of(element.tag).attributes)
            if _is_hint(element):
                return b""
            withheld = self._withheld(element, held, around)
        if element.in_noscript or element.in_foreign or self._is_scripted:
            return withheld
        self._is_scripted = True
        return self._script(around) + withheld

    def permits(self, address: str, rel: str) -> bool:
        """Tell whether a response may make browsers follow a link before somebody clicks."""
        service = self._tags.at(address) if loads(rel) else None
        return service is None or self._tags.category_of(service) in self._granted

    def link_header(self, value: bytes) -> bytes:
        """Return a `Link` header's value without the links that the visitor did not agree to."""
        members = _MEMBER.findall(value)
        kept = [member for member in members if all(self.permits(*link) for link in links_in(member))]
        return value if len(kept) == len(members) else b",".join(kept).strip()

    def _allows(self, held: Held) -> bool:
        return self._granted.issuperset(held.categories)

    def _withheld(self, element: Element, held: Held, around: Surroundings) -> bytes:
        category = _consent_attribute(held.categories)
        names = {**_KEPT_AS, b"data-src": b"data-consent-src", b"data-href": b"data-consent-href"}
        if element.in_noscript and (element.name != "iframe" or _is_hidden(element)):
            return _edited(element.tag, category, {}, {b"data-consent", *names})
        add = category
        if element.name in ("iframe", "frame") and not _is_hidden(element):
            add += self._placeholder(element, held, around)
        return _edited(element.tag, add, names, {b"data-consent"})

    def _placeholder(self, element: Element, held: Held, around: Surroundings) -> bytes:
        address = next((value for name in _ADDRESSES if (value := element.attributes.get(name))), "")
        query = f"for={quote(' '.join(held.categories))}&src={quote(address, safe='')}"
        if _LANGUAGE.fullmatch(around.language):
            query += f"&lang={around.language}"
        attributes = f' src="{escape(self._embed(around, address) + query)}"'
        if not element.attributes.get("title", "").strip():
            attributes += f' title="{escape(held.title)}"'
        return attributes.encode("ascii", "xmlcharrefreplace")


_ADDRESSES = ("data-consent-src", "data-src", "src")


def _words(services: Iterable[KnownService]) -> Iterator[Word]:
    """Yield words, one of which is in every tag and every inline script that one of some services is recognised by."""
    for service in services:
        yield from map(_word_of_address, service.addresses)
        yield from (Word(word.encode()) for word in re.findall("[a-z]{3,}", service.elsewhere) if word not in _EVERYDAY)
        named = [snippet for snippet in service.snippets if any(address in snippet for address in service.addresses)]
        yield from (_word_of_snippet(snippet) for snippet in service.snippets if snippet not in named)


def _word_of_address(address: str) -> Word:
    host, _, path = address.lower().encode().partition(b"/")
    if host == b"google.com" or host.endswith(b".google.com"):
        host = host.removesuffix(b"com")  # it stands for every google.<country>
    beginning = re.match(rb"[a-z0-9_-]*", path)
    return Word(host, b".{1,%d}?%s" % (_LONGEST_GAP, beginning[0]) if beginning and beginning[0] else b"")


def _word_of_snippet(snippet: str) -> Word:
    """Return what a snippet begins with, and the rest of it as scripts may write it."""
    tokens = _TOKEN.findall(snippet.encode().lower())
    first = next((number for number, token in enumerate(tokens) if token[0] in _IN_WORDS), 0)
    return Word(tokens[first], b"".join(_BETWEEN_TOKENS + _written(token) for token in tokens[first + 1 :]))


def _written(token: bytes) -> bytes:
    return {b"'": b"['\"`]", b"/": rb"\\?/"}.get(token, re.escape(token))


def _names(policy: ConsentPolicy, declared: Mapping[str, str]) -> dict[str, str]:
    """Map what other tools may call a service or a category to the category's id."""
    names = {_plain(title): category for title, category in declared.items()}
    for category in policy.categories:
        names |= {_plain(service.kind): category.id for service in category.services if service.kind != "custom"}
        names[_plain(category.id)] = category.id
    return names


def _plain(name: str) -> str:
    return _NOT_IN_A_NAME.sub("", name.lower())


def _title(element: Element, tags: PrintedTags) -> str:
    address = next((value for name in _ADDRESSES if (value := element.attributes.get(name))), "")
    service = tags.at(address)
    if service is not None:
        return service.title
    return address.partition("//")[2].partition("/")[0] or element.name


def _is_hint(element: Element) -> bool:
    rel = element.attributes.get("rel", "").lower().split()
    return element.name == "link" and not HINTS.isdisjoint(rel) and "stylesheet" not in rel


def _is_hidden(element: Element) -> bool:
    """Tell whether a frame is one that nobody is meant to see."""
    attributes = element.attributes
    if "hidden" in attributes or _HIDDEN_STYLE.search(attributes.get("style", "")):
        return True
    return any(_TINY.fullmatch(attributes[name]) for name in ("width", "height") if name in attributes)


def _consent_attribute(categories: Iterable[str]) -> bytes:
    return b' data-consent="%s"' % " ".join(categories).encode("ascii")


def _inert_script(tag: bytes, categories: tuple[str, ...]) -> bytes:
    rename = {b"type": b"data-consent-type", b"data-type": b"data-consent-type", b"data-src": b"src"}
    was_plain = element_of(tag).attributes.get("type", "").strip().lower() == _PLAIN
    drop = {b"data-consent", *((b"type",) if was_plain else ())}
    add = b' type="text/plain"' + _consent_attribute(categories)
    return _edited(tag, add, {name: new for name, new in rename.items() if name not in drop}, drop)


def _revived(element: Element) -> bytes:
    """Return a start tag as it was before it was written inert."""
    names = {attribute.name for attribute in attributes_in(element.tag)}
    is_script = element.name == "script"
    drop = {b"data-consent"} | ({b"type"} if is_script else set())
    drop |= {target for source, target in _BACK.items() if source in names and source != b"data-type"}
    rename = {source: target for source, target in _BACK.items() if is_script or source != b"data-type"}
    return _edited(element.tag, b"", rename, drop)


def _edited(tag: bytes, add: bytes, rename: Mapping[bytes, bytes], drop: Iterable[bytes]) -> bytes:
    """Return a start tag with attributes added, renamed and left out; all other bytes of it stay."""
    attributes = attributes_in(tag)
    name_end = next((at for at in range(1, len(tag)) if tag[at : at + 1] in b"\t\n\f\r />"), len(tag))
    parts = [tag[:name_end], add]
    at, dropped, seen = name_end, frozenset(drop), set[bytes]()
    for attribute in attributes:
        name = attribute.name
        if name in dropped or (name in rename and rename[name] in seen):
            parts.append(tag[at : attribute.start].rstrip(b"\t\n\f\r "))
            at = attribute.end
        elif name in rename:
            seen.add(rename[name])
            parts += (tag[at : attribute.start], rename[name])
            at = attribute.name_end
    parts.append(tag[at:])
    return b"".join(parts)
