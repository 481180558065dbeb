"""Microsoft Clarity: recordings and heat maps, after opt-in alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from consentgate.errors import Problem
from consentgate.services.base import Command, ServiceDefaults, Sources, StartPlan
from consentgate.storage import StorageItem

__all__ = ["MicrosoftClarity"]

_PROJECT_ID = re.compile(r"[a-z0-9]{4,20}")
_HOSTS = ("https://*.clarity.ms", "https://c.bing.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrosoftClarity(ServiceDefaults):
    """Load Microsoft Clarity once its category is granted.

    Args:
        project_id: the project's id, in its address at clarity.microsoft.com.
        printed: whether your pages carry the tag themselves; it is then held back until the visitor agrees, and
            nothing is started beside it.
    """

    project_id: str
    printed: bool = False

    kind: ClassVar[str] = "microsoft-clarity"
    title: ClassVar[str] = "Microsoft Clarity"
    provider: ClassVar[str] = "Microsoft"
    privacy_url: ClassVar[str] = "https://privacy.microsoft.com/privacystatement"

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """List Clarity's cookies on the site's own domain."""
        return (
            StorageItem(
                name="_clck",
                purpose="Tells visitors apart by a random number, across their visits.",
                duration="1 year",
                provider=self.provider,
            ),
            StorageItem(
                name="_clsk",
                purpose="Connects the pages of a visit into one recording of clicks and scrolling.",
                duration="1 day",
                provider=self.provider,
            ),
        )

    def csp_sources(self) -> Sources:
        """List Microsoft's hosts."""
        return {"script-src": _HOSTS[:1], "connect-src": _HOSTS, "img-src": _HOSTS}

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield a wrong id."""
        if not _PROJECT_ID.fullmatch(self.project_id):
            yield Problem(
                f"{place}.project_id",
                self.project_id,
                "A Clarity project's id has letters and digits only, for example abc1def2gh.",
            )

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Say both of Clarity's signals first: for visitors from the UK it otherwise takes them as denied."""
        ads = "granted" if signals.get("ad_storage") else "denied"
        chosen: Command = ("consentv2", {"ad_Storage": ads, "analytics_Storage": "granted"})
        plan = StartPlan(
            id=f"clarity-{self.project_id}",
            src=f"https://www.clarity.ms/tag/{self.project_id}",
            queue="clarity",
            start=(chosen,),
            update=(chosen,),
            # The second erases Clarity's cookies.
            stop=(("consentv2", {"ad_Storage": "denied", "analytics_Storage": "denied"}), ("consent", False)),
        )
        return plan.brought if self.printed else plan
