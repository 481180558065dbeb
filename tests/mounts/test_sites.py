"""What real sites do, in each framework under each server: consentgate changes pages and cookies, and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx
import pytest
from websockets.sync.client import connect

from tests.mounts.pages import GOOGLE, asset_paths, choose, has_banner, has_confirmation, has_tag
from tests.mounts.servers import SERVERS, Mount, Running, Servers, under_servers, visitor
from tests.mounts.sites.shared import FILES, PAUSE, PIECES, piece

NAMES = ("django", "flask", "litestar", "quart", "starlette")
MANY = 40  # requests at once
LITESTAR = Mount("tests.mounts.sites.litestar_site:app")


def every(*names: str) -> list[Mount]:
    """List the sites of these frameworks, under their servers."""
    return under_servers("tests.mounts.sites.{}_site:app", names, everywhere=("django", "starlette"))


def on(*names: str) -> pytest.MarkDecorator:
    """Run a test for the sites of these frameworks."""
    return pytest.mark.parametrize("running", every(*names), indirect=True, ids=str)


def name_of(running: Running) -> str:
    return running.mount.target.removeprefix("tests.mounts.sites.").partition("_site")[0]


def without_consentgate(running: Running) -> Mount:
    """Name the same application alone."""
    attribute = "bare" if name_of(running) in ("quart", "starlette") else "app.app"
    return Mount(f"tests.mounts.sites.{name_of(running)}_site:{attribute}")


@on(*NAMES)
@pytest.mark.parametrize("path", ["/page", "/static/page.html"])
def test_a_page_made_or_read_from_a_file_begins_with_the_banner(running: Running, path: str) -> None:
    with visitor(running, headers={"accept-encoding": "identity"}) as browser:
        page = browser.get(path)

    assert page.status_code == 200
    assert has_banner(page)
    assert not GOOGLE.search(page.text)
    assert int(page.headers.get("content-length", len(page.content))) == len(page.content)


@on(*NAMES)
def test_after_refusal_every_page_is_the_applications_own_to_the_byte(running: Running, servers: Servers) -> None:
    paths = ("/page", "/static/page.html", "/no-such-page", "/static/site.css", "/consent-free.json")
    bare = servers.get(without_consentgate(running))
    with visitor(running) as browser, visitor(bare) as other:
        choose(browser, browser.get("/page"), "reject_all")
        browser.get("/page")  # the confirmation
        pages = [browser.get(path) for path in paths]
        expected = [other.get(path) for path in paths]

    assert [page.status_code for page in pages] == [page.status_code for page in expected]
    assert [page.content for page in pages] == [page.content for page in expected]
    assert [page.headers["content-type"] for page in pages] == [page.headers["content-type"] for page in expected]


@on(*NAMES)
def test_what_is_no_page_leaves_as_the_application_made_it(running: Running, servers: Servers) -> None:
    bare = servers.get(without_consentgate(running))
    accept = {"accept": "text/css,application/json,*/*;q=0.1"}
    with visitor(running, headers=accept) as browser, visitor(bare, headers=accept) as other:
        both = [(one.get("/static/site.css"), one.get("/cookies-seen")) for one in (browser, other)]

    for (style, seen), (bare_style, bare_seen) in [both]:
        assert style.content == bare_style.content == FILES.joinpath("site.css").read_bytes()
        assert seen.json() == bare_seen.json() == {}
        for name in ("content-type", "content-length", "etag", "last-modified", "cache-control", "vary"):
            assert style.headers.get(name) == bare_style.headers.get(name), name
            assert seen.headers.get(name) == bare_seen.headers.get(name), name


@on(*NAMES)
def test_a_static_file_is_sent_by_its_path_where_the_server_can(running: Running) -> None:
    with visitor(running, headers={"accept": "text/css,*/*;q=0.1"}) as browser:
        style, page = browser.get("/static/site.css"), browser.get("/static/page.html")

    assert style.content == FILES.joinpath("site.css").read_bytes()
    assert page.status_code == 200
    assert FILES.joinpath("page.html").read_bytes()[-60:] == page.content[-60:]


@on(*NAMES)
def test_a_style_sheet_that_has_not_changed_is_answered_304(running: Running) -> None:
    with visitor(running, headers={"accept": "text/css,*/*;q=0.1"}) as browser:
        first = browser.get("/static/site.css")
        conditions = {
            name: first.headers[header]
            for name, header in (("if-none-match", "etag"), ("if-modified-since", "last-modified"))
            if header in first.headers
        }
        second = browser.get("/static/site.css", headers=conditions)

    if name_of(running) == "litestar":  # it revalidates nothing, with or without consentgate
        assert second.status_code == 200
        return
    assert second.status_code == 304
    assert second.content == b""


@on(*NAMES)
def test_a_304_never_brings_a_page_back_that_was_made_for_another_choice(running: Running) -> None:
    path = "/page" if name_of(running) == "django" else "/static/page.html"
    with visitor(running) as browser:
        asked = browser.get(path)
        choose(browser, asked, "accept_all")
        browser.get(path)
        accepted = browser.get(path)
        unchanged = browser.get(path, headers=conditions_of(accepted))
        choose(browser, asked, "reject_all")
        browser.get(path)
        refused = browser.get(path, headers=conditions_of(accepted))

    assert has_tag(accepted)
    assert unchanged.status_code in (200, 304)
    assert refused.status_code == 200
    assert not GOOGLE.search(refused.text)


@on("django", "flask", "quart", "starlette")
def test_a_page_that_has_not_changed_for_this_visitor_is_answered_304(running: Running) -> None:
    path = "/page" if name_of(running) == "django" else "/static/page.html"
    with visitor(running) as browser:
        first = browser.get(path)
        second = browser.get(path, headers=conditions_of(first))

    assert has_banner(first)
    assert second.status_code == 304
    assert second.content == b""
    assert second.headers["etag"] == first.headers["etag"]


@on(*NAMES)
def test_signing_in_sets_the_declared_cookie_alone(running: Running) -> None:
    with visitor(running) as browser:
        answer = browser.post("/sign-in")
        seen = browser.get("/cookies-seen").json()

    assert (answer.status_code, answer.headers["location"]) == (303, "/page")
    assert seen == {"session": "s3cr3t"}
    assert running.count("set the cookie campaign, which the policy does not list") == 1


@on(*NAMES)
def test_a_withheld_cookie_is_hidden_from_the_application_and_expired(running: Running) -> None:
    with visitor(running) as browser:
        browser.cookies.set("pages_seen", "7", domain="127.0.0.1", path="/")
        seen = browser.get("/cookies-seen").json()
        browser.get("/page")

        assert seen == {}
        assert "pages_seen" not in browser.cookies


@on("django", "flask", "quart", "starlette")  # Litestar answers HEAD for files alone, and does not say what they are
def test_head_is_answered_like_get_without_a_body(running: Running) -> None:
    with visitor(running) as browser:
        answers = [
            (browser.get(path), browser.head(path)) for path in ("/page", "/static/page.html", "/static/site.css")
        ]

    for page, head in answers:
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers.get("content-length") in (None, page.headers.get("content-length"))
        assert head.headers["content-type"] == page.headers["content-type"]


@on(*NAMES)
def test_paths_that_are_skipped_and_requests_that_opt_out_get_no_banner(running: Running, servers: Servers) -> None:
    bare = servers.get(without_consentgate(running))
    with visitor(running) as browser, visitor(bare) as other:
        skipped, left_alone, expected = browser.get("/quiet/page"), browser.get("/alone"), other.get("/page")

    assert skipped.content == left_alone.content == expected.content


@on(*NAMES)
def test_a_visitor_who_leaves_early_harms_nobody(running: Running) -> None:
    with visitor(running) as browser:
        with browser.stream("GET", "/stream") as answer:
            next(answer.iter_raw())
        page = browser.get("/page")

    assert has_banner(page)


# Under granian a2wsgi reads no request bodies at all: it expects `receive()` to be a coroutine.
@pytest.mark.parametrize(
    "running", [mount for mount in every(*NAMES) if str(mount) != "flask-granian"], indirect=True, ids=str
)
def test_a_large_upload_arrives_whole(running: Running) -> None:
    with visitor(running) as browser:
        answer = browser.post("/length", content=b"x" * 1_000_000, headers={"content-type": "application/octet-stream"})

    assert answer.text == "1000000"


@on(*NAMES)
def test_streams_arrive_in_the_pace_in_which_they_are_sent(running: Running) -> None:
    with ThreadPoolExecutor(3) as pool:
        plain = pool.submit(arrivals, running, "/stream", b"<p>", {"accept-encoding": "identity"})
        packed = pool.submit(arrivals, running, "/stream", b"<p>", {"accept-encoding": "gzip"})
        events = pool.submit(
            arrivals, running, "/events", b"data:", {"accept": "text/event-stream", "accept-encoding": "identity"}
        )
        content, times = plain.result()
        packed_content, packed_times = packed.result()
        event_content, event_times = events.result()

    assert content == packed_content
    assert b'id="consentgate"' in content
    assert content.endswith("".join(map(piece, range(PIECES))).encode())
    assert event_content.count(b"data: ") == PIECES
    for moments in (times, packed_times, event_times):
        assert_in_pace(moments)


@on(*NAMES)
def test_many_visitors_at_once_get_each_their_own_choice(running: Running) -> None:
    with visitor(running) as browser:
        choose(browser, browser.get("/page"), "accept_all")
        agreed = {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}

    def ask(number: int) -> bool:
        with visitor(running, headers=agreed if number % 2 else {}) as one:
            allowed: bool = one.get("/consent").json()["analytics"]
            return allowed

    with ThreadPoolExecutor(MANY) as pool:
        allowed = list(pool.map(ask, range(MANY)))

    assert allowed == [bool(number % 2) for number in range(MANY)]


@on("django", "starlette")
@pytest.mark.parametrize("path", ["/page", "/stream"])
def test_a_page_that_the_application_would_compress_arrives_compressed_with_its_banner(
    running: Running, path: str
) -> None:
    with visitor(running, headers={"accept-encoding": "gzip, deflate, br"}) as browser:
        page = browser.get(path)

    assert page.headers["content-encoding"] == "gzip"
    assert has_banner(page)


@pytest.mark.parametrize("running", [LITESTAR], indirect=True, ids=str)
def test_a_page_that_litestar_would_compress_arrives_compressed(running: Running) -> None:
    with visitor(running) as browser:
        page = browser.get("/page", headers={"accept-encoding": "gzip"})

    assert page.headers.get("content-encoding") == "gzip"


@on("django", "litestar", "starlette")
def test_compression_inside_keeps_what_is_no_page_as_it_was(running: Running, servers: Servers) -> None:
    bare = servers.get(without_consentgate(running))
    packed = {"accept": "*/*", "accept-encoding": "gzip"}
    with visitor(running, headers=packed) as browser, visitor(bare, headers=packed) as other:
        answers = [(browser.get(path), other.get(path)) for path in ("/static/site.css", "/static/page.html")]

    for answer, expected in answers:
        assert answer.status_code == 200
        assert expected.content[-60:] == answer.content[-60:]


@on("litestar", "quart", "starlette")
def test_a_websocket_echoes_and_its_handshake_sets_no_cookie_that_is_withheld(running: Running) -> None:
    with connect(f"{running.url.replace('http', 'ws')}/echo", proxy=None) as socket:
        socket.send("hello")
        answer = socket.recv(timeout=10)
        assert socket.response is not None
        lines = socket.response.headers.get_all("set-cookie")

    assert answer == "hello"
    assert not any("campaign" in line for line in lines)


@on("litestar", "quart", "starlette")
def test_the_applications_startup_has_run(running: Running) -> None:
    with visitor(running) as browser:
        assert browser.get("/consent").json()["started"] is True


@pytest.mark.parametrize("server", SERVERS)
def test_startup_and_shutdown_both_reach_the_application(server: str, servers: Servers) -> None:
    running = servers.start(Mount("tests.mounts.sites.starlette_site:app", server))
    with visitor(running) as browser:
        browser.get("/page")

    running.stop()

    assert re.findall(r"the site has (\w+)", running.said()) == ["started", "stopped"]


@on("django")
def test_djangos_admin_signs_in_with_its_declared_cookies_and_gets_no_banner(running: Running) -> None:
    with visitor(running) as browser:
        login = browser.get("/admin/login/?next=/admin/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', login.text)
        assert token is not None
        fields = {"csrfmiddlewaretoken": token[1], "username": "staff", "password": "a password of the tests alone"}
        answer = browser.post("/admin/login/?next=/admin/", data=fields)
        index = browser.get("/admin/")

        assert (answer.status_code, answer.headers["location"]) == (302, "/admin/")
        assert {"csrftoken", "sessionid"} <= set(browser.cookies)
    assert "Site administration" in index.text
    assert "consentgate" not in login.text + index.text


@pytest.mark.parametrize(
    "running",
    [Mount("tests.mounts.sites.starlette_site:twice", server) for server in SERVERS],
    indirect=True,
    ids=str,
)
def test_mounted_twice_it_works_as_once_and_says_so_once(running: Running) -> None:
    with visitor(running) as browser:
        page = browser.get("/page")
        choose(browser, page, "accept_all")
        confirmed = browser.get("/page")
        accepted = browser.get("/page")

    assert has_banner(page)
    assert page.text.count('<section id="consentgate"') == 1
    assert has_confirmation(confirmed)
    assert accepted.text.count("googletagmanager") == confirmed.text.count("googletagmanager")
    assert running.count("ConsentMiddleware is mounted twice") == 1


# What a server does by itself, rather than with a framework.

HTTP2 = [Mount("tests.mounts.sites.starlette_site:app", server) for server in ("granian", "hypercorn")]


@pytest.mark.parametrize("running", HTTP2, indirect=True, ids=str)
def test_cookies_that_http_2_splits_over_several_headers_are_read_and_hidden(running: Running) -> None:
    with visitor(running) as browser:
        choose(browser, browser.get("/page"), "reject_all")
        crumbs = [("cookie", f"{name}={value}") for name, value in browser.cookies.items()]
    crumbs += [("cookie", "pages_seen=7"), ("cookie", "session=s3cr3t")]

    with visitor(running, http1=False, http2=True) as browser:
        page = browser.get("/page", headers=[("accept", "text/html"), *crumbs])
        seen = browser.get("/cookies-seen", headers=crumbs)

    assert page.http_version == "HTTP/2"
    assert not has_banner(page)
    assert "pages_seen=;" in page.headers["set-cookie"]
    assert seen.json()["session"] == "s3cr3t"
    assert "pages_seen" not in seen.json()


BEHIND_A_PREFIX = [
    Mount("tests.mounts.sites.starlette_site:app", "uvicorn", ("--root-path", "/shop")),
    Mount("tests.mounts.sites.starlette_site:app", "hypercorn", ("--root-path", "/shop")),
    Mount("tests.mounts.sites.starlette_site:app", "granian", ("--url-path-prefix", "/shop")),
]


@pytest.mark.parametrize("running", BEHIND_A_PREFIX, indirect=True, ids=str)
def test_behind_a_proxy_that_takes_a_prefix_away_every_address_keeps_it(running: Running) -> None:
    with visitor(running) as browser:
        page = browser.get("/page?q=1")
        style, _ = (browser.get(path.removeprefix("/shop")) for path in asset_paths(page))
        answer = choose(browser, page, "accept_all", prefix="/shop")
        skipped = browser.get("/quiet/page")

    assert has_banner(page)
    assert all(path.startswith("/shop/cookies/static/") for path in asset_paths(page))
    assert style.status_code == 200
    assert answer.headers["location"] == "/shop/page?q=1"
    assert "consentgate" not in skipped.text


def conditions_of(page: httpx.Response) -> dict[str, str]:
    """Write the conditions that a browser sends for a page it holds."""
    names = (("if-none-match", "etag"), ("if-modified-since", "last-modified"))
    return {name: page.headers[header] for name, header in names if header in page.headers}


def arrivals(running: Running, path: str, mark: bytes, headers: dict[str, str]) -> tuple[bytes, list[float]]:
    """Read a stream, and note when each of its pieces could be read."""
    content, moments = b"", []
    with visitor(running, headers=headers) as browser, browser.stream("GET", path) as answer:
        assert answer.status_code == 200
        for chunk in answer.iter_bytes():
            content += chunk
            moments += [time.monotonic()] * chunk.count(mark)
    return content, moments[-PIECES:]


def assert_in_pace(moments: Sequence[float]) -> None:
    """Tell a stream from a page that was held back: its pieces come one after another over most of the time."""
    assert len(moments) == PIECES
    assert moments[-1] - moments[0] > PAUSE * PIECES / 2
    assert len([1 for one, other in pairwise(moments) if other - one > PAUSE / 4]) > PIECES / 2
