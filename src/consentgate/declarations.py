"""Compare what leaves a site with what its policy declares, and write the lines that would declare the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields, replace
from email.utils import mktime_tz, parsedate_tz
from math import ceil

from consentgate.catalogue import KnownCookie, catalogue
from consentgate.cookies import set_cookie_name
from consentgate.errors import ConfigurationError
from consentgate.inventory import Finding
from consentgate.policy import LONGEST_DAYS, Category, ConsentPolicy
from consentgate.services import SERVICES
from consentgate.storage import StorageItem, is_cookie_path, matches

__all__ = [
    "Remedy",
    "declaring_category",
    "remedy_for_cookie",
    "remedy_for_tag",
    "starts_by_itself",
    "uncovered",
]

_UNKNOWN = KnownCookie(category="preferences", purpose="…", is_guess=True)
_SESSION = "When you close your browser"

_UNITS = (("year", 365 * 24 * 3600), ("day", 24 * 3600), ("hour", 3600), ("minute", 60))  # in seconds
_NEAR_ENOUGH = 0.02  # by how much a rounded duration may differ: 90 minutes are not 2 hours, 364 days are 1 year
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9!#$%&'+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class Remedy:
    """Say what to do about something that leaves a site although nobody was told of it.

    Args:
        text: in a sentence or two.
        lines: what to add to `consentgate.toml`; empty when nothing has to be declared.
        declared: the policy with those lines for a cookie.
    """

    text: str
    lines: str = ""
    declared: ConsentPolicy | None = None

    def __str__(self) -> str:
        return f"{self.text}\n\n{self.lines}" if self.lines else self.text


def remedy_for_cookie(policy: ConsentPolicy, line: bytes, now: float) -> Remedy:
    """Say how to declare the cookie of a `Set-Cookie` line.

    Args:
        policy: which does not list it.
        line: the header's value.
        now: in seconds since 1970.
    """
    name = set_cookie_name(line)
    known = catalogue().cookie(name) or _UNKNOWN
    item = StorageItem(
        name=_as_pattern(name),
        purpose=known.purpose,
        duration=_duration(line, now),
        provider=known.provider,
        path=_path(line),
    )
    try:
        declared = _with_item(policy, known.category, item)
    except ConfigurationError:
        return Remedy("The policy cannot list this name. Give the cookie another one, of letters, digits, - and _.")
    return Remedy("List it in consentgate.toml:", _as_toml(known.category, item, is_guess=known.is_guess), declared)


def declaring_category(policy: ConsentPolicy, finding: Finding) -> Category | None:
    """Return the category in which a policy declares a service, or `None` when visitors are told nothing of it.

    It does so by the service itself, by an item of type script or pixel with its name, or by one of its cookies.
    """
    for category in policy.categories:
        if any(service.title == finding.title for service in category.services):
            return category
    for category in policy.categories:
        if any(_declares(item, finding) for item in category.items):
            return category
    return None


def starts_by_itself(policy: ConsentPolicy, finding: Finding) -> bool:
    """Tell whether consentgate starts a service that a page carries."""
    services = (service for category in policy.categories for service in category.services)
    return any(service.title == finding.title and service.starts for service in services)


def uncovered(policy: ConsentPolicy, finding: Finding, granted: Collection[str]) -> bool:
    """Tell whether a page carries a service that these granted categories do not cover, and that is not held back."""
    category = declaring_category(policy, finding)
    if category is not None and policy.printed_tags == "gate" and finding.can_be_held_back:
        # … unless consentgate starts it as well: then whoever agrees would get it twice.
        return category.id not in granted and starts_by_itself(policy, finding)
    return category is None or not (category.is_essential or category.id in granted)


def remedy_for_tag(policy: ConsentPolicy, finding: Finding) -> Remedy:
    """Say what to do about a service that a page carries by itself."""
    category = declaring_category(policy, finding)
    title = finding.title
    if category is not None and starts_by_itself(policy, finding):
        text = f"Take the tag out of the page: consentgate starts {title} by itself once the visitor agrees."
        return Remedy(f"{text} Or keep the tag and set printed = true for the service.")
    kind = next((kind for kind, service in SERVICES.items() if service.title == title), None)
    is_held_back = policy.printed_tags == "gate" and finding.can_be_held_back
    if kind is not None and category is None and (is_held_back or _starts(kind)):
        text = f"Declare {title}, so that the tag is held back until the visitor agrees:"
        if not is_held_back:
            text = f"Take the tag out of the page and let consentgate start {title} once the visitor agrees:"
        return Remedy(text, _service_as_toml(finding.category, kind, printed=is_held_back and _starts(kind)))
    asked = category.id if category is not None else finding.category
    text = f'Put the tag into {{% if request.state.consent.allows("{asked}") %}} … {{% endif %}}'
    text = f"{finding.advice} Or: {text}" if finding.advice else text
    if category is not None:
        return Remedy(f"{text}.")
    if is_held_back:
        advice = f"{finding.advice} Or list" if finding.advice else "List"
        text = f"{advice} it in consentgate.toml, so that the tag is held back until the visitor agrees"
    else:
        text = f"{text}, and list it in consentgate.toml"
    item = StorageItem(
        name=title, purpose=_UNKNOWN.purpose, duration=_SESSION, provider=finding.provider, type="script"
    )
    return Remedy(f"{text}:", _as_toml(finding.category, item))


def _as_toml(category: str, item: StorageItem, *, is_guess: bool = False) -> str:
    lines = [f"[[categories.{category}.items]]"]
    if is_guess:
        lines.append("# Guessed from the name: move it to the category it belongs to, and say what it is for.")
    named = {"name": item.name, "purpose": item.purpose, "duration": item.duration, "provider": item.provider}
    lines += [f"{name} = {_quoted(value)}" for name, value in named.items() if value]
    lines += [f"type = {_quoted(item.type)}"] if item.type != "cookie" else []
    lines += [f"path = {_quoted(item.path)}"] if item.path != "/" else []
    return "\n".join(lines) + "\n"


def _starts(kind: str) -> bool:
    return any(each.name == "printed" for each in fields(SERVICES[kind]))


def _service_as_toml(category: str, kind: str, *, printed: bool) -> str:
    to_fill_in = (each.name for each in fields(SERVICES[kind]) if each.default is each.default_factory is MISSING)
    lines = [f"[[categories.{category}.services]]", f"type = {_quoted(kind)}"]
    return (
        "\n".join([*lines, *(f'{name} = "…"' for name in to_fill_in), *(["printed = true"] if printed else [])]) + "\n"
    )


def _declares(item: StorageItem, finding: Finding) -> bool:
    if item.type in ("script", "pixel"):
        return item.name.casefold() == finding.title.casefold()
    return item.type == "cookie" and any(item.name == name or matches(name, item.name) for name in finding.cookies)


def _as_pattern(name: str) -> str:
    """Return a name as a policy can hold it: `*` stands for what may not stand in a cookie's name (RFC 6265bis).

    A list written as several cookies, `basket[1]` and so on, becomes one pattern.
    """
    return re.sub(r"\*+", "*", _NOT_IN_A_NAME.sub("*", re.sub(r"\[.*", "*", name, flags=re.DOTALL)))


def _with_item(policy: ConsentPolicy, category: str, item: StorageItem) -> ConsentPolicy:
    """Return a policy with one more item.

    Raises:
        ConfigurationError: when it would be wrong with it.
    """
    present = next((each for each in policy.categories if each.id == category), Category(id=category))
    others = (each for each in policy.categories if each is not present)
    return replace(policy, categories=(replace(present, items=(*present.items, item)), *others))


def _attribute(line: bytes, name: bytes) -> str:
    """Return an attribute's value; the last one counts (RFC 6265bis 5.6)."""
    found = ""
    for part in line.split(b";")[1:]:
        key, _, value = part.partition(b"=")
        if key.strip().lower() == name:
            found = value.strip().decode("latin-1")
    return found


def _lifetime(line: bytes, now: float) -> float | None:
    """Return for how many seconds a browser keeps the cookie, or `None` when until it is closed."""
    max_age = _attribute(line, b"max-age")
    if re.fullmatch(r"-?[0-9]{1,12}", max_age):
        return int(max_age)
    parsed = parsedate_tz(_attribute(line, b"expires"))
    try:
        return None if parsed is None else mktime_tz(parsed) - now
    except (ValueError, OverflowError):
        return None


def _duration(line: bytes, now: float) -> str:
    seconds = _lifetime(line, now)
    if seconds is None:
        return _SESSION
    seconds = min(seconds, LONGEST_DAYS * 24 * 3600)
    for unit, length in _UNITS:
        count = round(seconds / length)
        if count and abs(seconds - count * length) <= _NEAR_ENOUGH * seconds:
            return _counted(count, unit)
    return _counted(max(1, ceil(seconds / 60)), "minute")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _path(line: bytes) -> str:
    path = _attribute(line, b"path")
    return path if is_cookie_path(path) else "/"


def _quoted(text: str) -> str:
    """Write a basic string of TOML; JSON's are the same but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
