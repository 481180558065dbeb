"""What must not reach a site: requests whose end is unclear, other people's addresses, heads without end."""

from __future__ import annotations

import pytest

from tests.gateway.behind import Conversation, RawSite
from tests.gateway.front import Front, receive_all

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"Content-Length: 5\r\nTransfer-Encoding: chunked", id="length_and_chunked"),
        pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 5", id="chunked_and_length"),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 6", id="two_lengths"),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 5", id="one_length_twice"),
        pytest.param(b"Content-Length: 5, 5", id="list_of_lengths"),
        pytest.param(b"Content-Length: +5", id="signed_length"),
        pytest.param(b"Content-Length: 0x5", id="hexadecimal_length"),
        pytest.param(b"Content-Length: -1", id="negative_length"),
        pytest.param(b"Content-Length: 99999999999999999999999999", id="length_beyond_64_bits"),
        pytest.param(b"Content-Length:", id="empty_length"),
        pytest.param(b"Transfer-Encoding: identity", id="identity"),
        pytest.param(b"Transfer-Encoding: gzip, chunked", id="gzip_and_chunked"),
        pytest.param(b"Transfer-Encoding: chunked, identity", id="chunked_not_last"),
        pytest.param(b"Transfer-Encoding: chunked, chunked", id="chunked_twice_in_a_list"),
        pytest.param(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", id="chunked_twice"),
        pytest.param(b"Transfer-Encoding: xchunked", id="xchunked"),
        pytest.param(b"Transfer-Encoding:\x0bchunked", id="vertical_tab"),
        pytest.param(b"Transfer-Encoding : chunked", id="space_before_colon"),
        pytest.param(b" Transfer-Encoding: chunked", id="line_that_begins_with_a_space"),
        pytest.param(b"X: 1\r\n Transfer-Encoding: chunked", id="folded_line"),
        pytest.param(b"Transfer-Encoding\x00: chunked", id="null_in_a_name"),
        pytest.param(b"X: 1\nTransfer-Encoding: chunked", id="bare_line_feed"),
        pytest.param(b"X: 1\rTransfer-Encoding: chunked", id="bare_carriage_return"),
        pytest.param(b"X: a\x00b", id="null_in_a_value"),
    ],
)
def test_a_request_whose_end_is_unclear_is_refused(front: Front, behind: RawSite, lines: bytes) -> None:
    answer = front.ask(b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert behind.requests == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"5;\nhello\r\n0\r\n\r\n", id="line_feed_after_a_size"),
        pytest.param(b"5\nhello\r\n0\r\n\r\n", id="size_ended_by_a_line_feed"),
        pytest.param(b"0x5\r\nhello\r\n0\r\n\r\n", id="prefixed_size"),
        pytest.param(b"5 \r\nhello\r\n0\r\n\r\n", id="space_after_a_size"),
        pytest.param(b"5\r\nhelloX\r\n0\r\n\r\n", id="more_than_its_size"),
        pytest.param(b"-1\r\nhello\r\n0\r\n\r\n", id="negative_size"),
        pytest.param(b"fffffffffffffffff\r\nhello", id="size_beyond_64_bits"),
    ],
)
def test_a_malformed_chunk_ends_the_connection_and_reaches_nobody_as_a_whole(
    front: Front, behind: RawSite, body: bytes
) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = front.ask(head + body + SMUGGLED)

    assert b"200 OK" not in answer
    assert all(b"/smuggled" not in talk.head for talk in behind.requests)


def test_chunked_in_http_1_0_is_refused(front: Front, behind: RawSite) -> None:
    answer = front.ask(b"POST /old HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    assert b" 400 " in answer
    assert all(b"/old" not in talk.head for talk in behind.requests)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(b"GET http://evil.example/ HTTP/1.1", b"400", id="absolute"),
        pytest.param(b"GET http://luton.example/ HTTP/1.1", b"400", id="absolute_and_own"),
        pytest.param(b"GET https://169.254.169.254/latest HTTP/1.1", b"400", id="metadata_service"),
        pytest.param(b"GET evil.example HTTP/1.1", b"400", id="no_slash"),
        pytest.param(b"GET @evil.example/ HTTP/1.1", b"400", id="at_sign"),
        pytest.param(b"GET :80/ HTTP/1.1", b"400", id="port"),
        pytest.param(b"CONNECT evil.example:443 HTTP/1.1", b"405", id="connect"),
        pytest.param(b"TRACE / HTTP/1.1", b"405", id="trace"),
        pytest.param(b"OPTIONS * HTTP/1.1", b"400", id="asterisk"),
        pytest.param(b"GET /a b HTTP/1.1", b"400", id="space"),
        pytest.param(b"GET / HTTP/1.1 HTTP/1.1", b"400", id="two_versions"),
        pytest.param(b"GET / HTTP/9.9", b"400", id="version"),
        pytest.param(b"GET /", b"400", id="no_version"),
        pytest.param(b"G=T / HTTP/1.1", b"400", id="method"),
    ],
)
def test_what_is_no_request_for_a_path_of_the_site_is_refused(
    front: Front, behind: RawSite, line: bytes, status: bytes
) -> None:
    answer = front.ask(line + b"\r\nHost: luton.example\r\n\r\n")

    assert answer.split()[1] == status
    assert behind.requests == []


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"X: 1", id="none"),
        pytest.param(b"Host: a\r\nHost: b", id="two"),
        pytest.param(b"Host: a\r\nHost: a", id="one_twice"),
        pytest.param(b"Host: ", id="empty"),
        pytest.param(b"Host: a/b", id="path"),
        pytest.param(b"Host: user@a", id="user"),
        pytest.param(b'Host: a"; proto=https', id="quote"),
        pytest.param(b"Host: a b", id="space"),
        pytest.param(b"Host: a,b", id="list"),
        pytest.param(b"Host: a:99999999", id="port"),
    ],
)
def test_a_request_without_one_clear_host_is_refused(front: Front, behind: RawSite, lines: bytes) -> None:
    answer = front.ask(b"GET / HTTP/1.1\r\n" + lines + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert behind.requests == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000, b"431", id="one_header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 300, b"431", id="many_headers"),
        pytest.param(b"GET /" + b"x" * 70_000, b"414", id="target"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x" * 70_000, b"431", id="name"),
    ],
)
def test_a_head_without_end_is_refused(front: Front, behind: RawSite, head: bytes, status: bytes) -> None:
    with front.connect() as connection:
        connection.sendall(head)
        answer = receive_all(connection)

    assert answer.split()[1] in (status, b"431")
    assert behind.requests == []


def test_who_sends_thousands_of_requests_ahead_of_their_answers_is_sent_away(front: Front, behind: RawSite) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.reader.read()
        raise ConnectionError

    behind.handler = handler
    before = front.memory()
    with front.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5_000)
        answer = receive_all(connection)
        grew = front.memory() - before

    assert answer == b""  # another would mix with the one on its way
    assert len(behind.requests) <= 1
    assert grew < 5_000_000


def test_who_sends_some_requests_ahead_is_answered(front: Front, behind: RawSite) -> None:
    many = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 50 + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    assert front.ask(many).count(b"\r\n\r\nok") == 51


def test_a_head_of_common_size_is_not_refused(front: Front, behind: RawSite) -> None:
    many = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 200) for number in range(100))

    answer = front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + many + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_larger_than_a_head_may_be_is_no_head(front: Front, behind: RawSite) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n"

    assert front.ask(head + b"x" * 200_000).startswith(b"HTTP/1.1 200 ")


def test_an_upgrade_to_what_is_no_websocket_is_answered_as_if_it_were_not_asked_for(
    front: Front, behind: RawSite
) -> None:
    lines = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"

    answer = front.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n" + SMUGGLED)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert behind.requests[0].header("upgrade") == []
    assert behind.requests[0].header("http2-settings") == []
    assert len(behind.requests) == 1


@pytest.mark.parametrize("lines", [b"Content-Length: 5", b"Transfer-Encoding: chunked"], ids=["length", "chunked"])
def test_a_websocket_that_begins_with_a_body_is_refused_and_not_left_open(
    front: Front, behind: RawSite, lines: bytes
) -> None:
    shake = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n" % KEY

    answer = front.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + shake + lines + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert behind.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"no http at all\r\n\r\n", id="no_http"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="both"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", id="two_lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="coding"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok", id="null"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="upgrade"),
        pytest.param(b"HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nok", id="status_above"),
        pytest.param(b"HTTP/1.1 099 Early\r\nContent-Length: 2\r\n\r\nok", id="status_below"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n", id="large_head"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_502(front: Front, behind: RawSite, answer: bytes) -> None:
    async def handler(talk: object) -> None:
        await talk.say(answer)  # type: ignore[attr-defined]

    behind.handler = handler

    assert front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 502 ")


def test_what_a_site_sends_after_its_answer_is_nobodys_answer(front: Front, behind: RawSite) -> None:
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    turns = [first + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", first]

    async def handler(talk: object) -> None:
        await talk.say(turns.pop(0))  # type: ignore[attr-defined]

    behind.handler = handler
    answers = [front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") for _ in range(2)]

    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"ok", b"ok"]


# What is believed about the visitor


def test_a_trusted_proxys_word_about_visitor_and_scheme_is_taken(front: Front, behind: RawSite) -> None:
    lines = b"X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n"

    front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n")

    request = behind.requests[-1]
    assert request.header("x-forwarded-for") == [b"203.0.113.7, 127.0.0.1"]  # what stands before may be invented
    assert request.header("x-real-ip") == [b"203.0.113.7"]
    assert request.header("x-forwarded-proto") == [b"https"]
    assert request.header("x-forwarded-host") == [b"a"]
    assert request.header("forwarded") == [b'for=203.0.113.7, for=127.0.0.1;host="a";proto=https']


def test_the_header_that_proxies_do_not_use_is_not_believed(front: Front, behind: RawSite) -> None:
    front.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nForwarded: for=6.6.6.6;proto=https\r\n\r\n")

    assert behind.requests[-1].header("x-forwarded-proto") == [b"http"]
    assert behind.requests[-1].header("forwarded") == [b'for=127.0.0.1;host="a";proto=http']
