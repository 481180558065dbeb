"""What is remembered from one request to the next changes nothing but the time it takes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from consentgate.beginnings import Beginning, Beginnings, Known, Markup, Reading
from consentgate.consent import Answer, Consent
from consentgate.consent_cookie import ConsentCookie
from consentgate.injector import Injector
from consentgate.middleware import consent_from
from tests.conftest import (
    BANNER,
    GRANTED,
    HTML,
    KEY,
    NOW,
    REFUSED,
    at_once,
    body,
    make_policy,
    make_site,
    page,
    request,
    scripted,
    start,
)

OTHER_KEY = "another-key-that-is-long-enough-0123456789"
DAY = 86_400
POLICY = make_policy()
PIECES = st.sampled_from(
    [
        b"<!doctype html>",
        b"<html lang=cy>",
        b"<head>",
        b"</head>",
        b"<body>",
        b"<body class='a>b'>",
        b"<meta charset=utf-8>",
        b"<meta name=a content='x>y'>",
        b'<META name=d content="about charsets">',
        b"<link rel=a href='it's'>",
        b'<link q" x=\'" y>',
        b"<title>a</title>",
        b"<title>a < b</title>",
        b"<title>",
        b'<script>var a = "<body>"</script>',
        b"<script>1</script >",
        b"<script><!--<script></script>--></script>",
        b"<style>p{}</style x='>'>",
        b"<base href=/>",
        b"<noscript><p></noscript>",
        b"<template><body></template>",
        b"<!-- <body> -->",
        b" \n",
        b"text",
        b"<p>",
        b"\xef\xbb\xbf",
        b"<frameset>",
        b"<titlex>",
        b"<meta http-equiv=content-security-policy content=x>",
    ]
)


def markup(beginning: Beginning) -> Markup:
    """Say in the markup what was learnt, so that a difference shows."""
    return Markup(f"[H {beginning}]".encode(), f"[B {beginning}]".encode())


def injected(page: bytes, beginnings: Beginnings | None = None, *, charset_known: bool = True) -> bytes:
    injector = Injector(markup, charset_known=charset_known, beginnings=beginnings, address="/")
    return injector.feed(page) + injector.close()


@given(st.lists(PIECES, max_size=12), st.lists(PIECES, max_size=6), st.booleans())
def test_a_page_that_begins_alike_gets_what_it_would_get_by_itself(
    start: list[bytes], rest: list[bytes], charset_known: bool
) -> None:
    beginnings = Beginnings()
    for _ in range(2):
        injected(b"".join(start), beginnings, charset_known=charset_known)
    page = b"".join(start + rest)

    recalled = beginnings.splice(page, Reading("/", False, charset_known), markup)

    assert recalled in (None, injected(page, charset_known=charset_known))


def test_a_known_beginning_is_used_and_another_one_is_not() -> None:
    beginnings = Beginnings()
    for rest in (b"one", b"three"):
        injected(b"<!doctype html><body><p>" + rest, beginnings)

    known, other = (
        beginnings.splice(page, Reading("/", False, True), markup)
        for page in (b"<!doctype html><body><p>two", b"<!doctype html ><body><p>two")
    )

    assert known == injected(b"<!doctype html><body><p>two")
    assert other is None


def test_a_beginning_that_came_once_is_not_kept() -> None:
    beginnings = Beginnings()
    pages = [b"<!doctype html><meta name=token content=%d><body>" % number for number in range(5)]
    for content in pages:
        injected(content, beginnings)

    known = [beginnings.known(content, Reading("/", False, True)) for content in pages]

    assert known == [None] * len(pages)


TOKEN_LENGTH = 12
TOKENS = st.text("aZ09+/=_-", min_size=TOKEN_LENGTH, max_size=TOKEN_LENGTH).map(str.encode)
NO_TOKENS = (
    *(b"a" * 11, b"a" * 13, b"aaaaaa aaaaa", b"aacharset=aa", b"charset=utf8", b"CharSet=utf8", b"<body>aaaaaa"),
    *(b'"><body>aaaa', b"'><body>aaaa", b"aaa<!--aaaaa", b"aa</title>aa", b"a" * 11 + b"\0", b"\xff" * 12, b""),
)
AROUND_TOKENS = st.sampled_from(
    [
        b"<meta name=token content='%s'>",
        b'<meta content="it\'s >%s" name=a>',
        b"<meta name=token content=%s>",
        b"<meta http-equiv=refresh content='%s'>",
        b"<meta charset='%s'>",
        b'<meta http-equiv=content-type content="%s">',
        b'<link rel=a href="/a?%s">',
        b"<link title='<meta name=\"%s\">'>",
        b'<script nonce="%s">1</script>',
        b"<style nonce='%s'></style>",
        b'<script>var token = "%s"</script>',
        b"<script %s>1</script>",
        b"<title>%s</title>",
        b"<!-- %s -->",
        b"<base href='%s'>",
        b"<template title='%s'></template>",
        b"%s",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(AROUND_TOKENS, max_size=2),
    st.lists(PIECES, max_size=1),
    st.lists(TOKENS, min_size=5, max_size=5, unique=True),
    TOKENS,
    st.booleans(),
)
def test_a_page_that_begins_alike_but_for_its_tokens_gets_what_it_would_get_by_itself(
    start: list[bytes], end: list[bytes], before: list[bytes], after: bytes, charset_known: bool
) -> None:
    beginnings, reading = Beginnings(), Reading("/", False, charset_known)
    head = b"".join(start) + b"<meta charset=utf-8>" + b"".join(end)
    whole = b"<!doctype html><html lang=cy><head>" + head + b"</head><body><p>"
    for token in before:
        beginnings.read(whole.replace(b"%s", token), reading)
    pages = [whole.replace(b"%s", token) for token in (after, *NO_TOKENS)]

    recalled = [beginnings.splice(content, reading, markup) for content in pages]

    alone = [injected(content, charset_known=charset_known) for content in pages]
    assert [one for one, other in zip(recalled, alone, strict=True) if one not in (None, other)] == []


def read_in_turn(head: bytes, tokens: list[bytes], html: bytes = b"<html lang=en>") -> list[Known | None]:
    """Return what is known of each of some pages, which differ by their token, before it is read itself."""
    beginnings, reading = Beginnings(), Reading("/", False, True)
    pages = [(b"<!doctype html>" + html + b"<head>" + head + b"</head><body>").replace(b"%s", each) for each in tokens]
    return [beginnings.known(each, reading) or (beginnings.read(each, reading) and None) for each in pages]


SIX = [b"%d+/=_-%d" % (number, number**3 + 100) for number in range(4, 10)]


@pytest.mark.parametrize(
    "head",
    [
        b"<meta charset=utf-8><meta name=csrf-token content='%s'>",
        b'<meta name=csrf-token content="%s"><meta charset=utf-8><title>a</title>',
        b"<script nonce='%s'>1</script><style nonce='%s'>p{}</style><link nonce='%s' href=/a.css>",
        b"<script>var token = '%s'</script>",
        b"<title>%s</title>",
    ],
)
def test_from_its_fourth_page_on_a_beginning_is_known_but_for_its_tokens(head: bytes) -> None:
    known = read_in_turn(head, SIX)

    assert [each is not None for each in known] == [False, False, False, True, True, True]


@pytest.mark.parametrize(
    ("head", "html"),
    [
        (b"<meta name=csrf-token content=%s>", b"<html>"),  # a token may end in a slash, say
        (b"<meta name=csrf-token content=' %s'><!-- %s -->", b"<html>"),
        (b"<meta http-equiv='%s' content='%s'>", b"<html>"),
        (b"<title>a</title>", b"<html lang='%s'>"),
        (b"<title>a</title>", b"<html class='%s'>"),
        (b"<meta charset='%s'>", b"<html>"),
        (b"".join(b"<meta name=a content='%s'>" for _ in range(17)), b"<html>"),
        (b"<meta name=csrf-token content='" + b"a" * 8_192 + b"%s'>", b"<html>"),
    ],
)
def test_where_a_token_might_change_more_or_there_are_many_each_page_is_read(head: bytes, html: bytes) -> None:
    known = read_in_turn(head, SIX, html)

    assert known == [None] * len(SIX)


@pytest.mark.parametrize("token", [b"longer-than-those", b"9 /=_-829", b"9+/='-829", b"", b"charset=8"])
def test_what_is_no_token_of_the_same_length_is_read(token: bytes) -> None:
    *_, known = read_in_turn(b"<meta name=csrf-token content='%s'>", [*SIX, token])

    assert known is None


def test_tokens_of_another_length_are_learnt_in_place_of_the_first() -> None:
    longer = [token * 2 for token in SIX]

    known = read_in_turn(b"<meta name=csrf-token content='%s'>", SIX + longer)

    assert [each is not None for each in known[6:]] == [False, False, True, True, True, True]


@pytest.mark.parametrize("tokens", [SIX, [b"anna.%d.abc" % number for number in (111, 112, 112, 113, 114, 115)]])
def test_once_its_tokens_are_known_no_visitors_token_is_kept(tokens: list[bytes]) -> None:
    beginnings = Beginnings()
    content = b"<!doctype html><html><head><meta name=csrf-token content='%s'></head><body>"
    for token in tokens:
        page = content.replace(b"%s", token)
        assert beginnings.known(page, Reading("/", False, True)) or beginnings.read(page, Reading("/", False, True))

    kept = repr(vars(beginnings)).encode()

    assert b"csrf-token" in kept
    assert not [token for token in tokens if token in kept]


def test_a_change_that_is_no_token_does_not_keep_tokens_from_being_found() -> None:
    beginnings, reading = Beginnings(), Reading("/", False, True)
    content = b"<!doctype html><html lang=%s><head><meta name=csrf-token content='%s'></head><body>"
    for language in (b"en", b"cy", b"en", b"cy"):
        for token in SIX[:3]:
            beginnings.read(content % (language, token), reading)

    assert beginnings.known(content % (b"cy", SIX[3]), reading) is not None


def test_where_it_is_often_tried_in_vain_to_find_tokens_it_is_given_up() -> None:
    beginnings, reading = Beginnings(), Reading("/", False, True)
    content = b"<!doctype html><html lang=%s><head><meta name=csrf-token content='%s'></head><body>"
    for number in range(60):
        beginnings.read(content % (b"en" if number % 2 else b"cy", b"%d" % (100 + number)), reading)

    for token in SIX:
        beginnings.read(content % (b"cy", token), reading)

    assert beginnings.known(content % (b"cy", SIX[0]), reading) is None


def test_of_a_page_that_may_not_be_stored_nothing_is_kept() -> None:
    for caching in (b"no-store", b"max-age=60"):
        token, held = iter(SIX * 4), make_site(scripted(), POLICY)
        for _ in range(12):
            content = b"<!doctype html><html lang=en><head><meta name=t content='%s'></head><body><p>" % next(token)
            held.app = scripted(start(HTML, (b"cache-control", caching)), body(content))
            at_once(held, request())
        kept = repr([vars(held._door._beginnings), held._door._fronts, held._site.printed_tags.prefilter.kept])
        assert ("name=t" in kept) == (caching != b"no-store")


def test_beginnings_that_change_do_not_fill_the_memory() -> None:
    beginnings = Beginnings()
    content = b"<!doctype html><html><head><meta name=a content='%d'></head><body>"
    for number in range(1_000):
        for turn in range(2):
            beginnings.read(content % turn, Reading(f"/{number}", False, True))

    kept = repr(vars(beginnings)).count("doctype")

    assert 0 < kept <= 64


@given(
    st.lists(PIECES, max_size=3),
    st.lists(PIECES, max_size=8),
    st.lists(PIECES, max_size=3),
    st.sampled_from([b"<body>", b"<body class='a>b'>", b"<p><body>"]),
    st.booleans(),
)
def test_a_beginning_that_is_read_at_one_go_is_understood_as_by_an_injector(
    of_html: list[bytes], of_head: list[bytes], rest: list[bytes], body: bytes, charset_known: bool
) -> None:
    start = b"<!doctype html>" + b"".join(of_html) + b"<html lang=cy><head>" + b"".join(of_head) + b"</head>" + body
    page = start + b"".join(rest)

    read = Beginnings().read(page, Reading("/", False, charset_known))

    if read is not None:
        inserted = markup(read.of_body)
        spliced = read.spliced(page, inserted.head, inserted.body)
        assert spliced == injected(page, charset_known=charset_known)


@pytest.mark.parametrize("charset_known", [True, False])
@pytest.mark.parametrize(
    "head",
    [
        b"<meta charset=utf-8><title>a</title>",
        b"<meta name=a content='b'><META CHARSET='UTF-8'><script>1</script><style>a</style >",
        b'<meta http-equiv=content-type content="text/html; charset=utf-8">',
        b"<meta charset=latin1><link rel=a href=/b/>",
        b"<!-- a --><meta charset=utf-8>",
        b"<meta charset=utf-8><meta charset=utf-8>",
        b"<meta name=a content='" + b"b" * 1_024 + b"'><meta charset=utf-8>",
        b"<meta charset=utf-8><base href=/>",
        b"<title>no charset</title>",
        b"<meta http-equiv=content-security-policy content=\"default-src 'self'\">",
    ],
)
@pytest.mark.parametrize("tag", [b"<html>", b"<HTML Lang='en-GB' class=a>", b"<html amp>", b"<html lang=en\nlang=de>"])
def test_usual_beginnings_are_understood_as_by_an_injector(tag: bytes, head: bytes, charset_known: bool) -> None:
    page = b"<!DOCTYPE html>\n" + tag + b"\n<head>\n" + head + b"</head>\n<body class=a><p>text"

    read = Beginnings().read(page, Reading("/", True, charset_known))

    if read is not None:
        inserted = markup(read.of_body)
        spliced = read.spliced(page, inserted.head, inserted.body)
        assert spliced == injected(page, charset_known=charset_known)


@pytest.mark.parametrize(
    ("head", "is_usual"),
    [
        (b"<meta charset=utf-8><title>a</title>", True),
        (b"<title>a</title><link rel=icon href=/a.svg>", True),
        (b"<meta charset=utf-8><meta charset=utf-8>", False),
        (b"<base href=/>", False),
        (b"<!-- a -->", False),
    ],
)
def test_usual_beginnings_are_read_at_one_go(head: bytes, is_usual: bool) -> None:
    page = b"<!doctype html>\n<html lang=en>\n<head>\n" + head + b"</head>\n<body class=a><p>text"

    read = Beginnings().read(page, Reading("/", True, True))

    assert (read is not None) == is_usual


def test_beginnings_of_many_addresses_do_not_fill_the_memory() -> None:
    beginnings = Beginnings()
    page = b"<!doctype html><body>"
    for number in range(1_000):
        for _ in range(2):
            Injector(markup, beginnings=beginnings, address=f"/{number}").feed(page)

    known = [beginnings.splice(page, Reading(f"/{number}", False, True), markup) for number in range(1_000)]

    assert 0 < sum(spliced is not None for spliced in known) <= 256


def test_beginnings_with_their_markup_do_not_fill_the_memory() -> None:
    site = make_site(
        page(content=b"<!doctype html><html lang=en><head>" + b" " * 4_000 + b"</head><body><p>text"), POLICY
    )
    kept = []

    for number in range(1_000):
        for _ in range(6):
            at_once(site, {**request(), "path": f"/{number}", "raw_path": b"/%d" % number})
        kept.append(sum(front.known.end + len(front.words) + len(front.text) for front in site._door._fronts.values()))

    assert 0 < max(kept) <= 2_097_152


@pytest.mark.parametrize(
    ("changes", "back"),
    [
        ({"raw_path": b"/news"}, b'value="/news"'),
        ({"raw_path": b"/place"}, b'value="/place"'),
        ({"raw_path": b"/news", "query_string": b"page=2"}, b'value="/news?page=2"'),
        ({"raw_path": b"/news", "method": "POST"}, b'value=""'),
        ({"raw_path": bytearray(b"/news")}, b'value="/news"'),
    ],
)
def test_the_way_back_is_that_of_the_page_although_others_began_alike(changes: dict[str, Any], back: bytes) -> None:
    site = make_site(page(content=b"<!doctype html><html lang=en><head></head><body><p>text"), POLICY)
    for raw_path in (b"/news", b"/place"):
        for _ in range(6):
            at_once(site, {**request(), "path": raw_path.decode(), "raw_path": raw_path})

    path = bytes(changes["raw_path"]).decode()
    answers = [at_once(site, {**request(), "path": path, **changes})[1]["body"] for _ in range(2)]

    assert all(b'name="back" ' + back in answer for answer in answers), answers


def pages_with_nonces(answers: dict[str, bool], *, in_head: bool) -> list[tuple[bytes, bytes, bytes]]:
    """Return the nonce, the policy and the body of some pages of a site that draws a nonce for each."""
    drawn = [b"%d+/_-%d=" % (number, number**3 + 100) for number in range(4, 10)]
    turns = iter(drawn)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonce = next(turns)
        policy = b"default-src 'self'; script-src 'nonce-%s'; style-src 'nonce-%s'" % (nonce, nonce)
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy)]
        script = b'<script nonce="%s">1</script>' % nonce if in_head else b""
        body = b"<!doctype html><html lang=en><head>" + script + b"</head><body><p>text"
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    site, pages = make_site(app, POLICY), []
    for nonce in drawn:
        start, piece = at_once(site, request(answers=answers))
        pages.append((nonce, dict(start["headers"])[b"content-security-policy"], piece["body"]))
    return pages


@pytest.mark.parametrize("in_head", [True, False])
def test_markup_has_the_nonce_of_its_own_page(in_head: bool) -> None:
    for nonce, policy, content in pages_with_nonces({}, in_head=in_head):
        assert policy.count(b"'nonce-%s'" % nonce) == policy.count(b"'nonce-") == 2
        assert content.count(b'nonce="%s"' % nonce) == content.count(b"nonce=") == 2 + in_head
        assert b'<link nonce="%s" rel="stylesheet"' % nonce in content
        assert BANNER in content


@pytest.mark.parametrize("answers", [{}, REFUSED], ids=["undecided", "refused"])
def test_what_brings_a_tag_of_a_later_piece_to_life_has_the_nonce_of_its_page(answers: dict[str, bool]) -> None:
    pieces = [
        b"<!doctype html><html lang=en><head></head><body><p>text",
        b"<img src='https://www.google-analytics.com/a'>",
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        policy = b"script-src 'nonce-abc'"
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    site = make_site(app, POLICY)
    bodies = [b"".join(sent.get("body", b"") for sent in at_once(site, request(answers=answers))) for _ in range(6)]

    assert all(b"<img data-consent=" in body for body in bodies)
    assert all(body.count(b'<script nonce="abc" ') == body.count(b"<script ") for body in bodies)
    assert (b"data-page=" in bodies[-1]) == (not answers)


def test_with_consent_scripts_have_the_nonce_and_the_policy_lets_them_in() -> None:
    for nonce, policy, content in pages_with_nonces(GRANTED, in_head=True):
        assert b"script-src 'nonce-%s' https://*.googletagmanager.com" % nonce in policy
        assert content.count(b'<script nonce="%s"' % nonce) == content.count(b"<script") >= 2


def test_after_a_refusal_a_page_with_a_nonce_is_the_applications_own() -> None:
    for nonce, policy, content in pages_with_nonces(REFUSED, in_head=True):
        assert b"googletagmanager" not in policy
        assert (
            content == b'<!doctype html><html lang=en><head><script nonce="%s">1</script></head><body><p>text' % nonce
        )


def written(*, granted: bool, at: float = NOW, key: str = KEY) -> bytes:
    consent = Consent.from_answers(POLICY, {"analytics": Answer(granted, 1, int(at))}, at)
    return ConsentCookie(POLICY, [key]).dump(consent).encode()


@pytest.mark.parametrize("granted", [True, False])
def test_a_remembered_choice_lapses_to_the_second(granted: bool) -> None:
    cookie, value = ConsentCookie(POLICY, [KEY]), written(granted=granted)
    lapses = NOW + DAY * (POLICY.acceptance_days if granted else POLICY.refusal_days)

    fresh = [cookie.read([value], now) for now in (NOW, lapses - 1)]
    lapsed = cookie.read([value], lapses)

    assert all("analytics" not in consent.undecided for consent in fresh)
    assert "analytics" in lapsed.undecided


def test_a_choice_of_the_future_counts_when_its_time_comes() -> None:
    cookie, value = ConsentCookie(POLICY, [KEY]), written(granted=True, at=NOW + 1_000)

    granted = ["analytics" in cookie.read([value], now).granted for now in (NOW, NOW + 699, NOW + 700, NOW)]

    assert granted == [False, False, True, False]


def test_a_signal_is_heard_beside_a_remembered_cookie() -> None:
    cookie, value = ConsentCookie(POLICY, [KEY]), written(granted=True)

    read = [cookie.read([value], NOW, signalled=signalled) for signalled in (False, True, False)]

    assert [consent.signalled for consent in read] == [False, True, False]


def test_only_verified_values_are_remembered_and_not_without_end() -> None:
    cookie = ConsentCookie(POLICY, [KEY])

    for number in range(50):
        cookie.read([written(granted=True, key=OTHER_KEY) + b"%d" % number], NOW)
    after_forgeries = len(cookie._verified)
    sizes = []
    for at in range(2_100):
        cookie.read([written(granted=True, at=NOW - at)], NOW)
        sizes.append(len(cookie._verified))

    assert after_forgeries == 0
    assert max(sizes) <= 2_048
    assert any(later < sooner for sooner, later in pairwise(sizes))


# The same `Cookie` header, with many requests

BASED = b"<!doctype html><html lang=en><head><base href=/a/></head><body><p>text</p>"


def cookies_of(value: bytes) -> tuple[bytes, bytes]:
    return b"cookie", b"__Host-consentgate=" + value + b"; __Secure-consentgate=" + value


class Asked:
    """A site that tells what a visitor agreed to, and is asked without a server, at a time that is passed in."""

    def __init__(self, **changes: Any) -> None:
        self.now = float(NOW)
        self.site = make_site(self.app, make_policy(**changes), now=lambda: self.now)
        self.heard: list[tuple[bool, bool]] = []

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        consent = consent_from(scope)
        self.heard.append((consent.allows("analytics"), "analytics" not in consent.undecided))

    def of(self, scope: Scope) -> tuple[bool, bool]:
        self.left_of(scope)
        return self.heard[-1]

    def left_of(self, scope: Scope) -> bytes:
        return b"".join(message.get("body", b"") for message in at_once(self.site, scope))


def at_host(host: bytes, *headers: tuple[bytes, bytes], **changes: Any) -> Scope:
    scope = request(*headers, **changes)
    return {**scope, "headers": [(b"host", host), *(pair for pair in scope["headers"] if pair[0] != b"host")]}


def test_a_cookie_header_means_at_each_host_what_the_cookie_of_its_name_says() -> None:
    site = Asked(cookie_domain="luton.example", hosts=("luton.example", "place.luton.example"))
    granted, refused = written(granted=True), written(granted=False)
    header = (b"cookie", b"__Host-consentgate=" + refused + b"; __Secure-consentgate=" + granted)
    hosts = [b"luton.example", b"place.luton.example", b"elsewhere.example", b"luton.example:8000"]

    said = [[site.of(at_host(host, header)) for host in hosts] for _ in range(3)]

    assert said == [[(True, True), (True, True), (False, True), (True, True)]] * 3


def test_a_cookie_header_over_plain_http_is_read_by_the_other_name() -> None:
    site = Asked()
    header = (b"cookie", b"consentgate=" + written(granted=True) + b"; __Host-consentgate=" + written(granted=False))

    said = [site.of(request(header, scheme=scheme)) for scheme in ("https", "http", "https", "http")]

    assert said == [(False, True), (True, True)] * 2


@pytest.mark.parametrize("granted", [True, False])
def test_what_a_cookie_header_meant_lapses_to_the_second(granted: bool) -> None:
    site, scope = Asked(), request(cookies_of(written(granted=granted)))
    lapses = NOW + DAY * (POLICY.acceptance_days if granted else POLICY.refusal_days)
    said = []

    for site.now in (NOW, NOW, lapses - 1, lapses, NOW):
        said.append(site.of(scope))

    assert said == [(granted, True)] * 3 + [(False, False), (granted, True)]


def test_a_visitor_whose_answer_lapsed_is_asked_again_on_the_next_page() -> None:
    site, scope = Asked(), request(answers=REFUSED)
    site.site.app = page()
    lapses = NOW + DAY * POLICY.refusal_days
    left = []

    for site.now in (*[NOW] * 5, lapses - 1, lapses, NOW):
        left.append(BANNER in site.left_of(scope))

    assert left == [False] * 6 + [True, False]


def test_a_page_is_answered_for_one_choice_although_the_answer_lapses_meanwhile() -> None:
    scope = request(answers=GRANTED)
    site = Asked()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            assert consent_from(scope).allows("analytics")
            site.now = NOW + DAY * POLICY.acceptance_days
            site.site.app = page()
            site.left_of({**scope, "path": "/", "headers": request(answers=GRANTED)["headers"]})
        await page((b"etag", b'"v1"'), content=BASED)(scope, receive, send)

    etags = []
    for site.now, path in ((NOW, "/"), (NOW, "/slow"), (NOW, "/")):
        site.site.app = slow
        start, *_ = at_once(site.site, {**scope, "path": path})
        etags.append(dict(start["headers"])[b"etag"])

    assert etags == [etags[0]] * 3


def test_a_cookie_header_of_the_future_counts_when_its_time_comes() -> None:
    site, scope = Asked(), request(cookies_of(written(granted=True, at=NOW + 1_000)))
    said = []

    for site.now in (NOW, NOW + 699, NOW + 700, NOW):
        said.append(site.of(scope))

    assert [allowed for allowed, _ in said] == [False, False, True, False]


def test_a_forged_cookie_header_stays_undecided_beside_the_true_one() -> None:
    site = Asked()
    true, forged = (request(cookies_of(written(granted=True, key=key))) for key in (KEY, OTHER_KEY))

    said = [site.of(scope) for scope in (forged, true, forged, true)]

    assert said == [(False, False), (True, True)] * 2


def test_a_signal_is_heard_beside_a_remembered_cookie_header() -> None:
    site = Asked()
    plain, signalled = request(), request((b"sec-gpc", b"1"))

    said = [site.of(scope) for scope in (plain, signalled, plain)]

    assert said == [(False, False), (False, True), (False, False)]


def test_cookie_headers_do_not_fill_the_memory_and_are_not_kept() -> None:
    site, sizes = Asked(), []

    for number in range(2_200):
        site.of(request((b"cookie", b"session=%d" % number)))
        sizes.append(len(site.site._site.seen))

    assert max(sizes) <= 2_048
    assert any(later < sooner for sooner, later in pairwise(sizes))
    assert all(type(key) is int for key in site.site._site.seen)
