"""A page that had to be read leaves, when it comes again, as it left before, and only where all else is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from consentgate import ConsentMiddleware, ConsentPolicy
from consentgate.kept_pages import KeptPage, KeptPages
from tests.conftest import BANNER, at_once, make_policy, make_site, request
from tests.test_observer import POLICY as PRINTED

POLICY = replace(PRINTED, hosts=("luton.example", "place.luton.example"))
PAGE = (
    b"<!doctype html><html lang=en><head><meta charset=utf-8>"
    b"<script async src=https://www.googletagmanager.com/gtag/js?id=G-LUTON123></script></head>"
    b"<body><a href=#main>Skip</a><iframe src=https://www.youtube.com/embed/abc title=Luton></iframe></body></html>"
)
UNTIL_KEPT = 6  # requests
NUMBERS = count()
AGREED = {"analytics": True, "marketing": True}
DECLINED = {"analytics": False, "marketing": False}
VISITORS = {
    "undecided": request(),
    "agreed": request(answers=AGREED),
    "refused": request(answers=DECLINED),
    "half": request(answers={"analytics": True, "marketing": False}),
}


@dataclass
class Counter:
    """Keep what is said of pages, in order."""

    said: list[tuple[str, ...]] = field(default_factory=list)

    def page(self, host: str) -> None:
        self.said.append(("page", host))

    def banner(self, host: str) -> None:
        self.said.append(("banner", host))

    def choice(self, host: str, outcome: str) -> None: ...

    def cookie_withheld(self, host: str, category: str) -> None: ...

    def tag_withheld(self, host: str, service: str) -> None:
        self.said.append(("tag", host, service))


def site_of(
    content: Callable[[Scope], bytes] = lambda scope: PAGE,
    *headers: tuple[bytes, bytes],
    policy: ConsentPolicy = POLICY,
    **settings: Any,
) -> ConsentMiddleware:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = content(scope)
        length = (b"content-length", b"%d" % len(body))
        written = [(b"content-type", b"text/html; charset=utf-8"), length, *headers]
        await send({"type": "http.response.start", "status": 200, "headers": written})
        await send({"type": "http.response.body", "body": body})

    return make_site(app, policy, **settings)


def kept_in(site: ConsentMiddleware) -> int:
    return len(site._door._kept._pages)


@pytest.mark.parametrize("placement", ["first", "after-skip-link"])
@pytest.mark.parametrize("visitor", VISITORS)
def test_a_page_leaves_as_it_did_the_first_time(visitor: str, placement: str) -> None:
    site = site_of(policy=make_policy(categories=POLICY.categories, placement=placement))

    answers: list[list[Message]] = []
    for _ in range(UNTIL_KEPT):
        answers.append(at_once(site, VISITORS[visitor]))
        for other in VISITORS.values():
            at_once(site, other)

    assert kept_in(site) >= len(VISITORS) - 1
    assert all(answer == answers[0] for answer in answers)
    assert dict(answers[-1][0]["headers"])[b"content-length"] == b"%d" % len(answers[-1][1]["body"])


@pytest.mark.parametrize(
    "other",
    [
        {"query_string": b"page=2"},
        {"raw_path": b"/%61"},
        {"headers": [(b"host", b"place.luton.example"), *request()["headers"][1:]]},
        {"headers": [(b"host", b"luton.example:8443"), *request()["headers"][1:]]},
        {"headers": [(b"host", b"stranger.example"), *request()["headers"][1:]]},
        {"root_path": "/app", "path": "/app/"},
        {"scheme": "http"},
        {"method": "POST"},
        {"headers": [*request()["headers"], (b"sec-fetch-dest", b"document")]},
    ],
    ids=str,
)
@pytest.mark.parametrize("base", [b"", b"<base href=/>"], ids=["", "with_a_base"])
def test_where_something_else_differs_a_page_leaves_as_it_would_by_itself(other: dict[str, Any], base: bytes) -> None:
    content = PAGE.replace(b"<meta", base + b"<meta")
    site = site_of(lambda scope: content)
    for _ in range(UNTIL_KEPT):
        at_once(site, request())

    asked = {**request(), **other}
    answers = [at_once(site, asked) for _ in range(UNTIL_KEPT)]

    assert kept_in(site)
    alone = at_once(site_of(lambda scope: content), asked)
    assert all(answer == alone for answer in answers)


@pytest.mark.parametrize("odd", [{"raw_path": bytearray(b"/")}, {"raw_path": "/"}, {"query_string": "a=1"}], ids=str)
def test_what_a_server_writes_in_another_way_is_answered_as_well(odd: dict[str, Any]) -> None:
    site, asked = site_of(), {**VISITORS["refused"], **odd}

    answers = [at_once(site, asked) for _ in range(UNTIL_KEPT)]

    assert all(answer == answers[0] for answer in answers)
    assert not kept_in(site)


def test_another_page_at_the_same_address_is_read() -> None:
    pages = [PAGE, PAGE.replace(b"abc", b"def"), PAGE.replace(b"youtube", b"example")]
    turn = [PAGE]
    site = site_of(lambda scope: turn[0])

    answers = {}
    for each in [*pages * UNTIL_KEPT]:
        turn[0] = each
        answers[each] = at_once(site, request())[1]["body"]

    for each in pages:
        assert answers[each] == at_once(site_of(lambda scope, each=each: each), request())[1]["body"]  # type: ignore[misc]


@pytest.mark.parametrize("visitor", VISITORS)
def test_what_is_counted_of_a_kept_page_is_what_was_counted_of_the_first(visitor: str) -> None:
    counter = Counter()
    site = site_of(observer=counter)

    counted = []
    for _ in range(UNTIL_KEPT + 1):
        counter.said.clear()
        at_once(site, VISITORS[visitor])
        counted.append(tuple(counter.said))

    assert kept_in(site)
    assert set(counted) == {counted[0]}
    assert ("page", "luton.example") in counted[0]
    assert (("banner", "luton.example") in counted[0]) == (visitor == "undecided")
    assert (("tag", "luton.example", "YouTube") in counted[0]) == (visitor != "agreed")


def test_a_nonce_is_never_that_of_another_page() -> None:
    turns = iter(range(100, 200))
    drawn: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        drawn.append(b"n%d" % next(turns))
        policy = b"script-src 'nonce-%s'" % drawn[-1]
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})

    site = make_site(app, POLICY)
    for _ in range(UNTIL_KEPT + 2):
        content = at_once(site, request())[1]["body"]
        assert content.count(b'nonce="%s"' % drawn[-1]) == content.count(b"nonce=") > 0
    assert not kept_in(site)


def test_a_policy_without_a_nonce_is_a_reason_to_tell_pages_apart() -> None:
    wide, narrow = b"frame-src *", b"frame-src 'none'"
    turn = [wide]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", turn[0])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})

    site, answers = make_site(app, POLICY), {}
    for each in (wide, narrow) * UNTIL_KEPT:
        turn[0] = each
        answers[each] = at_once(site, request())[1]["body"]

    assert kept_in(site) == 2
    assert b"later=1" in answers[narrow]
    assert b"later=1" not in answers[wide]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(lambda scope: PAGE, [(b"cache-control", b"no-store")], id="no_store"),
        pytest.param(lambda scope: PAGE + b" " * 262_144, [], id="very_long"),
        pytest.param(lambda scope: PAGE.replace(b"abc", b"%d" % next(NUMBERS)), [], id="another_each_time"),
        pytest.param(lambda scope: b"<!doctype html><html><head><meta charset=utf-8></head><body>", [], id="not_read"),
    ],
)
def test_what_is_not_to_be_kept_is_not(content: Callable[[Scope], bytes], headers: list[tuple[bytes, bytes]]) -> None:
    site = site_of(content, *headers)

    for _ in range(UNTIL_KEPT):
        sent = at_once(site, request())

    assert BANNER in sent[1]["body"]
    assert not kept_in(site)


def test_kept_pages_do_not_fill_the_memory() -> None:
    kept, sizes = KeptPages(), []

    for number in range(200):
        page = KeptPage(b"%d" % number + bytes(60_000), bytes(60_000), (), asks=False)
        for _ in range(2):
            kept.keep(("luton.example", f"/{number}"), "key", page)
        sizes.append(sum(len(each.came) + len(each.leaves) for each in kept._pages.values()))

    assert 0 < max(sizes) <= 4_194_304
    assert len(kept._seen) <= 1_024


def test_an_address_whose_page_no_longer_holds_a_tag_goes_the_short_way_again() -> None:
    turn = [PAGE]
    site = site_of(lambda scope: turn[0])
    for _ in range(UNTIL_KEPT):
        at_once(site, request())
    with_tags = set(site._door._with_tags)

    turn[0] = b"<!doctype html><html lang=en><head><meta charset=utf-8></head><body><p>text</p></body></html>"
    answers = [at_once(site, request())[1]["body"] for _ in range(UNTIL_KEPT)]

    assert with_tags
    assert not site._door._with_tags
    assert set(answers) == {at_once(site_of(lambda scope: turn[0]), request())[1]["body"]}


def test_what_visitors_make_up_does_not_fill_the_memory() -> None:
    site = site_of()
    for number in range(300):
        made_up = b"%d" % number + b"a" * 10_000
        for other in (
            {"query_string": made_up},
            {"path": f"/{made_up.decode()}", "raw_path": b"/" + made_up},
            {"headers": [(b"host", b"luton.example:" + made_up), *request()["headers"][1:]]},
        ):
            for _ in range(2 if number else UNTIL_KEPT):
                at_once(site, {**request(), **other})

    kept = repr([site._door._kept._pages, site._door._kept.addresses, site._door._with_tags])

    assert len(kept) < 1_000_000
    assert site._door._with_tags


def test_a_page_that_came_once_is_not_kept() -> None:
    kept = KeptPages()

    for number in range(3_000):
        kept.keep(("luton.example", "/"), "key", KeptPage(b"%d" % number, b"", (), asks=False))

    assert not kept._pages
    assert len(kept._seen) <= 1_024


def test_pieces_of_a_page_are_told_from_those_before_and_from_those_of_other_pages() -> None:
    tag = b"<iframe src=https://www.youtube.com/embed/abc></iframe>"
    pieces = [
        b"<!doctype html><html lang=en><head><meta charset=utf-8></head><body>",
        b"<p>one",
        b"<p>two",
        b"<p>three",
    ]
    turn: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        for piece in turn:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def left(site: ConsentMiddleware) -> bytes:
        return b"".join(sent["body"] for sent in at_once(site, VISITORS["refused"])[1:])

    site = make_site(app, POLICY)
    for order in (pieces, pieces, pieces, [pieces[0], *pieces[:0:-1]], [*pieces, tag], [*pieces[:2], tag, *pieces[2:]]):
        turn[:] = order
        for _ in range(UNTIL_KEPT):
            assert left(site) == left(make_site(app, POLICY))
    assert any("second piece" in address for address in site._site.printed_tags.prefilter.kept)
