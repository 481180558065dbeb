"""The three sites of Step Forward Luton as Starlette applications; they ask consentgate one question only."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.step_forward_luton.contact_form import (
    FIELDS,
    Draft,
    Drafts,
    form_token,
    is_own_form,
    problems_of,
    read_form,
)

__all__ = ["DOMAIN", "SITES", "Page", "Site", "create_sites"]

HERE = Path(__file__).parent
DOMAIN = "stepforwardluton.localhost"
PRIVACY_PATH = "/policies/privacy-policy"
TEXT_SIZES = ("normal", "large")
TEXT_SIZE_COOKIE = "sfl_text_size"
TEXT_SIZE_DAYS = 184  # as consentgate.toml tells visitors


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Name one page: where it is, what the navigation calls it and which template holds its text."""

    path: str
    label: str
    template: str
    language: str = "en-GB"
    direction: str = "ltr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Describe one site; the last of its pages is the one with the form."""

    id: str
    host: str
    name: str
    tagline: str
    summary: str
    pages: tuple[Page, ...]
    topics: tuple[str, ...]

    @property
    def form_page(self) -> Page:
        """Return the page that holds the contact form."""
        return self.pages[-1]


PRIVACY_PAGE = Page(path=PRIVACY_PATH, label="Privacy policy", template="privacy.html")

WELCOME_PAGES = (
    Page(path="/pl", label="Polski", template="welcome/pl.html", language="pl"),
    Page(path="/ur", label="اردو", template="welcome/ur.html", language="ur", direction="rtl"),
)

SITES = (
    Site(
        id="main",
        host=DOMAIN,
        name="Step Forward Luton",
        tagline="The partnership",
        summary="The partnership: who we are, news, how to take part.",
        pages=(
            Page(path="/", label="Home", template="main/home.html"),
            Page(path="/about", label="About us", template="main/about.html"),
            Page(path="/get-involved", label="Get involved", template="main/get_involved.html"),
            Page(path="/news", label="News", template="main/news.html"),
            Page(path="/contact", label="Contact", template="contact.html"),
        ),
        topics=(
            "Taking part in the partnership",
            "A story about Luton",
            "Something on this site",
            "Something else",
        ),
    ),
    Site(
        id="place",
        host=f"place.{DOMAIN}",
        name="Luton, the place",
        tagline="The place",
        summary="Luton as a place: visit, culture, parks, living here.",
        pages=(
            Page(path="/", label="Home", template="place/home.html"),
            Page(path="/visit", label="Visit", template="place/visit.html"),
            Page(path="/culture", label="Culture", template="place/culture.html"),
            Page(path="/parks", label="Parks", template="place/parks.html"),
            Page(path="/living", label="Living here", template="place/living.html"),
            Page(path="/contact", label="Contact", template="contact.html"),
        ),
        topics=("Planning a visit", "An event or a place to add", "Moving to Luton", "Something else"),
    ),
    Site(
        id="invest",
        host=f"invest.{DOMAIN}",
        name="Invest in Luton",
        tagline="Invest",
        summary="Investing in Luton: sectors, connections, places to work, enquiries.",
        pages=(
            Page(path="/", label="Home", template="invest/home.html"),
            Page(path="/sectors", label="Sectors", template="invest/sectors.html"),
            Page(path="/connectivity", label="Connectivity", template="invest/connectivity.html"),
            Page(path="/sites", label="Sites", template="invest/locations.html"),
            Page(path="/enquiry", label="Enquiry", template="contact.html"),
        ),
        topics=(
            "Finding premises",
            "Growing a business in Luton",
            "Working with the partnership",
            "Something else",
        ),
    ),
)


def create_sites(port: int) -> ASGIApp:
    """Build the three sites as one application that answers by host name, still without any cookie banner."""
    addresses = {site.id: f"http://{site.host}:{port}" for site in SITES}
    hosts = [Host(site.host, _create_site(site, addresses)) for site in SITES]
    return Router(routes=hosts, default=_redirect_to(addresses["main"]))


def _create_site(site: Site, addresses: Mapping[str, str]) -> Starlette:
    views = SiteViews(site, addresses)
    pages = [Route(page.path, views.show) for page in (*site.pages[:-1], PRIVACY_PAGE, *WELCOME_PAGES)]
    return Starlette(
        routes=[
            *pages,
            Route(site.form_page.path, views.show_form, methods=["GET"]),
            Route(site.form_page.path, views.take_form, methods=["POST"]),
            Route("/text-size", views.set_text_size, methods=["POST"]),
            Route("/favicon.ico", _icon),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[
            # A key for this run only: the repository holds no secret. No Max-Age: gone with the browser.
            Middleware(
                SessionMiddleware,
                secret_key=secrets.token_urlsafe(32),
                session_cookie="sfl_session",
                max_age=None,
                same_site="lax",
            )
        ],
        exception_handlers={HTTPException: views.show_error},
    )


async def _icon(request: Request) -> Response:
    """Serve the icon where browsers look for it on pages that name none."""
    return FileResponse(HERE / "static" / "icon.svg")


def _redirect_to(address: str) -> ASGIApp:
    """Send whoever typed another name of this computer, such as 127.0.0.1, to the main site."""

    async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
        await RedirectResponse(address)(scope, receive, send)

    return redirect


class SiteViews:
    """Answer the requests of one site."""

    def __init__(self, site: Site, addresses: Mapping[str, str]) -> None:
        self._site = site
        self._pages = {page.path: page for page in (*site.pages, PRIVACY_PAGE, *WELCOME_PAGES)}
        self._drafts = Drafts()
        self._templates = Jinja2Templates(directory=HERE / "templates")
        shared = {
            "site": site,
            "sites": SITES,
            "addresses": addresses,
            "privacy_path": PRIVACY_PATH,
            "welcome_pages": WELCOME_PAGES,
        }
        self._templates.env.globals.update(shared)

    async def show(self, request: Request) -> Response:
        """Show a page of text."""
        return self._render(request, self._pages[request.url.path])

    async def show_form(self, request: Request) -> Response:
        """Show the contact form, with what was typed before and what is wrong with it."""
        token = form_token(request)
        sent = bool(request.session.pop("sent", False))
        response = self._render(
            request,
            self._site.form_page,
            token=token,
            draft=self._drafts.find(token),
            sent=sent,
            unsafe="unsafe" in request.query_params,
        )
        response.headers["cache-control"] = "private, no-cache"
        return response

    async def take_form(self, request: Request) -> Response:
        """Check the form and redirect, so that reloading the page sends nothing twice."""
        form = await read_form(request)
        typed = {name: form.get(name, "") for name in FIELDS}
        path = self._site.form_page.path
        if not is_own_form(request, form.get("token", "")):
            self._drafts.keep(form_token(request), Draft(typed=typed))
            return RedirectResponse(f"{path}?unsafe#result", 303)
        token = form_token(request)
        problems = problems_of(typed, self._site.topics)
        if problems:
            self._drafts.keep(token, Draft(typed=typed, problems=problems))
            return RedirectResponse(f"{path}#result", 303)
        self._drafts.forget(token)
        request.session["sent"] = True
        return RedirectResponse(f"{path}#result", 303)

    async def set_text_size(self, request: Request) -> Response:
        """Apply a text size: kept in a cookie if the visitor allows that, else for one page."""
        form = await read_form(request)
        size, path = form.get("size"), form.get("page", "/")
        if size not in TEXT_SIZES:
            raise HTTPException(400)
        if path not in self._pages:  # never redirect to an address that came with the request
            path = "/"
        if not _may_remember(request):
            return RedirectResponse(f"{path}?text-size={size}", 303)
        response = RedirectResponse(path, 303)
        if size == "normal":
            response.delete_cookie(TEXT_SIZE_COOKIE, domain=DOMAIN)
        else:
            lifetime = TEXT_SIZE_DAYS * 24 * 60 * 60
            response.set_cookie(TEXT_SIZE_COOKIE, size, max_age=lifetime, domain=DOMAIN, httponly=True)
        return response

    async def show_error(self, request: Request, error: Exception) -> Response:
        """Say in plain words that a page is not there or a request could not be used."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        page = Page(path=request.url.path, label="Page not found", template="not_found.html")
        if status != 404:
            page = Page(path=request.url.path, label="Something went wrong", template="refused.html")
        return self._render(request, page, status)

    def _render(self, request: Request, page: Page, status: int = 200, **context: object) -> Response:
        size = request.query_params.get("text-size")
        once = size in TEXT_SIZES and not _may_remember(request)
        if not once:
            size = _remembered_size(request)
        return self._templates.TemplateResponse(
            request,
            page.template,
            {"page": page, "text_size": size, "text_size_once": once, **context},
            status_code=status,
        )


def _may_remember(request: Request) -> bool:
    """Ask consentgate whether this visitor allows preferences; without consentgate nobody does."""
    consent = getattr(request.state, "consent", None)
    return consent is not None and bool(consent.allows("preferences"))


def _remembered_size(request: Request) -> str:
    size = request.cookies.get(TEXT_SIZE_COOKIE) if _may_remember(request) else None
    return size if size in TEXT_SIZES else "normal"
