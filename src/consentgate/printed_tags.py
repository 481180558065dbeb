"""Hold back the tags that pages carry by themselves: which ones, for whom, and what leaves in their place.

Held back are the tags of services that the policy declares, and elements that are marked by hand with `data-consent`
(or in the ways of two other tools, so that sites can move over). A tag that the visitor agreed to passes untouched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from urllib.parse import quote

from consentgate.catalogue import Catalogue, KnownService, catalogue
from consentgate.declarations import declaring_category
from consentgate.inventory import HINTS, Finding, is_running_script, links_in, loads, service_at, tags_of
from consentgate.page_reader import Element, attributes_in, element_of
from consentgate.policy import ConsentPolicy
from consentgate.rewriter import Surroundings

__all__ = ["Held", "PrintedTags", "TagGate"]

_REMEMBERED = 2_048  # start tags whose meaning is kept: sites print the same ones on every page
_LONGEST_REMEMBERED = 1_024  # bytes of such a tag
_LANGUAGE = re.compile(r"[a-zA-Z0-9-]{2,35}")
_PLAIN = "text/plain"  # a type that no browser runs
_SCRIPTS_REMEMBERED = 64  # inline scripts, likewise
_LONGEST_SCRIPT_REMEMBERED = 8_192  # bytes of such a script
_HOST = re.compile(rb"[/\\]{2}([^/\\\"'?#>\t\n\f\r ]+)")
_MARKS = (b"data-consent", b"data-category", b"data-name")
_EVERYDAY = frozenset(("com", "config", "create", "init", "load", "net", "org", "php", "push"))
_SHORTEST_NEEDLE = 5
_MARK = re.compile(rb"[dD][aA][tT][aA]-(?i:consent|category|name)")
_WORD = re.compile(rb"[A-Za-z0-9_.-]{3,}")
_WORD_IN_SNIPPET = re.compile(r"[A-Za-z0-9_.-]{3,}")
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
        words = (_WORD.findall(snippet.encode()) for service in services for snippet in service.snippets)
        self._snippets = frozenset(max(found, key=len) for found in words if found)
        self._is_anywhere = any(service.elsewhere for service in services)  # some serve their script themselves
        self._hosts = {address.partition("/")[0] for service in services for address in service.addresses}
        self._needles = (*_needles(services), *_MARKS)
        self._is_theirs = lru_cache(_REMEMBERED)(self._look_up)
        self._of_tag = lru_cache(_REMEMBERED)(self._look_at)
        self._of_script = lru_cache(_SCRIPTS_REMEMBERED)(self._look_into)

    def may_be_in(self, page: bytes) -> bool:
        """Tell quickly whether a whole page can hold anything that is held back; most cannot.

        Looked for are a few words, as they are written in nearly all pages: in lower case, and with no character
        references in them. Of a service whose script the page does not name, an inline snippet alone loads nothing.
        """
        return any(map(page.__contains__, self._needles))

    def of(self, tag: bytes, text: bytes = b"") -> Held | None:
        """Say what a start tag, with the text of an inline script, means; `None` when it is left alone."""
        if text:
            return self._of_script(tag, text) if len(text) <= _LONGEST_SCRIPT_REMEMBERED else self._look_into(tag, text)
        if not self._may_matter(tag):
            return None
        return self._of_tag(tag) if len(tag) <= _LONGEST_REMEMBERED else self._look_at(tag)

    def at(self, address: str) -> KnownService | None:
        """Return the declared service that an address belongs to."""
        service = service_at(address, self._known)
        return service if service is not None and service.title in self._declared else None

    def category_of(self, service: KnownService) -> str:
        """Return the id of the category in which a service is declared."""
        return self._declared[service.title]

    def _look_into(self, tag: bytes, text: bytes) -> Held | None:
        is_snippet = any(word in text for word in self._snippets)
        return self._look_at(tag, text if is_snippet else b"") if is_snippet or self._may_matter(tag) else None

    def _may_matter(self, tag: bytes) -> bool:
        """Tell quickly whether a tag is worth reading: most load from the site itself, or from nobody we know."""
        if any(self._is_theirs(host) for host in _HOST.findall(tag)) or _MARK.search(tag):
            return True
        return self._is_anywhere and tag[1:2] in b"sS"

    def _look_up(self, host: bytes) -> bool:
        host = host.rpartition(b"@")[2].partition(b":")[0].lower().rstrip(b".")
        if b"&" in host or b"google." in host:  # written with character references, or one of many countries
            return True
        name = host.decode("latin-1")
        while name:
            if name in self._hosts:
                return True
            _, _, name = name.partition(".")
        return False

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
        element = replace(element, attributes=element_of(element.tag).attributes)
        if self._allows(held):
            return _revived(element) if held.inert else None
        if self._note is not None and not held.inert:
            self._note(held.title)
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
        category = b' data-consent="%s"' % " ".join(held.categories).encode("ascii")
        if element.name == "script":
            add = b' type="text/plain"' + category
            rename = {b"type": b"data-consent-type", b"data-type": b"data-consent-type", b"data-src": b"src"}
            was_plain = element.attributes.get("type", "").strip().lower() == _PLAIN
            drop = {b"data-consent", *((b"type",) if was_plain else ())}
            return _edited(element.tag, add, {name: new for name, new in rename.items() if name not in drop}, drop)
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


def _needles(services: Iterable[KnownService]) -> tuple[bytes, ...]:
    """Return a few words, one of which is in every page that loads one of the services."""
    wanted = set[frozenset[str]]()  # of each of these, one word has to be there
    for service in services:
        hosts = (address.partition("/")[0] for address in service.addresses)
        wanted |= {frozenset((host.removesuffix(".com") if "google." in host else host,)) for host in hosts}
        wanted |= {frozenset((word,)) for word in re.findall("[a-z]{3,}", service.elsewhere)}
        wanted |= {frozenset(_WORD_IN_SNIPPET.findall(snippet)) for snippet in service.snippets}
    wanted = {_rare(words) for words in wanted if words - _EVERYDAY}
    parts = {words: {part for word in words for part in _parts(word)} for words in wanted}
    found = []
    while parts:
        counts = Counter(part for of_words in parts.values() for part in of_words)
        best = max(counts, key=lambda part: (counts[part], len(part), part))
        found.append(best)
        parts = {words: of_words for words, of_words in parts.items() if best not in of_words}
    return tuple(needle.encode() for needle in found)


def _rare(words: frozenset[str]) -> frozenset[str]:
    """Return those of some words that are worth looking for."""
    words -= _EVERYDAY
    return frozenset(word for word in words if len(word) >= _SHORTEST_NEEDLE) or frozenset((max(words, key=len),))


def _parts(word: str) -> Iterable[str]:
    """List the parts of a word that are long enough to be rare, and the word itself."""
    yield word
    for start in range(len(word) - _SHORTEST_NEEDLE + 1):
        for end in range(start + _SHORTEST_NEEDLE, len(word) + 1):
            yield word[start:end]


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
