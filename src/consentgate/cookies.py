"""Cookie headers as bytes: the names a request carries, the name a `Set-Cookie` line sets, lines that expire one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from math import inf

__all__ = [
    "AROUND",
    "domains_to_clear",
    "expiry_lines",
    "is_expiry",
    "is_writable_name",
    "names_in",
    "only_value",
    "paths_to_clear",
    "set_cookie_name",
    "values_of",
    "without",
]

# What may stand around a name: frameworks strip more than browsers do. Starlette takes \xa0 and \x1c away, Django
# behind WSGI all white space of Unicode; a name that a policy can list begins and ends with none of these.
AROUND = bytes((*range(0x21), *range(0x7F, 0x100)))
_DEEPEST = 4  # folders of a path in which a cookie is looked for
_LONGEST_PATH = 100  # characters of such a folder: visitors choose paths, and headers have to stay small
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")

_SECONDS = re.compile(r"-?[0-9]+")
_LONGEST_KEPT = 256  # bytes of a line's attributes that are remembered: their meaning, never a cookie's value
_LONGEST_ATTRIBUTE = 1_024  # bytes of an attribute's value: longer ones are left out (RFC 6265bis 5.6)
_FIRST_YEAR = 1601  # browsers read no earlier one
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE_TOKEN = re.compile(r"[^\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_DATE_PARTS = (  # each token is the first of these that is not found yet
    ("clock", re.compile(r"([0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(?![0-9])")),
    ("day", re.compile(r"([0-9]{1,2})(?![0-9])")),
    ("month", re.compile(rf"({'|'.join(_MONTHS)})", re.IGNORECASE)),
    ("year", re.compile(r"([0-9]{2,4})(?![0-9])")),
)
_EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"


def values_of(cookies: bytes, name: bytes) -> list[bytes]:
    """List the values of all cookies with exactly this name, in the order they were sent.

    Args:
        cookies: the `Cookie` header's value; several are put together with `; ` (RFC 9113 8.2.3).
        name: the name; few different ones are asked for.
    """
    return [value.strip().strip(b'"') for value in _values(name)(b";" + cookies)]


def only_value(cookies: bytes, name: bytes) -> bytes | None:
    """Return the value of the only cookie whose name begins so, where it is written as browsers write it.

    It is cut out in a fraction of the time that the expression of `values_of` takes, which has to be asked when this
    returns `None`.
    """
    at = cookies.find(name)
    value_at = at + len(name) + 1
    is_named = cookies[value_at - 1 : value_at] == b"=" and (at == 0 or cookies[at - 2 : at] == b"; ")
    if at < 0 or not is_named or cookies.find(name, value_at) >= 0:
        return None
    return cookies[value_at:].partition(b";")[0]


@lru_cache(maxsize=512)
def _values(name: bytes) -> Callable[[bytes], list[bytes]]:
    """Return what finds a cookie's values: `;` first, which is searched for at once, where most headers end it."""
    return re.compile(rb";\s*" + re.escape(name) + rb"\s*=([^;]*)").findall


def names_in(cookies: bytes) -> list[str]:
    """List the names of the request's cookies, each once, in order, as frameworks may read them.

    Bytes become the same code points; white space and all that is not ASCII is taken from both ends.
    """
    pairs = [pair.partition(b"=") for pair in cookies.split(b";")]
    names = [name.strip(AROUND).decode("latin-1") for name, equals, _ in pairs if equals]
    return [name for name in dict.fromkeys(names) if name]


def without(value: bytes, hidden: Collection[str]) -> bytes:
    """Return a `Cookie` header's value without the cookies of these names; the others keep their bytes.

    Args:
        value: the header's value; a visitor may send thousands of such headers.
        hidden: the names, as `names_in` lists them; a set, when there may be many.
    """
    kept = [pair for pair in value.split(b";") if pair.partition(b"=")[0].strip(AROUND).decode("latin-1") not in hidden]
    return b";".join(kept).strip()


def set_cookie_name(line: bytes) -> str:
    """Read the name that a `Set-Cookie` line sets (RFC 6265bis 5.6: a line without `=` has an empty name)."""
    pair, _, _ = line.partition(b";")
    name, equals, _ = pair.partition(b"=")
    return name.strip().decode("latin-1") if equals else ""


def is_expiry(line: bytes, now: float) -> bool:
    """Tell whether a `Set-Cookie` line makes every browser drop the cookie (RFC 6265bis 5.6 and 5.7).

    `Max-Age` comes before `Expires`. Of several of a kind browsers take the last, or the last valid one: all have to
    say the same. What a browser does not understand, or finds too long, it leaves out, and keeps the cookie.
    """
    _, _, attributes = line.partition(b";")
    return (_end(attributes) if len(attributes) <= _LONGEST_KEPT else _end.__wrapped__(attributes)) <= now


@lru_cache(maxsize=256)  # an application sets its cookies with the same few attributes, and reading them takes long
def _end(attributes: bytes) -> float:
    """Return the time, in seconds since 1970, from which on attributes make every browser drop a cookie."""
    ages: list[bool | None] = []
    dates: list[float | None] = []
    for attribute in attributes.decode("latin-1").split(";"):
        name, _, value = attribute.partition("=")
        value = value.strip(" \t")
        if len(value) > _LONGEST_ATTRIBUTE:
            value = ""
        match name.strip(" \t").lower():
            case "max-age":
                ages.append(_is_past_age(value))
            case "expires":
                dates.append(_time(value))
    if any(age is not None for age in ages):
        return -inf if all(ages) else inf
    return max((inf if date is None else date for date in dates), default=inf)


def _is_past_age(seconds: str) -> bool | None:
    if not _SECONDS.fullmatch(seconds):
        return None
    return seconds.startswith("-") or not seconds.strip("0")


def _time(date: str) -> float | None:
    """Read a cookie's date as browsers do (RFC 6265bis 5.1.1), as seconds since 1970: no time zone counts."""
    found: dict[str, str] = {}
    for token in _DATE_TOKEN.findall(date):
        for kind, pattern in _DATE_PARTS:
            if kind not in found and (part := pattern.match(token)):
                found[kind] = part[1].lower()
                break
    if len(found) < len(_DATE_PARTS):
        return None
    year = int(found["year"])
    if year < 100:
        year += 1900 if year >= 70 else 2000
    hour, minute, second = map(int, found["clock"].split(":"))
    month = _MONTHS.index(found["month"]) + 1
    try:
        time = datetime(year, month, int(found["day"]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return time.timestamp() if year >= _FIRST_YEAR else None


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
