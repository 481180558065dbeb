"""A Flask site, through a2wsgi, with consentgate around it: `python -m examples.wsgi_site`, then http://127.0.0.1:8000."""

from __future__ import annotations

import os
import secrets

from a2wsgi import WSGIMiddleware
from flask import Flask, make_response, redirect, render_template_string, request, session
from flask.typing import ResponseReturnValue

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

site = Flask(__name__)
site.secret_key = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32)


@site.get("/")
def home() -> ResponseReturnValue:
    """Show the first page."""
    return _page("Fresh bread, every morning")


@site.get("/bread")
def bread() -> ResponseReturnValue:
    """Show a second page."""
    return _page("Our bread")


@site.post("/basket")
def basket() -> ResponseReturnValue:
    """Keep something in the session, whose cookie is essential here."""
    session["basket"] = request.form.get("bread", "")
    return redirect("/", 303)


@site.get("/offer")
def offer() -> ResponseReturnValue:
    """Set a cookie that the policy does not list: it is withheld, and the log says which lines would list it."""
    response = redirect("/", 303)
    response.set_cookie("campaign", "newsletter")
    return response


def _page(title: str) -> ResponseReturnValue:
    consent = consent_from(request.environ["asgi.scope"])  # a2wsgi hands the scope on
    markup = render_template_string(
        PAGE,
        title=title,
        basket=session.get("basket", "nothing yet"),
        counted=consent.allows("analytics"),
        cookies_page=consent.cookies_page,
    )
    response = make_response(markup)
    # Withheld until the visitor accepts analytics; the program needs no `if` for it.
    response.set_cookie("visited", "yes", max_age=30 * 24 * 3600)
    return response


app = ConsentMiddleware(
    WSGIMiddleware(site.wsgi_app),  # type: ignore[arg-type]  # they write the type of a WSGI environment differently
    POLICY,
    keys=KEYS,
)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
