"""Which tags of well-known services a page carries by itself, and how the gate says so once."""

from __future__ import annotations

import gzip
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import html5lib
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentgate import Category, ConsentMiddleware, ConsentPolicy, Controller, GoogleAnalytics, StorageItem, notices
from consentgate.catalogue import KnownService, catalogue
from consentgate.inventory import find_tags, tags_in_link_header
from consentgate.page_reader import TAGS, PageReader
from consentgate.policy import WELL_KNOWN_CATEGORIES
from consentgate.storage import name_problem
from consentgate.testing import preset_consent

KEY = "tests-sign-with-this-key-0123456789"
GTAG = '<script async src="https://www.googletagmanager.com/gtag/js?id=G-LUTON123"></script>'
GTM = """<script>(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'gtm.start':
new Date().getTime(),event:'gtm.js'});var f=d.getElementsByTagName(s)[0],
j=d.createElement(s),dl=l!='dataLayer'?'&l='+l:'';j.async=true;j.src=
'https://www.googletagmanager.com/gtm.js?id='+i+dl;f.parentNode.insertBefore(j,f);
})(window,document,'script','dataLayer','GTM-LUTON1');</script>"""
POLICY = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(
        Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-LUTON123"),)),
        Category(id="marketing"),
    ),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_said", set())


def titles(page: str) -> list[str]:
    return list(dict.fromkeys(finding.title for finding in find_tags(page.encode())))


# The catalogue.


def addresses() -> Iterator[Any]:
    for service in catalogue().services:
        for address in service.addresses:
            yield pytest.param(service, address, id=address)


def snippets() -> Iterator[Any]:
    for service in catalogue().services:
        for snippet in service.snippets:
            yield pytest.param(service, snippet, id=snippet)


def test_knows_the_services_that_sites_load_most() -> None:
    assert len(catalogue().services) >= 25
    assert GoogleAnalytics.title in {service.title for service in catalogue().services}


@pytest.mark.parametrize(("service", "address"), list(addresses()))
def test_every_address_of_the_catalogue_is_recognised(service: KnownService, address: str) -> None:
    path = "" if "/" in address else "/"

    assert titles(f'<script src="https://{address}{path}1"></script>') == [service.title]
    assert titles(f'<script src="https://www.{address}{path}1"></script>') == [service.title]
    assert titles(f'<a href="https://{address}{path}1">').count(service.title) == 0


@pytest.mark.parametrize(("service", "snippet"), list(snippets()))
def test_every_snippet_of_the_catalogue_is_recognised(service: KnownService, snippet: str) -> None:
    code = snippet.replace("'", '"').replace("(", "( ").replace(",", " ,\n")

    assert service.title in titles(f"<script>{code}</script>")
    assert titles(f"<p>{code}</p>") == []


def test_every_entry_of_the_catalogue_can_be_declared() -> None:
    services = catalogue().services

    assert len({service.title for service in services}) == len(services)
    for service in services:
        assert service.category in WELL_KNOWN_CATEGORIES, service
        assert [name_problem(name) for name in service.cookies if name_problem(name)] == [], service


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("_ga", "analytics"),
        ("_ga_LUTON123", "analytics"),
        ("_fbp", "marketing"),
        ("csrftoken", "essential"),
        ("XSRF-TOKEN", "essential"),
        ("__Host-session", "essential"),
        ("PHPSESSID", "essential"),
        ("luton_session", "essential"),
        ("django_language", "preferences"),
    ],
)
def test_well_known_cookies_have_a_category(name: str, category: str) -> None:
    cookie = catalogue().cookie(name)

    assert cookie is not None
    assert cookie.category == category


def test_of_other_cookies_nothing_is_claimed() -> None:
    assert catalogue().cookie("gallery") is None


# What is a tag.


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        pytest.param(GTAG, "Google Analytics", id="gtag"),
        pytest.param(GTM, "Google Tag Manager", id="gtm_snippet"),
        pytest.param("<SCRIPT SRC=HTTPS://WWW.GOOGLETAGMANAGER.COM/gtm.js></SCRIPT>", "Google Tag Manager", id="caps"),
        pytest.param('<script src="//www.clarity.ms/tag/x"></script>', "Microsoft Clarity", id="no_scheme"),
        pytest.param("<script src=https:&#47;/www.clarity.ms/tag></script>", "Microsoft Clarity", id="reference"),
        pytest.param("<script src=' https:\\\\www.clar\nity.ms\\tag'></script>", "Microsoft Clarity", id="mended"),
        pytest.param("<script src=https://www.clarity.ms:443/tag></script>", "Microsoft Clarity", id="port"),
        pytest.param("<script type=module src=https://www.clarity.ms/tag></script>", "Microsoft Clarity", id="module"),
        pytest.param('<script>fbq("init", 1)</script>', "Meta Pixel", id="snippet"),
        pytest.param('<script>u="https:\\/\\/www.clarity.ms\\/tag\\/x"</script>', "Microsoft Clarity", id="escaped"),
        pytest.param("<script>/* x */fbq('init')</script>", "Meta Pixel", id="after_a_comment"),
        pytest.param("<noscript><img src='https://www.facebook.com/tr?id=1'></noscript>", "Meta Pixel", id="noscript"),
        pytest.param("<iframe src=https://www.youtube-nocookie.com/embed/1></iframe>", "YouTube", id="iframe"),
        pytest.param("<object data=https://www.youtube.com/v/1></object>", "YouTube", id="object"),
        pytest.param("<embed src=https://www.youtube.com/v/1>", "YouTube", id="embed"),
        pytest.param("<iframe src='https://maps.google.co.uk/maps?q=Luton'></iframe>", "Google Maps", id="country"),
        pytest.param("<link rel=preconnect href=https://fonts.gstatic.com>", "Google Fonts", id="preconnect"),
        pytest.param("<link rel='DNS-Prefetch' href=//fonts.gstatic.com>", "Google Fonts", id="dns_prefetch"),
        pytest.param("<link rel='preload stylesheet' href=//use.typekit.net/a.css>", "Adobe Fonts", id="preload"),
        pytest.param("<style>@import 'https://fonts.googleapis.com/css2';</style>", "Google Fonts", id="import"),
        pytest.param("<style>a{src:url( //fonts.gstatic.com/s)}</style>", "Google Fonts", id="url"),
        pytest.param("<script src=/stats/matomo.js></script>", "Matomo", id="self_hosted"),
        pytest.param("<script src=https://m.luton.example/gtag/js?id=G-1></script>", "Google Analytics", id="gateway"),
        pytest.param("<!-- --><!--> -->" + GTAG, "Google Analytics", id="after_comments"),
        pytest.param("<title>a</title><p title='>'>" + GTAG, "Google Analytics", id="after_a_bracket_in_a_value"),
        pytest.param("<template></template>" + GTAG, "Google Analytics", id="after_a_template"),
        pytest.param(f"<template shadowrootmode=open>{GTAG}</template>", "Google Analytics", id="shadow_root"),
        pytest.param(f"<svg><title/></svg>{GTAG}", "Google Analytics", id="after_svg"),
        pytest.param(f"<script><!--<script></script>--></script>{GTAG}", "Google Analytics", id="after_a_hidden_end"),
        pytest.param(
            "<script type=rocketlazyloadscript data-rocket-src=https://www.clarity.ms/tag></script>",
            "Microsoft Clarity",
            id="delayed_only",
        ),
    ],
)
def test_a_page_that_loads_a_service_carries_its_tag(markup: str, title: str) -> None:
    assert titles(f"<!doctype html><html><head>{markup}</head><body>") == [title]
    assert titles(f"<!doctype html><body><p>{markup}") == [title]


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param(f"<!-- {GTAG} -->", id="comment"),
        pytest.param(f"<!--[if IE]>{GTAG}<![endif]-->", id="conditional_comment"),
        pytest.param("We used Google Analytics (www.googletagmanager.com/gtag/js).", id="prose"),
        pytest.param(GTAG.replace("<", "&lt;"), id="escaped"),
        pytest.param("<a href=https://www.youtube.com/@luton>YouTube</a>", id="link"),
        pytest.param("<link rel=canonical href=https://www.youtube.com/@luton>", id="canonical"),
        pytest.param("<link href=https://www.youtube.com/@luton>", id="link_without_rel"),
        pytest.param("<meta property=og:video content=https://www.youtube.com/embed/1>", id="meta"),
        pytest.param(f"<p title='{GTAG}'>", id="attribute"),
        pytest.param("<iframe data-src=https://www.youtube.com/embed/1></iframe>", id="not_loaded_yet"),
        pytest.param("<iframe src=about:blank></iframe>", id="about_blank"),
        pytest.param(GTAG.replace("<script", "<script type=text/plain"), id="script_that_waits"),
        pytest.param("<script type=application/json>fbq('init')</script>", id="json"),
        pytest.param("<script type='text/javascript; x'>fbq('init')</script>", id="type_with_parameter"),
        pytest.param("<script>// fbq('init')\n</script>", id="line_comment"),
        pytest.param("<script>\n/* fbq('init') */</script>", id="block_comment"),
        pytest.param("<script>var video = 'https://www.youtube.com/embed/1'</script>", id="address_in_a_script"),
        pytest.param("<script src=/own.js>fbq('init')</script>", id="text_of_a_loaded_script"),
        pytest.param(f"<template>{GTAG}</template>", id="template"),
        pytest.param(f"<template><template></template>{GTAG}</template>", id="nested_template"),
        pytest.param(f"<textarea>{GTAG}</textarea>", id="textarea"),
        pytest.param(f"<title>{GTAG}</title>", id="title"),
        pytest.param("<script>x = '<img src=https://www.youtube.com/1>'</script>", id="markup_in_a_script"),
        pytest.param("<script><!--<script></script><embed src=https://youtube.com>--></script>", id="hidden_end"),
        pytest.param(f"<plaintext>{GTAG}", id="plaintext"),
        pytest.param("<style>/* @import 'https://fonts.googleapis.com/css2' */</style>", id="comment_in_a_style"),
        pytest.param("<script src=https://notclarity.ms/tag></script>", id="other_domain"),
        pytest.param("<script src=https://clarity.ms.example/tag></script>", id="other_parent"),
        pytest.param("<script src=https://luton.example/www.clarity.ms></script>", id="host_in_a_path"),
        pytest.param("<script src=https://clarity.ms@luton.example/></script>", id="user_name"),
        pytest.param("<script src=data:text/javascript,//www.clarity.ms/></script>", id="data_address"),
        pytest.param("<iframe src=https://www.google.com/search></iframe>", id="other_path"),
        pytest.param("<script src=https://www.clarity.ms/tag", id="unfinished_tag"),
        pytest.param("<script>fbq('init')", id="unfinished_script"),
    ],
)
def test_a_mention_is_no_tag(markup: str) -> None:
    assert titles(f"<!doctype html><html><body>{markup}") == []


def test_a_finding_tells_who_gets_the_data_and_what_gave_it_away() -> None:
    (found,) = find_tags(GTAG.encode())

    assert (found.title, found.provider, found.category) == ("Google Analytics", "Google", "analytics")
    assert found.evidence == '<script src="www.googletagmanager.com/gtag/js">'
    assert "_ga" in found.cookies


def test_evidence_holds_no_query_and_no_control_characters_and_is_short() -> None:
    address = "https://www.facebook.com/tr%1b\x1b[31m" + "x" * 200 + "?em=visitor@luton.example#x"

    (found,) = find_tags(f"<img src='{address}'>".encode())

    assert "visitor" not in found.evidence
    assert found.evidence.isprintable()
    assert len(found.evidence) <= 100


def test_the_same_evidence_is_told_once() -> None:
    assert len(find_tags(GTAG.encode() * 3)) == 1
    assert len(find_tags((GTAG + "<script>gtag('config', 'G-LUTON123')</script>").encode())) == 2


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b'<https://fonts.googleapis.com>; rel="preconnect"', ["Google Fonts"]),
        (
            b"</a.css>; rel=preload; as=style, <https://www.clarity.ms/tag>; as=script; rel=preload",
            ["Microsoft Clarity"],
        ),
        (b"<https://www.youtube.com/@luton>; rel=alternate", []),
        (b"<https://www.youtube.com/@luton>", []),
        (b"<<>>,;rel=preload<", []),
    ],
)
def test_a_link_header_that_makes_browsers_call_a_service_is_found(header: bytes, found: list[str]) -> None:
    assert [finding.title for finding in tags_in_link_header(header)] == found


# Any bytes, in any pieces.

PIECES = [
    "<!doctype html>",
    "<html>",
    "<head>",
    "</head>",
    "<body>",
    "<p>",
    "</p>",
    "<div class='a>b'>",
    '<p title="<script src=//x>">',
    "<!--",
    "-->",
    "--!>",
    "<!-->",
    "<!x y>",
    "<?x>",
    "</ >",
    "</>",
    "<",
    "</",
    "a",
    " ",
    "'",
    '"',
    "=",
    "/",
    ">",
    "<script>",
    "<script src=//a/1.js>",
    "<script src='//b/2.js' async>",
    "</script>",
    "</script ",
    "<SCRIPT/>",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea>",
    "<style>",
    "</style>",
    "<noscript>",
    "</noscript>",
    "<img src=//c/3.gif>",
    "<img =src=x src=//d>",
    "<link rel=preload href='//e'>",
    "<template>",
    "</template>",
    "<iframe src=//f>",
    "</iframe>",
]
PAGES = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
# html5lib takes <template> for any element.
KNOWN_PIECES = [piece for piece in PIECES if "template" not in piece]
PAGES_WITHOUT_TEMPLATES = st.lists(st.sampled_from(KNOWN_PIECES), max_size=24).map("".join)


def read(page: bytes, *sizes: int) -> list[object]:
    """Read a page in pieces: each size is used once, the last one for the rest."""
    reader = PageReader()
    found: list[object] = []
    at = 0
    while at < len(page):
        size = sizes[0] if len(sizes) == 1 else sizes[0] if not at else sizes[1]
        found += reader.feed(page[at : at + size])
        at += size
    return found + list(reader.close())


def test_a_page_reads_the_same_wherever_it_is_cut() -> None:
    page = (GTAG + GTM + "<!-- x --><title>a</title><p b='c'><style>@import 'd'</style><img src=e>").encode()
    whole = read(page, len(page))

    for place in range(1, len(page)):
        assert read(page, place, len(page)) == whole, place


def test_what_follows_plaintext_is_text() -> None:
    reader = PageReader()

    assert reader.feed(b"<plaintext>") == []
    assert reader.feed(GTAG.encode()) == []


def test_a_tag_without_end_does_not_fill_the_memory() -> None:
    reader = PageReader()

    for _ in range(100):
        reader.feed(b"<img alt='" + b"x" * 10_000)

    assert sum(map(len, reader._pieces)) == 0


@settings(deadline=None)  # other work may slow the machine down
@given(PAGES, st.integers(1, 9))
def test_pieces_make_no_difference(page: str, size: int) -> None:
    assert read(page.encode(), size) == read(page.encode(), len(page) + 1)


@settings(deadline=None)  # other work may slow the machine down
@given(st.binary(max_size=400))
def test_no_bytes_can_break_it(content: bytes) -> None:
    find_tags(content)
    find_tags(b"<script>" + content + b"</script>")
    find_tags(b"<style>" + content + b"</style>")
    find_tags(b"<img src='" + content + b"'>")
    list(tags_in_link_header(content))


@settings(deadline=None)  # other work may slow the machine down
@given(PAGES_WITHOUT_TEMPLATES)
def test_the_elements_are_those_of_an_html5_parser(page: str) -> None:
    page += "\"'>--></script></style></title></textarea></iframe>"  # unfinished ones are kept in a tree, but do nothing

    assert our_elements(page) == elements_of_a_parser(page)


def our_elements(page: str) -> Counter[tuple[str, str]]:
    reader = PageReader()
    elements = reader.feed(page.encode()) + reader.close()
    return Counter((one.name, one.attributes.get("src") or one.attributes.get("href") or "") for one in elements)


def elements_of_a_parser(page: str) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for element in html5lib.parse(page, namespaceHTMLElements=False).iter():
        name: object = element.tag  # comments have a function there
        if isinstance(name, str) and name.encode() in TAGS:
            found[name, element.attrib.get("src") or element.attrib.get("href") or ""] += 1
    return found


@pytest.mark.parametrize(
    "unit",
    [
        b"<",
        b"<a ",
        b"<a b='",
        b"<a b=",
        b"<a =",
        b"<!--",
        b"<!",
        b"</",
        b"<script>",
        b"<script><!--<script>",
        b"<style>url( ",
        b"<script>/*",
        b"<script>//",
        b"<img src=' \t\n",
        b"<svg><template>",
        b"<img src=//a//b//c//d//e//>",
        b"&#1",
    ],
)
def test_reading_time_grows_with_the_page_and_not_faster(unit: bytes) -> None:
    page = unit * (500_000 // len(unit))

    begin = time.process_time()
    find_tags(page)
    read(page[:50_000], 3)

    assert time.process_time() - begin < 5  # seconds; squared growth would take minutes


# At run time.


def make_site(app: ASGIApp, policy: ConsentPolicy = POLICY) -> httpx.AsyncClient:
    site = ConsentMiddleware(app, policy, keys=[KEY])
    return httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="https://luton.example")


def page_with(markup: str) -> Response:
    return HTMLResponse(f"<!doctype html><html><head><title>Luton</title>{markup}</head><body></body></html>")


def answered(*granted: str) -> dict[str, str]:
    return {"cookie": preset_consent(POLICY, [KEY], granted=granted, host="luton.example").header}


@pytest.mark.anyio
async def test_a_tag_beside_the_banner_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with make_site(page_with(GTAG)) as client:
        await client.get("/")
        await client.get("/about")

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        'A page carries Google Analytics by itself (<script src="www.googletagmanager.com/gtag/js">), and '
        "consentgate starts it as well: whoever agrees gets it twice. Take the tag out of the page: consentgate starts "
        "Google Analytics by itself once the visitor agrees. Or keep the tag and set printed = true for the service."
    )


@pytest.mark.anyio
async def test_a_tag_that_is_not_held_back_is_called_a_false_promise(caplog: pytest.LogCaptureFixture) -> None:
    policy = replace(POLICY, printed_tags="report")
    app = ConsentMiddleware(page_with(GTAG), policy, keys=[KEY])
    transport = httpx.ASGITransport(app)

    async with httpx.AsyncClient(transport=transport, base_url="https://luton.example") as client:
        await client.get("/", headers={"accept": "text/html"})

    assert "also for visitors who did not agree to analytics. A banner beside such a tag is a false" in caplog.text


@pytest.mark.anyio
async def test_a_service_the_policy_does_not_list_is_logged_with_the_lines_to_add(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with make_site(page_with("<iframe src=https://www.youtube.com/embed/1></iframe>")) as client:
        await client.get("/")

    assert "A page carries YouTube by itself" in caplog.text
    assert '[[categories.marketing.services]]\ntype = "youtube"' in caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("granted", "said"),
    [
        pytest.param(None, True, id="undecided"),
        pytest.param((), True, id="refused"),
        pytest.param(("marketing",), True, id="another_granted"),
        pytest.param(("analytics",), False, id="granted"),
        pytest.param(("analytics", "marketing"), False, id="all_granted"),
    ],
)
async def test_a_tag_is_a_false_promise_only_without_consent(
    granted: tuple[str, ...] | None, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with make_site(page_with(GTAG)) as client:
        await client.get("/", headers={} if granted is None else answered(*granted))

    assert ("Google Analytics" in caplog.text) is said


@pytest.mark.anyio
async def test_what_consentgate_puts_into_the_page_is_no_finding(caplog: pytest.LogCaptureFixture) -> None:
    async with make_site(page_with("")) as client:
        await client.get("/")
        response = await client.get("/", headers=answered("analytics"))

    assert "googletagmanager.com" in response.text
    assert caplog.records == []


@pytest.mark.anyio
async def test_a_script_listed_among_the_essential_ones_is_no_finding(caplog: pytest.LogCaptureFixture) -> None:
    font = StorageItem(name="Adobe Fonts", purpose="Shows our letters.", duration="…", type="script")
    policy = ConsentPolicy(
        site_name="Luton",
        controller=POLICY.controller,
        categories=(Category(id="essential", items=(font,)), Category(id="analytics")),
    )
    async with make_site(page_with("<link rel=stylesheet href=https://use.typekit.net/a.css>"), policy) as client:
        await client.get("/")

    assert caplog.records == []


@pytest.mark.anyio
async def test_a_link_header_is_looked_at_too(caplog: pytest.LogCaptureFixture) -> None:
    page = page_with("")
    page.headers["link"] = "<https://www.clarity.ms>; rel=preconnect"

    async with make_site(page) as client:
        await client.get("/")

    assert "Microsoft Clarity" in caplog.text


@pytest.mark.anyio
async def test_only_the_first_answers_of_a_path_are_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    served = iter([""] * 3 + [GTAG] * 5)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await page_with(next(served))(scope, receive, send)

    async with make_site(app) as client:
        for _ in range(5):
            await client.get("/")
        assert caplog.records == []
        await client.get("/another")

    assert "Google Analytics" in caplog.text


@pytest.mark.anyio
async def test_only_so_many_paths_are_looked_at(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentgate.tag_watch._MOST_PATHS", 2)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await page_with(GTAG if scope["path"] == "/third" else "")(scope, receive, send)

    async with make_site(app) as client:
        for path in ("/first", "/second", "/third"):
            await client.get(path)

    assert caplog.records == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        pytest.param(404, {}, GTAG.encode(), id="error_page"),
        pytest.param(200, {"content-type": "application/json"}, GTAG.encode(), id="json"),
        pytest.param(200, {"content-encoding": "gzip"}, gzip.compress(GTAG.encode()), id="compressed"),
    ],
)
async def test_other_answers_are_not_looked_at(
    status: int, headers: dict[str, str], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    response = Response(content, status, {"content-type": "text/html", **headers})

    async with make_site(response) as client:
        await client.get("/")

    assert "Google Analytics" not in caplog.text


@pytest.mark.anyio
async def test_only_the_beginning_of_a_very_long_page_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    async with make_site(page_with("<p>" + "x" * 1_200_000 + GTAG)) as client:
        await client.get("/")

    assert "Google Analytics" not in caplog.text


@pytest.mark.anyio
async def test_a_page_is_not_held_back_while_it_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    half = GTAG[:40].encode()
    policy = replace(POLICY, printed_tags="report")  # else half a tag waits for its other half
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send(
            {"type": "http.response.body", "body": b"<!doctype html><body>" + b"x" * 9_000 + half, "more_body": True}
        )
        assert half in b"".join(message.get("body", b"") for message in sent)
        await send({"type": "http.response.body", "body": GTAG[40:].encode()})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"luton.example"), (b"accept", b"text/html")]
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "https", "headers": headers, "query_string": b""}
    await ConsentMiddleware(app, policy, keys=[KEY])(scope, receive, send)

    assert "Google Analytics" in caplog.text
