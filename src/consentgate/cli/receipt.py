"""`consentgate receipt verify`: check a receipt without a server and without a database."""

from __future__ import annotations

import json
from typing import IO

import click
from rich.console import Console
from rich.markup import escape

from consentgate.consent_cookie import Seal, key_problems
from consentgate.middleware import KEYS_VARIABLE, read_keys
from consentgate.receipts import check_receipt

__all__ = ["receipt"]

_out = Console(highlight=False, soft_wrap=True)
_LARGEST = 4_194_304  # bytes: a receipt with its wordings has some 100 KB


@click.group()
def receipt() -> None:
    """Work with the receipts that visitors download."""


@receipt.command()
@click.argument("file", type=click.File("rb"))
@click.option("--without-keys", is_flag=True, help="Check the wordings only: for those who have no signing key.")
def verify(file: IO[bytes], without_keys: bool) -> None:
    """Check FILE, a receipt a visitor downloaded: its signature, and that its wordings are those it names.

    The signing keys are read from CONSENTGATE_KEYS, old ones included. Exit code 0 when all is right, 1 when something
    is not, 2 when it cannot be checked.
    """
    keys = read_keys(None)
    if not without_keys and any(key_problems(keys)):
        raise click.UsageError(f"Set {KEYS_VARIABLE} to the site's signing keys, or check --without-keys.")
    findings = list(check_receipt(_read(file), None if without_keys else Seal(keys)))
    if not findings:
        raise click.UsageError("It holds no wordings, so that without the keys there is nothing to check.")
    for finding in findings:
        mark = "[bold green]✓[/]" if finding.is_right else "[bold red]✗[/]"
        _out.print(f"{mark} {escape(finding.text)}")
    if not all(finding.is_right for finding in findings):
        raise SystemExit(1)


def _read(file: IO[bytes]) -> dict[str, object]:
    content = file.read(_LARGEST + 1)
    try:
        read = json.loads(content, object_pairs_hook=_once) if len(content) <= _LARGEST else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise click.UsageError("It is no receipt: a JSON object that says each thing once is expected.")
    return read


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that is there twice: a person may read the first, and the signature is for the last."""
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name twice")
    return read
