"""Each example under real servers, as its visitors meet it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.mounts.pages import GOOGLE, asset_paths, choose, has_banner, has_confirmation, has_tag
from tests.mounts.servers import Mount, Running, free_port, run, under_servers, visitor

NAMES = ("datasette", "django", "litestar", "quart", "wsgi")
EXAMPLES = under_servers("examples.{}_site:app", NAMES, everywhere=("datasette", "quart"))


def use_basket(browser: httpx.Client) -> httpx.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/").text)
    fields = {"bread": "a sourdough"} | ({"csrfmiddlewaretoken": token[1]} if token else {})
    assert browser.post("/basket", data=fields).status_code == 303
    return browser.get("/")


def use_messages(browser: httpx.Client) -> httpx.Response:
    token = re.search(r'name="csrftoken" value="([^"]+)"', browser.get("/-/messages").text)
    assert token is not None
    fields = {"message": "The oven is on", "message_type": "INFO", "csrftoken": token[1]}
    assert browser.post("/-/messages", data=fields).is_redirect
    assert "ds_messages" in browser.cookies
    return browser.get("/")


# How an example uses a cookie of its own, what its page says then, and the cookie's name.
OWN_COOKIES: dict[str, tuple[Callable[[httpx.Client], httpx.Response], str, str]] = {
    "datasette": (use_messages, "The oven is on", "ds_csrftoken"),
    "django": (use_basket, "a sourdough", "sessionid"),
    "litestar": (use_basket, "a sourdough", "session"),
    "quart": (use_basket, "a sourdough", "session"),
    "wsgi": (use_basket, "a sourdough", "session"),
}
every_example = pytest.mark.parametrize("running", EXAMPLES, indirect=True, ids=str)


def name_of(running: Running) -> str:
    return running.mount.target.removeprefix("examples.").partition("_site")[0]


@every_example
def test_a_page_begins_with_the_banner_and_holds_nothing_of_google(running: Running) -> None:
    with visitor(running) as browser:
        page = browser.get("/bread")

    assert page.status_code == 200
    assert has_banner(page)
    assert not GOOGLE.search(page.text)
    assert "<h1>Our bread</h1>" in page.text


@every_example
def test_the_banners_style_sheet_and_script_are_there(running: Running) -> None:
    with visitor(running) as browser:
        answers = [browser.get(path) for path in asset_paths(browser.get("/bread"))]

    assert [answer.headers["content-type"].partition(";")[0] for answer in answers] == ["text/css", "text/javascript"]
    assert all(answer.status_code == 200 for answer in answers)


@every_example
def test_the_footer_leads_to_the_cookies_page(running: Running) -> None:
    with visitor(running) as browser:
        footer = browser.get("/bread").text.partition("<footer")[2]
        page = browser.get("/cookies")

    assert 'href="/cookies"' in footer
    assert page.status_code == 200
    assert "Corner Bakery" in page.text


@every_example
def test_accepting_by_form_is_confirmed_on_the_same_page_which_has_the_tag(running: Running) -> None:
    with visitor(running) as browser:
        answer = choose(browser, browser.get("/bread"), "accept_all")
        page = browser.get(answer.headers["location"])
        next_page = browser.get("/bread")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/bread"
    assert has_confirmation(page)
    assert has_tag(page)
    assert "Thank you for letting us count visits." in page.text
    assert has_tag(next_page)
    assert not has_banner(next_page)


@every_example
def test_refusing_by_form_is_confirmed_and_leaves_nothing_in_the_pages(running: Running) -> None:
    with visitor(running) as browser:
        answer = choose(browser, browser.get("/bread"), "reject_all")
        confirmed = browser.get(answer.headers["location"])
        page = browser.get("/bread")

    assert answer.status_code == 303
    assert has_confirmation(confirmed)
    assert not GOOGLE.search(confirmed.text)
    assert "consentgate" not in page.text
    assert not GOOGLE.search(page.text)
    assert "Thank you for letting us count visits." not in page.text


# Under granian a2wsgi reads no forms at all: it expects `receive()` to be a coroutine.
@pytest.mark.parametrize("running", [one for one in EXAMPLES if str(one) != "wsgi-granian"], indirect=True, ids=str)
def test_the_applications_own_cookie_survives(running: Running) -> None:
    use, expected, cookie = OWN_COOKIES[name_of(running)]
    with visitor(running) as browser:
        choose(browser, browser.get("/bread"), "reject_all")
        page = use(browser)

        assert expected in page.text
        assert cookie in browser.cookies


@every_example
def test_the_analytics_cookie_of_the_applications_own_waits_for_consent(running: Running) -> None:
    with visitor(running) as browser:
        page = browser.get("/bread")
        before = "visited" in browser.cookies
        choose(browser, page, "accept_all")
        browser.get("/bread")
        after = "visited" in browser.cookies

    assert (before, after) == (False, True)


@every_example
def test_a_cookie_that_nobody_declared_is_withheld_and_logged_once(running: Running) -> None:
    with visitor(running) as browser:
        answers = [browser.get("/offer"), browser.get("/offer")]

    assert [answer.is_redirect for answer in answers] == [True, True]
    assert not any("campaign" in answer.headers.get("set-cookie", "") for answer in answers)
    assert running.count("set the cookie campaign, which the policy does not list") == 1


@every_example
def test_head_is_answered_like_get_without_a_body(running: Running) -> None:
    with visitor(running) as browser:
        page, head = browser.get("/bread"), browser.head("/bread")

    if head.status_code == 405:  # Datasette's and Litestar's own routes, with or without consentgate
        assert name_of(running) in ("datasette", "litestar")
        return
    assert head.status_code == page.status_code
    assert head.content == b""
    assert head.headers.get("content-length", "-") != "0"
    assert head.headers["content-type"] == page.headers["content-type"]


@every_example
def test_a_page_that_is_not_there_stays_a_404(running: Running) -> None:
    with visitor(running) as browser:
        missing = browser.get("/no-such-page")

    assert missing.status_code == 404
    if missing.headers["content-type"].startswith("text/html"):
        assert has_banner(missing)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs_as_a_program(name: str, tmp_path: Path) -> None:
    port = free_port()
    running = run(Mount(f"examples.{name}_site:app"), ["-m", f"examples.{name}_site"], port, tmp_path / "log")
    try:
        with visitor(running) as browser:
            assert has_banner(browser.get("/bread"))
    finally:
        running.stop()


@pytest.mark.parametrize(
    "running", [mount for mount in EXAMPLES if "datasette" in mount.target], indirect=True, ids=str
)
def test_datasettes_own_pages_have_the_banner_and_its_api_is_left_alone(running: Running) -> None:
    with visitor(running) as browser:
        index, table = browser.get("/"), browser.get("/bakery/bread")
        rows = browser.get("/bakery/bread.json?_shape=array", headers={"accept": "*/*"})
        style = browser.get("/-/static/app.css")

    assert has_banner(index)
    assert has_banner(table)
    assert 'href="/cookies"' in index.text.partition("<footer")[2]
    assert [row["name"] for row in rows.json()] == ["Sourdough", "Rye", "Cottage loaf"]
    assert style.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("running", [mount for mount in EXAMPLES if "django" in mount.target], indirect=True, ids=str)
def test_djangos_admin_has_no_banner_and_its_form_keeps_working(running: Running) -> None:
    with visitor(running) as browser:
        page = browser.get("/admin/", follow_redirects=True)
        style = browser.get("/static/admin/css/base.css")

        assert page.url.path == "/admin/login/"
        assert 'name="password"' in page.text
        assert "consentgate" not in page.text
        assert "csrftoken" in browser.cookies
    assert style.headers["content-type"].startswith("text/css")
    assert int(style.headers["content-length"]) == len(style.content)
