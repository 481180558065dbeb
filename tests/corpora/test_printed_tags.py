"""Hold back the tags of real pages: only matched elements differ in an HTML5 parser, however the page is cut."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode
from starlette.types import Message

from benchmarks.printed_tags import POLICY
from consentgate.page_reader import PageReader
from consentgate.printed_tags import PrintedTags, TagGate
from consentgate.rewriter import Rewriter
from tests.conftest import HTML, body, consent_cookie, make_site, nothing_more, request, scripted, start
from tests.corpora.fetch import CORPORA, Corpus, pages, why_missing

_TAGS = PrintedTags(POLICY)
_SITE = make_site(scripted(), POLICY)
_ANSWER = consent_cookie({"analytics": False, "marketing": False}, POLICY)
_DECLINED = request((b"cookie", f"__Host-consentgate={_ANSWER}".encode()))
_CHANGED = ("script", "iframe", "frame", "img", "embed", "object")
_MOST_PAGES = 400
_PACKET = 1_460  # bytes of a page in one Ethernet frame


def held(page: bytes) -> bytes:
    """Return what leaves of a page of which every tag is asked about: no look at its words spares the reading."""
    gate = TagGate(_TAGS, frozenset(("essential",)), lambda *_: "/cookies/embed?", lambda _: b"")
    return Rewriter(gate.concerns, gate.change).whole(page)


def through_the_door(pieces: Iterable[bytes]) -> bytes:
    """Return what the middleware lets through of a page in pieces, for a visitor who refused."""
    _SITE.app = scripted(start(HTML), *(body(piece, more=True) for piece in pieces), body(b""))
    sent: list[bytes] = []

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    steps = _SITE({**_DECLINED, "headers": [*_DECLINED["headers"]], "state": {}}, nothing_more, send)
    with pytest.raises(StopIteration):
        steps.send(None)
    return b"".join(sent)


def has_endless_tag(pieces: Iterable[bytes]) -> bool:
    """Tell whether a quote that is never closed makes one tag of 256 KB and more: that reading a stream gives up on."""
    reader = PageReader()
    for piece in pieces:
        reader.feed(piece, at_once=True)
    return reader.is_finished


def shape(page: bytes) -> list[str]:
    """List a page's nodes as a parser sees them, without what may be changed: tags that load, hints, `<noscript>`."""
    tree = LexborHTMLParser(page.decode("latin-1"), scripting=True)
    nodes: list[str] = []
    for node in tree.root.traverse(include_text=True) if tree.root else ():
        within = node.parent.tag if node.parent else ""
        if node.tag == "link" or within == "noscript":
            continue
        if node.tag == "-text" and nodes and nodes[-1].startswith("-text "):
            nodes[-1] += node.text_content or ""  # a hint that is gone leaves one text where there were two
        else:
            nodes.append(describe(node))
    return nodes


def describe(node: LexborNode) -> str:
    if node.tag == "-text":
        return f"-text {node.text_content}"
    return f"{node.tag}" if node.tag in _CHANGED else f"{node.tag} {node.attributes}"


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: str(corpus.name))
def test_only_tags_that_are_held_back_differ(corpus: Corpus) -> None:
    if (said := why_missing(corpus)) is not None:
        reason = said or "get it with: python -m tests.corpora.fetch"
        (pytest.fail if os.environ.get("CI") and not said else pytest.skip)(reason)
    faults = []
    changed = 0

    for number, (name, page) in enumerate(pages(corpus)):
        if number >= _MOST_PAGES:
            break
        after = held(page)
        chance = random.Random(len(page))  # noqa: S311 - the same cuts each time
        one, other = sorted(chance.randrange(len(page) + 1) for _ in range(2))
        cuts = (
            [page],
            [page[:one], page[one:other], page[other:]],
            [page[at : at + _PACKET] for at in range(0, len(page), _PACKET)],
        )
        if any(through_the_door(cut) != after for cut in cuts) and not has_endless_tag(cuts[-1]):
            faults.append(f"{name}: other bytes leave")
        if after != page:
            changed += 1
            if shape(page) != shape(after):
                faults.append(f"{name}: the rest of the tree changed")

    print(f"{corpus.name}: {changed} pages hold something back")
    assert faults == []
