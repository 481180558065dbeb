"""Which headers go on, in both directions, and what a site is told about the visitor. Pure: headers in, headers out.

RFC 9110 7.6.1 (hop by hop), RFC 7239 (Forwarded).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Forwarding", "Peer", "end_to_end", "has_body"]

HeaderList = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)
# What a site may believe about the visitor: only the gateway writes these.
_ABOUT_THE_VISITOR = frozenset(
    (
        b"forwarded",
        b"x-real-ip",
        b"x-url-scheme",
        b"front-end-https",
        b"proxy",  # CGI would make HTTP_PROXY of it ("httpoxy", CVE-2016-5385)
    )
)
_FORWARDED = b"x-forwarded-"  # with any ending: frameworks build addresses from X-Forwarded-Prefix
_NOT_FOR_THE_SITE = _HOP_BY_HOP | _ABOUT_THE_VISITOR | {b"expect"}  # the server has answered 100-continue itself
# A connection may not name these to have them taken off the message (RFC 9110 7.6.1: they are for all recipients).
_NEVER_NAMED = frozenset((b"host", b"content-length", b"content-type", b"cookie", b"set-cookie", b"cache-control"))


@dataclass(frozen=True, slots=True)
class Peer:
    """Say who asks.

    Args:
        address: of the visitor, as far as trusted proxies tell; empty when it is not known.
        scheme: `http` or `https`, as the visitor used it.
        chain: the addresses that led here, the nearest last.
    """

    address: str
    scheme: str
    chain: tuple[str, ...]


class Forwarding:
    """Work out what a site is told about each request.

    Args:
        trusted_proxies: addresses or networks whose word is taken.
        trusted_headers: `x-forwarded` or `forwarded`: what they say it with.
    """

    def __init__(self, trusted_proxies: Iterable[str], trusted_headers: str) -> None:
        self._networks = tuple(ipaddress.ip_network(proxy) for proxy in trusted_proxies)
        self._reads_forwarded = trusted_headers == "forwarded"
        self._known: dict[str, bool] = {}

    def peer_of(self, client: str, scheme: str, headers: HeaderList) -> Peer:
        """Return who asks: the connection's other end, or whom a trusted proxy names.

        Args:
            client: the address of the connection's other end.
            scheme: of the connection.
            headers: the request's.
        """
        if not self._trusts(client):
            return Peer(client, scheme, (client,) if client else ())
        named = _nearest(_said_forwarded(headers) if self._reads_forwarded else _said(headers))
        chain = (*(address for address, _ in named), client)
        # From the nearest back to the first that is not a proxy of ours: what stands before may be invented.
        stranger = next((place for place in range(len(chain) - 1, -1, -1) if not self._trusts(chain[place])), 0)
        schemes = [said for _, said in named[stranger:] if said]
        said = schemes[-1] if schemes else "" if self._reads_forwarded else _last(headers, b"x-forwarded-proto")
        known = chain[stranger:] if chain[stranger] else chain[stranger + 1 :]
        return Peer(known[0], said if said in ("http", "https") else scheme, known)

    def request_headers(self, headers: HeaderList, peer: Peer) -> HeaderList:
        """Return what the site gets of a request's headers, with what it may know about the visitor."""
        named = _named_by_connection(headers)
        kept = [
            (name, value)
            for name, value in headers
            if (key := name.lower()) not in _NOT_FOR_THE_SITE
            and key not in named
            and not key.startswith(_FORWARDED)
            and b"_" not in key
        ]
        host = next((value for name, value in kept if name.lower() == b"host"), b"")
        proto = peer.scheme.encode()
        chain = [address.encode("latin-1") for address in peer.chain]
        return [
            *kept,
            (b"x-forwarded-for", b", ".join(chain)),
            (b"x-forwarded-proto", proto),
            (b"x-forwarded-host", host),
            (b"x-real-ip", chain[0] if chain else b""),
            (b"forwarded", _forwarded(peer.chain, proto, host)),
        ]

    def _trusts(self, address: str) -> bool:
        known = self._known.get(address)
        if known is None:
            if len(self._known) > 1_000:  # visitors choose their addresses: the memory must not grow with them
                self._known.clear()
            known = self._known[address] = any(ip in net for ip in _ip(address) for net in self._networks)
        return known


def _said(headers: HeaderList) -> list[tuple[str, str]]:
    return [(one, "") for one in _list_of(headers, b"x-forwarded-for")]


def _said_forwarded(headers: HeaderList) -> list[tuple[str, str]]:
    elements = (dict(map(_pair, element.split(";"))) for element in _list_of(headers, b"forwarded"))
    return [(pairs.get("for", ""), pairs.get("proto", "").lower()) for pairs in elements]


def _nearest(said: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the hops, the nearest last, back to one without an address, `unknown` for example: it comes as empty.

    To pass over it would be to believe what somebody wrote before it.
    """
    named: list[tuple[str, str]] = []
    for one, scheme in reversed(said):
        address = _without_port(one)
        is_known = bool(list(_ip(address)))
        named.insert(0, (address if is_known else "", scheme))
        if not is_known:
            break
    return named


def _last(headers: HeaderList, name: bytes) -> str:
    values = _list_of(headers, name)
    return values[-1].lower() if values else ""


def end_to_end(headers: HeaderList) -> HeaderList:
    """Return a response's headers without those meant for the connection it came over."""
    named = _named_by_connection(headers)
    return [(name, value) for name, value in headers if (key := name.lower()) not in _HOP_BY_HOP and key not in named]


def has_body(headers: HeaderList) -> bool:
    """Tell whether a request has a body (RFC 9112 6.3): a length or an encoding says so."""
    return any(
        (key := name.lower()) == b"transfer-encoding" or (key == b"content-length" and value.strip() != b"0")
        for name, value in headers
    )


def _named_by_connection(headers: HeaderList) -> frozenset[bytes]:
    named = {
        token.strip().lower() for name, value in headers if name.lower() == b"connection" for token in value.split(b",")
    }
    return frozenset(named - _NEVER_NAMED)


def _list_of(headers: HeaderList, wanted: bytes) -> list[str]:
    values = (value.decode("latin-1") for name, value in headers if name.lower() == wanted)
    return [one.strip() for value in values for one in value.split(",") if one.strip()]


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _ip(address: str) -> Iterable[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Yield the address if it is one, an IPv4 address in IPv6 clothes as itself."""
    if "%" in address:  # a zone may hold any characters, and means nothing on another machine (RFC 4007 6)
        return
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return
    yield getattr(parsed, "ipv4_mapped", None) or parsed


def _forwarded(chain: tuple[str, ...], proto: bytes, host: bytes) -> bytes:
    """Write one element for each hop (RFC 7239 4); the last is what this connection knows."""
    hops = [b'for="[%s]"' % one.encode() if ":" in one else b"for=" + one.encode("latin-1") for one in chain]
    about = b';host="%s";proto=%s' % (host, proto)
    return b", ".join([*hops[:-1], (hops[-1] if hops else b"for=unknown") + about])
