"""The style sheets and scripts a browser gets: read and made small once, named by content, answered as immutable."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from consentgate.theme import Theme

__all__ = ["Asset", "assets"]

_PACKAGED = Path(__file__).parent / "static"  # inside an installed wheel
_CHECKOUT = Path(__file__).parents[2] / "static"  # a git checkout or an editable install
_FOLDER = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_BUILT_IN = Theme()
_FILES = (
    "consentgate.css",
    "consentgate-page.css",
    "consentgate-embed.css",
    "bottom.css",
    "consentgate.js",
    "services.js",
    "consentgate-page.js",
)


@dataclass(frozen=True, slots=True)
class Asset:
    """Hold one file as it is sent.

    Args:
        name: its name with the hash of its content, for example `consentgate.3f2a9c1b04.css`.
        media_type: its `Content-Type`.
        content: its bytes.
        packed: the same, compressed with gzip.
    """

    name: str
    media_type: str
    content: bytes
    packed: bytes


@cache
def assets(theme: Theme = _BUILT_IN, *, at_the_bottom: bool = False) -> Mapping[str, Asset]:
    """Put together what a browser gets, by its plain names.

    Args:
        theme: the colours with which each style sheet begins.
        at_the_bottom: whether the banner keeps to the bottom of the window.
    """
    files = _files()
    colours = theme.css().encode("ascii")
    banner = theme.css(without=("success",)).encode("ascii") + files["consentgate.css"]
    if at_the_bottom:
        banner += files["bottom.css"]
    return MappingProxyType(
        {
            "consentgate.css": _asset("consentgate.css", banner),
            "consentgate-page.css": _asset("consentgate-page.css", colours + files["consentgate-page.css"]),
            "consentgate-embed.css": _asset("consentgate-embed.css", colours + files["consentgate-embed.css"]),
            "consentgate.js": _asset("consentgate.js", files["consentgate.js"]),
            "services.js": _asset("services.js", files["services.js"]),
            "consentgate-page.js": _asset("consentgate-page.js", files["consentgate-page.js"]),
        }
    )


@cache
def _files() -> Mapping[str, bytes]:
    return {name: _made_small(_FOLDER / name) for name in _FILES}


def _made_small(path: Path) -> bytes:
    """Return a file without comments, indentation and the like: `static/` is what people read."""
    import rcssmin
    import rjsmin

    smaller: Callable[[str], str] = {".css": rcssmin.cssmin, ".js": rjsmin.jsmin}[path.suffix]
    return smaller(path.read_text(encoding="utf-8")).encode()


def _asset(name: str, content: bytes) -> Asset:
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:10]
    packed = gzip.compress(content, mtime=0)
    return Asset(f"{stem}.{digest}.{suffix}", _MEDIA_TYPES[f".{suffix}"], content, packed)
