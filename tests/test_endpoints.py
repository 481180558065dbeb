"""consentgate's own resources: what the choice form takes and refuses, and what its pages and files say."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import html5lib
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Scope

from consentgate import Category, ConsentPolicy, Controller, StorageItem
from consentgate.assets import assets
from consentgate.consent_cookie import ConsentCookie
from consentgate.rendering import wording_of
from tests.conftest import (
    A_DAY,
    HOST,
    KEY,
    NOW,
    ORIGIN,
    PAGE,
    ask,
    consent_cookie,
    make_client,
    make_policy,
    make_site,
    request,
)

pytestmark = pytest.mark.anyio

CHOICE = "/cookies/choice"
FORM = {"content-type": "application/x-www-form-urlencoded"}
SCRIPT = {"accept": "application/json"}
APP = PlainTextResponse("the application's own")


async def post(
    content: str | bytes | Mapping[str, str] | AsyncIterator[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    policy: ConsentPolicy | None = None,
    cookie: str = "",
    path: str = CHOICE,
    **changes: Any,
) -> httpx.Response:
    """Send a form to the site, from one of its own pages unless the headers say otherwise."""
    written = urlencode(content) if isinstance(content, Mapping) else content
    sent = {**FORM, "origin": ORIGIN, **({"cookie": cookie} if cookie else {}), **(headers or {})}
    async with make_client(APP, policy, **changes) as client:
        return await client.post(path, content=written, headers=sent)


async def get(path: str, *, cookie: str = "", method: str = "GET", **changes: Any) -> httpx.Response:
    async with make_client(APP, **changes) as client:
        return await client.request(method, path, headers={"cookie": cookie} if cookie else {})


def kept(response: httpx.Response) -> list[str]:
    """List the names of the cookies that an answer sets or expires."""
    return [line.partition("=")[0] for line in response.headers.get_list("set-cookie")]


def granted_by(response: httpx.Response) -> frozenset[str]:
    """Return the categories that the consent cookie of an answer grants."""
    line = next(line for line in response.headers.get_list("set-cookie") if line.startswith("__Host-consentgate="))
    value = line.partition("=")[2].partition(";")[0]
    return ConsentCookie(make_policy(), [KEY]).read([value.encode()], NOW).granted


def parsed(response: httpx.Response) -> Any:
    return html5lib.parse(response.text, namespaceHTMLElements=False)


def text_of(response: httpx.Response) -> str:
    return " ".join(" ".join(parsed(response).find(".//main").itertext()).split())


def wording() -> str:
    return wording_of(make_policy(), "en")


# Methods.


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_choice_is_made_by_post_alone(method: str) -> None:
    response = await get(f"{CHOICE}?choice=accept_all", method=method)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert kept(response) == []


@pytest.mark.parametrize("path", ["/cookies", "/cookies/state", "/cookies/static/CSS"])
async def test_what_is_only_read_takes_no_post(path: str) -> None:
    address = path.replace("CSS", assets()["consentgate.css"].name)

    response = await post({"choice": "accept_all"}, path=address)

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert kept(response) == []


@pytest.mark.parametrize("path", ["/cookies", "/cookies/", "/cookies/state", "/cookies/static/JS"])
async def test_head_says_what_get_says(path: str) -> None:
    address = path.replace("JS", assets()["consentgate.js"].name)

    got, head = await get(address), await get(address, method="HEAD")

    assert got.status_code == head.status_code == 200
    assert got.headers == head.headers
    assert head.content == b""


async def test_other_paths_are_the_applications_own() -> None:
    for path in ("/", "/cookies2", "/cookies/x", "/cookies/choice/x", "/cookie", "/a/cookies", "//cookies"):
        response = await get(f"{ORIGIN}{path}")

        assert response.text == "the application's own", path


async def test_another_prefix_moves_all_of_it() -> None:
    policy = make_policy(path_prefix="/privacy/choices")

    response = await post({"choice": "reject_all"}, policy=policy, path="/privacy/choices/choice")

    assert response.status_code == 303
    assert response.headers["location"] == "/privacy/choices"
    assert (await get("/cookies", policy=policy)).text == "the application's own"


# Where the request comes from.


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site"}, id="cross_site"),
        pytest.param({"sec-fetch-site": "same-site"}, id="same_site"),
        pytest.param({"sec-fetch-site": "cross-site", "origin": ORIGIN}, id="cross_site_with_our_origin"),
        pytest.param({"sec-fetch-site": "nonsense"}, id="nonsense"),
        pytest.param({"origin": "https://evil.example"}, id="origin_of_another_site"),
        pytest.param({"origin": f"https://{HOST}.evil.example"}, id="origin_that_begins_like_ours"),
        pytest.param({"origin": f"https://{HOST}:8443"}, id="origin_of_another_port"),
        pytest.param({"origin": "null"}, id="origin_null"),
        pytest.param({"origin": "https://["}, id="origin_that_is_none"),
    ],
)
async def test_choice_of_another_website_is_refused(headers: dict[str, str]) -> None:
    response = await post({"choice": "accept_all"}, headers=headers)

    assert response.status_code == 403
    assert kept(response) == []
    assert "another website" in text_of(response)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "same-origin", "origin": ORIGIN}, id="same_origin"),
        pytest.param({"sec-fetch-site": "same-origin", "origin": "null"}, id="same_origin_without_referrer"),
        pytest.param({"sec-fetch-site": "none"}, id="typed_by_hand"),
        pytest.param({"origin": ORIGIN}, id="older_browser"),
        pytest.param({"origin": ORIGIN.upper()}, id="upper_case"),
    ],
)
async def test_choice_of_our_own_page_is_taken(headers: dict[str, str]) -> None:
    response = await post({"choice": "accept_all"}, headers=headers)

    assert response.status_code == 303
    assert "__Host-consentgate" in kept(response)


async def test_choice_of_a_program_that_is_no_browser_is_taken() -> None:
    async with make_client(APP) as client:
        response = await client.post(CHOICE, content="choice=reject_all", headers=FORM)

    assert response.status_code == 303


# Size and kind of the body.


async def test_form_that_is_too_large_is_refused() -> None:
    response = await post(b"choice=accept_all&back=/" + b"a" * 8192)

    assert response.status_code == 413
    assert kept(response) == []
    assert "larger than it can be" in text_of(response)


async def test_form_of_the_largest_size_is_read() -> None:
    form = b"choice=accept_all&back=/"

    response = await post(form + b"a" * (8192 - len(form)))

    assert response.status_code == 303


@pytest.mark.parametrize(
    "media_type", ["multipart/form-data; boundary=x", "text/plain", "application/json", "", "application/x-www-form"]
)
async def test_body_of_another_kind_is_refused(media_type: str) -> None:
    response = await post({"choice": "accept_all"}, headers={"content-type": media_type})

    assert response.status_code == 415
    assert kept(response) == []


@pytest.mark.parametrize(
    "media_type",
    ["application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-Urlencoded"],
    ids=["with_charset", "upper_case"],
)
async def test_form_may_name_its_charset(media_type: str) -> None:
    response = await post({"choice": "accept_all"}, headers={"content-type": media_type})

    assert response.status_code == 303


async def test_form_that_comes_byte_by_byte_is_read() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in b"choice=save&analytics=yes&marketing=no":
            yield bytes([byte])
            yield b""

    response = await post(pieces(), headers=SCRIPT)

    assert response.json()["granted"] == ["analytics", "essential"]


async def _answer_to(*received: Message) -> list[Message]:
    """Send messages as a server would and return what is answered."""
    waiting = list(received)
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": CHOICE,
        "query_string": b"",
        "headers": [(b"host", HOST.encode()), (b"content-type", FORM["content-type"].encode())],
    }
    await make_site(APP)(scope, receive, send)
    return sent


async def test_client_that_leaves_in_the_middle_of_its_form_chose_nothing() -> None:
    start, *_ = await _answer_to(
        {"type": "http.request", "body": b"choice=accept_all", "more_body": True}, {"type": "http.disconnect"}
    )

    assert start["status"] == 400
    assert b"set-cookie" not in dict(start["headers"])


async def test_form_that_is_too_large_is_not_read_to_its_end() -> None:
    piece = {"type": "http.request", "body": b"a" * 5000, "more_body": True}

    start, *_ = await _answer_to(piece, piece)  # a third would find nothing to read

    assert start["status"] == 413


async def test_form_whose_message_lacks_a_body_chose_nothing() -> None:
    start, *_ = await _answer_to({"type": "http.request"})

    assert start["status"] == 400


# What a form may say.


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        pytest.param("choice=accept_all&extra=1", 400, "a field that does not belong to it: extra", id="unknown_field"),
        pytest.param("choice=save&tracking=yes", 400, "does not belong to it: tracking", id="unknown_answer"),
        pytest.param("choice=accept_all&asked=tracking", 400, "no cookie category called tracking", id="unknown_asked"),
        pytest.param("choice=maybe", 400, "The answer for choice", id="unknown_choice"),
        pytest.param("choice=save&analytics=maybe", 400, "analytics has to be yes or no", id="bad_answer"),
        pytest.param("choice=save&analytics=", 400, "analytics has to be yes or no", id="empty_answer"),
        pytest.param("choice=save&analytics=YES", 400, "analytics has to be yes or no", id="upper_case_answer"),
        pytest.param("choice=save", 400, "No choice was made", id="nothing_saved"),
        pytest.param("choice=accept_all&asked=", 400, "No choice was made", id="nothing_asked"),
        pytest.param("choice=save&essential=yes", 400, "No choice was made", id="essential_alone"),
        pytest.param("", 400, "No choice was made", id="empty"),
        pytest.param("%ff%fe=%00", 400, "does not belong to it", id="not_utf_8"),
        pytest.param(b"\xff\xfe", 400, "could not be read", id="raw_bytes"),
        pytest.param("&".join(["a=1"] * 41), 400, "could not be read", id="too_many_fields"),
        pytest.param("choice=accept_all&choice=reject_all", 400, "could not be read", id="both_choices"),
        pytest.param("analytics=no&analytics=yes", 400, "could not be read", id="both_answers"),
        pytest.param("choice=accept_all&analytics=no", 400, "The answer for analytics", id="accept_all_but_one"),
        pytest.param("choice=reject_all&analytics=yes", 400, "The answer for analytics", id="reject_all_but_one"),
        pytest.param("choice=accept_all&wording=0123456789abcdef", 409, "choose again", id="stale_wording"),
    ],
)
async def test_unclear_form_is_refused_in_plain_words_and_saves_nothing(
    form: str | bytes, status: int, said: str
) -> None:
    response = await post(form)

    assert response.status_code == status
    assert said in text_of(response)
    assert "What you chose before still holds." in text_of(response)
    assert kept(response) == []


async def test_what_an_outdated_form_refuses_is_saved_though_what_it_accepts_is_not() -> None:
    response = await post("analytics=yes&marketing=no&wording=x")

    assert response.status_code == 409
    assert "nothing that you accepted was saved" in text_of(response)
    assert kept(response) == ["__Host-consentgate"]
    assert granted_by(response) == {"essential"}


async def test_a_refusal_is_taken_although_it_names_a_category_that_is_gone() -> None:
    response = await post("choice=reject_all&asked=tracking")

    assert response.status_code == 303
    assert granted_by(response) == {"essential"}


async def test_what_a_form_says_is_escaped_and_cut_in_the_answer() -> None:
    response = await post({"<script>alert(1)</script>" + "x" * 100: "1"})

    assert "<script>alert" not in response.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;xxx" in response.text
    assert "x" * 41 not in response.text


@pytest.mark.parametrize(
    ("form", "granted"),
    [
        pytest.param("choice=accept_all", ["analytics", "essential", "marketing"], id="accept_all"),
        pytest.param("choice=reject_all", ["essential"], id="reject_all"),
        pytest.param("choice=save&analytics=yes&marketing=no", ["analytics", "essential"], id="save"),
        pytest.param("analytics=yes", ["analytics", "essential"], id="save_without_a_button"),
        pytest.param("choice=accept_all&asked=marketing", ["essential", "marketing"], id="one_asked"),
        pytest.param("choice=accept_all&asked=essential+analytics", ["analytics", "essential"], id="essential_asked"),
        pytest.param("choice=save&analytics=yes&essential=no", ["analytics", "essential"], id="essential_refused"),
        pytest.param("choice=accept_all&essential=no", ["analytics", "essential", "marketing"], id="all_but_essential"),
        pytest.param("choice=accept_all&choice=accept_all", ["analytics", "essential", "marketing"], id="said_twice"),
    ],
)
async def test_clear_form_grants_what_it_says(form: str, granted: list[str]) -> None:
    response = await post(form, headers=SCRIPT)

    assert response.json()["granted"] == granted
    assert "__Host-consentgate" in kept(response)


async def test_wording_in_use_may_grant() -> None:
    response = await post({"choice": "accept_all", "wording": wording()})

    assert response.status_code == 303


@pytest.mark.parametrize(
    "form",
    ["choice=reject_all&wording=stale", "choice=save&analytics=no&marketing=no&wording=stale"],
    ids=["reject_all", "save"],
)
async def test_refusal_is_honoured_whatever_wording_was_shown(form: str) -> None:
    accepted = f"__Host-consentgate={consent_cookie({'analytics': True, 'marketing': True})}"

    response = await post(form, cookie=accepted)

    assert response.status_code == 303
    assert granted_by(response) == {"essential"}


async def test_hiding_a_message_is_no_choice() -> None:
    response = await post({"hide": "yes", "choice": "accept_all", "back": "/news"})

    assert response.status_code == 303
    assert response.headers["location"] == "/news"
    assert kept(response) == []


# The way back.


@pytest.mark.parametrize(
    "back",
    ["/", "/news", "/news?page=2&sort=a", "/a%20b", "/caf%C3%A9", "/~ann/", "/@ann", "/a//b"],
)
async def test_choice_leads_back_to_a_path_of_this_site(back: str) -> None:
    response = await post({"choice": "reject_all", "back": back})

    assert response.headers["location"] == back


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/caf\u00e9",
        "/" + "a" * 2048,
        "",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("form", [{"choice": "reject_all"}, {"hide": "yes"}], ids=["choice", "hide"])
async def test_any_other_way_back_leads_to_the_cookies_page(back: str, form: dict[str, str]) -> None:
    response = await post({**form, "back": back})

    assert response.status_code == 303
    assert response.headers["location"] == "/cookies"


async def test_choice_on_the_cookies_page_leads_to_the_cookies_page_and_remembers_where_from() -> None:
    response = await post({"choice": "save", "analytics": "no", "source": "page", "back": "/news"})

    assert response.headers["location"] == "/cookies?back=%2Fnews"


async def test_cookies_page_offers_no_way_back_to_another_site() -> None:
    response = await get("/cookies?back=https://evil.example/")

    assert "evil.example" not in response.text


@pytest.mark.parametrize(
    ("referer", "expected"),
    [
        pytest.param(f"{ORIGIN}/news?page=2", "/news?page=2", id="page_of_this_site"),
        pytest.param("https://evil.example/news", "", id="another_site"),
        pytest.param(f"{ORIGIN}/cookies", "", id="itself"),
        pytest.param("https://[", "", id="no_address"),
        pytest.param("about:blank", "", id="blank"),
    ],
)
async def test_cookies_page_leads_back_to_where_the_visitor_came_from(referer: str, expected: str) -> None:
    async with make_client(APP) as client:
        response = await client.get("/cookies", headers={"referer": referer})

    assert f'name="back" value="{expected}"' in response.text


# JSON for the script.


async def test_script_learns_what_is_granted_and_what_to_start() -> None:
    response = await post("choice=save&analytics=yes&marketing=no", headers=SCRIPT)

    state = response.json()
    assert state["outcome"] == "save"
    assert state["granted"] == ["analytics", "essential"]
    assert state["undecided"] == []
    assert [service["id"] for service in state["services"]] == ["G-LUTON123"]
    assert kept(response) == ["__Host-consentgate"]


async def test_script_learns_of_no_service_after_a_refusal() -> None:
    response = await post("choice=reject_all", headers=SCRIPT)

    assert response.json()["services"] == []
    assert "google" not in response.text.lower()


async def message_after(choice: str = "reject_all", **fields: str) -> Any:
    """Return what comes with the answer to a choice that the script sent."""
    form = {"choice": choice, "source": "banner", "back": "/news", **fields}
    return (await post(form, headers=SCRIPT)).json().get("message")


@pytest.mark.parametrize(
    ("choice", "words"),
    [("accept_all", "You have accepted all cookies."), ("reject_all", "You have rejected all cookies")],
)
async def test_the_answer_to_the_banner_brings_the_message_that_confirms_it(choice: str, words: str) -> None:
    message = await message_after(choice)

    assert words in message
    assert 'role="alert"' in message
    assert '<button type="submit" name="hide" value="yes">' in message


async def test_that_message_is_in_the_language_of_the_form() -> None:
    message = await message_after(lang="pl")

    assert "Ukryj komunikat o plikach cookie" in message
    assert 'href="/cookies?lang=pl"' in message


async def test_that_message_leads_to_a_listed_site_whatever_base_the_page_has() -> None:
    form = {"choice": "reject_all", "source": "banner"}

    message = (await post(form, headers=SCRIPT, policy=make_policy(hosts=(HOST,)))).json()["message"]

    assert f'href="//{HOST}/cookies"' in message
    assert f'action="//{HOST}/cookies/choice"' in message


async def test_that_message_takes_a_way_back_as_text() -> None:
    assert 'name="back" value="/?a=1&amp;b=2"' in await message_after(back="/?a=1&b=2")


@pytest.mark.parametrize("source", ["page", "embed", "", "elsewhere"])
async def test_where_there_is_no_question_no_message_comes(source: str) -> None:
    assert await message_after(source=source) is None


async def test_script_gets_errors_in_json() -> None:
    response = await post("choice=maybe", headers=SCRIPT)

    assert response.status_code == 400
    assert response.json() == {"error": "The answer for choice has to be yes or no."}
    assert kept(response) == []


async def test_refusal_expires_the_cookies_of_the_same_request_for_the_script_too() -> None:
    response = await post("choice=reject_all", headers=SCRIPT, cookie="_ga=1; session=1; mine=1")

    assert set(kept(response)) == {"_ga", "__Host-consentgate"}


async def test_choice_expires_consent_cookies_of_the_same_name_elsewhere() -> None:
    place = f"https://place.{HOST}"
    shared = make_policy(hosts=(HOST, f"place.{HOST}"), cookie_domain=HOST)
    two = "__Secure-consentgate=stale; __Secure-consentgate=older"

    response = await post("choice=reject_all", policy=shared, origin=place, headers={"origin": place}, cookie=two)

    lines = [line for line in response.headers.get_list("set-cookie") if line.startswith("__Secure-consentgate=;")]
    assert lines == [
        "__Secure-consentgate=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
        f"__Secure-consentgate=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Domain=place.{HOST}; Secure",
    ]


async def test_form_gets_a_message_cookie_for_a_minute() -> None:
    response = await post("choice=reject_all")

    lines = response.headers.get_list("set-cookie")
    assert "__Host-consentgate-message=reject_all; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure" in lines


# State.


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({}, {"granted": ["essential"], "undecided": ["analytics", "marketing"]}, id="undecided"),
        pytest.param(
            {"analytics": False, "marketing": False}, {"granted": ["essential"], "undecided": []}, id="refused"
        ),
        pytest.param(
            {"analytics": True}, {"granted": ["analytics", "essential"], "undecided": ["marketing"]}, id="in_part"
        ),
    ],
)
async def test_state_says_what_holds_now(answers: dict[str, bool], expected: dict[str, list[str]]) -> None:
    response = await get("/cookies/state", cookie=f"__Host-consentgate={consent_cookie(answers)}")

    assert response.json().keys() == {"granted", "undecided", "services", "storage", "clearing"}
    assert {key: response.json()[key] for key in expected} == expected


@pytest.mark.parametrize(("granted", "services"), [(True, 1), (False, 0)], ids=["granted", "refused"])
async def test_state_lists_services_only_when_granted(granted: bool, services: int) -> None:
    response = await get("/cookies/state", cookie=f"__Host-consentgate={consent_cookie({'analytics': granted})}")

    assert len(response.json()["services"]) == services
    assert ("googletagmanager" in response.text) is granted


async def test_state_expires_what_is_not_granted() -> None:
    response = await get("/cookies/state", cookie="_ga=1; session=1")

    assert set(kept(response)) == {"_ga"}
    assert all("Max-Age=0" in line for line in response.headers.get_list("set-cookie"))


# Caches.


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        pytest.param("GET", "/cookies", "", id="page"),
        pytest.param("GET", "/cookies/state", "", id="state"),
        pytest.param("POST", CHOICE, "choice=accept_all", id="choice"),
        pytest.param("POST", CHOICE, "hide=yes", id="hide"),
        pytest.param("POST", CHOICE, "choice=maybe", id="error"),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"], ids=["form", "script"])
async def test_nothing_personal_is_stored(method: str, path: str, content: str, accept: str) -> None:
    async with make_client(APP) as client:
        response = await client.request(method, path, content=content, headers={**FORM, "accept": accept})

    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("consentgate.css", "text/css; charset=utf-8"), ("consentgate.js", "text/javascript; charset=utf-8")],
    ids=["style", "script"],
)
async def test_files_are_immutable_and_the_same_for_everybody(name: str, media_type: str) -> None:
    asset = assets()[name]

    response = await get(f"/cookies/static/{asset.name}", cookie="_ga=1")

    assert response.content == asset.content
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "Accept-Encoding"
    assert kept(response) == []


@pytest.mark.parametrize("accept_encoding", ["gzip", "gzip, deflate, br, zstd", "identity", "br, gzip;q=0", None])
async def test_files_are_compressed_for_browsers_that_take_it(accept_encoding: str | None) -> None:
    asset = assets()["consentgate.js"]
    takes_it = bool(accept_encoding) and str(accept_encoding).startswith("gzip")
    headers = [(b"accept-encoding", accept_encoding.encode())] if accept_encoding else []

    answer = await ask(APP, request(*headers, path=f"/cookies/static/{asset.name}"))

    sent = dict(answer.headers)
    assert answer.body == (asset.packed if takes_it else asset.content)
    assert gzip.decompress(asset.packed) == asset.content
    assert sent.get(b"content-encoding") == (b"gzip" if takes_it else None)
    assert sent[b"content-length"] == str(len(answer.body)).encode()


@pytest.mark.parametrize("name", ["consentgate.css", "consentgate.0000000000.css", "../policy.py", ""])
async def test_files_of_other_names_are_the_applications_own(name: str) -> None:
    response = await get(f"/cookies/static/{name}")

    assert response.text == "the application's own"


# The cookies page.

FULL = make_policy(
    controller=Controller(
        name="Luton Council",
        email="privacy@luton.example",
        address="Town Hall, Luton",
        data_protection_officer="Data Protection Officer",
        data_protection_officer_email="officer@luton.example",
    ),
    privacy_policy="/privacy",
)


async def _cookies_page(policy: ConsentPolicy | None = None, *, cookie: str = "") -> Any:
    response = await get("/cookies", policy=policy, cookie=cookie)
    assert response.status_code == 200
    return parsed(response)


def _words(element: Any) -> str:
    return " ".join(" ".join(element.itertext()).split())


async def test_cookies_page_is_valid_html() -> None:
    response = await get("/cookies", policy=FULL)

    html5lib.HTMLParser(strict=True).parse(response.text)


async def test_error_page_is_valid_html() -> None:
    response = await post("choice=maybe")

    html5lib.HTMLParser(strict=True).parse(response.text)


async def test_each_category_has_a_table_with_named_columns() -> None:
    page = await _cookies_page()

    for table in page.iterfind(".//table"):
        columns = [(cell.attrib.get("scope"), _words(cell)) for cell in table.iterfind(".//thead//th")]
        assert columns == [("col", name) for name in ("Name", "Purpose", "Provider", "Expires")]
    assert len(page.findall(".//table")) == 3


async def test_tables_list_every_cookie_with_purpose_provider_and_expiry() -> None:
    page = await _cookies_page()

    rows = {_words(row[0]): [_words(cell) for cell in row[1:]] for row in page.iterfind(".//tbody/tr")}
    assert set(rows) == {
        "session",
        "__Host-consentgate",
        "__Host-consentgate-message",
        "_ga",
        "_ga_*",
        "campaign",
    }
    assert rows["session"] == ["Keeps your form.", "Luton (this site)", "1 hour"]
    assert rows["_ga"][1:] == ["Google", "184 days"]
    assert all(all(cells) for cells in rows.values())


@pytest.mark.parametrize(
    ("origin", "changes", "name"),
    [
        pytest.param(ORIGIN, {}, "__Host-consentgate", id="this_host"),
        pytest.param(ORIGIN, {"hosts": (HOST,), "cookie_domain": HOST}, "__Secure-consentgate", id="shared"),
        pytest.param("http://localhost", {}, "consentgate", id="development"),
        pytest.param(ORIGIN, {"cookie_name": "choice"}, "__Host-choice", id="renamed"),
    ],
)
async def test_tables_list_the_consent_cookie_under_the_name_it_has_here(
    origin: str, changes: dict[str, Any], name: str
) -> None:
    page = await get("/cookies", policy=make_policy(**changes), origin=origin)
    choice = await post("choice=reject_all", policy=make_policy(**changes), origin=origin, headers={"origin": origin})

    assert f"<code>{name}</code>" in page.text
    assert name in kept(choice)


async def test_what_is_no_cookie_is_named_as_what_it_is() -> None:
    item = StorageItem(name="theme", purpose="Colours.", duration="1 year", type="localStorage")
    policy = make_policy(categories=(Category(id="preferences", items=(item,)),))

    page = await _cookies_page(policy)

    assert "theme (local storage)" in _words(page)


async def test_category_without_items_says_so() -> None:
    page = await _cookies_page(make_policy(categories=(Category(id="preferences"),)))

    assert "None at the moment." in _words(page)


async def test_each_optional_category_has_labelled_radios_with_no_ticked_at_first() -> None:
    page = await _cookies_page()

    fieldsets = page.findall(".//fieldset")
    assert len(fieldsets) == 2
    for fieldset in fieldsets:
        assert _words(fieldset.find("legend"))
        radios = [(label[0].attrib["value"], "checked" in label[0].attrib, _words(label)) for label in fieldset[1:]]
        assert radios == [("yes", False, "Yes"), ("no", True, "No")]
        assert {label.tag for label in fieldset[1:]} == {"label"}


async def test_radios_show_what_was_answered() -> None:
    cookie = f"__Host-consentgate={consent_cookie({'analytics': True, 'marketing': False})}"

    page = await _cookies_page(cookie=cookie)

    ticked = [one.attrib for one in page.iterfind(".//input[@type='radio']") if "checked" in one.attrib]
    assert {one["name"]: one["value"] for one in ticked} == {"analytics": "yes", "marketing": "no"}


async def test_essential_category_cannot_be_switched_off() -> None:
    page = await _cookies_page()

    assert page.find(".//input[@name='essential']") is None
    assert "always on" in _words(page.find(".//section[@aria-labelledby='consentgate-essential']"))


async def test_page_names_third_parties_controller_officer_regulator_and_policy() -> None:
    page = await _cookies_page(FULL)

    words = _words(page)
    for said in (
        "Google Analytics",
        "Luton Council",
        "Town Hall",
        "Data Protection Officer",
        "Information Commissioner",
    ):
        assert said in words
    addresses = {one.attrib["href"] for one in page.iterfind(".//a")}
    assert addresses >= {
        "https://policies.google.com/privacy",
        "mailto:privacy@luton.example",
        "mailto:officer@luton.example",
        "https://ico.org.uk/make-a-complaint/",
        "/privacy",
    }


async def test_page_has_one_heading_per_section_and_every_label_points_somewhere() -> None:
    page = await _cookies_page(FULL)

    assert len(page.findall(".//h1")) == 1
    ids = {one.attrib["id"] for one in page.iterfind(".//*[@id]")}
    assert {one.attrib["aria-labelledby"] for one in page.iterfind(".//*[@aria-labelledby]")} <= ids


async def test_page_loads_nothing_from_elsewhere_before_opt_in() -> None:
    page = await _cookies_page()

    loaded = [one.attrib.get("src") or one.attrib.get("href") for one in page.iterfind(".//head/*")]
    assert [address for address in loaded if address and not address.startswith("/cookies/static/")] == []
    assert "googletagmanager" not in html5lib.serialize(page)


async def test_page_stops_what_runs_by_its_script_after_opt_in() -> None:
    response = await get("/cookies", cookie=f"__Host-consentgate={consent_cookie({'analytics': True})}")

    assert "data-services='" in response.text


async def test_words_of_a_policy_are_escaped() -> None:
    evil = Category(id="maps", title="<b>Maps</b>", purpose='"><script>alert(1)</script>')

    response = await get("/cookies", policy=make_policy(categories=(evil,), site_name="A&B <i>"))

    assert "<script>alert" not in response.text
    assert "<b>Maps" not in response.text
    assert "A&amp;B &lt;i&gt;" in response.text


async def test_page_expires_what_is_not_granted() -> None:
    response = await get("/cookies", cookie="_ga=1; session=1")

    assert set(kept(response)) == {"_ga"}
    assert all("Max-Age=0" in line for line in response.headers.get_list("set-cookie"))


async def test_page_tells_no_other_site_where_the_visitor_was() -> None:
    response = await get("/cookies")

    assert response.headers["referrer-policy"] == "same-origin"


# Mounted below a path.


def _mounted(policy: ConsentPolicy | None = None) -> ASGIApp:
    inner = Starlette(routes=[Mount("/", HTMLResponse(PAGE))])
    return Starlette(routes=[Mount("/town", make_site(inner, policy))])


async def _journey(client: httpx.AsyncClient) -> tuple[str, str, int]:
    """Return the form's address, where it leads, and what the style sheet's address answers."""
    page = await client.get("/town/news?x=1", headers={"accept": "text/html"})
    tree = parsed(page)
    form = tree.find(".//section[@id='consentgate']/form")
    fields = {one.attrib["name"]: one.attrib["value"] for one in form.iterfind(".//input")}
    answer = await client.post(form.attrib["action"], data={**fields, "choice": "reject_all"})
    style = await client.get(tree.find(".//head/link[@rel='stylesheet']").attrib["href"])
    return form.attrib["action"], answer.headers["location"], style.status_code


async def test_site_below_a_path_of_starlette_finds_its_own_addresses() -> None:
    transport = httpx.ASGITransport(_mounted())
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        found = await _journey(client)

    assert found == ("/town/cookies/choice", "/town/news?x=1", 200)


async def test_site_below_a_root_path_of_uvicorn_finds_its_own_addresses() -> None:
    transport = httpx.ASGITransport(make_site(HTMLResponse(PAGE)), root_path="/town")
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        found = await _journey(client)

    assert found == ("/town/cookies/choice", "/town/news?x=1", 200)


async def test_cookies_page_below_a_path_leads_to_addresses_below_it() -> None:
    transport = httpx.ASGITransport(_mounted(make_policy(privacy_policy="/privacy")))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        page = await client.get("/town/cookies")
        saved = await client.post("/town/cookies/choice", data={"analytics": "no", "source": "page"})

    assert 'href="/town/"' in page.text
    assert 'href="/town/privacy"' in page.text
    assert saved.headers["location"] == "/town/cookies"


async def test_paths_outside_the_mount_are_not_ours() -> None:
    transport = httpx.ASGITransport(_mounted())
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        response = await client.get("/cookies")

    assert response.status_code == 404


# Any form at all.

NAMES = st.sampled_from(
    ["choice", "asked", "wording", "back", "source", "hide", "analytics", "marketing", "essential", "other"]
)
VALUES = st.sampled_from(
    ["accept_all", "reject_all", "save", "yes", "no", "", "analytics", "analytics marketing", wording(), "/"]
)
FORMS = st.lists(st.tuples(NAMES, VALUES | st.text(max_size=5)), max_size=8).map(
    lambda pairs: urlencode(pairs).encode()
)
ANY_BODY = FORMS | st.binary(max_size=200)
SITE = make_site(APP)


def _exchange(content: bytes) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(SITE), base_url=ORIGIN) as client:
            return await client.post(CHOICE, content=content, headers=FORM)

    return asyncio.run(send())


def _says_yes(content: bytes) -> bool:
    pairs = parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True)
    return ("choice", "accept_all") in pairs or bool({("analytics", "yes"), ("marketing", "yes")} & set(pairs))


@given(ANY_BODY)
@settings(max_examples=200, deadline=None)
def test_any_form_gets_an_answer_and_no_consent_out_of_nothing(content: bytes) -> None:
    response = _exchange(content)

    assert response.status_code in (303, 400, 409)
    if "__Host-consentgate" not in kept(response):
        return
    assert response.status_code == 303
    if granted_by(response) != {"essential"}:
        assert _says_yes(content)


@given(FORMS)
@settings(max_examples=30, deadline=None)
def test_no_form_with_an_unknown_field_saves_anything(content: bytes) -> None:
    response = _exchange(b"unheard_of=1&" + content)

    assert "__Host-consentgate" not in kept(response)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_cookie_header_gets_an_answer_and_no_consent_out_of_nothing(content: bytes) -> None:
    async def ask() -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", HOST.encode()), (b"cookie", b"_ga=1; __Host-consentgate=" + content)]
        scope: Scope = {"type": "http", "method": "GET", "scheme": "https", "path": "/cookies/state"}
        await SITE({**scope, "headers": headers, "query_string": b""}, receive, send)
        return sent

    start, *bodies = asyncio.run(ask())

    assert start["status"] == 200
    assert json.loads(b"".join(body["body"] for body in bodies))["granted"] == ["essential"]


def test_longest_answers_fit_a_small_cookie() -> None:
    many = tuple(
        Category(id=f"category-number-{index:08}", title="x", purpose="x", version=1000 + index) for index in range(9)
    )
    policy = make_policy(categories=many)

    value = consent_cookie({category.id: True for category in many}, policy, at=NOW - A_DAY)

    assert len(value) < 1024


@pytest.mark.parametrize("query", [b"x=\xff", b"back=\xff"])
async def test_cookies_page_is_shown_whatever_bytes_its_query_holds(query: bytes) -> None:
    asked = request((b"referer", f"{ORIGIN}/news".encode()), path="/cookies", query_string=query)

    answer = await ask(APP, asked)

    assert answer.messages[0]["status"] == 200
    assert b'href="/news"' in answer.body
