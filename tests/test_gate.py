"""What may leave: which responses are spliced, made personal or left alone, and when their chunks go out."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate.visit import Visit
from tests.conftest import (
    A_DAY,
    BANNER,
    GRANTED,
    HOST,
    HTML,
    NOW,
    PAGE,
    REFUSED,
    TAG,
    Answer,
    Headers,
    Listener,
    ask,
    at_once,
    body,
    consent_cookie,
    make_policy,
    make_site,
    nothing_more,
    page,
    request,
    scripted,
    start,
)

pytestmark = pytest.mark.anyio

VARY = (b"vary", b"Cookie, sec-gpc")

# The table of architecture.md: what happens to which response.


class Outcome(Enum):
    SPLICED = auto()  # holds the banner, and is for this visitor only
    PERSONAL = auto()  # the same bytes, for this visitor only
    UNTOUCHED = auto()  # the same bytes and headers, less the cookies not agreed to


def row(
    name: str,
    outcome: Outcome,
    *headers: tuple[bytes, bytes],
    status: int = 200,
    method: str = "GET",
    asked_with: tuple[bytes, bytes] | None = None,
    media_type: bytes = b"text/html; charset=utf-8",
) -> Any:
    response = start((b"content-type", media_type), *headers, status=status)
    scope = request(*([asked_with] if asked_with else []), method=method)
    return pytest.param(response, scope, outcome, id=name)


def statuses() -> Iterator[Any]:
    for status in (200, 201, 203, 400, 401, 403, 404, 410, 422, 429, 500, 502, 503):
        yield row(f"status_{status}", Outcome.SPLICED, status=status)
    for status in (204, 205, 206, 300, 301, 302, 303, 304, 307, 308):
        yield row(f"status_{status}", Outcome.UNTOUCHED, status=status)


def media_types() -> Iterator[Any]:
    for name, media_type in (
        ("html_without_charset", b"text/html"),
        ("html_in_upper_case", b"Text/HTML; Charset=UTF-8"),
        ("html_with_quoted_charset", b'text/html; charset="utf-8"'),
        ("html_with_other_parameters", b"text/html; charset=utf-8; profile=x"),
        ("windows_1252", b"text/html; charset=windows-1252"),
        ("windows_1251", b"text/html; charset=windows-1251"),
        ("shift_jis", b"text/html; charset=shift_jis"),
        ("gbk", b"text/html; charset=gbk"),
        ("iso_8859_1", b"text/html; charset=iso-8859-1"),
    ):
        yield row(name, Outcome.SPLICED, media_type=media_type)
    for name, media_type in (
        ("utf_16", b"text/html; charset=utf-16"),
        ("utf_16le", b"text/html; charset=utf-16le"),
        ("unknown_charset", b"text/html; charset=x-klingon"),
        ("codec_that_is_no_charset", b"text/html; charset=rot13"),
        ("charset_with_a_null", b"text/html; charset=\x00"),
    ):
        yield row(name, Outcome.PERSONAL, media_type=media_type)
    for name, media_type in (
        ("json", b"application/json"),
        ("events", b"text/event-stream"),
        ("plain_text", b"text/plain; charset=utf-8"),
        ("xhtml", b"application/xhtml+xml"),
        ("xml", b"application/xml"),
        ("svg", b"image/svg+xml"),
        ("nothing_said", b""),
        ("html_in_a_parameter", b"multipart/related; type=text/html"),
        ("name_that_begins_like_html", b"text/html-sandboxed"),
    ):
        yield row(name, Outcome.UNTOUCHED, media_type=media_type)


def dispositions() -> Iterator[Any]:
    disposition = b"content-disposition"
    yield row("inline", Outcome.SPLICED, (disposition, b"inline"))
    yield row("attachment", Outcome.UNTOUCHED, (disposition, b'attachment; filename="a.html"'))
    yield row("attachment_in_upper_case", Outcome.UNTOUCHED, (disposition, b"ATTACHMENT"))


def encodings() -> Iterator[Any]:
    for encoding in (b"identity", b""):
        yield row(f"encoding_{encoding.decode() or 'empty'}", Outcome.SPLICED, (b"content-encoding", encoding))
    for encoding in (b"gzip", b"br", b"zstd", b"deflate", b"GZip"):
        yield row(f"encoding_{encoding.decode()}", Outcome.PERSONAL, (b"content-encoding", encoding))


def fragments() -> Iterator[Any]:
    for name, header in (
        ("htmx", (b"hx-request", b"true")),
        ("turbo_frame", (b"turbo-frame", b"messages")),
        ("unpoly", (b"x-up-target", b".content")),
        ("pjax", (b"x-pjax", b"true")),
        ("xml_http_request", (b"x-requested-with", b"XMLHttpRequest")),
    ):
        yield row(name, Outcome.UNTOUCHED, asked_with=header)


def destinations() -> Iterator[Any]:
    for destination in ("document", ""):
        header = (b"sec-fetch-dest", destination.encode())
        yield row(f"dest_{destination or 'not_said'}", Outcome.SPLICED, asked_with=header)
    for destination in ("iframe", "frame", "fencedframe", "embed", "object", "empty"):
        yield row(f"dest_{destination}", Outcome.PERSONAL, asked_with=(b"sec-fetch-dest", destination.encode()))


def methods() -> Iterator[Any]:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        yield row(f"method_{method}", Outcome.SPLICED, method=method)
    for method in ("OPTIONS", "TRACE", "PROPFIND"):
        yield row(f"method_{method}", Outcome.UNTOUCHED, method=method)


def outcome_of(answer: Answer, sent: Headers) -> Outcome:
    if BANNER in answer.body:
        return Outcome.SPLICED
    assert answer.body == PAGE.encode()
    return Outcome.UNTOUCHED if answer.headers == sent else Outcome.PERSONAL


@pytest.mark.parametrize(
    ("response", "scope", "expected"),
    [
        *statuses(),
        *media_types(),
        *dispositions(),
        *encodings(),
        *fragments(),
        *destinations(),
        *methods(),
    ],
)
async def test_each_kind_of_response_gets_what_the_table_says(
    response: Message, scope: Scope, expected: Outcome
) -> None:
    essential, analytics = (b"set-cookie", b"session=1; HttpOnly"), (b"set-cookie", b"_ga=GA1.1.1; Path=/")
    headers: Headers = [*response["headers"], essential]
    app = scripted({**response, "headers": [*headers, analytics]}, body(PAGE.encode()))

    answer = await ask(app, scope)

    assert outcome_of(answer, headers) is expected
    assert answer.messages[0]["status"] == response["status"]
    assert answer.all(b"set-cookie") == [b"session=1; HttpOnly"]
    is_private = answer.all(b"cache-control") == [b"private, no-cache"]
    assert is_private is (expected is not Outcome.UNTOUCHED)


async def test_htmx_boosted_navigation_gets_a_whole_page_with_the_banner() -> None:
    boosted = request((b"hx-request", b"true"), (b"hx-boosted", b"true"), (b"sec-fetch-dest", b"empty"))

    answer = await ask(page(), boosted)

    assert BANNER in answer.body


# As Turbo 8 and Turbo 7 ask for the page behind a link, and Turbo 8 for the answer to a form.
TURBO_DRIVE = [
    pytest.param("GET", "text/html, application/xhtml+xml", [(b"x-turbo-request-id", b"5d1c")], id="turbo_8"),
    pytest.param("GET", "text/html, application/xhtml+xml", [], id="turbo_7"),
    pytest.param(
        "POST",
        "text/vnd.turbo-stream.html, text/html, application/xhtml+xml",
        [(b"x-turbo-request-id", b"5d1c")],
        id="form",
    ),
]


def fetched(method: str, accept: str, headers: Headers) -> Scope:
    """Return the request of a script that fetches a page to show it."""
    said: Headers = [(b"host", HOST.encode()), (b"accept", accept.encode()), (b"sec-fetch-dest", b"empty"), *headers]
    return request(method=method, headers=said)


@pytest.mark.parametrize(("method", "accept", "headers"), TURBO_DRIVE)
async def test_page_that_turbo_drive_fetches_has_what_a_navigation_gets(
    method: str, accept: str, headers: Headers
) -> None:
    answer = await ask(page(), fetched(method, accept, headers))

    assert BANNER in answer.body


@pytest.mark.parametrize(("method", "accept", "headers"), TURBO_DRIVE)
async def test_part_of_a_page_that_turbo_drive_fetches_stays_as_it_is(
    method: str, accept: str, headers: Headers
) -> None:
    part = b'<turbo-frame id="messages"><p>One</p></turbo-frame><main><h1>Two</h1></main>'

    framed = await ask(page(), fetched(method, accept, [*headers, (b"turbo-frame", b"messages")]))
    answer = await ask(page(content=part), fetched(method, accept, headers))

    assert framed.body == PAGE.encode()
    assert answer.body == part


async def test_page_that_another_script_fetches_has_no_banner() -> None:
    answer = await ask(page(), fetched("GET", "text/html, */*", []))

    assert answer.body == PAGE.encode()


async def test_page_without_a_content_type_is_untouched() -> None:
    answer = await ask(scripted(start(), body(PAGE.encode())))

    assert answer.headers == []
    assert answer.body == PAGE.encode()


async def test_amp_page_keeps_its_bytes() -> None:
    amp = b"<!doctype html><html amp><head><title>x</title></head><body></body></html>"

    answer = await ask(page(content=amp))

    assert answer.body == amp


async def test_json_sent_as_html_keeps_its_bytes() -> None:
    answer = await ask(page(content=b'{"value": "<b>x</b>"}'))

    assert answer.body == b'{"value": "<b>x</b>"}'


# What each visitor gets.


async def test_undecided_visitor_gets_banner_and_no_tag() -> None:
    answer = await ask(page())

    assert BANNER in answer.body
    assert TAG not in answer.body


async def test_visitor_who_accepted_gets_tag_and_no_banner() -> None:
    answer = await ask(page(), request(answers=GRANTED))

    assert BANNER not in answer.body
    assert TAG in answer.body


async def test_visitor_who_refused_gets_the_page_byte_for_byte() -> None:
    answer = await ask(page((b"content-length", b"98")), request(answers=REFUSED))

    assert answer.body == PAGE.encode()
    assert answer.all(b"content-length") == [b"98"]


async def test_visitor_who_accepted_only_what_has_no_tag_gets_the_page_byte_for_byte() -> None:
    answer = await ask(page(), request(answers={"analytics": False, "marketing": True}))

    assert answer.body == PAGE.encode()


async def test_site_with_essential_cookies_alone_is_untouched() -> None:
    essential_only = make_policy(categories=())
    app = page((b"etag", b'"1"'), (b"cache-control", b"public"))

    answer = await ask(app, policy=essential_only)

    assert answer.body == PAGE.encode()
    assert answer.headers == [HTML, (b"etag", b'"1"'), (b"cache-control", b"public")]


# Length.


async def test_page_in_one_piece_has_its_exact_length() -> None:
    answer = await ask(page((b"content-length", str(len(PAGE)).encode())))

    assert answer.all(b"content-length") == [str(len(answer.body)).encode()]
    assert len(answer.body) > len(PAGE)


async def test_page_without_a_length_gets_none() -> None:
    answer = await ask(page())

    assert answer.all(b"content-length") == []


async def test_page_in_two_pieces_loses_its_length() -> None:
    first, second = PAGE.encode()[:40], PAGE.encode()[40:]
    length = (b"Content-Length", str(len(PAGE)).encode())

    answer = await ask(scripted(start(HTML, length), body(first, more=True), body(second)))

    assert BANNER in answer.body
    assert answer.all(b"content-length") == []


async def test_page_in_two_pieces_keeps_its_length_for_a_visitor_who_refused() -> None:
    first, second = PAGE.encode()[:40], PAGE.encode()[40:]
    length = (b"content-length", str(len(PAGE)).encode())
    app = scripted(start(HTML, length), body(first, more=True), body(second))

    answer = await ask(app, request(answers=REFUSED), policy=make_policy(printed_tags="report"))

    assert answer.all(b"content-length") == [str(len(PAGE)).encode()]


async def test_page_in_two_pieces_whose_tags_are_looked_at_claims_no_length() -> None:
    first, second = PAGE.encode()[:40], PAGE.encode()[40:]
    length = (b"content-length", str(len(PAGE)).encode())
    app = scripted(start(HTML, length), body(first, more=True), body(second))

    answer = await ask(app, request(answers=REFUSED))

    assert answer.all(b"content-length") == []
    assert answer.body == PAGE.encode()


async def test_head_claims_no_length_where_a_get_would_be_spliced_and_has_its_validator() -> None:
    length = (b"content-length", str(len(PAGE)).encode())
    app = scripted(start(HTML, length, (b"etag", b'"1"')), body(b""))

    head = await ask(app, request(method="HEAD"))
    got = await ask(page((b"etag", b'"1"')))

    assert head.body == b""
    assert head.headers == [HTML, (b"etag", got.all(b"etag")[0]), VARY, (b"cache-control", b"private, no-cache")]


async def test_head_keeps_the_length_for_a_visitor_who_refused() -> None:
    length = (b"content-length", str(len(PAGE)).encode())

    app = scripted(start(HTML, length), body(b""))

    answer = await ask(app, request(method="HEAD", answers=REFUSED), policy=make_policy(printed_tags="report"))

    assert answer.all(b"content-length") == [str(len(PAGE)).encode()]


async def test_head_and_get_have_the_same_headers() -> None:
    app = Starlette(routes=[Route("/", lambda request: HTMLResponse(PAGE, headers={"cache-control": "max-age=60"}))])

    got, head = await ask(app), await ask(app, request(method="HEAD"))

    assert [header for header in got.headers if header[0] != b"content-length"] == head.headers


# Caches (R42, R43).


@pytest.mark.parametrize("answers", [None, REFUSED, GRANTED], ids=["undecided", "refused", "accepted"])
async def test_page_is_private_varies_by_cookie_and_has_its_own_validator(
    answers: dict[str, bool] | None,
) -> None:
    app = page(
        (b"cache-control", b"public, max-age=600, s-maxage=3600"),
        (b"etag", b'"1"'),
        (b"last-modified", b"Mon, 21 Sep 2026 00:00:00 GMT"),
        (b"expires", b"Mon, 21 Sep 2026 01:00:00 GMT"),
        (b"accept-ranges", b"bytes"),
        (b"content-md5", b"x"),
        (b"repr-digest", b"x"),
        (b"cdn-cache-control", b"max-age=600"),
        (b"x-kept", b"yes"),
    )

    answer = await ask(app, request(answers=answers))

    etag = answer.all(b"etag")[0]
    assert re.fullmatch(rb'W/"1\.\.consentgate-[0-9a-f]+"', etag)
    assert answer.headers == [
        HTML,
        (b"etag", etag),
        (b"x-kept", b"yes"),
        VARY,
        (b"cache-control", b"private, no-cache"),
    ]


async def test_caching_of_what_is_no_page_is_left_alone() -> None:
    headers = [(b"content-type", b"text/css"), (b"cache-control", b"public, max-age=600"), (b"etag", b'"1"')]

    answer = await ask(scripted(start(*headers), body(b"p{}")))

    assert answer.headers == headers


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param([b"Accept-Encoding"], b"Accept-Encoding, Cookie, sec-gpc", id="one"),
        pytest.param([b"Accept", b"Origin"], b"Accept, Origin, Cookie, sec-gpc", id="two_headers"),
        pytest.param([b"cookie, Accept"], b"cookie, Accept, sec-gpc", id="already_there"),
        pytest.param([b"Sec-GPC"], b"Sec-GPC, Cookie", id="signal_already_there"),
        pytest.param([b"*"], b"*", id="star"),
        pytest.param([b""], b"Cookie, sec-gpc", id="empty"),
    ],
)
async def test_vary_gains_cookie_once(sent: list[bytes], expected: bytes) -> None:
    answer = await ask(page(*((b"Vary", value) for value in sent)))

    assert answer.all(b"vary") == [expected]


async def test_no_store_stays() -> None:
    answer = await ask(page((b"cache-control", b"no-store, max-age=0")))

    assert answer.all(b"cache-control") == [b"private, no-cache, no-store"]


# What the application sees of a request.


CONDITIONS = ((b"if-none-match", b'"1"'), (b"if-modified-since", b"Mon, 21 Sep 2026 00:00:00 GMT"))


async def test_conditions_do_not_reach_the_app_when_a_page_is_wanted() -> None:
    app = Listener(page())

    await ask(app, request(*CONDITIONS))

    assert app.heard(b"if-none-match") == []
    assert app.heard(b"if-modified-since") == []


async def test_conditions_reach_the_app_when_something_else_is_wanted() -> None:
    app = Listener(PlainTextResponse("p{}"))

    await ask(app, request(headers=[(b"host", HOST.encode()), (b"accept", b"text/css,*/*;q=0.1"), *CONDITIONS]))

    assert app.heard(b"if-none-match") == [b'"1"']
    assert app.heard(b"if-modified-since") == [CONDITIONS[1][1]]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param(None, [b"gzip"], id="undecided"),
        pytest.param(GRANTED, [b"gzip"], id="accepted"),
        pytest.param(REFUSED, [b"gzip, br"], id="refused"),
    ],
)
async def test_app_is_asked_for_what_can_be_opened_only_where_a_page_will_be_spliced(
    answers: dict[str, bool] | None, expected: list[bytes]
) -> None:
    app = Listener(page())

    report = make_policy(printed_tags="report")

    await ask(app, request((b"accept-encoding", b"gzip, br"), answers=answers), policy=report)

    assert app.heard(b"accept-encoding") == expected


async def test_app_is_asked_for_what_can_be_opened_where_a_pages_tags_are_looked_at() -> None:
    app = Listener(page())

    await ask(app, request((b"accept-encoding", b"gzip, br"), answers=REFUSED))

    assert app.heard(b"accept-encoding") == [b"gzip"]


async def test_app_that_compresses_is_spliced_and_still_arrives_compressed() -> None:
    app = GZipMiddleware(HTMLResponse(PAGE * 50))

    answer = await ask(app, request((b"accept-encoding", b"gzip")))

    assert BANNER in gzip.decompress(answer.body)
    assert answer.all(b"content-encoding") == [b"gzip"]


async def test_refusal_is_confirmed_on_the_page_of_an_app_that_compresses() -> None:
    app = GZipMiddleware(HTMLResponse(PAGE * 50))
    after_choice = request(
        (b"accept-encoding", b"gzip"), (b"cookie", b"__Host-consentgate-message=reject_all"), answers=REFUSED
    )

    answer = await ask(app, after_choice)

    content = gzip.decompress(answer.body)
    assert BANNER in content
    assert b'data-consentgate-message="reject_all"' in content


async def test_app_that_compresses_against_our_wish_is_left_alone_and_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    compressed = gzip.compress(PAGE.encode())
    app = page((b"content-encoding", b"gzip"), content=compressed)

    first, second = await ask(app), await ask(app)

    assert first.body == second.body == compressed
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Put the compression outside consentgate." in caplog.text


async def test_page_in_a_charset_that_holds_no_ascii_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    app = scripted(start((b"content-type", b"text/html; charset=utf-32be")), body(PAGE.encode("utf-32be")))

    await ask(app)
    await ask(app)

    assert caplog.messages == ["A page went out without a banner: markup does not fit charset 'utf-32be'."]


async def test_page_that_looks_like_none_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    await ask(page(content=b"[1]"))
    await ask(page(content=b"[1]"))

    assert len(caplog.messages) == 1
    assert "does not look like an HTML document" in caplog.text


async def test_ordinary_page_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="consentgate"):
        await ask(page())

    assert caplog.messages == []


BYPASSES: dict[str, dict[str, object]] = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.debug": {},
}


async def test_ways_around_the_gate_are_hidden_when_a_page_is_wanted() -> None:
    app = Listener(page())

    await ask(app, request(extensions=BYPASSES))

    assert app.scope is not None
    assert app.scope["extensions"] == {"http.response.debug": {}}


async def test_ways_around_the_gate_stay_for_files() -> None:
    app = Listener(PlainTextResponse("p{}"))

    await ask(app, request(headers=[(b"accept", b"image/webp,*/*")], extensions=BYPASSES))

    assert app.scope is not None
    assert app.scope["extensions"] == BYPASSES


async def test_html_file_arrives_with_the_banner_although_the_server_could_send_it_by_path(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(PAGE, encoding="utf-8")

    answer = await ask(FileResponse(file), request(extensions=BYPASSES))

    assert BANNER in answer.body
    assert b"..consentgate-" in answer.all(b"etag")[0]
    assert answer.all(b"last-modified") == answer.all(b"accept-ranges") == []


async def test_html_file_sent_by_path_to_a_program_keeps_its_length(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(PAGE, encoding="utf-8")
    program = request(headers=[(b"host", HOST.encode()), (b"accept", b"*/*")], extensions=BYPASSES)

    answer = await ask(FileResponse(file), program)

    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.pathsend"]
    assert answer.all(b"content-length") == [str(len(PAGE)).encode()]


async def test_app_sees_no_cookie_of_what_was_not_granted() -> None:
    app = Listener(page())

    await ask(app, request((b"cookie", b'session=1; _ga=2; odd="\xff"; campaign=3; _gat=4; mine')))

    assert app.heard(b"cookie") == [b'session=1; odd="\xff"; mine']


async def test_app_sees_the_cookies_of_what_was_granted() -> None:
    app = Listener(page())

    await ask(app, request((b"cookie", b"session=1; _ga=2; campaign=3"), answers=GRANTED))

    assert app.heard(b"cookie")[1:] == [b"session=1; _ga=2; campaign=3"]


# What frameworks take from around a name: Starlette and Litestar, Django, and Django behind WSGI.
AROUND = [b"\xa0", b"\x85", b"\x1c", b"\x1d", b"\x1e", b"\x1f", b"\x0b", b"\xc2\xa0", b"\xe2\x80\x83", b" \xa0\t"]


@pytest.mark.parametrize("around", AROUND, ids=repr)
async def test_no_space_around_a_name_brings_a_cookie_past_the_shield(around: bytes) -> None:
    app = Listener(page())
    sent = b"session=1; %s_ga=1;%s_ga%s=2; campaign%s=3" % (around, around, around, around)

    await ask(app, request((b"cookie", sent)))

    assert app.heard(b"cookie") == [b"session=1"]


@pytest.mark.parametrize("around", AROUND, ids=repr)
async def test_a_cookie_that_may_be_seen_keeps_the_space_around_its_name(around: bytes) -> None:
    app = Listener(page())

    await ask(app, request((b"cookie", b"%ssession%s=1; x=2; _ga=3" % (around, around))))

    assert app.heard(b"cookie") == [(b"%ssession%s=1; x=2" % (around, around)).strip()]


async def test_cookie_header_that_holds_nothing_else_is_not_seen() -> None:
    app = Listener(page())

    await ask(app, request((b"cookie", b"_ga=2"), (b"cookie", b"session=1")))

    assert app.heard(b"cookie") == [b"session=1"]


# Set-Cookie.

MIXED = [
    b"session=1; HttpOnly",
    b"_ga=GA1.1.1; Path=/",
    b'odd="a,b;\xe9"; Path=/',
    b"campaign=7",
    b" _ga_X = 1",
    b"nameless",
    b"__Secure-consentgate=app",
    b"session=2",
]


async def test_cookies_of_what_was_not_granted_are_withheld_and_the_others_keep_order_and_bytes() -> None:
    app = page(*((b"set-cookie", line) for line in MIXED))

    answer = await ask(app, policy=make_policy(undeclared="allow"))

    assert answer.all(b"set-cookie") == [MIXED[0], MIXED[2], MIXED[5], MIXED[6], MIXED[7]]


async def test_cookies_of_what_was_granted_leave() -> None:
    app = page(*((b"set-cookie", line) for line in MIXED))

    answer = await ask(app, request(answers=GRANTED), policy=make_policy(undeclared="allow"))

    assert answer.all(b"set-cookie") == MIXED


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"_ga=; Max-Age=0", id="max_age"),
        pytest.param(b"_ga=; max-age=-1", id="negative_max_age"),
        pytest.param(b"_ga=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", id="expires"),
        pytest.param(b"_ga=; EXPIRES=Thu, 01-Jan-1970 00:00:01 GMT; max-age=0", id="php"),
        pytest.param(b'_ga=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/', id="django"),
    ],
)
async def test_line_that_expires_a_cookie_may_leave(line: bytes) -> None:
    answer = await ask(page((b"set-cookie", line)))

    assert answer.all(b"set-cookie") == [line]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"_ga=1; Max-Age=60", id="max_age"),
        pytest.param(b"_ga=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", id="expires"),
        # RFC 6265bis 5.7: Max-Age beats Expires, and of two the last counts.
        pytest.param(b"_ga=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", id="max_age_beats_expires"),
        pytest.param(b"_ga=1; Max-Age=0; Max-Age=60", id="last_max_age_counts"),
        pytest.param(b"_ga=Max-Age=0", id="only_in_the_value"),
    ],
)
async def test_line_that_only_seems_to_expire_a_cookie_is_withheld(line: bytes) -> None:
    answer = await ask(page((b"set-cookie", line)))

    assert answer.all(b"set-cookie") == []


async def test_two_consent_cookies_of_one_host_become_the_newest_for_the_rest_of_its_time() -> None:
    older, newer = (consent_cookie(GRANTED, at=NOW - days * A_DAY) for days in (20, 10))
    both = f"__Host-consentgate={older}; __Host-consentgate={newer}".encode()

    answer = await ask(page(), request((b"cookie", both)))

    attributes = f"Path=/; Max-Age={174 * A_DAY}; HttpOnly; SameSite=Lax; Secure"
    assert answer.all(b"set-cookie") == [f"__Host-consentgate={newer}; {attributes}".encode()]


# Headers as applications send them.


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([HTML, (b"x-app", b"1")], id="tuples"),
        pytest.param([list(HTML), [b"x-app", b"1"]], id="lists"),
        pytest.param((HTML, (b"x-app", b"1")), id="tuple_of_tuples"),
        pytest.param([(b"Content-Type", b"text/html; charset=utf-8"), (b"X-App", b"1")], id="title_case_as_django"),
        pytest.param([(b"CONTENT-TYPE", b"TEXT/HTML"), (b"X-APP", b"1")], id="upper_case"),
    ],
)
async def test_headers_may_come_in_any_shape(headers: Iterable[Iterable[bytes]]) -> None:
    app = scripted({"type": "http.response.start", "status": 200, "headers": headers}, body(PAGE.encode()))

    answer = await ask(app)

    assert BANNER in answer.body
    assert answer.all(b"x-app") == [b"1"]


@pytest.mark.parametrize("media_type", [b"text/html", b"application/json"], ids=["page", "json"])
async def test_headers_may_come_as_a_generator(media_type: bytes) -> None:
    headers = (header for header in [(b"content-type", media_type), (b"x-app", b"1")])
    app = scripted({"type": "http.response.start", "status": 200, "headers": headers}, body(PAGE.encode()))

    answer = await ask(app)

    assert answer.headers[:2] == [(b"content-type", media_type), (b"x-app", b"1")]


async def test_title_case_headers_of_django_are_understood_one_by_one() -> None:
    app = scripted(
        start(
            (b"Content-Type", b"text/html"),
            (b"Content-Length", str(len(PAGE)).encode()),
            (b"Set-Cookie", b"_ga=1"),
            (b"Set-Cookie", b"session=1"),
            (b"ETag", b'"1"'),
            (b"Cache-Control", b"public"),
            (b"Vary", b"Accept-Language"),
        ),
        body(PAGE.encode()),
    )

    answer = await ask(app)

    assert answer.headers == [
        (b"content-type", b"text/html"),
        (b"set-cookie", b"session=1"),
        (b"etag", answer.all(b"etag")[0]),
        (b"vary", b"Accept-Language, Cookie, sec-gpc"),
        (b"cache-control", b"private, no-cache"),
        (b"content-length", str(len(answer.body)).encode()),
    ]


@pytest.mark.parametrize("extra", [{}, {"headers": None}], ids=["missing", "none"])
async def test_headers_may_be_missing(extra: dict[str, Any]) -> None:
    answer = await ask(scripted({"type": "http.response.start", "status": 200, **extra}, body(b"x")))

    assert answer.body == b"x"
    assert answer.headers == []


# The body in pieces.


def in_pieces(*pieces: bytes, last: bytes = b"") -> ASGIApp:
    return scripted(start(HTML), *(body(piece, more=True) for piece in pieces), body(last))


def whole() -> bytes:
    return PAGE.encode()


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(in_pieces(whole()), id="empty_last"),
        pytest.param(in_pieces(b"", whole()), id="empty_first"),
        pytest.param(in_pieces(b"", whole()[:30], b"", whole()[30:], b""), id="empty_everywhere"),
        pytest.param(in_pieces(*(bytes([byte]) for byte in whole())), id="one_byte_each"),
        pytest.param(in_pieces(whole()[:50], last=whole()[50:]), id="two"),
        pytest.param(
            scripted(start(HTML), {**body(whole()), "more_body": True}, {"type": "http.response.body"}),
            id="body_missing_in_message",
        ),
        pytest.param(
            scripted(start(HTML), {"type": "http.response.body", "body": whole()}), id="more_body_missing_in_message"
        ),
    ],
)
async def test_page_is_the_same_however_it_is_cut(app: ASGIApp) -> None:
    at_once = await ask(page())

    answer = await ask(app)

    assert answer.body == at_once.body
    assert answer.messages[-1].get("more_body", False) is False


async def test_every_message_but_the_last_says_that_more_follows() -> None:
    answer = await ask(in_pieces(*(bytes([byte]) for byte in whole())))

    *between, last = answer.messages[1:]
    assert between
    assert all(message["more_body"] for message in between)
    assert not last.get("more_body", False)


@pytest.mark.parametrize("answers", [None, REFUSED, GRANTED], ids=["undecided", "refused", "accepted"])
async def test_empty_page_stays_empty(answers: dict[str, bool] | None) -> None:
    answer = await ask(page((b"content-length", b"0"), content=b""), request(answers=answers))

    assert answer.body == b""
    assert answer.all(b"content-length") == [b"0"]


async def test_chunk_with_the_body_tag_leaves_with_the_banner_before_the_next_is_made() -> None:
    sent: list[Message] = []
    left_after: list[int] = []
    chunks = [b"<!doctype html><title>x</title>", b"<body><p>one", b"<p>two", b"<p>three"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        for chunk in chunks:
            await send(body(chunk, more=True))
            left_after.append(len(sent))
        await send(body(b""))

    async def send(message: Message) -> None:
        sent.append(message)

    await make_site(app)(request(), nothing_more, send)

    assert left_after == [2, 3, 4, 5]  # the start and the first chunk, then each at once
    assert BANNER in sent[2]["body"]


@pytest.mark.parametrize(
    ("answers", "mark"),
    [(None, BANNER), (GRANTED, TAG), (REFUSED, b"<body>")],
    ids=["undecided", "accepted", "refused"],
)
async def test_wherever_a_page_is_cut_after_its_body_tag_only_an_unfinished_tag_waits(
    answers: dict[str, bool] | None, mark: bytes
) -> None:
    pieces: list[bytes] = []
    sent: list[Message] = []
    left_after: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        await send(body(pieces[0], more=True))
        left_after.append(len(sent))
        await send(body(pieces[1]))

    async def send(message: Message) -> None:
        sent.append(message)

    site = make_site(app)
    for cut in range(PAGE.index("<body>") + len("<body>"), len(PAGE)):
        pieces[:] = PAGE[:cut].encode(), PAGE[cut:].encode()
        sent.clear()

        await site(request(answers=answers), nothing_more, send)

        waited = sent[2]["body"].removesuffix(pieces[1])
        assert left_after[-1] == 2  # the start, and all of the first piece but what waited
        assert mark in sent[1]["body"]
        assert pieces[0].endswith(waited)
        assert not waited or (waited.startswith(b"<") and b">" not in waited)


async def test_chunks_after_the_banner_leave_by_reference() -> None:
    later = [b"<p>two" * 1000, b"<p>three" * 1000]
    app = in_pieces(b"<!doctype html><body><p>one", *later)

    answer = await ask(app)

    assert answer.messages[2]["body"] is later[0]
    assert answer.messages[3]["body"] is later[1]


async def test_endless_page_is_not_collected() -> None:
    line = b"<p>" + b"x" * 1000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        await send(body(b"<!doctype html><body>", more=True))
        while True:
            await send(body(line, more=True))

    count = 0

    async def send(message: Message) -> None:
        nonlocal count
        count += 1
        if count == 500:
            raise OSError("the client left")

    with pytest.raises(OSError, match="the client left"):
        await make_site(app)(request(), nothing_more, send)
    assert count == 500


# Other messages before, between and after.


async def test_early_hints_leave_before_the_page() -> None:
    hints = {"type": "http.response.early_hint", "links": [b"</site.css>; rel=preload"]}

    answer = await ask(scripted(hints, start(HTML), body(whole())))

    assert answer.messages[0] is hints
    assert [message["type"] for message in answer.messages[1:]] == ["http.response.start", "http.response.body"]


async def test_message_between_start_and_body_passes_and_leaves_no_wrong_length() -> None:
    debug = {"type": "http.response.debug", "info": {"template": "home.html"}}
    length = (b"content-length", str(len(PAGE)).encode())

    answer = await ask(scripted(start(HTML, length), debug, body(whole())))

    assert [message["type"] for message in answer.messages] == [
        "http.response.start",
        "http.response.debug",
        "http.response.body",
    ]
    assert BANNER in answer.body
    assert answer.all(b"content-length") == []


async def test_trailers_follow_the_page() -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": False}

    answer = await ask(scripted({**start(HTML), "trailers": True}, body(whole()), trailers))

    assert answer.messages[0]["trailers"] is True
    assert answer.messages[-1] == trailers


async def test_exception_after_the_start_sends_nothing_so_that_the_server_can_answer_500() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        raise RuntimeError("template broken")

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="template broken"):
        await make_site(app)(request(), nothing_more, send)
    assert sent == []


async def test_exception_in_the_middle_reaches_the_server_after_what_was_sent() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        await send(body(b"<!doctype html><body><p>one", more=True))
        raise RuntimeError("database gone")

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="database gone"):
        await make_site(app)(request(), nothing_more, send)
    assert b"".join(message.get("body", b"") for message in sent).endswith(b"<p>one")


async def test_error_of_a_server_whose_client_left_reaches_the_app() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        try:
            await send(body(whole()))
        except OSError as error:
            seen.append(str(error))

    async def send(message: Message) -> None:
        raise OSError("the client left")

    await make_site(app)(request(), nothing_more, send)

    assert seen == ["the client left"]


async def test_app_may_go_on_sending_after_the_client_left_and_the_page_ended() -> None:
    answer = await ask(scripted(start(HTML), body(whole()), body(b"too late")))

    assert answer.body.endswith(b"</html>too late")


# What is no page at all.


async def test_websocket_passes_in_both_directions() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(scope["consentgate"].allows("analytics"))})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**request(answers=GRANTED), "type": "websocket", "scheme": "wss"}
    del scope["method"]
    await make_site(app)(scope, receive, send)

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send"]
    assert sent[1]["text"] == "True"


@pytest.mark.parametrize(
    "message",
    [{"type": "websocket.accept"}, {"type": "websocket.http.response.start", "status": 403}],
    ids=["accepted", "denied"],
)
async def test_websocket_sets_no_cookie_that_was_not_granted(message: Message) -> None:
    headers = [(b"set-cookie", b"_ga=1"), (b"set-cookie", b"session=1"), (b"x-app", b"1")]
    scope = {**request(), "type": "websocket", "scheme": "wss"}

    answer = await ask(scripted({**message, "headers": headers}), scope)

    assert answer.headers == headers[1:]


async def test_websocket_sets_the_cookie_that_was_granted() -> None:
    headers = [(b"set-cookie", b"_ga=1"), (b"set-cookie", b"session=1")]
    scope = {**request(answers=GRANTED), "type": "websocket", "scheme": "wss"}

    answer = await ask(scripted({"type": "websocket.accept", "headers": headers}), scope)

    assert answer.headers == headers


async def test_websocket_app_sees_no_cookie_of_what_was_not_granted() -> None:
    app = Listener(scripted({"type": "websocket.accept"}))

    await ask(app, {**request((b"cookie", b"_ga=1; session=1")), "type": "websocket", "scheme": "wss"})

    assert app.heard(b"cookie") == [b"session=1"]


async def test_lifespan_passes_untouched() -> None:
    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
    app = Listener(scripted({"type": "lifespan.startup.complete"}))

    answer = await ask(app, scope)

    assert app.scope is scope
    assert answer.messages == [{"type": "lifespan.startup.complete"}]


# Nothing is shared between requests, and what is the application's or the server's stays theirs.


async def test_a_hundred_requests_at_once_do_not_mix() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML, (b"x-number", scope["query_string"])))
        for chunk in (b"<!doctype html><head><title>", scope["query_string"], b"</title></head>", b"<body>"):
            await asyncio.sleep(0)
            await send(body(chunk, more=True))
        await send(body(b"</body>"))

    site = make_site(app)

    async def visit(number: int) -> Answer:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            await asyncio.sleep(0)
            sent.append(message)

        answers = (None, REFUSED, GRANTED)[number % 3]
        scope = request(answers=answers, query_string=str(number).encode())
        await site(scope, nothing_more, send)
        return Answer(messages=sent)

    found = await asyncio.gather(*(visit(number) for number in range(100)))

    for number, answer in enumerate(found):
        assert f"<title>{number}</title>".encode() in answer.body.replace(b"</head>", b"")
        assert answer.all(b"x-number") == [str(number).encode()]
        assert (BANNER in answer.body, TAG in answer.body) == [(True, False), (False, False), (False, True)][number % 3]


@pytest.mark.parametrize("answers", [None, REFUSED, GRANTED], ids=["undecided", "refused", "accepted"])
async def test_messages_and_header_list_of_the_app_are_left_as_they_are(answers: dict[str, bool] | None) -> None:
    headers = [HTML, (b"content-length", str(len(PAGE)).encode()), (b"etag", b'"1"'), (b"set-cookie", b"_ga=1")]
    messages = [start(*headers), body(whole())]

    await ask(scripted(*messages), request((b"cookie", b"_ga=1"), answers=answers))

    assert messages == [start(*headers), body(whole())]


async def test_scope_stays_the_same_object_so_that_middleware_outside_reads_what_routers_note() -> None:
    scope = request(state={"database": 1})
    seen: list[bool] = []

    async def router(inner: Scope, receive: Receive, send: Send) -> None:
        inner["route"] = "/news"
        seen.append(inner is scope)
        await page()(inner, receive, send)

    await ask(router, scope)

    assert seen == [True]
    assert scope["route"] == "/news"
    assert scope["state"].keys() == {"database", "consent"}


async def test_lists_and_dictionaries_of_the_server_are_left_as_they_are() -> None:
    headers = [(b"host", HOST.encode()), (b"accept", b"text/html"), (b"cookie", b"_ga=1; session=1"), *CONDITIONS]
    extensions = {**BYPASSES}
    before = [*headers]

    await ask(page(), request(headers=headers, extensions=extensions))

    assert headers == before
    assert extensions == BYPASSES


@pytest.mark.parametrize("answers", [None, GRANTED], ids=["undecided", "accepted"])
async def test_scope_that_is_used_again_once_its_request_is_over_is_gated_again(
    answers: dict[str, bool] | None, caplog: pytest.LogCaptureFixture
) -> None:
    app = page((b"set-cookie", b"_ga=1"))
    scope = request(answers=answers)

    first, second = await ask(app, scope), await ask(app, scope)

    assert first.body == second.body
    assert first.all(b"set-cookie") == second.all(b"set-cookie") == ([b"_ga=1"] if answers else [])
    assert caplog.messages == []


async def test_response_that_is_used_again_does_not_collect_headers() -> None:
    response = HTMLResponse(PAGE)
    before = list(response.raw_headers)

    first = await ask(response, request((b"cookie", b"_ga=1")))
    second = await ask(response, request((b"cookie", b"_ga=1")))

    assert first.headers == second.headers
    assert response.raw_headers == before


async def test_middleware_inside_the_app_may_change_headers_of_its_request() -> None:
    async def forget_host(scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"].clear()
        await HTMLResponse(PAGE)(scope, receive, send)

    answer = await ask(forget_host, request(answers=GRANTED))

    assert TAG in answer.body


# A page whose <base> turns relative addresses elsewhere.

ELSEWHERE = b'<!doctype html><head><base href="https://cdn.example/"><title>x</title></head><body>'


async def test_page_with_a_base_elsewhere_gets_absolute_addresses_on_a_listed_host() -> None:
    answer = await ask(page(content=ELSEWHERE), policy=make_policy(hosts=(HOST,)))

    assert f'action="//{HOST}/cookies/choice"'.encode() in answer.body
    assert f'<link rel="stylesheet" href="//{HOST}/cookies/static/'.encode() in answer.body
    assert f'<script defer src="//{HOST}/cookies/static/'.encode() in answer.body
    assert b'="/cookies' not in answer.body


async def test_page_without_a_base_gets_addresses_relative_to_its_host() -> None:
    answer = await ask(page(), policy=make_policy(hosts=(HOST,)))

    assert b'action="/cookies/choice"' in answer.body
    assert f'"//{HOST}'.encode() not in answer.body


async def test_page_with_a_base_takes_no_address_from_a_host_that_is_not_listed() -> None:
    answer = await ask(page(content=ELSEWHERE), policy=make_policy(hosts=("other.example",)))

    assert b'action="/cookies/choice"' in answer.body
    assert HOST.encode() not in answer.body


# A frame of Starlette around it, as users have it.


async def test_error_page_of_the_app_carries_the_banner() -> None:
    async def broken(request: Request) -> Response:
        raise RuntimeError("no")

    async def apology(request: Request, error: Exception) -> Response:
        return HTMLResponse(PAGE, 500)

    handlers: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {RuntimeError: apology}
    app = Starlette(routes=[Route("/", broken)], exception_handlers=handlers)

    answer = await ask(app)

    assert answer.messages[0]["status"] == 500
    assert BANNER in answer.body


async def test_app_that_breaks_after_its_start_is_answered_by_the_error_page_around_us() -> None:
    class Around:
        def __init__(self, app: ASGIApp) -> None:
            self.site = make_site(app)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.site(scope, receive, send)

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        raise RuntimeError("template broken")

    app = Starlette(middleware=[Middleware(Around)])
    app.mount("/", endpoint)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="template broken"):
        await app(request(), nothing_more, send)
    assert sent[0]["status"] == 500


# A request that asks for much work


async def test_a_host_with_thousands_of_labels_makes_no_answer_long() -> None:
    asked: Headers = [(b"host", b".".join([b"a"] * 2_000)), (b"accept", b"text/html"), (b"cookie", b"_ga=1")]

    answer = await ask(page(), request(headers=asked))

    assert sum(len(name) + len(value) for name, value in answer.headers) < 4_000
    assert any(line.startswith(b"_ga=;") for line in answer.all(b"set-cookie"))


# Header fields after the body


@pytest.mark.parametrize(("answers", "leaves"), [(REFUSED, False), (GRANTED, True)])
async def test_a_cookie_in_the_trailers_leaves_only_with_consent(answers: dict[str, bool], leaves: bool) -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"Set-Cookie", b"_ga=1"), (b"x-sum", b"7")]}
    app = scripted({**start(HTML), "trailers": True}, body(PAGE.encode()), trailers)

    answer = await ask(app, request(answers=answers))

    sent = answer.messages[-1]["headers"]
    assert ((b"Set-Cookie", b"_ga=1") in sent) is leaves
    assert (b"x-sum", b"7") in sent


# Names as servers mend them


@pytest.mark.parametrize("name", [b"set-cookie ", b" Set-Cookie", "Set-Cookie", bytearray(b"Set-Cookie")])
@pytest.mark.parametrize(("answers", "leaves"), [(REFUSED, False), (GRANTED, True)])
async def test_no_cookie_leaves_under_a_name_that_only_a_server_takes_for_set_cookie(
    name: Any, answers: dict[str, bool], leaves: bool
) -> None:
    answer = await ask(page((name, b"_ga=1")), request(answers=answers))

    assert (b"_ga=1" in [value for _, value in answer.headers]) is leaves


async def test_a_cookie_written_as_text_is_read_as_a_server_reads_it() -> None:
    as_text: Any = ("Set-Cookie", "_ga=1")

    answer = await ask(page(as_text), request(answers=REFUSED))

    assert answer.headers[1:] == (await ask(page(), request(answers=REFUSED))).headers[1:]


@pytest.mark.parametrize(
    ("path", "root", "leads_back"),
    [
        pytest.param("/caf\u00e9", "", b"/caf%C3%A9", id="whole_characters"),
        pytest.param("/a\udcff", "", b"/a%3F", id="half_a_character"),
        pytest.param("/a", "/r\ud800", b"/r%3F/a", id="half_a_character_in_the_root"),
    ],
)
async def test_a_path_of_any_text_gets_its_page_and_a_way_back(path: str, root: str, leads_back: bytes) -> None:
    answer = await ask(page(), request(path=path, raw_path=None, root_path=root))

    assert b'name="back" value="%s"' % leads_back in answer.body


# What is prepared for a host is prepared once.


@pytest.mark.parametrize("made_up", ["{}.evil.example", HOST + ":{}"], ids=["hosts", "ports"])
async def test_made_up_hosts_do_not_push_out_what_is_prepared_for_a_real_one(made_up: str) -> None:
    site = make_site(page(), make_policy(hosts=(HOST,)))._site
    before = Visit(site, request()).prepared

    for number in range(300):
        _ = Visit(site, request(headers=[(b"host", made_up.format(number).encode())])).prepared

    assert Visit(site, request()).prepared is before


async def test_hosts_with_pages_of_their_own_share_nothing_that_is_prepared() -> None:
    site = make_site(page(), make_policy(hosts=(HOST, "place.example")))._site

    one, other = (
        Visit(site, request(headers=[(b"host", host)])).prepared for host in (HOST.encode(), b"place.example")
    )

    assert one is not other


@pytest.mark.parametrize("answers", [{}, GRANTED, REFUSED], ids=["undecided", "agreed", "refused"])
@pytest.mark.parametrize("pieces", [[PAGE], [PAGE[:90], PAGE[90:]], [PAGE[:90], PAGE[90:], "<p>", "<script src="]])
@pytest.mark.parametrize("kind", [memoryview, bytearray])  # Starlette passes the one on, other frameworks the other
@pytest.mark.parametrize("first", [True, False], ids=["all", "all_but_the_first"])
async def test_page_that_is_not_of_the_type_bytes_leaves_as_one_that_is(
    first: bool, kind: Callable[[bytes], Any], pieces: list[str], answers: dict[str, bool]
) -> None:
    def site(kind: Callable[[bytes], Any]) -> ASGIApp:
        ends = [body(b"", more=False)] if len(pieces) > 1 else []
        kinds = [kind if first or number else bytes for number in range(len(pieces))]
        parts = [body(of(piece.encode()), more=len(pieces) > 1) for of, piece in zip(kinds, pieces, strict=True)]
        return make_site(scripted(start(HTML), *parts, *ends))

    of_kind, of_bytes = site(kind), site(bytes)
    for _ in range(6):
        sent, expected = (at_once(each, request(answers=answers)) for each in (of_kind, of_bytes))
        assert b"".join(message.get("body", b"") for message in sent[1:]) == b"".join(
            message.get("body", b"") for message in expected[1:]
        )
        assert sent[0] == expected[0]
