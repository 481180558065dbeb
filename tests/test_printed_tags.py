"""Tags that pages print by themselves wait for the visitor's answer; what was agreed to passes untouched."""

from __future__ import annotations

import gzip
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from consentgate import Category, ConsentPolicy, Controller, GoogleAnalytics
from consentgate.policy import CacheMode
from consentgate.prefilter import Prefilter, Word
from consentgate.printed_tags import PrintedTags, TagGate
from consentgate.rewriter import Rewriter
from consentgate.services import (
    CustomService,
    GoogleMaps,
    GoogleTagManager,
    Matomo,
    MetaPixel,
    Plausible,
    Service,
    YouTube,
)
from tests.conftest import (
    HTML,
    Answer,
    ask,
    at_once,
    body,
    consent_cookie,
    make_site,
    page,
    request,
    scripted,
    start,
)

POLICY = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(
        Category(
            id="analytics",
            services=(
                GoogleAnalytics(measurement_id="G-LUTON123", printed=True),
                GoogleTagManager(container_id="GTM-LUTON1", printed=True),
                Matomo(url="https://stats.luton.example/m/", site_id=1, printed=True),
            ),
        ),
        Category(
            id="marketing",
            services=(
                YouTube(),
                GoogleMaps(),
                MetaPixel(pixel_id="12345", printed=True),
                CustomService(
                    title="Chat",
                    provider="Chat Ltd",
                    privacy_url="/privacy",
                    addresses=("chat.example/widget/",),
                    snippets=("exampleChat(",),
                ),
            ),
        ),
    ),
)
REFUSED = {"analytics": False, "marketing": False}
GRANTED = {"analytics": True, "marketing": True}


async def left(
    printed: str, answers: dict[str, bool] | None = REFUSED, *headers: tuple[bytes, bytes], **changes: object
) -> str:
    """Return what leaves in place of a part of a page."""
    beginning, end = "<!doctype html><html lang=en><head></head><body>", "</body></html>"
    content = f"{beginning}{printed}{end}".encode()
    cookie = f"__Host-consentgate={consent_cookie(answers, POLICY)}".encode() if answers else b""
    scope = request((b"cookie", cookie), *headers) if answers else request(*headers)
    policy = replace(POLICY, **changes)  # type: ignore[arg-type]
    answer = await ask(page(content=content), scope, policy=policy)
    return answer.body.decode().partition("<body>")[2].rpartition(end)[0]


ANALYTICS, MARKETING = 'data-consent="analytics"', 'data-consent="marketing"'
INERT = 'type="text/plain"'
EMBED = "/cookies/embed?for=marketing&amp;src=https%3A%2F%2Fwww.youtube.com%2Fembed%2Fa&amp;lang=en"
HELD = {
    "gtag": (
        '<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>',
        f'<script {INERT} {ANALYTICS} async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>',
    ),
    "gtag_inline": (
        "<script>gtag( 'config', \"G-LUTON123\" );</script>",
        f"<script {INERT} {ANALYTICS}>gtag( 'config', \"G-LUTON123\" );</script>",
    ),
    "module": (
        "<script type=module src=//connect.facebook.net/x.js></script>",
        f"<script {INERT} {MARKETING} data-consent-type=module src=//connect.facebook.net/x.js></script>",
    ),
    "upper_case": (
        "<SCRIPT SRC='HTTPS://CONNECT.FACEBOOK.NET/x.js'></SCRIPT>",
        f"<SCRIPT {INERT} {MARKETING} SRC='HTTPS://CONNECT.FACEBOOK.NET/x.js'></SCRIPT>",
    ),
    "mark_in_upper_case": (
        "<SCRIPT DATA-CONSENT=marketing>go()</SCRIPT>",
        f"<SCRIPT {INERT} {MARKETING}>go()</SCRIPT>",
    ),
    "classic_snippet_alone": (
        "<script>ga( 'create', \"UA-1-1\", 'auto');</script>",
        f"<script {INERT} {ANALYTICS}>ga( 'create', \"UA-1-1\", 'auto');</script>",
    ),
    "own_matomo": (
        '<script src="https://stats.luton.example/m/matomo.js"></script>',
        f'<script {INERT} {ANALYTICS} src="https://stats.luton.example/m/matomo.js"></script>',
    ),
    "matomo_on_the_site": (
        '<script src="/matomo.js"></script>',
        f'<script {INERT} {ANALYTICS} src="/matomo.js"></script>',
    ),
    "custom": (
        "<script src=https://chat.example/widget/1.js></script><script>exampleChat({a: 1})</script>",
        f"<script {INERT} {MARKETING} src=https://chat.example/widget/1.js></script>"
        f"<script {INERT} {MARKETING}>exampleChat({{a: 1}})</script>",
    ),
    "frame": (
        '<iframe width="560" src="https://www.youtube.com/embed/a" allowfullscreen></iframe>',
        f'<iframe {MARKETING} src="{EMBED}" title="YouTube" width="560" '
        'data-consent-src="https://www.youtube.com/embed/a" allowfullscreen></iframe>',
    ),
    "frame_with_a_title": (
        "<iframe title=Film src='https://www.youtube.com/embed/a'></iframe>",
        f"<iframe {MARKETING} src=\"{EMBED}\" title=Film data-consent-src='https://www.youtube.com/embed/a'></iframe>",
    ),
    "hidden_frame": (
        '<iframe src="https://www.googletagmanager.com/ns.html?id=GTM-LUTON1" height="0" width="0"></iframe>',
        f'<iframe {ANALYTICS} data-consent-src="https://www.googletagmanager.com/ns.html?id=GTM-LUTON1" height="0" '
        'width="0"></iframe>',
    ),
    "noscript_frame": (
        '<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-1" height="0"></iframe></noscript>',
        f'<noscript><iframe {ANALYTICS} height="0"></iframe></noscript>',
    ),
    "noscript_pixel": (
        '<noscript><img height="1" src="https://www.facebook.com/tr?id=1&amp;noscript=1"/></noscript>',
        f'<noscript><img {MARKETING} height="1"/></noscript>',
    ),
    "pixel": (
        '<img src="https://www.facebook.com/tr?id=1" alt="">',
        f'<img {MARKETING} data-consent-src="https://www.facebook.com/tr?id=1" alt="">',
    ),
    "picture_in_sizes": (
        "<img src=//i.ytimg.com/a.jpg srcset='//i.ytimg.com/b.jpg 2x'>",
        f"<img {MARKETING} data-consent-src=//i.ytimg.com/a.jpg data-consent-srcset='//i.ytimg.com/b.jpg 2x'>",
    ),
    "hints": (
        "<link rel=preconnect href=https://www.youtube.com><link rel='dns-prefetch' href='//connect.facebook.net'>"
        "<link rel=preload as=script href=//connect.facebook.net/x.js><link rel=stylesheet href=/own.css>",
        "<link rel=stylesheet href=/own.css>",
    ),
    "named_twice": (
        "<img src=//i.ytimg.com/a.jpg src=//i.ytimg.com/b.jpg>",
        f"<img {MARKETING} data-consent-src=//i.ytimg.com/a.jpg>",
    ),
    "marked_script": (
        '<script data-consent="marketing">go()</script>',
        f"<script {INERT} {MARKETING}>go()</script>",
    ),
    "marked_frame": (
        '<iframe data-consent="marketing" src="https://film.example/"></iframe>',
        f'<iframe {MARKETING} src="/cookies/embed?for=marketing&amp;src=https%3A%2F%2Ffilm.example%2F&amp;lang=en" '
        'title="film.example" data-consent-src="https://film.example/"></iframe>',
    ),
    "two_categories": (
        '<script data-consent="analytics marketing">go()</script>',
        f'<script {INERT} data-consent="analytics marketing">go()</script>',
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("printed", "held"), HELD.values(), ids=HELD)
async def test_a_tag_waits_for_the_answer(printed: str, held: str) -> None:
    assert await left(printed) == held


@pytest.mark.anyio
@pytest.mark.parametrize("printed", [printed for printed, _ in HELD.values()], ids=HELD)
async def test_a_tag_that_was_agreed_to_passes_untouched(printed: str) -> None:
    assert await left(printed, GRANTED) == printed


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("service", "script"),
    [
        pytest.param(
            Matomo(url="https://stats.luton.example:8443/m/", site_id=1, printed=True),
            "https://stats.luton.example:8443/m/matomo.js",
            id="matomo",
        ),
        pytest.param(
            Plausible(domain="luton.example", script_origin="https://counts.luton.example:8443", printed=True),
            "https://counts.luton.example:8443/js/script.js",
            id="plausible",
        ),
        pytest.param(
            GoogleAnalytics(measurement_id="G-LUTON123", script_origin="https://tags.luton.example:8443", printed=True),
            "https://tags.luton.example:8443/gtag/js?id=G-1",
            id="google_analytics",
        ),
    ],
)
async def test_a_server_of_your_own_is_known_on_a_port_of_its_own(service: Service, script: str) -> None:
    policy = replace(POLICY, categories=(Category(id="analytics", services=(service,)),))
    content = f"<!doctype html><html lang=en><body><script src='{script}'></script>".encode()
    cookie = f"__Host-consentgate={consent_cookie({'analytics': False}, policy)}".encode()

    answer = await ask(page(content=content), request((b"cookie", cookie)), policy=policy)

    assert f"<script {INERT} {ANALYTICS} src='{script}'>".encode() in answer.body


@pytest.mark.anyio
@pytest.mark.parametrize("printed", [printed for printed, _ in HELD.values()], ids=HELD)
async def test_a_report_changes_nothing(printed: str) -> None:
    assert await left(printed, printed_tags="report") == printed


@pytest.mark.anyio
@pytest.mark.parametrize(
    "printed",
    [
        pytest.param("<script src=https://www.hotjar.com/x.js></script>", id="not_declared"),
        pytest.param("<a href=https://www.youtube.com/watch>Film</a>", id="link_to_click"),
        pytest.param("<script src=https://notyoutube.com/x.js></script>", id="another_host"),
        pytest.param("<script src=https://chat.example/about.js></script>", id="another_path"),
        pytest.param("<!-- <iframe src=https://www.youtube.com/embed/a></iframe> -->", id="comment"),
        pytest.param("<script>var s = '<iframe src=https://www.youtube.com/embed/a>'</script>", id="text_of_a_script"),
        pytest.param("<script>// gtag('config', 'G-LUTON123')\n</script>", id="comment_in_a_script"),
        pytest.param('<script data-consent="surveys">go()</script>', id="unknown_category"),
        pytest.param('<script data-consent="essential">go()</script>', id="essential"),
        pytest.param('<script type="text/plain" data-category="surveys">go()</script>', id="unknown_by_another_tool"),
        pytest.param('<img data-src="/lazy.png" data-category="analytics">', id="lazy_picture"),
    ],
)
async def test_what_nobody_has_to_answer_for_passes(printed: str) -> None:
    assert await left(printed) == printed


MOVED = {
    "vanilla": (
        '<script type="text/plain" data-category="analytics" data-src="/a.js"></script>',
        f'<script {INERT} {ANALYTICS} data-category="analytics" src="/a.js"></script>',
        '<script data-category="analytics" src="/a.js"></script>',
    ),
    "klaro": (
        '<script type="text/plain" data-type="module" data-name="google-analytics">go()</script>',
        f'<script {INERT} {ANALYTICS} data-consent-type="module" data-name="google-analytics">go()</script>',
        '<script type="module" data-name="google-analytics">go()</script>',
    ),
    "klaro_frame": (
        '<iframe data-name="youtube" data-src="https://www.youtube.com/embed/a"></iframe>',
        f'<iframe {MARKETING} src="{EMBED}" title="YouTube" data-name="youtube" '
        'data-consent-src="https://www.youtube.com/embed/a"></iframe>',
        '<iframe data-name="youtube" src="https://www.youtube.com/embed/a"></iframe>',
    ),
    "ours": (
        '<script type="text/plain" data-consent="analytics" data-consent-type="module">go()</script>',
        '<script type="text/plain" data-consent="analytics" data-consent-type="module">go()</script>',
        '<script type="module">go()</script>',
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("written", "held", "_"), MOVED.values(), ids=MOVED)
async def test_markup_of_other_tools_is_understood(written: str, held: str, _: str) -> None:
    assert await left(written) == held


@pytest.mark.anyio
@pytest.mark.parametrize(("written", "_", "alive"), MOVED.values(), ids=MOVED)
async def test_inert_markup_leaves_alive_when_it_is_agreed_to(written: str, _: str, alive: str) -> None:
    assert await left(written, GRANTED) == alive


@pytest.mark.anyio
async def test_the_script_that_revives_comes_once_and_only_for_those_who_can_still_agree() -> None:
    printed = HELD["gtag"][0] + HELD["frame"][0]

    undecided, refused = await left(printed, None), await left(printed)

    assert undecided.count("consentgate-page.") == 1
    assert 'data-granted="essential"' in undecided
    assert "consentgate-page." not in refused


@pytest.mark.anyio
async def test_the_script_that_revives_has_the_pages_nonce() -> None:
    csp = (b"content-security-policy", b"script-src 'nonce-abc'")
    content = f"<!doctype html><body>{HELD['gtag'][0]}</body>".encode()

    answer = await ask(page(csp, content=content), policy=POLICY)

    assert b'<script nonce="abc" defer src="/cookies/static/consentgate-page.' in answer.body


@pytest.mark.anyio
async def test_pages_for_a_shared_cache_are_the_same_for_all() -> None:
    printed = "".join(printed for printed, _ in HELD.values())

    assert await left(printed, GRANTED, cache="shared") == await left(printed, None, cache="shared")
    assert "consentgate-page." in await left(printed, GRANTED, cache="shared")


@pytest.mark.anyio
async def test_a_base_does_not_lead_a_frame_elsewhere() -> None:
    policy = replace(POLICY, hosts=("luton.example",))
    content = f"<!doctype html><base href=//cdn.example/><body>{HELD['frame'][0]}</body>".encode()

    answer = await ask(page(content=content), policy=policy)

    assert b'src="//luton.example/cookies/embed?' in answer.body


# Headers


def with_film(*headers: tuple[bytes, bytes]) -> ASGIApp:
    return page(*headers, content=f"<!doctype html><body>{HELD['frame'][0]}</body>".encode())


CSP = b"content-security-policy"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sent", "left_with"),
    [
        (b"frame-src https://www.youtube.com", b"frame-src https://www.youtube.com 'self'"),
        (b"frame-src 'none'", b"frame-src 'self'"),
        (b"default-src 'self'", b"default-src 'self'"),
        (b"script-src 'self'", b"script-src 'self'"),
    ],
)
@pytest.mark.parametrize("cache", ["personal", "shared"])
async def test_a_policy_lets_in_what_stands_in_a_frames_place(sent: bytes, left_with: bytes, cache: CacheMode) -> None:
    answer = await ask(with_film((CSP, sent)), policy=replace(POLICY, cache=cache))

    assert answer.all(CSP) == [left_with]
    assert b"/cookies/embed?" in answer.body


@pytest.mark.anyio
async def test_a_policy_is_not_widened_for_frames_that_all_may_play() -> None:
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(GRANTED, POLICY)}".encode())

    answer = await ask(with_film((CSP, b"frame-src https://www.youtube.com")), request(cookie), policy=POLICY)

    assert b"'self'" not in answer.all(CSP)[0].partition(b"frame-src")[2].partition(b";")[0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sent", "is_late"),
    [(b"default-src 'self'", True), (b"frame-src https://*.youtube.com", False), (b"script-src 'self'", False)],
)
async def test_a_frame_knows_whether_the_page_has_room_for_its_content(sent: bytes, is_late: bool) -> None:
    answer = await ask(with_film((CSP, sent)), policy=POLICY)

    assert (b"/cookies/embed?later=1&amp;for=" in answer.body) is is_late


@pytest.mark.anyio
async def test_with_enforce_no_page_has_room_before_the_visitor_agrees() -> None:
    answer = await ask(with_film(), policy=replace(POLICY, enforce=True))

    assert b"/cookies/embed?later=1&amp;for=" in answer.body


@pytest.mark.anyio
@pytest.mark.parametrize(("answers", "kept"), [(REFUSED, 1), (GRANTED, 2)], ids=["refused", "granted"])
async def test_hints_in_headers_wait_as_well(answers: dict[str, bool], kept: int) -> None:
    links = b'<https://www.youtube.com>; rel=preconnect, </own.css>; rel="preload"; as=style'
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(answers, POLICY)}".encode())

    answer = await ask(page((b"link", links)), request(cookie), policy=POLICY)

    (value,) = answer.all(b"link")
    assert value.count(b"rel=") == kept
    assert b"</own.css>" in value


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answers", "left"),
    [(REFUSED, [[b"</own.css>; rel=preload"]]), (GRANTED, None)],
    ids=["refused", "granted"],
)
async def test_early_hints_wait_as_well(answers: dict[str, bool], left: list[list[bytes]] | None) -> None:
    film = b"<https://www.youtube.com>; rel=preconnect"
    hints = [[b"</own.css>; rel=preload", film], [film]]
    early: list[Message] = [{"type": "http.response.early_hint", "links": links} for links in hints]
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(answers, POLICY)}".encode())

    answer = await ask(scripted(*early, start(HTML), body(b"<p>Film")), request(cookie), policy=POLICY)

    assert [message["links"] for message in answer.messages[:-2]] == (hints if left is None else left)


def fragment(content: str | bytes, *headers: tuple[bytes, bytes], cut: int = 0) -> ASGIApp:
    whole = content.encode() if isinstance(content, str) else content
    pieces = [whole[:cut], whole[cut:]] if cut else [whole]
    messages = [body(piece, more=piece is not pieces[-1]) for piece in pieces]
    return scripted(start(HTML, (b"cache-control", b"public, max-age=60"), *headers), *messages)


@pytest.mark.anyio
@pytest.mark.parametrize("answers", [REFUSED, GRANTED], ids=["refused", "granted"])
@pytest.mark.parametrize("cut", [0, 5], ids=["at_once", "in_pieces"])
async def test_a_part_of_a_page_with_such_a_tag_is_for_this_visitor_alone(answers: dict[str, bool], cut: int) -> None:
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(answers, POLICY)}".encode())
    app = fragment("<p>Film:</p>" + HELD["frame"][0], cut=cut)

    answer = await ask(app, request(cookie, (b"hx-request", b"true")), policy=POLICY)

    assert (b"/cookies/embed" in answer.body) is (answers is REFUSED)
    assert answer.all(b"cache-control") == [b"private, no-cache"]
    assert b"Cookie" in answer.all(b"vary")[0]


@pytest.mark.anyio
async def test_a_part_of_a_page_without_such_a_tag_stays_as_it_is() -> None:
    app = fragment("<p>No film</p>", (b"content-length", b"14"))

    answer: Answer = await ask(app, request((b"hx-request", b"true")), policy=POLICY)

    assert answer.body == b"<p>No film</p>"
    assert answer.all(b"cache-control") == [b"private, max-age=60"]
    assert answer.all(b"content-length") == [b"14"]


@pytest.mark.anyio
async def test_a_page_in_one_piece_keeps_an_exact_length() -> None:
    content = f"<!doctype html><body>{HELD['frame'][0]}</body>".encode()
    length = (b"content-length", str(len(content)).encode())
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(REFUSED, POLICY)}".encode())

    answer = await ask(page(length, content=content), request(cookie), policy=POLICY)

    assert answer.all(b"content-length") == [str(len(answer.body)).encode()]


@pytest.mark.anyio
async def test_a_skipped_path_is_left_alone() -> None:
    assert await left(HELD["frame"][0], skip_paths=("/",)) == HELD["frame"][0]


@pytest.mark.anyio
async def test_a_compressed_part_is_left_alone_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    app = scripted(start(HTML, (b"content-encoding", b"br")), body(b"\x8b\x00"))

    answer = await ask(app, request((b"hx-request", b"true")), policy=POLICY)

    assert answer.body == b"\x8b\x00"
    assert "with whatever tags it carries" in caplog.text


# What stands in a frame


async def frame(query: bytes, answers: dict[str, bool] | None = None, *headers: tuple[bytes, bytes]) -> Answer:
    cookie = [(b"cookie", f"__Host-consentgate={consent_cookie(answers, POLICY)}".encode())] if answers else []
    scope = request(*cookie, *headers, path="/cookies/embed", raw_path=b"/cookies/embed", query_string=query)
    return await ask(page(), scope, policy=POLICY)


FILM = b"for=marketing&src=https%3A%2F%2Fwww.youtube.com%2Fembed%2Fa"


@pytest.mark.anyio
async def test_a_frame_says_who_it_is_from_and_leads_there_once_or_for_good() -> None:
    answer = await frame(FILM, None, (b"referer", b"https://luton.example/films?page=2"))

    text = answer.body.decode()
    assert "This is from YouTube by Google, a third party." in text
    assert 'href="https://www.youtube.com/embed/a"' in text
    assert 'name="marketing" value="yes"' in text
    assert 'name="back" value="/films?page=2"' in text
    assert answer.all(b"cache-control") == [b"no-store"]


@pytest.mark.anyio
async def test_a_frame_that_was_agreed_to_is_the_providers() -> None:
    answer = await frame(FILM, GRANTED)

    assert answer.messages[0]["status"] == 302
    assert answer.all(b"location") == [b"https://www.youtube.com/embed/a"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "address",
    [
        b"https%3A%2F%2Fevil.example%2F",
        b"javascript%3Aalert(1)",
        b"%2F%2Fevil.example",
        b"https%3A%2F%2Fa%40b.example%2F",
    ],
)
async def test_a_frame_leads_nowhere_else(address: bytes) -> None:
    query = b"for=marketing&src=" + address

    asked, granted = await frame(query), await frame(query, GRANTED)

    assert b"consentgate-embed__once" not in asked.body
    assert granted.messages[0]["status"] == 200


@pytest.mark.anyio
async def test_a_frame_that_was_marked_by_hand_leads_where_it_says() -> None:
    answer = await frame(b"for=marketing&src=https%3A%2F%2Ffilm.example%2F", None, (b"sec-fetch-dest", b"iframe"))

    assert b'href="https://film.example/"' in answer.body


@pytest.mark.anyio
@pytest.mark.parametrize("category", [b"", b"essential", b"surveys"])
async def test_a_frame_for_nothing_to_agree_to_is_not_found(category: bytes) -> None:
    answer = await frame(b"for=" + category + b"&src=https%3A%2F%2Fwww.youtube.com%2F")

    assert answer.messages[0]["status"] == 404


GZIP = (b"accept-encoding", b"gzip")
PACKED = (b"content-encoding", b"gzip")


@pytest.mark.anyio
@pytest.mark.parametrize("asked", [(), ((b"hx-request", b"true"),)], ids=["page", "part"])
async def test_a_tag_in_what_the_app_compressed_waits_as_well(asked: tuple[tuple[bytes, bytes], ...]) -> None:
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(REFUSED, POLICY)}".encode())
    app = fragment(gzip.compress(b"<p>Film:</p>" + HELD["frame"][0].encode()), PACKED)

    answer = await ask(app, request(cookie, GZIP, *asked), policy=POLICY)

    assert answer.all(b"content-encoding") == [b"gzip"]
    assert b"/cookies/embed" in gzip.decompress(answer.body)
    assert answer.all(b"content-length") in ([], [b"%d" % len(answer.body)])


@pytest.mark.anyio
async def test_a_part_that_the_app_compressed_leaves_as_it_came_when_it_holds_no_such_tag() -> None:
    packed = gzip.compress(b"<p>No film</p>", 1)
    app = fragment(packed, PACKED, (b"content-length", b"%d" % len(packed)))

    answer = await ask(app, request(GZIP, (b"hx-request", b"true")), policy=POLICY)

    assert answer.body == packed
    assert answer.all(b"content-encoding") == [b"gzip"]
    assert answer.all(b"content-length") == [b"%d" % len(packed)]


@pytest.mark.anyio
async def test_service_in_a_category_of_the_sites_own_is_held_back_too() -> None:
    category = Category(id="media", title="Videos", purpose="They show videos.", services=(YouTube(),))
    policy = replace(POLICY, categories=(category,))
    frame = b"<!doctype html><html><body><iframe src=https://www.youtube.com/embed/abc></iframe></body></html>"

    answer = await ask(page(content=frame), policy=policy)

    assert b" src=https://www.youtube.com" not in answer.body
    assert b'data-consent="media"' in answer.body


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tag", "before"),
    [("gtag", "<p>Film</p>"), ("gtag_inline", "<script>a < b;</script>"), ("frame", "<a title='a<b>c'>d</a>")],
)
async def test_a_tag_waits_wherever_the_page_is_cut(tag: str, before: str) -> None:
    content = f"<!doctype html><title>x</title><body>{before}{HELD[tag][0]}{before}</body>".encode()
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(REFUSED, POLICY)}".encode())

    async def answer(*pieces: bytes) -> bytes:
        messages = [body(piece, more=index + 1 < len(pieces)) for index, piece in enumerate(pieces)]
        return (await ask(scripted(start(HTML), *messages), request(cookie), policy=POLICY)).body

    whole = await answer(content)
    for cut in range(content.index(b"<body>"), content.rindex(HELD[tag][0].encode()[-6:])):
        assert await answer(content[:cut], content[cut:]) == whole
    assert await answer(*(content[at : at + 1] for at in range(len(content)))) == whole
    assert whole != content


@pytest.mark.anyio
async def test_a_whole_page_without_such_a_tag_is_the_apps_own_object_for_a_visitor_who_refused() -> None:
    content = b"<!doctype html><title>x</title><body><script src=/own.js></script><img src=/a.png></body>"
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(REFUSED, POLICY)}".encode())
    app = scripted(start(HTML, (b"content-length", b"%d" % len(content))), body(content))

    answer = await ask(app, request(cookie), policy=POLICY)

    assert answer.messages[-1]["body"] is content
    assert answer.all(b"content-length") == [b"%d" % len(content)]


# Every cut of a page, and the look that spares reading most pages


def reference(content: bytes) -> bytes:
    """Return what leaves of a page of which every tag is asked about, for a visitor who refused."""
    gate = TagGate(PrintedTags(POLICY), frozenset(("essential",)), lambda *_: "/cookies/embed?", lambda _: b"")
    return Rewriter(gate.concerns, gate.change).whole(content)


SITE = make_site(scripted(), POLICY)
DECLINED = request((b"cookie", f"__Host-consentgate={consent_cookie(REFUSED, POLICY)}".encode()))


def through_the_door(pieces: list[bytes]) -> bytes:
    """Return what leaves of a page in pieces."""
    return left_of(start(HTML), *(body(piece, more=True) for piece in pieces), body(b""))


def left_of(*messages: Message) -> bytes:
    """Return what leaves of a page."""
    SITE.app = scripted(*messages)
    return b"".join(message.get("body", b"") for message in at_once(SITE, DECLINED))


AROUND = [
    "<p>text</p>", "<!--", "-->", "<!-->", "<script>", "<scRipt >", "</script>", "</SCRIPT >", "<textarea>",
    "</textarea>", "<template>", "</template>", "<svg>", "</svg>", "<noscript>", "</noscript>", "<style>", "</style>",
    '<img alt="', "<a b='", "'", '"', ">", "<", "=", "< script", "<scr", "<img src=/own.png>", "x" * 3_000, " ",
    f'<scRipt data-x="{"long > " * 500}" src=//CONNECT.facebook.NET/x.js></script>',
    "<SCRIPT>/* <!-- <script */ fbq('init', '1') </script> --></script>",
]  # fmt: skip
PAGES = st.lists(st.sampled_from([*AROUND, *(printed for printed, _ in HELD.values())]), max_size=9).map("".join)


@settings(deadline=None, max_examples=300)
@given(PAGES.map(lambda page: f"<!doctype html><body>{page}".encode()), st.data())
def test_the_same_leaves_however_a_page_is_cut(content: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=12)))
    pieces = [content[one:other] for one, other in pairwise([0, *cuts, len(content)])]
    size = data.draw(st.integers(1, 9))

    whole = through_the_door([content])

    assert whole == reference(content)
    assert through_the_door(pieces) == whole
    if len(content) < 4_000:
        assert through_the_door([content[at : at + size] for at in range(0, len(content), size)]) == whole


HEADS = st.sampled_from(
    [
        "", "<title>a</title>", "<meta name=token content=1>", "<meta name=token content=2>", "<!--", "<script>",
        "<script src=//CON", "<script>fbq('in", *(printed for printed, _ in HELD.values()),
    ]
)  # fmt: skip
TORN = "NECT.facebook.NET/x.js></script>"
RESTS = st.sampled_from(
    [
        "<p>text</p>", "<p>other text</p>", "<p>text</p>" * 100, "", TORN,
        "it', '1')</script>", "--><p>text</p>", "</script><p>text</p>",
        *(f"<p>text</p>{printed}" for printed, _ in HELD.values()),
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@example([("<title>a</title>", True, TORN), ("", True, TORN), ("<script src=//CON", False, TORN)], 1)
@given(st.lists(st.tuples(HEADS, st.booleans(), RESTS), min_size=1, max_size=12), st.integers(1, 4))
def test_what_is_known_of_the_last_pages_lets_no_tag_leave_in_the_next(
    pages: list[tuple[str, bool, str]], times: int
) -> None:
    for head, is_usual, rest in pages:
        between = "</head><body>" if is_usual else ""
        content = f"<!doctype html><html lang=en><head><meta charset=utf-8>{head}{between}{rest}".encode()

        left = [left_of(start(HTML), body(bytes(memoryview(content)))) for _ in range(times)]

        assert left == [reference(content)] * times


PARTS = st.sampled_from(
    [
        "", "1", "22", "<p>text</p>", "<p>other text</p>" * 40, "<!--", "-->", "<script>", "</script>",
        "<script src=//CON", TORN, "<script>fbq", " /* a */ ", "('in", "it', '1')</script>", "('init', '1')</script>",
        *(printed for printed, _ in HELD.values()),
    ]
)  # fmt: skip
LONG = "<p>text that does not change</p>" * 60


@settings(deadline=None, max_examples=60)
@example([("<script>fbq", "('in"), ("<script>fbq /* 1 */ ", "('init', '1')</script>")], "")
@given(st.lists(st.tuples(PARTS, PARTS), min_size=3, max_size=12), st.sampled_from(["", "x" * 40, LONG]))
def test_what_changes_in_a_long_page_lets_no_tag_leave_unseen(parts: list[tuple[str, str]], between: str) -> None:
    for one, other in [("1", "1"), ("22", "1"), *parts]:
        content = f"<!doctype html><html lang=en><head></head><body>{LONG}{one}{between}{other}{LONG}".encode()

        assert left_of(start(HTML), body(content)) == reference(content)


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        ((b"con1", b"con2", b"con3"), b"connect"),
        ((b"1nect", b"2nect", b"3nect"), b"connect"),
        ((b"con1nect", b"con2nect", b"con3nect"), b"connect"),
        ((b"con", b"con2", b"con33"), b"connect"),
        ((b"con1", b"con2", b"con3"), b"con/*" + b"a" * 400 + b"*/("),
    ],
)
def test_a_word_that_a_change_completes_is_seen_wherever_it_stands(texts: tuple[bytes, ...], word: bytes) -> None:
    words = [Word(b"connect"), Word(b"con", rb"/\*[^*]*\*/\(")]
    for before in range(300):
        start, end, address = b"<p>" * 500 + b"a" * before, b"<p>" * 500, ("luton.example", "/")
        prefilter = Prefilter(words)

        for text in texts:
            assert prefilter.knows(start + text + end, address) or not prefilter.may_be_in(start + text + end, address)

        assert prefilter.knows(start + texts[0] + end, address)
        assert not prefilter.knows(start + word + end, address)
        assert prefilter.may_be_in(start + word + end, address)


FAR = " " * 3_000


def assert_held_back_at_last(parts: list[str]) -> None:
    """See that long pages at one address leave as they should, and that the last one is changed."""
    site = make_site(scripted(), POLICY)
    for part in parts:
        content = f"<!doctype html><html lang=en><head></head><body>{LONG * 8}{part}{LONG * 8}".encode()
        site.app = scripted(start(HTML), body(content))
        for _ in range(3):
            left = at_once(site, DECLINED)[1]["body"]

        assert left == reference(content)
    assert left != content


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        # A script does not end where "<!-- <script>" came before (HTML 13.2.5.18 to 31).
        ("<script>fbq /*<!-- <script> </script>" + FAR + "*/ {}</script>", ("1;", "2;", "3;", "('init', '1') -->")),
        (
            "{}" + FAR + "<script> </script>" + FAR + "*/ ('init', '1') --></script>",
            ("<p>a", "<p>b", "<p>c", "<script>fbq /*<!-- "),
        ),
    ],
)
def test_a_snippet_in_an_escaped_script_is_held_back_when_a_change_completes_it(
    written: str, texts: tuple[str, ...]
) -> None:
    assert_held_back_at_last([written.format(text) for text in texts])


@pytest.mark.parametrize("gap", [FAR, "\n//" + "a" * 3_000 + "\n", "\n/*" + "<b>" * 1_000 + "*/\n"])
@pytest.mark.parametrize(
    ("start_of_it", "texts"),
    [
        ("<script>fbq{gap}{text}</script>", ("1;", "2;", "3;", "('init', '1')")),
        ("<script>fbq{gap}{text}</script>", ("1;", "2;", "3;", "('init', '1')</script><script>")),
        ("{text}{gap}('init', '1')</script>", ("<script>a", "<script>b", "<script>c", "<script>fbq")),
        ("{text}{gap}('init', '1')</script>", ("<p>a", "<p>b", "<p>c", "<script>fbq")),
        ("<script {text}{gap}('init', '1')</script>", ("a=1>", "a=2>", "a=3>", "a>fbq")),
        ("<!-- <script>{text}{gap}('init', '1')</script>", ("a", "b", "c", "--><script>fbq")),
    ],
)
def test_a_snippet_that_a_change_completes_is_held_back_however_far_its_parts_are_apart(
    gap: str, start_of_it: str, texts: tuple[str, ...]
) -> None:
    assert_held_back_at_last([start_of_it.format(gap=gap, text=text) for text in texts])


@pytest.mark.parametrize("is_stored", [True, False])
def test_pages_are_kept_that_came_more_than_once_and_may_be_stored_and_not_without_end(is_stored: bool) -> None:
    site = make_site(scripted(), POLICY)
    caching = [] if is_stored else [(b"cache-control", b"private, No-Store")]
    content = b"<!doctype html><html lang=en><head></head><body><p>text</p>"

    for number in range(100):
        for length in (len(content), 200_000, 300_000):
            site.app = scripted(start(HTML, *caching), body(content.ljust(length)))
            for _ in range(5):
                at_once(site, {**DECLINED, "path": f"/{number}/{length}"})

    kept = site._site.printed_tags.prefilter.kept
    assert bool(kept) == is_stored
    assert all(len(rest) <= 262_144 for rest in kept.values())
    assert sum(map(len, kept.values())) <= 4_194_304


def test_small_pages_at_addresses_without_end_do_not_fill_the_memory() -> None:
    site = make_site(scripted(start(HTML, status=404), body(b"")), POLICY)

    for number in range(20_000):
        at_once(site, {**DECLINED, "path": "/" + "\N{GRINNING FACE}" * 240 + str(number)})

    assert len(site._site.printed_tags.prefilter.kept) < 4_194_304 / 1_024


UNFINISHED = "<!doctype html><html lang=en><head><meta charset=utf-8><title>x</title></head><body>{} {}</body></html>"


@pytest.mark.parametrize("before", ['<!-- <img title=" -->', "<textarea><img title='</textarea>", "<!-- <script> -->"])
@pytest.mark.parametrize("answers", [None, REFUSED], ids=["undecided", "refused"])
def test_a_tag_after_what_only_looks_unfinished_waits_each_time(before: str, answers: dict[str, bool] | None) -> None:
    printed, held = HELD["frame"]
    cookie = (b"cookie", f"__Host-consentgate={consent_cookie(answers, POLICY)}".encode()) if answers else None
    site = make_site(page(content=UNFINISHED.format(before, printed).encode()), POLICY)

    for _ in range(5):
        left = at_once(site, request(*([cookie] if cookie else [])))[-1]["body"]

        assert held.encode() in left
        assert printed.encode() not in left


def test_words_that_were_harmless_in_one_page_may_be_a_tag_in_the_next() -> None:
    address = "https://connect.facebook.net/x.js"
    rest = " " * 70 + address + '"></script><p>x</p>'
    text, tag = rest.encode(), f'<!doctype html><html><head></head><body><script async src="{rest}'.encode()

    harmless = [left_of(start(HTML), body(text)) for _ in range(7)]
    left = left_of(start(HTML), body(tag))

    assert harmless == [text] * 7
    assert left == reference(tag) != tag


def test_a_tag_late_in_a_long_page_waits_too() -> None:
    chunk = b"<p>words and <b>words</b></p>" * 2_000
    tag = HELD["frame"][0].encode()
    pieces = [b"<!doctype html><html lang=en><base href=/a/><body>", *[chunk] * 30, tag, chunk]

    after = through_the_door(pieces)

    assert after == b"".join(pieces).replace(tag, HELD["frame"][1].encode()) == reference(b"".join(pieces))
