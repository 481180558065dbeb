"""The short way is only shorter: what a site answers once it knows its pages is what it answered the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from consentgate import ConsentMiddleware, ConsentPolicy
from tests.conftest import GRANTED, KEY, NOW, REFUSED, consent_cookie, make_policy, request

_UNTIL_KNOWN = 6  # requests after which nothing more is learnt about a page
_HEAD = b"<!doctype html><html lang=en><head><meta charset=utf-8><title>Luton</title>"
_TAG = b'<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>'

PAGES = [
    _HEAD + b"</head><body class=a><h1>Luton</h1></body></html>",
    _HEAD + b"<base href=/luton/></head><body><h1>Luton</h1></body></html>",
    _HEAD + b"<meta http-equiv=content-security-policy content=\"default-src 'self'\"></head><body>a</body></html>",
    _HEAD + b"</head><body><a href=#main>Skip</a><p>" + b"long " * 400 + b"</body></html>",
    _HEAD + b"</head><body><!--consentgate-banner--><p>a</p></body></html>",
    _HEAD + _TAG + b"</head><body>" + _TAG + b"</body></html>",
    b"\xef\xbb\xbf" + _HEAD + b"<body>a",
    b"<p>a part</p>",
    b"",
]
RESPONSE_HEADERS: list[tuple[Any, Any]] = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-type", b"text/html"),
    (b"Content-Type", b"TEXT/HTML; charset=iso-8859-1"),
    (b"content-type", b"text/html; charset=utf-16"),
    (b"content-type", b"application/json"),
    (b" content-type ", b"text/html"),
    ("content-type", "text/html"),
    (b"content-length", b"LENGTH"),
    (b"Content-Length", b"LENGTH"),
    (b"vary", b"Accept-Language"),
    (b"Vary", b"Accept-Encoding"),
    (b"cache-control", b"public, max-age=60"),
    (b"etag", b'"v1"'),
    (b"last-modified", b"Thu, 01 Jan 2026 00:00:00 GMT"),
    (b"link", b"<https://www.googletagmanager.com/gtag/js>; rel=preload; as=script"),
    (b"link", b"</site.css>; rel=preload; as=style"),
    (b"content-security-policy", b"default-src 'self'; script-src 'nonce-abc'"),
    (b"content-security-policy", b"default-src 'self'; object-src 'none'"),
    (b"Content-Security-Policy", b"img-src *; style-src 'nonce-abc'; frame-src 'none'"),
    (b"content-security-policy", b"upgrade-insecure-requests"),
    (b"content-security-policy", "default-src 'self'"),
    (b"content-security-policy-report-only", b"default-src 'self'"),
    (b"content-disposition", b"attachment"),
    (b"content-encoding", b"br"),
    (b"set-cookie", b"session=1; Path=/"),
    (b"Set-Cookie", b"_ga=1; Max-Age=60"),
    (b"set-cookie", b"campaign=1; Max-Age=0"),
    (b"set-cookie", b"unknown=1"),
    (b"x-frame-options", b"DENY"),
    (b"x-text", "text"),
]
REQUEST_HEADERS = [
    (b"accept", b"*/*"),
    (b"accept", b"text/html,*/*;q=0.8"),
    (b"accept-encoding", b"gzip, br"),
    (b"accept-encoding", b"identity"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-dest", b"iframe"),
    (b"sec-fetch-dest", b"empty"),
    (b"sec-gpc", b"1"),
    (b"hx-request", b"true"),
    (b"x-requested-with", b"XMLHttpRequest"),
    (b"if-none-match", b'"v1"'),
    (b"range", b"bytes=0-9"),
    (b"Accept", b"text/html"),
]
BROWSER = [(b"accept", b"text/html,*/*;q=0.8"), (b"accept-encoding", b"gzip"), (b"sec-fetch-dest", b"document")]
VISITORS: dict[str, bytes] = {
    "undecided": b"",
    "agreed": b"session=1; _ga=GA1.1.1; __Host-consentgate=" + consent_cookie(GRANTED).encode(),
    "refused": b"__Host-consentgate=" + consent_cookie(REFUSED).encode() + b"; session=1",
    "refused, with a cookie left": b"campaign=1;__Host-consentgate=" + consent_cookie(REFUSED).encode(),
    "said yes to one": b"__Host-consentgate=" + consent_cookie({"analytics": True, "marketing": False}).encode(),
    "answered half": b"__Host-consentgate=" + consent_cookie({"analytics": True}).encode(),
    "forged": b"__Host-consentgate=W10.forged",
    "saved without scripts": b"__Host-consentgate-message=save; __Host-consentgate=" + consent_cookie(REFUSED).encode(),
    "with two cookies of the name": b"; ".join(
        b"__Host-consentgate=" + consent_cookie(answers, at=NOW - age).encode()
        for age, answers in ((60, REFUSED), (90, GRANTED))
    ),
}
_MOST_VISITORS = ("undecided", "agreed", "refused", "refused, with a cookie left", "saved without scripts")
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "default": {"hosts": ("luton.example",)},
    "report": {"printed_tags": "report", "hosts": ("luton.example",)},
    "shared": {"cache": "shared"},
    "enforce": {"enforce": True},
    "after the skip link": {"placement": "after-skip-link"},
    "block": {"undeclared": "block"},
    "skip": {"skip_paths": ("/",)},
}


def app_of(
    status: int, headers: list[tuple[Any, Any]], pieces: list[bytes], ask: Callable[[Scope, int], object]
) -> Callable[..., Any]:
    length = b"%d" % sum(map(len, pieces))
    written = [(name, length if value == b"LENGTH" else value) for name, value in headers]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        mine = list(written)
        ask(scope, 0)
        await send({"type": "http.response.start", "status": status, "headers": mine})
        mine.append((b"x-late", b"of no account"))
        ask(scope, 1)
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})

    return app


ASKS: dict[str, Callable[[Any, int], object]] = {
    "nothing": lambda scope, when: None,
    "whether something is allowed": lambda scope, when: when == 0 and scope["consentgate"].allows("analytics"),
    "the same once it has begun": lambda scope, when: when == 1 and scope["consentgate"].allows("analytics"),
    "to leave the page alone": lambda scope, when: when == 0 and scope["consentgate"].leave_page_alone(),
    "that too late": lambda scope, when: when == 1 and scope["consentgate"].leave_page_alone(),
    "for the banner's place": lambda scope, when: when == 0 and scope["consentgate"].banner(),
}


async def _answer(site: ConsentMiddleware, scope: Mapping[str, Any]) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append({**message, "headers": list(message["headers"])} if "headers" in message else dict(message))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    await site({**scope, "headers": list(scope["headers"]), "state": {}}, receive, send)
    return sent


@cache
def policy_of(name: str) -> ConsentPolicy:
    return make_policy(**POLICIES[name])


def answers(app: Any, policy: str, scope: Mapping[str, Any]) -> tuple[list[Message], list[Message]]:
    """Return what is answered the first time, and once all is known, also from others who were there."""
    other = {**scope_of("undecided", BROWSER), "path": scope["path"]}

    async def ask() -> list[list[Message]]:
        site = ConsentMiddleware(app, policy_of(policy), keys=[KEY], now=lambda: NOW)
        return [await _answer(site, asked) for asked in [scope, *[other, scope] * _UNTIL_KNOWN]]

    first, *_, last = asyncio.run(ask())
    return first, last


def scope_of(
    visitor: str, asked: list[tuple[bytes, bytes]], *, method: str = "GET", **changes: Any
) -> Mapping[str, Any]:
    cookie = [(b"cookie", VISITORS[visitor])] if VISITORS[visitor] else []
    return {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"luton.example"), *asked, *cookie],
        **changes,
    }


@given(
    status=st.sampled_from([200, 200, 200, 404, 500, 304, 302, 204]),
    headers=st.lists(st.sampled_from(RESPONSE_HEADERS), max_size=5),
    page=st.sampled_from(PAGES),
    cuts=st.lists(st.integers(0, 200), max_size=2),
    method=st.sampled_from(["GET", "GET", "POST", "HEAD"]),
    asked=st.lists(st.sampled_from(REQUEST_HEADERS), max_size=4),
    visitor=st.sampled_from(sorted(VISITORS)),
    policy=st.sampled_from(sorted(POLICIES)),
    ask=st.sampled_from(sorted(ASKS)),
    query=st.sampled_from([b"", b"q=%22"]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_answered_is_answered_again(
    status: int,
    headers: list[tuple[Any, Any]],
    page: bytes,
    cuts: list[int],
    method: str,
    asked: list[tuple[bytes, bytes]],
    visitor: str,
    policy: str,
    ask: str,
    query: bytes,
) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(page)), len(page)})
    pieces = [page[start:end] for start, end in pairwise(places)] or [b""]
    app = app_of(status, headers, pieces, ASKS[ask])

    first, again = answers(app, policy, scope_of(visitor, asked, method=method, query_string=query))

    assert again == first


USUAL: list[tuple[Any, Any]] = [(b"content-length", b"LENGTH"), (b"content-type", b"text/html; charset=utf-8")]
# One thing about a page's answer, or its request, that is not as usual.
UNUSUAL: list[dict[str, Any]] = [
    {},
    *({"headers": [*USUAL, header]} for header in RESPONSE_HEADERS),
    *({"headers": [header, *USUAL[:1]]} for header in RESPONSE_HEADERS),
    *({"asked": [header, *(pair for pair in BROWSER if pair[0] != header[0])]} for header in REQUEST_HEADERS),
    *({"ask": ask} for ask in ASKS),
    *({"ask": ask, "page": PAGES[4]} for ask in ASKS),
    *({"page": page} for page in PAGES),
    *({"cut": cut} for cut in (0, 10, 90, 400)),
    *({"status": status} for status in (201, 304, 404, 500)),
    *({"method": method} for method in ("POST", "HEAD", "OPTIONS")),
    {"query_string": b"q=%22&r=1"},
    {"root_path": "/app", "path": "/app/", "raw_path": b"/app/"},
    {"path": '/a"b', "raw_path": b""},
    {"scheme": "http"},
]


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("unusual", UNUSUAL, ids=str)
def test_a_page_with_something_unusual_is_answered_as_at_first(unusual: dict[str, Any], policy: str) -> None:
    changes = dict(unusual)
    page, status = changes.pop("page", PAGES[0]), changes.pop("status", 200)
    cut, ask = changes.pop("cut", len(page)), ASKS[changes.pop("ask", "nothing")]
    app = app_of(status, changes.pop("headers", USUAL), [page[:cut], page[cut:]][: 2 if cut < len(page) else 1], ask)
    asked = changes.pop("asked", BROWSER)

    for visitor in _MOST_VISITORS if policy in ("default", "report") else ("undecided",):
        first, again = answers(app, policy, scope_of(visitor, asked, **changes))

        assert again == first, visitor


def test_a_page_that_begins_in_another_way_is_answered_as_at_first() -> None:
    pages = iter([PAGES[0]] * _UNTIL_KNOWN + [PAGES[3], PAGES[1], PAGES[0], PAGES[6]])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await app_of(200, USUAL, [next(pages)], ASKS["nothing"])(scope, receive, send)

    async def ask() -> list[list[Message]]:
        site = ConsentMiddleware(app, policy_of("report"), keys=[KEY], now=lambda: NOW)
        return [await _answer(site, scope_of("undecided", BROWSER)) for _ in range(_UNTIL_KNOWN + 4)]

    changing = asyncio.run(ask())[_UNTIL_KNOWN:]

    firsts = [
        answers(app_of(200, USUAL, [page], ASKS["nothing"]), "report", scope_of("undecided", BROWSER))[0]
        for page in (PAGES[3], PAGES[1], PAGES[0], PAGES[6])
    ]
    assert changing == firsts


@pytest.mark.parametrize("status", [200, 404])
def test_one_of_several_consent_cookies_is_left_whatever_the_page(status: int) -> None:
    app = app_of(status, USUAL, [PAGES[0]], ASKS["nothing"])

    for answer in answers(app, "report", scope_of("with two cookies of the name", BROWSER)):
        lines = [value for name, value in answer[0]["headers"] if name == b"set-cookie"]
        assert [line.partition(b"=")[0] for line in lines] == [b"__Host-consentgate"]


class Counter:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def page(self, host: str) -> None:
        self.told.append(("page", host))

    def banner(self, host: str) -> None:
        self.told.append(("banner", host))

    def choice(self, host: str, outcome: str) -> None:
        self.told.append(("choice", host, outcome))

    def cookie_withheld(self, host: str, category: str) -> None:
        self.told.append(("cookie", host, category))

    def tag_withheld(self, host: str, service: str) -> None:
        self.told.append(("tag", host, service))


@pytest.mark.parametrize("header", [*RESPONSE_HEADERS, (b"x-nothing", b"special")], ids=str)
@pytest.mark.parametrize("visitor", ["undecided", "agreed", "refused"])
@pytest.mark.parametrize("cut", [10, len(PAGES[0])])
def test_an_observer_is_told_the_same_on_both_ways(visitor: str, header: tuple[Any, Any], cut: int) -> None:
    pieces = [PAGES[0][:cut], PAGES[0][cut:]] if cut < len(PAGES[0]) else [PAGES[0]]
    observer = Counter()
    app = app_of(200, [*USUAL, header], pieces, ASKS["nothing"])
    site = ConsentMiddleware(app, policy_of("default"), keys=[KEY], now=lambda: NOW, observer=observer)
    scope = scope_of(visitor, BROWSER)

    async def ask() -> list[list[tuple[str, ...]]]:
        told = []
        for _ in range(_UNTIL_KNOWN):
            observer.told.clear()
            await _answer(site, scope)
            told.append(list(observer.told))
        return told

    first, *_, last = asyncio.run(ask())

    assert last == first


@pytest.mark.parametrize("signal", [(), ((b"sec-gpc", b"1"),)], ids=["plain", "with a signal"])
@pytest.mark.parametrize("kind", [list, tuple], ids=["lists", "tuples"])
def test_request_headers_may_be_any_pairs(
    kind: Callable[[object], Any], signal: tuple[tuple[bytes, bytes], ...]
) -> None:
    site = ConsentMiddleware(
        app_of(200, [(b"content-type", b"text/html")], [PAGES[0]], ASKS["nothing"]), make_policy(), keys=[KEY]
    )
    headers = [kind(pair) for pair in ((b"host", b"luton.example"), *BROWSER, *signal)]

    sent = [asyncio.run(_answer(site, {**request(), "headers": headers})) for _ in range(_UNTIL_KNOWN)]

    assert all((b'id="consentgate"' in messages[1]["body"]) == (not signal) for messages in sent)


def test_a_host_in_another_kind_of_bytes_is_read_as_well() -> None:
    site = ConsentMiddleware(
        app_of(200, [(b"content-type", b"text/html")], [PAGES[0]], ASKS["nothing"]), make_policy(), keys=[KEY]
    )
    headers = [(b"host", bytearray(b"luton.example")), *BROWSER]

    *_, piece = asyncio.run(_answer(site, {**request(), "headers": headers}))

    assert b'id="consentgate"' in piece["body"]
