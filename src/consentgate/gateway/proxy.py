"""An ASGI application that answers with what the site behind it answers: a reverse proxy, streaming both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from consentgate.gateway.forwarding import Forwarding, HeaderList, end_to_end, has_body
from consentgate.gateway.upstream import Answer, Upstream, UpstreamError, request_head

__all__ = ["Outages", "Proxy", "Site", "Waits", "target_of"]

_log = logging.getLogger("consentgate.gateway")
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long to wait, in seconds.

    Args:
        response: for the site to begin its answer once it has the request.
        idle: for the next piece of an answer, and for the visitor to take it.
        client: for the next piece of a request's body.
    """

    response: float
    idle: float
    client: float


@dataclass(frozen=True, slots=True)
class Site:
    """Hold a site behind the gateway.

    Args:
        name: for logs and metrics.
        upstream: its connections.
    """

    name: str
    upstream: Upstream


class Outages(Protocol):
    """Answer in the place of a site that does not."""

    def __call__(self, status: int, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Send a page that says so.

        Args:
            status: 400, 408, 421, 502 or 504.
            scope: of the request.
            receive: of the server.
            send: of the gate.
        """
        ...


class Proxy:
    """Relay requests to sites.

    Args:
        site_of: finds the site of a request; `None` when there is none for its host.
        forwarding: decides on headers.
        waits: how long for what.
        outages: answers where a site does not.
        failed: is told the name of a site that did not answer, and the status that was sent in its place.
    """

    def __init__(
        self,
        site_of: Callable[[Scope], Site | None],
        forwarding: Forwarding,
        waits: Waits,
        outages: Outages,
        failed: Callable[[str, int], None],
    ) -> None:
        self._site_of = site_of
        self._forwarding = forwarding
        self._waits = waits
        self._outages = outages
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        site = self._site_of(scope)
        if site is None:
            await self._outages(421, scope, receive, send)
            return
        relay = _Relay(site.upstream, self._waits, scope, receive, send)
        headers = self._forwarding.request_headers(scope["headers"], scope["consentgate.peer"])
        failure = await relay.run(headers)
        if failure is None:
            return
        _log.warning("The site %s: %s.", site.name, failure.reason, extra={"site": site.name})
        self._failed(site.name, failure.status)
        if not relay.has_begun:
            await self._outages(failure.status, scope, receive, send)
        # What has gone out cannot be taken back. To return without the rest makes the server break the connection
        # off, so that a browser sees a page that stopped, and not one that is short.


@dataclass(frozen=True, slots=True)
class _Failure:
    status: int
    reason: str


class _Relay:
    """Relay one request and its answer."""

    def __init__(self, upstream: Upstream, waits: Waits, scope: Scope, receive: Receive, send: Send) -> None:
        self._upstream = upstream
        self._waits = waits
        self._scope = scope
        self._receive = receive
        self._send = send
        self._deadline: asyncio.Timeout
        self._has_sent_all = False
        self._waits_for_client = False
        self._client_left = False
        self._sends_body = has_body(scope["headers"])
        self._is_chunked = False
        self.has_begun = False

    async def run(self, headers: HeaderList) -> _Failure | None:
        """Relay, and say what went wrong if the site was to blame."""
        try:
            async with asyncio.timeout(self._waits.response) as self._deadline:
                await self._exchange(headers)
        except TimeoutError:
            if self._waits_for_client:
                return _Failure(408, "the visitor paused for too long within a request")
            return _Failure(504, "it took too long")
        except UpstreamError as error:
            return None if self._client_left else _Failure(502, str(error))
        except ValueError:
            return _Failure(400, "the request cannot be passed on")
        return None

    async def _exchange(self, headers: HeaderList) -> None:
        method: str = self._scope["method"]
        self._is_chunked = self._sends_body and not any(name.lower() == b"content-length" for name, _ in headers)
        if self._is_chunked:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        head = request_head(method, target_of(self._scope), headers)
        may_repeat = method in _REPEATABLE and not self._sends_body
        if not may_repeat or not await self._attempt(head, anew=False):
            await self._attempt(head, anew=True)

    async def _attempt(self, head: bytes, *, anew: bool) -> bool:
        """Ask and pass the answer on; tell whether there was one, or the site had just closed an idle connection."""
        answer = await self._upstream.ask(head, is_head=self._scope["method"] == "HEAD", anew=anew)
        client = asyncio.create_task(self._follow_client(answer))
        try:
            try:
                await answer.head()
            except UpstreamError:
                if answer.came_over_old_connection and not answer.has_begun and not self._client_left:
                    return False
                raise
            await self._pass_on(answer)
        finally:
            client.cancel()
            self._upstream.release(answer, is_done=self._has_sent_all)
        return True

    async def _follow_client(self, answer: Answer) -> None:
        """Send the request's body on as it comes; then wait for the visitor to leave before the answer is complete."""
        try:
            await self._send_body(answer)
        except UpstreamError:
            return  # the answer says why, or has come already
        if not self._client_left:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        self._client_left = True
        answer.abort()

    async def _send_body(self, answer: Answer) -> None:
        more = self._sends_body
        while more:
            self._hurry(self._waits.client, client=True)
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._client_left = True
                return
            self._hurry(self._waits.response)
            body, more = message.get("body", b""), message.get("more_body", False)
            if self._is_chunked and body:
                body = b"%x\r\n%s\r\n" % (len(body), body)
            if body:
                await answer.send(body)
        if self._is_chunked:
            await answer.send(b"0\r\n\r\n")
        self._has_sent_all = True
        self._hurry(self._waits.response)

    async def _pass_on(self, answer: Answer) -> None:
        self.has_begun = True
        self._waits_for_client = False
        self._wait(self._waits.idle)
        headers = end_to_end(answer.headers)
        if answer.status in (204, 304):  # they end with their head, whatever length a site names (RFC 9110 8.6)
            headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        last = False
        while not last:
            body, last = await answer.read()
            await self._send({"type": "http.response.body", "body": body, "more_body": not last})
            self._wait(self._waits.idle)

    def _hurry(self, seconds: float, *, client: bool = False) -> None:
        """Say how long the request's next step may take; once the answer has begun, only its own pace counts."""
        if not self.has_begun:
            self._waits_for_client = client
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)


def target_of(scope: Scope) -> bytes:
    """Return the path and query of a request as the visitor wrote them."""
    raw: bytes = (scope.get("raw_path") or b"").partition(b"?")[0]
    path = raw or quote(scope["path"], safe="/%:@!$&'()*+,;=~").encode("ascii")
    query: bytes = scope.get("query_string") or b""
    return path + b"?" + query if query else path
