"""The style sheet and the script a browser gets: read once, named by their content, answered as immutable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["Asset", "assets"]

_PACKAGED = Path(__file__).parent / "static"  # inside an installed wheel
_CHECKOUT = Path(__file__).parents[2] / "static"  # a git checkout or an editable install
_FOLDER = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """Hold one file as it is sent.

    Args:
        name: its name with the hash of its content, for example `consentgate.3f2a9c1b04.css`.
        media_type: its `Content-Type`.
        content: its bytes.
    """

    name: str
    media_type: str
    content: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Read the files of `static/`, by their plain names."""
    return MappingProxyType({name: _read(_FOLDER / name) for name in ("consentgate.css", "consentgate.js")})


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:10]
    return Asset(f"{path.stem}.{digest}{path.suffix}", _MEDIA_TYPES[path.suffix], content)
