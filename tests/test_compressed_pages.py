"""Pages that the application would have compressed: they still reach the visitor compressed, and as early."""

from __future__ import annotations

import asyncio
import gzip
import logging
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate.compression import STEP
from tests.conftest import (
    BANNER,
    GRANTED,
    HOST,
    HTML,
    PAGE,
    REFUSED,
    TAG,
    Answer,
    Headers,
    ask,
    body,
    make_client,
    make_policy,
    make_site,
    nothing_more,
    page,
    request,
    scripted,
    start,
)

pytestmark = pytest.mark.anyio

GZIP = (b"accept-encoding", b"gzip, deflate, br")
VARIES = (b"vary", b"Accept-Encoding")
LONG = PAGE.replace("</body>", "<p>Opening hours</p>" * 500 + "</body>")


async def asked_with(accept_encoding: bytes, *headers: tuple[bytes, bytes]) -> Answer:
    return await ask(page(VARIES, *headers), request((b"accept-encoding", accept_encoding)))


# Which pages.


@pytest.mark.parametrize("policy", [make_policy(), make_policy(cache="shared")], ids=["personal", "shared"])
@pytest.mark.parametrize("answers", [None, REFUSED, GRANTED], ids=["undecided", "refused", "accepted"])
async def test_page_of_an_app_that_compresses_arrives_compressed(
    answers: dict[str, bool] | None, policy: object
) -> None:
    app = GZipMiddleware(HTMLResponse(LONG))

    plain = await ask(HTMLResponse(LONG), request(answers=answers))
    answer = await ask(app, request(GZIP, answers=answers))

    assert answer.all(b"content-encoding") == [b"gzip"]
    assert gzip.decompress(answer.body) == plain.body
    assert len(answer.body) < len(LONG) / 4
    assert answer.all(b"content-length") == [str(len(answer.body)).encode()]
    assert b"Accept-Encoding" in answer.all(b"vary")[0]


async def test_browser_reads_the_compressed_page() -> None:
    async with make_client(GZipMiddleware(HTMLResponse(LONG))) as client:
        response = await client.get("/", headers={"accept": "text/html", "accept-encoding": "gzip"})

    assert response.headers["content-encoding"] == "gzip"
    assert 'id="consentgate"' in response.text
    assert response.text.endswith("</body></html>")


async def test_page_of_an_app_that_does_not_compress_stays_as_it_is() -> None:
    answer = await ask(page(), request(GZIP))

    assert answer.all(b"content-encoding") == []
    assert BANNER in answer.body


async def test_short_page_that_the_app_would_not_compress_stays_as_it_is() -> None:
    answer = await ask(GZipMiddleware(HTMLResponse(PAGE), minimum_size=100_000), request(GZIP))

    assert answer.all(b"content-encoding") == []
    assert BANNER in answer.body


@pytest.mark.parametrize(
    "vary", [b"accept-encoding", b"Accept, Accept-Encoding", b"ACCEPT-ENCODING"], ids=["lower", "second", "upper"]
)
async def test_app_says_that_it_compresses_in_any_case(vary: bytes) -> None:
    answer = await ask(page((b"vary", vary)), request(GZIP))

    assert answer.all(b"content-encoding") == [b"gzip"]


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        pytest.param(b"gzip", True, id="gzip"),
        pytest.param(b"gzip, identity;q=0", True, id="identity_refused"),
        pytest.param(b"br;q=1.0, gzip;q=0.8", True, id="second"),
        pytest.param(b"*", True, id="star"),
        pytest.param(b"x-gzip", True, id="old_name"),
        pytest.param(b"GZIP", True, id="upper_case"),
        pytest.param(b"gzip;q=0", False, id="refused"),
        pytest.param(b"gzip;q=0, *", False, id="refused_and_star"),
        pytest.param(b"br", False, id="another"),
        pytest.param(b"identity", False, id="identity"),
        pytest.param(b"", False, id="empty"),
        pytest.param(b"gzipped", False, id="another_that_begins_so"),
    ],
)
async def test_page_is_compressed_for_whoever_takes_gzip(accepted: bytes, compressed: bool) -> None:
    answer = await asked_with(accepted)

    assert answer.all(b"content-encoding") == ([b"gzip"] if compressed else [])
    assert BANNER in (gzip.decompress(answer.body) if compressed else answer.body)


async def test_page_is_not_compressed_for_a_client_that_says_nothing() -> None:
    answer = await ask(page(VARIES))

    assert answer.all(b"content-encoding") == []


async def test_page_that_says_identity_stays_as_it_is() -> None:
    answer = await asked_with(b"gzip", (b"content-encoding", b"identity"))

    assert answer.all(b"content-encoding") == [b"identity"]
    assert BANNER in answer.body


async def test_what_is_no_page_is_compressed_by_the_app_alone() -> None:
    asked: Headers = [(b"host", HOST.encode()), (b"accept", b"application/json"), GZIP]
    app = GZipMiddleware(PlainTextResponse("x" * 2000))

    answer = await ask(app, request(headers=asked))

    assert gzip.decompress(answer.body) == b"x" * 2000


async def test_head_says_what_get_says_about_compression() -> None:
    got = await ask(page(VARIES), request(GZIP))
    head = await ask(page(VARIES, content=b""), request(GZIP, method="HEAD"))

    assert head.headers == got.headers
    assert head.body == b""


async def test_refused_visitor_gets_what_the_app_compressed_itself_byte_for_byte() -> None:
    compressed = gzip.compress(PAGE.encode(), 1)
    app = page(VARIES, (b"content-encoding", b"gzip"), content=compressed)

    answer = await ask(app, request(GZIP, answers=REFUSED))

    assert answer.body == compressed
    assert answer.all(b"content-encoding") == [b"gzip"]


# Streamed.


async def test_each_piece_can_be_read_as_soon_as_it_leaves() -> None:
    chunks = [b"<!doctype html><title>x</title>", b"<body><p>one", b"<p>two", b"", b"<p>three"]
    sent: list[Message] = []
    reader = zlib.decompressobj(31)
    read: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML, VARIES))
        for chunk in chunks:
            await send(body(chunk, more=True))
            if chunk:
                read.append(reader.decompress(sent[-1]["body"]))
        await send(body(b""))

    async def send(message: Message) -> None:
        sent.append(message)

    await make_site(app)(request(GZIP), nothing_more, send)

    assert BANNER in read[1]
    assert read[1].endswith(b"<p>one")
    assert read[2:] == [b"<p>two", b"<p>three"]
    assert reader.decompress(sent[-1]["body"]) == b""
    assert reader.eof
    assert all(message["more_body"] for message in sent[1:-1])
    assert not sent[-1].get("more_body", False)


async def test_streamed_page_of_gzip_middleware_is_read_whole_and_in_order() -> None:
    async def lines() -> AsyncIterator[str]:
        yield "<!doctype html><html><head><title>x</title></head><body>"
        for number in range(200):
            yield f"<p>{number}</p>"
        yield "</body></html>"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(lines(), media_type="text/html")(scope, receive, send)

    answer = await ask(GZipMiddleware(app), request(GZIP, answers=GRANTED))

    content = gzip.decompress(answer.body)
    assert TAG in content
    assert content.endswith(b"".join(f"<p>{number}</p>".encode() for number in range(200)) + b"</body></html>")
    assert answer.all(b"content-length") == []


async def test_empty_page_is_an_empty_page_compressed() -> None:
    answer = await ask(page(VARIES, (b"content-length", b"0"), content=b""), request(GZIP))

    assert gzip.decompress(answer.body) == b""
    assert answer.all(b"content-length") == [str(len(answer.body)).encode()]


# Files.


async def test_file_of_an_app_that_compresses_has_banner_and_compression(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(LONG, encoding="utf-8")
    scope = request(GZIP, extensions={"http.response.pathsend": {}})

    answer = await ask(GZipMiddleware(FileResponse(file)), scope)

    assert BANNER in gzip.decompress(answer.body)


async def test_file_that_the_server_sends_by_its_path_is_not_called_compressed(tmp_path: Path) -> None:
    file = tmp_path / "index.html"
    file.write_text(PAGE, encoding="utf-8")
    length = (b"content-length", str(len(PAGE)).encode())
    by_path: Message = {"type": "http.response.pathsend", "path": str(file)}
    program: Headers = [(b"host", HOST.encode()), (b"accept", b"*/*"), GZIP]

    answer = await ask(scripted(start(HTML, VARIES, length), by_path), request(headers=program))

    assert answer.messages[1] == by_path
    assert answer.all(b"content-encoding") == []
    assert answer.all(b"content-length") == [length[1]]


async def test_compressed_page_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="consentgate"):
        await ask(GZipMiddleware(HTMLResponse(LONG)), request(GZIP))

    assert caplog.messages == []


# An application that compresses without saying so for caches, as Litestar does.


def packed(*pieces: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> ASGIApp:
    """Return an application that sends these bytes as a page compressed with gzip."""
    messages = [body(piece, more=True) for piece in pieces]
    return scripted(start(HTML, (b"content-encoding", b"gzip"), *headers), *messages, body(b""))


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 7, 100, 1_000_000])
@pytest.mark.parametrize("members", [1, 3])
async def test_page_compressed_without_a_word_to_caches_has_its_banner_and_is_compressed(
    size: int, members: int
) -> None:
    content = b"".join(gzip.compress(piece) for piece in cut(LONG.encode(), len(LONG) // members + 1))
    plain = await ask(HTMLResponse(LONG), request())

    answer = await ask(packed(*cut(content, size)), request(GZIP))

    assert answer.all(b"content-encoding") == [b"gzip"]
    assert answer.all(b"content-length") == []
    assert gzip.decompress(answer.body) == plain.body
    assert BANNER in gzip.decompress(answer.body)


async def test_page_in_one_piece_says_its_new_length() -> None:
    content = gzip.compress(LONG.encode())
    length = (b"content-length", str(len(content)).encode())
    app = scripted(start(HTML, (b"content-encoding", b"gzip"), length), body(content))

    answer = await ask(app, request(GZIP))

    assert answer.all(b"content-length") == [str(len(answer.body)).encode()]
    assert len(answer.body) != len(content)


async def test_page_that_such_an_app_leaves_alone_is_not_compressed() -> None:
    answer = await ask(page(), request(GZIP))

    assert answer.all(b"content-encoding") == []
    assert BANNER in answer.body


async def test_app_that_tells_caches_is_asked_not_to_compress_from_then_on() -> None:
    heard: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend(value for key, value in scope["headers"] if key == b"accept-encoding")
        await GZipMiddleware(HTMLResponse(LONG))(scope, receive, send)

    async with make_client(app) as client:
        pages = [
            await client.get("/", headers={"accept": "text/html", "accept-encoding": "gzip, br"}) for _ in range(3)
        ]

    assert heard == [b"gzip", b"identity", b"identity"]
    assert {(page.headers["content-encoding"], page.text) for page in pages} == {("gzip", pages[0].text)}


async def test_app_that_tells_caches_only_when_it_compresses_is_asked_once_not_to() -> None:
    heard: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend(value for key, value in scope["headers"] if key == b"accept-encoding")
        said = (VARIES, (b"content-encoding", b"gzip")) if heard[-1] == b"gzip" else ()
        await send(start(HTML, *said))
        await send(body(gzip.compress(LONG.encode()) if said else LONG.encode()))

    async with make_client(app) as client:
        pages = [
            await client.get("/", headers={"accept": "text/html", "accept-encoding": "gzip, br"}) for _ in range(4)
        ]

    assert heard == [b"gzip", b"identity", b"gzip", b"gzip"]
    assert {(page.headers["content-encoding"], page.text) for page in pages} == {("gzip", pages[0].text)}
    assert all("accept-encoding" in page.headers["vary"].lower() for page in pages)


async def test_visitor_who_takes_no_gzip_never_has_the_app_compress() -> None:
    answer = await ask(packed(gzip.compress(LONG.encode())), request((b"accept-encoding", b"br")))

    assert answer.body == gzip.compress(LONG.encode())  # it was asked for identity: untouched, and a warning


async def test_page_that_is_only_called_gzip_passes_as_it_is() -> None:
    answer = await ask(packed(*cut(PAGE.encode(), 50)), request(GZIP))

    assert BANNER in gzip.decompress(answer.body)
    assert b"</html>" in gzip.decompress(answer.body)


async def test_fault_inside_a_compressed_page_ends_it_and_nothing_is_raised() -> None:
    compressor = zlib.compressobj(wbits=31)
    begin = compressor.compress(LONG.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)

    answer = await ask(packed(begin, b"\xff" * 50, b"more"), request(GZIP))

    assert BANNER in gzip.decompress(answer.body)
    assert gzip.decompress(answer.body).endswith(b"</html>")


async def test_pieces_of_a_compressed_stream_leave_as_they_come() -> None:
    compressor = zlib.compressobj(wbits=31)
    pieces = [
        compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
        for piece in (b"<!doctype html><body><p>1", b"<p>2", b"<p>3")
    ]

    answer = await ask(packed(*pieces), request(GZIP))

    decompressor = zlib.decompressobj(31)
    read = [decompressor.decompress(message.get("body", b"")) for message in answer.messages[1:]]
    assert [content[-4:] for content in read[:3]] == [b"<p>1", b"<p>2", b"<p>3"]


# A piece that holds a thousand times its size.

BOMB = gzip.compress(PAGE.replace("</body>", " " * 50_000_000 + "</body>").encode())  # 50 KB


def in_one_piece(content: bytes) -> ASGIApp:
    return scripted(start(HTML, (b"content-encoding", b"gzip")), body(content))


@pytest.mark.parametrize("answers", [None, REFUSED], ids=["undecided", "refused"])
async def test_piece_that_holds_fifty_megabytes_is_opened_in_steps(answers: dict[str, bool] | None) -> None:
    decompressor, sizes = zlib.decompressobj(31), [0]

    async def send(message: Message) -> None:
        opened = decompressor.decompress(message.get("body", b""))
        sizes.append(len(opened))

    site, scope = make_site(in_one_piece(BOMB), make_policy()), request(GZIP, answers=answers)
    tracemalloc.start()
    try:
        await site(scope, nothing_more, send)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert sum(sizes) > 50_000_000
    assert decompressor.eof
    assert most < 12_000_000


async def test_nothing_more_is_opened_while_the_visitor_takes_nothing() -> None:
    sent: list[Message] = []
    has_enough, takes = asyncio.Event(), asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 3:
            has_enough.set()
            await takes.wait()

    answering = asyncio.ensure_future(make_site(in_one_piece(BOMB))(request(GZIP), nothing_more, send))
    await has_enough.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    were_sent = len(sent)
    takes.set()
    await answering

    assert were_sent == 3
    assert len(sent) > 40
    assert not sent[-1].get("more_body", False)


async def test_page_that_ends_with_a_step_is_whole() -> None:
    content = f"{PAGE}<!--{'x' * 3_000_000}".encode()[: 2 * STEP]

    answer = await ask(in_one_piece(gzip.compress(content)), request(GZIP, answers=REFUSED))

    assert gzip.decompress(answer.body)[-STEP:] == content[-STEP:]


async def test_many_empty_members_are_an_empty_page() -> None:
    answer = await ask(in_one_piece(gzip.compress(b"") * 2_000), request(GZIP))

    assert gzip.decompress(answer.body) == b""
