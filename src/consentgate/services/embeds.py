"""Videos and maps of others: your pages carry their frames, which stay away until the visitor agrees.

What these services keep is kept for their own sites, out of the reach of yours: it is told of, but no cookie of your
own with the same name is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from consentgate.services.base import ServiceDefaults, Sources
from consentgate.storage import StorageItem

__all__ = ["GoogleMaps", "Vimeo", "YouTube"]


@dataclass(frozen=True, slots=True, kw_only=True)
class YouTube(ServiceDefaults):
    """Hold back videos of YouTube until their category is granted or the visitor plays one."""

    kind: ClassVar[str] = "youtube"
    title: ClassVar[str] = "YouTube"
    provider: ClassVar[str] = "Google"
    privacy_url: ClassVar[str] = "https://policies.google.com/privacy"

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """Tell what YouTube keeps."""
        purpose = (
            "Shows videos. YouTube recognises your browser across websites by cookies of its own, such as "
            "VISITOR_INFO1_LIVE and YSC."
        )
        return (_told("youtube.com", purpose, "Up to 180 days", self.provider),)

    def csp_sources(self) -> Sources:
        """List YouTube's hosts."""
        return {
            "frame-src": ("https://www.youtube.com", "https://www.youtube-nocookie.com"),
            "script-src": ("https://www.youtube.com",),
            "img-src": ("https://i.ytimg.com",),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Vimeo(ServiceDefaults):
    """Hold back videos of Vimeo until their category is granted or the visitor plays one."""

    kind: ClassVar[str] = "vimeo"
    title: ClassVar[str] = "Vimeo"
    provider: ClassVar[str] = "Vimeo"
    privacy_url: ClassVar[str] = "https://vimeo.com/privacy"

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """Tell what Vimeo keeps."""
        purpose = "Shows videos. Vimeo counts its visitors by cookies of its own, such as vuid."
        return (_told("vimeo.com", purpose, "Up to 400 days", self.provider),)

    def csp_sources(self) -> Sources:
        """List Vimeo's hosts."""
        return {
            "frame-src": ("https://player.vimeo.com",),
            "script-src": ("https://player.vimeo.com",),
            "img-src": ("https://i.vimeocdn.com",),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleMaps(ServiceDefaults):
    """Hold back maps of Google until their category is granted or the visitor opens one."""

    kind: ClassVar[str] = "google-maps"
    title: ClassVar[str] = "Google Maps"
    provider: ClassVar[str] = "Google"
    privacy_url: ClassVar[str] = "https://policies.google.com/privacy"

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """Tell what Google keeps."""
        purpose = "Shows maps. Google recognises your browser by cookies of its own, such as NID."
        return (_told("google.com/maps", purpose, "Up to 180 days", self.provider),)

    def csp_sources(self) -> Sources:
        """List Google's hosts for maps."""
        programs, pictures = "https://*.googleapis.com", "https://*.gstatic.com"
        return {
            "frame-src": ("https://www.google.com", "https://maps.google.com"),
            "script-src": ("https://maps.googleapis.com",),
            "connect-src": (programs,),
            "img-src": (programs, pictures),
        }


def _told(name: str, purpose: str, duration: str, provider: str) -> StorageItem:
    return StorageItem(name=name, purpose=purpose, duration=duration, provider=provider, type="script")
