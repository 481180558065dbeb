"""Where the banner stands: first, after the skip links, or at the bottom; in doubt first, and no byte is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentgate import ConfigurationError
from consentgate.assets import assets
from consentgate.beginnings import Markup
from consentgate.injector import Injector
from tests.conftest import BANNER, ask, make_policy, page

HEAD = b"<!doctype html><html><head><title>x</title></head><body>"
LINK = b'<a class="skip" href="#main">Skip to content</a>'
REST = b"<main id=main>Words</main></body></html>"
_WINDOW = 1_024  # bytes after <body> in which the links have to end

AFTER_THE_LINK = {
    "at_once": b"" + LINK,
    "after_space": b"\n  " + LINK,
    "after_a_comment": b"<!-- top > --->\n" + LINK,
    "after_a_script": b"<script>document.body.className += ' js-enabled <b>'</script>\n" + LINK,
    "after_an_empty_script": b'<script src="/a.js"></script>' + LINK,
    "attributes_in_any_order": b"<A HREF='#content' class=skip-link data-x=\"a > b\">Skip</A>",
    "unquoted": b"<a href=#main>Skip</a >",
    "with_a_span": b'<a href="#main"><span class="text">Skip</span> to content</a>',
    "two_links": LINK + b"\n" + b'<a href="#nav">Skip to navigation</a>',
    "two_links_with_a_comment_between": LINK + b"<!-- and -->" + LINK,
}
FIRST = {
    "no_link": b"<header>Top</header>",
    "text": b"Words " + LINK,
    "link_elsewhere": b'<a href="/home">Home</a>' + LINK,
    "link_without_address": b"<a name=top>Top</a>" + LINK,
    "link_in_a_header": b"<header>" + LINK + b"</header>",
    "link_in_a_list": b"<ul><li>" + LINK + b"</li></ul>",
    "heading_in_the_link": b'<a href="#main"><h1>Skip</h1></a>',
    "link_that_never_ends": b'<a href="#main">Skip to content',
    "comment_that_never_ends": b"<!-- " + LINK,
    "script_with_a_comment": b"<script><!-- </script>" + LINK,
    "noscript": b"<noscript><iframe></iframe></noscript>" + LINK,
    "too_far": b"<!-- " + b"x" * _WINDOW + b" -->" + LINK,
    "too_long": b'<a href="#main">' + b"x" * _WINDOW + b"</a>",
    "nothing": b"",
}


PARTS = [LINK, b" ", b"<!-- c -->", b"<script>1</script>", b"<a href=/x>x</a>", b"<p>", b"x", b"<", b"<a "]


def spliced(content: bytes, *cuts: int, is_after: bool = True) -> tuple[bytes, list[bytes]]:
    injector = Injector(lambda _: Markup(b"[H]", b"[B]"), after_skip_link=is_after)
    ends = [*sorted(cuts), len(content)]
    pieces = [injector.feed(content[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    pieces.append(injector.close())
    return b"".join(pieces), pieces


@pytest.mark.parametrize("beginning", AFTER_THE_LINK.values(), ids=list(AFTER_THE_LINK))
def test_it_stands_after_the_links_that_a_body_begins_with(beginning: bytes) -> None:
    content = HEAD + beginning + REST

    assert spliced(content)[0] == content.replace(b"</head>", b"[H]</head>").replace(REST, b"[B]" + REST)
    assert spliced(content, is_after=False)[0].startswith(HEAD.replace(b"</head>", b"[H]</head>") + b"[B]")


@pytest.mark.parametrize("beginning", FIRST.values(), ids=list(FIRST))
def test_in_doubt_it_stands_first(beginning: bytes) -> None:
    content = HEAD + beginning + REST

    assert spliced(content)[0] == spliced(content, is_after=False)[0]
    assert b"<body>[B]" in spliced(content)[0]


@pytest.mark.parametrize("beginning", [*AFTER_THE_LINK.values(), *FIRST.values()], ids=[*AFTER_THE_LINK, *FIRST])
def test_it_stands_there_however_the_page_is_cut(beginning: bytes) -> None:
    content = HEAD + beginning + REST
    expected = spliced(content)[0]

    for cut in range(len(content)):
        assert spliced(content, cut)[0] == expected, content[:cut]
    assert spliced(content, *range(1, len(content)))[0] == expected


@given(
    st.lists(
        st.sampled_from(
            [LINK, b" ", b"<!-- c -->", b"<script>1</script>", b"<a href=/x>x</a>", b"<p>", b"x", b"<", b"<a "]
        ),
        max_size=6,
    ),
    st.lists(st.integers(0, 300), max_size=4),
)
def test_no_byte_of_the_page_is_changed(parts: list[bytes], cuts: list[int]) -> None:
    content = HEAD + b"".join(parts) + REST

    found = spliced(content, *(min(cut, len(content)) for cut in cuts))[0]

    assert found == spliced(content)[0]
    assert found.count(b"[B]") == 1
    assert found.replace(b"[H]", b"").replace(b"[B]", b"") == content


def test_a_page_that_begins_otherwise_is_not_held_back() -> None:
    injector = Injector(lambda _: Markup(b"", b"[B]"), after_skip_link=True)

    assert injector.feed(HEAD) == HEAD
    assert injector.feed(b"\n<main>") == b"[B]\n<main>"


def test_no_more_than_a_link_is_held_back() -> None:
    injector = Injector(lambda _: Markup(b"", b"[B]"), after_skip_link=True)

    assert injector.feed(HEAD + LINK + b"\n") == HEAD
    assert injector.feed(b"<main>") == LINK + b"[B]\n<main>"


def test_a_page_that_ends_with_the_link_has_the_banner() -> None:
    assert spliced(HEAD + LINK)[0].endswith(LINK + b"[B]")
    assert spliced(HEAD)[0].endswith(b"<body>[B]")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("placement", "before"), [("first", b"<body>"), ("after-skip-link", LINK), ("bottom", b"<body>")]
)
async def test_the_policy_decides(placement: str, before: bytes) -> None:
    answer = await ask(page(content=HEAD + LINK + REST), policy=make_policy(placement=placement))

    assert before + b"<section " + BANNER in answer.body


@pytest.mark.anyio
@pytest.mark.parametrize("placement", ["first", "after-skip-link"])
async def test_a_shared_page_tells_its_script_alike(placement: str) -> None:
    answer = await ask(page(content=HEAD + LINK + REST), policy=make_policy(placement=placement, cache="shared"))

    assert (b" data-skip>" in answer.body) is (placement == "after-skip-link")


def test_only_the_bottom_has_a_style_of_its_own() -> None:
    sheets = [assets(at_the_bottom=at_the_bottom)["consentgate.css"] for at_the_bottom in (False, True)]

    assert [b"position:fixed" in sheet.content for sheet in sheets] == [False, True]
    assert [b"scroll-padding-bottom" in sheet.content for sheet in sheets] == [False, True]


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="placement = 'top': Use one of first, after-skip-link, bottom"):
        make_policy(placement="top")
