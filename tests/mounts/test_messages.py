"""What servers and applications say to each other in ASGI, at the places where real ones differ."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from consentgate import ConsentMiddleware
from tests.mounts.sites.shared import KEYS, STREAM_START, policy

PAGE = b"<!doctype html><html lang=en><head><title>A page</title></head><body><p>Text</p></body></html>"
HTML = (b"content-type", b"text/html; charset=utf-8")


def answered(messages: list[Message], **request: Any) -> list[Message]:
    """Return what a server gets when an application sends these messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return asyncio.run(_exchange(ConsentMiddleware(app, policy, keys=KEYS), request))


async def _exchange(app: ConsentMiddleware, request: dict[str, Any]) -> list[Message]:
    sent: list[Message] = []
    headers = [(b"host", b"127.0.0.1"), (b"accept", b"text/html"), *request.pop("headers", ())]
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "query_string": b"", "headers": headers}

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope | request, receive, send)
    return sent


def test_headers_that_can_be_read_only_once_reach_the_server() -> None:
    def headers() -> Iterator[tuple[bytes, bytes]]:
        yield b"content-type", b"application/json"
        yield b"etag", b'"1"'

    start, _ = answered([start_with(headers()), {"type": "http.response.body", "body": b"{}"}])

    assert list(start["headers"]) == [(b"content-type", b"application/json"), (b"etag", b'"1"')]


def test_a_head_request_gets_no_body_from_which_a_server_could_take_a_length() -> None:
    head = [start_with([HTML, (b"content-length", b"94")]), {"type": "http.response.body", "body": PAGE}]

    start, body = answered(head, method="HEAD")

    assert b"content-length" not in dict(start["headers"])
    assert body == {"type": "http.response.body", "body": b""}


def test_a_push_between_start_and_body_keeps_its_place_and_no_length_is_claimed() -> None:
    push = {"type": "http.response.push", "path": "/site.css", "headers": []}
    page = [start_with([HTML, (b"content-length", b"94")]), push, {"type": "http.response.body", "body": PAGE}]

    start, pushed, body = answered(page)

    assert pushed == push
    assert b"content-length" not in dict(start["headers"])
    assert b'<body><section id="consentgate"' in body["body"]


def test_a_page_sent_by_its_path_is_not_called_compressed() -> None:
    start = start_with([HTML, (b"content-length", b"94"), (b"vary", b"Accept-Encoding")])
    path = {"type": "http.response.pathsend", "path": "page.html"}

    started, sent = answered([start, path], headers=[(b"accept-encoding", b"gzip")])

    assert b"content-encoding" not in dict(started["headers"])
    assert dict(started["headers"])[b"content-length"] == b"94"
    assert sent == path


def test_the_first_piece_of_a_stream_leaves_before_the_second_is_made() -> None:
    pieces = [STREAM_START.encode(), b"<p>0</p>"]

    messages = [{"type": "http.response.body", "body": piece, "more_body": True} for piece in pieces]
    _, first, second = answered([start_with([HTML]), *messages])

    assert first["body"].endswith(b"<h1>A stream</h1>")
    assert second["body"] == b"<p>0</p>"


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        pytest.param("/a/b c", "", id="at_the_root"),
        pytest.param("/shop/a/b c", "/shop", id="uvicorn"),
        pytest.param("/a/b c", "/shop", id="hypercorn_and_granian"),
    ],
)
def test_the_way_back_holds_the_prefix_that_a_proxy_took_away(path: str, root_path: str) -> None:
    page = [start_with([HTML]), {"type": "http.response.body", "body": PAGE}]

    _, body = answered(page, path=path, root_path=root_path, query_string=b"q=1")

    assert b'name="back" value="%s/a/b%%20c?q=1"' % root_path.encode() in body["body"]


@pytest.mark.parametrize(("path", "root_path"), [("/quiet/a", ""), ("/shop/quiet/a", "/shop"), ("/quiet/a", "/shop")])
def test_skipped_paths_are_those_of_the_application_wherever_it_is_mounted(path: str, root_path: str) -> None:
    page = [start_with([HTML]), {"type": "http.response.body", "body": PAGE}]

    _, body = answered(page, path=path, root_path=root_path)

    assert body["body"] == PAGE


def start_with(headers: object) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": headers}
