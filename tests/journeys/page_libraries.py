"""Get the libraries that change pages without loading them anew, from npm, into an untracked folder."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

__all__ = ["LIBRARIES", "library"]

LIBRARIES = {
    "htmx": ("htmx.org@2.0.8", "package/dist/htmx.min.js"),
    "turbo": ("@hotwired/turbo@8.0.23", "package/dist/turbo.es2017-umd.js"),
}
_FOLDER = Path(__file__).parents[2] / ".page-libraries"
_SECONDS = 120


def library(name: str) -> bytes | None:
    """Return a library's file, fetched when it is not there yet, or `None` where there is no npm."""
    package, path = LIBRARIES[name]
    kept = _FOLDER / f"{name}-{package.rpartition('@')[2]}.js"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        with tempfile.TemporaryDirectory() as work:
            subprocess.run(
                [npm, "pack", "--silent", package], cwd=work, timeout=_SECONDS, check=True, capture_output=True
            )
            with tarfile.open(next(Path(work).glob("*.tgz"))) as archive:
                content = archive.extractfile(path)
                assert content is not None
                _FOLDER.mkdir(exist_ok=True)
                kept.write_bytes(content.read())
    return kept.read_bytes()
