"""The `consentgate` command."""

from __future__ import annotations

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command, or say what to install when its extra is missing."""
    try:
        from consentgate.cli.commands import consentgate
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.exit('The consentgate command needs its extra: pip install "consentgate[cli]"')
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe on Windows may have no ✓: no reason to stop
    consentgate()
