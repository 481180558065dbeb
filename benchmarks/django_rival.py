"""A Django site as people run it under ASGI, plain and with django-script-consent's middleware in it.

The view is an ordinary one, which Django takes to a thread; the rival's middleware, which is written for threads too,
stands next to it, so that it pays for no thread of its own. Its banner, categories and scripts are those it comes with.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path

from benchmarks.sites import HOST, KEY, page

__all__ = ["BANNER", "PAGE", "TAG", "answered", "plain", "prepare", "with_rival"]

PAGE = page(100_000)
_TEXT = PAGE.decode()
BANNER, TAG = b'data-auto-open="1"', b"analytics loaded (consent required)"
_MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]


def _home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_TEXT)


urlpatterns = [path("", _home)]


def prepare(folder: Path) -> None:
    """Set Django up, with a database in a folder."""
    settings.configure(
        ALLOWED_HOSTS=[HOST],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.sqlite3"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "django.contrib.staticfiles",
            "script_consent",
        ],
        MIDDLEWARE=_MIDDLEWARE,
        ROOT_URLCONF=__name__,
        SECRET_KEY=KEY,
        STATIC_URL="static/",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
    )
    django.setup()
    urlpatterns.append(path("script-consent/", include("script_consent.urls")))  # they need the settings
    call_command("migrate", verbosity=0)


def plain() -> ASGIHandler:
    """Return the site."""
    return ASGIHandler()


def with_rival() -> ASGIHandler:
    """Return the site with django-script-consent in it."""
    with override_settings(MIDDLEWARE=[*_MIDDLEWARE, "script_consent.middleware.ScriptConsentMiddleware"]):
        return ASGIHandler()


def answered(*categories: str) -> bytes:
    """Return the rival's cookie of a visitor who agreed to some categories."""
    from script_consent import consent, cookies

    response = HttpResponse()
    cookies.set_consent_cookies(response, consent.build_consent_state(uuid.uuid4(), categories))
    return "; ".join(f"{name}={morsel.coded_value}" for name, morsel in response.cookies.items()).encode()
