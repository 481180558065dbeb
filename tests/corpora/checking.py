"""Put banner and tags into a page, cut in several ways, and compare it with the page before in real HTML5 parsers.

The markup is what a visitor gets who has not answered, so that a banner which an old page would break shows here too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from xml.dom.minidom import Document, Node

import html5lib
from selectolax.lexbor import LexborHTMLParser, LexborNode

from consentgate import Category, ConsentPolicy, Controller, GoogleAnalytics
from consentgate.beginnings import Markup
from consentgate.injector import Injector
from consentgate.rendering import Addresses, Place, Rendering

__all__ = ["Outcome", "check", "html5lib_faults"]

_POLICY = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-LUTON123"),)),),
)
_PLACE = Place(host="", root="", secure=True)
_ADDRESSES = Addresses.at(_PLACE, _POLICY)
_RENDERING = Rendering(_POLICY)
_HEAD = _RENDERING.head(_PLACE, frozenset(("essential",)), styled=True, scripted=True)
_BODY = _RENDERING.question(_PLACE, ("analytics",), "/")
_IN_HEAD = f'link[href="{_ADDRESSES.css}"], script[src="{_ADDRESSES.js}"]'

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PACKET = 1_460  # bytes of a page in one Ethernet frame
_LONG = 100_000  # bytes; what follows is not cut as small
_SMALL = 2_000  # bytes; such pages are also fed byte by byte
_BEGINNING = 20_000  # bytes in which the random cuts are made
_CHARSET = re.compile(rb"<meta[\s/][^>]*charset[^>]*>", re.IGNORECASE)
_CHARSET_WINDOW = 1_024  # bytes in which browsers look for it
_TEMPLATE = re.compile(rb"<template", re.IGNORECASE)
_NOSCRIPT = re.compile(rb"<noscript", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Say what became of a page.

    Args:
        faults: what is wrong with it; empty when nothing is.
        has_banner: whether it leaves with a banner when a browser navigates to it.
        has_banner_unasked: … and when nothing but the page itself tells that it is one.
        seconds: how long the injector took for it, in one piece.
    """

    faults: tuple[str, ...]
    has_banner: bool
    has_banner_unasked: bool
    seconds: float


def check(page: bytes) -> Outcome:
    """Check what leaves in place of a page, with the parser of `lexbor`."""
    started = perf_counter()
    asked = inject([page], page_expected=True)
    seconds = perf_counter() - started
    unasked = inject([page])
    faults = [*_cut_faults(page, asked, page_expected=True), *_cut_faults(page, unasked)]
    for after, has_banner in {asked, unasked}:
        faults += _byte_faults(page, after, has_banner=has_banner)
        if after != page and not faults:
            faults += _tree_faults(page, after, has_banner=has_banner, scripting=True)
            if _NOSCRIPT.search(page):  # which is all that scripting matters to
                faults += _tree_faults(page, after, has_banner=has_banner, scripting=False)
    return Outcome(tuple(faults), asked[1], unasked[1], seconds)


def inject(chunks: Iterable[bytes], *, page_expected: bool = False) -> tuple[bytes, bool]:
    """Return a page as it leaves, and whether it has a banner."""
    injector = Injector(lambda _: Markup(_HEAD, _BODY), page_expected=page_expected, charset_known=False)
    after = b"".join([*map(injector.feed, chunks), injector.close()])
    return after, injector.spliced


def html5lib_faults(page: bytes) -> list[str]:
    """Compare a page before and after with `html5lib`, which reads it as a browser with scripting does.

    Pages with a `<template>` are left out: `html5lib` 1.1 is older than that element.
    """
    after, has_banner = inject([page], page_expected=True)
    if after == page or _TEMPLATE.search(page):
        return []
    old, new = _document(page), _document(after)
    links, scripts = new.getElementsByTagName("link"), new.getElementsByTagName("script")
    ours = [node for node in links if node.getAttribute("href") == _ADDRESSES.css]
    ours += [node for node in scripts if node.getAttribute("src") == _ADDRESSES.js]
    heads = new.getElementsByTagName("head")
    faults = [] if [node.parentNode for node in ours] == [*heads, *heads] else ["our nodes are not in <head>"]
    if has_banner:
        body = new.getElementsByTagName("body")[0]
        ours.append(next(node for node in body.childNodes if node.nodeType == Node.ELEMENT_NODE))
        faults += [] if ours[-1].getAttribute("id") == "consentgate" else ["the banner is not first in <body>"]
    for node in ours:
        if node.parentNode is not None:
            node.parentNode.removeChild(node)
    new.normalize()
    old.normalize()
    walker = html5lib.getTreeWalker("dom")
    return faults if list(walker(old)) == list(walker(new)) else [*faults, "the rest of the tree changed"]


def _cut_faults(page: bytes, whole: tuple[bytes, bool], *, page_expected: bool = False) -> Iterator[str]:
    """Say which ways of cutting a page into chunks change what leaves."""
    chance = random.Random(len(page))  # noqa: S311 - the same cuts each time
    one, other = sorted(chance.randrange(min(len(page), _BEGINNING) + 1) for _ in range(2))
    cuts = {
        f"at {one} and {other}": [page[:one], page[one:other], page[other:]],
        "into packets": _pieces(page, _PACKET),
        "into 64 bytes": [*_pieces(page[:_LONG], 64), page[_LONG:]],
        "into bytes": _pieces(page, 1) if len(page) <= _SMALL else [page],
    }
    for name, chunks in cuts.items():
        if inject(chunks, page_expected=page_expected) != whole:
            yield f"cut {name}, other bytes leave"


def _pieces(page: bytes, size: int) -> list[bytes]:
    return [page[at : at + size] for at in range(0, len(page), size)]


def _byte_faults(page: bytes, after: bytes, *, has_banner: bool) -> Iterator[str]:
    if after.replace(_HEAD, b"", 1).replace(_BODY, b"", 1) != page:
        yield "bytes of the page itself changed"
    if has_banner != (_BODY in after) or (has_banner and _HEAD not in after):
        yield "markup is missing, or there without being said"
    charset = _CHARSET.search(page[:_CHARSET_WINDOW])
    if charset and not page.startswith(_BYTE_ORDER_MARK) and not after.startswith(page[: charset.end()]):
        yield "<meta charset> was pushed down"


def _tree_faults(page: bytes, after: bytes, *, has_banner: bool, scripting: bool) -> Iterator[str]:
    """Say what a parser finds changed but for our nodes.

    Where scripting is off, a `<noscript>` in the head is parsed: an `<img>` in it has ended the head, and begun the
    body, before our place comes, or a comment in it holds our place. With scripting it is text.
    """
    old, new = (LexborHTMLParser(_text(source), scripting=scripting) for source in (page, after))
    in_head, banners = new.css(_IN_HEAD), new.css("#consentgate")
    head_is_open = scripting or not _NOSCRIPT.search(after, 0, after.index(_HEAD))
    body_is_new = scripting or not _NOSCRIPT.search(after, 0, after.find(_BODY))
    parents = [node.parent.tag if node.parent else None for node in in_head]
    if head_is_open and parents != ["head", "head"]:
        yield f"scripting={scripting}: our nodes for the head are in {parents}"
    if has_banner and body_is_new and [node.id for node in _first_element(new.body)] != ["consentgate"]:
        yield f"scripting={scripting}: the banner is not first in <body>"
    for node in in_head + banners:
        node.decompose()
    rest = new.html or ""
    if not head_is_open and not in_head:
        rest = rest.replace(_HEAD.decode(), "").replace(_BODY.decode(), "")
    if rest != old.html or (body_is_new and _count(new) != _count(old)):
        yield f"scripting={scripting}: the rest of the tree changed"


def _first_element(node: LexborNode | None) -> list[LexborNode]:
    return [child for child in node.iter() if child.is_element_node][:1] if node else []


def _count(tree: LexborHTMLParser) -> int:
    """Count the nodes: a text that was torn in two is written as one."""
    return sum(1 for _ in tree.root.traverse(include_text=True)) if tree.root else 0


def _document(page: bytes) -> Document:
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("dom"), namespaceHTMLElements=False)
    document: Document = parser.parse(_text(page), scripting=True)
    return document


def _text(page: bytes) -> str:
    """Decode every charset alike, each byte as one character; a byte order mark is no part of the text."""
    return page.removeprefix(_BYTE_ORDER_MARK).decode("latin-1")
