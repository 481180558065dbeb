"""A small site that records choices, for uvicorn to serve; CONSENTGATE_RECORDS names its log."""

from __future__ import annotations

from time import time

from starlette.types import ASGIApp

from tests.conftest import KEY, make_policy, make_site, page

__all__ = ["create_app"]


def create_app() -> ASGIApp:
    """Build the site; its allowance is larger than any load of a test."""
    return make_site(page(), make_policy(records_per_minute=10_000_000, secure=False), keys=[KEY], now=time)
