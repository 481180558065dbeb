"""Make a visitor's cookie choice true on the server: an ASGI middleware for consent."""

from __future__ import annotations

from consentgate.consent import Consent
from consentgate.errors import ConfigurationError
from consentgate.middleware import ConsentMiddleware, consent_from
from consentgate.policy import Category, ConsentPolicy, Controller
from consentgate.policy_file import load_policy
from consentgate.services import GoogleAnalytics
from consentgate.storage import StorageItem
from consentgate.visit import RequestConsent

__all__ = [
    "Category",
    "ConfigurationError",
    "Consent",
    "ConsentMiddleware",
    "ConsentPolicy",
    "Controller",
    "GoogleAnalytics",
    "RequestConsent",
    "StorageItem",
    "consent_from",
    "load_policy",
]

__version__ = "0.1.0"
