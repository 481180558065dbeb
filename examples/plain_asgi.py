"""An ASGI application without a framework: `consent_from(scope)` tells what the visitor agreed to."""

from __future__ import annotations

import os
import secrets

from starlette.types import Receive, Scope, Send  # types only: any ASGI callable will do

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, consent_from

POLICY = ConsentPolicy(
    site_name="Exampleton Weather",
    controller=Controller(name="Exampleton Weather Club", email="privacy@example.org"),
    categories=(Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-AB12CD34EF"),)),),
)

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Exampleton Weather</title>
</head>
<body>
<main><h1>Rain, later sun</h1></main>
<footer>{note}<a href="{cookies_page}">Cookies</a></footer>
</body>
</html>
"""


async def weather(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request with the same page."""
    if scope["type"] != "http":
        raise RuntimeError(f"This application does not speak {scope['type']}.")
    consent = consent_from(scope)
    note = "<p>Your visit is counted. Thank you.</p>" if consent.allows("analytics") else ""
    body = PAGE.format(note=note, cookies_page=consent.cookies_page).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


# A key drawn at start is for development only: after a restart every visitor is asked again, and two worker
# processes would not believe each other's cookies. On a server, set CONSENTGATE_KEYS (`consentgate key` draws one).
KEYS = os.environ.get("CONSENTGATE_KEYS") or secrets.token_urlsafe(32)

app = ConsentMiddleware(weather, policy=POLICY, keys=KEYS)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=8000)
