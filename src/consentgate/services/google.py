"""Google Analytics 4 in basic consent mode: nothing of it exists before opt-in, and withdrawal silences it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

from consentgate.errors import Problem
from consentgate.services.base import Command, StartPlan, host_in, is_origin, origin_of
from consentgate.storage import StorageItem, name_problem

__all__ = ["CONSENT_SIGNALS", "DEFAULT_SIGNALS", "GoogleAnalytics"]

CONSENT_SIGNALS = (
    "ad_storage",
    "ad_user_data",
    "ad_personalization",
    "analytics_storage",
    "functionality_storage",
    "personalization_storage",
    "security_storage",
)
"""All seven signals of Google's consent mode; each is always said, never left to a default of Google's."""

DEFAULT_SIGNALS: Mapping[str, tuple[str, ...]] = {
    "essential": ("security_storage",),
    "preferences": ("functionality_storage", "personalization_storage"),
    "analytics": ("analytics_storage",),
    "marketing": ("ad_storage", "ad_user_data", "ad_personalization"),
}
"""Which signals a category of this id grants unless it says otherwise."""

_MEASUREMENT_ID = re.compile(r"G-[A-Z0-9]{4,20}")
_COOKIE_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,32}")
_SECONDS_A_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleAnalytics:
    """Load Google Analytics 4 (gtag.js) once its category is granted.

    Args:
        measurement_id: the `G-…` id of the data stream, or a mapping of host to id; a host without one has no tag.
        script_origin: the address of your own server-side tagging or first-party gateway, for example
            `https://metrics.example.org`; gtag.js is loaded from it and hits are sent to it.
        cookie_prefix: put before the names of Google's cookies.
        cookie_days: lifetime of Google's cookies in days; by default as long as an acceptance is kept.
        printed: whether your pages carry the tag themselves; it is then held back until the visitor agrees, and
            nothing is started beside it.
    """

    measurement_id: str | Mapping[str, str]
    script_origin: str = "https://www.googletagmanager.com"
    cookie_prefix: str = ""
    cookie_days: int | None = None
    printed: bool = False

    kind: ClassVar[str] = "google-analytics"
    title: ClassVar[str] = "Google Analytics"
    provider: ClassVar[str] = "Google"
    privacy_url: ClassVar[str] = "https://policies.google.com/privacy"
    own_purposes: ClassVar[bool] = True
    snippets: ClassVar[tuple[str, ...]] = ()
    public_origin: ClassVar[str] = "https://www.googletagmanager.com"

    @property
    def addresses(self) -> tuple[str, ...]:
        """List your own tagging server, whose script pages may print."""
        own = self._origin != self.public_origin and is_origin(self._origin)
        return (host_in(self._origin) + "/gtag/",) if own else ()

    @property
    def starts(self) -> bool:
        """Whether consentgate loads gtag.js."""
        return not self.printed

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """List the two cookies of GA4, with the lifetime that is set for them."""
        duration = _days(self._cookie_days(acceptance_days))
        return (
            StorageItem(
                name=f"{self.cookie_prefix}_ga",
                purpose="Tells visits apart by a random number, so that visits can be counted.",
                duration=duration,
                provider=self.provider,
            ),
            StorageItem(
                name=f"{self.cookie_prefix}_ga_*",
                purpose="Remembers the state of a visit: which pages were seen, for how long and what was clicked.",
                duration=duration,
                provider=self.provider,
            ),
        )

    def leftover_names(self) -> tuple[str, ...]:
        """List cookies that older or linked Google tags leave behind (Universal Analytics, Ads, server-side GA)."""
        prefix = self.cookie_prefix
        named = ("_gid", "_gat", "_gat_*", "_dc_gtm_*", "_gac_*", "_gcl_*")
        return (*(prefix + name for name in named), "FPID", "FPLC", "AMP_TOKEN", "__utm*")

    def csp_sources(self) -> Mapping[str, tuple[str, ...]]:
        """List Google's hosts for GA4 without signals and ads, or your own gateway's alone."""
        if self._origin != self.public_origin:
            own = (origin_of(self._origin),)
            return {"script-src": own, "connect-src": own, "img-src": own}
        manager, analytics = "https://*.googletagmanager.com", "https://*.google-analytics.com"
        return {
            "script-src": (manager,),
            "connect-src": (analytics, "https://*.analytics.google.com", manager),
            "img-src": (analytics, manager),
        }

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield wrong ids, hosts that the site does not have, and lifetimes that outlive the consent."""
        yield from self._id_problems(f"{place}.measurement_id", hosts)
        if not is_origin(self.script_origin):
            yield Problem(
                f"{place}.script_origin",
                self.script_origin,
                "Write the address of your tagging server with no query, for example https://metrics.example.org.",
            )
        if not _COOKIE_PREFIX.fullmatch(self.cookie_prefix) or name_problem(f"{self.cookie_prefix}_ga"):
            yield Problem(
                f"{place}.cookie_prefix",
                self.cookie_prefix,
                "Use at most 32 letters, digits, underscores and hyphens.",
            )
        if self.cookie_days is not None and not 1 <= self.cookie_days <= acceptance_days:
            yield Problem(
                f"{place}.cookie_days",
                self.cookie_days,
                f"Use 1 to {acceptance_days} days: Google's cookies must not outlive the consent.",
            )

    def _id_problems(self, place: str, hosts: tuple[str, ...]) -> Iterator[Problem]:
        if isinstance(self.measurement_id, str):
            yield from _measurement_id_problems(place, self.measurement_id)
            return
        if not self.measurement_id:
            yield Problem(place, {}, "Give one id, or an id for each host.")
        for host, measurement_id in self.measurement_id.items():
            if host not in hosts:
                yield Problem(
                    f"{place}.{host}",
                    measurement_id,
                    f"{host} is not in hosts. Add it there or remove it here.",
                )
            yield from _measurement_id_problems(f"{place}.{host}", measurement_id)

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Say how gtag.js is started on one host.

        Consent default comes first (all denied), then the visitor's own choice, then `js` and `config`:
        Google remembers no state, and a `config` before the default would set cookies at once.
        """
        measurement_id = self._id_for(host)
        if measurement_id is None:
            return None
        chosen: Command = ("consent", "update", _states(signals))
        plan = StartPlan(
            id=measurement_id,
            src=f"{self._origin}/gtag/js?id={quote(measurement_id)}",
            queue="dataLayer",
            style="gtag",
            start=(
                ("consent", "default", _states({"security_storage": True})),
                chosen,
                ("set", "ads_data_redaction", True),
                ("js",),
                ("config", measurement_id, self._settings(acceptance_days, secure)),
            ),
            update=(chosen,),
            stop=(("consent", "update", _states({"security_storage": True})),),
            disable=f"ga-disable-{measurement_id}",
        )
        return plan.brought if self.printed else plan

    def _settings(self, acceptance_days: int, secure: bool) -> dict[str, object]:
        settings: dict[str, object] = {
            # Without this, and with the three ad signals denied, gtag.js still calls an advertising host.
            "allow_google_signals": False,
            "allow_ad_personalization_signals": False,
            # A Secure cookie cannot be set over plain http: Google would then measure nothing at all.
            "cookie_flags": "SameSite=Lax;Secure" if secure else "SameSite=Lax",
            "cookie_expires": self._cookie_days(acceptance_days) * _SECONDS_A_DAY,
        }
        if self.cookie_prefix:
            settings["cookie_prefix"] = self.cookie_prefix
        if self._origin != self.public_origin:
            settings["server_container_url"] = self._origin
        return settings

    @property
    def _origin(self) -> str:
        return self.script_origin.rstrip("/")

    def _id_for(self, host: str) -> str | None:
        if isinstance(self.measurement_id, str):
            return self.measurement_id
        return self.measurement_id.get(host)

    def _cookie_days(self, acceptance_days: int) -> int:
        return self.cookie_days or acceptance_days


def _measurement_id_problems(place: str, measurement_id: str) -> Iterator[Problem]:
    if not _MEASUREMENT_ID.fullmatch(measurement_id):
        yield Problem(
            place,
            measurement_id,
            "A Google Analytics 4 measurement id looks like G-AB12CD34EF (Admin, Data streams). "
            "UA-, GTM-, AW- and DC- ids are other products.",
        )


def _states(granted: Mapping[str, bool]) -> dict[str, str]:
    return {signal: "granted" if granted.get(signal) else "denied" for signal in CONSENT_SIGNALS}


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
