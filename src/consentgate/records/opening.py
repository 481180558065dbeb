"""Turn the address in a setting into a store, and say what is wrong with it before the first visitor comes."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from consentgate.records.sql import SqlStore

__all__ = ["address_problem", "beside", "open_store"]

_KINDS = ("sqlite:///", "postgresql+psycopg://")
_PASSWORD = re.compile(r"password", re.IGNORECASE)


def open_store(address: str, *, most_records: int = 5_000_000) -> SqlStore:
    """Open a store by its address; nothing is connected to before the first use.

    Args:
        address: `sqlite:///consent.db` (`sqlite:////path` for an absolute one) or `postgresql+psycopg://…`.
        most_records: how many records it may hold.

    Raises:
        ValueError: with the remedy, when the address cannot be used.
    """
    if remedy := address_problem(address):
        raise ValueError(remedy)
    from consentgate.records.sql import SqlStore  # its extra may be missing where no records are kept

    return SqlStore(address, most_records=most_records)


def address_problem(address: str, *, in_a_file: bool = False) -> str | None:
    """Say why a store's address cannot be used, or `None` when it can. The address itself is never in the answer.

    Args:
        address: the setting.
        in_a_file: whether it stands in a policy file, where a password has no place.
    """
    if not address.startswith(_KINDS):
        return 'Write "sqlite:///consent.db" or "postgresql+psycopg://user@host/database".'
    try:
        parts = urlsplit(address)
        secret = bool(parts.password) or any(map(_PASSWORD.search, parse_qs(parts.query)))
    except ValueError:
        return 'Write "sqlite:///consent.db" or "postgresql+psycopg://user@host/database".'
    if in_a_file and secret:
        return "Leave the password out: put the whole address into the environment variable CONSENTGATE_RECORDS."
    if find_spec("sqlalchemy") is None:
        return 'Install the extra it needs: pip install "consentgate[records]".'
    if address.startswith(_KINDS[1]):
        missing = find_spec("psycopg") is None
        return 'Install the extra it needs: pip install "consentgate[postgres]".' if missing else None
    return _file_problem(address.removeprefix(_KINDS[0]).partition("?")[0])


def beside(address: str, folder: Path) -> str:
    """Return an address whose SQLite file is taken from a folder; other addresses as they are."""
    name = address.removeprefix(_KINDS[0])
    if name == address or name in ("", ":memory:") or Path(name).is_absolute():
        return address
    return f"{_KINDS[0]}{folder.absolute() / name}"


def _file_problem(path: str) -> str | None:
    if path in ("", ":memory:"):
        return 'Name a file, for example "sqlite:///consent.db": records in memory would be lost.'
    folder = Path(path).parent
    try:
        is_there = folder.is_dir()
    except (OSError, ValueError):  # no path can be as long, or hold that
        return "Write the path of a file."
    if not is_there:
        return f"Make the folder {folder} first: the database file goes into it."
    return None
