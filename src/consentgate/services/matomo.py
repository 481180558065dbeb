"""Matomo: on your own server or in its cloud, by consent or, without cookies, under the statistical exception."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from consentgate.errors import Problem
from consentgate.services.base import Command, ServiceDefaults, Sources, StartPlan, host_in, is_origin, origin_of
from consentgate.storage import StorageItem

__all__ = ["Matomo"]

_SITE_ID = re.compile(r"(?=.{1,18}$)0*[1-9][0-9]*")
_SECONDS_A_DAY = 24 * 60 * 60
_VISITOR_DAYS = 393  # what Matomo itself keeps its visitor cookie for
_REFERRER_DAYS = 182


@dataclass(frozen=True, slots=True, kw_only=True)
class Matomo(ServiceDefaults):
    """Load Matomo once its category is granted, or until the visitor objects.

    Args:
        url: the address of your Matomo, for example `https://stats.example.org/`.
        site_id: the number of the website in Matomo.
        cookies: whether it may set cookies; without them it cannot tell returning visitors.
        printed: whether your pages carry the tag themselves; it is then held back until the visitor agrees, and
            nothing is started beside it.
    """

    url: str
    site_id: int | str
    cookies: bool = True
    printed: bool = False

    kind: ClassVar[str] = "matomo"
    title: ClassVar[str] = "Matomo"
    privacy_url: ClassVar[str] = "https://matomo.org/privacy/"
    own_purposes: ClassVar[bool] = False

    @property
    def provider(self) -> str:
        """The host that receives the data, which tells visitors more than the maker's name."""
        return urlsplit(self.url).netloc if is_origin(self.url) else "Matomo"

    @property
    def addresses(self) -> tuple[str, ...]:
        """List your Matomo's address."""
        return (host_in(self.url) + urlsplit(self.url).path.rstrip("/"),) if is_origin(self.url) else ()

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """List Matomo's cookies, with the lifetimes that are set for them."""
        if not self.cookies:
            purpose = "Counts visits without keeping anything in your browser."
            return (StorageItem(name=self.provider, purpose=purpose, duration="Not kept", type="script"),)
        return (
            StorageItem(
                name="_pk_id.*",
                purpose="Tells visits apart by a random number, so that visits can be counted.",
                duration=f"{min(_VISITOR_DAYS, acceptance_days)} days",
                provider=self.provider,
            ),
            StorageItem(
                name="_pk_ses.*",
                purpose="Remembers that a visit is going on.",
                duration="30 minutes",
                provider=self.provider,
            ),
            StorageItem(
                name="_pk_ref.*",
                purpose="Remembers from which website a visit came.",
                duration=f"{min(_REFERRER_DAYS, acceptance_days)} days",
                provider=self.provider,
            ),
        )

    def leftover_names(self) -> tuple[str, ...]:
        """List cookies of Matomo's that its own settings may bring."""
        return ("_pk_*", "mtm_*", "MATOMO_SESSID")

    def csp_sources(self) -> Sources:
        """List your Matomo."""
        own = (origin_of(self.url),)
        return {"script-src": own, "connect-src": own, "img-src": own}

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield a wrong address and a wrong number."""
        if not is_origin(self.url):
            yield Problem(
                f"{place}.url", self.url, "Write the address of your Matomo, for example https://stats.example.org/."
            )
        if not _SITE_ID.fullmatch(str(self.site_id)):
            yield Problem(f"{place}.site_id", self.site_id, "Write the website's number in Matomo, from 1 upwards.")

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Configure the tracker, then count the page. Once stopped it sends nothing and keeps nothing."""
        base = self.url.rstrip("/")
        kept: tuple[Command, ...] = (
            ("setVisitorCookieTimeout", min(_VISITOR_DAYS, acceptance_days) * _SECONDS_A_DAY),
            ("setReferralCookieTimeout", min(_REFERRER_DAYS, acceptance_days) * _SECONDS_A_DAY),
            ("setSecureCookie", secure),
        )
        plan = StartPlan(
            id=f"matomo-{self.site_id}",
            src=f"{base}/matomo.js",
            queue="_paq",
            style="array",
            start=(
                *(kept if self.cookies else (("disableCookies",),)),
                ("setTrackerUrl", f"{base}/matomo.php"),
                ("setSiteId", str(self.site_id)),
                ("trackPageView",),
                ("enableLinkTracking",),
            ),
            # `forgetConsentGiven` would leave a cookie that says so for 30 years.
            stop=(("requireConsent",), ("deleteCookies",)),
            update=(("setConsentGiven",), *(() if self.cookies else (("disableCookies",),))),
        )
        return plan.brought if self.printed else plan
