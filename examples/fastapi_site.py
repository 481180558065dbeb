"""A FastAPI site: the policy in a TOML file, and a cookie of its own that is set only with the visitor's consent."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

from fastapi import Cookie, FastAPI, Request
from fastapi.responses import HTMLResponse

from consentgate import ConsentMiddleware

BRANCHES = {"central": "Central library: open until 7 pm", "park": "Park library: open until 5 pm"}
HALF_A_YEAR = 184 * 24 * 60 * 60  # seconds; the same time that consentgate.toml tells visitors

api = FastAPI()


@api.get("/", response_class=HTMLResponse)
async def home(request: Request, branch: Annotated[str, Cookie()] = "") -> str:
    """Show the opening hours, of the visitor's own branch first."""
    own_first = sorted(BRANCHES, key=lambda name: name != branch)
    links = (f'<p><a href="/branch/{name}">{BRANCHES[name]}</a></p>' for name in own_first)
    return page(request, "Opening hours", "".join(links))


@api.get("/branch/{name}", response_class=HTMLResponse)
async def choose(request: Request, name: str) -> HTMLResponse:
    """Show one branch, and remember it if the visitor allows preferences."""
    if name not in BRANCHES:
        return HTMLResponse(page(request, "No such branch", '<p><a href="/">All branches</a></p>'), 404)
    response = HTMLResponse(page(request, BRANCHES[name], '<p><a href="/">All branches</a></p>'))
    if request.state.consent.allows("preferences"):
        response.set_cookie("branch", name, max_age=HALF_A_YEAR, httponly=True)
    return response


@api.get("/privacy", response_class=HTMLResponse)
async def privacy(request: Request) -> str:
    """Show the privacy policy."""
    return page(request, "Privacy policy", "<p>Say here what you do with personal data.</p>")


@api.get("/counted")
async def counted(request: Request) -> dict[str, bool]:
    """Tell a script, as JSON, whether this visitor's visit is counted."""
    return {"counted": request.state.consent.allows("analytics")}


def page(request: Request, title: str, content: str) -> str:
    """Put a title and trusted markup into a whole page."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Exampleton Library</title>
</head>
<body>
<main><h1>{title}</h1>{content}</main>
<footer><a href="{request.state.consent.cookies_page}">Cookies</a> <a href="/privacy">Privacy policy</a></footer>
</body>
</html>
"""


# A key drawn at start is for development only: after a restart every visitor is asked again, and two worker
# processes would not believe each other's cookies. On a server, set CONSENTGATE_KEYS (`consentgate key` draws one).
KEYS = os.environ.get("CONSENTGATE_KEYS") or secrets.token_urlsafe(32)

app = ConsentMiddleware(api, policy=Path(__file__).with_name("consentgate.toml"), keys=KEYS)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=8000)
