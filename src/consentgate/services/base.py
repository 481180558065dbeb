"""What every service tells the rest of consentgate, and the plan by which the browser starts and stops it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol
from urllib.parse import urlsplit

from consentgate.errors import Problem
from consentgate.storage import StorageItem

__all__ = [
    "Command",
    "Service",
    "ServiceDefaults",
    "Sources",
    "StartPlan",
    "host_in",
    "is_origin",
    "origin_of",
    "source_problems",
]

Command = tuple[object, ...]
"""One call that the browser makes for us, for example `("consent", "default", {...})`."""


Sources = Mapping[str, tuple[str, ...]]
"""Source expressions by directive of a Content-Security-Policy."""

Queue = Literal["array", "function", "gtag", "pixel"]

_DIRECTIVES = frozenset(("script-src", "connect-src", "img-src", "frame-src"))
_SOURCE = re.compile(r"(https?|wss?)://(\*\.)?[a-z0-9.-]+(:[0-9]{1,5}|:\*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlan:
    """Describe how the browser starts, updates and stops a service.

    Args:
        id: what tells this service from others on the page.
        src: the address of its script; empty where pages bring it, so that it is only updated and stopped.
        queue: the global name by which it takes commands before its script has come; empty when it takes none.
        style: how a command is queued: as an `array`, by a `function` that collects its arguments, as `gtag` does, or
            as Meta's `pixel` does.
        start: commands to queue before the script is loaded, in order.
        update: commands for a service that already runs when the visitor's choice changes.
        stop: commands that withdraw consent on an open page.
        disable: the name of a `window` property that silences the service when it is true; empty when it has none.
        attributes: further attributes of its `<script>`.
    """

    id: str
    src: str
    queue: str = ""
    style: Queue = "function"
    start: tuple[Command, ...] = ()
    update: tuple[Command, ...] = ()
    stop: tuple[Command, ...] = ()
    disable: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def brought(self) -> StartPlan:
        """The plan where pages bring the service themselves: it is stopped, and not started."""
        return replace(self, src="", start=(), attributes={})


class Service(Protocol):
    """Be something that a category may start: its words, its storage and its start plan."""

    @property
    def title(self) -> str:
        """The name visitors know it by."""

    @property
    def provider(self) -> str:
        """Who receives the data."""

    @property
    def privacy_url(self) -> str:
        """Where the provider explains what it does with the data."""

    @property
    def kind(self) -> str:
        """The value of `type` in `consentgate.toml`."""

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """List what it keeps in the browser, for the cookie table."""

    def leftover_names(self) -> tuple[str, ...]:
        """List further names or patterns to expire when the category is not granted."""

    def csp_sources(self) -> Mapping[str, tuple[str, ...]]:
        """List the sources that a Content-Security-Policy has to let through, by directive."""

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield what is wrong with its settings."""

    @property
    def own_purposes(self) -> bool:
        """Whether the provider may use the data for purposes of its own, which no exception covers."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """List where pages load it from, beside what the catalogue knows: hosts, with a beginning of the path."""

    @property
    def snippets(self) -> tuple[str, ...]:
        """List what gives its inline scripts away, with no white space and with `'` for every quote."""

    @property
    def starts(self) -> bool:
        """Whether consentgate starts it; else pages bring it themselves."""

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Say how the browser starts and stops it on one host, or `None` when there is nothing to do there."""


class ServiceDefaults:
    """Answer for services that leave nothing behind, need nothing and start nothing by themselves."""

    __slots__ = ()

    @property
    def own_purposes(self) -> bool:
        """Take it that the provider has purposes of its own."""
        return True

    @property
    def addresses(self) -> tuple[str, ...]:
        """List nothing."""
        return ()

    @property
    def snippets(self) -> tuple[str, ...]:
        """List nothing."""
        return ()

    @property
    def starts(self) -> bool:
        """Tell by the setting `printed`; what has no such setting is always brought by pages."""
        return not getattr(self, "printed", True)

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """List nothing."""
        return ()

    def leftover_names(self) -> tuple[str, ...]:
        """List nothing."""
        return ()

    def csp_sources(self) -> Sources:
        """List nothing."""
        return {}

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield nothing."""
        yield from ()

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Start nothing."""
        return None


def is_origin(address: str) -> bool:
    """Tell whether an address is one of a host, perhaps with a path, that can stand in markup as it is."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # reading it checks it
    except ValueError:
        return False
    clean = address.isascii() and address.isprintable() and not set(address) & set(" \"'<>\\")
    return clean and parts.scheme in ("https", "http") and bool(parts.hostname) and not (parts.query or parts.fragment)


def host_in(address: str) -> str:
    """Return the host of an address as pages are searched for it: in lower case, on whatever port."""
    return urlsplit(address).hostname or ""


def origin_of(address: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def source_problems(place: str, csp: Sources) -> Iterator[Problem]:
    """Yield what is wrong with sources that a policy lists."""
    for directive, sources in csp.items():
        if directive not in _DIRECTIVES:
            yield Problem(f"{place}.{directive}", list(sources), f"Use one of {', '.join(sorted(_DIRECTIVES))}.")
        for index, source in enumerate(sources):
            if not _SOURCE.fullmatch(source):
                remedy = "Write an origin with no path, for example https://cdn.example.org."
                yield Problem(f"{place}.{directive}[{index}]", source, remedy)
