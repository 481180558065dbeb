"""A response's Content-Security-Policy: take over its nonce, widen it by exactly what a granted service needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

__all__ = [
    "Form",
    "Sources",
    "Widened",
    "Widening",
    "enforced",
    "is_wide_enough",
    "lets_frame_in",
    "nonce_of",
    "widened",
]

Key = TypeVar("Key")
Value = TypeVar("Value")
Sources = Mapping[str, Sequence[str]]
"""Source expressions by directive, for example `{"connect-src": ["https://*.google-analytics.com"]}`."""

_NONCE = re.compile(r"'(?i:nonce)-([A-Za-z0-9+/_-]+={0,2})'")
# What stands before a nonce, and that. A quote comes first, so that `re` looks for that alone: most policies have few.
_EACH_NONCE = re.compile(r"('[nN][oO][nN][cC][eE]-)([A-Za-z0-9+/_-]+={0,2})(?=')")
_MOST_FORMS = 32  # of policies that are remembered, each of
_LONGEST_FORM = 8_192  # bytes at the most
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


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Hold what becomes of policies that differ by their nonces only. Each nonce is a number: which of them it is.

    There is one for all of them, which equals itself alone.

    Args:
        texts: of the policy as it leaves, with a nonce between each two.
        numbers: which nonce stands there.
        script_nonce: which one lets scripts in; `None` where none does.
        style_nonce: the same for style sheets.
        lets_all_in: whether such a policy leaves room for what all services of the site need.
    """

    texts: Sequence[str]
    numbers: Sequence[int] = ()
    script_nonce: int | None = None
    style_nonce: int | None = None
    lets_all_in: bool = True


class Widened(NamedTuple):
    """Hold what becomes of one page's policy for one choice.

    Args:
        value: the header's value as it leaves.
        form: what it says beside its nonces.
        script_nonce: the nonce that lets scripts in; empty without.
        style_nonce: the same for style sheets.
        came_before: whether another page had the same policy, but for its nonces.
    """

    value: bytes
    form: Form
    script_nonce: str = ""
    style_nonce: str = ""
    came_before: bool = True


class Widening:
    """Widen the policies of pages for one choice. What a policy says is worked out once, whatever its nonces are.

    Args:
        needed: what has to be let in.
        everything: what all services of the site need.
        enforces: hosts that pages may always use, where the site adds a policy of its own; `None` where it does not.
    """

    def __init__(self, needed: Sources, everything: Sources, enforces: Iterable[str] | None = None) -> None:
        self._needed = needed
        self._everything = everything
        self._forms: dict[tuple[str, ...], Form] = {}
        self._without_nonce: dict[bytes, Widened] = {}
        self.own: Widened | None = None
        """The policy that the site adds."""
        if enforces is not None:
            own = enforced(enforces, needed)
            self.own = Widened(own.encode("latin-1"), Form([own], lets_all_in=is_wide_enough([own], everything)))

    def of(self, value: bytes) -> Widened:
        """Return what becomes of a policy.

        Args:
            value: its header's value.
        """
        if (known := self._without_nonce.get(value)) is not None:
            return known
        parts = _EACH_NONCE.split(value.decode("latin-1"))
        nonces = parts[2::3]
        parts[2::3] = [str(nonces.index(nonce)) for nonce in nonces]
        key = tuple(parts)
        form = self._forms.get(key)
        if form is None:
            form = self._form_of("".join(parts))
            if len(value) <= _LONGEST_FORM:
                _keep(self._forms, key, form)
            return _filled(form, nonces)._replace(came_before=False)
        known = _filled(form, nonces)
        if not nonces:
            _keep(self._without_nonce, value, known)
        return known

    def _form_of(self, policy: str) -> Form:
        """Return what becomes of a policy in which numbers stand for its nonces."""
        wider = widened(policy, self._needed)
        text, *parts = _EACH_NONCE.split(wider)
        texts = [text]
        for before, after in zip(parts[::3], parts[2::3], strict=True):
            texts[-1] += before
            texts.append(after)
        nonces = (nonce_of([policy], directive) for directive in ("script-src", "style-src"))
        of_script, of_style = (int(number) if number else None for number in nonces)
        return Form(texts, [*map(int, parts[1::3])], of_script, of_style, is_wide_enough([wider], self._everything))


def _filled(form: Form, nonces: Sequence[str]) -> Widened:
    text = form.texts[0]
    for number, after in zip(form.numbers, form.texts[1:], strict=True):
        text += nonces[number] + after
    of_script, of_style = form.script_nonce, form.style_nonce
    return Widened(
        text.encode("latin-1"),
        form,
        "" if of_script is None else nonces[of_script],
        "" if of_style is None else nonces[of_style],
    )


def _keep(known: dict[Key, Value], key: Key, value: Value) -> None:
    if len(known) >= _MOST_FORMS:
        known.clear()
    known[key] = value


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
