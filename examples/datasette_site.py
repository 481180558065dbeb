"""Datasette with consentgate around it: `python -m examples.datasette_site`, then http://127.0.0.1:8000.

The module is a plugin of Datasette's. With Datasette's own command line, put the policy and `asgi_wrapper` alone into a
file of `--plugins-dir`.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Awaitable, Callable

from datasette import Response, hookimpl
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils.asgi import Request
from starlette.types import ASGIApp

from consentgate import (
    Category,
    ConsentMiddleware,
    ConsentPolicy,
    Controller,
    GoogleAnalytics,
    StorageItem,
    consent_from,
)

PAGE = """<!doctype html>
<html lang="en-GB">
<head><meta charset="utf-8"><title>Our bread - Corner Bakery</title></head>
<body>
<nav><a href="/">Data</a></nav>
<main><h1>Our bread</h1>
{counted}
</main>
<footer><a href="{cookies_page}">Cookies</a></footer>
</body>
</html>"""

TABLE = """
create table bread (id integer primary key, name text, price_pence integer);
insert into bread values (1, 'Sourdough', 380), (2, 'Rye', 320), (3, 'Cottage loaf', 290);
"""

POLICY = ConsentPolicy(
    site_name="Corner Bakery",
    controller=Controller(name="Corner Bakery Ltd", email="hello@example.org"),
    categories=(
        Category(
            id="essential",
            items=(
                StorageItem(name="ds_actor", purpose="Keeps you signed in.", duration="When you close your browser"),
                StorageItem(
                    name="ds_csrftoken",
                    purpose="Keeps forms safe from misuse.",
                    duration="When you close your browser",
                ),
                StorageItem(
                    name="ds_messages",
                    purpose="Tells you how something you did went.",
                    duration="When you close your browser",
                ),
            ),
        ),
        Category(
            id="analytics",
            items=(StorageItem(name="visited", purpose="Tells new visitors from returning ones.", duration="30 days"),),
            services=(GoogleAnalytics(measurement_id="G-AB12CD34EF"),),
        ),
    ),
)

# A key drawn at start is for development only: after a restart every visitor is asked again, and two worker
# processes would not believe each other's cookies. On a server, set CONSENTGATE_KEYS (`consentgate key` draws one).
KEYS = os.environ.get("CONSENTGATE_KEYS") or secrets.token_urlsafe(32)


@hookimpl
def asgi_wrapper() -> Callable[[ASGIApp], ASGIApp]:
    """Mount the middleware in Datasette's own way."""
    return lambda app: ConsentMiddleware(app, POLICY, keys=KEYS)


@hookimpl
def startup(datasette: Datasette) -> Callable[[], Awaitable[None]]:
    """Make a table in memory."""

    async def make() -> None:
        await datasette.add_memory_database("bakery").execute_write_script(TABLE)

    return make


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    """Add pages of our own to Datasette's."""
    return [(r"^/bread$", bread), (r"^/offer$", offer)]


async def bread(request: Request) -> Response:
    """Show a page of our own."""
    consent = consent_from(request.scope)
    counted = "<p>Thank you for letting us count visits.</p>" if consent.allows("analytics") else ""
    response = Response.html(PAGE.format(counted=counted, cookies_page=consent.cookies_page))
    # Withheld until the visitor accepts analytics; the program needs no `if` for it.
    response.set_cookie("visited", "yes", max_age=30 * 24 * 3600)
    return response


async def offer() -> Response:
    """Set a cookie that the policy does not list: it is withheld, and the log says which lines would list it."""
    response = Response.redirect("/bread")
    response.set_cookie("campaign", "newsletter")
    return response


pm.register(sys.modules[__name__])
datasette = Datasette(metadata={"title": "Corner Bakery", "about": "Cookies", "about_url": POLICY.path_prefix})
app: ASGIApp = datasette.app()


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
