"""A Django site with consentgate around it: `python -m examples.django_site`, then http://127.0.0.1:8000.

In a project of your own the settings and views stay where they are; what matters is the end, which belongs into
`asgi.py`.
"""

from __future__ import annotations

import os
import secrets

import django
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect
from django.template import RequestContext, Template
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from consentgate import (
    Category,
    ConsentMiddleware,
    ConsentPolicy,
    Controller,
    GoogleAnalytics,
    StorageItem,
    consent_from,
)

PAGE = """<!doctype html>
<html lang="en-GB">
<head><meta charset="utf-8"><title>{{ title }} - Corner Bakery</title></head>
<body>
<nav><a href="/">Home</a> <a href="/bread">Bread</a> <a href="/admin/">Staff</a></nav>
<main><h1>{{ title }}</h1>
<p>In your basket: {{ basket }}</p>
{% if counted %}<p>Thank you for letting us count visits.</p>{% endif %}
<form method="post" action="/basket">
{% csrf_token %}
<button name="bread" value="a sourdough">Buy a sourdough</button>
</form>
</main>
<footer><a href="{{ cookies_page }}">Cookies</a></footer>
</body>
</html>"""

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "file:bakery?mode=memory&cache=shared",
            "OPTIONS": {"uri": True},
        }
    },
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32),
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
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

from django.contrib import admin  # noqa: E402 - it needs the settings above

POLICY = ConsentPolicy(
    site_name="Corner Bakery",
    controller=Controller(name="Corner Bakery Ltd", email="hello@example.org"),
    categories=(
        Category(
            id="essential",
            items=(
                StorageItem(
                    name="sessionid",
                    purpose="Remembers what you put into your basket, and keeps staff signed in.",
                    duration="14 days",
                ),
                StorageItem(name="csrftoken", purpose="Keeps forms safe from misuse.", duration="1 year"),
                StorageItem(
                    name="messages",
                    purpose="Tells staff how something they did went.",
                    duration="When you close your browser",
                ),
            ),
        ),
        Category(
            id="analytics",
            items=(StorageItem(name="visited", purpose="Tells new visitors from returning ones.", duration="30 days"),),
            services=(GoogleAnalytics(measurement_id="G-AB12CD34EF"),),
        ),
    ),
    skip_paths=("/admin/*",),  # staff get neither banner nor tags
)

# A key drawn at start is for development only: after a restart every visitor is asked again, and two worker
# processes would not believe each other's cookies. On a server, set CONSENTGATE_KEYS (`consentgate key` draws one).
KEYS = os.environ.get("CONSENTGATE_KEYS") or secrets.token_urlsafe(32)


@require_safe
def home(request: ASGIRequest) -> HttpResponse:
    """Show the first page."""
    return _page(request, "Fresh bread, every morning")


@require_safe
def bread(request: ASGIRequest) -> HttpResponse:
    """Show a second page."""
    return _page(request, "Our bread")


@require_POST
def basket(request: ASGIRequest) -> HttpResponse:
    """Keep something in the session, whose cookie is essential here."""
    request.session["basket"] = request.POST.get("bread", "")
    return _to_home()


@require_safe
def offer(request: ASGIRequest) -> HttpResponse:
    """Set a cookie that the policy does not list: it is withheld, and the log says which lines would list it."""
    response = _to_home()
    response.set_cookie("campaign", "newsletter")
    return response


def _to_home() -> HttpResponse:
    response = HttpResponseRedirect("/")
    response.status_code = 303
    return response


def _page(request: ASGIRequest, title: str) -> HttpResponse:
    consent = consent_from(request.scope)
    values = {
        "title": title,
        "basket": request.session.get("basket", "nothing yet"),
        "counted": consent.allows("analytics"),
        "cookies_page": consent.cookies_page,
    }
    response = HttpResponse(Template(PAGE).render(RequestContext(request, values)))
    # Withheld until the visitor accepts analytics; the program needs no `if` for it.
    response.set_cookie("visited", "yes", max_age=30 * 24 * 3600)
    return response


urlpatterns = [
    path("", home),
    path("bread", bread),
    path("basket", basket),
    path("offer", offer),
    path("admin/", admin.site.urls),
]

# The end of `asgi.py`. The static files' handler is for development, as in `manage.py runserver`.
app = ConsentMiddleware(
    ASGIStaticFilesHandler(get_asgi_application()),
    POLICY,
    keys=KEYS,
)


if __name__ == "__main__":
    import uvicorn

    call_command("migrate", verbosity=0)
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), lifespan="off")  # Django has none
