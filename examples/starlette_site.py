"""A Starlette site with two pages: the policy in Python, consent asked for in code and in a Jinja template."""

from __future__ import annotations

import os
import secrets
from collections import Counter

from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, StorageItem

POLICY = ConsentPolicy(
    site_name="Exampleton Museum",
    controller=Controller(name="Exampleton Museum Trust", email="privacy@example.org"),
    privacy_policy="/privacy",
    categories=(
        Category(
            id="essential",
            items=(StorageItem(name="basket", purpose="Keeps the tickets you chose.", duration="1 hour"),),
        ),
        Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-AB12CD34EF"),)),
    ),
)

# Your own templates stand in files; these stand here so that the example is one file.
PAGES = {
    "layout.html": """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %} - Exampleton Museum</title>
</head>
<body>
<nav><a href="/">Home</a> <a href="/visit">Plan your visit</a></nav>
<main>{% block main %}{% endblock %}</main>
<footer>
{% if request.state.consent.allows("analytics") %}<p>Your visit is counted. Thank you.</p>{% endif %}
<a href="{{ request.state.consent.cookies_page }}">Cookies</a> <a href="/privacy">Privacy policy</a>
</footer>
</body>
</html>
""",
    "home.html": """{% extends "layout.html" %}
{% block title %}Home{% endblock %}
{% block main %}<h1>Hats, and how they were made</h1><p>Open every day but Monday.</p>{% endblock %}
""",
    "visit.html": """{% extends "layout.html" %}
{% block title %}Plan your visit{% endblock %}
{% block main %}<h1>Plan your visit</h1><p>Five minutes on foot from the station.</p>{% endblock %}
""",
    "privacy.html": """{% extends "layout.html" %}
{% block title %}Privacy policy{% endblock %}
{% block main %}<h1>Privacy policy</h1><p>Say here what you do with personal data.</p>{% endblock %}
""",
}
TEMPLATES = Jinja2Templates(env=Environment(loader=DictLoader(PAGES), autoescape=True))

views: Counter[str] = Counter()


async def show(request: Request) -> Response:
    """Show a page, and count the view when the visitor agreed to that."""
    name = request.url.path.strip("/") or "home"
    if request.state.consent.allows("analytics"):
        views[name] += 1
    return TEMPLATES.TemplateResponse(request, f"{name}.html")


# A key drawn at start is for development only: after a restart every visitor is asked again, and two worker
# processes would not believe each other's cookies. On a server, set CONSENTGATE_KEYS (`consentgate key` draws one).
KEYS = os.environ.get("CONSENTGATE_KEYS") or secrets.token_urlsafe(32)

site = Starlette(routes=[Route(path, show) for path in ("/", "/visit", "/privacy")])
app = ConsentMiddleware(site, policy=POLICY, keys=KEYS)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=8000)
