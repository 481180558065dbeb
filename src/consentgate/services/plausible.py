"""Plausible: counts visits without cookies; in the browser it reads the address, the referrer and the width."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from consentgate.errors import Problem
from consentgate.services.base import Command, ServiceDefaults, Sources, StartPlan, host_in, is_origin, origin_of
from consentgate.storage import StorageItem

__all__ = ["Plausible"]

_DOMAIN = re.compile(r"[a-z0-9.-]{1,253}")
_SCRIPT = re.compile(r"[A-Za-z0-9._-]{1,100}\.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plausible(ServiceDefaults):
    """Load Plausible once its category is granted, or until the visitor objects.

    Args:
        domain: the site's name in Plausible.
        script: the file that Plausible's settings name: `script.js` and its variants, or `pa-….js`.
        script_origin: where Plausible runs; your own server's address when you host it.
        printed: whether your pages carry the tag themselves; it is then held back until the visitor agrees, and
            nothing is started beside it.
    """

    domain: str
    script: str = "script.js"
    script_origin: str = "https://plausible.io"
    printed: bool = False

    kind: ClassVar[str] = "plausible"
    title: ClassVar[str] = "Plausible"
    privacy_url: ClassVar[str] = "https://plausible.io/data-policy"
    own_purposes: ClassVar[bool] = False

    @property
    def provider(self) -> str:
        """Plausible, or the host that receives the data instead."""
        host = urlsplit(self.script_origin).netloc if is_origin(self.script_origin) else ""
        return "Plausible" if host in ("plausible.io", "") else host

    @property
    def addresses(self) -> tuple[str, ...]:
        """List where the script comes from."""
        return (host_in(self.script_origin),) if is_origin(self.script_origin) else ()

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """Say that a script counts, and that nothing is kept."""
        purpose = "Counts visits without keeping anything in your browser."
        return (
            StorageItem(name=self.title, purpose=purpose, duration="Not kept", provider=self.provider, type="script"),
        )

    def csp_sources(self) -> Sources:
        """List where the script comes from and sends to."""
        own = (origin_of(self.script_origin),)
        return {"script-src": own, "connect-src": own}

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield a wrong name, file or address."""
        if not _DOMAIN.fullmatch(self.domain):
            yield Problem(f"{place}.domain", self.domain, "Write the site's name in Plausible, such as example.org.")
        if not _SCRIPT.fullmatch(self.script):
            yield Problem(f"{place}.script", self.script, "Write the file's name alone, such as script.js.")
        if not is_origin(self.script_origin):
            yield Problem(
                f"{place}.script_origin",
                self.script_origin,
                "Write where Plausible runs, for example https://plausible.io.",
            )

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Load the script for the domain; one of the newer kind is told to begin."""
        if self.printed:
            return None
        is_new = self.script.startswith("pa-")
        begin: tuple[Command, ...] = ((".init", {}),) if is_new else ()
        return StartPlan(
            id=f"plausible-{self.domain}",
            src=f"{self.script_origin.rstrip('/')}/js/{self.script}",
            queue="plausible",
            start=begin,
            attributes={} if is_new else {"data-domain": self.domain},
        )
