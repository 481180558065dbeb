"""Pages that are left alone, by their path or because the application says so; cookies are withheld there too."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate import consent_from
from tests.conftest import (
    BANNER,
    GRANTED,
    HTML,
    PAGE,
    REFUSED,
    TAG,
    Listener,
    ask,
    body,
    make_client,
    make_policy,
    make_site,
    nothing_more,
    page,
    request,
    start,
)

pytestmark = pytest.mark.anyio

SKIPPING = make_policy(skip_paths=("/admin/*", "/embed"))
ANSWERS = [
    pytest.param(None, id="undecided"),
    pytest.param(REFUSED, id="refused"),
    pytest.param(GRANTED, id="accepted"),
]


async def _ignore(message: Message) -> None:
    """Send nowhere."""


# By path.


@pytest.mark.parametrize(
    ("path", "skipped"),
    [
        ("/admin/", True),
        ("/admin/users/7", True),
        ("/embed", True),
        ("/admin", False),
        ("/embed/", False),
        ("/embedded", False),
        ("/news/admin/", False),
        ("/Admin/", False),
        ("/", False),
    ],
)
async def test_pages_of_skipped_paths_are_left_alone(path: str, skipped: bool) -> None:
    sent = [HTML, (b"etag", b'"1"'), (b"cache-control", b"public"), (b"content-length", str(len(PAGE)).encode())]

    answer = await ask(page(*sent[1:]), request(path=path), policy=SKIPPING)

    assert (answer.body == PAGE.encode()) is skipped
    assert (answer.headers == sent) is skipped
    assert (BANNER in answer.body) is not skipped


async def test_the_long_paths_that_visitors_made_up_are_not_kept() -> None:
    app = make_site(page(), SKIPPING)
    tracemalloc.start()

    for number in range(50):
        await app(request(path=f"/{'x' * 100_000}{number}"), nothing_more, _ignore)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 2_000_000  # bytes; all of them would be 5,000,000


async def test_a_long_path_is_skipped_like_a_short_one() -> None:
    answer = await ask(page(), request(path=f"/admin/{'x' * 1_000}"), policy=SKIPPING)

    assert answer.body == PAGE.encode()


@pytest.mark.parametrize("answers", ANSWERS)
async def test_skipped_page_holds_no_tag_and_no_banner_whatever_was_chosen(answers: dict[str, bool] | None) -> None:
    answer = await ask(page(), request(path="/admin/", answers=answers), policy=SKIPPING)

    assert answer.body == PAGE.encode()


@pytest.mark.parametrize("cache", ["personal", "shared"])
async def test_cookies_are_withheld_and_hidden_on_skipped_paths_too(cache: str) -> None:
    app = Listener(page((b"set-cookie", b"_ga=1"), (b"set-cookie", b"session=1")))
    scope = request((b"cookie", b"_ga=1; session=1"), path="/admin/")

    answer = await ask(app, scope, policy=make_policy(skip_paths=("/admin/*",), cache=cache))

    assert answer.all(b"set-cookie") == [b"session=1"]
    assert app.heard(b"cookie") == [b"session=1"]


async def test_skipped_page_keeps_conditions_and_compression_of_the_app() -> None:
    app = Listener(page())
    asked = ((b"if-none-match", b'"1"'), (b"range", b"bytes=0-1"), (b"accept-encoding", b"gzip, br"))

    await ask(app, request(*asked, path="/admin/"), policy=SKIPPING)

    assert [app.heard(name) for name, _ in asked] == [[value] for _, value in asked]


async def test_skipped_page_keeps_its_policy() -> None:
    csp = (b"content-security-policy", b"default-src 'self'")

    answer = await ask(page(csp), request(path="/admin/", answers=GRANTED), policy=SKIPPING)

    assert answer.all(csp[0]) == [csp[1]]


async def test_cookies_page_answers_even_below_a_skipped_path() -> None:
    async with make_client(HTMLResponse(PAGE), make_policy(skip_paths=("/*",))) as client:
        page_, state = await client.get("/cookies"), await client.get("/cookies/state")

    assert page_.status_code == state.status_code == 200
    assert "analytics" in page_.text


# By the application.


def page_that(does: Callable[[Request], object]) -> ASGIApp:
    async def endpoint(request: Request) -> Response:
        does(request)
        response = HTMLResponse(PAGE, headers={"etag": '"1"'})
        response.set_cookie("_ga", "1")
        return response

    return Starlette(routes=[Route("/", endpoint)])


LEFT_ALONE = page_that(lambda request: request.state.consent.leave_page_alone())
USUAL = page_that(lambda request: None)


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("cache", ["personal", "shared"])
async def test_app_can_ask_that_a_page_is_left_alone(cache: str, answers: dict[str, bool] | None) -> None:
    policy = make_policy(cache=cache)

    alone = await ask(LEFT_ALONE, request(answers=answers), policy=policy)

    assert alone.body == PAGE.encode()
    assert alone.all(b"etag") == [b'"1"']
    cookie_granted = answers == GRANTED
    assert alone.all(b"cache-control") == ([b"private"] if cookie_granted else [])


async def test_page_of_an_app_that_does_not_ask_is_not_left_alone() -> None:
    undecided, accepted = await ask(USUAL), await ask(USUAL, request(answers=GRANTED))

    assert BANNER in undecided.body
    assert TAG in accepted.body


async def test_cookies_are_withheld_on_a_page_that_is_left_alone() -> None:
    refused, accepted = await ask(LEFT_ALONE), await ask(LEFT_ALONE, request(answers=GRANTED))

    assert refused.all(b"set-cookie") == []
    assert len(accepted.all(b"set-cookie")) == 1


async def test_plain_asgi_asks_through_its_scope() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        consent_from(scope).leave_page_alone()
        await HTMLResponse(PAGE)(scope, receive, send)

    answer = await ask(app)

    assert answer.body == PAGE.encode()


async def test_asking_holds_for_one_response_alone() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"] == b"alone":
            consent_from(scope).leave_page_alone()
        await HTMLResponse(PAGE)(scope, receive, send)

    async with make_client(app) as client:
        pages = [await client.get(path, headers={"accept": "text/html"}) for path in ("/", "/?alone", "/")]

    assert ['id="consentgate"' in one.text for one in pages] == [True, False, True]


async def test_asking_once_the_page_has_begun_leaves_it_whole() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(HTML))
        await send(body(PAGE.encode()[:60], more=True))
        consent_from(scope).leave_page_alone()
        await send(body(PAGE.encode()[60:]))

    usual = await ask(page())
    answer = await ask(app)

    assert answer.body == usual.body


@pytest.mark.parametrize("answers", ANSWERS)
async def test_middleware_outside_may_ask_through_the_same_scope(answers: dict[str, bool] | None) -> None:
    def around(app: ASGIApp) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"]["consent"].leave_page_alone()
            await app(scope, receive, send)

        return middleware

    answer = await ask(around(HTMLResponse(PAGE)), request(answers=answers))

    assert answer.body == PAGE.encode()
