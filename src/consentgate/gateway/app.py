"""The ASGI application that a worker runs: proxy and middleware for each request, health, reload."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from consentgate.errors import ConfigurationError
from consentgate.gateway.forwarding import Forwarding
from consentgate.gateway.logs import access_log, configure
from consentgate.gateway.metrics import Counts, Metrics
from consentgate.gateway.proxy import Proxy, Site, Waits
from consentgate.gateway.tunnel import tunnel
from consentgate.gateway.upstream import Upstream
from consentgate.gateway_settings import GatewaySettings, SiteBehind
from consentgate.middleware import ConsentMiddleware
from consentgate.origin import host_of
from consentgate.policy import ConsentPolicy
from consentgate.policy_file import load_gateway, load_policy
from consentgate.rendering import Place, Rendering

__all__ = ["Gateway", "MakeGateway"]

_log = logging.getLogger("consentgate.gateway")
_CAUSES = {400: "bad_request", 408: "timeout", 421: "no_site", 502: "down", 504: "slow"}
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_READY_SECONDS = 2  # for which an answer about readiness is given again
_RETRY_SECONDS = "10"


@dataclass(frozen=True, slots=True)
class MakeGateway:
    """Make a worker's application. It is sent to the worker's process, and so holds names only.

    Args:
        policy: the path of `consentgate.toml`.
        overrides: what the command line sets of the table `[gateway]`.
    """

    policy: str
    overrides: Mapping[str, Any]

    def __call__(self) -> Gateway:
        """Return the application."""
        _, settings = self.load()
        configure(settings.log)
        return Gateway(self.load, metrics=Metrics() if settings.metrics else None)

    def load(self) -> tuple[ConsentPolicy, GatewaySettings]:
        """Read the file.

        Raises:
            ConfigurationError: listing everything that is wrong.
        """
        return load_policy(Path(self.policy)), load_gateway(self.policy, self.overrides)


class Gateway:
    """Answer every request: with what the site behind answers, through the gate.

    Args:
        load: returns the policy and the settings, now and at each reload.
        metrics: what counts.
        keys: the signing keys; by default those in CONSENTGATE_KEYS.

    Raises:
        ConfigurationError: listing everything that is wrong.
    """

    def __init__(
        self,
        load: Callable[[], tuple[ConsentPolicy, GatewaySettings]],
        *,
        metrics: Metrics | None = None,
        keys: str | None = None,
    ) -> None:
        self._load = load
        self._metrics = metrics
        self._keys = keys
        self._serving = self._prepare()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._serving(scope, receive, send)

    def reload(self) -> None:
        """Read policy and settings again. What is wrong is logged, and changes nothing."""
        try:
            serving = self._prepare()
        except ConfigurationError as error:
            _log.error("The policy was not reloaded. %s", error)
            if self._metrics is not None:
                self._metrics.reload(is_right=False)
            return
        before, self._serving = self._serving, serving
        serving.middleware.take_over(before.middleware)
        before.close()  # answers on their way end as they began
        _log.info("The policy was reloaded.")
        if self._metrics is not None:
            self._metrics.reload(is_right=True)

    def _prepare(self) -> _Serving:
        return _Serving(*self._load(), self._metrics, self._keys)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._serving.middleware.settle()
        self._serving.close()
        await send({"type": "lifespan.shutdown.complete"})


class _Serving:
    """Hold what one state of the configuration adds up to."""

    def __init__(
        self, policy: ConsentPolicy, settings: GatewaySettings, metrics: Metrics | None, keys: str | None
    ) -> None:
        self.settings = settings
        self._metrics = metrics
        self._labels = {host: host for host in (*policy.hosts, *settings.sites)}
        observer = None if metrics is None else Counts(metrics, self._labels)
        self.middleware = ConsentMiddleware(self._behind, policy, keys=keys, observer=observer)
        self._rendering = Rendering(policy)
        self._prefix = policy.path_prefix
        self._hosts = policy.hosts
        self._forwarding = Forwarding(settings.trusted_proxies, settings.trusted_headers)
        self._sites = {host: self._site(host, site) for host, site in settings.all_sites().items()}
        self._default = self._sites.pop("", None)
        self._waits = Waits(
            response=settings.response_seconds, idle=settings.idle_seconds, client=settings.client_seconds
        )
        self._proxy = Proxy(self._site_of, self._forwarding, self._waits, self._outage, self._failed)
        self._check: asyncio.Task[tuple[float, dict[str, bool]]] | None = None  # the last one of readiness

    def _site(self, host: str, behind: SiteBehind) -> Site:
        upstream = Upstream(
            behind.upstream,
            most=self.settings.connections,
            connect_seconds=self.settings.connect_seconds,
            ca_file=behind.ca_file,
            certificate_host=behind.certificate_host,
        )
        return Site(host or "default", upstream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = self._forwarding.peer_of((scope.get("client") or ("",))[0], _web(scope["scheme"]), scope["headers"])
        scope["consentgate.peer"] = peer
        scope["client"] = (peer.address, 0) if peer.address else None
        if peer.scheme == "https":  # so that cookies are Secure
            scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"
        if scope["type"] == "websocket":
            await self.middleware(scope, receive, send)
            return
        if scope["path"] in (f"{self._prefix}/health", f"{self._prefix}/ready"):
            await self._report(scope, receive, send)
            return
        await self._measured(scope, receive, send)

    async def _behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the site does; the middleware stands around this."""
        if scope["type"] == "http":
            await self._proxy(scope, receive, send)
            return
        site = self._site_of(scope)
        if site is None:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = self._forwarding.request_headers(scope["headers"], scope["consentgate.peer"])
        await tunnel(site, headers, self._waits, self.settings.connect_seconds, scope, receive, send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        label = self._labels.get(_host(scope), "default")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        began = time.monotonic()
        status = 499  # as nginx writes it: the visitor left before there was an answer
        size = 0

        def counted(message: Message) -> Any:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            return send(message)

        if self._metrics is not None:
            self._metrics.began(label)
        try:
            await self.middleware(scope, receive, counted)
        finally:
            seconds = time.monotonic() - began
            if self._metrics is not None:
                self._metrics.ended(label, method, status, seconds)
            if self.settings.access_log:
                access_log(label, method, status, seconds, size)

    def _site_of(self, scope: Scope) -> Site | None:
        return self._sites.get(_host(scope), self._default)

    def _failed(self, site: str, status: int) -> None:
        if self._metrics is not None:
            self._metrics.outage(site, status)

    async def _outage(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Say in plain words that the site does not answer."""
        cause = _CAUSES[status]
        accept = next((value for name, value in scope["headers"] if name.lower() == b"accept"), b"")
        headers = {"cache-control": "no-store"}
        if status in (502, 504):
            headers["retry-after"] = _RETRY_SECONDS
        if status in (400, 408):
            headers["connection"] = "close"
        rendering = self._rendering
        languages = next(
            (value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-language"), ""
        )
        language = rendering.language_for(accept_language=languages)
        response: Response
        if b"text/html" in accept:
            listed = host if (host := _host(scope)) in self._hosts else ""
            place = Place(listed, "", scope["scheme"] in ("https", "wss"))
            spoken = rendering.place_in(place, language, is_utf8=True)
            response = HTMLResponse(rendering.outage_page(spoken, cause), status, headers=headers)
        else:
            text = rendering.speech(language).plain(f"outage.{cause}")
            response = PlainTextResponse(f"{text}\n", status, headers=headers)
        await response(scope, receive, send)

    async def _report(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell a load balancer whether this process lives, or whether the sites can be reached."""
        headers = {"cache-control": "no-store"}
        if Request(scope).method not in ("GET", "HEAD"):
            response: Response = PlainTextResponse("Method not allowed", 405, headers={"allow": "GET, HEAD"})
        elif scope["path"].endswith("/health"):
            response = JSONResponse({"healthy": True}, headers=headers)
        else:
            sites = await self._reachable()
            is_ready = all(sites.values())
            response = JSONResponse({"ready": is_ready, "sites": sites}, 200 if is_ready else 503, headers=headers)
        await response(scope, receive, send)

    async def _reachable(self) -> dict[str, bool]:
        """Tell which sites accept a connection. Anybody may ask: whoever asks at once or soon after gets one answer."""
        check = self._check
        if check is None or (check.done() and time.monotonic() - check.result()[0] > _READY_SECONDS):
            check = self._check = asyncio.create_task(self._look())
        return (await asyncio.shield(check))[1]

    async def _look(self) -> tuple[float, dict[str, bool]]:
        sites = [*self._sites.values(), *([self._default] if self._default else [])]
        found = await asyncio.gather(*(site.upstream.is_reachable() for site in sites))
        return time.monotonic(), {site.name: one for site, one in zip(sites, found, strict=True)}

    def close(self) -> None:
        """End idle connections."""
        for site in (*self._sites.values(), self._default):
            if site is not None:
                site.upstream.close()


def _host(scope: Scope) -> str:
    return host_of(next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), ""))


def _web(scheme: str) -> str:
    return "https" if scheme in ("https", "wss") else "http"
