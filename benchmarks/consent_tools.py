"""One page of 30 KB as several sites have it: without a consent tool, with consentgate, with each of five others.

Which site a request is for, its host says: `klaro.localhost`. Each tool is set up as its documentation shows it, for
one category with Google Analytics or a script that stands for it, and with a button to accept and one to reject.
"""

from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.sites import KEY
from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics
from tests.npm import folder_of

__all__ = ["CONSENTGATE", "PACKAGES", "TOOLS", "Tool", "app"]

PACKAGES: Mapping[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))["dependencies"]
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png", ".txt": "text/plain"}
_KEPT = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Say how a consent tool gets into a page, and what a visitor finds there.

    Args:
        package: on npm; empty for what is not from there.
        files: the package's files that the page loads, by their address.
        config: a script of the site's own that configures it, at `/config.js`; empty where it is in the page.
        head: what goes to the end of `<head>`.
        end: what goes to the end of `<body>`.
        banner: a selector of what asks.
        accept: a selector of the button that accepts all.
        reject: a selector of the button that rejects all.
    """

    package: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    head: str = ""
    end: str = ""
    banner: str = ""
    accept: str = ""
    reject: str = ""


CONSENTGATE = Tool(
    banner="#consentgate",
    accept="#consentgate [value=accept_all]",
    reject="#consentgate [value=reject_all]",
)
_WORDS = (
    "We use essential cookies. With your permission we would also use analytics cookies: they count visits and show us "
    "which pages are read."
)
_CATEGORY = "They count visits and show us which pages are read. This uses Google Analytics by Google, a third party."

TOOLS: Mapping[str, Tool] = {
    "bare": Tool(),
    "bare again": Tool(),
    "consentgate": CONSENTGATE,
    "vanilla-cookieconsent": Tool(
        package="vanilla-cookieconsent",
        files={"/cookieconsent.css": "dist/cookieconsent.css", "/cookieconsent.umd.js": "dist/cookieconsent.umd.js"},
        head='<link rel="stylesheet" href="/cookieconsent.css">',
        end='<script type="text/plain" data-category="analytics" src="/analytics.js"></script>\n'
        '<script type="module" src="/config.js"></script>',
        config=f"""import '/cookieconsent.umd.js';
CookieConsent.run({{
  categories: {{ necessary: {{ enabled: true, readOnly: true }}, analytics: {{}} }},
  language: {{ default: 'en', translations: {{ en: {{
    consentModal: {{ title: 'Cookies on Luton', description: '{_WORDS}', acceptAllBtn: 'Accept all',
      acceptNecessaryBtn: 'Reject all', showPreferencesBtn: 'Manage preferences' }},
    preferencesModal: {{ title: 'Manage cookie preferences', acceptAllBtn: 'Accept all',
      acceptNecessaryBtn: 'Reject all', savePreferencesBtn: 'Accept current selection', closeIconLabel: 'Close',
      sections: [{{ title: 'Strictly necessary cookies', description: 'Always on.', linkedCategory: 'necessary' }},
        {{ title: 'Analytics cookies', description: '{_CATEGORY}', linkedCategory: 'analytics' }}] }} }} }} }},
}});""",
        banner="#cc-main .cm",
        accept="#cc-main .cm [data-role=all]",
        reject="#cc-main .cm [data-role=necessary]",
    ),
    "Orejime": Tool(
        package="orejime",
        files={"/orejime.css": "dist/orejime-standard.css", "/orejime.js": "dist/orejime-standard-en.js"},
        head='<link rel="stylesheet" href="/orejime.css">',
        end=f"""<template data-purpose="analytics"><script src="/analytics.js"></script></template>
<script>window.orejimeConfig = {{ privacyPolicyUrl: '/privacy', purposes: [
  {{ id: 'analytics', title: 'Analytics cookies', description: '{_CATEGORY}',
    cookies: ['_ga', /^_ga_.+$/] }}] }};</script>
<script src="/orejime.js"></script>""",
        banner=".orejime-Banner",
        accept=".orejime-Banner-saveButton",
        reject=".orejime-Banner-declineButton",
    ),
    "Klaro": Tool(
        package="klaro",
        files={"/klaro.js": "dist/klaro.js"},
        head='<script defer src="/config.js"></script>\n<script defer src="/klaro.js"></script>',
        end='<script type="text/plain" data-type="application/javascript" data-name="analytics" '
        'data-src="/analytics.js"></script>',
        config=f"""var klaroConfig = {{ version: 1, acceptAll: true, lang: 'en',
  translations: {{ zz: {{ privacyPolicyUrl: '/privacy' }}, en: {{ purposes: {{ analytics: 'Analytics' }} }} }},
  services: [{{ name: 'analytics', title: 'Google Analytics', purposes: ['analytics'], description: '{_CATEGORY}',
    cookies: [/^_ga/] }}] }};""",
        banner=".klaro .cookie-notice",
        accept=".klaro .cookie-notice .cm-btn-success",
        reject=".klaro .cookie-notice .cn-decline",
    ),
    "tarteaucitron": Tool(
        package="tarteaucitronjs",
        files={
            f"/tarteaucitron/{file}": file
            for file in (
                "tarteaucitron.min.js",
                "tarteaucitron.services.min.js",
                "css/tarteaucitron.min.css",
                "lang/tarteaucitron.en.min.js",
            )
        },
        head="""<script src="/tarteaucitron/tarteaucitron.min.js"></script>
<script>tarteaucitron.init({ privacyUrl: '/privacy', bodyPosition: 'bottom', hashtag: '#tarteaucitron',
  cookieName: 'tarteaucitron', orientation: 'middle', groupServices: false, showDetailsOnClick: true,
  serviceDefaultState: 'wait', showAlertSmall: false, cookieslist: false, showIcon: true, iconPosition: 'BottomRight',
  adblocker: false, DenyAllCta: true, AcceptAllCta: true, highPrivacy: true, handleBrowserDNTRequest: false,
  removeCredit: false, moreInfoLink: true, useExternalCss: false, useExternalJs: false, mandatory: true,
  mandatoryCta: true, googleConsentMode: true });</script>""",
        end="""<script>tarteaucitron.user.gtagUa = 'G-ABCDEFGH12';
(tarteaucitron.job = tarteaucitron.job || []).push('gtag');</script>""",
        banner="#tarteaucitronAlertBig",
        accept="#tarteaucitronPersonalize2",
        reject="#tarteaucitronAllDenied2",
    ),
    "Osano": Tool(
        package="cookieconsent",
        files={
            "/cookieconsent.min.css": "build/cookieconsent.min.css",
            "/cookieconsent.min.js": "build/cookieconsent.min.js",
        },
        head='<link rel="stylesheet" href="/cookieconsent.min.css">',
        end=f"""<script src="/cookieconsent.min.js"></script>
<script>window.cookieconsent.initialise({{ type: 'opt-in',
  palette: {{ popup: {{ background: '#16181d' }}, button: {{ background: '#ffffff' }} }},
  content: {{ message: '{_WORDS}', allow: 'Accept all', deny: 'Reject all', href: '/privacy' }} }});</script>""",
        banner=".cc-window",
        accept=".cc-window .cc-allow",
        reject=".cc-window .cc-deny",
    ),
}

_PARAGRAPH = "The town grows with its people: <a href='/news/{0}'>read what was decided</a> and what comes next. "
_SITE_CSS = "\n".join(
    [
        "body{margin:0;font:16px/1.5 system-ui,sans-serif}header,main,footer{padding:0 16px}",
        "img{display:block;width:100%;height:auto}h1{font-size:2em;line-height:1.2}",
        *(f".card-{number}{{margin:{number}px 0;border-left:4px solid #{number:03}}}" for number in range(100, 340)),
    ]
)


def _page(tool: Tool) -> bytes:
    """Return the page of 30 KB, and what a tool adds to it."""
    cards = "\n".join(
        f'<section class="card-{number}"><h2>Decision {number}</h2><p>{_PARAGRAPH.format(number) * 3}</p></section>'
        for number in range(100, 177)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Places to live, work and invest in</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/site.css">
{tool.head}
</head>
<body>
<header><a href="/">Step Forward Luton</a> <nav><a href="/news">News</a> <a href="/contact">Contact</a></nav></header>
<main><h1>A town that keeps moving forward</h1>
<img src="/town.png" width="640" height="360" alt="The town">
{cards}
</main><footer><a href="/privacy">Privacy</a></footer>
{tool.end}
</body></html>
""".encode()


def _picture() -> bytes:
    """Return a PNG of 640 by 360 pixels, in grey squares: a plain picture would be no candidate for LCP."""
    noise = random.Random(1)  # noqa: S311 - a picture, no secret
    lines = (b"\0" + b"".join(bytes((grey,)) * 4 for grey in noise.randbytes(160)) for _ in range(90))
    rows = b"".join(4 * line for line in lines)
    header = struct.pack(">IIBBBBB", 640, 360, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _file(path: str, content: bytes) -> Response:
    """Return a file as a careful site sends it: kept for a year, compressed beforehand."""
    media_type = _MEDIA_TYPES[Path(path).suffix]
    if media_type == "image/png":
        return Response(content, media_type=media_type, headers=_KEPT)
    headers = _KEPT | {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return Response(gzip.compress(content, 9, mtime=0), media_type=media_type, headers=headers)


def _site(tool: Tool) -> ASGIApp:
    """Return the application of one site."""
    files = {
        "/site.css": _SITE_CSS.encode(),
        "/town.png": _picture(),
        "/analytics.js": b"window.analyticsRan = true",
        "/config.js": tool.config.encode(),
    }
    for address, file in tool.files.items():
        files[address] = (folder_of(tool.package, PACKAGES[tool.package]) / file).read_bytes()
    answers = {path: _file(path, content) for path, content in files.items() if content}
    # `/blank` gets a browser ready for the site without showing anything of it.
    answers["/blank"] = PlainTextResponse("")
    page = _page(tool)

    async def site(scope: Scope, receive: Receive, send: Send) -> None:
        path = Request(scope).url.path
        answer = answers.get(path) or Response(page, media_type="text/html")
        await answer(scope, receive, send)

    return site


def _guarded(site: ASGIApp) -> ASGIApp:
    policy = ConsentPolicy(
        site_name="Luton",
        controller=Controller(name="Luton Council", email="dpo@stepforward.example"),
        privacy_policy="/privacy",
        categories=(
            Category(id="essential"),
            Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-ABCDEFGH12"),)),
        ),
    )
    return ConsentMiddleware(site, policy, keys=[KEY])


@cache
def _sites() -> Mapping[str, ASGIApp]:
    """Return every site by its host; pages leave all of them compressed by the same middleware."""
    sites = {host_of(name): _site(tool) for name, tool in TOOLS.items()}
    sites[host_of("consentgate")] = _guarded(_site(CONSENTGATE))
    return {host: GZipMiddleware(site) for host, site in sites.items()}


def host_of(name: str) -> str:
    """Return the host of a tool's site, which browsers find on this computer."""
    return f"{name.lower().replace(' ', '-')}.localhost"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer for the site that the `Host` header names."""
    host = Request(scope).headers.get("host", "").partition(":")[0]
    site = _sites().get(host) or PlainTextResponse("No such site.", 404)
    await site(scope, receive, send)
