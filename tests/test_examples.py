"""Each example a person may start from asks first, then does what the visitor said."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from starlette.types import ASGIApp

from consentgate import load_policy
from examples import fastapi_site, plain_asgi, printed_tags, starlette_site

SITE = "https://site.example"
TAG = "https://www.googletagmanager.com/gtag/js?id=G-AB12CD34EF"
EXAMPLES = [
    pytest.param(starlette_site.app, id="starlette"),
    pytest.param(fastapi_site.app, id="fastapi"),
    pytest.param(plain_asgi.app, id="plain_asgi"),
]
Result = TypeVar("Result")


class Form(HTMLParser):
    """The first form of a page, which is the banner's when there is one: where it goes and what it holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.buttons: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = values["action"]
        elif tag == "input" and values.get("type") == "hidden":
            self.fields.setdefault(values["name"], values["value"])
        elif tag == "button":
            self.buttons.append(values["value"])


def visit(app: ASGIApp, story: Callable[[httpx.AsyncClient], Awaitable[Result]]) -> Result:
    """Let a visitor with an empty cookie jar use a site, and return what came of it."""

    async def run() -> Result:
        transport = httpx.ASGITransport(app)
        headers = {"accept": "text/html"}
        async with httpx.AsyncClient(
            transport=transport, base_url=SITE, headers=headers, follow_redirects=True
        ) as visitor:
            return await story(visitor)

    return asyncio.run(run())


async def press(visitor: httpx.AsyncClient, button: str) -> str:
    """Press a button of the banner on the home page and return the page that follows."""
    form = Form((await visitor.get("/")).text)
    assert button in form.buttons
    answer = await visitor.post(form.action, data={**form.fields, "choice": button}, headers={"origin": SITE})
    assert answer.status_code == 200
    return answer.text


async def first_page(visitor: httpx.AsyncClient) -> str:
    return (await visitor.get("/")).text


async def accept(visitor: httpx.AsyncClient) -> str:
    return await press(visitor, "accept_all")


async def reject(visitor: httpx.AsyncClient) -> str:
    return await press(visitor, "reject_all")


@pytest.mark.parametrize("app", EXAMPLES)
def test_the_first_page_asks_and_holds_no_tag(app: ASGIApp) -> None:
    page = visit(app, first_page)

    assert Form(page).buttons[:2] == ["accept_all", "reject_all"]
    assert "googletagmanager" not in page


@pytest.mark.parametrize("app", EXAMPLES)
def test_accepting_brings_the_tag_and_confirms(app: ASGIApp) -> None:
    page = visit(app, accept)

    assert TAG in page
    assert "You have accepted all cookies." in page
    assert "accept_all" not in Form(page).buttons


@pytest.mark.parametrize("app", EXAMPLES)
def test_rejecting_brings_no_tag_and_confirms(app: ASGIApp) -> None:
    page = visit(app, reject)

    assert "googletagmanager" not in page
    assert "You have rejected all cookies that are not essential." in page
    assert "reject_all" not in Form(page).buttons


@pytest.mark.parametrize("app", EXAMPLES)
def test_the_footer_leads_to_the_cookies_page(app: ASGIApp) -> None:
    async def from_the_footer(visitor: httpx.AsyncClient) -> httpx.Response:
        page = (await visitor.get("/")).text
        link = re.search(r'<a href="([^"]+)">Cookies</a>', page)
        assert link is not None
        return await visitor.get(link[1])

    cookies_page = visit(app, from_the_footer)

    assert cookies_page.status_code == 200
    assert "Save cookie settings" in cookies_page.text


@pytest.mark.parametrize("app", [EXAMPLES[0], EXAMPLES[2]])
def test_code_and_template_follow_an_acceptance(app: ASGIApp) -> None:
    assert "Your visit is counted." in visit(app, accept)


@pytest.mark.parametrize("app", [EXAMPLES[0], EXAMPLES[2]])
def test_code_and_template_follow_a_refusal(app: ASGIApp) -> None:
    assert "Your visit is counted." not in visit(app, reject)


def test_the_starlette_site_counts_only_the_views_of_those_who_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starlette_site, "views", Counter())

    visit(starlette_site.app, reject)
    assert not starlette_site.views

    visit(starlette_site.app, accept)
    assert starlette_site.views == {"home": 1}


def test_every_page_of_the_starlette_site_is_there() -> None:
    async def all_pages(visitor: httpx.AsyncClient) -> list[int]:
        return [(await visitor.get(path)).status_code for path in ("/", "/visit", "/privacy")]

    assert visit(starlette_site.app, all_pages) == [200, 200, 200]


def test_the_fastapi_site_tells_a_script_what_holds() -> None:
    async def asked_before_and_after(visitor: httpx.AsyncClient) -> list[dict[str, bool]]:
        before = (await visitor.get("/counted")).json()
        await accept(visitor)
        return [before, (await visitor.get("/counted")).json()]

    assert visit(fastapi_site.app, asked_before_and_after) == [{"counted": False}, {"counted": True}]


@pytest.mark.parametrize(("answer", "remembered"), [(accept, "park"), (reject, None)])
def test_the_fastapi_site_remembers_a_branch_only_with_consent(
    answer: Callable[[httpx.AsyncClient], Awaitable[str]], remembered: str | None
) -> None:
    async def choose_a_branch(visitor: httpx.AsyncClient) -> str | None:
        await answer(visitor)
        await visitor.get("/branch/park")
        return visitor.cookies.get("branch")

    assert visit(fastapi_site.app, choose_a_branch) == remembered


def test_the_fastapi_site_shows_the_remembered_branch_first() -> None:
    async def come_back(visitor: httpx.AsyncClient) -> str:
        await accept(visitor)
        await visitor.get("/branch/park")
        return (await visitor.get("/")).text

    page = visit(fastapi_site.app, come_back)

    assert page.index("Park library") < page.index("Central library")


def test_other_pages_of_the_fastapi_site_are_there() -> None:
    async def pages(visitor: httpx.AsyncClient) -> list[int]:
        return [(await visitor.get(path)).status_code for path in ("/privacy", "/branch/central", "/branch/none")]

    assert visit(fastapi_site.app, pages) == [200, 200, 404]


def test_a_plain_application_says_what_it_does_not_speak() -> None:
    async def connect() -> None:
        await plain_asgi.app({"type": "lifespan"}, _never, _drop)

    with pytest.raises(RuntimeError, match="does not speak lifespan"):
        asyncio.run(connect())


@pytest.mark.parametrize("file", sorted(Path(starlette_site.__file__).parent.rglob("consentgate.toml")), ids=str)
def test_every_policy_file_among_the_examples_is_right(file: Path) -> None:
    assert load_policy(file).asks


async def _never() -> dict[str, object]:
    raise AssertionError("nobody should listen")


async def _drop(message: object) -> None:
    raise AssertionError("nobody should answer")


PRINTED = re.compile(r"""<(?:script|iframe|link|img)\b[^>]*\s(?:src|href)="(https://[^/"]+)""")


def test_the_printed_tags_wait_until_the_visitor_agrees() -> None:
    async def before_and_after(visitor: httpx.AsyncClient) -> list[set[str]]:
        pages = [(await visitor.get("/")).text]
        await accept(visitor)
        pages.append((await visitor.get("/")).text)
        return [loaded_from(page) for page in pages]

    before, after = visit(printed_tags.app, before_and_after)

    assert before == set()
    assert after == {
        "https://www.youtube.com",
        "https://www.googletagmanager.com",
        "https://chat.luton.example",
        "https://www.facebook.com",
    }


def test_the_printed_tags_stay_away_from_a_visitor_who_refused() -> None:
    async def refused(visitor: httpx.AsyncClient) -> set[str]:
        await reject(visitor)
        return loaded_from((await visitor.get("/")).text)

    assert visit(printed_tags.app, refused) == set()


def loaded_from(page: str) -> set[str]:
    """List the hosts that a page's tags would be loaded from; inert scripts are left out."""
    tags = [found for found in PRINTED.finditer(page) if 'type="text/plain"' not in found[0]]
    return {found[1] for found in tags}
