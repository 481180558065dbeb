"""Connections to the site behind the gateway: requests out, answers in, as bytes, with back-pressure both ways.

The answer is read by llhttp (httptools), which is strict about its framing. Nothing here knows ASGI.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

import httptools

__all__ = ["Answer", "BrokenAnswerError", "Upstream", "UpstreamError", "refusal", "request_head"]

HeaderList = list[tuple[bytes, bytes]]

_HIGH_WATER = 262_144  # bytes of an answer that wait in memory before the site is made to wait
_LARGEST_HEAD = 262_144  # bytes of an answer's headers
# X509_V_ERR_… of OpenSSL, by what helps against them
_OUT_OF_DATE = (9, 10)
_OF_UNKNOWN_ORIGIN = (2, 18, 19, 20, 21)
_OF_ANOTHER_HOST = (62, 64)
IDLE_SECONDS = 4  # Node and uvicorn close an idle connection after 5: be the first


class UpstreamError(Exception):
    """The site cannot be reached, or ended the connection before it answered."""


class BrokenAnswerError(UpstreamError):
    """The site's answer is no HTTP, or stopped in the middle."""


class _Connection(asyncio.Protocol):
    """Speak HTTP/1.1 over one connection, one request after another."""

    def __init__(self) -> None:
        self.answers = 0  # that came over it already
        self.idle_since = 0.0
        self.transport: asyncio.Transport
        self._answer: Answer | None = None
        self._is_paused = False
        self._wakes_writer: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, head: bytes, *, is_head: bool) -> Answer:
        """Send a request's head and return the answer to come."""
        self._answer = Answer(self, is_head=is_head)
        self.transport.write(head)
        return self._answer

    async def write(self, data: bytes) -> None:
        """Send a piece of the request's body, no faster than the site takes it."""
        if self.transport.is_closing():
            raise UpstreamError("the site closed the connection")
        self.transport.write(data)
        if self._is_paused:
            self._wakes_writer = asyncio.get_running_loop().create_future()
            await self._wakes_writer

    def end(self) -> None:
        """Let go of the answer."""
        self.answers += 1
        self._answer = None

    @property
    def is_open(self) -> bool:
        return not self.transport.is_closing()

    def abort(self) -> None:
        self.transport.abort()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._wakes_writer is not None and not self._wakes_writer.done():
            self._wakes_writer.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked
            self.abort()
        else:
            self._answer.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.resume_writing()
        if self._answer is not None:
            self._answer.lost(was_broken=exc is not None)


class Answer:
    """Read the answer to one request.

    Args:
        connection: that it comes over.
        is_head: whether it answers HEAD, and so has no body whatever its headers say.
    """

    def __init__(self, connection: _Connection, *, is_head: bool) -> None:
        self.connection = connection
        self._is_head = is_head
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._waiting = 0  # bytes in the pieces
        self._wakes: asyncio.Future[None] | None = None
        self._error: UpstreamError | None = None
        self._is_interim = False
        self._is_reusable = False
        self._ends_with_connection = False
        self._head_size = 0
        self.status = 0
        self.headers: HeaderList = []
        self.has_head = False
        self.is_complete = False

    async def head(self) -> None:
        """Wait until status and headers are there.

        Raises:
            UpstreamError: when they never come.
        """
        while not self.has_head:
            await self._wait()

    async def read(self) -> tuple[bytes, bool]:
        """Return the next piece of the body, and whether it is the last.

        Raises:
            BrokenAnswerError: when the rest never comes.
        """
        while not self._pieces and not self.is_complete:
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._waiting > _HIGH_WATER and not self.is_complete:
            self.connection.transport.resume_reading()
        self._waiting = 0
        return data, self.is_complete

    async def send(self, data: bytes) -> None:
        """Send a piece of the request's body."""
        await self.connection.write(data)

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow over the connection."""
        return self.is_complete and self._is_reusable and self._error is None and self.connection.is_open

    @property
    def came_over_old_connection(self) -> bool:
        """Whether the connection had been idle, so that the site may have closed it in the same moment."""
        return self.connection.answers > 0

    @property
    def has_begun(self) -> bool:
        """Whether anything of it has come."""
        return self._head_size > 0

    def abort(self) -> None:
        """End the connection at once."""
        self.fail(UpstreamError("the exchange was given up"))
        self.connection.abort()

    def fail(self, error: UpstreamError) -> None:
        """Have whoever waits get an error."""
        if self._error is None and not self.is_complete:
            self._error = error
        self._wake()

    def feed(self, data: bytes) -> None:
        """Take what came over the connection."""
        if self._error is not None:
            return
        self._head_size = self._head_size if self.has_head else self._head_size + len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self.is_complete:  # something after the end: the answer is whole, the connection is not to be used again
                self._is_reusable = False
            else:
                self.fail(BrokenAnswerError("the site's answer is no HTTP"))
            self.connection.abort()
        if self._head_size > _LARGEST_HEAD and not self.has_head:
            self.fail(BrokenAnswerError("the site's answer has too large a head"))
            self.connection.abort()
        if self._waiting > _HIGH_WATER and not self.is_complete:
            self.connection.transport.pause_reading()
        self._wake()

    def lost(self, *, was_broken: bool) -> None:
        """Take note that the connection has ended, orderly or by a reset: that is not the end of an answer."""
        if self.has_head and self._ends_with_connection and not was_broken:
            self.is_complete = True
        elif self.has_begun:
            self.fail(BrokenAnswerError("the site stopped in the middle of its answer"))
        else:
            self.fail(UpstreamError("the site closed the connection without an answer"))
        self._wake()

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise ValueError("a second answer")  # the parser gives up
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:  # what comes after the body are trailers; a proxy may drop them (RFC 9110 6.5.1)
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._is_interim = 100 <= self.status < 200
        if self.status == 101:
            raise ValueError("nobody asked for another protocol")
        if not 100 <= self.status < 600:  # RFC 9110 15: anything else is to be treated as a fault of the server's
            raise ValueError("no status of HTTP")
        if self._is_interim:
            return
        names = {name.lower() for name, _ in self.headers}
        codings = [value.strip().lower() for name, value in self.headers if name.lower() == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            raise ValueError("a transfer coding that was not asked for")
        self.has_head = True
        has_no_body = self._is_head or self.status in (204, 304)
        self._ends_with_connection = not has_no_body and not codings and b"content-length" not in names
        if self._is_head:
            self._is_reusable = self._parser.should_keep_alive()
            self.is_complete = True

    def on_body(self, data: bytes) -> None:
        if self._is_head:
            self._is_reusable = False
            return
        self._pieces.append(data)
        self._waiting += len(data)

    def on_message_complete(self) -> None:
        if self._is_interim:
            return
        if not self._is_head:
            self._is_reusable = self._parser.should_keep_alive()
        self.is_complete = True

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._wakes = asyncio.get_running_loop().create_future()
        await self._wakes

    def _wake(self) -> None:
        if self._wakes is not None and not self._wakes.done():
            self._wakes.set_result(None)


class Upstream:
    """Hold the connections to one site, and use them again.

    Args:
        address: of the site: `http://host:port` or `https://host`.
        most: connections at a time for requests, and as many for websockets.
        connect_seconds: how long it may take to accept one.
        ca_file: certificates in PEM form, one of which has to stand behind the site's own; empty: the machine's.
        certificate_host: the host that the site's certificate has to name; that of the address if empty.
    """

    def __init__(
        self, address: str, *, most: int, connect_seconds: float, ca_file: str = "", certificate_host: str = ""
    ) -> None:
        parts = urlsplit(address)
        self.host = parts.hostname or ""
        self.is_secure = parts.scheme == "https"
        self.port = parts.port or (443 if self.is_secure else 80)
        self._connect_seconds = connect_seconds
        self.certificate_host = certificate_host or self.host
        self.context = _client_context(ca_file) if self.is_secure else None
        self._idle: deque[_Connection] = deque()
        self._places = asyncio.Semaphore(most)
        self._places_for_websockets = asyncio.Semaphore(most)  # they last: pages must not wait for them
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def ask(self, head: bytes, *, is_head: bool, anew: bool) -> Answer:
        """Send a request's head, and return the answer to come. The caller gives it back with `release`.

        Args:
            head: as `request_head` writes it.
            is_head: whether the method is HEAD.
            anew: whether to open a connection: the site may close an idle one in the same moment, and a request
                that changes something must not be sent twice.

        Raises:
            UpstreamError: when the site cannot be reached.
            TimeoutError: when it does not accept a connection in time, or none is free.
        """
        async with asyncio.timeout(self._connect_seconds):
            await self._places.acquire()
            try:
                connection = (None if anew else self._pop()) or await self._connect()
            except BaseException:
                self._places.release()
                raise
        return connection.begin(head, is_head=is_head)

    def release(self, answer: Answer, *, is_done: bool) -> None:
        """Keep the connection for the next request, or end it.

        Args:
            answer: that came over it.
            is_done: whether the request was sent to its end.
        """
        connection = answer.connection
        reusable = is_done and answer.is_reusable and not self._is_closed
        if not reusable:
            answer.abort()
        connection.end()
        self._places.release()
        if reusable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
            self._sweep = self._sweep or asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)

    @asynccontextmanager
    async def place_for_websocket(self) -> AsyncIterator[None]:
        """Hold one of the places for websockets, as many as there are for requests.

        Raises:
            TimeoutError: when none is free in time.
        """
        async with asyncio.timeout(self._connect_seconds):
            await self._places_for_websockets.acquire()
        try:
            yield
        finally:
            self._places_for_websockets.release()

    async def is_reachable(self) -> bool:
        """Tell whether the site accepts a connection."""
        try:
            async with asyncio.timeout(self._connect_seconds):
                (await self._connect()).abort()
        except (UpstreamError, TimeoutError):
            return False
        return True

    def close(self) -> None:
        """End the idle connections; those in use end with their answers."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().abort()
        if self._sweep is not None:
            self._sweep.cancel()

    def _pop(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and now - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                _Connection,
                self.host,
                self.port,
                ssl=self.context,
                server_hostname=self.certificate_host if self.is_secure else None,
            )
        except OSError as error:  # ssl's own are among them
            raise UpstreamError(refusal(error)) from error
        return connection

    def _end_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._idle and (not self._idle[0].is_open or now - self._idle[0].idle_since >= IDLE_SECONDS):
            self._idle.popleft().abort()
        self._sweep = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle) if self._idle else None


def request_head(method: str, target: bytes, headers: HeaderList) -> bytes:
    """Write a request's first line and headers.

    Raises:
        ValueError: when something in them would end a line, and so write a request of its own.
    """
    lines = [b"%s %s HTTP/1.1" % (method.encode("ascii"), target), *(b"%s: %s" % pair for pair in headers)]
    head = b"\r\n".join([*lines, b"", b""])
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1 or b"\0" in head or b" " in target:
        raise ValueError("A line of the request's head holds what ends a line.")
    return head


def refusal(error: OSError) -> str:
    """Say why there is no connection, and what the owner of the site can do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = "Give the site another one"
        if error.verify_code in _OUT_OF_DATE:
            remedy = "Renew it, and look at the clock of this machine"
        if error.verify_code in _OF_UNKNOWN_ORIGIN:
            remedy = "Name the certificate of the authority that made it as ca_file"
        if error.verify_code in _OF_ANOTHER_HOST:
            remedy = "Name the host that it is for as certificate_host"
        return f"its certificate is not to be believed: {error.verify_message.rstrip('.')}. {remedy}"
    if isinstance(error, ssl.SSLError):
        remedy = "If it speaks plain HTTP, write http:// as upstream"
        return f"it speaks no TLS that is understood here ({error.reason}). {remedy}"
    return "the site does not accept a connection"


def _client_context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.set_alpn_protocols(["http/1.1"])
    return context
