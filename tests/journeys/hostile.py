"""Pages whose style sheets were written without a thought of ours: other people's, and some meant ill."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.conftest import make_policy, make_site
from tests.npm import file_of

__all__ = ["ILL_MEANT", "OF_OTHERS", "make_hostile_site"]

_WORDPRESS = "@wordpress/block-library"

OF_OTHERS: dict[str, tuple[Path, ...]] = {
    "bootstrap": (file_of("bootstrap", "dist/css/bootstrap.css"),),
    "govuk": (file_of("govuk-frontend", "dist/govuk/govuk-frontend.min.css"),),
    "tailwind": (file_of("tailwindcss", "preflight.css"),),
    "wordpress": tuple(
        file_of(_WORDPRESS, f"build-style/{name}.css") for name in ("reset", "common", "style", "theme", "elements")
    ),
}
"""What the pages of most sites begin with, by name."""

ILL_MEANT = {
    "everything": """
        body * { margin: 3px; padding: 7px; border: 4px dotted lime; color: #fff; background: #fff; font: 9px/1 serif;
        text-transform: uppercase; text-align: right; letter-spacing: 2px; float: left; box-sizing: content-box;
        opacity: .4; list-style: none; transform: rotate(3deg) }""",
    "everything_loudly": """
        * { color: #777 !important; background: #777 !important; text-transform: uppercase !important;
        box-shadow: 0 0 9px red !important; text-shadow: 1px 1px red !important; border-radius: 9px !important }""",
    "first_button": """button { background: red !important; color: red !important; font-size: 4px !important;
        width: 900px !important; height: 9px !important; min-height: 0 !important; padding: 0 !important;
        margin: 60px !important; display: inline !important; float: right !important; position: absolute !important;
        text-transform: uppercase !important; border: 0 !important; opacity: .1 !important;
        visibility: hidden !important }
        button:first-of-type { background: green !important; color: white !important; font-size: 40px !important;
        opacity: 1 !important; visibility: visible !important }""",
    "last_button": """form button:last-of-type, [value*=reject] { display: none; color: transparent !important;
        background: none !important; border: none !important; font-weight: 100 !important; padding: 0 !important;
        transform: scale(.3) !important; clip-path: inset(50%) !important; pointer-events: none !important;
        filter: blur(3px) !important; order: 9; text-decoration: line-through !important }""",
    "huge_root": "html { font-size: 60px } body { font-size: 2rem; line-height: 3 }",
    "tiny_root": "html { font-size: 20% } body { font-size: 10px; line-height: 0.5; zoom: 1 }",
    "all_unset": "* { all: unset }",
    "no_outlines": "*, *:focus, *:focus-visible { outline: none !important; outline: 0 !important }",
    "inherited": """body { color: #eee; font: italic 100 6px/0 cursive; text-align: right; text-transform: lowercase;
        white-space: nowrap; visibility: visible; word-spacing: 4em; letter-spacing: 1em; text-indent: -999px;
        list-style: none; cursor: none; text-shadow: 0 0 4px red; writing-mode: horizontal-tb; quotes: none }""",
    "flex_body": "body { display: flex; flex-direction: column; align-items: center; min-height: 100vh; gap: 4px }",
    "grid_body": "body { display: grid; grid-template-columns: 2rem 1fr 2rem; place-items: center }",
    "sections": """
        section { display: none; position: absolute; left: -999px; width: 40px; max-height: 2px; overflow: hidden;
        columns: 3; background: #000 !important } form { display: inline-flex; width: 9999px } h2 { font-size: 90px;
        position: absolute; color: transparent } a { color: inherit !important; text-decoration: none !important }
        ul { columns: 4; list-style: none; padding: 0 } li::before, p::after { content: "evil " }
        strong { display: none }""",
}
"""Written here, each against one way of relying on a page's good will."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Somebody's page</title><meta name="color-scheme" content="light dark">{links}</head>
<body><a href="#main">Skip to content</a><header><nav><ul><li><a href="/">Home</a></li></ul></nav></header>
<main id="main"><h1>Somebody's page</h1><h2>With a heading</h2><p>Words, <strong>strong ones</strong>, and a
<a href="/elsewhere">link</a>.</p><form action="/search"><label>Search <input name="q"></label>
<button type="button">Search</button></form><section><h2>A section</h2><ul><li>One</li><li>Two</li></ul></section>
<table><caption>A table</caption><tr><th scope="col">Head</th></tr><tr><td>Cell</td></tr></table></main>
</body></html>"""


def make_hostile_site(port: int) -> ASGIApp:
    """Build a site whose pages `/NAME` carry the style sheets of that name; `/` carries none."""
    return make_site(
        Starlette(routes=[Route("/style/{name}/{number:int}", _style), Route("/{name:path}", _page)]),
        make_policy(secure=False),
    )


async def _page(request: Request) -> Response:
    name = request.path_params["name"]
    numbers = range(len(OF_OTHERS[name])) if name in OF_OTHERS else range(name in ILL_MEANT)
    links = "".join(f'<link rel="stylesheet" href="/style/{name}/{number}">' for number in numbers)
    return HTMLResponse(PAGE.format(links=links))


async def _style(request: Request) -> Response:
    name, number = request.path_params["name"], request.path_params["number"]
    style = ILL_MEANT[name] if name in ILL_MEANT else OF_OTHERS[name][number].read_text(encoding="utf-8")
    return Response(style, media_type="text/css")
