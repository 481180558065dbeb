"""A site with a page in every language, and the demo's policy; also in two languages that nobody speaks."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from consentgate import ConsentMiddleware
from consentgate.translations import texts_for
from examples.step_forward_luton.app import demo_policy
from tests.journeys.server import MakeApp

__all__ = ["PSEUDO", "make_languages", "write_pseudo_languages"]

PSEUDO = ("en-XA", "ar-XB")
"""Long and accented, and from right to left: as other projects name them."""

_PAGE = """<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8"><title>Luton</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
</head><body><main><h1>Luton</h1><p>{name}</p></main></body></html>"""
_ACCENTED = str.maketrans("aeioucnsyzAEIOUCNSYZ", "àéîôüçñšýžÀÉÎÔÜÇÑŠÝŽ")
_PLACE = re.compile(r"(\{\w+\})")


def write_pseudo_languages(folder: Path) -> Path:
    """Write both pseudo-languages from the English texts: a site's own texts, as any site may have them."""
    for language, direction in zip(PSEUDO, ("ltr", "rtl"), strict=True):
        entries = {key: text for key, text in texts_for().entries.items() if not key.startswith("language.")}
        changed = {key: _longer(text) if direction == "ltr" else _mirrored(text) for key, text in entries.items()}
        about = {
            "language.name": f"Pseudo {language}",
            "language.direction": direction,
            "language.script": "Latn",
            "language.digits": "0123456789",
        }
        lines = [f'"{key}" = "{text}"' for key, text in (changed | about).items()]
        (folder / f"{language}.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def make_languages(folder: Path | None = None) -> MakeApp:
    """Return what builds the site for a port: `/pl` is in Polish, and so on.

    Args:
        folder: texts of further languages.
    """

    def make(port: int) -> ASGIApp:
        policy = demo_policy(port)
        policy = replace(policy, texts=str(folder) if folder else policy.texts, cache="personal")
        pages = [Route(f"/{language}", _show(language, policy.texts)) for language in policy.offered_languages]
        return ConsentMiddleware(Starlette(routes=pages), policy=policy, keys=[secrets.token_urlsafe(32)])

    return make


def _show(language: str, folder: str | Path):  # type: ignore[no-untyped-def]
    texts = texts_for(language, folder)
    page = _PAGE.format(language=language, direction=texts.direction, name=texts("language.name"))

    async def show(request: Request) -> HTMLResponse:
        return HTMLResponse(page)

    return show


def _longer(text: str) -> str:
    """Accent the letters and make it 40 % longer, as the longest languages are."""
    pieces = [piece if _PLACE.fullmatch(piece) else piece.translate(_ACCENTED) for piece in _PLACE.split(text)]
    return f"[{''.join(pieces)} {'lorem' * max(1, len(text) // 25)} {'ipsum ' * (len(text) // 20)}]"


def _mirrored(text: str) -> str:
    """Let Latin letters run from right to left (U+202E), places left whole."""
    pieces = [piece if _PLACE.fullmatch(piece) else f"\u202e{piece}\u202c" for piece in _PLACE.split(text) if piece]
    return "".join(pieces)
