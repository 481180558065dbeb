"""The site in Quart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from quart import Quart, Response, redirect, request, websocket
from quart.typing import ResponseReturnValue
from starlette.types import Receive, Scope, Send
from werkzeug.datastructures import Headers

from consentgate import ConsentMiddleware, consent_from
from tests.mounts.sites.shared import FILES, KEYS, PAGE, PAUSE, PIECES, STREAM_START, event, piece, policy

app = Quart(__name__, static_folder=str(FILES), static_url_path="/static")
started = False


@app.before_serving
async def note_start() -> None:
    global started
    started = True


@app.get("/page")
@app.get("/quiet/page")
async def page() -> ResponseReturnValue:
    return PAGE


@app.get("/alone")
async def alone() -> ResponseReturnValue:
    consent_from(request.scope).leave_page_alone()
    return PAGE


@app.get("/stream")
async def stream() -> ResponseReturnValue:
    async def pieces() -> AsyncIterator[str]:
        yield STREAM_START
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield piece(number)

    return Response(pieces(), mimetype="text/html")


@app.get("/events")
async def events() -> ResponseReturnValue:
    async def pieces() -> AsyncIterator[str]:
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield event(number)

    return Response(pieces(), mimetype="text/event-stream")


@app.post("/sign-in")
async def sign_in() -> ResponseReturnValue:
    response = redirect("/page", 303)
    response.set_cookie("session", "s3cr3t", httponly=True)
    response.set_cookie("campaign", "newsletter")
    response.set_cookie("pages_seen", "1")
    return response


@app.get("/cookies-seen")
async def cookies() -> ResponseReturnValue:
    return dict(request.cookies)


@app.get("/consent")
async def consent() -> ResponseReturnValue:
    await asyncio.sleep(PAUSE)
    return {"analytics": consent_from(request.scope).allows("analytics"), "started": started}


@app.post("/length")
async def length() -> ResponseReturnValue:
    return str(len(await request.get_data()))


@app.websocket("/echo")
async def echo() -> None:
    await websocket.accept(headers=Headers([("set-cookie", "session=s3cr3t"), ("set-cookie", "campaign=newsletter")]))
    while True:
        await websocket.send(await websocket.receive())


gate = ConsentMiddleware(app.asgi_app, policy, keys=KEYS)
app.asgi_app = gate  # type: ignore[method-assign,assignment]  # Quart types the scope more narrowly


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the site without consentgate."""
    await gate.app(scope, receive, send)
