"""uvicorn's HTTP protocol, stricter: what a reverse proxy has to refuse before it asks the site anything.

llhttp refuses most malformed requests by itself. Here: large heads, slow heads, other people's addresses as targets,
unclear hosts, and transfer codings that the site might read differently (RFC 9112 sections 3.2, 6.1 and 11.2).
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import struct
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["GatewayProtocol", "GatewaySockets", "protocol_for"]

_socket_log = logging.getLogger("uvicorn.error.websockets")
_socket_log.setLevel(logging.WARNING)

LARGEST_HEAD = 65_536  # bytes of a request's first line and headers
MOST_HEADERS = 200
MOST_AHEAD = 64  # requests over one connection that wait for the answer to an earlier one
_HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_VALUE = re.compile(rb"[^\x00\r\n]*")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2: a token


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class GatewayProtocol(HttpToolsProtocol):
    """Refuse what must not reach a site."""

    head_seconds = 30.0  # that the head of a request may take

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_size = 0
        self._reads_head = True
        self._refused: _RefusedError | None = None
        self._too_slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the first request its time."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._too_slow = self.loop.call_later(self.head_seconds, self._end_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head, and give it so long."""
        if self._refused is not None:
            return
        if self._reads_head:
            self._head_size += len(data)
            if self._too_slow is None:
                self._too_slow = self.loop.call_later(self.head_seconds, self._end_slow)
        super().data_received(data)
        if self._reads_head and self._head_size > LARGEST_HEAD and self._refused is None:
            self._refused = _RefusedError(431, "Request header fields too large")
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin to read a head, unless too many requests wait already: each takes a hundred times its bytes."""
        if len(self.pipeline) >= MOST_AHEAD:
            self._refuse(429, "Too many requests ahead of their answers")
        super().on_message_begin()
        self._reads_head = True

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        super().on_url(url)
        if len(self.url) > LARGEST_HEAD:
            self._refuse(414, "URI too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body are trailers, which a proxy may drop (RFC 9110 6.5.1)."""
        if not self._reads_head:
            return
        if len(self.headers) >= MOST_HEADERS:
            self._refuse(431, "Request header fields too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse, or have the request answered."""
        self._reads_head = False
        self._head_size = 0
        self._stop_clock()
        self._check_target()
        self._check_host()
        self._check_framing()
        super().on_headers_complete()
        if self.parser.get_http_version() == "1.0":
            _end_with_connection(self.cycle)
        if self.parser.should_upgrade() and not self._should_upgrade():
            self.cycle.keep_alive = False  # what follows could be anything

    def on_message_complete(self) -> None:
        """Begin to read the next head."""
        super().on_message_complete()
        self._reads_head = True
        self._head_size = 0

    def send_400_response(self, msg: str) -> None:
        """Say why, unless an earlier answer is still on its way: then two would mix."""
        refused = self._refused or _RefusedError(400, msg)
        self._refused = refused
        self._stop_clock()
        if self.transport.is_closing():
            return
        if self._is_answering():
            self.transport.abort()
            return
        text = refused.reason.encode("ascii") + b"\n"
        about = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
            text
        )
        self.transport.write(STATUS_LINE[refused.status] + about + text)
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = (
            self.cycle
        )  # uvicorn's own annotation leaves out that there is none at first
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: int, reason: str) -> None:
        self._refused = _RefusedError(status, reason)
        raise self._refused  # the parser gives up, and uvicorn calls send_400_response

    def _check_target(self) -> None:
        if self.parser.get_method() == b"CONNECT":
            self._refuse(405, "This is not a forward proxy")
        if self.parser.get_method() == b"TRACE":  # would show scripts what they must not read (RFC 9110 9.3.8)
            self._refuse(405, "TRACE is not answered here")
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            self._refuse(400, "HTTP/1.1 is spoken here")
        if not self.url.startswith(b"/"):  # absolute, authority and asterisk forms
            self._refuse(400, "The request target has to be a path")

    def _check_host(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            self._refuse(400, "The request needs one host")

    def _check_framing(self) -> None:
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if codings and (codings != [b"chunked"] or lengths or self.parser.get_http_version() == "1.0"):
            self._refuse(400, "The request's length is not clear")
        if len(lengths) > 1 or not all(length.isdigit() for length in lengths):
            self._refuse(400, "The request's length is not clear")
        if (codings or lengths not in ([], [b"0"])) and self.parser.should_upgrade() and self._should_upgrade():
            self._refuse(400, "A websocket begins without a body")
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in self.headers):
            self._refuse(400, "A header is malformed")

    def _end_slow(self) -> None:
        self._too_slow = None
        if not self._reads_head or self.transport.is_closing():
            return
        if self._head_size:
            self._refused = _RefusedError(408, "The request took too long")
            self.send_400_response("")
        elif not self._is_answering():
            self.transport.close()

    def _stop_clock(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None


def _end_with_connection(cycle: RequestResponseCycle) -> None:
    """Send an answer whose length is not known as it is, to an end that the connection's end shows.

    A client of HTTP/1.0 knows no chunks, which uvicorn would write (RFC 9112 6.1). One that is cut off ends with a
    reset: an orderly end would make it look whole.
    """
    send = cycle.send
    has_length = True

    async def unframed(message: ASGISendEvent) -> None:
        nonlocal has_length
        if message["type"] == "http.response.start":
            has_length = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
            if not has_length:
                cycle.chunked_encoding = False
                _linger(cycle.transport, is_cut_off=True)
        elif message["type"] == "http.response.body" and not has_length:
            cycle.expected_content_length = len(message.get("body", b""))
            if not message.get("more_body", False):
                _linger(cycle.transport, is_cut_off=False)
        await send(message)

    cycle.send = unframed  # type: ignore[method-assign]


def _linger(transport: asyncio.Transport, *, is_cut_off: bool) -> None:
    """Say what closing the connection means from now on: a reset, or an end once all is sent."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", is_cut_off, 0))


class GatewaySockets(WebSocketsSansIOProtocol):
    """Speak websockets as uvicorn does, but log faults only: its notes hold the visitor's address, path and query."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = _socket_log

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message; a refusal that is whole is an answer, which uvicorn would log as a fault."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True


def protocol_for(head_seconds: float) -> type[GatewayProtocol]:
    """Return the protocol with its patience.

    Args:
        head_seconds: that the head of a request may take.
    """
    return type("GatewayProtocol", (GatewayProtocol,), {"head_seconds": head_seconds})
