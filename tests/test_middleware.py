"""The one line a developer writes: keys, policy, what stops the start, and what the log may say."""

from __future__ import annotations

import inspect
import logging
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate import ConfigurationError, ConsentMiddleware, ConsentPolicy, consent_from
from tests.conftest import HOST, KEY, NOW, ORIGIN, PAGE, consent_cookie, make_client, make_policy, make_site

pytestmark = pytest.mark.anyio

APP = HTMLResponse(PAGE)
OTHER_KEY = "another-key-to-rotate-to-9876543210"
THIRD_KEY = "a-third-key-that-was-retired-0a1b2c3d"
TOML = """
site_name = "Luton"
controller = { name = "Luton Council", email = "privacy@luton.example" }

[categories.analytics]
services = [{ type = "google-analytics", measurement_id = "G-LUTON123" }]
"""
GRANTED = {"analytics": True, "marketing": True}


async def is_accepted_by(site: ASGIApp, *, signed_with: str) -> bool:
    """Tell whether a site takes the consent of a cookie that was signed with a key."""
    cookie = f"__Host-consentgate={consent_cookie(GRANTED, keys=[signed_with])}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url=ORIGIN) as client:
        state = await client.get("/cookies/state", headers={"cookie": cookie})
    return "analytics" in state.json()["granted"]


# Keys.


async def test_keys_come_from_the_argument() -> None:
    site = ConsentMiddleware(APP, make_policy(), keys=[KEY], now=lambda: NOW)

    assert await is_accepted_by(site, signed_with=KEY)
    assert not await is_accepted_by(site, signed_with=OTHER_KEY)


@pytest.mark.parametrize("separator", [",", " ", ", ", "\n", ",\n  "], ids=ascii)
async def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, separator: str) -> None:
    monkeypatch.setenv("CONSENTGATE_KEYS", f"{KEY}{separator}{OTHER_KEY}\n")

    site = ConsentMiddleware(APP, make_policy(), now=lambda: NOW)

    assert await is_accepted_by(site, signed_with=KEY)
    assert await is_accepted_by(site, signed_with=OTHER_KEY)
    assert not await is_accepted_by(site, signed_with=THIRD_KEY)


async def test_argument_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTGATE_KEYS", OTHER_KEY)

    site = ConsentMiddleware(APP, make_policy(), keys=[KEY], now=lambda: NOW)

    assert await is_accepted_by(site, signed_with=KEY)
    assert not await is_accepted_by(site, signed_with=OTHER_KEY)


async def test_keys_may_be_one_string() -> None:
    site = ConsentMiddleware(APP, make_policy(), keys=f"{KEY},{OTHER_KEY}", now=lambda: NOW)

    assert await is_accepted_by(site, signed_with=KEY)
    assert await is_accepted_by(site, signed_with=OTHER_KEY)


async def test_first_key_signs() -> None:
    async with make_client(APP, keys=[OTHER_KEY, KEY]) as client:
        await client.post("/cookies/choice", data={"choice": "accept_all"})
        cookie = client.cookies["__Host-consentgate"]

    async with make_client(APP, keys=[OTHER_KEY]) as client:
        state = await client.get("/cookies/state", headers={"cookie": f"__Host-consentgate={cookie}"})

    assert state.json()["undecided"] == []


@pytest.mark.parametrize("length", [32, 43, 64])
def test_key_drawn_at_random_is_taken(length: int) -> None:
    key = secrets.token_urlsafe(64)[:length]

    ConsentMiddleware(APP, make_policy(), keys=[key])


@pytest.mark.parametrize("value", [None, "", " , "], ids=["unset", "empty", "separators"])
def test_start_stops_without_a_key_and_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("CONSENTGATE_KEYS", raising=False)
    else:
        monkeypatch.setenv("CONSENTGATE_KEYS", value)

    with pytest.raises(ConfigurationError) as caught:
        ConsentMiddleware(APP, make_policy())

    assert "Set CONSENTGATE_KEYS in the environment or pass keys=[...]." in str(caught.value)
    assert 'python -c "import secrets; print(secrets.token_urlsafe(32))"' in str(caught.value)


BAD_KEYS = [
    pytest.param("k7-Rw!", "It is shorter than 32 characters.", id="short"),
    pytest.param("q8Zr5Lw2Xv9Tn4Bm1Hk6Jd3Fp0Sg7Yc"[:31], "It is shorter than 32 characters.", id="one_too_short"),
    pytest.param("", "It is shorter than 32 characters.", id="empty"),
    pytest.param("a" * 40, "It repeats a few characters and can be guessed.", id="one_character"),
    pytest.param("xyz123" * 8, "It repeats a few characters and can be guessed.", id="few_characters"),
    pytest.param("changeme-changeme-changeme-1234567", "It is a well-known placeholder.", id="changeme"),
    pytest.param("My-Super-SECRET-key-0123456789-abcd", "It is a well-known placeholder.", id="secret"),
    pytest.param("django-insecure-0123456789-abcdefghij", "It is a well-known placeholder.", id="django_insecure"),
]


@pytest.mark.parametrize(("key", "fault"), BAD_KEYS)
def test_start_stops_at_a_key_that_can_be_guessed_and_shows_no_key(key: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ConsentMiddleware(APP, make_policy(), keys=[KEY, key])

    assert f"keys[1] = 'hidden, {len(key)} characters': {fault}" in str(caught.value)
    assert KEY not in str(caught.value)
    assert not key or key not in str(caught.value)


def test_start_names_every_bad_key_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ConsentMiddleware(APP, make_policy(), keys=["short", KEY, "b" * 32])

    assert [problem.place for problem in caught.value.problems] == ["keys[0]", "keys[2]"]
    assert str(caught.value).startswith("2 things are wrong in the signing keys:")


# The start, where a framework makes its middleware only when the server starts it.


def late_app() -> Starlette:
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("Hello"))])
    app.add_middleware(GZipMiddleware)
    app.add_middleware(ConsentMiddleware, policy="nowhere.toml", keys=[KEY])
    return app


async def test_the_start_fails_and_says_what_is_wrong() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(ConfigurationError):
        await late_app()({"type": "lifespan", "state": {}}, receive, send)

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert sent[0]["message"].startswith("1 thing is wrong in nowhere.toml:\n  1. the file")


async def test_without_a_start_each_request_fails_alike() -> None:
    transport = httpx.ASGITransport(late_app())

    async with httpx.AsyncClient(transport=transport, base_url="http://site.example") as client:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"1 thing is wrong in nowhere\.toml"):
                await client.get("/")


@pytest.mark.parametrize("app", [APP, Starlette(), GZipMiddleware(Starlette())], ids=["plain", "starlette", "layer"])
def test_around_an_application_it_raises_at_once(app: ASGIApp) -> None:
    with pytest.raises(ConfigurationError):
        ConsentMiddleware(app, "nowhere.toml", keys=[KEY])


def test_an_application_that_goes_around_itself_raises_all_the_same() -> None:
    app = GZipMiddleware(APP)
    app.app = app

    with pytest.raises(ConfigurationError):
        ConsentMiddleware(app, "nowhere.toml", keys=[KEY])


# Policy.


@pytest.mark.parametrize("kind", [Path, str], ids=["path", "string"])
async def test_policy_may_be_a_file(tmp_path: Path, kind: type[Path] | type[str]) -> None:
    file = tmp_path / "consentgate.toml"
    file.write_text(TOML, encoding="utf-8")

    site = ConsentMiddleware(APP, kind(file), keys=[KEY], now=lambda: NOW)

    assert await is_accepted_by(site, signed_with=KEY)


async def test_policy_may_be_made_in_python() -> None:
    site = ConsentMiddleware(APP, make_policy(), keys=[KEY], now=lambda: NOW)

    assert await is_accepted_by(site, signed_with=KEY)


def test_start_stops_at_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Give the path of a consentgate\.toml"):
        ConsentMiddleware(APP, tmp_path / "none.toml", keys=[KEY])


def test_start_stops_at_a_file_with_faults_and_names_it(tmp_path: Path) -> None:
    file = tmp_path / "consentgate.toml"
    file.write_text(TOML.replace('"G-LUTON123"', '"UA-1"'), encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        ConsentMiddleware(APP, file, keys=[KEY])

    assert [problem.place for problem in caught.value.problems] == ["categories.analytics.services[0].measurement_id"]


def test_start_names_a_bad_key_and_a_faulty_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "consentgate.toml"
    file.write_text(TOML.replace('"G-LUTON123"', '"UA-1"'), encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        ConsentMiddleware(APP, file, keys=["short"])

    places = [problem.place for problem in caught.value.problems]
    assert places == ["keys[0]", "categories.analytics.services[0].measurement_id"]


# Mounting.


async def test_starlette_mounts_it_in_one_line() -> None:
    middleware = [Middleware(ConsentMiddleware, policy=make_policy(), keys=[KEY])]
    app = Starlette(routes=[Route("/", lambda request: HTMLResponse(PAGE))], middleware=middleware)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client:
        response = await client.get("/", headers={"accept": "text/html"})

    assert 'id="consentgate"' in response.text


def test_servers_see_an_application_of_asgi_3() -> None:
    assert inspect.iscoroutinefunction(make_site(APP).__call__)


async def test_mounted_twice_it_asks_once_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    inner = make_site(APP)

    async with make_client(inner) as client:
        first, second = [await client.get("/", headers={"accept": "text/html"}) for _ in range(2)]

    assert first.text.count('id="consentgate"') == second.text.count('id="consentgate"') == 1
    assert caplog.messages == ["ConsentMiddleware is mounted twice; the inner one does nothing. Remove one."]


async def test_mounted_twice_the_choice_still_works() -> None:
    async with make_client(make_site(APP)) as client:
        await client.post("/cookies/choice", data={"choice": "accept_all"})
        await client.get("/")  # confirms
        response = await client.get("/")

    assert response.text.count("data-services=") == 1


async def test_mounted_once_it_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with make_client(APP) as client:
        await client.get("/", headers={"accept": "text/html"})

    assert caplog.messages == []


# What the application finds in its scope.


class CountingClock:
    """A clock that knows how often it was read: consent is worked out with the time."""

    def __init__(self) -> None:
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        return NOW


@pytest.mark.parametrize(("asks", "readings"), [(False, 0), (True, 1)], ids=["never_asked", "asked_twice"])
async def test_consent_is_worked_out_once_and_only_when_somebody_asks(asks: bool, readings: int) -> None:
    async def data(request: Request) -> Response:
        answers = [request.state.consent.allows("analytics") for _ in range(2)] if asks else []
        return PlainTextResponse(str(answers))

    clock = CountingClock()
    app = Starlette(routes=[Route("/", data)])

    async with make_client(app, now=clock) as client:
        await client.get("/", headers={"cookie": f"__Host-consentgate={consent_cookie(GRANTED)}; session=1"})

    assert clock.readings == readings


async def test_consent_stands_in_request_state_and_in_the_scope() -> None:
    same: list[bool] = []

    async def data(request: Request) -> Response:
        same.append(request.state.consent is consent_from(request.scope))
        return PlainTextResponse("")

    async with make_client(Starlette(routes=[Route("/", data)])) as client:
        await client.get("/")

    assert same == [True]


async def test_what_the_server_put_into_the_state_is_still_there() -> None:
    async def data(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(scope["state"]["database"])(scope, receive, send)

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        await site({**scope, "state": {"database": "connected"}}, receive, send)

    site = make_site(data)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(around), base_url=ORIGIN) as client:
        response = await client.get("/")

    assert response.text == "connected"


async def test_request_with_the_barest_scope_is_answered() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await make_site(APP)({"type": "http", "method": "GET", "path": "/"}, receive, send)

    assert sent[0]["status"] == 200
    assert b'id="consentgate"' in sent[1]["body"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"host": "["}, id="host_that_is_none"),
        pytest.param({"host": "a b"}, id="host_with_a_space"),
        pytest.param({"host": ""}, id="no_host"),
        pytest.param({"cookie": "=;;=;__Host-consentgate;" + "a=" * 500}, id="cookies_that_are_none"),
        pytest.param({"accept": "\xff"}, id="accept_that_is_none"),
        pytest.param({"referer": "https://[", "origin": "https://["}, id="addresses_that_are_none"),
        pytest.param({"sec-fetch-dest": "\xff", "sec-fetch-site": "\xff"}, id="fetch_metadata_that_is_none"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/cookies", "/cookies/state"])
async def test_strange_headers_never_break_a_page(headers: dict[str, str], path: str) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    async with make_client(APP) as client:
        response = await client.get(path, headers=raw)

    assert response.status_code == 200


# Plain http.


async def visit(origin: str, policy: ConsentPolicy | None = None, *, headers: Sequence[tuple[str, str]] = ()) -> None:
    async with make_client(APP, policy, origin=origin) as client:
        for path in ("/", "/cookies", "/cookies/state"):
            await client.get(path, headers=[*headers, ("accept", "text/html")])


async def test_plain_http_is_named_once_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    await visit(f"http://{HOST}")

    assert len(caplog.messages) == 1
    assert "uvicorn --proxy-headers" in caplog.text


async def test_cookie_that_browsers_will_drop_is_named_once_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    await visit(f"http://{HOST}", make_policy(secure=True))

    assert len(caplog.messages) == 1
    assert "browsers drop it and ask again on every page" in caplog.text


@pytest.mark.parametrize(
    "origin",
    [
        ORIGIN,
        "http://localhost:8000",
        "http://place.luton.localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    ],
)
async def test_https_and_development_are_not_worth_a_warning(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    await visit(origin)

    assert caplog.messages == []


# The log.


async def test_log_holds_no_cookie_no_path_and_no_address(caplog: pytest.LogCaptureFixture) -> None:
    async def odd(scope: Scope, receive: Receive, send: Send) -> None:
        consent_from(scope).allows("no-such-category")
        kinds = {"/ann/zip": {"content-encoding": "br"}, "/ann/utf16": {"content-type": "text/html; charset=utf-16be"}}
        content = "[]" if scope["path"] == "/ann/json" else PAGE
        await HTMLResponse(content, headers=kinds.get(scope["path"]))(scope, receive, send)

    private = {
        "cookie": "session=sesame; _ga=GA1.1.777; __Host-consentgate=forged; consentgate=forged",
        "x-forwarded-for": "203.0.113.9",
        "user-agent": "Ann's browser",
        "referer": f"https://{HOST}/ann/before",
        "accept": "text/html",
    }
    with caplog.at_level(logging.DEBUG, logger="consentgate"):
        async with make_client(make_site(odd), origin=f"http://{HOST}") as client:
            for path in ("/ann/home?q=illness", "/ann/zip", "/ann/utf16", "/ann/json", "/cookies", "/cookies/state"):
                await client.get(path, headers=private)
            await client.post("/cookies/choice", data={"choice": "nonsense"}, headers=private)

    ours = [record for record in caplog.records if record.name.startswith("consentgate")]
    assert len(ours) >= 5
    said = " ".join(record.getMessage() for record in ours)
    pattern = r"sesame|777|forged|ann\b|illness|127\.0\.0\.1|203\.0\.113\.9|luton\.example|nonsense|browser's"
    assert re.findall(pattern, said, re.IGNORECASE) == []
