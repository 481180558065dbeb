"""Google Tag Manager: the container is loaded after opt-in, told of the choice before it runs, and never without."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from consentgate.errors import Problem
from consentgate.services.base import Command, ServiceDefaults, Sources, StartPlan, source_problems

__all__ = ["GoogleTagManager"]

_CONTAINER_ID = re.compile(r"GTM-[A-Z0-9]{4,12}")
_MANAGER = "https://*.googletagmanager.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleTagManager(ServiceDefaults):
    """Load a container of Google Tag Manager once its category is granted.

    The container may load anything: put it into a category whose purpose covers every tag in it, list the cookies of
    those tags as items, and let the tags ask for Google's consent signals.

    Args:
        container_id: the `GTM-…` id.
        csp: what the tags in the container need of a Content-Security-Policy, sources by directive.
        printed: whether your pages carry the container's snippet themselves; it is then held back until the visitor
            agrees, and nothing is started beside it.
    """

    container_id: str
    csp: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    printed: bool = False

    kind: ClassVar[str] = "google-tag-manager"
    title: ClassVar[str] = "Google Tag Manager"
    provider: ClassVar[str] = "Google"
    privacy_url: ClassVar[str] = "https://policies.google.com/privacy"

    def leftover_names(self) -> tuple[str, ...]:
        """List what Google's tags in a container set: Analytics and the link to Ads."""
        return ("_ga", "_ga_*", "_gid", "_gat", "_gat_*", "_dc_gtm_*", "_gac_*", "_gcl_*")

    def csp_sources(self) -> Sources:
        """List Google's hosts and those that the policy adds for the tags in the container."""
        own: dict[str, tuple[str, ...]] = {
            "script-src": (_MANAGER,),
            "img-src": (_MANAGER,),
            "connect-src": (_MANAGER, "https://www.google.com"),
        }
        return own | {name: (*own.get(name, ()), *sources) for name, sources in self.csp.items()}

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield a wrong id and wrong sources."""
        if not _CONTAINER_ID.fullmatch(self.container_id):
            yield Problem(
                f"{place}.container_id",
                self.container_id,
                "A container's id looks like GTM-AB12CD3. For a G- id use the type google-analytics.",
            )
        yield from source_problems(f"{place}.csp", self.csp)

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Say all seven signals twice, as denied and as chosen, before the container's first event."""
        denied = dict.fromkeys(signals, "denied") | {"security_storage": "granted"}
        chosen: Command = ("consent", "update", {name: "granted" if on else "denied" for name, on in signals.items()})
        plan = StartPlan(
            id=self.container_id,
            src=f"https://www.googletagmanager.com/gtm.js?id={self.container_id}",
            queue="dataLayer",
            style="gtag",
            start=(("consent", "default", denied), chosen, ("set", "ads_data_redaction", True), ("gtm.start",)),
            update=(chosen,),
            stop=(("consent", "update", denied),),
        )
        return plan.brought if self.printed else plan
