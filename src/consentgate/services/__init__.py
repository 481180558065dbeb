"""What can be gated: the services a category may start once it is granted."""

from __future__ import annotations

from typing import Any

from consentgate.services.base import Service, StartPlan
from consentgate.services.clarity import MicrosoftClarity
from consentgate.services.custom import CustomService
from consentgate.services.embeds import GoogleMaps, Vimeo, YouTube
from consentgate.services.google import GoogleAnalytics
from consentgate.services.matomo import Matomo
from consentgate.services.meta import MetaPixel
from consentgate.services.plausible import Plausible
from consentgate.services.tag_manager import GoogleTagManager

__all__ = [
    "SERVICES",
    "CustomService",
    "GoogleAnalytics",
    "GoogleMaps",
    "GoogleTagManager",
    "Matomo",
    "MetaPixel",
    "MicrosoftClarity",
    "Plausible",
    "Service",
    "StartPlan",
    "Vimeo",
    "YouTube",
]

SERVICES: dict[str, type[Any]] = {
    service.kind: service
    for service in (
        CustomService,
        GoogleAnalytics,
        GoogleMaps,
        GoogleTagManager,
        Matomo,
        MetaPixel,
        MicrosoftClarity,
        Plausible,
        Vimeo,
        YouTube,
    )
}
"""Every built-in service by its `type` in `consentgate.toml`."""
