"""Cookies in every kind of response: what the policy does not list is withheld, reported or let through, and named."""

from __future__ import annotations

import asyncio
import tomllib
from typing import Any, Literal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from consentgate.cookies import set_cookie_name
from tests.conftest import (
    GRANTED,
    HTML,
    ORIGIN,
    PAGE,
    REFUSED,
    Headers,
    Listener,
    ask,
    body,
    consent_cookie,
    make_client,
    make_policy,
    make_site,
    page,
    request,
    scripted,
    start,
)

pytestmark = pytest.mark.anyio

Undeclared = Literal["block", "report", "allow"]

TEMPLATE = 'The application …:\n\n[[categories.essential.items]]\nname = "…"\npurpose = "…"\nduration = "…"\n'
UNKNOWN = (b"set-cookie", b"csrftoken=abc; Path=/; HttpOnly")
SESSION = (b"set-cookie", b"session=1; HttpOnly")
ANALYTICS = (b"set-cookie", b"_ga=GA1.1.1; Path=/")


@pytest.mark.parametrize(
    ("undeclared", "leaves", "logged"),
    [
        pytest.param("block", False, "so it was withheld", id="block"),
        pytest.param("report", True, 'so it was let through (undeclared = "report")', id="report"),
        pytest.param("allow", True, "", id="allow"),
    ],
)
@pytest.mark.parametrize("answers", [None, REFUSED, GRANTED], ids=["undecided", "refused", "accepted"])
async def test_cookie_that_is_not_listed_follows_the_policy(
    undeclared: Undeclared,
    leaves: bool,
    logged: str,
    answers: dict[str, bool] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await ask(page(UNKNOWN, SESSION), request(answers=answers), policy=make_policy(undeclared=undeclared))

    assert answer.all(b"set-cookie") == ([UNKNOWN[1]] if leaves else []) + [SESSION[1]]
    assert len(caplog.messages) == bool(logged)
    assert logged in caplog.text


async def test_cookie_that_is_not_listed_is_withheld_unless_the_policy_says_otherwise() -> None:
    answer = await ask(page(UNKNOWN))

    assert answer.all(b"set-cookie") == []


@pytest.mark.parametrize("undeclared", ["block", "report"])
async def test_each_name_is_logged_once(undeclared: Undeclared, caplog: pytest.LogCaptureFixture) -> None:
    policy = make_policy(undeclared=undeclared)

    for name in ("one", "two", "one", "two"):
        await ask(page((b"set-cookie", f"{name}=secret-value".encode())), policy=policy)

    assert len(caplog.messages) == 2
    assert "set the cookie one," in caplog.messages[0]
    assert "set the cookie two," in caplog.messages[1]
    assert "secret-value" not in caplog.text


@pytest.mark.parametrize("name", ["csrftoken", "wp-settings-1", "__Host-sid", 'odd"name'])
async def test_log_holds_the_lines_that_declare_the_cookie(name: str, caplog: pytest.LogCaptureFixture) -> None:
    await ask(page((b"set-cookie", f"{name}=1".encode())))

    lines = tomllib.loads(caplog.messages[0].partition("\n")[2])
    assert lines["categories"]["essential"]["items"][0]["name"] == name


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\x0b", "\x1b", "\x7f", "\x85", "\x9b"], ids=lambda character: f"{ord(character):x}"
)
async def test_a_name_writes_no_line_of_its_own_into_the_log(character: str, caplog: pytest.LogCaptureFixture) -> None:
    await ask(page((b"set-cookie", f"a{character}FAKE LINE=1".encode("latin-1"))))

    (message,) = caplog.messages
    assert len(message.splitlines()) == len(TEMPLATE.splitlines())
    assert all(each.isprintable() or each == "\n" for each in message)
    assert tomllib.loads(message.partition("\n")[2])["categories"]["essential"]["items"][0]["name"] == (
        f"a{character}FAKE LINE"
    )


async def test_a_name_of_any_language_stays_readable_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    await ask(page((b"set-cookie", "käse=1".encode("latin-1"))))

    assert "set the cookie käse, which" in caplog.messages[0]


async def test_an_encoding_writes_no_line_of_its_own_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    await ask(page((b"content-encoding", b"br\nFAKE\x1b[31m")))

    (message,) = caplog.messages
    assert message.isprintable()


async def test_declared_and_expiring_cookies_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    expiring = (b"set-cookie", b"csrftoken=; Max-Age=0; Path=/")

    answer = await ask(page(SESSION, ANALYTICS, expiring))

    assert answer.all(b"set-cookie") == [SESSION[1], expiring[1]]
    assert caplog.messages == []


async def test_cookie_that_is_not_listed_is_neither_hidden_from_the_app_nor_expired() -> None:
    app = Listener(page())

    answer = await ask(app, request((b"cookie", b"csrftoken=abc; _ga=1")))

    assert app.heard(b"cookie") == [b"csrftoken=abc"]
    assert not [line for line in answer.all(b"set-cookie") if b"csrftoken" in line]


@pytest.mark.parametrize(
    ("line", "leaves"),
    [
        pytest.param(b"_ga=1; Max-Age=-1", True, id="negative"),
        pytest.param(b"_ga=1; Max-Age=00", True, id="zero_twice"),
        pytest.param(b"_ga=1; Max-Age=-", False, id="no_number"),
        pytest.param(b"_ga=1; Max-Age=-x", False, id="no_number_either"),
    ],
)
async def test_only_a_number_expires_a_cookie(line: bytes, leaves: bool) -> None:
    answer = await ask(page((b"set-cookie", line)))

    assert answer.all(b"set-cookie") == ([line] if leaves else [])


# In every response, and not only in pages.


def response_of(kind: str) -> Response:
    match kind:
        case "page":
            return HTMLResponse(PAGE)
        case "redirect":
            return RedirectResponse("/elsewhere", 303)
        case "json":
            return JSONResponse({"ok": True})
        case "error":
            return PlainTextResponse("no", 500)
        case "not_found":
            return HTMLResponse(PAGE, 404)
        case "empty":
            return Response(status_code=204)
        case "download":
            return HTMLResponse(PAGE, headers={"content-disposition": "attachment"})
        case _:
            return Response(b"\x89PNG", media_type="image/png")


KINDS = ["page", "redirect", "json", "error", "not_found", "empty", "download", "picture"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cache", ["personal", "shared"])
async def test_no_response_carries_a_cookie_that_was_not_agreed_to(kind: str, cache: str) -> None:
    response = response_of(kind)
    for _, line in (ANALYTICS, UNKNOWN, SESSION):
        response.raw_headers.append((b"set-cookie", line))

    refused = await ask(response, request(answers=REFUSED), policy=make_policy(cache=cache))
    accepted = await ask(response, request(answers=GRANTED), policy=make_policy(cache=cache))

    assert refused.all(b"set-cookie") == [SESSION[1]]
    assert accepted.all(b"set-cookie") == [ANALYTICS[1], SESSION[1]]


@pytest.mark.parametrize("kind", ["websocket.accept", "websocket.http.response.start"])
async def test_websocket_carries_no_cookie_that_is_not_listed(kind: str) -> None:
    message: Message = {"type": kind, "status": 403, "headers": [UNKNOWN, SESSION, ANALYTICS, (b"x-app", b"1")]}

    answer = await ask(scripted(message), {**request(answers=REFUSED), "type": "websocket", "scheme": "wss"})

    assert answer.headers == [SESSION, (b"x-app", b"1")]


async def test_cookie_of_the_first_redirect_never_reaches_the_next_page() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = RedirectResponse("/landed") if scope["path"] == "/" else HTMLResponse(PAGE)
        response.set_cookie("_ga", "1")
        await response(scope, receive, send)

    async with make_client(app) as client:
        await client.get("/", follow_redirects=True)

        assert not client.cookies


async def test_signed_in_visitor_stays_signed_in_while_cookies_are_refused() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = PlainTextResponse(str(dict(scope["headers"]).get(b"cookie", b"")))
        response.set_cookie("session", "ann", httponly=True)
        await response(scope, receive, send)

    async with make_client(app) as client:
        await client.post("/cookies/choice", data={"choice": "reject_all"})
        await client.get("/")
        response = await client.get("/")

    assert "session=ann" in response.text


# Any mix of headers.

NAMES = st.sampled_from([b"session", b"_ga", b"_ga_X", b"campaign", b"other", b"__Host-consentgate", b"", b" _ga "])
TAILS = st.sampled_from([b"", b"; Path=/", b"; Max-Age=0", b"; max-age=-x", b"; Max-Age=60", b";;", b"; \xe9=\xff"])
LINES = st.builds(lambda name, value, tail: name + b"=" + value + tail, NAMES, st.binary(max_size=4), TAILS)
MORE = st.tuples(st.sampled_from([b"x-a", b"X-B", b"link"]), st.binary(max_size=5))
MIXES = st.lists(st.tuples(st.sampled_from([b"set-cookie", b"Set-Cookie"]), LINES) | MORE, max_size=8)
CONSENTS = st.sampled_from([None, REFUSED, GRANTED, {"analytics": True}, {"marketing": True}])
CATEGORY = {"session": "essential", "_ga": "analytics", "_ga_X": "analytics", "campaign": "marketing"}


def _may_leave(line: bytes, answers: dict[str, bool] | None) -> bool:
    name = set_cookie_name(line)
    category = "essential" if name == "__Host-consentgate" else CATEGORY.get(name)
    granted = {"essential", *(one for one, is_granted in (answers or {}).items() if is_granted)}
    return category in granted or b"max-age=0" in line.partition(b";")[2].lower().replace(b" ", b"").split(b";")


@given(headers=MIXES, answers=CONSENTS, media_type=st.sampled_from([HTML[1], b"application/json"]))
@settings(max_examples=200, deadline=None)
def test_nothing_but_what_was_agreed_to_leaves_and_the_rest_keeps_bytes_and_order(
    headers: Headers, answers: dict[str, bool] | None, media_type: bytes
) -> None:
    app = scripted(start((b"content-type", media_type), *headers), body(PAGE.encode()))

    answer = asyncio.run(ask(app, request(answers=answers)))

    expected = [(k, v) for k, v in headers if k.lower() != b"set-cookie" or _may_leave(v, answers)]
    ours = (b"content-type", b"vary", b"cache-control")
    assert [header for header in answer.headers if header[0] not in ours] == [(k.lower(), v) for k, v in expected]


# A hundred visitors at once.


async def test_a_hundred_visitors_at_once_each_get_their_own_cookies() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = HTMLResponse(PAGE, headers={"x-number": scope["query_string"].decode()})
        response.set_cookie("_ga", scope["query_string"].decode())
        response.set_cookie("campaign", scope["query_string"].decode())
        await asyncio.sleep(0)
        await response(scope, receive, send)

    site = make_site(app)
    choices: list[dict[str, Any]] = [{}, REFUSED, GRANTED, {"analytics": True, "marketing": False}]

    async def visit(number: int) -> httpx.Response:
        cookie = f"__Host-consentgate={consent_cookie(choices[number % 4])}"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url=ORIGIN) as client:
            return await client.get(f"/?{number}", headers={"cookie": cookie, "accept": "text/html"})

    responses = await asyncio.gather(*(visit(number) for number in range(100)))

    for number, response in enumerate(responses):
        expected: list[list[str]] = [[], [], ["_ga", "campaign"], ["_ga"]]
        names = [line.partition(";")[0] for line in response.headers.get_list("set-cookie")]
        assert names == [f"{name}={number}" for name in expected[number % 4]]
        assert response.headers["x-number"] == str(number)
        assert ("googletagmanager" in response.text) is (number % 4 >= 2)
