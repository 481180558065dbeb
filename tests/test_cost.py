"""What a request costs, in counted work instead of seconds: calls, and bytes that are copied. It cannot drift."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from consentgate import ConsentMiddleware
from tests.conftest import BANNER, GRANTED, KEY, REFUSED, TAG, make_policy, request

BODY = b"<!doctype html><html lang=en><head><meta charset=utf-8><title>Luton</title></head><body><h1>Luton</h1>"
PAGE = BODY + b"<p>more of it</p>" * 1_200 + b"</body></html>"
BROWSER = [
    (b"accept-encoding", b"gzip, br"),
    (b"sec-fetch-dest", b"document"),
    (b"user-agent", b"Mozilla/5.0"),
]
_WARM = 6  # requests until everything is prepared, and no page is looked at any more


def app_of(*bodies: bytes, media_type: bytes = b"text/html; charset=utf-8") -> Callable[..., Awaitable[None]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type)]})
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


async def in_one_piece(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": PAGE})


def made(make: Callable[[], bytes], *headers: tuple[bytes, bytes]) -> Callable[..., Awaitable[None]]:
    """Return an application whose page is made anew for each request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        written = [(b"content-type", b"text/html"), *headers]
        await send({"type": "http.response.start", "status": 200, "headers": written})
        await send({"type": "http.response.body", "body": make()})

    return app


def run(app: Any, scope: Scope) -> list[Message]:
    """Answer one request without an event loop, which would do work of its own."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    steps = app({**scope, "headers": list(scope["headers"]), "state": {}}, receive, send)
    try:
        steps.send(None)
    except StopIteration:
        return sent
    raise AssertionError("nothing here waits for anything")


def calls_of(app: Any, scope: Scope) -> int:
    """Count the functions and methods that are called, those written in C included."""
    counted = 0

    def note(frame: FrameType, event: str, arg: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    gc.collect()
    gc.disable()  # some libraries have the collector call them, and they would be counted
    sys.setprofile(note)
    try:
        run(app, scope)
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted


def added_calls(app: Any, scope: Scope, **changes: Any) -> int:
    guarded = ConsentMiddleware(app, make_policy(**changes), keys=[KEY])
    for _ in range(_WARM):
        run(guarded, scope)
    return calls_of(guarded, scope) - calls_of(app, scope)


UNDECIDED = request(*BROWSER)
AGREED = request(*BROWSER, answers=GRANTED)
DECLINED = request(*BROWSER, answers=REFUSED)
FETCH = {**DECLINED, "headers": [(key, b"*/*" if key == b"accept" else value) for key, value in DECLINED["headers"]]}
JSON = app_of(b"{}", media_type=b"application/json")


@pytest.mark.parametrize(
    ("app", "scope", "most"),
    [
        pytest.param(JSON, FETCH, 25, id="no_page"),
        pytest.param(in_one_piece, DECLINED, 40, id="page_for_a_visitor_who_refused"),
        pytest.param(in_one_piece, UNDECIDED, 47, id="page_with_the_question"),
        pytest.param(in_one_piece, AGREED, 47, id="page_with_tags"),
        # As many middlewares send them: all of it, and an empty piece.
        pytest.param(app_of(PAGE), DECLINED, 48, id="page_in_two_pieces_for_a_visitor_who_refused"),
        pytest.param(app_of(PAGE), UNDECIDED, 55, id="page_in_two_pieces_with_the_question"),
        pytest.param(app_of(PAGE), AGREED, 55, id="page_in_two_pieces_with_tags"),
    ],
)
def test_a_request_takes_at_most_so_many_calls(app: Any, scope: Scope, most: int) -> None:
    assert added_calls(app, scope) <= most


@pytest.mark.parametrize(
    ("app", "scope", "most"),
    [
        pytest.param(JSON, FETCH, 25, id="no_page"),
        pytest.param(app_of(PAGE), DECLINED, 35, id="page_for_a_visitor_who_refused"),
        pytest.param(app_of(PAGE), UNDECIDED, 50, id="page_with_the_question"),
        pytest.param(app_of(PAGE), AGREED, 50, id="page_with_tags"),
    ],
)
def test_where_printed_tags_are_only_reported_pieces_take_no_more_calls(app: Any, scope: Scope, most: int) -> None:
    assert added_calls(app, scope, printed_tags="report") <= most


@pytest.mark.parametrize(
    ("scope", "most"),
    [
        pytest.param(UNDECIDED, 66, id="question"),
        pytest.param(AGREED, 66, id="tags"),
        pytest.param(DECLINED, 52, id="refused"),
    ],
)
def test_a_beginning_that_has_a_token_of_its_own_each_time_takes_a_few_calls_more(scope: Scope, most: int) -> None:
    number = count(10)

    def changing() -> bytes:
        return PAGE.replace(b"<title>", b'<meta name="token" content="%d"><title>' % next(number), 1)

    assert added_calls(made(changing), scope) <= most


@pytest.mark.parametrize(
    ("scope", "most"),
    [
        pytest.param(UNDECIDED, 62, id="question"),
        pytest.param(AGREED, 62, id="tags"),
        pytest.param(DECLINED, 53, id="refused"),
    ],
)
def test_a_body_that_changes_each_time_takes_a_few_calls_more(scope: Scope, most: int) -> None:
    number = count(10)

    def changing() -> bytes:
        return PAGE.replace(b"</body>", b"<p>%d</p></body>" % next(number), 1)

    assert added_calls(made(changing), scope) <= most


@pytest.mark.parametrize("scope", [UNDECIDED, AGREED, DECLINED], ids=["question", "tags", "refused"])
def test_a_page_with_a_tag_that_comes_again_takes_no_more_calls_than_others(scope: Scope) -> None:
    tag = b'<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script></head>'

    assert added_calls(made(lambda: PAGE.replace(b"</head>", tag, 1)), scope) <= 52


@pytest.mark.parametrize(
    ("scope", "most"),
    [
        pytest.param(UNDECIDED, 50, id="question"),
        pytest.param(AGREED, 50, id="tags"),
        pytest.param(DECLINED, 42, id="refused"),
    ],
)
def test_a_policy_of_the_page_takes_a_few_calls_more(scope: Scope, most: int) -> None:
    policy = (b"content-security-policy", b"default-src 'self'; object-src 'none'")

    assert added_calls(made(lambda: PAGE, policy), scope) <= most


@pytest.mark.parametrize(
    ("scope", "most"),
    [
        pytest.param(UNDECIDED, 90, id="question"),
        pytest.param(AGREED, 90, id="tags"),
        pytest.param(DECLINED, 71, id="refused"),
    ],
)
def test_a_nonce_in_the_head_and_in_the_policy_takes_some_calls_more(scope: Scope, most: int) -> None:
    number = count(10)

    async def with_nonce(scope: Scope, receive: Receive, send: Send) -> None:
        nonce = b"a%d" % next(number)
        policy = b"default-src 'self'; script-src 'self' 'nonce-%s'" % nonce
        headers = [(b"content-type", b"text/html"), (b"content-security-policy", policy)]
        body = PAGE.replace(b"<title>", b'<script nonce="%s">1</script><title>' % nonce, 1)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    assert added_calls(with_nonce, scope) <= most


@pytest.mark.parametrize(
    ("scope", "most"), [pytest.param(UNDECIDED, 69, id="question"), pytest.param(DECLINED, 62, id="refused")]
)
def test_three_cookies_of_which_two_are_withheld_take_a_few_calls_more(scope: Scope, most: int) -> None:
    lines = (b"session=1; Path=/", b"_ga=GA1.1; Path=/; Max-Age=34560000", b"_ga_ABC=GS1.1; Path=/; Max-Age=34560000")

    assert added_calls(made(lambda: PAGE, *((b"set-cookie", line) for line in lines)), scope) <= most


@pytest.mark.parametrize("scope", [UNDECIDED, AGREED], ids=["question", "tags"])
def test_looking_into_a_further_chunk_takes_a_few_calls(scope: Scope) -> None:
    few, many = (added_calls(app_of(PAGE, *[b"<p>"] * pieces), scope) for pieces in (10, 110))

    # For each: the words that a tag would hold, and whether a tag is unfinished where it ends.
    assert many - few <= 1_450


@pytest.mark.parametrize("scope", [UNDECIDED, AGREED], ids=["question", "tags"])
def test_a_further_chunk_takes_a_single_call(scope: Scope) -> None:
    few, many = (added_calls(app_of(PAGE, *[b"<p>"] * pieces), scope, printed_tags="report") for pieces in (10, 110))

    assert many - few <= 100


@pytest.mark.parametrize("app", [JSON, in_one_piece], ids=["no_page", "page"])
@pytest.mark.parametrize("scope", [UNDECIDED, AGREED, FETCH], ids=["question", "tags", "fetch"])
def test_no_object_of_a_request_waits_for_the_garbage_collector(app: Any, scope: Scope) -> None:
    guarded = ConsentMiddleware(app, make_policy(), keys=[KEY])
    for _ in range(_WARM):
        run(guarded, scope)

    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(1_000):
            run(guarded, scope)
        left = sys.getallocatedblocks() - before
    finally:
        gc.enable()

    assert left < 500  # what the interpreter keeps for reuse; one object of each request would be 1,000


def test_what_follows_the_beginning_of_a_page_is_the_application_s_own_object() -> None:
    chunks = [b"<p>%d</p>" % number for number in range(5)]
    guarded = ConsentMiddleware(app_of(PAGE, *chunks), make_policy(), keys=[KEY])
    for _ in range(_WARM):
        sent = run(guarded, UNDECIDED)

    passed = [message["body"] for message in sent[2:-1]]

    assert [id(body) for body in passed] == [id(chunk) for chunk in chunks]


@pytest.mark.parametrize(("scope", "mark"), [(UNDECIDED, BANNER), (AGREED, TAG)], ids=["question", "tags"])
def test_a_page_is_copied_once(scope: Scope, mark: bytes) -> None:
    large = BODY + bytes(1_000_000)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": large})

    guarded = ConsentMiddleware(app, make_policy(), keys=[KEY])
    for _ in range(_WARM):
        sent = run(guarded, scope)
    assert mark in sent[1]["body"]
    sent.clear()

    tracemalloc.start()
    try:
        run(guarded, scope)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1.1 * len(large)


@pytest.mark.parametrize("scope", [DECLINED, FETCH], ids=["refused", "no_page"])
def test_a_page_that_gets_nothing_is_the_application_s_own_object(scope: Scope) -> None:
    guarded = ConsentMiddleware(in_one_piece, make_policy(), keys=[KEY])
    for _ in range(_WARM):
        sent = run(guarded, request(*BROWSER, answers=REFUSED))

    assert sent[1]["body"] is PAGE
