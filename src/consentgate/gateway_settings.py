"""What the gateway is told: where to listen, which site stands behind which host, whom to trust, how long to wait."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from consentgate.errors import ConfigurationError, Problem
from consentgate.field_types import elsewhere, fit_fields

__all__ = ["GatewaySettings", "SiteBehind", "split_address"]

TrustedHeaders = Literal["x-forwarded", "forwarded"]
LogFormat = Literal["json", "text"]

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_MOST_WORKERS = 256
_LONGEST_WAIT = 86_400  # seconds: a day
_MOST_CONNECTIONS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBehind:
    """Say where the site of one host is.

    Args:
        upstream: its address, `http://` or `https://`, with a port if it needs one and without a path.
    """

    upstream: str

    def problems(self, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this site."""
        yield from _upstream_problems(f"{place}.upstream", self.upstream)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Describe the gateway that `consentgate serve` runs.

    Args:
        upstream: the site behind every host that `sites` does not name, for example `http://127.0.0.1:8080`.
        sites: the site behind each host, when there are several.
        listen: where visitors' requests come in, as `host:port`.
        workers: how many processes share the work.
        trusted_proxies: addresses or networks of proxies in front, whose word about visitor and scheme is taken.
        trusted_headers: what those proxies say it with: `x-forwarded` or `forwarded`; the other is not believed.
        connect_seconds: how long a site may take to accept a connection.
        response_seconds: how long a site may take to begin its answer, once it has the whole request.
        idle_seconds: how long a response or a websocket may be silent, and a visitor may take nothing of it.
        client_seconds: how long a visitor may take to send the head of a request, and may pause within its body.
        shutdown_seconds: how long open responses may go on after the gateway was told to stop.
        connections: the most connections to one site that a worker holds at a time.
        metrics: where Prometheus reads the counts, as `host:port`; empty: nowhere.
        log: `json`, one object a line, or `text`.
        access_log: whether each answer is logged: site, method, status, time and size; never a path or an address.

    Raises:
        ConfigurationError: listing everything that is wrong.
    """

    upstream: str = ""
    sites: Mapping[str, SiteBehind] = field(default_factory=dict)
    listen: str = "127.0.0.1:8000"
    workers: int = 1
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    trusted_headers: TrustedHeaders = "x-forwarded"
    connect_seconds: float = 5
    response_seconds: float = 60
    idle_seconds: float = 300
    client_seconds: float = 30
    shutdown_seconds: int = 30
    connections: int = 1000
    metrics: str = ""
    log: LogFormat = "json"
    access_log: bool = True

    def __post_init__(self) -> None:
        """Check everything."""
        wrong = fit_fields(self, "gateway", at_top=("sites",))
        if problems := (*wrong, *elsewhere(self._problems(), wrong)):
            raise ConfigurationError(problems, source="the gateway's settings")

    def _problems(self) -> Iterator[Problem]:
        if self.upstream:
            yield from _upstream_problems("gateway.upstream", self.upstream)
        yield from self._site_problems()
        yield from _address_problems("gateway.listen", self.listen, "127.0.0.1:8000")
        if self.metrics:
            yield from _address_problems("gateway.metrics", self.metrics, "127.0.0.1:9464")
        if self.metrics and self.metrics == self.listen:
            yield Problem("gateway.metrics", self.metrics, "Give it another port than listen: it is not for visitors.")
        for index, proxy in enumerate(self.trusted_proxies):
            if not _is_network(proxy):
                remedy = "Write an address or a network: 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32."
                yield Problem(f"gateway.trusted_proxies[{index}]", proxy, remedy)
        yield from self._number_problems()

    def _site_problems(self) -> Iterator[Problem]:
        for host, site in self.sites.items():
            place = f'sites."{host}"'
            if not _HOST.fullmatch(host):
                yield Problem(place, host, "Write the host alone in lower case: no https://, no port, no path.")
            yield from site.problems(place)

    def _number_problems(self) -> Iterator[Problem]:
        for name, most in (("workers", _MOST_WORKERS), ("connections", _MOST_CONNECTIONS)):
            if not 1 <= getattr(self, name) <= most:
                yield Problem(f"gateway.{name}", getattr(self, name), f"Use a number from 1 to {most}.")
        for name in ("connect_seconds", "response_seconds", "idle_seconds", "client_seconds", "shutdown_seconds"):
            if not 0 < getattr(self, name) <= _LONGEST_WAIT:
                remedy = f"Use more than 0 seconds and at most {_LONGEST_WAIT}."
                yield Problem(f"gateway.{name}", getattr(self, name), remedy)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[v6]:port`.

    Raises:
        ValueError: when it is neither.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise ValueError(f"{address!r} is not host:port")
    return found["six"] or found["host"], int(found["port"])


def _address_problems(place: str, address: str, example: str) -> Iterator[Problem]:
    try:
        split_address(address)
    except ValueError:
        yield Problem(place, address, f"Write host and port, for example {example} or [::1]:8000.")


def _upstream_problems(place: str, upstream: str) -> Iterator[Problem]:
    remedy = "Write http:// or https://, a host and perhaps a port, for example http://127.0.0.1:8080; no path."
    try:
        parts = urlsplit(upstream)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]-]+/?", upstream):
        yield Problem(place, upstream, remedy)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
