"""The injector, page by page: where markup goes, what leaves when, and that nothing else of the page changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from typing import Any
from xml.dom.minidom import Node

import html5lib
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consentgate.beginnings import Beginning, Markup
from consentgate.injector import Injector

HEAD = b'<link id="ours">'
BODY = b'<section id="ours"></section>'

# Each page as it leaves; [H] and [B] are the places of the head's and the body's markup. Without marks: left alone.
PAGES = {
    # Plain documents
    "whole_document": b"<!doctype html><html><head><title>T</title>[H]</head><body>[B]<h1>Hi</h1></body></html>",
    "upper_case": b"<!DOCTYPE HTML><HTML><HEAD><TITLE>T</TITLE>[H]</HEAD><BODY CLASS=A>[B]<P>Hi</BODY></HTML>",
    "white_space_between_tags": b"\n<!doctype html>\r\n<html>\n\t<head>\n[H]</head>\f\n<body>[B]\nHi",
    "white_space_inside_tags": b"<!doctype html><html\n><head\t>[H]</head\r\n><body\n\nclass = 'a'\n>[B]Hi",
    "no_doctype": b"<html><head>[H]</head><body>[B]Hi</body></html>",
    "byte_order_mark": b"\xef\xbb\xbf<!doctype html><head>[H]</head><body>[B]Hi",
    "head_with_prefix": b'<html prefix="og: https://ogp.me/ns#"><head prefix="a: b>c">[H]</head><body>[B]Hi',
    "base": b'<head><base href="https://cdn.example/">[H]</head><body>[B]Hi',
    "meta_and_links": b'<head><meta charset="utf-8"><link rel=icon href=/i><bgsound src=a>[H]</head><body>[B]Hi',
    "language": b'<!doctype html><html lang="cy"><head>[H]</head><body>[B]Helo',
    # Doctypes and prologs
    "doctype_with_public_id": (
        b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/x.dtd"><head>[H]</head><body>[B]Hi'
    ),
    "doctype_legacy_compat": b'<!doctype html SYSTEM "about:legacy-compat"><title>T</title>[H]<body>[B]Hi',
    "doctype_that_ends_in_a_quote": b'<!doctype html PUBLIC "a>[H][B]b"><title>T</title><body>Hi',
    "xml_prolog": b'<?xml version="1.0" encoding="utf-8"?><html><head>[H]</head><body>[B]Hi',
    "bogus_comments": b'<!doctype html><!x "><![CDATA[><?php a?></ b></><head>[H]</head><body>[B]Hi',
    # Comments
    "comment_before_head": b"<!-- <head><body> --><html><head>[H]</head><body>[B]Hi",
    "comment_before_body": b"<head>[H]</head><!-- <body> - -- > --><body>[B]Hi",
    "comment_that_is_empty": b"<!----><!--><!---><head>[H]</head><body>[B]Hi",
    "comment_closed_with_bang": b"<!-- <body> --!><head>[H]</head><body>[B]Hi",
    "comment_of_dashes": b"<!-----------><head>[H]</head><body>[B]Hi",
    "comment_inside_comment": b"<!-- <!-- <body> --><head>[H]</head><body>[B]--> Hi",
    "comment_with_lone_bang": b"<!---!> <body> --><head>[H]</head><body>[B]Hi",
    "conditional_comment": b"<head><!--[if IE]><body class=ie><![endif]-->[H]</head><body>[B]Hi",
    "conditional_comment_around_html": (
        b"<!--[if lt IE 9]><html class=ie><![endif]--><!--[if gt IE 8]><!--><html><!--<![endif]-->"
        b"<head>[H]</head><body>[B]Hi"
    ),
    "revealed_conditional_comment": b"<head><![if !IE]><link href=a><![endif]>[H]</head><body>[B]Hi",
    # Text that looks like tags
    "title_with_tags": b"<head><title><body> </head> </titles></title>[H]</head><body>[B]Hi",
    "title_closed_oddly": b"<head><title>T</TITLE\n a='>'>[H]</head><body>[B]Hi",
    "style_with_tags": b"<head><style>a::after{content:'</head><body>'}</style>[H]</head><body>[B]Hi",
    "noframes_in_head": b"<head><noframes><body></head></noframes>[H]</head><body>[B]Hi",
    "script_with_tags": b"<head><script>var s='</head><body>';</scripts></script>[H]</head><body>[B]Hi",
    "script_closed_oddly": b"<head><script>1</SCRIPT/x>[H]</head><body>[B]Hi",
    "script_escaped": b"<head><script><!-- <body> </script>[H]</head><body>[B]Hi",
    "script_escaped_and_ended": b"<head><script><!-- <script --></script>[H]</head><body>[B]Hi",
    "script_double_escaped": b"<head><script><!--<script></script><body>--></script>[H]</head><body>[B]Hi",
    "script_double_escaped_twice": (
        b"<head><script><!--<script></script><SCRIPT/</script\n<body></script>[H]</head><body>[B]Hi"
    ),
    "script_escape_that_is_empty": b"<head><script><!--><script></script>[H]</head><body>[B]Hi",
    "script_escape_of_three_dashes": b"<head><script><!---><script></script>[H]</head><body>[B]Hi",
    "script_not_quite_escaped": b"<head><script><!-<script></script>[H]</head><body>[B]Hi",
    "script_after_head": b"<head>[H]</head><script>'<body>'</script><body>[B]Hi",
    "noscript_in_head": b"<head><noscript><style>a{}</style></noscript><title>T</title>[H]</head><body>[B]Hi",
    "noscript_in_head_after_charset": b"<head><meta charset=utf-8>[H]<noscript><img></noscript></head><body>[B]Hi",
    "noscript_after_head": b"<head>[H]</head>[B]<noscript><img src=p></noscript><body class=late>Hi",
    "template_in_head": b"<head><template><p></head><body>Text</template>[H]</head><body>[B]Hi",
    "template_nested": b"<head><template><template></template><body></template>[H]</head><body>[B]Hi",
    "template_with_raw_text": (
        b"<head><template><!-- </template> --><textarea></template></textarea><script>'</template>'</script>"
        b"</template>[H]</head><body>[B]Hi"
    ),
    "template_with_noscript": b"<head><template><noscript></template></noscript></template>[H]</head><body>[B]Hi",
    "template_after_head": b"<head>[H]</head><template><body></template><body>[B]Hi",
    "template_with_unclear_svg_title": b"<head><template><svg><title/></svg></template></head><body>Hi",
    "template_with_plaintext": b"<head><template><plaintext></template></head><body>Hi",
    # Attributes
    "attribute_with_gt": b"<html data-a='>' data-b=\"></html>\"><head>[H]</head><body data-c='<body>'>[B]Hi",
    "attribute_with_spaces_around": b"<html a = '>' b\n=\n\">\"><head>[H]</head><body>[B]Hi",
    "attribute_with_quote_in_unquoted_value": b"<head>[H]</head><body title=it's>[B]<p title='>'>Hi",
    "attribute_with_quote_in_name": b"<head>[H]</head><body it's>[B]<p title='>'>Hi",
    "attribute_with_slashes": b"<html/a='>'/b><head/>[H]</head/><body/a=/b/>[B]Hi",
    "attribute_after_stray_equals": b"<head>[H]</head><body =a='>' ==b>[B]Hi",
    "attribute_after_closing_quote": b"<head>[H]</head><body a='b'c='>'d>[B]Hi",
    "attribute_without_value": b"<head>[H]</head><body a= >[B]Hi",
    "end_tag_with_attribute": b"<head>[H]</head a='>'><body>[B]Hi",
    # Tags that are missing, or only look right
    "no_body_tag": b"<!doctype html><head>[H]</head>[B]<h1>Hi</h1>",
    "no_head_tag": b"<!doctype html><html>[H]<body>[B]Hi",
    "no_html_head_or_body_tag": b"<!doctype html><title>T</title>[H][B]<h1>Hi</h1>",
    "no_head_end_tag": b"<html><head><title>T</title>[H]<body>[B]Hi",
    "head_end_tag_alone": b"<!doctype html>[H]</head><body>[B]Hi",
    "head_end_tag_twice": b"<!doctype html>[H]</head></head></p><body>[B]Hi",
    "header_is_not_head": b"<!doctype html>[H][B]<header>Top</header><body>Hi",
    "bodyguard_is_not_body": b"<!doctype html>[H][B]<bodyguard><body>Hi",
    "text_after_head": b"<head>[H]</head>\n[B]Hi <body>",
    "lone_less_than_sign": b"<!doctype html>[H][B]<3 <body>",
    "body_end_tag_first": b"<!doctype html>[H][B]</body>",
    "html_end_tag_first": b"<!doctype html>[H][B]</html>\n",
    "break_end_tag_first": b"<!doctype html>[H][B]</br><body>",
    "stray_end_tags_first": b"<!doctype html></p></title></x></template><head>[H]</head><body>[B]Hi",
    "frame_of_the_body_is_a_table": b"<!doctype html>[H][B]<table><tr><td>Hi",
    "nul_byte": b"<!doctype html>[H][B]\0<body>Hi",
    "latin_1_text": b"<!doctype html><title>caf\xe9</title>[H]<body>[B]caf\xe9",
    # The page ends early
    "ends_after_doctype": b"<!doctype html>[H][B]",
    "ends_inside_head": b"<!doctype html><head><title>T</title>\n[H][B]",
    "ends_after_head": b"<head>[H]</head>[B]",
    "ends_inside_comment": b"<!doctype html><!-- never closed <body>",
    "ends_inside_short_comment": b"<!doctype html><!--",
    "ends_inside_title": b"<!doctype html><title>never closed <body>",
    "ends_inside_script": b"<head>[H]</head><script>'<body>",
    "ends_inside_template": b"<!doctype html><template><body>",
    "ends_inside_tag": b"<!doctype html><body class='a",
    "ends_with_less_than_sign": b"<!doctype html><",
    "ends_with_less_than_sign_and_line": b"<!doctype html>[H][B]<\n",
    "ends_inside_byte_order_mark": b"\xef\xbb",
    "ends_before_it_begins": b"",
    "ends_after_white_space": b" \n\t",
    # No document, or none of ours
    "json": b'{"html": "<html><head></head><body>"}',
    "json_string": b'"<!doctype html><body>"',
    "text_first": b"Hello <html><head></head><body>",
    "not_quite_a_byte_order_mark": b"\xef\xbb<!doctype html><body>",
    "fragment": b"<div><p>Hi</p></div>",
    "fragment_of_a_head": b"<link rel=icon href=i></head><p>Hi",
    "fragment_after_comment": b"<!-- part --><p>Hi</p>",
    "fragment_of_a_script": b"<script>'<body>'</script>",
    "utf_16": "\ufeff<!doctype html><head></head><body>Hi".encode("utf-16-le"),
    "utf_16_big_endian": "\ufeff<!doctype html><head></head><body>Hi".encode("utf-16-be"),
    "utf_16_without_mark": "<!doctype html><head></head><body>Hi".encode("utf-16-le"),
    "frameset": b"<!doctype html><html><head>[H]</head><frameset cols='*'><frame src=a></frameset>",
    "frameset_without_head": b"<html><frameset cols='*'><frame src=a></frameset>",
    "amp": b"<!doctype html><html amp lang=en><head></head><body>Hi",
    "amp_lightning": "<!doctype html><html ⚡4ads><head></head><body>Hi".encode(),
    "amp_in_capitals": b"<!doctype html><html lang=en AMP=''><head></head><body>Hi",
    "amp_only_in_a_class": b"<!doctype html><html class='no amp here' data-amp><head>[H]</head><body>[B]Hi",
    "xhtml_namespace": b'<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="de"><head>[H]</head><body>[B]Hi',
}

# 60 KB before the first tag; too long to be cut at every byte in a test.
LATE = b"<!doctype html>" + b"<!-- <body> -->\n" * 4_000
LONG_PAGES = {
    "late_body_after_comments": LATE + b"<head>[H]</head><body>[B]Hi",
    "late_body_after_one_comment": b"<!doctype html><!--" + b" <body> -" * 7_000 + b"--><head>[H]</head><body>[B]Hi",
    "late_body_after_a_script": b"<head><script>" + b"'<body></scrip'" * 4_000 + b"</script>[H]</head><body>[B]Hi",
    "late_noscript": b"<!doctype html>" + b" " * 1_024 + b"[H]<noscript><img></noscript><head></head><body>[B]Hi",
    "long_tag": b"<html a='" + b"x" * 65_000 + b"'><head>[H]</head><body>[B]Hi",
    "too_long_tag": b"<html a='" + b"x" * 65_536 + b"'><head></head><body>Hi",
    "too_long_tag_that_never_ends": b"<html><head a='" + b"x" * 140_000,
    "too_long_doctype": b"<!doctype html " + b"x" * 65_536 + b"><head></head><body>Hi",
}

each_page = pytest.mark.parametrize("marked", [pytest.param(page, id=name) for name, page in PAGES.items()])
each_long_page = pytest.mark.parametrize("marked", [pytest.param(page, id=name) for name, page in LONG_PAGES.items()])


def source_of(marked: bytes) -> bytes:
    """Return the page as the application sends it."""
    return marked.replace(b"[H]", b"").replace(b"[B]", b"")


def result_of(marked: bytes) -> bytes:
    """Return the page as it has to leave."""
    return marked.replace(b"[H]", HEAD).replace(b"[B]", BODY)


def make_injector(*, page_expected: bool = False) -> Injector:
    return Injector(lambda beginning: Markup(HEAD, BODY), page_expected=page_expected)


def inject(chunks: Iterable[bytes], *, page_expected: bool = False) -> bytes:
    injector = make_injector(page_expected=page_expected)
    return b"".join([*map(injector.feed, chunks), injector.close()])


def in_bytes(page: bytes) -> Iterator[bytes]:
    return (page[at : at + 1] for at in range(len(page)))


def cut(page: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut a page at some places; equal places leave empty chunks."""
    return [page[start:end] for start, end in pairwise([0, *sorted(places), len(page)])]


# Where markup goes


@each_page
def test_markup_goes_where_a_browser_begins_head_and_body(marked: bytes) -> None:
    output = inject([source_of(marked)])

    assert output == result_of(marked)


@each_long_page
def test_markup_is_placed_however_late_the_body_begins(marked: bytes) -> None:
    output = inject([source_of(marked)])

    assert output == result_of(marked)


def test_a_fragment_is_left_alone() -> None:
    page = b"<p>Hi</p>"

    output = inject([page])

    assert output == page


def test_a_page_without_any_mark_is_taken_when_the_browser_says_that_it_navigates() -> None:
    page = b"<p>Hi</p>"

    output = inject([page], page_expected=True)

    assert output == HEAD + BODY + page


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b'{"a": "<p>"}', id="json"),
        pytest.param(b"Hello <p>", id="text"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<!-- nothing else -->", id="comment"),
        pytest.param(b"</p>", id="end_tag"),
    ],
)
def test_what_does_not_begin_with_a_tag_is_left_alone_even_then(page: bytes) -> None:
    output = inject([page], page_expected=True)

    assert output == page


# Chunks


@each_page
def test_a_page_cut_in_two_anywhere_gives_the_same_output(marked: bytes) -> None:
    page = source_of(marked)

    outputs = {inject([page[:at], page[at:]]) for at in range(len(page) + 1)}

    assert outputs == {result_of(marked)}


@each_page
def test_a_page_of_one_byte_a_chunk_gives_the_same_output(marked: bytes) -> None:
    output = inject(in_bytes(source_of(marked)))

    assert output == result_of(marked)


@pytest.mark.parametrize(
    "marked", [pytest.param(page, id=name) for name, page in PAGES.items() if len(source_of(page)) <= 60]
)
def test_a_short_page_cut_in_three_anywhere_gives_the_same_output(marked: bytes) -> None:
    page = source_of(marked)

    outputs = {inject(cut(page, places)) for places in combinations(range(len(page) + 1), 2)}

    assert outputs <= {result_of(marked)}


@each_long_page
def test_a_long_page_cut_near_its_places_gives_the_same_output(marked: bytes) -> None:
    page = source_of(marked)
    places = [*range(20), *range(20, len(page), 6_553), *range(len(page) - 60, len(page))]

    outputs = {inject([page[:at], page[at:]]) for at in places}

    assert outputs == {result_of(marked)}


@pytest.mark.parametrize("size", [1_000, 4_096, 65_536])
@each_long_page
def test_a_long_page_in_equal_chunks_gives_the_same_output(marked: bytes, size: int) -> None:
    page = source_of(marked)

    output = inject(cut(page, range(size, len(page), size)))

    assert output == result_of(marked)


@each_page
def test_empty_chunks_change_nothing(marked: bytes) -> None:
    chunks = [piece for byte in in_bytes(source_of(marked)) for piece in (b"", byte, b"")]

    output = inject(chunks)

    assert output == result_of(marked)


# What leaves when


def test_each_chunk_leaves_but_for_an_unfinished_token() -> None:
    injector = make_injector()
    chunks = [
        b"<!doctype html><html lang=en><he",
        b"ad><title>Luton</ti",
        b"tle><!-- a com",
        b"ment --><script>let a = '</b",
        b"ody>'</script></head",
        b">\n<body class='a>b",
        b"'><h1>Hi</h1>",
    ]

    left = [injector.feed(chunk) for chunk in chunks]

    assert left == [
        b"<!doctype html><html lang=en>",
        b"<head><title>",
        b"Luton</title><!-- a ",
        b"comment --><script>le",  # "t a = '</b" may yet become "</noscript"
        b"t a = '</body>'</script>",
        HEAD + b"</head>\n",
        b"<body class='a>b'>" + BODY + b"<h1>Hi</h1>",
    ]


def test_the_chunk_that_holds_the_body_tag_releases_everything() -> None:
    injector = make_injector()
    head = injector.feed(b"<head><title>T</title>")

    rest = injector.feed(b"</head><body><h1>Hi</h1><p unfinis")

    assert head + rest == b"<head><title>T</title>" + HEAD + b"</head><body>" + BODY + b"<h1>Hi</h1><p unfinis"
    assert injector.finished


def test_chunks_after_the_body_tag_pass_by_reference() -> None:
    injector = make_injector()
    injector.feed(b"<body>")
    chunk = b"<p>a paragraph</p></body>"

    passed = injector.feed(chunk)

    assert passed is chunk


def test_chunks_of_what_is_no_document_pass_by_reference() -> None:
    injector = make_injector()
    chunk = b'{"html": "<body>"}'

    passed = injector.feed(chunk)

    assert passed is chunk


def test_nothing_more_leaves_at_the_end_of_a_page_whose_body_began() -> None:
    injector = make_injector()
    injector.feed(b"<body>Hi")

    assert injector.close() == b""


@each_page
def test_no_more_is_held_back_than_an_unfinished_token(marked: bytes) -> None:
    longest_mark = 10  # "</noscript" may be the end of a raw text

    for held in held_back(in_bytes(source_of(marked))):
        assert held.startswith((b"<", b"\xef")) or len(held) <= longest_mark


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<!--" + b" <body> -" * 7_000 + b"--><body>", id="one_long_comment"),
        pytest.param(b"<!-- a -->\n" * 6_000 + b"<body>", id="many_comments"),
        pytest.param(b"<script>" + b"'</scrip <!- -- <b>'" * 3_200 + b"</script><body>", id="one_long_script"),
        pytest.param(b"<style>" + b"a{color:red}</styl" * 3_600 + b"</style><body>", id="one_long_style"),
        pytest.param(b"<head>" + b"<link rel=icon href='>'>" * 2_700 + b"</head><body>", id="many_links"),
        pytest.param(b"<template>" + b"<p>a < b</p>" * 5_400 + b"</template><body>", id="one_long_template"),
        pytest.param(b"<body>" + b"<p>Hi</p>" * 7_200, id="a_long_body"),
    ],
)
def test_the_work_grows_with_the_page_and_not_with_its_square(page: bytes) -> None:
    # What is held back is all that is looked at again, so its sum is the work done twice.
    looked_at_again = sum(len(held) for held in held_back(in_bytes(page)))

    assert len(page) > 60_000
    assert looked_at_again < 25 * len(page)


def held_back(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield after each chunk what has been fed but has not left."""
    injector = make_injector()
    held = b""
    for chunk in chunks:
        left = injector.feed(chunk).replace(HEAD, b"").replace(BODY, b"")
        held += chunk
        assert held.startswith(left)
        held = held[len(left) :]
        yield held


# The charset


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<!doctype html><head><meta charset=utf-8><title>T</title></head><body>Hi", id="first"),
        pytest.param(b"<head><title>T</title><style>a{}</style><META CHARSET=utf-8></head><body>Hi", id="last"),
        pytest.param(b"<head><noscript><img></noscript><meta charset=utf-8></head><body>", id="after_noscript"),
        pytest.param(b"<title>T</title><meta charset=utf-8><p>Hi", id="without_head_tag"),
        pytest.param(
            b'<head><meta http-equiv=Content-Type content="text/html; charset=utf-8"></head><body>', id="http_equiv"
        ),
        pytest.param(b"<head>" + b"<!-- -->" * 120 + b"<meta charset=utf-8></head><body>", id="at_the_last_moment"),
    ],
)
def test_the_charset_keeps_its_place(page: bytes) -> None:
    output = inject([page])

    assert HEAD in output
    assert output.lower().index(b"charset") == page.lower().index(b"charset")


def test_a_noscript_that_comes_after_the_charset_window_is_preceded_by_the_markup() -> None:
    page = b"<!doctype html>" + b" " * 1_024 + b"<noscript><img></noscript><title>T</title>"

    output = inject([page])

    assert output.index(HEAD) < output.index(b"<noscript>")


def test_a_noscript_before_the_charset_is_not() -> None:
    page = b"<!doctype html><noscript><img></noscript><meta charset=utf-8><title>T</title>"

    output = inject([page])

    assert output.index(HEAD) > output.index(b"charset")


# What is learnt of the page


@pytest.mark.parametrize(
    ("html", "language"),
    [
        pytest.param(b"<html lang=de>", "de", id="unquoted"),
        pytest.param(b'<html lang="en-GB">', "en-GB", id="double_quotes"),
        pytest.param(b"<html class=a LANG = 'cy'>", "cy", id="single_quotes_and_capitals"),
        pytest.param(b'<html class="a"lang="nl">', "nl", id="no_space_before"),
        pytest.param(b"<html/lang=fr>", "fr", id="after_a_slash"),
        pytest.param(b'<html lang="de" lang="en">', "de", id="twice"),
        pytest.param(b'<html title="x lang=de" lang=en>', "en", id="text_of_another_attribute"),
        pytest.param(b"<html title='lang=\"de\"'>", "", id="text_of_another_attribute_alone"),
        pytest.param(b"<html dir= lang=de>", "", id="value_of_another_attribute"),
        pytest.param(b'<html data-lang="de">', "", id="data_attribute"),
        pytest.param(b'<html xml:lang="de">', "", id="xml_lang"),
        pytest.param(b'<html lang="">', "", id="empty"),
        pytest.param(b"<html lang>", "", id="no_value"),
        pytest.param(b"<html lang='\"><script>'>", "", id="not_a_language"),
        pytest.param(b"<html ==lang=de>", "", id="odd_name"),
        pytest.param(b"<html>", "", id="none"),
        pytest.param(b"<html lang=en><html lang=de>", "en", id="second_html_tag"),
        pytest.param(b"<!-- <html lang=de> -->", "", id="comment"),
    ],
)
def test_the_language_is_that_of_the_html_element(html: bytes, language: str) -> None:
    seen = beginnings(html + b"<body>")

    assert {beginning.language for beginning in seen} == {language}


@pytest.mark.parametrize(
    ("page", "has_base"),
    [
        pytest.param(b"<head><base href=/a/></head><body>", True, id="in_head"),
        pytest.param(b"<BASE target=_top><body>", True, id="without_head"),
        pytest.param(b"<head><!-- <base href=/a/> --></head><body>", False, id="in_comment"),
        pytest.param(b"<head><template><base href=/a/></template></head><body>", False, id="in_template"),
        pytest.param(b"<head></head><body><base href=/a/>", False, id="in_body"),
    ],
)
def test_a_base_is_noticed(page: bytes, has_base: bool) -> None:
    seen = beginnings(page)

    assert seen[-1].has_base is has_base


def test_nothing_is_rendered_for_what_is_no_document() -> None:
    assert beginnings(b'{"a": "<body>"}') == []


def beginnings(page: bytes) -> list[Beginning]:
    """List what the markup's maker was told."""
    seen: list[Beginning] = []

    def markup(beginning: Beginning) -> Markup:
        seen.append(beginning)
        return Markup()

    injector = Injector(markup)
    assert injector.feed(page) + injector.close() == page
    return seen


@pytest.mark.parametrize(
    ("page", "spliced"),
    [
        pytest.param(b"<head></head><body>", True, id="body_tag"),
        pytest.param(b"<!doctype html>", True, id="body_implied_at_the_end"),
        pytest.param(b"<head></head><script>", False, id="unfinished_script"),
        pytest.param(b"<div>", False, id="fragment"),
    ],
)
def test_it_tells_whether_the_place_of_the_body_was_found(page: bytes, spliced: bool) -> None:
    injector = make_injector()

    injector.feed(page)
    injector.close()

    assert injector.spliced is spliced


# Any bytes at all

TOKENS = [
    *(
        b"<!doctype html>",
        b"<html>",
        b"<html lang=de>",
        b"<head>",
        b"</head>",
        b"<body>",
        b"<body class='a>b'>",
        b"</body>",
    ),
    *(
        b"</html>",
        b"<header>",
        b"<title>",
        b"</title>",
        b"<style>",
        b"</style>",
        b"<SCRIPT>",
        b"<script",
        b"</ScRiPt >",
    ),
    *(b"<noframes>", b"</noframes>", b"<textarea>", b"</textarea>", b"<!--", b"-->", b"--!>", b"<!-->", b"-", b"--"),
    *(b"<![CDATA[", b"]]>", b"<?x?>", b"<!", b"</", b"</>", b"</ x>", b"<", b">", b"/", b"=", b'"', b"'", b" ", b"\n"),
    *(b"x", b"\0", b"&amp;", b"<meta charset=utf-8>", b"<link>", b"<base href=/>", b'<a title=">">', b'<a b=c"d>'),
    *(
        b'<a/="x>">',
        b"<a =b='>'>",
        b"<a b='>",
        b' c="',
        b"<p>",
        b"</p>",
        b"<br/>",
        b"</br>",
        b"<b>",
        b"<form>",
        b"<button>",
        b"<input type=hidden>",
    ),
    *(b"<table>", b"<tr>", b"</table>", b"<select>", b"<option>", b"<svg>", b"<image>", b"<body\n"),
]
MORE_TOKENS = [
    *(b"<template>", b"</template>", b"<noscript>", b"</noscript>", b"<frameset>", b"<plaintext>", b"<iframe>"),
    *(b"</iframe>", b"<html amp>", b"\xef\xbb\xbf", b"\xef", b"\xff\xfe", b"<math>", b"<xmp>", b"<title/>", b"</head"),
]

pieces = st.lists(st.sampled_from(TOKENS + MORE_TOKENS) | st.binary(max_size=5), max_size=30)
places = st.lists(st.integers(min_value=0, max_value=400), max_size=6)


@settings(max_examples=500, deadline=None)
@given(pieces, places, st.booleans())
def test_any_bytes_in_any_chunks_come_out_as_they_went_in_plus_the_markup(
    pieces: list[bytes], places: list[int], page_expected: bool
) -> None:
    page = b"".join(pieces)

    output = inject(cut(page, [place % (len(page) + 1) for place in places]), page_expected=page_expected)

    assert output.replace(HEAD, b"").replace(BODY, b"") == page
    assert output.count(HEAD) <= 1
    assert output.count(BODY) <= 1
    assert output == inject([page], page_expected=page_expected)
    assert output == inject(in_bytes(page), page_expected=page_expected)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), places)
def test_arbitrary_bytes_pass(page: bytes, places: list[int]) -> None:
    output = inject(cut(page, [place % (len(page) + 1) for place in places]), page_expected=True)

    assert output.replace(HEAD, b"").replace(BODY, b"") == page


# Against a parser of the standard

# html5lib 1.1 parses with scripting off, as a browser without JavaScript does, and predates <template>.
NOT_COMPARED = {
    "template_in_head": "html5lib knows no <template>: its content ends the head",
    "template_nested": "html5lib knows no <template>",
    "template_with_raw_text": "html5lib knows no <template>",
    "template_with_noscript": "html5lib knows no <template>",
    "template_after_head": "html5lib knows no <template>",
    "noscript_in_head_after_charset": "without scripting its <img> begins the body, ahead of our banner",
}


def document(page: bytes) -> Node:
    """Parse a page into a DOM tree."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("dom"), namespaceHTMLElements=False)
    tree: Node = parser.parse(page.decode("utf-8-sig", "replace"))
    return tree


def elements(node: Any) -> Iterator[Any]:
    """Yield all elements in the order of the document."""
    for child in node.childNodes:
        if child.nodeType == Node.ELEMENT_NODE:
            yield child
            yield from elements(child)


def outline(node: Any) -> Any:
    """Describe a node and all below it by values that can be compared."""
    below = [outline(child) for child in node.childNodes]
    if node.nodeType == Node.ELEMENT_NODE:
        return node.tagName, sorted(node.attributes.items()), below
    return node.nodeName, node.nodeValue, getattr(node, "publicId", None), getattr(node, "systemId", None), below


def without_ours(tree: Any) -> Any:
    """Take our nodes out again, after a look at where they stand."""
    for element in [element for element in elements(tree) if element.getAttribute("id") == "ours"]:
        if element.tagName == "link":
            assert element.parentNode.tagName == "head"
        else:
            assert element.parentNode.tagName == "body"
            assert element.parentNode.firstChild is element
        element.parentNode.removeChild(element)
    tree.normalize()
    return tree


def assert_same_document(page: bytes, output: bytes) -> None:
    try:
        before: Any = document(page)
    except AssertionError:  # html5lib's own, for some tables and selects that never end
        return
    after: Any = document(output)
    before.normalize()
    ours = [element.tagName for element in elements(after) if element.getAttribute("id") == "ours"]

    assert ours == ["link"] * output.count(HEAD) + ["section"] * output.count(BODY)
    assert outline(without_ours(after)) == outline(before)


@pytest.mark.parametrize(
    "marked", [pytest.param(page, id=name) for name, page in PAGES.items() if name not in NOT_COMPARED]
)
def test_a_browser_sees_the_same_document_plus_our_two_nodes(marked: bytes) -> None:
    page = source_of(marked)

    output = inject([page])

    assert_same_document(page, output)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=15), st.booleans())
@example([b"<!doctype html>", b"<", b"\n"], False)
@example([b"<title>", b"</title>", b" ", b"x"], True)
def test_a_browser_sees_the_same_document_for_any_mix_of_tokens(tokens: list[bytes], page_expected: bool) -> None:
    page = b"".join(tokens)

    output = inject([page], page_expected=page_expected)

    assert_same_document(page, output)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=12))
def test_a_browser_sees_the_same_document_after_a_proper_beginning(tokens: list[bytes]) -> None:
    page = b"".join([b"<!doctype html><html><head>", *tokens])

    output = inject([page])

    assert_same_document(page, output)
