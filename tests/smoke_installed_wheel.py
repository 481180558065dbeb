"""Refuse cookies on a small site with only the installed wheel; `.ci/run` starts this off the checkout."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

import consentgate
from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics

SITE = "https://smoke.example"


async def home(request: Request) -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>Smoke</title><body>Hello</body>")


def make_site() -> ASGIApp:
    analytics = Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-TEST1234"),))
    policy = ConsentPolicy(
        site_name="Smoke",
        controller=Controller(name="X", email="x@example.org"),
        categories=(analytics,),
    )
    site = Starlette(routes=[Route("/", home)])
    return ConsentMiddleware(site, policy=policy, keys=["smoke-test-key-" * 4])


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]


async def call(
    app: ASGIApp,
    target: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """Send one request to an ASGI application, as a server would."""
    url = urlsplit(urljoin(SITE, target))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.path.encode(),
        "root_path": "",
        "query_string": url.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in {"host": url.netloc, **(headers or {})}.items()],
        "client": ("127.0.0.1", 50000),
        "server": (url.netloc, 443),
        "state": {},
    }
    await app(scope, receive, send)

    start = sent[0]
    return Response(
        status=start["status"],
        headers=[(name.decode().lower(), value.decode("latin-1")) for name, value in start["headers"]],
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


@dataclass(slots=True)
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """What a browser takes from a page: its stylesheets, and its forms with hidden fields and choices."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stylesheets: list[str] = []
        self.forms: list[Form] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and values.get("rel") == "stylesheet":
            self.stylesheets.append(values["href"])
        elif tag == "form":
            self.forms.append(Form(values.get("action", ""), values.get("method", "get").lower()))
        elif tag == "input" and values.get("type") == "hidden" and self.forms:
            self.forms[-1].fields[values["name"]] = values.get("value", "")
        elif tag == "button" and values.get("name") == "choice" and self.forms:
            self.forms[-1].choices.add(values["value"])

    def banner(self) -> Form:
        """Return the form in which both answers are one button away."""
        return next(form for form in self.forms if {"accept_all", "reject_all"} <= form.choices)


async def refuse_cookies(app: ASGIApp) -> None:
    """Open the page, load its stylesheet, press "reject": what a visitor's browser does."""
    response = await call(app, "/")
    html = response.body.decode()
    assert response.status == 200, response
    assert "Hello" in html, html
    assert "googletagmanager" not in html, html
    page = Page(html)
    print("the page carries the banner and no tag")

    for address in page.stylesheets:
        stylesheet = await call(app, address)
        assert stylesheet.status == 200, (address, stylesheet.status)
        assert stylesheet.body, address
    assert page.stylesheets, html
    print("its stylesheet arrives")

    form = page.banner()
    assert form.method == "post", form
    refusal = await call(
        app,
        form.action,
        method="POST",
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "origin": SITE,
            "sec-fetch-site": "same-origin",
        },
        body=urlencode({**form.fields, "choice": "reject_all"}).encode(),
    )
    assert refusal.status == 303, refusal
    assert refusal.all("set-cookie"), refusal
    print("a refusal is taken and remembered")


def main() -> None:
    package = Path(consentgate.__file__).resolve()
    assert package.is_relative_to(Path(sys.prefix).resolve()), f"{package} is not the installed wheel"

    asyncio.run(refuse_cookies(make_site()))


if __name__ == "__main__":
    main()
