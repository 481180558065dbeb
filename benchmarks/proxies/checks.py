"""What a reverse proxy has to keep, refuse and survive: one function for each, in raw bytes on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.gateway.behind import OK, Conversation, RawSite, answering
from tests.gateway.front import receive_all

__all__ = ["CHECKS", "WEBSOCKET_CHECKS", "Check", "Front", "echo"]

PATIENCE = 20  # seconds
CLOSE = b"Host: luton.example\r\nConnection: close\r\n"
MANY = 100_000_000  # bytes
MOST_MEMORY = 30_000_000  # bytes that they may cost
PIECE = bytes(1_000_000)


@dataclass(frozen=True, slots=True)
class Front:
    """A proxy that runs.

    Args:
        port: on loopback.
        process: its id.
    """

    port: int
    process: int

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def ask(self, request: bytes) -> bytes:
        """Send bytes, and return all that comes back until the proxy closes or falls silent."""
        with self.connect() as connection:
            connection.sendall(request)
            return receive_all(connection)

    def get(self, target: bytes = b"/", lines: bytes = b"", method: bytes = b"GET") -> bytes:
        """Ask for a target."""
        return self.ask(b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method, target, CLOSE, lines))

    def memory(self) -> int:
        """Return the resident memory of the process and its children, in bytes."""
        found = [self.process]
        for pid in found:
            found += [
                int(one) for file in Path(f"/proc/{pid}/task").glob("*/children") for one in file.read_text().split()
            ]
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in found) * os.sysconf("SC_PAGE_SIZE")


Check = Callable[[Front, RawSite], bool]


def head_of(answer: bytes) -> list[bytes]:
    """Return the lines of an answer's head, in lower case."""
    return answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")


def reply(lines: bytes, body: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """Write an answer."""
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, lines, len(body), body)


# Requests


def keeps_the_path(front: Front, site: RawSite) -> bool:
    """`%2F`, `..`, `//` and `;` arrive as they were written."""
    targets = [b"/a%2Fb", b"/a//c/../d", b"/%E2%82%AC", b"/a;b=1,2/@:!$'()*"]
    for target in targets:
        front.get(target)
    return [talk.lines[0].split()[1] for talk in site.requests] == targets


def keeps_the_query(front: Front, site: RawSite) -> bool:
    """So does the query."""
    front.get(b"/?x=%20+&&y=1&y=2&z=%2F")
    return site.requests[-1].lines[0].split()[1] == b"/?x=%20+&&y=1&y=2&z=%2F"


def keeps_host(front: Front, site: RawSite) -> bool:
    """Host arrives unchanged."""
    front.get()
    return site.requests[-1].header("host") == [b"luton.example"]


def keeps_repeated_request_headers(front: Front, site: RawSite) -> bool:
    """Both of two headers of one name arrive."""
    front.get(lines=b"X-One: 1\r\nX-One: 2\r\n")
    return site.requests[-1].header("x-one") in ([b"1", b"2"], [b"1, 2"])


def keeps_bytes_of_headers(front: Front, site: RawSite) -> bool:
    """Bytes beyond ASCII arrive, in both directions."""
    site.handler = answering(reply(b"X-Y: \xfc\r\n"))
    answer = front.get(lines=b"Cookie: session=\xfc\r\n")
    return site.requests[-1].header("cookie") == [b"session=\xfc"] and b"x-y: \xfc" in head_of(answer)


def adds_nothing(front: Front, site: RawSite) -> bool:
    """No User-Agent, Accept or Accept-Encoding that the visitor did not send."""
    front.get()
    names = {line.partition(b":")[0].lower() for line in site.requests[-1].lines[1:]}
    return not names & {b"user-agent", b"accept", b"accept-encoding"}


def drops_hop_by_hop(front: Front, site: RawSite) -> bool:
    """What `Connection` names, and Keep-Alive and TE, end at the proxy, in both directions."""
    site.handler = answering(reply(b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"))
    hops = b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
    answer = front.ask(b"GET / HTTP/1.1\r\nHost: luton.example\r\n" + hops + b"\r\n")
    names = {line.partition(b":")[0].lower() for line in (*site.requests[-1].lines[1:], *head_of(answer))}
    return not names & {b"x-hop", b"keep-alive", b"te"}


def says_who_asks(front: Front, site: RawSite) -> bool:
    """X-Forwarded-For ends with the address that the connection came from."""
    front.get(lines=b"X-Forwarded-For: 6.6.6.6\r\n")
    return b",".join(site.requests[-1].header("x-forwarded-for")).endswith(b"127.0.0.1")


def passes_methods(front: Front, site: RawSite) -> bool:
    """PUT, DELETE, OPTIONS and PROPFIND arrive as such."""
    methods = [b"PUT", b"DELETE", b"OPTIONS", b"PROPFIND"]
    for method in methods:
        front.get(method=method, lines=b"Content-Length: 0\r\n")
    return [talk.lines[0].split()[0] for talk in site.requests] == methods


def keeps_an_uploads_length(front: Front, site: RawSite) -> bool:
    """An upload arrives whole, with its Content-Length."""
    seen = uploads(site)
    body = bytes(range(256)) * 400
    front.ask(b"POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (CLOSE, len(body), body))
    return seen == [body] and site.requests[-1].header("content-length") == [b"%d" % len(body)]


def streams_an_upload(front: Front, site: RawSite) -> bool:
    """The first chunk of an upload arrives before the last is sent."""
    first = threading.Event()

    async def handler(talk: Conversation) -> None:
        await talk.reader.readuntil(b"first\r\n")
        first.set()
        await talk.body()
        await talk.say(OK)

    site.handler = handler
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n" % CLOSE)
        arrived = first.wait(PATIENCE / 2)
        connection.sendall(b"0\r\n\r\n")
        return arrived and b"200 OK" in receive_all(connection)


# Answers


def keeps_two_cookies(front: Front, site: RawSite) -> bool:
    """Two Set-Cookie lines stay two."""
    site.handler = answering(reply(b"Set-Cookie: session=1; Path=/\r\nSet-Cookie: session=2; Path=/a\r\n"))
    lines = head_of(front.get())
    return {b"set-cookie: session=1; path=/", b"set-cookie: session=2; path=/a"} <= set(lines)


def passes_compressed_bodies(front: Front, site: RawSite) -> bool:
    """A compressed body keeps its bytes, its length and its Content-Encoding."""
    body = b"\x1f\x8b" + bytes(range(200))
    site.handler = answering(reply(b"Content-Type: text/css\r\nContent-Encoding: gzip\r\n", body))
    answer = front.get(lines=b"Accept-Encoding: gzip\r\n")
    expected = {b"content-encoding: gzip", b"content-length: 202"}
    return expected <= set(head_of(answer)) and answer.partition(b"\r\n\r\n")[2] == body


def answers_head(front: Front, site: RawSite) -> bool:
    """HEAD says the length and has no body."""
    site.handler = answering(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 12345\r\n\r\n")
    answer = front.get(method=b"HEAD")
    return b"content-length: 12345" in head_of(answer) and answer.endswith(b"\r\n\r\n")


def passes_304(front: Front, site: RawSite) -> bool:
    """304 ends at its head and keeps its ETag."""
    site.handler = answering(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n')
    answer = front.get()
    return b'etag: "x"' in head_of(answer) and b" 304 " in answer and answer.endswith(b"\r\n\r\n")


def passes_ranges(front: Front, site: RawSite) -> bool:
    """Range arrives, 206 comes back."""
    site.handler = answering(reply(b"Content-Range: bytes 2-4/10\r\n", b"cde", b"206 Partial Content"))
    answer = front.get(lines=b"Range: bytes=2-4\r\n")
    return site.requests[-1].header("range") == [b"bytes=2-4"] and b" 206 " in answer and answer.endswith(b"cde")


def is_not_confused_by_103(front: Front, site: RawSite) -> bool:
    """103 Early Hints is not taken for the answer."""
    site.handler = answering(b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n" + OK)
    answer = front.get()
    return b" 200 OK" in answer and answer.endswith(b"ok")


def is_not_confused_by_trailers(front: Front, site: RawSite) -> bool:
    """The body before trailers is whole, and nothing of them is in it."""
    site.handler = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")
    answer = front.get()
    return b"2\r\nok\r\n0\r\n" in answer


def leaves_redirects_alone(front: Front, site: RawSite) -> bool:
    """A redirect is the visitor's to follow."""
    site.handler = answering(reply(b"Location: http://elsewhere.example/x\r\n", b"", b"302 Found"))
    return b"location: http://elsewhere.example/x" in head_of(front.get())


def streams_an_answer(front: Front, site: RawSite) -> bool:
    """The first event of a stream arrives before the second is sent."""
    released = threading.Event()

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await talk.say(b"3\r\none\r\n")
        while not released.is_set():  # noqa: ASYNC110 - another thread's event
            await asyncio.sleep(0.01)
        await talk.say(b"3\r\ntwo\r\n0\r\n\r\n")

    site.handler = handler
    first = b""
    with front.connect() as connection:
        connection.sendall(b"GET /events HTTP/1.1\r\n%s\r\n" % CLOSE)
        try:
            while b"one" not in first and (data := connection.recv(1000)):
                first += data
        finally:
            released.set()
        return b"one" in first and b"two" not in first and b"two" in receive_all(connection)


# Size


def downloads_in_flat_memory(front: Front, site: RawSite) -> bool:
    """100 MB down cost less than 30 MB of memory."""

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MANY)
        for _ in range(MANY // len(PIECE)):
            await talk.say(PIECE)

    site.handler = handler
    before, most, received = front.memory(), 0, 0
    with front.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n%s\r\n" % CLOSE)
        while data := connection.recv(1_000_000):
            received += len(data)
            most = max(most, front.memory())
    return received > MANY and most - before < MOST_MEMORY


def uploads_in_flat_memory(front: Front, site: RawSite) -> bool:
    """100 MB up as well."""
    received: list[int] = []

    async def handler(talk: Conversation) -> None:
        left = MANY
        while left and (data := await talk.reader.read(1_000_000)):
            left -= len(data)
            if talk.header("transfer-encoding"):
                left = max(left, 1)
                if data.endswith(b"0\r\n\r\n"):
                    left = 0
        received.append(MANY)
        await talk.say(OK)

    site.handler = handler
    before, most = front.memory(), 0
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (CLOSE, MANY))
        for _ in range(MANY // len(PIECE)):
            connection.sendall(PIECE)
            most = max(most, front.memory())
        answer = receive_all(connection)
    return b"200 OK" in answer and received == [MANY] and most - before < MOST_MEMORY


def lets_a_slow_visitor_slow_the_site(front: Front, site: RawSite) -> bool:
    """A visitor who takes nothing makes the site wait, and not the proxy grow."""
    sent: list[int] = []

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MANY)
        for _ in range(MANY // len(PIECE)):
            await talk.say(PIECE)
            sent.append(len(PIECE))

    site.handler = handler
    with front.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n%s\r\n" % CLOSE)
        time.sleep(2)
    return 0 < sum(sent) < MANY / 2


# Faults


def breaks_off_what_broke_off(front: Front, site: RawSite) -> bool:
    """A site killed within a chunked answer leaves none that looks whole."""

    async def handler(talk: Conversation) -> None:
        await talk.say(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
        )
        await asyncio.sleep(0.2)
        talk.hang_up()

    site.handler = handler
    answer = front.get()
    looks_whole = b" 200 " in answer[:20] and answer.endswith(b"0\r\n\r\n")
    return bool(answer) and not looks_whole


def ends_with_the_visitor(front: Front, site: RawSite) -> bool:
    """A visitor who leaves an event stream ends the request to the site."""

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert await talk.reader.read() == b""
        raise ConnectionError

    site.handler = handler
    with front.connect() as connection:
        connection.sendall(b"GET /events HTTP/1.1\r\n%s\r\n" % CLOSE)
        connection.recv(1000)
    return site.lost.wait(PATIENCE / 2)


def passes_no_half_upload_as_whole(front: Front, site: RawSite) -> bool:
    """A visitor who leaves within an upload leaves no whole one at the site."""
    whole = uploads(site)
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        time.sleep(0.3)
    time.sleep(1)
    return whole == [] and not front_is_lost(front, site)


def forgives_a_connection_closed_meanwhile(front: Front, site: RawSite) -> bool:
    """A GET over an idle connection that the site closes in that moment is asked again."""
    turns: list[int] = []

    async def handler(talk: Conversation) -> None:
        turns.append(site.connections)
        if len(turns) > 1 and turns[-1] == turns[0]:  # a second request over the first connection
            talk.hang_up()
        else:
            await talk.say(OK)

    site.handler = handler
    return all(front.get().endswith(b"ok") for _ in range(2))


def reuses_connections(front: Front, site: RawSite) -> bool:
    """A second request goes over the first one's connection."""
    front.get()
    before = site.connections
    front.get()
    return site.connections == before


def says_502(front: Front, site: RawSite) -> bool:
    """A site that hangs up without an answer is a 502."""

    async def handler(talk: Conversation) -> None:
        talk.hang_up()

    site.handler = handler
    return b" 502 " in front.get()[:20]


# Attacks


def refuses_two_framings(front: Front, site: RawSite) -> bool:
    """Content-Length with Transfer-Encoding: refused, and nothing of it reaches the site."""
    both = (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 5")
    smuggled = b"\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    answers = [front.ask(b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + smuggled) for lines in both]
    return site.requests == [] and all(b" 400 " in answer[:20] for answer in answers)


def adds_no_line_from_a_path(front: Front, site: RawSite) -> bool:
    """Line ends written as `%0d%0a` in a path write no header of their own."""
    front.get(b"/a%0d%0aX-Evil:%201%0d%0a")
    return not any(talk.header("x-evil") for talk in site.requests)


def believes_no_unclear_answer(front: Front, site: RawSite) -> bool:
    """An answer with two different lengths is a 502."""
    site.handler = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok")
    return b" 502 " in front.get()[:20]


def keeps_answers_apart(front: Front, site: RawSite) -> bool:
    """What a site sends after its answer is nobody's answer."""
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    turns = [first + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", first]

    async def handler(talk: Conversation) -> None:
        await talk.say(turns.pop(0) if turns else first)

    site.handler = handler
    return b"poison" not in front.get() + front.get()


def refuses_absolute_targets(front: Front, site: RawSite) -> bool:
    """An absolute target to somebody else's host is refused."""
    answer = front.get(b"http://evil.example/")
    return site.requests == [] and b" 40" in answer[:20]


def refuses_two_hosts(front: Front, site: RawSite) -> bool:
    """Two Host headers are refused."""
    answer = front.get(lines=b"Host: evil.example\r\n")
    return site.requests == [] and b" 400 " in answer[:20]


# Websockets


def relays_messages(port: int) -> bool:
    """Text and bytes go both ways."""
    with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as connection:
        for message in ("words, 言葉", b"\x00\xff"):
            connection.send(message)
            if connection.recv(timeout=PATIENCE) != message:
                return False
    return True


def relays_the_close_code(port: int) -> bool:
    """The site's close code reaches the visitor."""
    with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as connection:
        connection.send("close, please")
        with contextlib.suppress(ConnectionClosed):
            connection.recv(timeout=PATIENCE)
        return connection.close_code == 4001


def relays_the_subprotocol(port: int) -> bool:
    """The subprotocol is agreed between visitor and site."""
    offered = [Subprotocol("chat.v9"), Subprotocol("chat.v2")]
    with connect(f"ws://127.0.0.1:{port}/ws", proxy=None, subprotocols=offered) as connection:
        return connection.subprotocol == "chat.v2"


@contextmanager
def echo() -> Iterator[int]:
    """Run a websocket server that says everything back, and yield its port."""

    def talk(connection: ServerConnection) -> None:
        for message in connection:
            if message == "close, please":
                connection.close(4001, "as you say")
                return
            connection.send(message)

    def choose(_: ServerConnection, offered: object) -> Subprotocol | None:
        return Subprotocol("chat.v2") if "chat.v2" in (offered or ()) else None  # type: ignore[operator]

    with serve(talk, "127.0.0.1", 0, select_subprotocol=choose) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


def uploads(site: RawSite) -> list[bytes]:
    """Have the site note each upload that it got to its end."""
    seen: list[bytes] = []

    async def handler(talk: Conversation) -> None:
        seen.append(await talk.body())
        await talk.say(OK)

    site.handler = handler
    return seen


def front_is_lost(front: Front, site: RawSite) -> bool:
    """Tell whether the proxy answers no more."""
    site.handler = answering(OK)
    return not front.get().endswith(b"ok")


CHECKS: tuple[Check, ...] = (
    keeps_the_path,
    keeps_the_query,
    keeps_host,
    keeps_repeated_request_headers,
    keeps_bytes_of_headers,
    adds_nothing,
    drops_hop_by_hop,
    says_who_asks,
    passes_methods,
    keeps_an_uploads_length,
    streams_an_upload,
    keeps_two_cookies,
    passes_compressed_bodies,
    answers_head,
    passes_304,
    passes_ranges,
    is_not_confused_by_103,
    is_not_confused_by_trailers,
    leaves_redirects_alone,
    streams_an_answer,
    downloads_in_flat_memory,
    uploads_in_flat_memory,
    lets_a_slow_visitor_slow_the_site,
    breaks_off_what_broke_off,
    ends_with_the_visitor,
    passes_no_half_upload_as_whole,
    forgives_a_connection_closed_meanwhile,
    reuses_connections,
    says_502,
    refuses_two_framings,
    adds_no_line_from_a_path,
    believes_no_unclear_answer,
    keeps_answers_apart,
    refuses_absolute_targets,
    refuses_two_hosts,
)
WEBSOCKET_CHECKS: tuple[Callable[[int], bool], ...] = (relays_messages, relays_the_close_code, relays_the_subprotocol)
