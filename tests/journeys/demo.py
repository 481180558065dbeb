"""The three sites of the demo and the stand-in for Google, as a test sees them from outside the browser."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Literal

from starlette.types import ASGIApp

from examples.step_forward_luton.app import create_app
from examples.step_forward_luton.google_stand_in import STAND_IN_HOST, Hit

__all__ = ["HOSTS", "IDS", "PARENT_DOMAIN", "STAND_IN_HOST", "Demo", "SiteName", "make_demo"]

SiteName = Literal["main", "place", "invest"]

PARENT_DOMAIN = "stepforwardluton.localhost"
HOSTS: dict[SiteName, str] = {
    "main": PARENT_DOMAIN,
    "place": f"place.{PARENT_DOMAIN}",
    "invest": f"invest.{PARENT_DOMAIN}",
}
IDS: dict[SiteName, str] = {"main": "G-SFLMAIN01", "place": "G-SFLPLACE1", "invest": "G-SFLINVST1"}

ANSWER_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Demo:
    """Know the demo's addresses and what its stand-in for Google has received."""

    port: int

    def at(self, site: SiteName, path: str = "/") -> str:
        """Return the address of a page."""
        return f"http://{HOSTS[site]}:{self.port}{path}"

    def hits(self) -> list[Hit]:
        """List what Google would have received, oldest first."""
        return [Hit(**row) for row in json.loads(self._ask("GET", "/hits"))]

    def clear(self) -> None:
        """Let the stand-in forget what it received."""
        self._ask("POST", "/clear")

    def _ask(self, method: str, path: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, headers={"Host": f"{STAND_IN_HOST}:{self.port}"})
            return connection.getresponse().read()
        finally:
            connection.close()


def make_demo(port: int) -> ASGIApp:
    """Build the whole demo for a port, with a signing key of its own."""
    return create_app(port, keys=[secrets.token_urlsafe(32)])
