"""A Quart site with consentgate around it: `python -m examples.quart_site`, then http://127.0.0.1:8000."""

from __future__ import annotations

import os
import secrets

from quart import Quart, make_response, redirect, render_template_string, request, session
from quart.typing import ResponseReturnValue

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
<head><meta charset="utf-8"><title>{{ title }} - Corner Bakery</title></head>
<body>
<nav><a href="/">Home</a> <a href="/bread">Bread</a></nav>
<main><h1>{{ title }}</h1>
<p>In your basket: {{ basket }}</p>
{% if counted %}<p>Thank you for letting us count visits.</p>{% endif %}
<form method="post" action="/basket"><button name="bread" value="a sourdough">Buy a sourdough</button></form>
</main>
<footer><a href="{{ cookies_page }}">Cookies</a></footer>
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

app = Quart(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32)


@app.get("/")
async def home() -> ResponseReturnValue:
    """Show the first page."""
    return await _page("Fresh bread, every morning")


@app.get("/bread")
async def bread() -> ResponseReturnValue:
    """Show a second page."""
    return await _page("Our bread")


@app.post("/basket")
async def basket() -> ResponseReturnValue:
    """Keep something in the session, whose cookie is essential here."""
    session["basket"] = (await request.form).get("bread", "")
    return redirect("/", 303)


@app.get("/offer")
async def offer() -> ResponseReturnValue:
    """Set a cookie that the policy does not list: it is withheld, and the log says which lines would list it."""
    response = await make_response(redirect("/", 303))
    response.set_cookie("campaign", "newsletter")
    return response


async def _page(title: str) -> ResponseReturnValue:
    consent = consent_from(request.scope)
    counted = consent.allows("analytics")
    markup = await render_template_string(
        PAGE,
        title=title,
        basket=session.get("basket", "nothing yet"),
        counted=counted,
        cookies_page=consent.cookies_page,
    )
    response = await make_response(markup)
    # Withheld until the visitor accepts analytics; the program needs no `if` for it.
    response.set_cookie("visited", "yes", max_age=30 * 24 * 3600)
    return response


# Quart's own way to add ASGI middleware: `app` stays the Quart object, for its command line and its test client.
app.asgi_app = ConsentMiddleware(  # type: ignore[method-assign,assignment]  # Quart types the scope more narrowly
    app.asgi_app, POLICY, keys=KEYS
)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
