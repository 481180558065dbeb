"""Meta Pixel: advertising on Facebook and Instagram, after opt-in alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from consentgate.errors import Problem
from consentgate.services.base import ServiceDefaults, Sources, StartPlan
from consentgate.storage import StorageItem

__all__ = ["MetaPixel"]

_PIXEL_ID = re.compile(r"[0-9]{5,20}")
_CONNECT = "https://connect.facebook.net"
_FACEBOOK = "https://www.facebook.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaPixel(ServiceDefaults):
    """Load the Meta Pixel once its category is granted.

    Args:
        pixel_id: the pixel's number.
        printed: whether your pages carry the tag themselves; it is then held back until the visitor agrees, and
            nothing is started beside it.
    """

    pixel_id: str
    printed: bool = False

    kind: ClassVar[str] = "meta-pixel"
    title: ClassVar[str] = "Meta Pixel"
    provider: ClassVar[str] = "Meta"
    privacy_url: ClassVar[str] = "https://www.facebook.com/privacy/policy/"

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """List the pixel's cookies on the site's own domain."""
        return (
            StorageItem(
                name="_fbp",
                purpose="Recognises your browser, so that advertising on Facebook and Instagram can be measured.",
                duration="90 days",
                provider=self.provider,
            ),
            StorageItem(
                name="_fbc",
                purpose="Remembers that you came by an advertisement on Facebook or Instagram.",
                duration="90 days",
                provider=self.provider,
            ),
        )

    def csp_sources(self) -> Sources:
        """List Meta's hosts."""
        return {"script-src": (_CONNECT,), "connect-src": (_CONNECT, _FACEBOOK), "img-src": (_FACEBOOK,)}

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield a wrong number."""
        if not _PIXEL_ID.fullmatch(self.pixel_id):
            yield Problem(f"{place}.pixel_id", self.pixel_id, "A pixel's id is a number, in quotes.")

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Name the pixel, then report the page."""
        plan = StartPlan(
            id=f"meta-{self.pixel_id}",
            src=f"{_CONNECT}/en_US/fbevents.js",
            queue="fbq",
            style="pixel",
            start=(("consent", "grant"), ("init", self.pixel_id), ("track", "PageView")),
            update=(("consent", "grant"),),
            stop=(("consent", "revoke"),),
        )
        return plan.brought if self.printed else plan
