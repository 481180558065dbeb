"""Websockets through the gateway, to a server that we did not write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets import Headers, Request, Response
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from tests.gateway.front import PATIENCE, Front, eventually, gateway
from tests.mounts.servers import free_port

CHAT = Subprotocol("chat.v2")


class Echo:
    """Hold a websocket server and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.closed: list[tuple[int | None, str | None]] = []

    def talk(self, connection: ServerConnection) -> None:
        """Say everything back, until told to close."""
        try:
            for message in connection:
                if message == "close, please":
                    connection.close(4001, "as you say")
                connection.send(message)
        except ConnectionClosed:
            pass
        self.closed.append((connection.close_code, connection.close_reason))

    def look(self, connection: ServerConnection, request: Request) -> Response | None:
        """Note a request, and refuse some."""
        self.asked.append(request)
        if request.path.startswith("/refused"):
            return Response(403, "Forbidden", Headers({"X-Why": "members only"}), b"members only")
        if request.path.startswith("/moved"):
            return Response(302, "Found", Headers({"Location": "ws://127.0.0.1:1/evil"}), b"")
        return None

    def set_cookies(self, connection: ServerConnection, request: Request, response: Response) -> None:
        """Try to set a cookie that is declared, and one that is not."""
        response.headers["Set-Cookie"] = "session=1; Path=/"
        response.headers["Set-Cookie"] = "_ga=1; Path=/"


@contextmanager
def listening(echo: Echo) -> Iterator[Server]:
    with serve(
        echo.talk,
        "127.0.0.1",
        0,
        select_subprotocol=lambda _, offered: CHAT if CHAT in offered else None,
        process_request=echo.look,
        process_response=echo.set_cookies,
        max_size=20_000_000,
        open_timeout=PATIENCE,
        ping_interval=None,
    ) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Echo]]:
    echo = Echo()
    folder = tmp_path_factory.mktemp("websockets")
    with listening(echo) as server:
        port = server.socket.getsockname()[1]
        with gateway(folder, port) as running:
            yield running, echo


@pytest.fixture
def front(_pair: tuple[Front, Echo]) -> Front:
    return _pair[0]


@pytest.fixture
def echo(_pair: tuple[Front, Echo]) -> Echo:
    _pair[1].asked.clear()
    _pair[1].closed.clear()
    return _pair[1]


def open_socket(front: Front, path: str = "/ws", **settings: Any) -> ClientConnection:
    address = f"ws://127.0.0.1:{front.port}{path}"
    connection: ClientConnection = connect(
        address, proxy=None, max_size=None, open_timeout=PATIENCE, ping_interval=None, **settings
    )
    return connection


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("words, 言葉", id="text"),
        pytest.param(b"\x00\xff", id="bytes"),
        pytest.param("", id="empty"),
        pytest.param(b"x" * 5_000_000, id="five_megabytes"),
    ],
)
def test_messages_go_both_ways(front: Front, echo: Echo, message: str | bytes) -> None:
    with open_socket(front) as connection:
        connection.send(message)

        assert connection.recv(timeout=PATIENCE) == message


def test_path_host_origin_and_what_is_told_about_the_visitor_arrive(front: Front, echo: Echo) -> None:
    with open_socket(front, "/a%2Fb?x=%20", origin="http://luton.example", additional_headers={"Cookie": "session=1"}):
        pass

    request = echo.asked[0]
    assert request.path == "/a%2Fb?x=%20"
    assert request.headers.get_all("Host") == [f"127.0.0.1:{front.port}"]
    assert request.headers["Origin"] == "http://luton.example"
    assert request.headers["Cookie"] == "session=1"
    assert request.headers["X-Forwarded-For"] == "127.0.0.1"


def test_the_subprotocol_is_agreed_between_browser_and_site(front: Front, echo: Echo) -> None:
    with open_socket(front, subprotocols=[Subprotocol("chat.v9"), CHAT]) as connection:
        assert connection.subprotocol == CHAT


def test_only_declared_cookies_are_set(front: Front, echo: Echo) -> None:
    with open_socket(front) as connection:
        assert connection.response is not None
        assert connection.response.headers.get_all("Set-Cookie") == ["session=1; Path=/"]


def test_the_sites_close_code_and_reason_arrive(front: Front, echo: Echo) -> None:
    with open_socket(front) as connection:
        connection.send("close, please")
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=PATIENCE)

        assert (connection.close_code, connection.close_reason) == (4001, "as you say")


def test_the_visitors_close_code_and_reason_arrive(front: Front, echo: Echo) -> None:
    with open_socket(front) as connection:
        connection.send("hello")
        connection.recv(timeout=PATIENCE)
        connection.close(4002, "going")
    eventually(lambda: bool(echo.closed))

    assert echo.closed == [(4002, "going")]


def test_a_refusal_arrives_as_the_site_said_it(front: Front, echo: Echo) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        open_socket(front, "/refused")

    answer = refusal.value.response
    assert (answer.status_code, answer.headers["X-Why"], answer.body) == (
        HTTPStatus.FORBIDDEN,
        "members only",
        b"members only",
    )


def test_a_redirect_is_not_followed(front: Front, echo: Echo) -> None:
    lines = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

    answer = front.ask(b"GET /moved HTTP/1.1\r\nHost: a\r\n" + lines + key + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 302 ")
    assert b"location: ws://127.0.0.1:1/evil" in answer.lower()
    assert len(echo.asked) == 1


def test_a_websocket_that_is_silent_for_too_long_is_closed(tmp_path: Path) -> None:
    with (
        listening(Echo()) as server,
        gateway(tmp_path, server.socket.getsockname()[1], "--idle-seconds", "3") as front,
        open_socket(front) as connection,
    ):
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=PATIENCE)

        assert connection.close_code == 1001


def test_the_log_holds_nothing_of_the_visitor(tmp_path: Path) -> None:
    told = {"X-Forwarded-For": "203.0.113.77", "User-Agent": "s3cret-agent", "Cookie": "session=s3cret"}
    echo = Echo()
    with listening(echo) as server, gateway(tmp_path, server.socket.getsockname()[1]) as front:
        with open_socket(front, "/s3cret?token=s3cret", additional_headers=told) as connection:
            connection.send("s3cret")
            connection.recv(timeout=PATIENCE)
        with pytest.raises(InvalidStatus):
            open_socket(front, "/refused?token=s3cret", additional_headers=told)
        front.stop()
        said = front.said()

    assert "Listening on" in said
    assert '"level": "error"' not in said
    assert len(echo.asked) == 2
    assert [secret for secret in ("s3cret", "203.0.113.77", "/refused", "WebSocket") if secret in said] == []


def test_who_has_a_websocket_is_told_that_the_gateway_ends_and_it_waits_for_nobody(tmp_path: Path) -> None:
    echo = Echo()
    with (
        listening(echo) as server,
        gateway(tmp_path, server.socket.getsockname()[1], "--shutdown-seconds", str(10 * PATIENCE)) as front,
        open_socket(front) as connection,
    ):
        connection.send("hello")
        connection.recv(timeout=PATIENCE)
        status = front.stop()
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=PATIENCE)
        eventually(lambda: bool(echo.closed))

        assert connection.close_code == 1012  # RFC 6455 7.4.1, registered by IANA: service restart

    assert status == 0
    assert "Traceback" not in front.said()


def test_a_site_that_is_down_is_a_502(tmp_path: Path) -> None:
    with gateway(tmp_path, free_port()) as front, pytest.raises(InvalidStatus) as refusal:
        open_socket(front)

    assert refusal.value.response.status_code == HTTPStatus.BAD_GATEWAY


def test_there_are_no_more_websockets_than_connections_allows_and_pages_do_not_wait_for_them(tmp_path: Path) -> None:
    with (
        listening(Echo()) as server,
        gateway(tmp_path, server.socket.getsockname()[1], "--connections", "2", "--connect-seconds", "2") as front,
    ):
        with open_socket(front) as first, open_socket(front):
            with pytest.raises(InvalidStatus) as refusal:
                open_socket(front)
            page = front.ask(b"GET /refused HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            first.send("hello")
            heard = first.recv(timeout=PATIENCE)
        with open_socket(front) as another:
            another.send("hello again")
            heard_again = another.recv(timeout=PATIENCE)

    assert refusal.value.response.status_code == HTTPStatus.GATEWAY_TIMEOUT
    assert page.startswith(b"HTTP/1.1 4")  # the websocket server's own answer
    assert (heard, heard_again) == ("hello", "hello again")
