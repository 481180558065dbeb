"""Sites that are down, slow or break off, and visitors that never finish: nobody else waits, and nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import BANNER
from tests.gateway.behind import OK, Conversation, RawSite, answering, raw_site
from tests.gateway.front import PATIENCE, Front, eventually, gateway, get, receive_all, receive_until
from tests.mounts.servers import free_port

GET = b"GET %s HTTP/1.1\r\nHost: luton.example\r\nConnection: close\r\n\r\n"
SHORT = "3"  # seconds, for the one limit that a test is about; no other is short
GIGABYTE = 1_000_000_000
PIECE = bytes(1_000_000)
MOST_MEMORY = 60_000_000  # bytes that a gigabyte may cost


@pytest.fixture(scope="module")
def hurries_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, RawSite]]:
    """Run a gateway that waits for the beginning of an answer for a short time only."""
    yield from impatient(tmp_path_factory.mktemp("response"), "--response-seconds")


@pytest.fixture(scope="module")
def breaks_silence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, RawSite]]:
    """Run a gateway that bears silence within an answer for a short time only."""
    yield from impatient(tmp_path_factory.mktemp("idle"), "--idle-seconds")


@pytest.fixture(scope="module")
def hurries_visitors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, RawSite]]:
    """Run a gateway that waits for a visitor's request for a short time only."""
    yield from impatient(tmp_path_factory.mktemp("client"), "--client-seconds")


def impatient(folder: Path, limit: str) -> Iterator[tuple[Front, RawSite]]:
    with raw_site() as site, gateway(folder, site.port, limit, SHORT) as front:
        yield front, site


def still_answers(front: Front, behind: RawSite) -> bool:
    """Tell whether the gateway and the site go on; a gateway with a short limit may need a second try."""
    behind.handler = answering(OK)
    eventually(lambda: front.ask(GET % b"/").endswith(b"ok"))
    return True


# The site


def test_a_site_that_is_down_is_a_502_in_plain_words_and_the_cookies_page_works(tmp_path: Path) -> None:
    with gateway(tmp_path, free_port()) as front, front.visitor() as visitor:
        page = visitor.get("/news")
        cookies = visitor.get("/cookies")
        ready = visitor.get("/cookies/ready")
        health = visitor.get("/cookies/health")
        chosen = visitor.post("/cookies/choice", data={"choice": "reject_all"})

    assert page.status_code == 502
    assert "The website does not answer at the moment" in page.text
    assert 'href="/cookies"' in page.text
    assert BANNER in page.content
    assert page.headers["retry-after"] == "10"
    assert cookies.status_code == 200
    assert chosen.status_code == 303
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "sites": {"default": False}})
    assert (health.status_code, health.json()) == (200, {"healthy": True})


def test_who_asks_for_no_page_gets_a_502_in_plain_text(tmp_path: Path) -> None:
    with gateway(tmp_path, free_port()) as front:
        answer = front.ask(GET % b"/api")

    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"content-type: text/plain" in answer
    assert b"<html" not in answer


def test_a_site_that_comes_back_is_there_at_once(tmp_path: Path) -> None:
    port = free_port()

    with gateway(tmp_path, port) as front:
        down = front.ask(GET % b"/")
        with raw_site(port):
            up = front.ask(GET % b"/")

    assert down.startswith(b"HTTP/1.1 502 ")
    assert up.endswith(b"ok")


def test_a_site_that_does_not_begin_its_answer_is_a_504(hurries_sites: tuple[Front, RawSite]) -> None:
    front, behind = hurries_sites

    async def handler(talk: Conversation) -> None:
        await talk.reader.read()
        raise ConnectionError

    behind.handler = handler
    answer = front.ask(GET % b"/")

    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"The website takes too long" in answer
    assert still_answers(front, behind)


def test_a_site_that_drips_its_answers_head_is_a_504(hurries_sites: tuple[Front, RawSite]) -> None:
    front, behind = hurries_sites

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\n")
        for number in range(6000):
            await talk.say(b"X-%d: drip\r\n" % number)
            await asyncio.sleep(0.1)

    behind.handler = handler

    assert front.ask(GET % b"/").startswith(b"HTTP/1.1 504 ")


def test_a_site_that_falls_silent_in_the_middle_breaks_the_answer_off(breaks_silence: tuple[Front, RawSite]) -> None:
    front, behind = breaks_silence

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe beginning")
        await talk.reader.read()
        raise ConnectionError

    behind.handler = handler
    answer = front.ask(GET % b"/")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"the beginning")


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"Content-Length: 100000", b"half a page", id="length"),
        pytest.param(b"Transfer-Encoding: chunked", b"b\r\nhalf a page\r\n", id="chunked"),
    ],
)
def test_a_site_that_is_killed_in_the_middle_leaves_no_page_that_looks_whole(
    front: Front, behind: RawSite, head: bytes, piece: bytes
) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + head + b"\r\n\r\n" + piece)
        await asyncio.sleep(0.2)
        talk.hang_up()

    behind.handler = handler
    with pytest.raises(httpx.RemoteProtocolError):
        get(front.url)

    assert still_answers(front, behind)


def test_a_reset_is_not_the_end_of_an_answer_without_a_length(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf a page")
        await asyncio.sleep(0.2)
        connection = talk.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # to close is to reset
        talk.hang_up()

    behind.handler = handler
    with pytest.raises(httpx.RemoteProtocolError):
        get(front.url)

    assert still_answers(front, behind)


def test_an_orderly_end_is_the_end_of_an_answer_without_a_length(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\na page")
        talk.writer.close()

    behind.handler = handler

    assert get(front.url).text == "a page"


def test_a_site_that_is_killed_within_a_page_leaves_none_that_looks_whole(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        await talk.say(b"30\r\n<!doctype html><title>x</title><body><h1>Half a pa\r\n")
        await asyncio.sleep(0.2)
        talk.hang_up()

    behind.handler = handler
    with front.visitor() as visitor, pytest.raises(httpx.RemoteProtocolError):
        visitor.get("/")


def test_a_slow_site_keeps_nobody_waiting_for_another_page(front: Front, behind: RawSite) -> None:
    go = threading.Event()

    async def handler(talk: Conversation) -> None:
        while b"/slow" in talk.lines[0] and not go.is_set():  # noqa: ASYNC110 - another thread's event
            await asyncio.sleep(0.05)
        await talk.say(OK)

    behind.handler = handler
    with ThreadPoolExecutor(50) as pool:
        slow = [pool.submit(front.ask, GET % b"/slow") for _ in range(50)]
        eventually(lambda: len(behind.requests) == 50)
        quick = front.ask(GET % b"/quick")
        were_waiting = not any(one.done() for one in slow)
        go.set()

    assert quick.endswith(b"ok")
    assert were_waiting
    assert all(one.result().endswith(b"ok") for one in slow)


# Visitors


def test_a_visitor_who_drips_a_head_is_sent_away_and_nobody_waits_for_it(
    hurries_visitors: tuple[Front, RawSite],
) -> None:
    front, behind = hurries_visitors
    slow = [front.connect() for _ in range(100)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\n")

    others_are_answered = still_answers(front, behind)
    answers = [drip(connection) for connection in slow]

    assert others_are_answered
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}


def drip(connection: socket.socket) -> bytes:
    """Send a header now and then for as long as the gateway takes it, and return its answer."""
    deadline = time.monotonic() + PATIENCE
    with connection, contextlib.suppress(ConnectionError):
        while time.monotonic() < deadline and not select.select([connection], [], [], 0.2)[0]:
            connection.sendall(b"X: 1\r\n")
        return receive_all(connection)
    return b""


def test_a_visitor_who_sends_nothing_is_let_go(hurries_visitors: tuple[Front, RawSite]) -> None:
    with hurries_visitors[0].connect() as connection:
        assert receive_all(connection) == b""


def test_a_visitor_who_stops_within_an_upload_is_told_so(hurries_visitors: tuple[Front, RawSite]) -> None:
    front, behind = hurries_visitors
    behind.lost.clear()

    async def handler(talk: Conversation) -> None:
        await talk.body()
        await talk.say(OK)

    behind.handler = handler
    answer = front.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nten bytes.")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert behind.lost.wait(PATIENCE)


def test_a_visitor_who_takes_nothing_of_an_answer_does_not_hold_the_site(breaks_silence: tuple[Front, RawSite]) -> None:
    front, behind = breaks_silence
    behind.lost.clear()
    sent: list[int] = []

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
        for _ in range(GIGABYTE // len(PIECE)):
            await talk.say(PIECE)
            sent.append(len(PIECE))

    behind.handler = handler
    with front.connect() as connection:
        connection.sendall(GET % b"/big")
        connection.recv(100)
        gone = behind.lost.wait(PATIENCE)

    assert gone
    assert sum(sent) < 50_000_000  # the site was made to wait


# Size and number


def test_a_gigabyte_comes_down_in_flat_memory(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
        for _ in range(GIGABYTE // len(PIECE)):
            await talk.say(PIECE)

    behind.handler = handler
    before = front.memory()
    most, received = before, 0
    with front.connect() as connection:
        connection.sendall(GET % b"/big")
        while data := connection.recv(1_000_000):
            if received // 50_000_000 != (received + len(data)) // 50_000_000:
                most = max(most, front.memory())
            received += len(data)

    assert received > GIGABYTE
    assert most - before < MOST_MEMORY


def test_a_gigabyte_goes_up_in_flat_memory(front: Front, behind: RawSite) -> None:
    received: list[int] = []

    async def handler(talk: Conversation) -> None:
        left = int(talk.header("content-length")[0])
        while left:
            left -= len(await talk.reader.readexactly(min(left, 1_000_000)))
        received.append(GIGABYTE - left)
        await talk.say(OK)

    behind.handler = handler
    before = front.memory()
    most = before
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % GIGABYTE)
        for number in range(GIGABYTE // len(PIECE)):
            connection.sendall(PIECE)
            if number % 50 == 0:
                most = max(most, front.memory())
        answer = receive_all(connection)

    assert answer.endswith(b"ok")
    assert received == [GIGABYTE]
    assert most - before < MOST_MEMORY


def test_two_hundred_event_streams_run_at_once_and_pages_come_all_the_same(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port) as front:
        first, page, rest = run_streams(front, site, 200)

    assert page.endswith(b"ok")
    assert not any(b"data: 2" in seen for seen in first)
    assert all(b"data: 2" in seen for seen in rest)


def run_streams(front: Front, site: RawSite, number: int) -> tuple[list[bytes], bytes, list[bytes]]:
    """Return what streams bring while they are open, a page asked for meanwhile, and what they bring at their end."""
    go = threading.Event()

    async def handler(talk: Conversation) -> None:
        if b"/events" not in talk.lines[0]:
            await talk.say(OK)
            return
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await talk.say(b"7\r\ndata: 1\r\n")
        while not go.is_set():  # noqa: ASYNC110 - another thread's event
            await asyncio.sleep(0.05)
        await talk.say(b"7\r\ndata: 2\r\n0\r\n\r\n")

    site.handler = handler
    streams = [front.connect() for _ in range(number)]
    for stream in streams:
        stream.sendall(GET % b"/events")
    first = [receive_until(stream, b"data: 1") for stream in streams]
    page = front.ask(GET % b"/page")
    go.set()
    rest = [receive_all(stream) for stream in streams]
    for stream in streams:
        stream.close()
    return first, page, rest


# Workers and reload


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port) as front:
        before = front.workers()
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: len(front.workers()) == 1 and front.workers() != before, front.said)
        answer = get(front.url)

    assert answer.status_code == 200


def test_a_worker_that_gets_no_processor_for_a_while_is_not_replaced(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port) as front:
        before = front.workers()
        os.kill(before[0], signal.SIGSTOP)
        time.sleep(8)  # uvicorn by itself gives up after 5
        os.kill(before[0], signal.SIGCONT)
        answer = get(front.url)

        assert front.workers() == before

    assert answer.status_code == 200


def test_open_answers_end_before_the_gateway_does(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port, "--shutdown-seconds", str(PATIENCE)) as front:
        go = threading.Event()

        async def handler(talk: Conversation) -> None:
            await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            while not go.is_set():  # noqa: ASYNC110 - another thread's event
                await asyncio.sleep(0.05)
            await talk.say(b"half")

        site.handler = handler
        with front.connect() as connection:
            connection.sendall(GET % b"/")
            receive_until(connection, b"half")
            front.process.terminate()
            wait_for(front, "Waiting for connections to close")
            go.set()
            rest = receive_all(connection)
        status = front.process.wait(PATIENCE)

    assert rest.endswith(b"half")
    assert status == 0


def test_the_policy_is_read_again_on_sighup_and_open_answers_go_on(tmp_path: Path) -> None:
    page = b"<!doctype html><title>x</title><body>x"
    with raw_site() as site, gateway(tmp_path, site.port, "--workers", "2") as front, front.visitor() as visitor:
        go = threading.Event()

        async def handler(talk: Conversation) -> None:
            if b"/events" in talk.lines[0]:
                await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
                while not go.is_set():  # noqa: ASYNC110 - another thread's event
                    await asyncio.sleep(0.05)
                await talk.say(b"two")
            else:
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
                await talk.say(head % len(page) + page)

        site.handler = handler
        stream = front.connect()
        stream.sendall(GET % b"/events")
        receive_until(stream, b"one")
        before = visitor.get("/").text
        front.file.write_text(front.file.read_text().replace('"Luton"', '"Bedford"'))
        front.process.send_signal(signal.SIGHUP)
        wait_for(front, r"The policy was reloaded", times=2)
        after = {visitor.get("/", headers={"connection": "close"}).text for _ in range(6)}
        go.set()
        rest = receive_all(stream)
        stream.close()

    assert "Cookies on Luton" in before
    assert all("Cookies on Bedford" in text for text in after)
    assert rest.endswith(b"two")


def test_a_policy_that_is_wrong_is_not_taken_and_says_what_is_wrong(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port) as front:
        front.file.write_text(front.file.read_text().replace('"Luton"', '""'))
        front.process.send_signal(signal.SIGHUP)
        wait_for(front, r"The policy was not reloaded.*site_name")
        cookies = get(f"{front.url}/cookies")

    assert cookies.status_code == 200
    assert "Luton" in cookies.text


def wait_for(front: Front, pattern: str, *, times: int = 1) -> None:
    """Wait until the log says something."""
    eventually(lambda: len(re.findall(pattern, front.said())) >= times, front.said)
