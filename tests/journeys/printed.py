"""A site that prints other people's tags, and the hosts of those; every request that reaches the hosts is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, consent_from
from consentgate.services import (
    CustomService,
    GoogleMaps,
    GoogleTagManager,
    Matomo,
    MetaPixel,
    MicrosoftClarity,
    Plausible,
    Vimeo,
    YouTube,
)
from tests.conftest import KEY

__all__ = ["HOST", "POLICY", "PROVIDERS", "STARTED", "Printed"]

HOST = "printed.localhost"
PROVIDERS = (
    "www.googletagmanager.com",
    "www.youtube.com",
    "player.vimeo.com",
    "www.google.com",
    "connect.facebook.net",
    "www.facebook.com",
    "www.clarity.ms",
    "plausible.io",
    "stats.luton.example",
    "chat.luton.example",
    "video.luton.example",
)

POLICY = ConsentPolicy(
    site_name="Luton in pictures",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(
        Category(
            id="analytics",
            services=(
                GoogleAnalytics(measurement_id="G-LUTON123", printed=True),
                GoogleTagManager(container_id="GTM-LUTON1", printed=True),
                MicrosoftClarity(project_id="abc123", printed=True),
                Matomo(url="https://stats.luton.example/", site_id=1, printed=True),
                Plausible(domain="luton.example", script_origin="https://plausible.io", printed=True),
            ),
        ),
        Category(
            id="marketing",
            services=(
                YouTube(),
                Vimeo(),
                GoogleMaps(),
                MetaPixel(pixel_id="12345", printed=True),
                CustomService(
                    title="Luton Chat",
                    provider="Chat Ltd",
                    privacy_url="/privacy",
                    addresses=("chat.luton.example",),
                ),
            ),
        ),
    ),
)
"""Pages bring all tags themselves."""

STARTED = replace(
    POLICY,
    categories=(
        Category(
            id="analytics",
            services=(
                GoogleTagManager(container_id="GTM-LUTON1"),
                MicrosoftClarity(project_id="abc123"),
                Matomo(url="https://stats.luton.example/", site_id=1),
                Plausible(domain="luton.example"),
            ),
        ),
        Category(id="marketing", services=(MetaPixel(pixel_id="12345"),)),
    ),
)
"""consentgate starts the services."""


@dataclass
class Printed:
    """Answer for the site and for the hosts of others.

    Args:
        policy: of the site.
        pages: its pages by path.
        headers: of every page.
        files: its scripts by path.
        heard: addresses that others were asked for.
        places_banner: whether its pages have a place of their own for the question.
    """

    policy: ConsentPolicy = POLICY
    pages: dict[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    places_banner: bool = False

    def make(self, port: int) -> ASGIApp:
        """Return the application for a port."""
        site = ConsentMiddleware(self._site, self.policy, keys=[KEY])

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            host = Request(scope).headers["host"].partition(":")[0]
            if host == HOST:
                await site(scope, receive, send)
            else:
                await self._provider(host, Request(scope))(scope, receive, send)

        return app

    async def _site(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in self.files:
            await Response(self.files[path], media_type="text/javascript")(scope, receive, send)
            return
        if self.places_banner:
            consent_from(scope).banner()
        page = self.pages.get(path)
        response = HTMLResponse(page, headers=dict(self.headers)) if page else Response("", 404)
        await response(scope, receive, send)

    def _provider(self, host: str, request: Request) -> Response:
        address = f"{host}{request.url.path}"
        self.heard.append(address + (f"?{request.url.query}" if request.url.query else ""))
        if request.url.path.endswith((".js", "/js")) or "/tag/" in request.url.path:
            ran = f"(window.ran = window.ran || []).push('{address}')"
            return Response(ran, media_type="text/javascript", headers={"access-control-allow-origin": "*"})
        if request.url.path.startswith(("/tr", "/pixel")):
            return JSONResponse({})
        return HTMLResponse(f"<!doctype html><title>{host}</title><p>This is {host}</p>")
