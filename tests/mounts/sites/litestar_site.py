"""The site in Litestar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, MediaType, Request, WebSocket, get, post, websocket
from litestar.config.compression import CompressionConfig
from litestar.exceptions import WebSocketDisconnect
from litestar.response import Redirect, ServerSentEvent, Stream
from litestar.static_files import create_static_files_router

from consentgate import ConsentMiddleware, consent_from
from tests.mounts.sites.shared import FILES, KEYS, PAGE, PAUSE, PIECES, STREAM_START, piece, policy

AnyRequest = Request[Any, Any, Any]
started = False


def note_start() -> None:
    global started
    started = True


@get(["/page", "/quiet/page"], media_type=MediaType.HTML)
async def page() -> str:
    return PAGE


@get("/alone", media_type=MediaType.HTML)
async def alone(request: AnyRequest) -> str:
    consent_from(request.scope).leave_page_alone()
    return PAGE


@get("/stream", media_type=MediaType.HTML)
async def stream() -> Stream:
    async def pieces() -> AsyncIterator[str]:
        yield STREAM_START
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield piece(number)

    return Stream(pieces())


@get("/events")
async def events() -> ServerSentEvent:
    async def numbers() -> AsyncIterator[str]:
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield str(number)

    return ServerSentEvent(numbers())


@post("/sign-in")
async def sign_in() -> Redirect:
    response = Redirect("/page", status_code=303)
    response.set_cookie("session", "s3cr3t", httponly=True)
    response.set_cookie("campaign", "newsletter")
    response.set_cookie("pages_seen", "1")
    return response


@get("/cookies-seen")
async def cookies(request: AnyRequest) -> dict[str, str]:
    return dict(request.cookies)


@get("/consent")
async def consent(request: AnyRequest) -> dict[str, bool]:
    await asyncio.sleep(PAUSE)
    return {"analytics": consent_from(request.scope).allows("analytics"), "started": started}


@post("/length", status_code=200, media_type=MediaType.TEXT)
async def length(request: AnyRequest) -> str:
    return str(len(await request.body()))


@websocket("/echo")
async def echo(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept(headers={"set-cookie": "campaign=newsletter"})
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


site = Litestar(
    [
        page,
        alone,
        stream,
        events,
        sign_in,
        cookies,
        consent,
        length,
        echo,
        create_static_files_router("/static", directories=[FILES]),
    ],
    compression_config=CompressionConfig(backend="gzip", minimum_size=500),
    on_startup=[note_start],
    request_max_body_size=None,
)
app = ConsentMiddleware(site, policy, keys=KEYS)
