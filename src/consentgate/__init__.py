"""Make a visitor's cookie choice true on the server: an ASGI middleware for consent."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

# Each name is brought from its room when it is first asked for: who only describes a policy needs no middleware.
_ROOMS = {
    "Category": "policy",
    "ConfigurationError": "errors",
    "Consent": "consent",
    "ConsentMiddleware": "middleware",
    "ConsentPolicy": "policy",
    "Controller": "policy",
    "GoogleAnalytics": "services",
    "RequestConsent": "visit",
    "StorageItem": "storage",
    "consent_from": "middleware",
    "load_policy": "policy_file",
}


def __getattr__(name: str) -> object:
    """Return a public name (PEP 562)."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
