"""Put the demo together: three sites behind one ConsentMiddleware, and the stand-in for Google."""

from __future__ import annotations

import atexit
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from consentgate import Category, ConsentMiddleware, ConsentPolicy, GoogleAnalytics, load_policy
from examples.step_forward_luton.google_stand_in import STAND_IN_HOST, create_stand_in
from examples.step_forward_luton.sites import create_sites

__all__ = ["create_app", "demo_policy", "new_log"]

POLICY_FILE = Path(__file__).with_name("consentgate.toml")


def create_app(port: int, *, keys: Sequence[str] | None = None, records: str | None = None) -> ASGIApp:
    """Build the whole demo for one port of this computer.

    Args:
        port: where it will be served; the sites' links to each other carry it.
        keys: signing keys, newest first; by default one made for this run: the repository holds no secret.
        records: where answers are recorded; by default a SQLite file for this run.
    """
    sites = create_sites(port)
    app = ConsentMiddleware(
        sites, policy=demo_policy(port), keys=keys or [secrets.token_urlsafe(32)], records=records or new_log()
    )
    return _beside(app, STAND_IN_HOST, create_stand_in())


def new_log() -> str:
    """Return the address of a consent log that goes when the demo ends, as the keys do."""
    folder = Path(tempfile.mkdtemp(prefix="step-forward-luton-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return f"sqlite:///{folder / 'consent.db'}"


def demo_policy(port: int) -> ConsentPolicy:
    """Read the real policy and move its addresses to loopback."""
    policy = load_policy(POLICY_FILE)
    return replace(
        policy,
        hosts=tuple(_on_loopback(host) for host in policy.hosts),
        cookie_domain=_on_loopback(policy.cookie_domain) if policy.cookie_domain else None,
        categories=tuple(_with_stand_in(category, port) for category in policy.categories),
        themes={_on_loopback(host): theme for host, theme in (policy.themes or {}).items()},
    )


def _with_stand_in(category: Category, port: int) -> Category:
    services = tuple(
        _measured_by_stand_in(service, port) if isinstance(service, GoogleAnalytics) else service
        for service in category.services
    )
    return replace(category, services=services)


def _measured_by_stand_in(service: GoogleAnalytics, port: int) -> GoogleAnalytics:
    ids = service.measurement_id
    if not isinstance(ids, str):
        ids = {_on_loopback(host): measurement_id for host, measurement_id in ids.items()}
    return replace(service, measurement_id=ids, script_origin=f"http://{STAND_IN_HOST}:{port}")


def _on_loopback(host: str) -> str:
    """Turn a public host into one that browsers resolve to this computer (RFC 6761, section 6.3)."""
    return host.removesuffix(".co.uk") + ".localhost"


def _beside(app: ASGIApp, host: str, other: ASGIApp) -> ASGIApp:
    """Serve another application for one host name, and everything else, lifespan included, by the first."""

    async def by_host(scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).get("host", "") if scope["type"] == "http" else ""
        chosen = other if asked.partition(":")[0].lower() == host else app
        await chosen(scope, receive, send)

    return by_host
