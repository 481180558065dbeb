"""Log lines for machines, one JSON object each, or for people. No address, path, cookie or form value is in them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

__all__ = ["access_log", "configure"]

_access = logging.getLogger("consentgate.access")
_EXTRAS = ("site", "method", "status", "seconds", "bytes")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.name,
            "process": record.process,
        }
        line |= {name: getattr(record, name) for name in _EXTRAS if hasattr(record, name)}
        message = record.getMessage()
        if message:
            line["message"] = message.strip()
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write a record for a person."""
        extras = " ".join(f"{name}={getattr(record, name)}" for name in _EXTRAS if hasattr(record, name))
        return f"{super().format(record)} {extras}".rstrip()


def configure(form: str) -> None:
    """Send what consentgate and uvicorn log to standard error.

    Args:
        form: `json` or `text`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in ("consentgate", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False


def access_log(site: str, method: str, status: int, seconds: float, size: int) -> None:
    """Log one answer."""
    extra = {"site": site, "method": method, "status": status, "seconds": round(seconds, 4), "bytes": size}
    _access.info("", extra=extra)
