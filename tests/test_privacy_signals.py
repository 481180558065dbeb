"""Signals of a browser: Global Privacy Control refuses for the visitor, read exactly, and DNT where a site wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import HTMLResponse

from tests.conftest import (
    BANNER,
    GRANTED,
    PAGE,
    REFUSED,
    TAG,
    Listener,
    ask,
    consent_cookie,
    make_client,
    make_policy,
    page,
    request,
)

pytestmark = pytest.mark.anyio

APP = HTMLResponse(PAGE)
GPC = (b"sec-gpc", b"1")
DNT = (b"dnt", b"1")


async def test_signal_refuses_without_a_question_and_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = await ask(page(), request(GPC))

    assert answer.body == PAGE.encode()
    assert answer.all(b"set-cookie") == []
    assert caplog.messages == []


@pytest.mark.parametrize(
    "value", [b"0", b"", b"1,1", b"1, 1", b" 1", b" true", b"true", b"?1", b"01", b"1.0", b'"1"', b"yes", b"\xb9"]
)
async def test_anything_but_one_is_no_signal(value: bytes) -> None:
    answer = await ask(page(), request((b"sec-gpc", value)))

    assert BANNER in answer.body


@pytest.mark.parametrize("written", [bytes.lower, bytes.title, bytes.upper], ids=["lower", "title", "upper"])
async def test_signal_is_heard_however_a_server_writes_names(written: Callable[[bytes], bytes]) -> None:
    scope = request(GPC)
    scope["headers"] = [(written(name), value) for name, value in scope["headers"]]

    answer = await ask(page(), scope)

    assert BANNER not in answer.body


@pytest.mark.parametrize("values", [(b"1", b"1"), (b"0", b"1"), (b"1", b"0")], ids=["twice", "then_one", "one_then"])
async def test_signal_in_one_of_two_headers_counts_for_the_visitor(values: tuple[bytes, bytes]) -> None:
    answer = await ask(page(), request(*((b"sec-gpc", value) for value in values)))

    assert BANNER not in answer.body
    assert TAG not in answer.body


async def test_two_headers_that_are_no_signal_are_none() -> None:
    answer = await ask(page(), request((b"sec-gpc", b"0"), (b"sec-gpc", b"true")))

    assert BANNER in answer.body


async def test_explicit_yes_wins_over_the_signal() -> None:
    answer = await ask(page(), request(GPC, answers=GRANTED))

    assert TAG in answer.body


async def test_explicit_no_stays_a_no_with_the_signal() -> None:
    answer = await ask(page(), request(GPC, answers=REFUSED))

    assert answer.body == PAGE.encode()


async def test_signal_refuses_only_what_was_not_answered() -> None:
    cookie = f"__Host-consentgate={consent_cookie({'analytics': True})}"

    async with make_client(APP) as client:
        state = (await client.get("/cookies/state", headers={"cookie": cookie, "sec-gpc": "1"})).json()

    assert state["granted"] == ["analytics", "essential"]
    assert state["undecided"] == []


async def test_visitor_with_the_signal_can_accept_on_the_cookies_page() -> None:
    async with make_client(APP) as client:
        client.headers.update({"sec-gpc": "1", "accept": "text/html"})
        settings = await client.get("/cookies")
        await client.post("/cookies/choice", data={"choice": "accept_all", "source": "page"})
        response = await client.get("/")

    assert settings.status_code == 200
    assert "set-cookie" not in settings.headers
    assert TAG.decode() in response.text


async def test_cookies_of_a_visitor_with_the_signal_are_hidden_and_expired() -> None:
    app = Listener(page())

    answer = await ask(app, request(GPC, (b"cookie", b"_ga=1; session=1")))

    assert app.heard(b"cookie") == [b"session=1"]
    assert answer.all(b"set-cookie")
    assert all(line.startswith(b"_ga=; ") and b"Max-Age=0" in line for line in answer.all(b"set-cookie"))


async def test_signal_leaves_no_cookie_on_any_page_of_ours() -> None:
    async with make_client(APP) as client:
        for path in ("/", "/cookies", "/cookies/state?back=/"):
            response = await client.get(path, headers={"sec-gpc": "1", "accept": "text/html"})

            assert "set-cookie" not in response.headers


async def test_state_of_a_visitor_with_the_signal_asks_nothing() -> None:
    async with make_client(APP, make_policy(cache="shared")) as client:
        signalled = (await client.get("/cookies/state?back=/", headers={"sec-gpc": "1"})).json()
        silent = (await client.get("/cookies/state?back=/")).json()

    assert "banner" not in signalled
    assert "banner" in silent


@pytest.mark.parametrize(
    ("changes", "vary"),
    [
        pytest.param({}, b"Cookie, sec-gpc", id="by_default"),
        pytest.param({"gpc": "ignore"}, b"Cookie", id="ignored"),
        pytest.param({"dnt": True}, b"Cookie, dnt, sec-gpc", id="both"),
        pytest.param({"gpc": "ignore", "dnt": True}, b"Cookie, dnt", id="only_dnt"),
    ],
)
@pytest.mark.parametrize("answers", [None, GRANTED, REFUSED], ids=["undecided", "accepted", "refused"])
async def test_vary_names_the_signals_that_count(
    changes: dict[str, Any], vary: bytes, answers: dict[str, bool] | None
) -> None:
    answer = await ask(page(), request(answers=answers), policy=make_policy(**changes))

    assert answer.all(b"vary") == [vary]


async def test_site_may_ignore_the_signal() -> None:
    answer = await ask(page(), request(GPC), policy=make_policy(gpc="ignore"))

    assert BANNER in answer.body


@pytest.mark.parametrize(("dnt", "asks"), [(False, True), (True, False)], ids=["off_by_default", "on"])
async def test_do_not_track_counts_only_when_the_site_says_so(dnt: bool, asks: bool) -> None:
    answer = await ask(page(), request(DNT), policy=make_policy(dnt=dnt))

    assert (BANNER in answer.body) is asks


async def test_do_not_track_of_zero_is_no_refusal() -> None:
    answer = await ask(page(), request((b"dnt", b"0")), policy=make_policy(dnt=True))

    assert BANNER in answer.body


# What the site states.


async def test_site_states_that_it_honours_the_signal() -> None:
    async with make_client(APP, make_policy(gpc_statement="2026-11-22")) as client:
        response = await client.get("/.well-known/gpc.json")
        head = await client.head("/.well-known/gpc.json")

    assert response.json() == {"gpc": True, "lastUpdate": "2026-11-22"}
    assert response.headers["content-type"] == "application/json"
    assert "set-cookie" not in response.headers
    assert head.status_code == 200
    assert head.content == b""


async def test_statement_takes_no_post() -> None:
    async with make_client(APP, make_policy(gpc_statement="2026-11-22")) as client:
        response = await client.post("/.well-known/gpc.json")

    assert response.status_code == 405


async def test_statement_is_the_applications_own_when_the_policy_makes_none() -> None:
    async with make_client(APP) as client:
        response = await client.get("/.well-known/gpc.json")

    assert response.text.startswith("<!doctype html>")
