"""Tell the developer something in the log, once per cause and never with a visitor's data."""

from __future__ import annotations

import json
import logging
from collections.abc import Hashable

__all__ = ["warn_once", "warn_undeclared"]

_log = logging.getLogger("consentgate")
_MOST_CAUSES = 1_000  # causes can hold a path or a cookie name: a crawler must not fill the memory
_said: set[Hashable] = set()


def warn_once(cause: Hashable, message: str, *values: object) -> None:
    """Log a warning the first time its cause is met in this process.

    Args:
        cause: what tells one warning from another.
        message: the text with `%s` places.
        values: what goes into the places.
    """
    if cause in _said or len(_said) >= _MOST_CAUSES:
        return
    _said.add(cause)
    _log.warning(message, *values)


def warn_undeclared(name: str, *, withheld: bool) -> None:
    """Log, once for each name, a cookie that the policy does not list, with the lines that would list it."""
    warn_once(
        ("undeclared", name),
        "The application set the cookie %s, which the policy does not list, so it was %s. If it is essential, add to "
        'consentgate.toml:\n\n[[categories.essential.items]]\nname = %s\npurpose = "…"\nduration = "…"\n',
        _printable(name),
        "withheld" if withheld else 'let through (undeclared = "report")',
        json.dumps(name).replace("\x7f", "\\u007f"),  # as a basic string of TOML
    )


def _printable(text: str) -> str:
    """Escape what would begin a line of its own in the log, or steer a terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
