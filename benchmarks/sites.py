"""What is measured on: a site of a few plain pages, a policy with Google Analytics, and what browsers ask for."""

from __future__ import annotations

import json
import time
from asyncio import get_running_loop
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from itsdangerous import TimestampSigner
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, StorageItem
from consentgate.consent import Answer, Consent
from consentgate.consent_cookie import ConsentCookie

KEY = "a benchmark's key 0123456789abcdef"
OTHER_KEY = "somebody else's key 0123456789abcd"
HOST = "www.stepforward.example"
COOKIE = "__Host-consentgate"

App = Callable[..., Awaitable[Any]]
Headers = list[tuple[bytes, bytes]]

POLICY = ConsentPolicy(
    site_name="Step Forward Luton",
    hosts=(HOST,),
    controller=Controller(name="Luton Council", email="dpo@stepforward.example"),
    privacy_policy="/privacy",
    categories=(
        Category(
            id="essential",
            items=(StorageItem(name="session", purpose="Keeps you signed in.", duration="14 days"),),
        ),
        Category(
            id="analytics",
            items=(StorageItem(name="visits", purpose="Counts visits.", duration="30 days"),),
            services=(GoogleAnalytics(measurement_id="G-ABCDEFGH12"),),
        ),
    ),
)

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Places to live, work and invest in - Step Forward Luton</title>
<meta name="description" content="A civic partnership for a better town, with news, places and people.">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/site.css">
<script type="application/ld+json">{"@context": "https://schema.org", "@type": "Organization", "name": "Step"}</script>
</head>
<body class="page page--home">
<header><a href="/">Step Forward Luton</a><nav><ul><li><a href="/news">News</a></li></ul></nav></header>
<main><h1>Step Forward</h1>
"""
_PARAGRAPH = "<p>The town grows with its people: <a href='/news/1'>read what was decided</a> and what comes next.</p>\n"
_TAIL = "</main><footer><a href='/privacy'>Privacy</a></footer></body></html>\n"


def page(size: int) -> bytes:
    """Return a page of about so many bytes."""
    paragraphs = (size - len(_HEAD) - len(_TAIL)) // len(_PARAGRAPH)
    return (_HEAD + _PARAGRAPH * max(0, paragraphs) + _TAIL).encode()


def pieces(body: bytes, size: int) -> list[bytes]:
    """Return a page cut into pieces of so many bytes."""
    return [body[start : start + size] for start in range(0, len(body), size)]


def afresh(piece: bytes) -> bytes:
    """Return a copy, as nobody sends the same object to every visitor."""
    return bytes(memoryview(piece))


PAGE_20K = page(20_000)
_TEXT_20K = PAGE_20K.decode()
PAGE_5M = page(5_000_000)
JSON_1K = {"news": [{"id": number, "title": "What was decided", "read": False} for number in range(17)]}
_CHUNK = 65_536
_CSP = "default-src 'self'; img-src 'self' data:; object-src 'none'"
_SNIPPET = """<script async src="https://www.googletagmanager.com/gtag/js?id=G-ABCDEFGH12"></script>
<script>window.dataLayer = window.dataLayer || []; function gtag(){dataLayer.push(arguments)}
gtag("js", new Date()); gtag("config", "G-ABCDEFGH12");</script>
"""


def site() -> Starlette:
    """Return a Starlette application with a page, an answer that is none, and cookies that need consent.

    Its pages are text until they are sent, as templates make them: bytes of their own each time.
    """

    async def html(request: Request) -> Response:
        return Response(_TEXT_20K, media_type="text/html")

    async def data(request: Request) -> Response:
        return JSONResponse(JSON_1K)

    async def unchanged(request: Request) -> Response:
        return Response(status_code=304, headers={"etag": '"v1"'})

    async def cookies(request: Request) -> Response:
        response = Response(_TEXT_20K, media_type="text/html")
        response.set_cookie("session", "0123456789abcdef", max_age=1_209_600, httponly=True)
        response.set_cookie("_ga", "GA1.1.1234567890.1234567890", max_age=34_560_000)
        response.set_cookie("visits", "7", max_age=2_592_000)
        return response

    turns = count(1_000_000)

    async def nonce(request: Request) -> Response:
        body = PAGE_20K.replace(b"<title>", b'<meta name="csrf" content="%d"><title>' % next(turns), 1)
        return Response(body, media_type="text/html")

    async def policy(request: Request) -> Response:
        return Response(_TEXT_20K, media_type="text/html", headers={"content-security-policy": _CSP})

    async def policy_with_nonce(request: Request) -> Response:
        drawn = f"n{next(turns)}"
        text = _TEXT_20K.replace("<script ", f'<script nonce="{drawn}" ', 1)
        headers = {"content-security-policy": f"{_CSP}; script-src 'self' 'nonce-{drawn}'"}
        return Response(text, media_type="text/html", headers=headers)

    async def date(request: Request) -> Response:
        return Response(_TEXT_20K.replace("</footer>", f"{next(turns)}</footer>", 1), media_type="text/html")

    async def tag(request: Request) -> Response:
        return Response(_TEXT_20K.replace("</head>", f"{_SNIPPET}</head>", 1), media_type="text/html")

    async def tag_and_date(request: Request) -> Response:
        text = _TEXT_20K.replace("</head>", f"{_SNIPPET}</head>", 1)
        return Response(text.replace("</footer>", f"{next(turns)}</footer>", 1), media_type="text/html")

    routes = {
        "/": html,
        "/data": data,
        "/unchanged": unchanged,
        "/three": cookies,
        "/nonce": nonce,
        "/policy": policy,
        "/policy-with-nonce": policy_with_nonce,
        "/date": date,
        "/tag": tag,
        "/tag-and-date": tag_and_date,
    }
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in routes.items()])


def stream(body: bytes, chunk: int = _CHUNK) -> App:
    """Return an ASGI application that sends a page in pieces."""
    chunks = pieces(body, chunk)
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8")]}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**start, "headers": list(start["headers"])})  # type: ignore[call-overload]
        for piece in chunks:
            await send({"type": "http.response.body", "body": afresh(piece), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def guarded(app: App, **changes: Any) -> ConsentMiddleware:
    """Return an application with consentgate around it, with the policy of all benchmarks or one that differs."""
    return ConsentMiddleware(app, replace(POLICY, **changes), keys=[KEY])


def with_session(app: App) -> SessionMiddleware:
    """Return an application with the yardstick around it."""
    return SessionMiddleware(app, secret_key=KEY)


def session_cookie() -> bytes:
    """Return a session cookie as Starlette writes it once somebody has signed in."""
    session = {"user": 4711, "name": "A. Visitor", "csrf": "0123456789abcdef0123456789abcdef"}
    return b"session=" + TimestampSigner(KEY).sign(b64encode(json.dumps(session).encode()))


def consent_cookie(*, granted: bool, key: str = KEY, at: float | None = None) -> bytes:
    """Return the cookie of a visitor who agreed or refused a day ago."""
    now = time.time() if at is None else at
    answers = {"analytics": Answer(granted, 1, int(now) - 86_400, "0123456789abcdef")}
    value = ConsentCookie(POLICY, [key]).dump(Consent.from_answers(POLICY, answers, now))
    return COOKIE.encode() + b"=" + value.encode()


NAVIGATION: Headers = [
    (b"host", HOST.encode()),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-GB,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"connection", b"keep-alive"),
    (b"upgrade-insecure-requests", b"1"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-site", b"same-origin"),
]
FETCH: Headers = [
    (key, {b"accept": b"*/*", b"sec-fetch-dest": b"empty", b"sec-fetch-mode": b"cors"}.get(key, value))
    for key, value in NAVIGATION
    if key != b"upgrade-insecure-requests"
]


def scope(path: str, headers: Headers, cookies: Sequence[bytes] = ()) -> dict[str, Any]:
    """Return the scope that a server makes of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50_000),
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [*headers, *([(b"cookie", b"; ".join(cookies))] if cookies else [])],
        "extensions": {},
    }


async def receive() -> Mapping[str, Any]:
    """Hand over an empty request body."""
    return {"type": "http.request", "body": b"", "more_body": False}


def receiving() -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """Return what hands over an empty request body, and then waits for a visitor to hang up, who does not."""
    is_first = True

    async def receive_once() -> Mapping[str, Any]:
        nonlocal is_first
        if not is_first:
            await get_running_loop().create_future()
        is_first = False
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive_once


async def discard(message: MutableMapping[str, Any]) -> None:
    """Take what a server would write to its socket."""


def request(app: App, template: Mapping[str, Any]) -> Callable[[], Awaitable[None]]:
    """Return what asks an application once, with a scope of its own each time as servers make it."""

    async def ask() -> None:
        await app({**template, "headers": template["headers"].copy(), "state": {}}, receiving(), discard)

    return ask


async def answer(app: App, template: Mapping[str, Any]) -> tuple[Headers, bytes]:
    """Return headers and body of an answer, to see that the real thing is measured."""
    sent: list[MutableMapping[str, Any]] = []

    async def keep(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app({**template, "headers": template["headers"].copy(), "state": {}}, receiving(), keep)
    bodies: Iterable[bytes] = (message.get("body", b"") for message in sent[1:])
    return list(sent[0]["headers"]), b"".join(bodies)
