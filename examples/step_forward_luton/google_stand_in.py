"""A stand-in for Google Analytics on loopback: it serves a tag, takes its hits and shows them live."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

__all__ = ["STAND_IN_HOST", "Hit", "Hits", "create_stand_in"]

HERE = Path(__file__).parent
STAND_IN_HOST = "google-stand-in.localhost"
MEASUREMENT_ID = re.compile(r"G-[A-Z0-9]{4,20}")
LONGEST_BODY = 64 * 1024  # bytes
STREAM_SECONDS = 2.0  # a stream ends and the browser comes back: so the server can stop at any time
ALLOWED = {"G100": "none", "G101": "analytics", "G110": "advertising", "G111": "analytics and advertising"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Record one request that Google would have received."""

    number: int
    time: str
    path: str
    event: str
    measurement_id: str
    page: str
    consent: str
    allowed: str
    client_id: str
    params: dict[str, str]


class Hits:
    """Keep the newest hits in memory and tell those who wait that something changed."""

    def __init__(self, limit: int = 500) -> None:
        self._hits: deque[Hit] = deque(maxlen=limit)
        self._received = 0
        self._changed = asyncio.Event()
        self.revision = f"{time.time_ns():x}-0"

    def record(self, path: str, params: dict[str, str]) -> None:
        """Add one hit."""
        self._received += 1
        consent = params.get("gcs", "")
        self._hits.append(
            Hit(
                number=self._received,
                time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                path=path,
                event=params.get("en", ""),
                measurement_id=params.get("tid") or params.get("id", ""),
                page=params.get("dl", ""),
                consent=consent,
                allowed=ALLOWED.get(consent, "not said"),
                client_id=params.get("cid", ""),
                params=params,
            )
        )
        self._announce()

    def clear(self) -> None:
        """Forget all hits."""
        self._hits.clear()
        self._announce()

    def __len__(self) -> int:
        return len(self._hits)

    def oldest_first(self) -> list[Hit]:
        """List the hits as they came."""
        return list(self._hits)

    def newest_first(self) -> list[Hit]:
        """List the hits with the last one on top."""
        return self.oldest_first()[::-1]

    async def wait_for_news(self, seen: str, seconds: float) -> bool:
        """Wait until the list is another than the one that was seen, and tell whether it came to that."""
        if seen == self.revision:
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except TimeoutError:
                return False
        return True

    def _announce(self) -> None:
        start, _, count = self.revision.partition("-")
        self.revision = f"{start}-{int(count) + 1}"
        self._changed.set()
        self._changed = asyncio.Event()


def create_stand_in() -> Starlette:
    """Build the stand-in, with no hits yet."""
    views = StandInViews(Hits())
    return Starlette(
        routes=[
            Route("/", views.show),
            Route("/gtag/js", views.tag),
            Route("/g/collect", views.collect, methods=["GET", "POST", "OPTIONS"]),
            Route("/measurement/conversion", views.collect, methods=["GET", "POST", "OPTIONS"]),
            Route("/hits", views.hits),
            Route("/events", views.events),
            Route("/clear", views.clear, methods=["POST"]),
            Route("/live.js", views.live_script),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]
    )


class StandInViews:
    """Answer as Google would, and show what was asked."""

    def __init__(self, hits: Hits) -> None:
        self._hits = hits
        self._templates = Jinja2Templates(directory=HERE / "templates")

    async def tag(self, request: Request) -> Response:
        """Serve the tag; asking for it already tells Google that somebody is there, so it counts as a hit."""
        if not MEASUREMENT_ID.fullmatch(request.query_params.get("id", "")):
            return PlainTextResponse("No such measurement id.", 404)
        page = request.headers.get("referer", "")
        self._hits.record(request.url.path, {"dl": page, **request.query_params})
        # Google lets browsers keep the tag for some minutes; here every page that loads it should be seen.
        return FileResponse(HERE / "static" / "gtag.js", headers={"cache-control": "no-store"})

    async def collect(self, request: Request) -> Response:
        """Take a hit: its values stand in the address, further events one a line in the body."""
        if request.method != "OPTIONS":
            shared = dict(request.query_params)
            for event in await _events_in(request):
                self._hits.record(request.url.path, {**shared, **event})
        return Response(status_code=204, headers=_open_to(request.headers.get("origin")))

    async def show(self, request: Request) -> Response:
        """Show what was received, newest first."""
        response = self._templates.TemplateResponse(request, "google_stand_in.html", self._context())
        response.headers["cache-control"] = "no-store"
        return response

    async def hits(self, request: Request) -> Response:
        """List the hits as JSON, oldest first."""
        hits = [asdict(hit) for hit in self._hits.oldest_first()]
        return JSONResponse(hits, headers={"cache-control": "no-store"})

    async def events(self, request: Request) -> Response:
        """Stream the list of hits whenever it changes."""
        seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
        return StreamingResponse(
            self._stream(seen), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    async def clear(self, request: Request) -> Response:
        """Forget all hits and show the empty list."""
        self._hits.clear()
        return RedirectResponse("/", 303)

    async def live_script(self, request: Request) -> Response:
        """Serve the script that keeps the list up to date."""
        return FileResponse(HERE / "static" / "live.js")

    async def _stream(self, seen: str) -> AsyncIterator[str]:
        yield "retry: 100\n\n"
        end = time.monotonic() + STREAM_SECONDS
        while (left := end - time.monotonic()) > 0:
            if await self._hits.wait_for_news(seen, left):
                seen = self._hits.revision
                yield f"id: {seen}\ndata: {json.dumps(self._news())}\n\n"

    def _news(self) -> dict[str, str]:
        rows = self._templates.get_template("hits.html").render(self._context())
        return {"status": _status(len(self._hits)), "list": rows}

    def _context(self) -> dict[str, object]:
        return {
            "hits": self._hits.newest_first(),
            "status": _status(len(self._hits)),
            "revision": self._hits.revision,
            "address": _address,
        }


async def _events_in(request: Request) -> list[dict[str, str]]:
    body = await request.body()
    lines = body[:LONGEST_BODY].decode(errors="replace").splitlines()
    return [dict(parse_qsl(line)) for line in lines if line] or [{}]


def _open_to(origin: str | None) -> dict[str, str]:
    """Let any site send hits, as Google does."""
    headers = {"cache-control": "no-store", "access-control-allow-origin": origin or "*"}
    if origin:
        headers |= {"access-control-allow-credentials": "true", "vary": "Origin"}
    return headers


def _status(count: int) -> str:
    if not count:
        return "Nothing received."
    return "1 request received." if count == 1 else f"{count} requests received."


def _address(page: str) -> str:
    """Shorten an address to host and path; whatever was sent, it is shown rather than refused."""
    try:
        parts = urlsplit(page)
    except ValueError:
        return page
    return f"{parts.hostname or ''}{parts.path}"
