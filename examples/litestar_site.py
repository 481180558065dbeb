"""A Litestar site with consentgate around it: `python -m examples.litestar_site`, then http://127.0.0.1:8000."""

from __future__ import annotations

import os
import secrets
from typing import Any

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.response import Redirect

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
<head><meta charset="utf-8"><title>{title} - Corner Bakery</title></head>
<body>
<nav><a href="/">Home</a> <a href="/bread">Bread</a></nav>
<main><h1>{title}</h1>
<p>{basket}</p>
<p>{counted}</p>
<form method="post" action="/basket"><button name="bread" value="a sourdough">Buy a sourdough</button></form>
</main>
<footer><a href="{cookies_page}">Cookies</a></footer>
</body>
</html>"""

POLICY = ConsentPolicy(
    site_name="Corner Bakery",
    controller=Controller(name="Corner Bakery Ltd", email="hello@example.org"),
    categories=(
        Category(
            id="essential",
            items=(
                StorageItem(
                    name="session",
                    purpose="Remembers what you put into your basket.",
                    duration="14 days",
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


@get("/", media_type=MediaType.HTML)
async def home(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the first page."""
    return _page(request, "Fresh bread, every morning")


@get("/bread", media_type=MediaType.HTML)
async def bread(request: Request[Any, Any, Any]) -> Response[str]:
    """Show a second page."""
    return _page(request, "Our bread")


@post("/basket")
async def basket(request: Request[Any, Any, Any]) -> Redirect:
    """Keep something in the session, whose cookie is essential here."""
    request.session["basket"] = (await request.form()).get("bread", "")
    return Redirect("/", status_code=303)


@get("/offer")
async def offer() -> Redirect:
    """Set a cookie that the policy does not list: it is withheld, and the log says which lines would list it."""
    response = Redirect("/", status_code=303)
    response.set_cookie("campaign", "newsletter")
    return response


def _page(request: Request[Any, Any, Any], title: str) -> Response[str]:
    consent = consent_from(request.scope)
    markup = PAGE.format(
        title=title,
        basket=f"In your basket: {request.session.get('basket', 'nothing yet')}",
        counted="Thank you for letting us count visits." if consent.allows("analytics") else "",
        cookies_page=consent.cookies_page,
    )
    response = Response(markup)
    # Withheld until the visitor accepts analytics; the program needs no `if` for it.
    response.set_cookie("visited", "yes", max_age=30 * 24 * 3600)
    return response


site = Litestar(route_handlers=[home, bread, basket, offer], middleware=[ServerSideSessionConfig().middleware])

# Around the Litestar object, not in its `middleware`: that runs for Litestar's own routes only, so the banner's form
# and style sheet would not be found, and error pages would go without a banner.
app = ConsentMiddleware(site, POLICY, keys=KEYS)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
