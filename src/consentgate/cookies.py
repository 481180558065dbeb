"""Cookie headers as bytes: the names a request carries, the name a `Set-Cookie` line sets, lines that expire one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.utils import mktime_tz, parsedate_tz
from functools import lru_cache

__all__ = [
    "domains_to_clear",
    "expiry_lines",
    "is_expiry",
    "is_writable_name",
    "names_in",
    "paths_to_clear",
    "set_cookie_name",
    "values_of",
    "without",
]

_DEEPEST = 4  # folders of a path in which a cookie is looked for
_LONGEST_PATH = 100  # characters of such a folder: visitors choose paths, and headers have to stay small
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")

_SECONDS = re.compile(r"-?[0-9]+")
_EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"


def values_of(cookies: bytes, name: bytes) -> list[bytes]:
    """List the values of all cookies with exactly this name, in the order they were sent.

    Args:
        cookies: the `Cookie` header's value; several are put together with `; ` (RFC 9113 8.2.3).
        name: the name; few different ones are asked for.
    """
    return [value.strip().strip(b'"') for value in _values(name)(b";" + cookies)]


@lru_cache(maxsize=512)
def _values(name: bytes) -> Callable[[bytes], list[bytes]]:
    """Return what finds a cookie's values: `;` first, which is searched for at once, where most headers end it."""
    return re.compile(rb";\s*" + re.escape(name) + rb"\s*=([^;]*)").findall


def names_in(cookies: bytes) -> list[str]:
    """List the names of the request's cookies, each once, in order. Bytes become the same code points."""
    pairs = [pair.partition(b"=") for pair in cookies.split(b";")]
    names = [name.strip().decode("latin-1") for name, equals, _ in pairs if equals]
    return [name for name in dict.fromkeys(names) if name]


def without(value: bytes, hidden: Iterable[str]) -> bytes:
    """Return a `Cookie` header's value without the cookies of these names; the others keep their bytes."""
    names = {name.encode("latin-1") for name in hidden}
    kept = [pair for pair in value.split(b";") if pair.partition(b"=")[0].strip() not in names]
    return b";".join(kept).strip()


def set_cookie_name(line: bytes) -> str:
    """Read the name that a `Set-Cookie` line sets (RFC 6265bis 5.6: a line without `=` has an empty name)."""
    pair, _, _ = line.partition(b";")
    name, equals, _ = pair.partition(b"=")
    return name.strip().decode("latin-1") if equals else ""


def is_expiry(line: bytes, now: float) -> bool:
    """Tell whether a `Set-Cookie` line makes a browser drop the cookie (RFC 6265bis 5.6 and 5.7).

    The last valid attribute of a kind counts, and `Max-Age` comes before `Expires`: dates are dear to read, and are
    only read where no `Max-Age` stands.
    """
    attributes = [attribute.partition("=") for attribute in line.decode("latin-1").lower().split(";")[1:]]
    ages = [
        age for name, _, value in attributes if name.strip() == "max-age" and _SECONDS.fullmatch(age := value.strip())
    ]
    if ages:
        return ages[-1].startswith("-") or not ages[-1].strip("0")
    dates = [value.strip() for name, _, value in reversed(attributes) if name.strip() == "expires"]
    times = (time for date in dates if (time := _time(date)) is not None)
    return next((time <= now for time in times), False)


def _time(date: str) -> float | None:
    """Read a cookie's date as seconds since 1970; old servers write 01-Jan-1970."""
    parsed = parsedate_tz(date)
    try:
        # A year written 69 is 2069 to browsers and 1969 to Python: in doubt, no expiry.
        is_doubtful = parsed is not None and parsed[0] == 1969 and "1969" not in date
        return None if parsed is None or is_doubtful else mktime_tz(parsed)
    except (OverflowError, ValueError):
        return None


def domains_to_clear(host: str) -> list[str | None]:
    """List the `Domain` attributes under which a cookie seen on a host may have been set.

    The request does not tell, so all are tried: none (host-only), the host, every parent with at least two labels.
    Browsers ignore the lines for public suffixes.
    """
    labels = host.split(".")
    if len(labels) < 2 or host.replace(".", "").isdigit() or ":" in host:
        return [None]
    parents = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return [None, *parents]


def paths_to_clear(path: str) -> list[str]:
    """List the `Path` attributes, beside `/`, under which a cookie seen at a path may have been set.

    Each of its folders without and with the slash at its end, deepest first, four at the most.
    """
    folders = [folder for folder in path.split("/") if folder][:-1] if not path.endswith("/") else path.split("/")
    names = [folder for folder in folders if folder][:_DEEPEST]
    prefixes = ["/" + "/".join(names[: count + 1]) for count in range(len(names))]
    return [form for prefix in reversed(prefixes) if _is_writable_path(prefix) for form in (prefix, prefix + "/")]


def _is_writable_path(path: str) -> bool:
    if len(path) > _LONGEST_PATH:
        return False
    return path.isascii() and path.isprintable() and not set(path) & set('; ,\\"')


def expiry_lines(
    name: str, domains: Iterable[str | None], *, path: str = "/", secure: bool = False, partitioned: bool = False
) -> list[bytes]:
    """Write the `Set-Cookie` lines that expire a cookie under each domain.

    Name, domain, path and partition must be those it was set with (RFC 6265bis 5.7, CHIPS), and a `__Secure-` or
    `__Host-` name is only touched by a `Secure` line.
    """
    lines = []
    prefixed = name.lower().startswith(("__secure-", "__host-"))
    for domain in domains:
        if domain is not None and name.lower().startswith("__host-"):
            continue
        attributes = [f"{name}=", f"Path={path}", "Max-Age=0", f"Expires={_EPOCH}"]
        attributes.append("SameSite=None" if partitioned else "SameSite=Lax")
        if domain is not None:
            attributes.append(f"Domain={domain}")
        if secure or prefixed or partitioned:
            attributes.append("Secure")
        if partitioned:
            attributes.append("Partitioned")
        lines.append("; ".join(attributes).encode("latin-1"))
    return lines


def is_writable_name(name: str) -> bool:
    """Tell whether a name can stand in a `Set-Cookie` line of ours as it is (an RFC 9110 token)."""
    return _TOKEN.fullmatch(name) is not None
