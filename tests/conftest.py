"""What the tests share: a policy, the site around an application, and the cookie of a visitor who has answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, StorageItem, notices
from consentgate.consent import Answer as AnswerToCategory
from consentgate.consent import Consent
from consentgate.consent_cookie import ConsentCookie

KEY = "tests-sign-with-this-key-0123456789"
NOW = 1_790_000_000  # seconds since 1970: a day in September 2026
A_DAY = 24 * 60 * 60  # seconds
HOST = "luton.example"
ORIGIN = f"https://{HOST}"
PAGE = '<!doctype html><html lang="en"><head><title>Luton</title></head><body><h1>Luton</h1></body></html>'

Headers = list[tuple[bytes, bytes]]

BANNER = b'id="consentgate"'
TAG = b"googletagmanager.com"
HTML = (b"content-type", b"text/html; charset=utf-8")
REFUSED = {"analytics": False, "marketing": False}
GRANTED = {"analytics": True, "marketing": True}

_POLICY = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(
        Category(id="essential", items=(StorageItem(name="session", purpose="Keeps your form.", duration="1 hour"),)),
        Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-LUTON123"),)),
        Category(id="marketing", items=(StorageItem(name="campaign", purpose="Counts letters.", duration="1 day"),)),
    ),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test with nothing said: each cause is logged once per process."""
    monkeypatch.setattr(notices, "_said", set())


def make_policy(**changes: Any) -> ConsentPolicy:
    """Return a policy with essential, analytics (Google) and marketing cookies, or one that differs from it."""
    return replace(_POLICY, **changes)


def make_site(app: ASGIApp, policy: ConsentPolicy | None = None, **settings: Any) -> ConsentMiddleware:
    """Return the middleware around an application."""
    return ConsentMiddleware(app, policy or make_policy(), **{"keys": [KEY], "now": lambda: NOW, **settings})


def make_client(
    app: ASGIApp, policy: ConsentPolicy | None = None, *, origin: str = ORIGIN, **settings: Any
) -> httpx.AsyncClient:
    """Return a client, with a cookie jar of its own, for the middleware around an application."""
    transport = httpx.ASGITransport(make_site(app, policy, **settings))
    return httpx.AsyncClient(transport=transport, base_url=origin)


def consent_cookie(
    answers: Mapping[str, bool], policy: ConsentPolicy | None = None, *, keys: Sequence[str] = (KEY,), at: int = NOW
) -> str:
    """Return the signed value that a visitor's browser keeps after these answers."""
    policy = policy or make_policy()
    versions = {category.id: category.version for category in policy.categories}
    decided = {category: AnswerToCategory(granted, versions[category], at) for category, granted in answers.items()}
    return ConsentCookie(policy, keys).dump(Consent.from_answers(policy, decided, at))


# Raw ASGI: what the application sends, and what a server would put on the wire.


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server would put on the wire."""

    messages: list[Message]

    @property
    def headers(self) -> Headers:
        return [(name.lower(), value) for name, value in self.messages[0]["headers"]]

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def scripted(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def page(*headers: tuple[bytes, bytes], content: bytes = PAGE.encode()) -> ASGIApp:
    return scripted(start(HTML, *headers), body(content))


def request(
    *headers: tuple[bytes, bytes], method: str = "GET", answers: dict[str, bool] | None = None, **changes: Any
) -> Scope:
    """Return the scope of a browser's request, from a visitor who gave these answers before."""
    cookie = [(b"cookie", f"__Host-consentgate={consent_cookie(answers)}".encode())] if answers else []
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", HOST.encode()), (b"accept", b"text/html,*/*;q=0.8"), *cookie, *headers],
        "client": ("127.0.0.1", 50000),
        "server": (HOST, 443),
        **changes,
    }


async def nothing_more() -> Message:
    return {"type": "http.disconnect"}


async def ask(app: ASGIApp, scope: Scope | None = None, *, policy: ConsentPolicy | None = None) -> Answer:
    """Put one request to the middleware around an application."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await make_site(app, policy)(scope or request(), nothing_more, send)
    return Answer(messages=messages)


def at_once(site: ASGIApp, scope: Scope) -> list[Message]:
    """Answer one request without an event loop, which thousands of them would wait for; nothing here waits."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    fresh = {key: value for key, value in scope.items() if key != "consentgate"}
    steps: Any = site({**fresh, "headers": [*scope["headers"]], "state": {}}, nothing_more, send)
    with pytest.raises(StopIteration):
        steps.send(None)
    return sent


@dataclass(slots=True)
class Listener:
    """An application that remembers what it was asked."""

    response: ASGIApp
    scope: Scope | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        await self.response(scope, receive, send)

    def heard(self, name: bytes) -> list[bytes]:
        assert self.scope is not None
        return [value for key, value in self.scope["headers"] if key == name]
