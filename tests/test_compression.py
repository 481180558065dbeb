"""Compression of a page that we had asked for uncompressed: only for browsers that take it, and without delay."""

from __future__ import annotations

import gzip
import os
import zlib
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.compression import Gzip, accepts_gzip


def compressed(chunks: list[bytes]) -> list[bytes]:
    """Return each piece as it leaves; the last one ends the page."""
    compressor = Gzip()
    return [compressor.feed(chunk, last=index == len(chunks) - 1) for index, chunk in enumerate(chunks)]


# Who takes it


@pytest.mark.parametrize(
    "accept_encoding",
    [
        "gzip",
        "GZip",
        "x-gzip",
        "gzip, deflate, br, zstd",
        "br, gzip",
        "br,gzip",
        "br , gzip ;q=0.5",
        "gzip;q=1",
        "gzip;q=1.000",
        "gzip; q = 0.001",
        "gzip;Q=0.5",
        "*",
        "br;q=1, *;q=0.1",
        "identity;q=0, *",
        "identity;q=0, gzip",
        "gzip, *;q=0",
        "deflate;q=0, gzip;q=0.2",
    ],
)
def test_a_browser_takes_gzip_when_it_says_so(accept_encoding: str) -> None:
    assert accepts_gzip(accept_encoding)


@pytest.mark.parametrize(
    "accept_encoding",
    [
        "",
        "identity",
        "br",
        "deflate, br",
        "gzip;q=0",
        "gzip;q=0.0",
        "gzip; q=0.000, br",
        "gzip;q=0, *",
        "*, gzip;q=0",
        "x-gzip;q=0",
        "*;q=0",
        "identity;q=0",
        "gzipped",
        "not-gzip",
        "xgzip",
        "gzip br",
        "gzip;q=",
        "gzip;q=high",
        "gzip;q=.",
        "gzip;q=1.2.3",
        "gzip;q=-1",
        "**",
        ";q=1",
        ",,,",
    ],
)
def test_a_browser_takes_no_gzip_when_it_does_not_say_so(accept_encoding: str) -> None:
    assert not accepts_gzip(accept_encoding)


@pytest.mark.parametrize(
    "accept_encoding",
    [
        pytest.param("gzip" + " " * 60_000 + "x", id="spaces_after_the_name"),
        pytest.param("gzip;q=1" + " " * 60_000 + "x", id="spaces_after_the_weight"),
        pytest.param("gzip;q=" + "1" * 60_000 + "x", id="digits"),
        pytest.param("," + " " * 60_000 + "x", id="spaces_before_the_name"),
        pytest.param(", " * 30_000, id="commas"),
        pytest.param("*" + "\t" * 60_000 + "x", id="star"),
    ],
)
def test_a_browser_cannot_make_reading_slow_by_a_long_header(accept_encoding: str) -> None:
    started = monotonic()

    accepted = accepts_gzip(accept_encoding)

    assert not accepted
    assert monotonic() - started < 1  # second; tried in every possible way it would take minutes


@settings(deadline=None)
@given(st.text("gzipx-*;q=01. ,\t", max_size=40))
def test_any_header_can_be_read(accept_encoding: str) -> None:
    accepted = accepts_gzip(accept_encoding)

    assert not accepted or "gzip" in accept_encoding or "*" in accept_encoding


# What it becomes


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=12))
def test_a_page_is_the_same_again_however_it_came_in_pieces(chunks: list[bytes]) -> None:
    assert gzip.decompress(b"".join(compressed(chunks))) == b"".join(chunks)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=12))
def test_each_piece_can_be_shown_before_the_next_one_comes(chunks: list[bytes]) -> None:
    browser = zlib.decompressobj(31)

    shown = [browser.decompress(piece) for piece in compressed(chunks)]

    assert shown == chunks
    assert browser.eof
    assert browser.unused_data == b""


def test_the_stream_is_not_finished_before_its_last_piece() -> None:
    compressor, browser = Gzip(), zlib.decompressobj(31)

    browser.decompress(compressor.feed(b"<h1>Luton</h1>", last=False))

    assert not browser.eof
    browser.decompress(compressor.feed(b"", last=True))
    assert browser.eof


def test_an_empty_piece_in_between_costs_no_bytes() -> None:
    compressor = Gzip()
    compressor.feed(b"<h1>Luton</h1>", last=False)

    assert compressor.feed(b"", last=False) == b""


def test_an_empty_page_is_a_whole_stream() -> None:
    assert gzip.decompress(Gzip().feed(b"", last=True)) == b""


def test_a_page_becomes_smaller() -> None:
    page = b"<p>Luton Council</p>" * 1_000

    assert len(Gzip().feed(page, last=True)) < len(page) / 20


def test_no_memory_is_kept_for_what_has_left() -> None:
    compressor = Gzip()

    pieces = [compressor.feed(os.urandom(10_000), last=False) for _ in range(50)]

    assert all(10_000 <= len(piece) < 10_100 for piece in pieces)  # random bytes do not shrink, so none are held back


def test_two_pages_do_not_mix() -> None:
    one, other = Gzip(), Gzip()

    first = one.feed(b"one", last=False)
    second = other.feed(b"other", last=True)

    assert gzip.decompress(first + one.feed(b"", last=True)) == b"one"
    assert gzip.decompress(second) == b"other"
