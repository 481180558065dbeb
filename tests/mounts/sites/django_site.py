"""The site in Django, with its admin."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.static import serve

from consentgate import ConsentMiddleware, consent_from
from tests.mounts.sites.shared import FILES, KEYS, PAGE, PAUSE, PIECES, STREAM_START, event, piece, policy

database = tempfile.TemporaryDirectory()
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(database.name, "site.sqlite3")}},
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # quick
    ROOT_URLCONF=__name__,
    SECRET_KEY=KEYS,
    STATIC_URL="static/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "django.template.context_processors.request",
                ]
            },
        }
    ],
)
django.setup()

from django.contrib import admin  # noqa: E402 - these need the settings above
from django.contrib.auth.models import User  # noqa: E402

USER, PASSWORD = "staff", "a password of the tests alone"


async def page(request: ASGIRequest) -> HttpResponse:
    return HttpResponse(PAGE)


async def alone(request: ASGIRequest) -> HttpResponse:
    consent_from(request.scope).leave_page_alone()
    return HttpResponse(PAGE)


async def stream(request: ASGIRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[str]:
        yield STREAM_START
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield piece(number)

    return StreamingHttpResponse(pieces())


async def events(request: ASGIRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[str]:
        for number in range(PIECES):
            await asyncio.sleep(PAUSE)
            yield event(number)

    return StreamingHttpResponse(pieces(), content_type="text/event-stream")


@csrf_exempt
async def sign_in(request: ASGIRequest) -> HttpResponse:
    response = HttpResponseRedirect("/page")
    response.status_code = 303
    response.set_cookie("session", "s3cr3t", httponly=True)
    response.set_cookie("campaign", "newsletter")
    response.set_cookie("pages_seen", "1")
    return response


async def cookies(request: ASGIRequest) -> JsonResponse:
    return JsonResponse(dict(request.COOKIES))


async def consent(request: ASGIRequest) -> JsonResponse:
    await asyncio.sleep(PAUSE)
    return JsonResponse({"analytics": consent_from(request.scope).allows("analytics"), "started": True})


@csrf_exempt
async def length(request: ASGIRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)), content_type="text/plain")


urlpatterns = [
    path("page", page),
    path("quiet/page", page),
    path("alone", alone),
    path("stream", stream),
    path("events", events),
    path("sign-in", sign_in),
    path("cookies-seen", cookies),
    path("consent", consent),
    path("length", length),
    path("static/<path:path>", serve, {"document_root": FILES}),
    path("admin/", admin.site.urls),
]

call_command("migrate", verbosity=0)
User.objects.create_superuser(USER, password=PASSWORD)
app = ConsentMiddleware(get_asgi_application(), policy, keys=KEYS)
