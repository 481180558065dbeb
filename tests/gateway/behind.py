"""A site of raw bytes: it notes each request as it came, and answers with what a test wants to see passed on."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

__all__ = ["OK", "Conversation", "RawSite", "answering", "raw_site"]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Conversation:
    """Hold one connection to the site.

    Args:
        reader: what comes in.
        writer: what goes out.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""

    @property
    def lines(self) -> list[bytes]:
        """The lines of the request's head."""
        return self.head.split(b"\r\n")[:-2]

    def header(self, name: str) -> list[bytes]:
        """Return every value of a request header."""
        wanted = name.encode().lower()
        pairs = (line.partition(b":") for line in self.lines[1:])
        return [value.strip() for key, _, value in pairs if key.lower() == wanted]

    async def body(self) -> bytes:
        """Read the request's body as its framing says."""
        if length := self.header("content-length"):
            return await self.reader.readexactly(int(length[0]))
        content = b""
        while self.header("transfer-encoding") == [b"chunked"]:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            content += (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                break
        return content

    async def say(self, data: bytes) -> None:
        """Send bytes at once."""
        self.writer.write(data)
        await self.writer.drain()

    def hang_up(self) -> None:
        """End the connection with a reset."""
        self.writer.transport.abort()


Handler = Callable[[Conversation], Awaitable[None]]


def answering(data: bytes) -> Handler:
    """Return a handler that reads the request and answers with these bytes."""

    async def handler(talk: Conversation) -> None:
        await talk.body()
        await talk.say(data)

    return handler


class RawSite:
    """Hold the site; `handler` answers each request, `requests` are the heads that came."""

    def __init__(self) -> None:
        self.handler: Handler = answering(OK)
        self.requests: list[Conversation] = []
        self.connections = 0
        self.is_over = False
        self.lost = threading.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection."""
        self.connections += 1
        try:
            while True:
                talk = Conversation(reader, writer)
                talk.head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(talk)
                await self.handler(talk)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            if self.is_over:
                writer.transport.abort()
            else:
                writer.close()


@contextmanager
def raw_site(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[RawSite]:
    """Run a site on loopback.

    Args:
        port: where; a free one by default.
        tls: what it speaks TLS with; plain HTTP by default.
    """
    site = RawSite()
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(site.serve, "127.0.0.1", port, limit=4_194_304, ssl=tls)
        site.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        site.is_over = True
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # so that transports note that they are closed

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    started.wait()
    try:
        yield site
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
