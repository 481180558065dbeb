"""A response's Content-Security-Policy: take over its nonce, widen it by exactly what a granted service needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

__all__ = ["Sources", "enforced", "is_wide_enough", "lets_frame_in", "nonce_of", "widened"]

Sources = Mapping[str, Sequence[str]]
"""Source expressions by directive, for example `{"connect-src": ["https://*.google-analytics.com"]}`."""

_NONCE = re.compile(r"'(?i:nonce)-([A-Za-z0-9+/_-]+={0,2})'")
# CSP 3, 6.8.3: which directive is asked when one is missing.
_FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "script-src": ("script-src-elem", "script-src", "default-src"),
    "style-src": ("style-src-elem", "style-src", "default-src"),
    "connect-src": ("connect-src", "default-src"),
    "img-src": ("img-src", "default-src"),
    "frame-src": ("frame-src", "child-src", "default-src"),
}
# What a page may always use when other hosts are refused: this policy is about hosts, not about inline code.
_ENFORCED: Sources = {
    "script-src": ("'self'", "'unsafe-inline'", "'unsafe-eval'", "blob:"),
    "connect-src": ("'self'", "data:", "blob:"),
    "img-src": ("'self'", "data:", "blob:"),
    "frame-src": ("'self'", "data:", "blob:"),
}
_PORTS = {"https": 443, "http": 80}
_EVERYTHING = frozenset(("*", "https:"))


def nonce_of(policies: Iterable[str], directive: str) -> str:
    """Return the nonce that a response's policies grant to a directive, or an empty string."""
    for policy in _each(policies):
        for sources in _governing(_parse(policy), directive)[1:]:
            for source in sources:
                if found := _NONCE.fullmatch(source):
                    return found[1]
    return ""


def widened(policy: str, needed: Sources) -> str:
    """Return a policy that also lets the needed sources through, in a directive of their own where one is missing.

    A policy that says nothing about a directive allows everything and stays as it is. One header may hold several
    policies with commas between them (CSP 3, 2.2.2); each counts.
    """
    changed = [_one_widened(one, needed) for one in policy.split(",")]
    return policy if changed == policy.split(",") else ", ".join(one.strip() for one in changed)


def _one_widened(policy: str, needed: Sources) -> str:
    directives = _parse(policy)
    for directive, sources in needed.items():
        governing, *allowed = _governing(directives, directive)
        if not allowed:
            continue
        missing = [source for source in sources if not _allows(allowed[0], source, directive)]
        if missing:
            name = directive if governing == "default-src" else governing
            directives[name] = [source for source in allowed[0] if source.lower() != "'none'"] + missing
    return _write(directives) if directives != _parse(policy) else policy


def is_wide_enough(policies: Iterable[str], needed: Sources) -> bool:
    """Tell whether no policy of a response stands in the way of a service."""
    return all(widened(policy, needed) == policy for policy in policies)


def lets_frame_in(policies: Iterable[str], address: str) -> bool:
    """Tell whether no policy of a response keeps a page of another host out of its frames; in doubt, one does.

    Args:
        policies: of the response.
        address: of the frame's page; one without a host is the response's own.
    """
    try:
        parts = urlsplit(address.strip(), scheme="https")
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return False
    if not parts.hostname:
        return True
    governing = (sources for policy in _each(policies) for sources in _governing(_parse(policy), "frame-src")[1:])
    return all(
        any(_matches(one.lower(), parts.scheme, parts.hostname, port) for one in sources) for sources in governing
    )


def _matches(source: str, scheme: str, host: str, port: int | None) -> bool:
    """Tell whether a source expression stands for a host, whatever the path (CSP 3, 6.7.2.8)."""
    if source in ("*", f"{scheme}:"):
        return True
    own_scheme, has_scheme, rest = source.rpartition("://")
    own_host, _, own_port = rest.partition("/")[0].partition(":")
    if has_scheme and scheme not in (own_scheme, f"{own_scheme}s"):
        return False
    if own_port not in ("*", str(port)) and (own_port or port != _PORTS.get(scheme)):
        return False
    return host.endswith(own_host[1:]) if own_host.startswith("*.") else host == own_host


def enforced(allowed: Iterable[str], granted: Sources) -> str:
    """Write a policy that makes the browser itself refuse every other host's scripts, requests, images and frames.

    Args:
        allowed: hosts that pages may always use.
        granted: what the granted services need.
    """
    extra = tuple(allowed)
    sources = {name: dict.fromkeys((*own, *extra, *granted.get(name, ()))) for name, own in _ENFORCED.items()}
    return _write({name: tuple(each) for name, each in sources.items()})


def _each(policies: Iterable[str]) -> Iterator[str]:
    for policy in policies:
        yield from policy.split(",")


def _parse(policy: str) -> dict[str, list[str]]:
    """Read a serialized policy; of a directive given twice the first counts (CSP 3, 2.2.1)."""
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *sources = part.split() or [""]
        if name:
            directives.setdefault(name.lower(), sources)
    return directives


def _write(directives: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(" ".join((name, *sources)) for name, sources in directives.items())


def _governing(directives: Mapping[str, list[str]], directive: str) -> tuple[str, *tuple[list[str], ...]]:
    """Return the name of the directive that is asked, followed by its sources when there is one."""
    for name in _FALLBACKS.get(directive, (directive, "default-src")):
        if name in directives:
            return (name, directives[name])
    return ("",)


def _allows(sources: Sequence[str], source: str, directive: str) -> bool:
    lower = {entry.lower() for entry in sources}
    if directive == "script-src" and "'strict-dynamic'" in lower:  # then hosts say nothing, but only about scripts
        return True
    return source.lower() in lower or bool(lower & _EVERYTHING)
