"""A site whose templates print other people's tags: nothing of theirs is loaded before the visitor agrees.

    python -m examples.printed_tags

The tags stay where they are. consentgate holds back those of the services that the policy declares.
"""

from __future__ import annotations

import os
import secrets

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics
from consentgate.services import CustomService, MetaPixel, YouTube

__all__ = ["POLICY", "app"]

POLICY = ConsentPolicy(
    site_name="Luton in pictures",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(
        # printed: the page's own snippet is used, and consentgate starts nothing beside it.
        Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-LUTON123", printed=True),)),
        Category(
            id="marketing",
            services=(
                YouTube(),
                MetaPixel(pixel_id="123456789", printed=True),
                CustomService(
                    title="Luton Chat",
                    provider="Chat Ltd",
                    privacy_url="https://chat.luton.example/privacy",
                    addresses=("chat.luton.example",),
                ),
            ),
        ),
    ),
    script_api=True,
)

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Luton in pictures</title>
<link rel="preconnect" href="https://www.youtube.com">
<script async src="https://www.googletagmanager.com/gtag/js?id=G-LUTON123"></script>
<script>
window.dataLayer = window.dataLayer || [];
function gtag(){dataLayer.push(arguments);}
gtag('js', new Date());
gtag('config', 'G-LUTON123');
</script>
</head>
<body>
<h1>Luton in pictures</h1>
<p>A film about the town:</p>
<iframe width="560" height="315" src="https://www.youtube.com/embed/luton" title="A film about Luton"></iframe>
<p><a href="/cookies">Cookies</a></p>
<script src="https://chat.luton.example/widget.js" defer></script>
<noscript><img height="1" width="1" alt="" src="https://www.facebook.com/tr?id=123456789&amp;noscript=1"></noscript>
</body>
</html>
"""


async def home(request: Request) -> HTMLResponse:
    """Answer as a template would."""
    return HTMLResponse(PAGE)


# A key drawn at start is for development only: after a restart every visitor is asked again. On a server, set
# CONSENTGATE_KEYS (`consentgate key` draws one).
KEYS = os.environ.get("CONSENTGATE_KEYS") or secrets.token_urlsafe(32)

app = ConsentMiddleware(Starlette(routes=[Route("/", home)]), POLICY, keys=KEYS)


if __name__ == "__main__":
    import uvicorn

    port = int(os.environ.get("PORT", "8000"))
    print(f"http://localhost:{port}/")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
