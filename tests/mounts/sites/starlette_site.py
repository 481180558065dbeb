"""The site in Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from consentgate import ConsentMiddleware
from tests.mounts.sites.shared import FILES, KEYS, PAGE, PAUSE, PIECES, STREAM_START, event, piece, policy

started = False


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    global started
    started = True
    print("the site has started", flush=True)
    yield
    print("the site has stopped", flush=True)


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def alone(request: Request) -> Response:
    request.state.consent.leave_page_alone()
    return HTMLResponse(PAGE)


async def stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[str]:
        yield STREAM_START
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield piece(number)

    return StreamingResponse(pieces(), media_type="text/html")


async def events(request: Request) -> Response:
    async def pieces() -> AsyncIterator[str]:
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield event(number)

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def sign_in(request: Request) -> Response:
    response = RedirectResponse("/page", 303)
    response.set_cookie("session", "s3cr3t", httponly=True)
    response.set_cookie("campaign", "newsletter")
    response.set_cookie("pages_seen", "1")
    return response


async def cookies(request: Request) -> Response:
    return JSONResponse(dict(request.cookies))


async def consent(request: Request) -> Response:
    await asyncio.sleep(PAUSE)  # so that many requests are under way at once
    return JSONResponse({"analytics": request.state.consent.allows("analytics"), "started": started})


async def length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def echo(websocket: WebSocket) -> None:
    await websocket.accept(headers=[(b"set-cookie", b"session=s3cr3t"), (b"set-cookie", b"campaign=newsletter")])
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


def create_site(*middleware: Middleware) -> Starlette:
    return Starlette(
        routes=[
            Route("/page", page),
            Route("/quiet/page", page),
            Route("/alone", alone),
            Route("/stream", stream),
            Route("/events", events),
            Route("/sign-in", sign_in, methods=["POST"]),
            Route("/cookies-seen", cookies),
            Route("/consent", consent),
            Route("/length", length, methods=["POST"]),
            WebSocketRoute("/echo", echo),
            Mount("/static", StaticFiles(directory=FILES)),
        ],
        middleware=middleware,
        lifespan=lifespan,
    )


gate, gzip = Middleware(ConsentMiddleware, policy=policy, keys=KEYS), Middleware(GZipMiddleware, minimum_size=500)
bare = create_site(gzip)
app = create_site(gate, gzip)
twice = ConsentMiddleware(app, policy, keys=KEYS)
