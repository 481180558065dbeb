"""What goes through the gateway arrives as it was sent, in both directions."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
import threading

import pytest

from tests.conftest import BANNER
from tests.gateway.behind import OK, Conversation, RawSite, answering
from tests.gateway.front import PATIENCE, Front, receive_all, receive_until

GET = b"GET %s HTTP/1.1\r\nHost: luton.example\r\nConnection: close\r\n\r\n"
PAGE = b"<!doctype html><html><head><title>News</title></head><body><h1>News</h1></body></html>"


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Write an answer."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode("latin-1") + body


def head_of(answer: bytes) -> list[bytes]:
    """Return the lines of an answer's head, in lower case."""
    return answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")


# Requests


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/a%2Fb//c/../d",
        b"/%E2%82%AC?x=%20+&&y=1&y=2",
        b"/a;b=1,2/@:!$'()*",
        b"/?",
        b"//evil.example/x",
        b"/~a|b",
    ],
)
def test_path_and_query_arrive_as_the_visitor_wrote_them(front: Front, behind: RawSite, target: bytes) -> None:
    front.ask(GET % target)

    assert behind.requests[-1].lines[0] == b"GET %s HTTP/1.1" % target.removesuffix(b"?")


def test_the_host_is_kept(front: Front, behind: RawSite) -> None:
    front.ask(b"GET / HTTP/1.1\r\nHost: Luton.example:8080\r\nConnection: close\r\n\r\n")

    assert behind.requests[-1].header("host") == [b"Luton.example:8080"]


def test_repeated_headers_and_bytes_beyond_ascii_arrive_unchanged(front: Front, behind: RawSite) -> None:
    lines = b"X-One: 1\r\nX-One: 2\r\nReferer: /caf\xe9\r\nCookie: session=\xfc\r\n"

    front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n")

    assert behind.requests[-1].header("x-one") == [b"1", b"2"]
    assert behind.requests[-1].header("referer") == [b"/caf\xe9"]
    assert behind.requests[-1].header("cookie") == [b"session=\xfc"]


def test_nothing_is_added_that_a_client_library_would_add(front: Front, behind: RawSite) -> None:
    front.ask(GET % b"/")

    names = {line.partition(b":")[0].lower() for line in behind.requests[-1].lines[1:]}
    about_the_visitor = {b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip", b"forwarded"}
    assert names == {b"host"} | about_the_visitor


def test_hop_by_hop_headers_end_at_the_gateway(front: Front, behind: RawSite) -> None:
    hops = b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: x\r\n"

    front.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + hops + b"X-End: 1\r\n\r\n")

    names = {line.partition(b":")[0].lower() for line in behind.requests[-1].lines[1:]}
    assert not names & {b"connection", b"x-hop", b"keep-alive", b"te", b"proxy-authorization"}
    assert b"x-end" in names


def test_a_connection_header_cannot_take_the_host_off(front: Front, behind: RawSite) -> None:
    front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: session=1\r\nConnection: close, Host, Cookie\r\n\r\n")

    assert behind.requests[-1].header("host") == [b"a"]
    assert behind.requests[-1].header("cookie") == [b"session=1"]


def test_headers_that_cgi_would_take_for_others_end_at_the_gateway(front: Front, behind: RawSite) -> None:
    lines = b"Proxy: http://evil\r\nX_Forwarded_For: 6.6.6.6\r\nContent_Length: 5\r\n"

    front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n")

    assert not {b"proxy", b"x_forwarded_for", b"content_length"} & {
        line.partition(b":")[0].lower() for line in behind.requests[-1].lines[1:]
    }


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_methods_go_through(front: Front, behind: RawSite, method: str) -> None:
    front.ask(f"{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi".encode())

    assert behind.requests[-1].lines[0] == f"{method} /x HTTP/1.1".encode()
    assert behind.requests[-1].header("content-length") == [b"2"]


def test_an_upload_keeps_its_length_and_its_bytes(front: Front, behind: RawSite) -> None:
    content = bytes(range(256)) * 8_000
    seen: list[bytes] = []

    async def handler(talk: Conversation) -> None:
        seen.append(await talk.body())
        await talk.say(OK)

    behind.handler = handler
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(content)
    answer = front.ask(head + content)

    assert seen == [content]
    assert answer.endswith(b"ok")


def test_an_upload_in_chunks_arrives_whole(front: Front, behind: RawSite) -> None:
    seen: list[bytes] = []

    async def handler(talk: Conversation) -> None:
        seen.append(await talk.body())
        await talk.say(OK)

    behind.handler = handler
    chunks = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
    front.ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks)

    assert seen == [b"hello world"]
    assert behind.requests[-1].header("x-trailer") == []


def test_an_upload_reaches_the_site_while_it_is_being_sent(front: Front, behind: RawSite) -> None:
    first = threading.Event()

    async def handler(talk: Conversation) -> None:
        await talk.reader.readuntil(b"first\r\n")
        first.set()
        await talk.body()
        await talk.say(OK)

    behind.handler = handler
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        arrived = first.wait(PATIENCE)
        connection.sendall(b"0\r\n\r\n")
        answer = receive_until(connection, b"ok")

    assert arrived
    assert b"200 OK" in answer


def test_who_expects_100_continue_gets_it_from_the_gateway(front: Front, behind: RawSite) -> None:
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        interim = receive_until(connection, b"\r\n\r\n")
        connection.sendall(b"hi")
        answer = receive_until(connection, b"ok")

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200")
    assert behind.requests[-1].header("expect") == []


def test_an_answer_that_comes_before_the_upload_has_ended_is_passed_on(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(reply(b"too large", "413 Content Too Large"))

    behind.handler = handler
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nonly a part")
        answer = receive_until(connection, b"too large")

    assert answer.startswith(b"HTTP/1.1 413")


# Answers


def test_an_answer_arrives_with_all_its_headers(front: Front, behind: RawSite) -> None:
    cookies = b"Set-Cookie: session=1; Path=/\r\nSet-Cookie: session=2; Path=/a\r\n"
    lines = b"X-Y: \xfc\r\nServer: Apache\r\nDate: now\r\n"
    behind.handler = answering(b"HTTP/1.1 200 OK\r\n" + cookies + lines + b"Content-Length: 2\r\n\r\nok")

    answer = head_of(front.ask(GET % b"/"))

    assert answer.count(b"set-cookie: session=1; path=/") == 1
    assert answer.count(b"set-cookie: session=2; path=/a") == 1
    assert [line for line in answer if line.startswith((b"server", b"date", b"x-y"))] == [
        b"x-y: \xfc",
        b"server: apache",
        b"date: now",
    ]


def test_the_sites_own_hop_by_hop_headers_end_at_the_gateway(front: Front, behind: RawSite) -> None:
    hops = b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
    behind.handler = answering(b"HTTP/1.1 200 OK\r\n" + hops + b"Content-Length: 0\r\n\r\n")

    answer = b"\n".join(head_of(front.ask(GET % b"/")))

    assert b"x-hop" not in answer
    assert b"keep-alive" not in answer


def test_a_cookie_that_is_not_declared_does_not_leave(front: Front, behind: RawSite) -> None:
    behind.handler = answering(reply(b"ok", Set_Cookie="_ga=GA1.1.1; Path=/"))

    assert b"_ga" not in front.ask(GET % b"/")


def test_a_page_gets_the_banner(front: Front, behind: RawSite) -> None:
    behind.handler = answering(reply(PAGE, Content_Type="text/html"))

    with front.visitor() as visitor:
        answer = visitor.get("/")

    assert BANNER in answer.content
    assert answer.content.endswith(b"<h1>News</h1></body></html>")


def test_what_is_no_page_passes_byte_for_byte_compressed_or_not(front: Front, behind: RawSite) -> None:
    packed = gzip.compress(b"body{}" * 100)
    behind.handler = answering(reply(packed, Content_Type="text/css", Content_Encoding="gzip"))

    answer = front.ask(GET % b"/site.css")

    assert answer.partition(b"\r\n\r\n")[2] == packed
    assert b"content-encoding: gzip" in head_of(answer)


def test_head_says_what_get_would_and_has_no_body(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 12345\r\n\r\n")

    behind.handler = handler
    answer = front.ask(b"HEAD /x.png HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert b"content-length: 12345" in head_of(answer)
    assert answer.endswith(b"\r\n\r\n")


def test_head_leaves_the_connection_to_the_site_usable(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        body = b"" if talk.lines[0].startswith(b"HEAD") else b"123"
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body)

    behind.handler = handler
    answers = [front.ask(b"%s / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % one) for one in (b"HEAD", b"GET")]

    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"", b"123"]


def test_a_range_is_asked_for_and_answered(front: Front, behind: RawSite) -> None:
    behind.handler = answering(reply(b"cde", "206 Partial Content", Content_Range="bytes 2-4/10"))

    answer = front.ask(b"GET /film HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\nConnection: close\r\n\r\n")

    assert behind.requests[-1].header("range") == [b"bytes=2-4"]
    assert answer.startswith(b"HTTP/1.1 206")
    assert answer.endswith(b"cde")


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 X", "308 X"])
def test_a_redirect_is_the_visitors_to_follow(front: Front, behind: RawSite, status: str) -> None:
    behind.handler = answering(reply(b"", status, Location="http://elsewhere.example/x"))

    answer = head_of(front.ask(GET % b"/"))

    assert b"location: http://elsewhere.example/x" in answer
    assert len(behind.requests) == 1


@pytest.mark.parametrize("lines", ["", "Content-Length: 5\r\n"], ids=["plain", "length"])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body_end_at_their_head(front: Front, behind: RawSite, status: str, lines: str) -> None:
    behind.handler = answering(f'HTTP/1.1 {status}\r\nETag: "x"\r\n{lines}\r\n'.encode())

    before = len(front.said())  # other tests share the gateway, and some of them break connections off
    answers = front.ask(b"GET /x.css HTTP/1.1\r\nHost: a\r\n\r\n" + GET % b"/y.css")

    assert answers.count(f"HTTP/1.1 {status[:3]}".encode()) == 2  # the connection goes on
    assert answers.endswith(b"\r\n\r\n")
    assert "RuntimeError" not in front.said()[before:]


def test_interim_answers_are_not_taken_for_the_answer(front: Front, behind: RawSite) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    behind.handler = answering(interim + OK)

    answer = front.ask(GET % b"/")

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok")
    assert b"link" not in b"\n".join(head_of(answer))


def test_trailers_are_dropped_and_the_body_is_whole(front: Front, behind: RawSite) -> None:
    behind.handler = answering(
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    )

    answer = front.ask(GET % b"/")

    assert b"5\r\nhello\r\n0\r\n\r\n" in answer
    assert b"x-sum" not in answer.lower()


def test_an_answer_that_ends_with_its_connection_is_whole(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
        talk.writer.close()

    behind.handler = handler

    assert b"all of it" in front.ask(GET % b"/")


def test_pieces_of_an_answer_arrive_when_they_are_sent(front: Front, behind: RawSite) -> None:
    released = threading.Event()

    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await talk.say(b"3\r\none\r\n")
        while not released.is_set():  # noqa: ASYNC110 - another thread's event
            await asyncio.sleep(0.01)
        await talk.say(b"3\r\ntwo\r\n0\r\n\r\n")

    behind.handler = handler
    with front.connect() as connection:
        connection.sendall(GET % b"/events")
        first = receive_until(connection, b"one")
        released.set()
        rest = receive_all(connection)

    assert b"two" not in first
    assert b"two" in rest


# Visitors of HTTP/1.0, as nginx is one unless it is told otherwise

OLD = b"GET / HTTP/1.0\r\nHost: luton.example\r\n%s\r\n"


@pytest.mark.parametrize("lines", [b"", b"Connection: keep-alive\r\n"], ids=["plain", "keep_alive"])
def test_who_knows_no_chunks_gets_an_answer_of_unknown_length_as_it_is(
    front: Front, behind: RawSite, lines: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    behind.handler = answering(head + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")

    answer = front.ask(OLD % lines)

    assert answer.partition(b"\r\n\r\n")[2] == b"hello world"
    assert b"connection: close" in head_of(answer)
    assert b"transfer-encoding" not in answer.lower()


def test_who_knows_no_chunks_gets_a_page_with_the_banner(front: Front, behind: RawSite) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    behind.handler = answering(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE))

    answer = front.ask(OLD % b"Accept: text/html\r\n")

    assert BANNER in answer
    assert answer.endswith(b"<h1>News</h1></body></html>")
    assert b"transfer-encoding" not in answer.lower()


def test_who_knows_no_chunks_still_gets_a_length_that_is_known(front: Front, behind: RawSite) -> None:
    answer = front.ask(OLD % b"")

    assert b"content-length: 2" in head_of(answer)
    assert answer.endswith(b"\r\n\r\nok")


def test_who_knows_no_chunks_sees_that_an_answer_was_cut_off(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        talk.hang_up()

    behind.handler = handler
    with front.connect() as connection:
        connection.sendall(OLD % b"")

        assert ends_with_a_reset(connection)


def ends_with_a_reset(connection: socket.socket) -> bool:
    try:
        while connection.recv(1000):
            pass
    except ConnectionResetError:
        return True
    return False


# Connections


def test_a_connection_to_the_site_is_used_again(front: Front, behind: RawSite) -> None:
    before = behind.connections

    front.ask(6 * b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + GET % b"/last")

    assert behind.connections - before <= 1
    assert len(behind.requests) == 7


def test_a_connection_that_the_site_closed_meanwhile_costs_no_visitor_an_error(front: Front, behind: RawSite) -> None:
    turns: list[int] = []

    async def handler(talk: Conversation) -> None:
        turns.append(1)
        if len(turns) == 2:  # the second request over the first connection: closed without an answer
            talk.hang_up()
        else:
            await talk.say(OK)

    behind.handler = handler
    answers = front.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + GET % b"/second")

    assert answers.count(b"\r\n\r\nok") == 2
    assert len(turns) == 3


def test_a_request_that_changes_something_is_never_sent_twice(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        talk.hang_up()

    front.ask(GET % b"/warm")
    behind.handler = handler
    behind.requests.clear()
    answer = front.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    assert answer.startswith(b"HTTP/1.1 502")
    assert len(behind.requests) == 1


def test_requests_sent_ahead_are_answered_in_order(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(reply(talk.lines[0].split()[1]))

    behind.handler = handler
    many = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5))
    answer = front.ask(many + GET % b"/last")

    places = [answer.index(b"\r\n\r\n/" + one) for one in (b"0", b"1", b"2", b"3", b"4", b"last")]
    assert places == sorted(places)


def test_a_visitor_who_leaves_ends_the_request_to_the_site(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert await talk.reader.read() == b""
        raise ConnectionError

    behind.handler = handler
    with front.connect() as connection:
        connection.sendall(GET % b"/events")
        receive_until(connection, b"one")

    assert behind.lost.wait(PATIENCE)


def test_a_visitor_who_leaves_within_an_upload_does_not_leave_a_whole_one(front: Front, behind: RawSite) -> None:
    arrived = threading.Event()

    async def handler(talk: Conversation) -> None:
        await talk.reader.readuntil(b"hello\r\n")
        arrived.set()
        await talk.body()

    behind.handler = handler
    with front.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        assert arrived.wait(PATIENCE)

    assert behind.lost.wait(PATIENCE)  # the site sees a connection that broke off, and no end of the body


def test_a_large_answer_is_the_same_on_both_sides(front: Front, behind: RawSite) -> None:
    content = hashlib.shake_256(b"x").digest(3_000_000)
    behind.handler = answering(reply(content, Content_Type="application/octet-stream"))

    answer = front.ask(GET % b"/big")

    assert answer.partition(b"\r\n\r\n")[2] == content
