"""Visit an ASGI application in this process: its lifespan, and a visitor with a cookie jar who opens pages.

It speaks ASGI itself: HTTP clients hide from the application what `scope["extensions"]` has to tell it, join an endless
page, and leave out the lifespan.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate.cookies import is_expiry, set_cookie_name
from consentgate.visit import Site

__all__ = ["Answer", "Page", "StartupError", "Visitor", "running"]

HeaderList = list[tuple[bytes, bytes]]

_SECONDS = 20.0  # for one page; what runs longer is an endless stream
_STARTUP_SECONDS = 60.0
_LINGER_SECONDS = 2.0  # for what runs on in the background after a page is complete
_MOST_BYTES = 4_194_304  # of one page


class StartupError(Exception):
    """Say why the application did not start."""


@dataclass(slots=True)
class Answer:
    """Collect what is sent for one request.

    Args:
        status: 0 until a response began.
        headers: the response's.
        body: the beginning of it, at most 4 MB.
        complete: whether the response came to its end.
    """

    status: int = 0
    headers: HeaderList = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False

    def take(self, message: Message) -> None:
        """Take an ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(key).lower(), bytes(value)) for key, value in message.get("headers") or ()]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")[: _MOST_BYTES - len(self.body)]
            self.complete = not message.get("more_body", False)

    def values(self, name: bytes) -> list[bytes]:
        """List the values of a header."""
        return [value for key, value in self.headers if key == name]

    @property
    def is_html(self) -> bool:
        """Whether it is a page that can be read."""
        encoded = [value for value in self.values(b"content-encoding") if value.lower() != b"identity"]
        return not encoded and any(b"html" in value.lower() for value in self.values(b"content-type"))


@dataclass(frozen=True, slots=True)
class Page:
    """Hold what came of one request.

    Args:
        written: what the application sent.
        left: what left the site; the same when no ConsentMiddleware took the request.
        error: what the application raised, if anything.
    """

    written: Answer
    left: Answer
    error: BaseException | None


class Visitor:
    """Open pages with a cookie jar.

    Args:
        app: the application.
        host: the `Host` header.
        cookies: what the jar holds at first.
        state: what the application's lifespan left for its requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        *,
        cookies: Mapping[str, str] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._app = app
        self.host = host
        self._state = state or {}
        self._jar = {(name, "/"): value for name, value in (cookies or {}).items()}
        self.site: Site | None = None  # of the ConsentMiddleware that took a request
        self._written = Answer()
        self._is_recorded = False

    async def open(self, path: str) -> Page:
        """Send a GET request for a path with its query, and wait for the answer or for as much as is needed."""
        self._is_recorded = False
        left = Answer()
        error = await self._run(path, left)
        for line in left.values(b"set-cookie"):
            self._keep(line)
        return Page(self._written if self._is_recorded else left, left, error)

    def record(self, site: Site, send: Send) -> Send:
        """Take note of what the application sends before consentgate looks at it."""
        self.site = site
        self._is_recorded = True
        written = self._written = Answer()

        async def recorded(message: Message) -> None:
            if "headers" in message:
                message = {**message, "headers": list(message["headers"])}  # a generator can be read once only
            written.take(message)
            await send(message)

        return recorded

    async def _run(self, path: str, answer: Answer) -> BaseException | None:
        enough = asyncio.Event()
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            answer.take(message)
            if answer.complete or len(answer.body) >= _MOST_BYTES:
                enough.set()

        task = asyncio.ensure_future(_call(self._app, self._scope(path), receive, send))
        waiting = asyncio.ensure_future(enough.wait())
        await asyncio.wait((task, waiting), timeout=_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        enough.set()  # from here on the application hears that the visitor has left
        waiting.cancel()
        return await _error_of(task, answer)

    def _scope(self, path: str) -> Scope:
        plain, _, query = path.partition("?")
        headers = [
            (b"host", self.host.encode("idna" if not self.host.isascii() else "ascii")),
            (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
            (b"user-agent", b"consentgate check"),
            (b"sec-fetch-dest", b"document"),
            (b"sec-fetch-mode", b"navigate"),
            (b"sec-fetch-site", b"same-origin"),
        ]
        if cookie := self._cookie_header(plain):
            headers.append((b"cookie", cookie.encode("latin-1", "replace")))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": unquote_to_bytes(plain).decode("utf-8", "replace"),
            "raw_path": plain.encode("ascii", "replace"),
            "query_string": query.encode("ascii", "replace"),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50_000),
            "server": (self.host.partition(":")[0], 443),
            "state": dict(self._state),
            "extensions": {"consentgate.inventory": self},
        }

    def _cookie_header(self, path: str) -> str:
        fitting = ((name, value) for (name, at), value in self._jar.items() if _is_below(path, at))
        return "; ".join(f"{name}={value}" for name, value in fitting)

    def _keep(self, line: bytes) -> None:
        """Keep a cookie as a browser would that stays on one host."""
        pair, _, attributes = line.partition(b";")
        name, value = set_cookie_name(line), pair.partition(b"=")[2].strip().decode("latin-1")
        paths = [part.strip()[5:].decode("latin-1") for part in attributes.split(b";") if _is_path(part)]
        place = (name, paths[-1] if paths else "/")
        if is_expiry(line, time.time()):
            self._jar.pop(place, None)
        else:
            self._jar[place] = value


async def _call(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an application; what it raises before there is anything to await is raised here as well."""
    await app(scope, receive, send)


async def _error_of(task: asyncio.Future[None], answer: Answer) -> BaseException | None:
    """Let the application finish, and return what it raised or failed to do."""
    await _end(task)
    if task.done() and not task.cancelled() and (error := task.exception()):
        return error
    if answer.status:
        return None
    if task.cancelled() or not task.done():
        return TimeoutError(f"no answer within {_SECONDS:.0f} seconds")
    return RuntimeError("it ended without sending a response")


async def _end(task: asyncio.Future[None]) -> None:
    await asyncio.wait((task,), timeout=_LINGER_SECONDS)
    if not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_LINGER_SECONDS)


def _is_path(attribute: bytes) -> bool:
    return attribute.strip().lower().startswith(b"path=/")


def _is_below(path: str, folder: str) -> bool:
    """Tell whether a cookie's path covers a request's (RFC 6265bis 5.1.4)."""
    return path == folder or path.startswith(folder if folder.endswith("/") else folder + "/")


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[Mapping[str, Any]]:
    """Start an application's lifespan, yield its state, and end it again. One without a lifespan just runs.

    Raises:
        StartupError: when the application says that it cannot start.
    """
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    state: dict[str, Any] = {}
    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    task = asyncio.ensure_future(_until_end(_call(app, scope, told.get, said.put)))
    try:
        await told.put({"type": "lifespan.startup"})
        started = await _reply(task, said)
        if started["type"] == "lifespan.startup.failed":
            raise StartupError(_last_line(started.get("message", "")))
        try:
            yield state
        finally:
            await told.put({"type": "lifespan.shutdown"})
            await _reply(task, said)
    finally:
        await _end(task)


async def _until_end(lifespan: Awaitable[None]) -> None:
    """Wait for an application's lifespan; one that knows none may raise, as servers allow it to."""
    with suppress(Exception):
        await lifespan


async def _reply(task: asyncio.Future[None], said: asyncio.Queue[Message]) -> Message:
    """Wait for the application's word, or for it to end without one."""
    word = asyncio.ensure_future(said.get())
    await asyncio.wait((task, word), timeout=_STARTUP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if word.done():
        return word.result()
    word.cancel()
    if task.done():
        return {"type": "none"}
    return {"type": "lifespan.startup.failed", "message": f"no word within {_STARTUP_SECONDS:.0f} seconds"}


def _last_line(message: str) -> str:
    """Return what matters of a message that may be a whole traceback."""
    return next((line.strip() for line in reversed(message.splitlines()) if line.strip()), "it gave no reason")
