"""Is a form post from our own page, and is a return path safe? By request headers alone, with no token in the page."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

__all__ = ["host_of", "is_same_origin", "local_path"]

_LONGEST_PATH = 2048  # characters of a return path; longer ones lead to the cookies page instead
_UNSAFE = frozenset("\\\"'<>`{}|^ ")
# RFC 9110 7.2: a host and perhaps a port. No longer than DNS and TCP have them (RFC 1035 2.3.4): cookies are expired
# under every parent of a host, and pages may hold its port.
_HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?")


def is_same_origin(*, fetch_site: str, origin: str, host: str, trusted_hosts: Collection[str] = ()) -> bool:
    """Tell whether a state-changing request comes from a page of this site.

    Browsers say so themselves (Fetch Metadata, W3C). Older ones send `Origin` with every post. A request with
    neither header does not come from a page at all, so no visitor's cookies can be abused by it.

    Args:
        fetch_site: the `Sec-Fetch-Site` header, or an empty string.
        origin: the `Origin` header, or an empty string.
        host: the `Host` header.
        trusted_hosts: further hosts of the same owner.
    """
    if fetch_site:
        return fetch_site.strip().lower() in ("same-origin", "none")
    if not origin:
        return True
    try:
        parts = urlsplit(origin)
        authority, hostname = parts.netloc.lower(), parts.hostname or ""
    except ValueError:
        return False
    return bool(hostname) and (authority == host.lower() or hostname in trusted_hosts)


def local_path(value: str) -> str | None:
    """Return the path (with query) when it leads to this site only, else `None`: no open redirect.

    Refused: other origins, `//host` and its backslash spellings, control and non-ASCII characters.
    """
    if not value.startswith("/") or value.startswith("//") or len(value) > _LONGEST_PATH:
        return None
    if not value.isascii() or not value.isprintable() or _UNSAFE & set(value):
        return None
    return value


def host_of(authority: str) -> str:
    """Return the host of a `Host` header in lower case, without port; empty when it is not one."""
    host = _HOST.fullmatch(authority.lower())
    return host[1].strip("[]") if host else ""
