"""What can be gated: the services a category may start once it is granted."""

from __future__ import annotations

from consentgate.services.base import Service, StartPlan
from consentgate.services.google import GoogleAnalytics

__all__ = ["SERVICES", "GoogleAnalytics", "Service", "StartPlan"]

SERVICES: dict[str, type[GoogleAnalytics]] = {GoogleAnalytics.kind: GoogleAnalytics}
"""Every built-in service by its `type` in `consentgate.toml`."""
