"""The applications that a real server runs for the benchmarks, by name: `uvicorn benchmarks.served:bare`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from benchmarks.hand_written import HandWritten
from benchmarks.sites import KEY, PAGE_20K, POLICY, afresh, page, pieces, site, with_session
from consentgate import ConsentMiddleware

__all__ = [
    "CHUNK",
    "PAUSE_SECONDS",
    "STREAMED",
    "bare",
    "bare_again",
    "consentgate",
    "hand_written",
    "report",
    "session",
]

CHUNK = 65_536
STREAMED = 50_000_000  # bytes
PAUSE_SECONDS = 0.5
_LARGE = pieces(page(200_000), CHUNK)
_BEGINNING, _MORE = PAGE_20K.ljust(CHUNK), (b"<p>More of it, as it comes.</p>\n" * 4096)[: CHUNK - 23]

_PRINTED = b'<script async src="https://www.googletagmanager.com/gtag/js?id=G-ABCDEFGH12"></script>'


async def _large(request: Request) -> Response:
    """Answer with a page of 200 KB, in pieces."""

    async def body() -> AsyncIterator[bytes]:
        for piece in _LARGE:
            yield afresh(piece)

    return StreamingResponse(body(), media_type="text/html")


async def _stream(request: Request) -> Response:
    """Answer with a page of 50 MB that nobody ever held in memory; it prints a tag itself when asked to."""

    async def body() -> AsyncIterator[bytes]:
        yield _BEGINNING.replace(b"</head>", _PRINTED + b"</head>") if request.url.query == "tag" else _BEGINNING
        for number in range(STREAMED // CHUNK - 1):
            yield b"<p>%016d</p>" % number + _MORE  # each is another one

    return StreamingResponse(body(), media_type="text/html")


async def _slow(request: Request) -> Response:
    """Answer with the beginning of a page, and after a while with the rest."""

    async def body() -> AsyncIterator[bytes]:
        yield _BEGINNING
        await asyncio.sleep(PAUSE_SECONDS)
        yield _MORE

    return StreamingResponse(body(), media_type="text/html")


_STREAMS = {"/large": _large, "/stream": _stream, "/slow": _slow}
bare = Starlette(routes=[*site().routes, *(Route(path, endpoint) for path, endpoint in _STREAMS.items())])
bare_again = bare
session = with_session(bare)
consentgate = ConsentMiddleware(bare, POLICY, keys=[KEY])
report = ConsentMiddleware(bare, replace(POLICY, printed_tags="report"), keys=[KEY])
hand_written = HandWritten(bare, "<section>Cookies?</section>", "<script></script>")
