"""What two visitors with opposite choices get out of a real shared cache."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics
from tests.needs import leave_out
from tests.proxies.nginx import find_nginx, free_port, running_nginx

KEY = "proof-of-the-cache-4f8a1c07d29be35"
TAG = "googletagmanager.com/gtag/js"
QUESTION = 'value="accept_all"'
POLICY = ConsentPolicy(
    site_name="Cached",
    controller=Controller(name="Council", email="privacy@example.org"),
    categories=(Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-CACHED01"),)),),
)


async def page(request: Request) -> HTMLResponse:
    """Answer as a site does that wants its pages cached."""
    content = "<!doctype html><html lang=en><head><title>News</title></head><body><h1>News</h1></body></html>"
    return HTMLResponse(content, headers={"cache-control": "public, max-age=600", "etag": '"news-1"'})


def nginx() -> str:
    """Return nginx, or leave the test out where it is not installed; in CI that is a failure."""
    program = find_nginx()
    if program is None:
        leave_out("needs nginx (Debian: nginx-light)")
    return program


def serve(policy: ConsentPolicy) -> Iterator[int]:
    """Serve the page behind consentgate on loopback and yield the port."""
    app = ConsentMiddleware(Starlette(routes=[Route("/{path:path}", page)]), policy, keys=[KEY])
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield port
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture(scope="module")
def personal_port() -> Iterator[int]:
    yield from serve(POLICY)


@pytest.fixture(scope="module")
def shared_port() -> Iterator[int]:
    yield from serve(replace(POLICY, cache="shared"))


@pytest.fixture(params=[False, True], ids=["cache_obeys_vary", "cache_ignores_vary"])
def personal_site(request: pytest.FixtureRequest, personal_port: int, tmp_path: Path) -> Iterator[str]:
    with running_nginx(nginx(), tmp_path, upstream=personal_port, ignores_vary=request.param) as address:
        yield address


@pytest.fixture
def shared_site(shared_port: int, tmp_path: Path) -> Iterator[str]:
    with running_nginx(nginx(), tmp_path, upstream=shared_port) as address:
        yield address


def visitor(site: str) -> httpx.Client:
    """Return a browser with a cookie jar of its own."""
    return httpx.Client(base_url=site, headers={"accept": "text/html"})


def choose(browser: httpx.Client, choice: str) -> None:
    answer = browser.post(
        "/cookies/choice", data={"choice": choice, "back": "/news"}, headers={"accept": "application/json"}
    )

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("first", ["accept_all", "reject_all"])
def test_two_visitors_get_what_each_of_them_chose_in_either_order(personal_site: str, first: str) -> None:
    second = {"accept_all": "reject_all", "reject_all": "accept_all"}[first]
    with visitor(personal_site) as one, visitor(personal_site) as other:
        choose(one, first)
        choose(other, second)

        pages = {first: one.get("/news").text, second: other.get("/news").text}
        again = {first: one.get("/news").text, second: other.get("/news").text}

    for seen in (pages, again):
        assert TAG in seen["accept_all"]
        assert TAG not in seen["reject_all"]
        assert QUESTION not in seen["accept_all"] + seen["reject_all"]


def test_a_newcomer_is_asked_although_the_cache_saw_an_accepted_page(personal_site: str) -> None:
    with visitor(personal_site) as settled, visitor(personal_site) as newcomer:
        choose(settled, "accept_all")
        settled.get("/news")

        seen = newcomer.get("/news").text

    assert QUESTION in seen
    assert TAG not in seen


def test_after_withdrawal_no_cache_and_no_validator_brings_the_tag_back(personal_site: str) -> None:
    with visitor(personal_site) as browser:
        choose(browser, "accept_all")
        granted = browser.get("/news")
        choose(browser, "reject_all")

        plain = browser.get("/news")
        revalidated = browser.get("/news", headers={"if-none-match": granted.headers["etag"]})

    assert TAG in granted.text
    assert TAG not in plain.text
    assert revalidated.status_code == 200
    assert TAG not in revalidated.text


def test_an_unchanged_choice_is_revalidated_with_304(personal_site: str) -> None:
    with visitor(personal_site) as browser:
        choose(browser, "accept_all")
        granted = browser.get("/news")

        again = browser.get("/news", headers={"if-none-match": granted.headers["etag"]})

    assert again.status_code in (200, 304)
    assert again.headers["etag"] == granted.headers["etag"]


def test_a_shared_page_comes_out_of_the_cache_with_the_same_bytes_for_everyone(shared_site: str) -> None:
    with visitor(shared_site) as one, visitor(shared_site) as other, visitor(shared_site) as newcomer:
        choose(one, "accept_all")
        choose(other, "reject_all")

        answers = [browser.get("/news") for browser in (one, other, newcomer)]

    assert [answer.headers["x-cache-status"] for answer in answers] == ["MISS", "HIT", "HIT"]
    assert len({answer.content for answer in answers}) == 1
    assert "google" not in answers[0].text
    assert "set-cookie" not in answers[0].headers


def test_behind_a_shared_page_each_visitor_has_a_state_that_no_cache_keeps(shared_site: str) -> None:
    with visitor(shared_site) as one, visitor(shared_site) as other:
        choose(one, "accept_all")
        choose(other, "reject_all")

        states = [browser.get("/cookies/state") for browser in (one, other, one)]

    assert [len(state.json()["services"]) for state in states] == [1, 0, 1]
    assert {state.headers["cache-control"] for state in states} == {"no-store"}
    assert "HIT" not in [state.headers["x-cache-status"] for state in states]


MARKS = ["x-requested-with", "turbo-frame", "hx-request"]


@pytest.mark.parametrize("marked", MARKS)
def test_a_page_that_a_script_fetched_is_not_what_the_cache_gives_to_a_window(personal_site: str, marked: str) -> None:
    httpx.get(f"{personal_site}/fetched", headers={marked: "true"})

    with visitor(personal_site) as window:
        seen = window.get("/fetched").text

    assert QUESTION in seen


@pytest.mark.parametrize("marked", MARKS)
def test_nor_is_it_in_shared_mode(shared_site: str, marked: str) -> None:
    httpx.get(f"{shared_site}/fetched", headers={marked: "true"})

    with visitor(shared_site) as window:
        seen = window.get("/fetched").text

    assert "data-state=" in seen
