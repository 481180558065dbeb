"""Change single start tags: only they differ, however the page is cut, and nothing else is held back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.page_reader import Element
from consentgate.rewriter import Rewriter, Surroundings


def concerns(tag: bytes, text: bytes) -> bool:
    return b"mark" in tag or b"mark" in text


def change(element: Element, around: Surroundings) -> bytes | None:
    return b"[%s]" % element.name.encode() if concerns(element.tag, element.text) else None


def rewritten(chunks: Iterable[bytes]) -> bytes:
    rewriter = Rewriter(concerns, change)
    return b"".join([*map(rewriter.feed, chunks), rewriter.close()])


@pytest.mark.parametrize(
    ("page", "after"),
    [
        (b"<p><iframe src=mark></iframe>", b"<p>[iframe]</iframe>"),
        (b"<IMG SRC='mark>'>x", b"[img]x"),
        (b"<script src=mark></script>", b"[script]</script>"),
        (b"<script>mark()</script ><p>", b"[script]mark()</script ><p>"),
        (b"<script>a</script><script>mark</script>", b"<script>a</script>[script]mark</script>"),
        (b"<script><!--<script></script>mark--></script>", b"[script]<!--<script></script>mark--></script>"),
    ],
)
def test_a_tag_that_concerns_us_is_changed(page: bytes, after: bytes) -> None:
    assert rewritten([page]) == after


@pytest.mark.parametrize(
    "page",
    [
        b"<p title=mark>",
        b"<!-- <iframe src=mark></iframe> -->",
        b"<!-- <script -->mark</script>",
        b"<textarea><iframe src=mark></textarea>",
        b"<title><img src=mark></title>",
        b"<div title='<img src=mark>'>",
        b"<script>'<iframe src=m' + 'ark>'</script>",
        b"<template><img src=mark></template>",
        b"<iframe><img src=mark></iframe>",
        b"<script>mark",
        b"<iframe src=mark",
        b"<plaintext><img src=mark>",
    ],
)
def test_what_only_looks_like_one_stays(page: bytes) -> None:
    assert rewritten([page]) == page


PIECES = st.sampled_from(
    [
        b"<p>", b"text ", b"<script>", b"</script>", b"<script src=mark>", b"<!--", b"-->", b"<img src=mark>",
        b"<img alt='", b"'", b'"', b"<iframe src=mark>", b"</iframe>", b"<textarea>", b"</textarea>", b"<template>",
        b"</template>", b"<svg>", b"</svg>", b"mark", b"<", b">", b"<base href=x>", b"<link rel=a href=mark>", b"\xff",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.lists(PIECES, max_size=14).map(b"".join), st.integers(1, 7))
def test_cuts_make_no_difference(page: bytes, size: int) -> None:
    pieces = [page[at : at + size] for at in range(0, len(page), size)]

    assert rewritten(pieces) == rewritten([page])


@settings(deadline=None, max_examples=400)
@given(st.lists(PIECES, max_size=14).map(b"".join))
def test_all_other_bytes_stay(page: bytes) -> None:
    kept = re.split(rb"\[(?:script|img|iframe|link)\]", rewritten([page]))

    at = 0
    for piece in kept:
        at = page.index(piece, at) + len(piece)
    assert page.startswith(kept[0])
    assert page.endswith(kept[-1])


def test_nothing_is_held_back_but_an_unfinished_tag() -> None:
    rewriter = Rewriter(concerns, change)

    assert rewriter.feed(b"<p>Hello <b>you</b> <ifr") == b"<p>Hello <b>you</b> "
    assert rewriter.feed(b"ame src=mark") == b""
    assert rewriter.feed(b"></iframe> and <script>on") == b"[iframe]</iframe> and "
    assert rewriter.feed(b"e()</script>!") == b"<script>one()</script>!"


def test_a_tag_that_was_commented_out_does_not_stop_the_page() -> None:
    rewriter = Rewriter(concerns, change)

    rewriter.feed(b"<!-- <script src=old> --><p>one")

    assert rewriter.feed(b"<p>two").endswith(b"<p>two")
    assert rewriter.feed(b"<img src=mark>") == b"[img]"


def test_a_long_script_goes_on_undecided_by_what_comes_late() -> None:
    page = b"<script>" + b"x" * 70_000 + b"mark</script><img src=mark>"

    assert rewritten([page]) == page.replace(b"<img src=mark>", b"[img]")
    assert rewritten([page[:100], page[100:69_000], page[69_000:]]) == rewritten([page])


def test_a_tag_without_end_goes_out_as_it_is() -> None:
    rewriter = Rewriter(concerns, change)
    page = b"<img alt='" + b"x" * 1_000_000

    left = b"".join(rewriter.feed(page[at : at + 50_000]) for at in range(0, len(page), 50_000))

    assert page.startswith(left)
    assert len(left) > 500_000
    assert left + rewriter.close() == page


def test_a_long_page_is_remembered_in_part_only() -> None:
    rewriter = Rewriter(concerns, change)

    for _ in range(400):
        rewriter.feed(b"<p>words and words</p>" * 500)

    assert sum(map(len, rewriter._unread)) < 600_000
    assert rewriter.feed(b"<img src=mark>") == b"[img]"


def test_what_came_before_is_known() -> None:
    seen: list[Surroundings] = []
    rewriter = Rewriter(concerns, lambda element, around: seen.append(around))

    rewriter.feed(b"<html lang=cy><head><img src=mark><base href=/x/>")
    rewriter.feed(b"<img src=mark>")

    assert seen[-1] == Surroundings(has_base=True, language="cy")
    assert Surroundings(language="cy") in seen


def test_an_endless_tag_in_small_pieces_is_looked_at_a_few_times_only() -> None:
    looks = 0

    def note(frame: FrameType, event: str, called: object) -> None:
        nonlocal looks
        looks += event == "c_call" and getattr(called, "__name__", "") == "join"

    page = b"<!doctype html><body>" + b'<img alt="' * 15_000
    rewriter = Rewriter(lambda tag, text: False, lambda element, around: None)
    sys.setprofile(note)
    try:
        left = [rewriter.feed(page[at : at + 7]) for at in range(0, len(page), 7)]
    finally:
        sys.setprofile(None)

    assert b"".join((*left, rewriter.close())) == page
    assert looks < 100
