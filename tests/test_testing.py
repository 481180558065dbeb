"""What `consentgate.testing` gives to a site's own tests: preset visitors, and proof that nothing undeclared leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from consentgate import (
    Category,
    ConfigurationError,
    ConsentMiddleware,
    ConsentPolicy,
    Controller,
    GoogleAnalytics,
    StorageItem,
    notices,
)
from consentgate.testing import PresetConsent, assert_nothing_undeclared, consent_cookie, preset_consent
from tests.browser import find_browser
from tests.needs import leave_out

KEY = "tests-sign-with-this-key-0123456789"
OTHER_KEY = "another-key-that-signs-0123456789ab"
NOW = 1_790_000_000  # seconds since 1970
A_DAY = 24 * 60 * 60  # seconds
CONTROLLER = Controller(name="Luton Council", email="privacy@luton.example")
CATEGORIES = (
    Category(id="essential", items=(StorageItem(name="session", purpose="Keeps your form.", duration="1 hour"),)),
    Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-LUTON123"),)),
    Category(id="marketing", items=(StorageItem(name="campaign", purpose="Counts letters.", duration="1 day"),)),
    Category(id="comfort", title="Comfort", purpose="They remember your settings.", basis="appearance_exception"),
)
POLICY = ConsentPolicy(site_name="Luton", controller=CONTROLLER, categories=CATEGORIES)
SHARED = ConsentPolicy(
    site_name="Luton",
    controller=CONTROLLER,
    categories=CATEGORIES,
    hosts=("luton.example", "place.luton.example"),
    cookie_domain="luton.example",
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_said", set())


async def tell(request: Request) -> Response:
    """Answer with what the application learns of the visitor's consent."""
    consent = request.state.consent
    return JSONResponse({"granted": sorted(consent.granted), "undecided": consent.undecided})


def make_site(policy: ConsentPolicy = POLICY, *, now: float = NOW) -> ConsentMiddleware:
    return ConsentMiddleware(Starlette(routes=[Route("/", tell)]), policy, keys=[KEY], now=lambda: now)


def make_client(policy: ConsentPolicy = POLICY, *, origin: str = "https://testserver", **jar: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(make_site(policy)), base_url=origin, **jar)


# Preset visitors.


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("granted", "refused"),
    [
        ([], ["analytics", "comfort", "marketing"]),
        (["analytics"], ["comfort", "marketing"]),
        (["analytics", "marketing"], ["comfort"]),
        (["analytics", "comfort", "marketing"], []),
    ],
)
async def test_the_site_takes_a_preset_consent_for_the_visitors_own(granted: list[str], refused: list[str]) -> None:
    cookies = consent_cookie(POLICY, [KEY], granted=granted, now=NOW)

    async with make_client(cookies=cookies) as client:
        answer = (await client.get("/")).json()

    assert answer == {"granted": sorted(["essential", *granted]), "undecided": []}
    assert not set(refused) & set(answer["granted"])


@pytest.mark.anyio
async def test_without_it_the_visitor_is_undecided() -> None:
    async with make_client() as client:
        answer = (await client.get("/")).json()

    assert answer == {"granted": ["comfort", "essential"], "undecided": ["analytics", "marketing"]}


@pytest.mark.anyio
async def test_categories_can_be_left_open() -> None:
    cookies = consent_cookie(POLICY, [KEY], granted=["analytics"], undecided=["marketing"], now=NOW)

    async with make_client(cookies=cookies) as client:
        answer = (await client.get("/")).json()

    assert answer == {"granted": ["analytics", "essential"], "undecided": ["marketing"]}


@pytest.mark.anyio
async def test_a_consent_signed_with_another_key_counts_for_nothing() -> None:
    cookies = consent_cookie(POLICY, [OTHER_KEY], granted=["analytics"], now=NOW)

    async with make_client(cookies=cookies) as client:
        answer = (await client.get("/")).json()

    assert answer["undecided"] == ["analytics", "marketing"]


@pytest.mark.anyio
async def test_a_consent_given_too_long_ago_counts_for_nothing() -> None:
    cookies = consent_cookie(POLICY, [KEY], granted=["analytics"], now=NOW - 185 * A_DAY)

    async with make_client(cookies=cookies) as client:
        answer = (await client.get("/")).json()

    assert "analytics" in answer["undecided"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("policy", "origin", "name"),
    [
        pytest.param(POLICY, "https://testserver", "__Host-consentgate", id="https"),
        pytest.param(POLICY, "http://testserver", "consentgate", id="http"),
        pytest.param(SHARED, "https://place.luton.example", "__Secure-consentgate", id="shared"),
        pytest.param(SHARED, "https://elsewhere.example", "__Host-consentgate", id="outside_the_domain"),
    ],
)
async def test_the_cookie_has_the_name_that_host_and_scheme_ask_for(
    policy: ConsentPolicy, origin: str, name: str
) -> None:
    address = httpx.URL(origin)

    preset = preset_consent(policy, [KEY], granted=["analytics"], host=address.host, scheme=address.scheme, now=NOW)
    async with make_client(policy, origin=origin) as client:
        answer = (await client.get("/", headers={"cookie": preset.header})).json()

    assert preset.name == name
    assert "analytics" in answer["granted"]


def test_it_fits_starlettes_test_client() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Starlette's advice to install another client
        from starlette.testclient import TestClient

        cookies = consent_cookie(POLICY, [KEY], granted=["marketing"], now=NOW)
        client = TestClient(make_site(), base_url="https://testserver", cookies=cookies)
        answer = client.get("/").json()

    assert answer["granted"] == ["essential", "marketing"]


def test_playwright_is_given_every_attribute_of_the_real_cookie() -> None:
    own = preset_consent(POLICY, [KEY], granted=["analytics"], host="luton.example", now=NOW)
    shared = preset_consent(SHARED, [KEY], granted=["analytics"], host="place.luton.example", now=NOW)

    assert own.as_playwright() == [
        {
            "name": "__Host-consentgate",
            "value": own.value,
            "domain": "luton.example",
            "path": "/",
            "expires": NOW + 365 * A_DAY,  # the refusals in it are kept for a year
            "httpOnly": True,
            "secure": True,
            "sameSite": "Lax",
        }
    ]
    assert shared.as_playwright()[0]["domain"] == ".luton.example"


def test_a_file_and_the_environment_can_stand_in_for_policy_and_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENTGATE_KEYS", f"{KEY}, {OTHER_KEY}")
    file = tmp_path / "consentgate.toml"
    file.write_text(
        'site_name = "Luton"\n[controller]\nname = "Luton Council"\nemail = "privacy@luton.example"\n'
        "[categories.analytics]\n",
        encoding="utf-8",
    )

    preset = preset_consent(file, granted=["analytics"])

    assert isinstance(preset, PresetConsent)
    assert preset.expires > time.time() + 183 * A_DAY


def test_a_category_the_policy_does_not_have_is_named() -> None:
    with pytest.raises(
        ValueError,
        match=r"The policy has no category analytic, only essential, analytics, marketing, comfort\.",
    ):
        consent_cookie(POLICY, [KEY], granted=["analytic"])


def test_a_key_that_the_site_would_refuse_is_refused_here_too() -> None:
    with pytest.raises(ConfigurationError, match="shorter than 32 characters"):
        consent_cookie(POLICY, ["short"], granted=[])


def test_no_test_framework_and_no_client_is_imported() -> None:
    code = "import sys, json, consentgate.testing; print(json.dumps(sorted(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"pytest", "httpx", "playwright", "click", "rich"} & set(json.loads(done.stdout))


@pytest.mark.browser
def test_a_real_browser_sends_the_preset_cookie() -> None:
    browser_path = find_browser()
    if browser_path is None:
        leave_out("no browser here")
    from playwright.sync_api import sync_playwright

    policy = ConsentPolicy(
        site_name="Luton",
        controller=CONTROLLER,
        categories=CATEGORIES,
        hosts=("luton.localhost", "place.luton.localhost"),
        cookie_domain="luton.localhost",
        secure=True,
    )
    with served(make_site(policy, now=time.time())) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies(
            preset_consent(policy, [KEY], granted=["analytics"], host="luton.localhost").as_playwright()  # type: ignore[arg-type]  # its own TypedDict
        )
        context.add_cookies(preset_consent(policy, [KEY], granted=["marketing"], host="localhost").as_playwright())  # type: ignore[arg-type]
        page = context.new_page()
        told = {}
        for host in ("luton.localhost", "place.luton.localhost", "localhost", "other.localhost"):
            page.goto(f"http://{host}:{port}/")
            told[host] = json.loads(page.inner_text("body"))["granted"]
        browser.close()

    assert told == {
        "luton.localhost": ["analytics", "essential"],
        "place.luton.localhost": ["analytics", "essential"],
        "localhost": ["essential", "marketing"],
        "other.localhost": ["comfort", "essential"],
    }


class served:  # noqa: N801 - reads as a verb where it is used
    """Serve an application on a free port for the length of a block."""

    def __init__(self, app: ConsentMiddleware) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)


GUIDE = Path(__file__).parents[1] / "docs" / "how-to" / "test-your-site.md"
SHOP = """
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from consentgate import ConsentMiddleware

async def page(request):
    shown = request.state.consent.allows("marketing") and request.url.path == "/video"
    return HTMLResponse("<!doctype html><title>Shop</title>" + "<iframe src=/film></iframe>" * shown)

inner = Starlette(routes=[Route(path, page) for path in ("/", "/video", "/basket")])
app = ConsentMiddleware(inner, "consentgate.toml")
"""
SHOP_POLICY = """
site_name = "Shop"
controller = { name = "Shop", email = "shop@shop.example" }
categories = { analytics = {}, marketing = {} }
"""


def test_the_guide_does_what_it_says(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "test_guide.py").write_text("\n\n".join(blocks), encoding="utf-8")
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n", encoding="utf-8"
    )
    (tmp_path / "consentgate.toml").write_text(SHOP_POLICY, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "CONSENTGATE_KEYS": KEY, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
    )

    assert "11 passed" in done.stdout, done.stdout


# Nothing undeclared leaves.

GTAG = '<script async src="https://www.googletagmanager.com/gtag/js?id=G-LUTON123"></script>'
VIDEO = "<iframe src=https://www.youtube.com/embed/1></iframe>"


def page(markup: str = "", *lines: str, **headers: str) -> Response:
    response = HTMLResponse(f"<!doctype html><title>Luton</title>{markup}", headers=headers)
    for line in lines:
        response.headers.append("set-cookie", line)
    return response


@pytest.mark.parametrize(
    ("response", "granted"),
    [
        pytest.param(page(), (), id="nothing_at_all"),
        pytest.param(page("", "session=1; HttpOnly"), (), id="essential_cookie"),
        pytest.param(page("", "campaign=1"), ("marketing",), id="granted_cookie"),
        pytest.param(page("", "_ga=1"), ("analytics",), id="cookie_of_a_granted_service"),
        pytest.param(page("", "campaign=; Max-Age=0"), (), id="cookie_that_is_expired"),
        pytest.param(page("", "other=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), (), id="unknown_cookie_expired"),
        pytest.param(page("", "__Host-consentgate=1"), (), id="consentgates_own"),
        pytest.param(page(GTAG), ("analytics",), id="granted_tag"),
        pytest.param(JSONResponse({"page": GTAG}), (), id="markup_in_json"),
        pytest.param(RedirectResponse("/"), (), id="redirect"),
    ],
)
def test_what_the_policy_covers_passes(response: Response, granted: Sequence[str]) -> None:
    assert_nothing_undeclared(response, POLICY, granted)


@pytest.mark.parametrize(
    ("response", "granted", "said"),
    [
        pytest.param(page("", "basket=1"), (), "The cookie 'basket' is not in the policy", id="unknown_cookie"),
        pytest.param(page("", "=1"), (), "Give the cookie another one", id="cookie_without_a_name"),
        pytest.param(page("", "campaign=1"), ("analytics",), "'campaign' of marketing is set although", id="refused"),
        pytest.param(page("", "_ga=1"), (), "The cookie '_ga' of analytics", id="cookie_of_a_service"),
        pytest.param(page(GTAG), ("marketing",), "carries Google Analytics by itself", id="refused_tag"),
        pytest.param(page(VIDEO), ("analytics", "marketing"), "carries YouTube by itself", id="unlisted_tag"),
        pytest.param(page(link="<//fonts.gstatic.com>; rel=preconnect"), (), "Google Fonts", id="link_header"),
    ],
)
def test_what_the_policy_does_not_cover_fails(response: Response, granted: Sequence[str], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        assert_nothing_undeclared(response, POLICY, granted)


def test_everything_that_is_wrong_is_said_at_once_with_its_remedy() -> None:
    response = page(GTAG, "basket=1; Max-Age=7200", "campaign=1", "basket=2; Max-Age=7200")

    with pytest.raises(AssertionError) as failure:
        assert_nothing_undeclared(response, POLICY)

    assert str(failure.value) == (
        "3 things leave that the policy does not cover:\n"
        "  1. The cookie 'basket' is not in the policy. List it in consentgate.toml:\n"
        "\n"
        "     [[categories.preferences.items]]\n"
        "     # Guessed from the name: move it to the category it belongs to, and say what it is for.\n"
        '     name = "basket"\n'
        '     purpose = "…"\n'
        '     duration = "2 hours"\n'
        "  2. The cookie 'campaign' of marketing is set although the visitor did not agree to it. Mount "
        "ConsentMiddleware around what sets it.\n"
        '  3. The page carries Google Analytics by itself (<script src="www.googletagmanager.com/gtag/js">). Take the '
        "tag out of the page: consentgate starts Google Analytics by itself once the visitor agrees. "
        "Or keep the tag and set printed = true for the service."
    )


def test_an_exception_is_on_until_the_visitor_objects() -> None:
    item = StorageItem(name="size", purpose="Remembers the size.", duration="1 day")
    comfort = Category(id="comfort", title="C", purpose="P", basis="appearance_exception", items=(item,))
    policy = ConsentPolicy(site_name="Luton", controller=CONTROLLER, categories=(comfort,))

    assert_nothing_undeclared(page("", "size=1"), policy)
    with pytest.raises(AssertionError, match="The cookie 'size' of comfort"):
        assert_nothing_undeclared(page("", "size=1"), policy, refused=["comfort"])


def test_a_misspelt_category_is_no_grant() -> None:
    with pytest.raises(ValueError, match="no category analytic,"):
        assert_nothing_undeclared(page(), POLICY, ["analytic"])


@pytest.mark.anyio
async def test_redirects_on_the_way_are_looked_at_too() -> None:
    async def leave(request: Request) -> Response:
        response = RedirectResponse("/")
        response.set_cookie("basket", "1")
        return response

    app = Starlette(routes=[Route("/", page()), Route("/leave", leave)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver", follow_redirects=True) as client:
        response = await client.get("/leave")

    assert response.status_code == 200
    with pytest.raises(AssertionError, match="'basket'"):
        assert_nothing_undeclared(response, POLICY)


@pytest.mark.anyio
async def test_behind_the_middleware_only_tags_can_still_be_wrong() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await page(VIDEO, "basket=1", "campaign=1", "session=1")(scope, receive, send)

    transport = httpx.ASGITransport(ConsentMiddleware(app, POLICY, keys=[KEY]))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        response = await client.get("/")

    assert list(response.cookies) == ["session"]
    with pytest.raises(AssertionError, match=r"\A1 thing leaves .*\n  1\. The page carries YouTube"):
        assert_nothing_undeclared(response, POLICY)


class Answer:
    """Stand for the response of some library: whatever it is given as attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def django_cookies() -> SimpleCookie:
    cookies = SimpleCookie()
    cookies["basket"] = "1"
    return cookies


HTML = ("Content-Type", "text/html; charset=utf-8")
LIST_OF_NAMES = [{"name": name, "value": value} for name, value in (HTML, ("set-cookie", "basket=1"))]


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Answer(headers_array=LIST_OF_NAMES, body=lambda: b""), id="playwright_api"),
        pytest.param(Answer(headers_array=lambda: LIST_OF_NAMES, body=lambda: b""), id="playwright_page"),
        pytest.param(Answer(headers=httpx.Headers([HTML, ("set-cookie", "basket=1")]), content=b""), id="httpx"),
        pytest.param(Answer(headers=dict([HTML]), cookies=django_cookies(), content=b""), id="django"),
        pytest.param(Answer(headers={"content-type": "text/html", "set-cookie": "basket=1"}, data=b""), id="mapping"),
    ],
)
def test_responses_of_many_libraries_are_read(response: object) -> None:
    with pytest.raises(AssertionError, match="'basket'"):
        assert_nothing_undeclared(response, POLICY)


def test_a_page_that_cannot_be_read_is_no_proof() -> None:
    with pytest.raises(TypeError, match="A Answer has no content, body or data to look at"):
        assert_nothing_undeclared(Answer(headers=dict([HTML])), POLICY)
