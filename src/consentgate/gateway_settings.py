"""What the gateway is told: where to listen, which site stands behind which host, whom to trust, how long to wait."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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
        ca_file: certificates in PEM form, one of which has to stand behind that of an `https://` site; by default
            those that the machine believes.
        certificate_host: the host that the certificate of an `https://` site names, when it is not the one of
            `upstream`; it is also what the site is told at the beginning of TLS (SNI, RFC 6066 3).
    """

    upstream: str
    ca_file: str = ""
    certificate_host: str = ""

    def problems(self, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this site."""
        yield from _upstream_problems(f"{place}.upstream", self.upstream)
        yield from _certificate_problems(place, self, is_used=self.upstream.startswith("https://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Describe the gateway that `consentgate serve` runs.

    Args:
        upstream: the site behind every host that `sites` does not name, for example `http://127.0.0.1:8080`.
        ca_file: certificates in PEM form, one of which has to stand behind that of each `https://` site that names
            no file of its own; by default those that the machine believes.
        certificate_host: the host that the certificate of an `https://` site at `upstream` names, when it is another.
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
        connections: the most connections to one site that a worker holds at a time for requests, and as many for
            websockets.
        metrics: where Prometheus reads the counts, as `host:port`; empty: nowhere.
        log: `json`, one object a line, or `text`.
        access_log: whether each answer is logged: site, method, status, time and size; never a path or an address.

    Raises:
        ConfigurationError: listing everything that is wrong.
    """

    upstream: str = ""
    ca_file: str = ""
    certificate_host: str = ""
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

    def all_sites(self) -> dict[str, SiteBehind]:
        """Return every site by its host, and by an empty one the site behind all other hosts."""
        sites = dict(self.sites)
        if self.upstream:
            sites[""] = SiteBehind(upstream=self.upstream, certificate_host=self.certificate_host)
        return {
            host: replace(site, ca_file=self.ca_file) if self.ca_file and not site.ca_file else site
            for host, site in sites.items()
        }

    def file_problems(self) -> Iterator[Problem]:
        """Yield what is wrong with files on this machine; whoever only reads the policy need not have them."""
        named = {"gateway": self.ca_file, **{f'sites."{host}"': site.ca_file for host, site in self.sites.items()}}
        for place, ca_file in named.items():
            if ca_file and (remedy := _unreadable(ca_file)):
                yield Problem(f"{place}.ca_file", ca_file, remedy)

    def _problems(self) -> Iterator[Problem]:
        if self.upstream:
            yield from _upstream_problems("gateway.upstream", self.upstream)
        yield from self._site_problems()
        is_used = any(site.upstream.startswith("https://") for site in self.all_sites().values())
        yield from _certificate_problems("gateway", self, is_used=is_used)
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


def _certificate_problems(place: str, about: SiteBehind | GatewaySettings, *, is_used: bool) -> Iterator[Problem]:
    for name in ("ca_file", "certificate_host"):
        if getattr(about, name) and not is_used:
            remedy = "It is for sites at https:// and there is none: remove it, or write https:// as upstream."
            yield Problem(f"{place}.{name}", getattr(about, name), remedy)
    if about.certificate_host and not (_HOST.fullmatch(about.certificate_host) or _is_network(about.certificate_host)):
        remedy = "Write the host alone in lower case: no https://, no port, no path."
        yield Problem(f"{place}.certificate_host", about.certificate_host, remedy)


def _unreadable(ca_file: str) -> str:
    """Say what to do about a file that holds no certificates, or nothing when it does."""
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        return "Name a file of certificates in PEM form, which begin with -----BEGIN CERTIFICATE-----."
    except OSError as error:
        return f"{error.strerror}. Name a file of certificates that this process may read."
    return ""


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
