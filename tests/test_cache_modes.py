"""Caches: personal pages that no stale copy outlives, and shared pages that are the same bytes for everybody."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from consentgate import ConsentPolicy, consent_from
from tests.conftest import (
    BANNER,
    GRANTED,
    HOST,
    HTML,
    PAGE,
    REFUSED,
    TAG,
    Answer,
    Headers,
    Listener,
    ask,
    body,
    consent_cookie,
    make_client,
    make_policy,
    page,
    request,
    scripted,
    start,
)

pytestmark = pytest.mark.anyio

SHARED = make_policy(cache="shared")
MARKETING = {"analytics": False, "marketing": True}
ANSWERS = [
    pytest.param(None, id="undecided"),
    pytest.param(REFUSED, id="refused"),
    pytest.param(GRANTED, id="accepted"),
]


async def etagged(scope: Scope, receive: Receive, send: Send) -> None:
    """A page whose validator is that of its bytes, and which answers conditional requests as RFC 9110 says."""
    etag = f'"{hashlib.sha256(PAGE.encode()).hexdigest()[:8]}"'
    asked = Request(scope).headers.get("if-none-match", "")
    status = 304 if etag in re.findall(r'"[^"]*"', asked) else 200
    headers = {"etag": etag, "cache-control": "public, max-age=600"}
    await Response(PAGE if status == 200 else None, status, headers, "text/html" if status == 200 else None)(
        scope, receive, send
    )


def status_of(answer: Answer) -> int:
    return int(answer.messages[0]["status"])


def etag_of(answer: Answer) -> bytes:
    (etag,) = answer.all(b"etag")
    return etag


async def again(
    first: dict[str, bool] | None, then: dict[str, bool] | None, policy: ConsentPolicy | None = None
) -> Answer:
    """Ask for a page, and once more with its validator after the answers changed."""
    before = await ask(etagged, request(answers=first), policy=policy)
    return await ask(etagged, request((b"if-none-match", etag_of(before)), answers=then), policy=policy)


# Personal: validators and conditional requests.


@pytest.mark.parametrize("answers", [*ANSWERS, pytest.param(MARKETING, id="in_part")])
async def test_page_that_has_not_changed_is_answered_304_for_the_same_visitor(answers: dict[str, bool] | None) -> None:
    answer = await again(answers, answers)

    assert status_of(answer) == 304
    assert answer.body == b""


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(GRANTED, REFUSED, id="withdrawn"),
        pytest.param(GRANTED, MARKETING, id="withdrawn_in_part"),
        pytest.param(MARKETING, REFUSED, id="withdrawn_what_has_no_tag_of_ours"),
        pytest.param(GRANTED, None, id="lapsed"),
        pytest.param(None, GRANTED, id="accepted"),
        pytest.param(None, REFUSED, id="refused"),
        pytest.param(REFUSED, GRANTED, id="changed_their_mind"),
    ],
)
async def test_another_choice_is_never_answered_304(
    first: dict[str, bool] | None, then: dict[str, bool] | None
) -> None:
    fresh = await ask(etagged, request(answers=then))

    answer = await again(first, then)

    assert status_of(answer) == 200
    assert answer.body == fresh.body
    assert (TAG in answer.body) is (then == GRANTED)


async def test_answer_304_carries_the_headers_of_the_page_it_stands_for() -> None:
    before = await ask(etagged, request(answers=GRANTED))

    answer = await again(GRANTED, GRANTED)

    for name in (b"etag", b"vary", b"cache-control"):
        assert answer.all(name) == before.all(name)
    assert answer.all(b"cache-control") == [b"private, no-cache"]


async def test_304_for_a_script_that_fetches_the_page_does_not_make_the_stored_page_public() -> None:
    before = await ask(etagged, request(answers=GRANTED))
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(GRANTED)}".encode())
    fetched = [(b"host", HOST.encode()), (b"accept", b"*/*"), cookie, (b"if-none-match", etag_of(before))]

    answer = await ask(etagged, request(headers=fetched))

    assert status_of(answer) == 304
    assert answer.all(b"etag") == before.all(b"etag")
    assert answer.all(b"cache-control") == [b"private, no-cache"]


async def test_304_without_a_validator_stays_private_too() -> None:
    before = await ask(etagged, request(answers=GRANTED))
    app = scripted(start((b"cache-control", b"public, max-age=600"), status=304), body(b""))

    answer = await ask(app, request((b"if-none-match", etag_of(before)), answers=GRANTED))

    assert answer.all(b"cache-control") == [b"private, no-cache"]


async def test_304_of_a_file_is_left_as_it_is() -> None:
    headers: Headers = [(b"etag", b'"1"'), (b"cache-control", b"public, max-age=600")]
    asked: Headers = [(b"host", HOST.encode()), (b"accept", b"text/css,*/*;q=0.1"), (b"if-none-match", b'"1"')]

    answer = await ask(scripted(start(*headers, status=304), body(b"")), request(headers=asked))

    assert answer.headers == headers


async def test_validator_from_before_consentgate_does_not_revive_the_page_of_then() -> None:
    etag = f'"{hashlib.sha256(PAGE.encode()).hexdigest()[:8]}"'.encode()

    answer = await ask(etagged, request((b"if-none-match", etag)))

    assert status_of(answer) == 200
    assert BANNER in answer.body


async def test_validator_from_before_consentgate_still_answers_for_a_style_sheet() -> None:
    app = Listener(PlainTextResponse("p{}", media_type="text/css"))
    asked: Headers = [(b"host", HOST.encode()), (b"accept", b"text/css,*/*;q=0.1"), (b"if-none-match", b'"1", W/"2"')]

    await ask(app, request(headers=asked))

    assert app.heard(b"if-none-match") == [b'"1", W/"2"']


async def test_star_is_no_validator_of_a_page() -> None:
    app = Listener(page())

    await ask(app, request((b"if-none-match", b"*")))

    assert app.heard(b"if-none-match") == []


async def test_app_gets_its_own_validator_back_strong_and_weak() -> None:
    before = await ask(page((b"etag", b'"abc"')), request(answers=GRANTED))
    app = Listener(page())

    await ask(app, request((b"if-none-match", etag_of(before) + b', "other"'), answers=GRANTED))

    assert etag_of(before).startswith(b'W/"abc..consentgate-')
    assert app.heard(b"if-none-match") == [b'"abc", W/"abc"']


@pytest.mark.parametrize("name", [b"range", b"if-range", b"if-modified-since", b"if-unmodified-since"])
async def test_dates_and_ranges_reach_the_app_for_files_and_not_for_pages(name: bytes) -> None:
    for_page, for_file = Listener(page()), Listener(PlainTextResponse("x"))
    asked: Headers = [(b"host", HOST.encode()), (b"accept", b"*/*"), (name, b"x")]

    await ask(for_page, request((name, b"x")))
    await ask(for_file, request(headers=asked))

    assert for_page.heard(name) == []
    assert for_file.heard(name) == [b"x"]


async def test_two_states_of_a_page_have_two_validators() -> None:
    found = {etag_of(await ask(etagged, request(answers=answers))) for answers in (None, REFUSED, MARKETING, GRANTED)}

    assert len(found) == 4


async def test_validator_changes_with_the_policy() -> None:
    renamed = make_policy(site_name="Luton Borough")

    one, other = await ask(etagged), await ask(etagged, policy=renamed)

    assert etag_of(one) != etag_of(other)


async def test_site_without_optional_cookies_keeps_its_own_validators_and_ranges() -> None:
    essential_only = make_policy(categories=())
    etag = f'"{hashlib.sha256(PAGE.encode()).hexdigest()[:8]}"'.encode()

    answer = await ask(etagged, request((b"if-none-match", etag)), policy=essential_only)

    assert status_of(answer) == 304
    assert answer.headers == [(b"etag", etag), (b"cache-control", b"public, max-age=600")]


@pytest.mark.parametrize("answers", ANSWERS)
async def test_page_writes_no_cookie_of_ours(answers: dict[str, bool] | None) -> None:
    answer = await ask(page(), request(answers=answers))

    assert answer.all(b"set-cookie") == []


# Static files.


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    folder = tmp_path_factory.mktemp("files")
    (folder / "site.css").write_text("p { color: black }", encoding="utf-8")
    return Starlette(routes=[Mount("/static", StaticFiles(directory=folder)), Route("/", HTMLResponse(PAGE))])


@pytest.mark.parametrize("policy", [make_policy(), SHARED], ids=["personal", "shared"])
async def test_file_keeps_validators_ranges_and_caching(files: ASGIApp, policy: ConsentPolicy) -> None:
    async with make_client(files, policy) as client:
        accept = {"accept": "text/css,*/*;q=0.1"}
        whole = await client.get("/static/site.css", headers=accept)
        part = await client.get("/static/site.css", headers={**accept, "range": "bytes=0-2"})
        same = await client.get("/static/site.css", headers={**accept, "if-none-match": whole.headers["etag"]})

    assert whole.headers["accept-ranges"] == "bytes"
    assert "consentgate" not in whole.headers["etag"]
    assert "last-modified" in whole.headers
    assert not {"vary", "cache-control", "set-cookie"} & whole.headers.keys()
    assert (part.status_code, part.text) == (206, "p {")
    assert part.headers["content-range"] == "bytes 0-2/18"
    assert same.status_code == 304
    assert same.headers["etag"] == whole.headers["etag"]


# Shared.


def visitors() -> list[Scope]:
    """Return requests for one page from visitors whose answers, cookies and signals differ."""
    signals = request((b"sec-gpc", b"1"), (b"dnt", b"1"))
    tracked = request((b"cookie", b"_ga=1; campaign=2"), answers=REFUSED)
    confirmed = request((b"cookie", b"__Host-consentgate-message=accept_all"), answers=GRANTED)
    return [*(request(answers=answers) for answers in (None, REFUSED, GRANTED, MARKETING)), signals, tracked, confirmed]


async def test_shared_page_is_the_same_for_every_visitor_and_holds_nothing_of_google() -> None:
    answers = [await ask(etagged, scope, policy=SHARED) for scope in visitors()]

    assert {answer.body for answer in answers} == {answers[0].body}
    assert [answer.headers for answer in answers] == [answers[0].headers] * len(answers)
    assert b"google" not in answers[0].body.lower()
    assert BANNER not in answers[0].body
    assert re.search(rb'<script defer src="/cookies/static/[^"]*" data-state="/cookies/state"', answers[0].body)


async def test_shared_page_sets_no_cookie_and_keeps_the_apps_caching() -> None:
    kept: Headers = [(b"cache-control", b"public, max-age=600"), (b"vary", b"Accept-Language"), (b"expires", b"0")]

    answer = await ask(page(*kept), request((b"cookie", b"_ga=1"), answers=REFUSED), policy=SHARED)

    assert answer.headers == [HTML, *kept]


@pytest.mark.parametrize("destination", [b"document", b"iframe", b"empty"])
async def test_shared_page_is_the_same_wherever_the_browser_shows_it(destination: bytes) -> None:
    usual = await ask(page(), policy=SHARED)

    answer = await ask(page(), request((b"sec-fetch-dest", destination)), policy=SHARED)

    assert answer.body == usual.body
    assert answer.headers == usual.headers


@pytest.mark.parametrize("content", [b"<p>part of a page", b"just words"])
async def test_shared_part_of_a_page_is_the_same_wherever_the_browser_shows_it(content: bytes) -> None:
    usual = await ask(page(content=content), policy=SHARED)

    answer = await ask(page(content=content), request((b"sec-fetch-dest", b"document")), policy=SHARED)

    assert answer.body == usual.body


async def test_personal_page_is_not_the_same_for_two_visitors() -> None:
    one, other = await ask(page()), await ask(page(), request(answers=GRANTED))

    assert one.body != other.body


@pytest.mark.parametrize("then", ANSWERS)
async def test_shared_page_is_answered_304_whatever_was_chosen_since(then: dict[str, bool] | None) -> None:
    answer = await again(GRANTED, then, SHARED)

    assert status_of(answer) == 304
    assert answer.all(b"cache-control") == [b"public, max-age=600"]


async def test_shared_page_still_withholds_the_apps_cookies() -> None:
    lines = ((b"set-cookie", b"_ga=1"), (b"set-cookie", b"session=1"))

    refused = await ask(page(*lines), request(answers=REFUSED), policy=SHARED)
    accepted = await ask(page(*lines), request(answers=GRANTED), policy=SHARED)

    assert refused.all(b"set-cookie") == [b"session=1"]
    assert accepted.all(b"set-cookie") == [b"_ga=1", b"session=1"]


# The state that a shared page's script asks for.


async def test_state_holds_the_banner_that_leads_back_for_whoever_is_undecided() -> None:
    async with make_client(HTMLResponse(PAGE), SHARED) as client:
        response = await client.get("/cookies/state", params={"back": "/news?page=2"})

    state = response.json()
    assert response.headers["cache-control"] == "no-store"
    assert 'id="consentgate"' in state["banner"]
    assert 'name="back" value="/news?page=2"' in state["banner"]
    assert (state["services"], state["clearing"]) == ([], False)


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"])
async def test_banner_of_the_state_leads_to_no_other_site(back: str) -> None:
    async with make_client(HTMLResponse(PAGE), SHARED) as client:
        state = (await client.get("/cookies/state", params={"back": back})).json()

    assert 'id="consentgate"' in state["banner"]
    assert "evil" not in state["banner"]
    assert "javascript" not in state["banner"]


async def test_state_holds_no_banner_when_nobody_asks_for_one_or_nothing_is_open() -> None:
    async with make_client(HTMLResponse(PAGE), SHARED) as client:
        unasked = await client.get("/cookies/state")
        await client.post("/cookies/choice", data={"choice": "accept_all"})
        decided = await client.get("/cookies/state", params={"back": "/"})

    assert "banner" not in unasked.json()
    assert "banner" not in decided.json()
    assert [plan["category"] for plan in decided.json()["services"]] == ["analytics"]


async def test_state_says_whether_cookies_are_still_to_be_cleared() -> None:
    async with make_client(HTMLResponse(PAGE), SHARED) as client:
        first = await client.get("/cookies/state", headers={"cookie": "_ga=1"})
        second = await client.get("/cookies/state", headers={"cookie": "session=1"})

    assert first.json()["clearing"] is True
    assert "_ga=; " in first.headers["set-cookie"]
    assert second.json()["clearing"] is False
    assert "set-cookie" not in second.headers


async def test_turns_of_the_state_clear_every_place_in_the_end() -> None:
    names = [f"_ga_{index}" for index in range(12)]
    cookie = "; ".join(f"{name}=1" for name in names)
    found: set[str] = set()

    async with make_client(HTMLResponse(PAGE), SHARED, origin=f"https://a.b.{HOST}") as client:
        for turn in range(8):
            response = await client.get(f"/cookies/state?turn={turn}", headers={"cookie": cookie})
            lines = response.headers.get_list("set-cookie")
            assert 0 < len(lines) <= 24
            found |= {line for line in lines if "Path=/;" in line and "Partitioned" not in line}

    assert len(found) == len(names) * 4  # host-only, a.b.luton.example, b.luton.example, luton.example


@pytest.mark.parametrize("turn", ["", "x", "-1", "9999", "1.5", "٣"])
async def test_turn_that_is_none_changes_nothing(turn: str) -> None:
    async with make_client(HTMLResponse(PAGE), SHARED) as client:
        response = await client.get("/cookies/state", params={"turn": turn}, headers={"cookie": "_ga=1"})

    assert response.status_code == 200
    assert response.json()["clearing"] is True


# Orders to single caches, which come before Cache-Control there


ORDERS = [
    b"CDN-Cache-Control",
    b"Cloudflare-CDN-Cache-Control",
    b"Edge-Control",
    b"Netlify-CDN-Cache-Control",
    b"Surrogate-Control",
    b"Vercel-CDN-Cache-Control",
    b"X-Accel-Expires",
    b"X-LiteSpeed-Cache-Control",
]


@pytest.mark.parametrize("name", ORDERS)
async def test_no_order_to_a_cache_makes_a_personal_page_shared(name: bytes) -> None:
    answer = await ask(page((name, b"600")))

    assert answer.all(name.lower()) == []
    assert answer.all(b"cache-control") == [b"private, no-cache"]


@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_to_a_cache_stays_on_a_shared_page(name: bytes) -> None:
    answer = await ask(page((name, b"600")), policy=SHARED)

    assert answer.all(name.lower()) == [b"600"]


# What is not the page at its address, although it comes from there


KEEP = [
    pytest.param([(b"cache-control", b"public, max-age=600, s-maxage=900")], id="cache_control"),
    pytest.param([(b"expires", b"Thu, 01 Jan 2099 00:00:00 GMT")], id="expires"),
    pytest.param([(b"x-accel-expires", b"600")], id="order_to_nginx"),
]


@pytest.mark.parametrize("keep", KEEP)
async def test_no_shared_cache_keeps_for_others_what_a_script_fetched(keep: Headers) -> None:
    answer = await ask(page(*keep), request((b"x-requested-with", b"XMLHttpRequest")))

    assert answer.body == PAGE.encode()
    (directives,) = answer.all(b"cache-control")
    assert directives in (b"private", b"private, max-age=600")
    assert b"x-requested-with" in answer.all(b"vary")[0]
    assert answer.all(b"x-accel-expires") == []


@pytest.mark.parametrize("kept_by_nobody", [[], [(b"cache-control", b"no-store")]])
async def test_fragment_that_no_cache_keeps_is_untouched(kept_by_nobody: Headers) -> None:
    answer = await ask(page(*kept_by_nobody), request((b"hx-request", b"true")))

    assert answer.headers == [HTML, *kept_by_nobody]


async def test_no_shared_cache_keeps_a_page_that_the_application_compressed_for_a_script() -> None:
    headers = [(b"content-encoding", b"gzip"), (b"cache-control", b"public, max-age=600"), (b"etag", b'"1"')]
    asked: Headers = [(b"host", HOST.encode()), (b"accept", b"*/*"), (b"accept-encoding", b"gzip")]

    answer = await ask(page(*headers, content=b"\x1f\x8b"), request(headers=asked), policy=SHARED)

    assert answer.all(b"cache-control") == [b"private, max-age=600"]
    assert answer.all(b"vary") == [b"accept"]
    assert answer.all(b"etag") == []


async def test_no_shared_cache_keeps_a_page_that_the_server_read_from_a_file() -> None:
    sent = start(HTML, (b"cache-control", b"public, max-age=600"))
    app = scripted(sent, {"type": "http.response.pathsend", "path": "/srv/page.html"})

    answer = await ask(app, request(headers=[(b"host", HOST.encode()), (b"accept", b"*/*")]), policy=SHARED)

    assert answer.all(b"cache-control") == [b"private, max-age=600"]


async def test_a_shared_page_for_a_window_stays_public() -> None:
    answer = await ask(page((b"cache-control", b"public, max-age=600")), policy=SHARED)

    assert answer.all(b"cache-control") == [b"public, max-age=600"]


# Whoever fetches a shared page first fills the cache for everybody.


@pytest.mark.parametrize("said", [(b"turbo-frame", b"news"), (b"hx-request", b"true"), (b"x-requested-with", b"fetch")])
async def test_whole_page_that_a_library_fetches_is_the_shared_page_of_everybody(said: tuple[bytes, bytes]) -> None:
    fetched = await ask(page(), request(said), policy=SHARED)
    navigated = await ask(page(), request(), policy=SHARED)

    assert fetched.body == navigated.body
    assert fetched.headers == navigated.headers


@pytest.mark.parametrize("said", [(b"turbo-frame", b"news"), (b"hx-request", b"true"), (b"x-requested-with", b"fetch")])
async def test_part_of_a_page_stays_as_it_is_under_a_shared_cache(said: tuple[bytes, bytes]) -> None:
    part = b'<turbo-frame id="news"><p>One</p></turbo-frame>'

    answer = await ask(page(content=part), request(said), policy=SHARED)

    assert answer.body == part


# What a shared page takes from the request's Host: others will read it.

ELSEWHERE = b'<!doctype html><head><base href="https://cdn.example/"><title>x</title></head><body>'


@pytest.mark.parametrize(
    ("cache", "asked", "written"),
    [
        pytest.param("shared", f"{HOST}:9999", HOST, id="made_up_port"),
        pytest.param("shared", HOST, HOST, id="no_port"),
        pytest.param("shared", "localhost:8000", "localhost:8000", id="development_server"),
        pytest.param("personal", f"{HOST}:8443", f"{HOST}:8443", id="personal"),
    ],
)
async def test_shared_page_with_a_base_has_no_port_that_a_visitor_chose(
    cache: Literal["shared", "personal"], asked: str, written: str
) -> None:
    scope = request(headers=[(b"host", asked.encode()), (b"accept", b"text/html")])

    answer = await ask(page(content=ELSEWHERE), scope, policy=make_policy(hosts=(HOST, "localhost"), cache=cache))

    assert f'<script defer src="//{written}/cookies/static/'.encode() in answer.body


# An answer that depends on consent and is no page.

PUBLIC = (b"cache-control", b"public, max-age=600, s-maxage=9000")
OF_ONE = [b"private, max-age=600"]
JSON = (b"content-type", b"application/json")


def asking(how: str, status: int, *headers: tuple[bytes, bytes]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        consent = consent_from(scope)
        _ = consent.allows("analytics") if how == "allows" else getattr(consent, how)
        await scripted(start(*headers, status=status), body(b"{}"))(scope, receive, send)

    return app


@pytest.mark.parametrize("how", ["allows", "granted", "undecided", "is_decided", "decided_at"])
@pytest.mark.parametrize("cache", ["personal", "shared"])
@pytest.mark.parametrize("answers", ANSWERS)
async def test_answer_that_asked_for_the_consent_is_for_this_visitor_alone(
    how: str, cache: Literal["shared", "personal"], answers: dict[str, bool] | None
) -> None:
    app = asking(how, 200, JSON, PUBLIC, (b"cdn-cache-control", b"max-age=9000"), (b"vary", b"Accept"))

    answer = await ask(app, request(answers=answers), policy=make_policy(cache=cache))

    assert answer.all(b"cache-control") == OF_ONE
    assert answer.all(b"cdn-cache-control") == []
    assert answer.all(b"vary") == [b"Accept, Cookie, sec-gpc"]


@pytest.mark.parametrize("status", [301, 302, 308, 404])
async def test_answer_that_caches_keep_unasked_is_private_when_it_asked(status: int) -> None:
    answer = await ask(asking("allows", status, (b"location", b"/other")))

    assert answer.all(b"cache-control") == [b"private"]
    assert answer.all(b"vary") == [b"Cookie, sec-gpc"]


async def test_shared_page_whose_template_asked_is_for_this_visitor_alone() -> None:
    answer = await ask(asking("allows", 200, HTML, PUBLIC), policy=SHARED)

    assert answer.all(b"cache-control") == OF_ONE


@pytest.mark.parametrize("how", ["cookies_page", "settings_link"])
async def test_answer_that_asked_for_nothing_of_the_visitor_stays_as_it_is(how: str) -> None:
    answer = await ask(asking(how, 200, JSON, PUBLIC))

    assert answer.headers == [JSON, PUBLIC]


async def test_site_with_essential_cookies_alone_has_nothing_that_depends_on_consent() -> None:
    policy = make_policy(categories=())

    answer = await ask(asking("allows", 200, JSON, PUBLIC), policy=policy)

    assert answer.headers == [JSON, PUBLIC]


@pytest.mark.parametrize(
    ("answers", "cookie", "expected"),
    [
        pytest.param(GRANTED, b"_ga=1; Path=/", OF_ONE, id="granted"),
        pytest.param(REFUSED, b"_ga=1; Path=/", [PUBLIC[1]], id="withheld"),
        pytest.param(REFUSED, b"_ga=; Max-Age=0", [PUBLIC[1]], id="expired"),
        pytest.param(GRANTED, b"session=1", [PUBLIC[1]], id="essential"),
    ],
)
async def test_no_shared_cache_keeps_a_cookie_that_one_visitor_agreed_to(
    answers: dict[str, bool], cookie: bytes, expected: list[bytes]
) -> None:
    app = scripted(start(JSON, PUBLIC, (b"set-cookie", cookie)), body(b"{}"))

    answer = await ask(app, request(answers=answers))

    assert answer.all(b"cache-control") == expected
