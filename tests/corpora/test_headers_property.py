"""Whatever an application sends, no cookie leaves that the visitor did not agree to, and nothing else changes.

The judgement here is made a second time, from RFC 6265bis and the table below alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, StorageItem
from consentgate.consent import Answer, Consent
from consentgate.consent_cookie import ConsentCookie
from consentgate.policy import Undeclared

Headers = list[tuple[bytes, bytes]]

KEY = "tests-sign-with-this-key-0123456789"
NOW = 1_790_000_000  # seconds since 1970: a day in September 2026
OPTIONAL = ("preferences", "analytics", "marketing")

CATEGORY_OF = {
    b"session": "essential",
    b"csrf_token": "essential",
    b"consentgate": "essential",  # its own cookies
    b"__Host-consentgate-message": "essential",
    b"theme": "preferences",
    b"wp-settings-1": "preferences",
    b"_ga": "analytics",
    b"_ga_ABC123": "analytics",
    b"campaign": "marketing",
    b"__Secure-campaign": "marketing",
}
UNDECLARED = (
    b"PHPSESSID",
    b"Session",
    b"SESSION",
    b"_gax",
    b"xsession",
    b"session2",
    b"_g",
    b"",
    b"\xff\xfe",
    b"a b",
    b'"q"',
)
DATES = [
    *("Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01-Jan-1970 00:00:01 GMT", "Wed, 31 Dec 1969 23:59:59 GMT"),
    *("Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Tue, 19 Jan 2038 03:14:07 GMT"),
    *("Fri, 01 Jan 2100 00:00:00 GMT", "soon", ""),
]
UTC_DATE = re.compile(r"\w+,? (?:(\d+)[ -](\w+)[ -](\d+) ([\d:]+)|(\w+) +(\d+) ([\d:]+) (\d+)).*")

# Of a page these describe how it is cached; tests/test_caching.py is about them.
OF_A_PAGE = frozenset(
    b"accept-ranges cache-control cdn-cache-control content-digest content-encoding content-length content-md5 "
    b"content-security-policy digest etag expires last-modified repr-digest surrogate-control vary".split()
)

white_space = st.sampled_from([b"", b" ", b"\t", b"  "])
names = st.sampled_from([*CATEGORY_OF, *UNDECLARED]) | st.binary(max_size=6).map(
    lambda name: re.sub(rb"[;=\s]", b"", name)
)
values = st.sampled_from([b"1", b"", b'"quoted; not"', b"Max-Age=0", b"a=b", b"\xe9\xff", b"x" * 300]) | st.binary(
    max_size=9
)


def in_any_case(text: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from([text, text.upper(), text.title(), text.swapcase()])


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    """Draw an attribute of a cookie, with the oddities that servers write."""
    kind = draw(st.sampled_from([b"max-age", b"expires", b"path", b"domain", b"samesite", b"secure", b"x"]))
    value = {
        b"max-age": st.sampled_from([b"0", b"00", b"-1", b"60", b"34560000", b"1e3", b'"0"', b"", b"0 "]),
        b"expires": st.sampled_from([date.encode() for date in DATES]),
        b"path": st.sampled_from([b"/", b"/a", b""]),
        b"domain": st.sampled_from([b"luton.example", b".luton.example"]),
        b"samesite": st.sampled_from([b"Lax", b"None"]),
    }
    name = draw(white_space) + draw(in_any_case(kind)) + draw(white_space)
    return name + b"=" + draw(white_space) + draw(value[kind]) if kind in value else name


@st.composite
def set_cookies(draw: st.DrawFn) -> bytes:
    """Draw the value of a `Set-Cookie` header."""
    pair = draw(white_space) + draw(names) + draw(white_space)
    if draw(st.integers(0, 9)):  # else a value without a name
        pair += b"=" + draw(values)
    return b";".join([pair, *draw(st.lists(attributes(), max_size=4))])


set_cookie_headers = st.tuples(in_any_case(b"set-cookie"), set_cookies())
other_headers = st.tuples(
    st.sampled_from([b"X-Frame-Options", b"x-odd", b"Link", b"set-cookie2", b"cookie", b"Vary", b"location", b"Date"])
    | in_any_case(b"cache-control"),
    st.sampled_from([b"session=1", b"", b"a, b", b" \xff\xfe ", b"_ga=1; Path=/"]) | st.binary(max_size=9),
)
all_headers = st.lists(set_cookie_headers | other_headers, max_size=12)
content_types = st.sampled_from([None, b"application/json", b"text/css", b"text/html", b"TEXT/HTML; charset=utf-8"])
shapes = st.sampled_from([list, tuple, iter, lambda headers: [list(header) for header in headers]])
answers = st.fixed_dictionaries({}, optional=dict.fromkeys(OPTIONAL, st.booleans()))
handlings: st.SearchStrategy[Undeclared] = st.sampled_from(["block", "report", "allow"])
statuses = st.sampled_from([200, 201, 302, 304, 404, 500])

unhurried = settings(deadline=None, max_examples=200)  # a busy machine is no fault of the middleware


@unhurried
@given(all_headers, content_types, shapes, answers, handlings, statuses)
@example([(b"set-cookie", b"_ga=1; Max-Age=0; Max-Age=60")], None, list, {}, "block", 200)
@example([(b"set-cookie", b"_ga=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60")], None, list, {}, "block", 200)
@example([(b"set-cookie", b"PHPSESSID=; Expires=Sun, 06-Nov-1994 08:49:37 GMT")], None, list, {}, "block", 200)
def test_only_what_was_agreed_to_leaves(
    headers: Headers,
    content_type: bytes | None,
    shape: Any,
    answered: dict[str, bool],
    handling: Undeclared,
    status: int,
) -> None:
    if content_type is not None:
        headers = [*headers[:2], (b"Content-Type", content_type), *headers[2:]]
    start = {"type": "http.response.start", "status": status, "headers": shape(headers)}
    granted = {"essential", *(category for category, yes in answered.items() if yes)}

    sent = _sent("http", start, answered, handling)

    expected = [header for header in headers if _may_leave(*header, granted, handling)]
    is_page = content_type is not None and content_type.lower().startswith(b"text/html")
    if is_page or any(_sets_what_was_granted(*header, granted) for header in expected):  # which no shared cache keeps
        assert _beside_caching(sent) == _beside_caching(expected)
    else:
        assert sent == expected


@unhurried
@given(all_headers, shapes, answers, handlings)
def test_only_what_was_agreed_to_leaves_with_a_websocket(
    headers: Headers, shape: Any, answered: dict[str, bool], handling: Undeclared
) -> None:
    accept = {"type": "websocket.accept", "headers": shape(headers)}
    granted = {"essential", *(category for category, yes in answered.items() if yes)}

    sent = _sent("websocket", accept, answered, handling)

    assert sent == [header for header in headers if _may_leave(*header, granted, handling)]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_message_without_headers_passes(kind: str) -> None:
    message = {"type": "http.response.start", "status": 200} if kind == "http" else {"type": "websocket.accept"}

    assert _sent(kind, message, {}, "block") == []


def _sent(kind: str, message: Message, answered: dict[str, bool], handling: Undeclared) -> Headers:
    """Return the headers that leave when an application sends this message to a visitor with these answers."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)
        if kind == "http":
            await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Message:
        return {"type": f"{kind}.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "method": "GET",
        "path": "/",
        "scheme": "https" if kind == "http" else "wss",
        "headers": [(b"host", b"luton.example"), *_cookie(answered, handling)],
    }
    asyncio.run(_site(handling, app)(scope, receive, send))
    return [(name, value) for name, value in sent[0].get("headers", ())]


@cache
def _policy(handling: Undeclared) -> ConsentPolicy:
    def item(name: str) -> StorageItem:
        return StorageItem(name=name, purpose="Keeps something.", duration="1 day")

    return ConsentPolicy(
        site_name="Luton",
        controller=Controller(name="Luton Council", email="privacy@luton.example"),
        categories=(
            Category(id="essential", items=(item("session"), item("csrf_token"))),
            Category(id="preferences", items=(item("theme"), item("wp-settings-*"))),
            Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-ABC123"),)),
            Category(id="marketing", items=(item("campaign"), item("__Secure-campaign"))),
        ),
        undeclared=handling,
    )


def _site(handling: Undeclared, app: Any) -> ConsentMiddleware:
    site = _prepared(handling)
    site.app = app
    return site


@cache
def _prepared(handling: Undeclared) -> ConsentMiddleware:
    return ConsentMiddleware(_nothing, _policy(handling), keys=[KEY], now=lambda: NOW)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for an application."""


def _cookie(answered: dict[str, bool], handling: Undeclared) -> Iterator[tuple[bytes, bytes]]:
    if answered:
        policy = _policy(handling)
        versions = {category.id: category.version for category in policy.categories}
        decided = {category: Answer(yes, versions[category], NOW) for category, yes in answered.items()}
        value = ConsentCookie(policy, [KEY]).dump(Consent.from_answers(policy, decided, NOW))
        yield b"cookie", f"__Host-consentgate={value}".encode()


def _beside_caching(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in OF_A_PAGE]


def _sets_what_was_granted(name: bytes, value: bytes, granted: set[str]) -> bool:
    cookie = value.partition(b";")[0].partition(b"=")[0].strip()
    return name.lower() == b"set-cookie" and CATEGORY_OF.get(cookie) in granted - {"essential"}


def _may_leave(name: bytes, value: bytes, granted: set[str], handling: Undeclared) -> bool:
    """Tell whether a response's header may leave."""
    if name.lower() != b"set-cookie":
        return True
    pair, _, rest = value.partition(b";")
    cookie = pair.split(b"=")[0].strip() if b"=" in pair else b""
    category = CATEGORY_OF.get(cookie)
    if category is None and handling != "block":
        return True
    return category in granted or _drops_the_cookie(rest)


def _drops_the_cookie(attributes: bytes) -> bool:
    """Tell whether every browser drops the cookie at once (RFC 6265bis 5.6.1, 5.6.2 and 5.7).

    Browsers differ about an attribute that is there twice, or cannot be read: then all there is has to say so.
    """
    lives: list[bool | None] = []
    ends: list[bool | None] = []
    for attribute in attributes.decode("latin-1").split(";"):
        name, _, value = (part.strip() for part in attribute.partition("="))
        if name.lower() == "max-age":
            lives.append(int(value) > 0 if re.fullmatch(r"-?\d+", value, re.ASCII) else None)
        if name.lower() == "expires":
            found = UTC_DATE.fullmatch(value)
            ends.append(_seconds(found) > NOW if found else None)
    told = ends if lives.count(None) == len(lives) else lives
    return bool(told) and set(told) == {False}


def _seconds(found: re.Match[str]) -> float:
    day, month, year, time = found.group(1, 2, 3, 4) if found[1] else found.group(6, 5, 8, 7)
    if len(year) == 2:
        year = f"19{year}"
    read = datetime.strptime(f"{day} {month} {year} {time}", "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    return (read - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
