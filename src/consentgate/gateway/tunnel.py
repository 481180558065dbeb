"""Relay websockets to the site behind the gateway, message by message."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import AsyncExitStack
from typing import Any

from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from consentgate.gateway.forwarding import HeaderList, end_to_end
from consentgate.gateway.proxy import Site, Waits, target_of
from consentgate.gateway.upstream import refusal

__all__ = ["tunnel"]

_log = logging.getLogger("consentgate.gateway")
_LARGEST_MESSAGE = 16_777_216  # bytes; uvicorn takes as much from visitors
_NORMAL, _GOING_AWAY, _NO_STATUS, _ABNORMAL, _INTERNAL_ERROR = 1000, 1001, 1005, 1006, 1011  # RFC 6455 7.4.1


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Leave redirects to the visitor's browser."""
        return exc


async def tunnel(
    site: Site, headers: HeaderList, waits: Waits, connect_seconds: float, scope: Scope, receive: Receive, send: Send
) -> None:
    """Open a websocket to a site and relay until one end closes.

    Args:
        site: the site.
        headers: what it gets of the visitor's headers.
        waits: how long to stay open in silence.
        connect_seconds: how long the site may take to accept.
        scope: of the connection.
        receive: of the server.
        send: of the gate.
    """
    await receive()  # websocket.connect
    async with AsyncExitStack() as held:
        try:
            await held.enter_async_context(site.upstream.place_for_websocket())
            connection = await _open(site, headers, scope, connect_seconds)
        except InvalidStatus as refused:
            answer = refused.response
            raw = [(name.encode(), value.encode()) for name, value in answer.headers.raw_items()]
            await _refuse(answer.status_code, raw, bytes(answer.body or b""), scope, send)
            return
        except (OSError, InvalidHandshake, ValueError) as error:
            late = isinstance(error, TimeoutError)
            why = f": {refusal(error)}" if isinstance(error, ssl.SSLError) else ""
            _log.warning("The site %s took no websocket%s.", site.name, why, extra={"site": site.name})
            await _refuse(504 if late else 502, [], b"", scope, send)
            return
        try:
            await send(
                {
                    "type": "websocket.accept",
                    "subprotocol": connection.subprotocol,
                    "headers": _answer_headers(connection),
                }
            )
            await _relay(connection, waits.idle, receive, send)
        finally:
            await connection.close()


async def _open(site: Site, headers: HeaderList, scope: Scope, connect_seconds: float) -> ClientConnection:
    upstream = site.upstream
    host = next((value.decode("latin-1") for name, value in headers if name.lower() == b"host"), upstream.host)
    scheme = "wss" if upstream.is_secure else "ws"
    tls: dict[str, Any] = (
        {"ssl": upstream.context, "server_hostname": upstream.certificate_host} if upstream.is_secure else {}
    )
    return await _Connect(
        f"{scheme}://{host}{target_of(scope).decode('latin-1')}",
        host=upstream.host,
        port=upstream.port,
        additional_headers=list(_texts(headers)),
        subprotocols=[Subprotocol(one) for one in scope.get("subprotocols") or ()] or None,
        compression=None,
        open_timeout=connect_seconds,
        ping_interval=None,
        max_size=_LARGEST_MESSAGE,
        user_agent_header=None,
        proxy=None,  # an environment variable must not send visitors elsewhere
        **tls,
    )


def _texts(headers: HeaderList) -> list[tuple[str, str]]:
    """Return the headers that the handshake does not write itself."""
    kept = []
    for name, value in headers:
        if name.lower() == b"host" or name.lower().startswith(b"sec-websocket-"):
            continue
        try:
            kept.append((name.decode("ascii"), value.decode("utf-8")))
        except UnicodeDecodeError:  # the client writes UTF-8 only
            continue
    return kept


def _answer_headers(connection: ClientConnection) -> HeaderList:
    answer = connection.response
    raw = [] if answer is None else [(name.encode(), value.encode()) for name, value in answer.headers.raw_items()]
    return [pair for pair in end_to_end(raw) if not pair[0].lower().startswith(b"sec-websocket-")]


async def _refuse(status: int, headers: HeaderList, body: bytes, scope: Scope, send: Send) -> None:
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": _NORMAL})
        return
    kept = [pair for pair in end_to_end(headers) if pair[0].lower() != b"content-length"]
    start = {"type": "websocket.http.response.start", "status": status}
    await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
    await send({"type": "websocket.http.response.body", "body": body})


async def _relay(connection: ClientConnection, idle: float, receive: Receive, send: Send) -> None:
    loop = asyncio.get_running_loop()

    async def from_visitor() -> None:
        while True:
            message = await receive()
            deadline.reschedule(loop.time() + idle)
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or _NORMAL
                await connection.close(
                    _NORMAL if code in (_NO_STATUS, _ABNORMAL) else code, message.get("reason") or ""
                )
                return
            text = message.get("text")
            await connection.send(message["bytes"] if text is None else text)

    visitor: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(idle) as deadline:
            visitor = asyncio.create_task(from_visitor())
            async for data in connection:
                deadline.reschedule(loop.time() + idle)
                await send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
        code, reason = connection.close_code, connection.close_reason
    except TimeoutError:
        code, reason = _GOING_AWAY, ""
    except ConnectionClosed:
        code, reason = connection.close_code, connection.close_reason
    finally:
        left = visitor is not None and visitor.done() and not visitor.cancelled() and visitor.exception() is None
        if visitor is not None:
            visitor.cancel()
    if not left:
        code = _NORMAL if code in (None, _NO_STATUS) else _INTERNAL_ERROR if code == _ABNORMAL else code
        await send({"type": "websocket.close", "code": code, "reason": reason or ""})
