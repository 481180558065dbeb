"""A site prints other people's tags: nothing reaches their hosts before opt-in, and all of it works after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from playwright.sync_api import Browser, FrameLocator, Page, Playwright, ViewportSize, expect

from tests.journeys.conftest import launch
from tests.journeys.printed import HOST, POLICY, PROVIDERS, STARTED, Printed
from tests.journeys.server import Certificate, Serve, Serving
from tests.journeys.test_accessibility import SIZES, Scheme, violations
from tests.journeys.visitor import PATIENCE, eventually

pytestmark = pytest.mark.browser

GOOGLE = """
<script async src="https://www.googletagmanager.com/gtag/js?id=G-LUTON123"></script>
<script>
window.dataLayer = window.dataLayer || [];
function gtag(){dataLayer.push(arguments);}
gtag('js', new Date());
gtag('config', 'G-LUTON123');
</script>
"""
FILM = '<iframe width="560" height="315" src="https://www.youtube.com/embed/luton"></iframe>'


def document(body: str, head: str = "") -> str:
    beginning = f'<!doctype html><html lang="en"><head><title>Luton</title>{head}</head>'
    return f"{beginning}<body><main><h1>Luton</h1>{body}</main></body></html>"


@dataclass
class Journey:
    """A site that is being served, and a browser that finds all hosts there."""

    site: Printed
    browser: Browser
    port: int

    def at(self, path: str = "/") -> str:
        return f"http://{HOST}:{self.port}{path}"

    def visit(self, path: str = "/", **settings: Any) -> Page:
        context = self.browser.new_context(**settings)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(self.at(path))
        return page


MakeJourney = Callable[[Printed], Journey]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Make a certificate for the hosts of others: browsers insist on https for many of them."""
    path = str(tmp_path_factory.mktemp("tls") / "others.pem")
    trustme.CA().issue_cert(*PROVIDERS).private_key_and_cert_chain_pem.write_to_path(path)
    return Certificate(Path(path), Path(path))


@pytest.fixture
def make_journey(
    serve: Serve, playwright: Playwright, executable: str, certificate: Certificate
) -> Iterator[MakeJourney]:
    browsers: list[Browser] = []
    started: list[Serving] = []

    def make(site: Printed) -> Journey:
        serving = serve(site.make)
        others = Serving(site.make, certificate=certificate)
        started.append(others)
        rules = ", ".join(f"MAP {host} 127.0.0.1:{others.port}" for host in PROVIDERS)
        browser = launch(
            playwright,
            executable,
            f"--host-resolver-rules={rules}, MAP * ~NOTFOUND, EXCLUDE *.localhost",
            "--ignore-certificate-errors",
        )
        browsers.append(browser)
        return Journey(site, browser, serving.port)

    yield make
    for browser in browsers:
        browser.close()
    for serving in started:
        serving.stop()
        serving.wait()


def accept(page: Page) -> None:
    page.get_by_role("button", name="Accept all cookies").click()
    expect(page.get_by_role("alert")).to_be_visible()


def settle(page: Page) -> None:
    """Let whatever the page sends be sent."""
    page.wait_for_load_state("networkidle")


def stand_in(page: Page, number: int = 0) -> FrameLocator:
    return page.frame_locator("iframe").nth(number)


EVERYTHING = document(
    FILM + '<iframe src="https://player.vimeo.com/video/1"></iframe>'
    '<iframe src="https://www.google.com/maps/embed?pb=1"></iframe>'
    '<img src="https://www.facebook.com/tr?id=1" alt="">'
    '<script src="https://chat.luton.example/widget.js" defer></script>'
    '<noscript><iframe src="https://www.googletagmanager.com/ns.html?id=GTM-LUTON1" height="0" width="0" '
    'style="display:none;visibility:hidden"></iframe></noscript>'
    '<noscript><img src="https://www.facebook.com/tr?id=1&amp;noscript=1" width="1" height="1" alt=""></noscript>',
    GOOGLE
    + '<link rel="preconnect" href="https://www.youtube.com"><link rel="dns-prefetch" href="https://connect.facebook.net">'
    '<link rel="preload" as="script" href="https://connect.facebook.net/x.js">'
    "<script>(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'gtm.start':1,event:'gtm.js'});var j=d.createElement(s);"
    "j.async=true;j.src='https://www.googletagmanager.com/gtm.js?id='+i;d.head.append(j)})"
    "(window,document,'script','dataLayer','GTM-LUTON1');</script>"
    "<script>!function(f,b,e,v){var t=b.createElement(e);t.async=!0;t.src=v;b.head.append(t);f.fbq=function(){}}"
    "(window,document,'script','https://connect.facebook.net/en_US/fbevents.js');fbq('init','12345');</script>"
    "<script>(function(c,l,a,r,i){var t=l.createElement(r);t.async=1;t.src='https://www.clarity.ms/tag/'+i;l.head.append(t)})"
    "(window,document,'clarity','script','abc123');</script>"
    "<script>var _paq=window._paq=window._paq||[];_paq.push(['trackPageView']);"
    "(function(){var u='https://stats.luton.example/';"
    "_paq.push(['setTrackerUrl',u+'matomo.php']);_paq.push(['setSiteId','1']);var g=document.createElement('script');"
    "g.async=true;g.src=u+'matomo.js';document.head.append(g)})();</script>"
    '<script defer data-domain="luton.example" src="https://plausible.io/js/script.js"></script>',
)
ALL_OF_THEM = {
    "www.googletagmanager.com/gtag/js",
    "www.googletagmanager.com/gtm.js",
    "connect.facebook.net/en_US/fbevents.js",
    "www.clarity.ms/tag/abc123",
    "stats.luton.example/matomo.js",
    "plausible.io/js/script.js",
    "chat.luton.example/widget.js",
    "www.facebook.com/tr",
    "www.youtube.com/embed/luton",
    "player.vimeo.com/video/1",
    "www.google.com/maps/embed",
}


def addresses(journey: Journey) -> set[str]:
    return {heard.partition("?")[0] for heard in journey.site.heard}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
def test_nothing_is_asked_of_anybody_before_opt_in(make_journey: MakeJourney, scripts: bool) -> None:
    journey = make_journey(Printed(pages={"/": EVERYTHING}))

    page = journey.visit(java_script_enabled=scripts)
    settle(page)

    assert journey.site.heard == []


def test_all_of_them_come_to_life_on_the_page_where_it_is_accepted(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": EVERYTHING}))
    page = journey.visit()

    accept(page)

    eventually(page, lambda: addresses(journey) >= ALL_OF_THEM)
    assert not any("ns.html" in heard or "noscript" in heard for heard in journey.site.heard)
    expect(page.locator("script[type='text/plain']")).to_have_count(0)


def test_all_of_them_pass_on_the_next_page(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": EVERYTHING, "/plain": document("")}))
    page = journey.visit("/plain")
    accept(page)
    journey.site.heard.clear()

    page.goto(journey.at("/"))

    eventually(page, lambda: addresses(journey) >= ALL_OF_THEM)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
def test_nothing_is_asked_of_anybody_after_a_refusal(make_journey: MakeJourney, scripts: bool) -> None:
    journey = make_journey(Printed(pages={"/": EVERYTHING}))
    page = journey.visit(java_script_enabled=scripts)
    page.get_by_role("button", name="Reject all cookies").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.reload()
    settle(page)

    assert journey.site.heard == []


ORDER = "".join(
    f'<script {how}>(window.order = window.order || []).push("{name}")</script>'
    if "src" not in how
    else f"<script {how}></script>"
    for name, how in (
        ("first", 'data-consent="analytics"'),
        ("slow", 'data-consent="analytics" src="/slow.js"'),
        ("second", 'type="text/plain" data-category="analytics"'),
        ("late", 'data-consent="analytics" src="/late.js" defer'),
        ("module", 'data-consent="analytics" type="module" src="/module.js"'),
        ("third", 'type="text/plain" data-type="text/javascript" data-name="google-analytics"'),
    )
)
ORDER_FILES = {
    f"/{name}.js": f'(window.order = window.order || []).push("{name}")'.encode() for name in ("slow", "late", "module")
}


def test_scripts_run_in_the_pages_order(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": document(ORDER)}, files=dict(ORDER_FILES)))
    page = journey.visit()
    settle(page)
    assert page.evaluate("() => window.order") is None

    accept(page)

    page.wait_for_function("() => (window.order || []).length === 6")
    assert page.evaluate("() => window.order") == ["first", "slow", "second", "third", "late", "module"]


def test_a_script_that_writes_does_not_wipe_the_page(make_journey: MakeJourney) -> None:
    body = (
        "<script data-consent=\"analytics\">document.write('<b id=written>Written</b>')</script><p id=after>After</p>"
    )
    journey = make_journey(Printed(pages={"/": document(body)}))
    page = journey.visit()

    accept(page)

    expect(page.locator("#written")).to_be_visible()
    expect(page.locator("#after")).to_be_visible()


# Frames


def test_a_frame_names_the_provider_and_keeps_its_size(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": document(FILM)}))
    page = journey.visit()

    expect(stand_in(page).get_by_text("This is from YouTube by Google, a third party.")).to_be_visible()
    box = page.locator("iframe").bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (564, 319)  # with its own border
    assert page.locator("iframe").get_attribute("title") == "YouTube"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
def test_a_frame_can_be_shown_once(make_journey: MakeJourney, scripts: bool) -> None:
    journey = make_journey(Printed(pages={"/": document(FILM)}))
    page = journey.visit(java_script_enabled=scripts)

    stand_in(page).get_by_role("link", name="Load YouTube this once").click()
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()
    assert journey.site.heard == ["www.youtube.com/embed/luton"]

    page.reload()
    expect(stand_in(page).get_by_role("link", name="Load YouTube this once")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
def test_a_frame_can_be_allowed_for_good(make_journey: MakeJourney, scripts: bool) -> None:
    two = FILM + '<iframe src="https://player.vimeo.com/video/1"></iframe>'
    journey = make_journey(Printed(pages={"/": document(two)}))
    page = journey.visit("/?page=2", java_script_enabled=scripts)

    stand_in(page).get_by_role("button", name="Always allow: Marketing cookies").click()

    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()
    expect(stand_in(page, 1).get_by_text("This is player.vimeo.com")).to_be_visible()
    assert page.url == journey.at("/?page=2")
    page.reload()
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_used_by_keyboard_and_axe_finds_nothing(make_journey: MakeJourney, size: str) -> None:
    frame = FILM.replace("<iframe", '<iframe style="max-width:100%"')
    journey = make_journey(Printed(pages={"/": document(frame)}))
    page = journey.visit(viewport=SIZES[size])
    accept_link = stand_in(page).get_by_role("link", name="Load YouTube this once")
    expect(accept_link).to_be_visible()
    frame_page = page.context.new_page()
    frame_page.goto(str(page.locator("iframe").evaluate("frame => frame.src")))

    assert violations(page) == []
    assert violations(frame_page) == []
    page.locator("iframe").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()


STAND_INS = {
    "known": "/cookies/embed?for=marketing&src=https://www.youtube.com/embed/luton",
    "kept out": "/cookies/embed?later=1&for=marketing&src=https://www.youtube.com/embed/luton",
    "of a host": "/cookies/embed?for=analytics%20marketing&src=https://a-film-with-a-long-name.luton.example/1",
    "right to left": "/cookies/embed?for=marketing&src=https://www.youtube.com/embed/luton&lang=ur",
}
FRAMES: dict[str, ViewportSize] = {
    "a film": {"width": 560, "height": 315},
    "a phone": {"width": 288, "height": 162},
    "a small map": {"width": 200, "height": 150},
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_frame_of_any_size_and_nothing_sticks_out(
    make_journey: MakeJourney, scheme: Scheme
) -> None:
    journey = make_journey(Printed(pages={"/": document("")}))
    page = journey.visit(color_scheme=scheme)

    for what, address in STAND_INS.items():
        page.goto(journey.at(address))
        for size in FRAMES.values():
            page.set_viewport_size(size)

            assert violations(page) == [], f"{what}, {size}"
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), f"{what}, {size}"
            assert "\n" not in page.get_by_role("button").inner_text(), "A name within the words stands apart."
        for link in page.get_by_role("link").all():
            assert "\n" not in link.inner_text(), "A name within the words stands apart."


@pytest.mark.parametrize("size", ["a film", "a phone"])
def test_the_first_button_of_a_frame_is_seen_without_scrolling(make_journey: MakeJourney, size: str) -> None:
    journey = make_journey(Printed(pages={"/": document("")}))
    page = journey.visit(viewport=FRAMES[size])

    page.goto(journey.at(STAND_INS["known"]))

    expect(page.get_by_role("link", name="Load YouTube this once")).to_be_in_viewport(ratio=1)


def test_on_paper_a_frame_says_what_it_was_and_offers_nothing(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed())
    page = journey.visit(STAND_INS["known"])

    page.emulate_media(media="print")

    expect(page.get_by_text("This is from YouTube by Google")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_a_withdrawal_puts_a_frame_back(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": document(FILM)}))
    page = journey.visit()
    accept(page)
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()
    other = page.context.new_page()
    other.goto(journey.at("/cookies"))
    other.get_by_role("group", name="Marketing").get_by_role("radio", name="No").check()

    other.get_by_role("button", name="Save cookie settings").click()

    expect(stand_in(page).get_by_role("link", name="Load YouTube this once")).to_be_visible()


def test_a_strict_policy_stands_in_nobodys_way(make_journey: MakeJourney) -> None:
    csp = "default-src 'self'; script-src 'nonce-abc123' 'self'; style-src 'self'; frame-src 'self' https://www.youtube.com"
    page_ = document(FILM + '<script nonce="abc123" data-consent="analytics">window.ran = ["inline"]</script>')
    journey = make_journey(Printed(pages={"/": page_}, headers={"content-security-policy": csp}))
    page = journey.visit()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    accept(page)

    page.wait_for_function("() => window.ran && window.ran[0] === 'inline'")
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()
    assert [text for text in said if "Content Security Policy" in text] == []


STRICT = "default-src 'self'; form-action 'self'"
KEPT_OUT = {
    "strict": (POLICY, {"content-security-policy": STRICT}),
    "enforced": (replace(POLICY, enforce=True), {}),
}


def opened(page: Page) -> Page:
    """Follow the link of a frame that the page has no room for, and return the window it opens."""
    with page.expect_popup() as popup:
        stand_in(page).get_by_role("link", name="Open it at YouTube (new window)").click()
    return popup.value


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
@pytest.mark.parametrize("why", KEPT_OUT)
def test_a_frame_that_the_policy_keeps_out_opens_a_window_or_comes_with_the_next_page(
    make_journey: MakeJourney, why: str, scripts: bool
) -> None:
    policy, headers = KEPT_OUT[why]
    journey = make_journey(Printed(policy=policy, pages={"/": document(FILM)}, headers=headers))
    page = journey.visit("/?page=2", java_script_enabled=scripts)

    window = opened(page)
    expect(window.get_by_text("This is www.youtube.com")).to_be_visible()
    window.close()
    stand_in(page).get_by_role("button", name="Always allow: Marketing cookies").click()

    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()
    assert page.url == journey.at("/?page=2")


@pytest.mark.parametrize("why", KEPT_OUT)
def test_a_frame_that_the_policy_keeps_out_still_asks_after_the_banner_is_answered(
    make_journey: MakeJourney, why: str
) -> None:
    policy, headers = KEPT_OUT[why]
    journey = make_journey(Printed(policy=policy, pages={"/": document(FILM)}, headers=headers))
    page = journey.visit()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    expect(stand_in(page).get_by_role("button", name="Always allow: Marketing cookies")).to_be_visible()

    accept(page)

    settle(page)
    expect(stand_in(page).get_by_role("button", name="Always allow: Marketing cookies")).to_be_visible()
    assert [text for text in said if "Content Security Policy" in text] == []
    page.reload()
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
def test_a_policy_that_names_the_providers_alone_has_room_for_both(make_journey: MakeJourney, scripts: bool) -> None:
    headers = {"content-security-policy": f"{STRICT}; frame-src https://www.youtube.com"}
    journey = make_journey(Printed(pages={"/": document(FILM)}, headers=headers))
    page = journey.visit(java_script_enabled=scripts)

    stand_in(page).get_by_role("link", name="Load YouTube this once").click()

    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()


def test_pages_for_a_shared_cache_are_inert_for_all_and_come_to_life_by_script(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=replace(POLICY, cache="shared"), pages={"/": EVERYTHING}))
    page = journey.visit()
    expect(page.get_by_role("button", name="Accept all cookies")).to_be_visible()
    assert journey.site.heard == []
    accept(page)
    eventually(page, lambda: addresses(journey) >= ALL_OF_THEM)
    journey.site.heard.clear()

    page.reload()

    eventually(page, lambda: addresses(journey) >= ALL_OF_THEM)


# Services that consentgate starts


STARTED_SCRIPTS = {
    "www.googletagmanager.com/gtm.js",
    "connect.facebook.net/en_US/fbevents.js",
    "www.clarity.ms/tag/abc123",
    "stats.luton.example/matomo.js",
    "plausible.io/js/script.js",
}


def test_each_service_is_started_after_opt_in_and_told_of_the_choice(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=STARTED, pages={"/": document("")}))
    page = journey.visit()
    settle(page)
    assert journey.site.heard == []

    accept(page)

    eventually(
        page, lambda: len(addresses(journey) & {name for name in ALL_OF_THEM if ".js" in name or "tag/" in name}) >= 4
    )
    layer = page.evaluate("() => dataLayer.map(entry => entry.event || entry[1] || entry[0])")
    assert layer == ["default", "update", "ads_data_redaction", "gtm.js"]
    assert page.evaluate("() => _paq.map(entry => entry[0])")[-2:] == ["trackPageView", "enableLinkTracking"]
    assert page.evaluate("() => clarity.q.map(entry => entry[0])") == ["consentv2"]
    assert page.evaluate("() => fbq.queue.map(entry => entry[0])") == ["consent", "init", "track"]


def test_each_service_is_stopped_on_the_open_page_when_consent_is_withdrawn(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=STARTED, pages={"/": document("")}))
    page = journey.visit()
    accept(page)
    other = page.context.new_page()
    other.goto(journey.at("/cookies"))
    for group in ("Marketing", "Analytics"):
        other.get_by_role("group", name=group).get_by_role("radio", name="No").check()

    other.get_by_role("button", name="Save cookie settings").click()

    page.wait_for_function("() => fbq.queue.some(entry => entry[1] === 'revoke')")
    assert page.evaluate("() => _paq.map(entry => entry[0])")[-2:] == ["requireConsent", "deleteCookies"]
    assert page.evaluate("() => clarity.q.map(entry => entry[0])")[-2:] == ["consentv2", "consent"]
    assert page.evaluate("() => dataLayer[dataLayer.length - 1][2].analytics_storage") == "denied"


# Services that pages print, once they run


PRINTED_AND_QUEUED = document(
    "",
    GOOGLE
    + "<script>var _paq=window._paq=window._paq||[];_paq.push(['setTrackerUrl','https://stats.luton.example/matomo.php']);"
    "_paq.push(['trackPageView'])</script>"
    "<script>window.fbq=function(){(fbq.queue=fbq.queue||[]).push(arguments)};fbq('init','12345')</script>"
    "<script>window.clarity=function(){(clarity.q=clarity.q||[]).push(arguments)};clarity('set','page','1')</script>",
)
LAST_SAID = """() => ({
  muted: window["ga-disable-G-LUTON123"],
  google: [...dataLayer].at(-1)[2]?.analytics_storage,
  matomo: _paq.at(-1)[0],
  meta: fbq.queue.at(-1)[1],
  clarity: [...clarity.q.at(-1)],
})"""
SILENT = {
    "muted": True,
    "google": "denied",
    "matomo": "deleteCookies",
    "meta": "revoke",
    "clarity": ["consent", False],
}


def choose(page: Page, journey: Journey, answer: str) -> None:
    """Answer on the cookies page in another tab."""
    other = page.context.new_page()
    other.goto(journey.at("/cookies"))
    for group in ("Marketing", "Analytics"):
        other.get_by_role("group", name=group).get_by_role("radio", name=answer).check()
    other.get_by_role("button", name="Save cookie settings").click()
    expect(other.get_by_role("alert")).to_be_visible()
    other.close()


@pytest.mark.parametrize("loaded", ["accepted on the page", "agreed to before"])
def test_what_a_page_prints_is_silenced_when_consent_is_withdrawn_in_another_tab(
    make_journey: MakeJourney, loaded: str
) -> None:
    journey = make_journey(Printed(pages={"/": PRINTED_AND_QUEUED}))
    page = journey.visit()
    accept(page)
    if loaded == "agreed to before":
        page.reload()
    page.wait_for_function("() => window.fbq && window.clarity && window['ga-disable-G-LUTON123'] === false")

    choose(page, journey, "No")

    page.wait_for_function("() => window['ga-disable-G-LUTON123'] && [...dataLayer].at(-1)[0] === 'consent'")
    assert page.evaluate(LAST_SAID) == SILENT


def test_what_a_page_prints_is_silenced_when_consent_is_withdrawn_on_the_page_itself(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": PRINTED_AND_QUEUED}))
    page = journey.visit()
    accept(page)
    page.reload()
    page.wait_for_function("() => window['ga-disable-G-LUTON123'] === false")

    form = (
        '<section data-consentgate><form method="post" action="/cookies/choice">'
        '<button name="choice" value="reject_all">No</button></form></section>'
    )
    said = page.evaluate(  # as a site's own form does that is marked like ours
        """form => {
          document.body.insertAdjacentHTML("beforeend", form);
          document.querySelector("[value=reject_all]").click();
          return window["ga-disable-G-LUTON123"];
        }""",
        form,
    )

    assert said is True  # before the server has even heard of it
    page.wait_for_function("() => [..._paq].at(-1)[0] === 'deleteCookies'")
    assert page.evaluate(LAST_SAID) == SILENT


def test_what_a_page_prints_may_go_on_when_it_is_agreed_to_again(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": PRINTED_AND_QUEUED}))
    page = journey.visit()
    with page.expect_response(lambda response: "gtag/js" in response.url):
        accept(page)
    page.reload()
    page.wait_for_function("() => window['ga-disable-G-LUTON123'] === false")
    choose(page, journey, "No")
    page.wait_for_function("() => window['ga-disable-G-LUTON123'] === true")

    choose(page, journey, "Yes")

    page.wait_for_function(
        "() => window['ga-disable-G-LUTON123'] === false && [..._paq].at(-1)[0] === 'setConsentGiven'"
    )
    assert page.evaluate("() => [...dataLayer].at(-1)[2].analytics_storage") == "granted"
    assert page.evaluate("() => fbq.queue.at(-1)[1]") == "grant"
    assert len([heard for heard in journey.site.heard if "gtag/js" in heard]) == 2  # once for each time it was loaded


def test_a_page_that_prints_none_of_them_is_told_nothing(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(pages={"/": document("")}))
    page = journey.visit()
    accept(page)
    page.reload()
    page.wait_for_function("() => window['ga-disable-G-LUTON123'] === false")

    choose(page, journey, "No")

    page.wait_for_function("() => window['ga-disable-G-LUTON123'] === true")
    assert page.evaluate("() => [window.dataLayer, window._paq, window.fbq, window.clarity, window.gtag]") == [None] * 5
