"""Any other service: its addresses, its words and what it needs are the site's own to tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from consentgate.errors import Problem
from consentgate.field_types import as_tuple
from consentgate.services.base import ServiceDefaults, Sources, StartPlan, source_problems

__all__ = ["CustomService"]

_ADDRESS = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.[a-z0-9-]+(?:/[!-~]*)?")
_SCRIPT = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?/[^\s\"'<>\\]*")
_SHORTEST_SNIPPET = 5  # characters: a shorter one stands in too many scripts
_PRIVACY_URL = re.compile(r"(?:https?://[^\s\"'<>\\]+|/[^/\s\"'<>\\][^\s\"'<>\\]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomService(ServiceDefaults):
    """Hold back what pages load from certain addresses, and load a script, once its category is granted.

    What it keeps in the browser is listed as the category's items.

    Args:
        title: the name visitors know it by.
        provider: who receives the data.
        privacy_url: a path or address where the provider explains what it does with the data.
        addresses: what pages load it from: hosts with everything below them, such as `widgets.example.com`, or with
            the beginning of a path, such as `example.com/embed/`.
        snippets: what gives its inline scripts away, such as `exampleChat(`.
        script: the address of a script that is loaded once the category is granted; empty when pages load it.
        csp: what it needs of a Content-Security-Policy, sources by directive.
        own_purposes: whether the provider may use the data for purposes of its own.
    """

    title: str
    provider: str
    privacy_url: str
    addresses: tuple[str, ...] = ()
    snippets: tuple[str, ...] = ()
    script: str = ""
    csp: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_purposes: bool = True

    kind: ClassVar[str] = "custom"

    def __post_init__(self) -> None:
        """Take lists as well as tuples, and snippets as they are written."""
        object.__setattr__(self, "addresses", as_tuple(self.addresses))
        snippets = as_tuple(self.snippets)
        if isinstance(snippets, tuple):
            snippets = tuple(_plain(snippet) if isinstance(snippet, str) else snippet for snippet in snippets)
        object.__setattr__(self, "snippets", snippets)

    @property
    def starts(self) -> bool:
        """Whether there is a script to load."""
        return bool(self.script)

    def csp_sources(self) -> Sources:
        """List what the policy lists."""
        return self.csp

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield what is wrong with its words and addresses."""
        for name in ("title", "provider"):
            if not getattr(self, name).strip():
                yield Problem(f"{place}.{name}", "", "Visitors have to read who receives their data. Fill it in.")
        if not _PRIVACY_URL.fullmatch(self.privacy_url):
            yield Problem(f"{place}.privacy_url", self.privacy_url, "Write a path, or an address with https://.")
        for index, address in enumerate(self.addresses):
            if not _ADDRESS.fullmatch(address):
                remedy = "Write a host in lower case, such as widgets.example.com, and no https:// before it."
                yield Problem(f"{place}.addresses[{index}]", address, remedy)
        for index, snippet in enumerate(self.snippets):
            if len(snippet) < _SHORTEST_SNIPPET:
                remedy = f"Write {_SHORTEST_SNIPPET} characters or more that stand in this service's scripts alone."
                yield Problem(f"{place}.snippets[{index}]", snippet, remedy)
        if self.script and not _SCRIPT.fullmatch(self.script):
            yield Problem(f"{place}.script", self.script, "Write an address that starts with https://.")
        if not (self.addresses or self.snippets or self.script):
            yield Problem(f"{place}.addresses", [], "Say what pages load it from, or which script to load.")
        yield from source_problems(f"{place}.csp", self.csp)

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Load the script, when there is one."""
        return StartPlan(id=self.script, src=self.script) if self.script else None


def _plain(snippet: str) -> str:
    return re.sub(r"\s+", "", snippet).replace('"', "'").replace("`", "'")
