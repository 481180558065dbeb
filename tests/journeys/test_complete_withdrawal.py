"""Complete withdrawal on five kinds of host: afterwards the browser's own cookie store holds nothing that was refused.

Each visitor accepts, gets a cookie of every shape from the site (each shape under its own name), and withdraws. What is
left is counted in the browser's store, which also lists what no script and no other page can see. The table of what was
measured stands in docs/explanation/complete-withdrawal.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import trustme
from playwright.sync_api import Browser, Page, Playwright, Route, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as Address
from starlette.types import ASGIApp

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, StorageItem
from tests.journeys.conftest import launch
from tests.journeys.server import Certificate, Serving
from tests.journeys.visitor import PATIENCE

pytestmark = pytest.mark.browser

Scheme = Literal["http", "https"]

# A host, and the widest domain that its visitors' browsers take a cookie for: gov.uk and org.uk are public suffixes.
HOSTS = {
    "partnership.org.uk": "partnership.org.uk",
    "www.partnership.com": "partnership.com",
    "place.partnership.com": "partnership.com",
    "place.partnership.org.uk": "partnership.org.uk",
    "invest.west.gov.uk": "west.gov.uk",
}

# What is set, by name; {parent} and {host} are filled in.
SHAPES: dict[str, str] = {
    "_ga": "Domain={parent}; Path=/; Max-Age=34560000",  # as gtag.js does
    "_ga_ABC123": "Domain={parent}; Path=/; Max-Age=34560000",
    "pages_host_only": "Path=/",
    "pages_own_domain": "Domain={host}; Path=/",
    "pages_http_only": "Path=/; HttpOnly",
    "pages_http_only_parent": "Domain={parent}; Path=/; HttpOnly; SameSite=Strict",
    "pages_news": "Path=/news",  # as the policy says
    "pages_news_parent": "Domain={parent}; Path=/news",
    "pages_folder": "Path=/news/today",  # the policy knows the name only
}
SECURE_SHAPES: dict[str, str] = {
    "pages_secure": "Path=/; Secure",
    "pages_secure_parent": "Domain={parent}; Path=/; Secure; HttpOnly",
    "pages_partitioned": "Path=/; Secure; Partitioned; SameSite=None",
    "pages_partitioned_parent": "Domain={parent}; Path=/; Secure; Partitioned; SameSite=None; HttpOnly",
    "__Secure-pages": "Domain={parent}; Path=/; Secure",
    "__Host-pages": "Path=/; Secure; HttpOnly",
    "__Host-pages_partitioned": "Path=/; Secure; Partitioned; SameSite=None",
}
KEPT = {
    "session": "Path=/; HttpOnly",  # essential
    "session_parent": "Domain={parent}; Path=/",
    "_gazette": "Path=/",  # nobody declared these, and their names resemble what is declared
    "page": "Domain={parent}; Path=/; HttpOnly",
    "x_pages_news": "Path=/news",
}
UNSEEN = "pages_folder"  # no page outside its folder can tell that it is there; the first page in it expires it
OWN = {"consentgate", "__Host-consentgate"}


def shapes(scheme: Scheme) -> dict[str, str]:
    """Return what can be set over a scheme and has to go."""
    return SHAPES | (SECURE_SHAPES if scheme == "https" else {})


async def set_everything(request: Request) -> Response:
    response = HTMLResponse("<!doctype html><title>Set</title><h1>Set</h1>")
    host = request.url.hostname or ""
    for name, attributes in {**shapes(request.url.scheme), **KEPT}.items():  # type: ignore[arg-type]
        line = f"{name}=1; {attributes.format(host=host, parent=HOSTS[host])}"
        response.raw_headers.append((b"set-cookie", line.encode()))
    return response


async def show(request: Request) -> Response:
    return HTMLResponse(f"<!doctype html><title>Page</title><h1>Page</h1><p>{' '.join(sorted(request.cookies))}</p>")


def item(name: str, path: str = "/") -> StorageItem:
    return StorageItem(name=name, purpose="Counts pages.", duration="1 day", path=path)


def make_app(port: int) -> ASGIApp:
    names = ("pages_*", "__Secure-pages", "__Host-pages", "__Host-pages_partitioned")
    analytics = Category(
        id="analytics",
        items=(item("pages_news", "/news"), item("pages_news_parent", "/news"), *map(item, names)),
        services=(GoogleAnalytics(measurement_id="G-ABC123"),),
    )
    policy = ConsentPolicy(
        site_name="Partnership",
        controller=Controller(name="Partnership", email="privacy@example.org"),
        categories=(Category(id="essential", items=(item("session"), item("session_parent"))), analytics),
        undeclared="allow",
    )
    site = Starlette(routes=[Address("/set", set_everything), Address("/{path:path}", show)])
    return ConsentMiddleware(site, policy, keys=[secrets.token_urlsafe(32)])


@dataclass(frozen=True, slots=True)
class Resident:
    """Drive a fresh browser profile on one host."""

    page: Page
    origin: str
    scheme: Scheme

    def goto(self, path: str) -> None:
        self.page.goto(self.origin + path)

    def accept(self) -> None:
        self.goto("/")
        self.page.get_by_role("button", name="Accept all cookies").click()
        expect(self.page.get_by_role("alert")).to_be_visible()

    def withdraw(self) -> None:
        self.goto("/cookies")
        self.page.get_by_role("group", name="Analytics cookies").get_by_role("radio", name="No").check()
        self.page.get_by_role("button", name="Save cookie settings").click()
        expect(self.page.get_by_role("alert")).to_be_visible()
        self.page.wait_for_load_state("networkidle")

    def read(self) -> set[str]:
        """List the names that reached the application with the request for this page."""
        return set(self.page.get_by_role("paragraph").inner_text().split()) - OWN

    def stored(self) -> set[str]:
        """List the names in the browser's own store, whatever their domain, path, partition and flags."""
        return {cookie["name"] for cookie in self.page.context.cookies()} - OWN


@pytest.fixture(scope="module")
def mapped_browser(playwright: Playwright, executable: str) -> Iterator[Browser]:
    """A browser for which every host is this computer."""
    browser = launch(playwright, executable, "--host-resolver-rules=MAP * 127.0.0.1")
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Scheme, int]]:
    """The five sites, over http and over https with a certificate made for them; the ports."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate = Certificate(folder / "chain.pem", folder / "key.pem")
    issued = trustme.CA().issue_cert(*HOSTS)
    Path(certificate.chain).write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    certificate.key.write_bytes(issued.private_key_pem.bytes())
    plain, encrypted = Serving(make_app), Serving(make_app, certificate)
    yield {"http": plain.port, "https": encrypted.port}
    for serving in (plain, encrypted):
        serving.stop()
        serving.wait()


@pytest.fixture(params=["scripts_on", "scripts_off"])
def scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "scripts_on")


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    name: Scheme = request.param
    return name


@pytest.fixture(params=HOSTS)
def resident(
    request: pytest.FixtureRequest, mapped_browser: Browser, sites: dict[Scheme, int], scheme: Scheme, scripts: bool
) -> Iterator[Resident]:
    context = mapped_browser.new_context(java_script_enabled=scripts, ignore_https_errors=True)
    context.set_default_timeout(PATIENCE)
    context.route("https://www.googletagmanager.com/**", refuse)
    yield Resident(context.new_page(), f"{scheme}://{request.param}:{sites[scheme]}", scheme)
    context.close()


def refuse(route: Route) -> None:
    route.abort()


def test_withdrawing_leaves_none_of_what_was_set(resident: Resident) -> None:
    resident.accept()
    resident.goto("/set")
    assert resident.stored() == {*shapes(resident.scheme), *KEPT}

    resident.withdraw()

    assert resident.stored() - set(KEPT) == {UNSEEN}
    resident.goto("/news/today/story")
    assert resident.read() == set(KEPT)
    assert resident.stored() == set(KEPT)


def test_all_of_it_stays_while_it_is_accepted(resident: Resident) -> None:
    resident.accept()
    resident.goto("/set")

    for path in ("/cookies", "/", "/news/today/story"):
        resident.goto(path)

    assert resident.read() == set(KEPT) | set(shapes(resident.scheme))
    assert resident.stored() == {*shapes(resident.scheme), *KEPT}
