"""The page's own scripts are told of the choice, and pages that change without being loaded anew keep it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from consentgate.placeholder import MARK
from consentgate.policy import Placement
from tests.journeys.printed import POLICY, Printed
from tests.journeys.test_printed_tags import (
    FILM,
    MakeJourney,
    accept,
    certificate,
    document,
    make_journey,
    settle,
    stand_in,
)
from tests.npm import HTMX, TURBO, file_of, require_npm

__all__ = ["certificate", "make_journey"]  # fixtures

pytestmark = pytest.mark.browser

WITH_API = replace(POLICY, script_api=True)
LIBRARIES = {"htmx": HTMX, "turbo": TURBO}
LISTEN = """<script>
window.told = [];
document.addEventListener("consentgate:change", event => told.push(["event", ...event.detail.granted]));
addEventListener("DOMContentLoaded", () => {
  window.stop = consentgate.onChange(state => told.push(["listener", ...state.granted]));
});
</script>"""


def library(name: str) -> bytes:
    require_npm()
    return file_of(*LIBRARIES[name]).read_bytes()


def test_the_state_is_told_and_each_change_of_it_once(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("", LISTEN)}))
    page = journey.visit()
    assert page.evaluate("() => consentgate.state") == {"granted": ["essential"], "isDecided": False}
    assert page.evaluate("() => consentgate.allows('analytics')") is False

    accept(page)

    everything = ["analytics", "essential", "marketing"]
    page.wait_for_function("() => told.length >= 2")
    assert page.evaluate("() => told") == [["event", *everything], ["listener", *everything]]
    assert page.evaluate("() => consentgate.state") == {"granted": everything, "isDecided": True}


def test_scripts_that_run_before_ours_are_told_when_it_is_there(make_journey: MakeJourney) -> None:
    early = """<script>
    window.early = [typeof consentgate];
    document.addEventListener("consentgate:ready", ({ detail }) => early.push(typeof consentgate, detail.isDecided));
    </script>"""
    page = make_journey(Printed(policy=WITH_API, pages={"/": document("", early)})).visit()

    assert page.evaluate("() => early") == ["undefined", "object", False]


def test_a_listener_that_left_is_told_nothing(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("", LISTEN)}))
    page = journey.visit()
    page.evaluate("() => stop()")

    accept(page)

    page.wait_for_function("() => told.length >= 1")
    assert page.evaluate("() => told.map(one => one[0])") == ["event"]


def test_opening_leads_to_the_question_and_later_to_the_cookies_page(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("<p>Long</p>" * 200)}))
    page = journey.visit()
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")

    page.evaluate("() => consentgate.open()")
    expect(page.get_by_role("region", name="Cookies on Luton in pictures")).to_be_focused()
    expect(page.get_by_role("button", name="Accept all cookies")).to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Accept all cookies")).to_be_focused()
    accept(page)
    page.evaluate("() => consentgate.open()")

    page.wait_for_url("**/cookies")


def test_the_state_is_there_for_somebody_who_refused(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("")}))
    page = journey.visit()
    page.get_by_role("button", name="Reject all cookies").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.reload()

    assert page.evaluate("() => consentgate.state") == {"granted": ["essential"], "isDecided": True}


def test_a_listener_that_fails_keeps_the_others_from_nothing(make_journey: MakeJourney) -> None:
    failing = (
        "<script>document.addEventListener('consentgate:change', () => { throw new Error('of the site') })</script>"
    )
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("", failing + LISTEN)}))
    page = journey.visit()

    accept(page)

    page.wait_for_function("() => told.length === 2")
    page.reload()
    assert page.evaluate("() => consentgate.allows('analytics')") is True


def test_what_a_listener_changes_changes_nothing(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("")}))
    page = journey.visit()

    page.evaluate("() => { try { consentgate.state.granted.push('analytics') } catch {} }")

    assert page.evaluate("() => consentgate.allows('analytics')") is False


def test_a_single_page_application_that_replaces_the_body_keeps_the_question(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("")}))
    page = journey.visit()

    page.evaluate("() => { document.body.innerHTML = '<h1>Another view</h1>' }")

    expect(page.get_by_role("button", name="Accept all cookies")).to_have_count(1)
    accept(page)
    page.get_by_role("button", name="Hide cookie message").click()
    page.evaluate("() => { document.body.innerHTML = '<h1>A third view</h1>' }")
    expect(page.locator("#consentgate")).to_have_count(0)


SKIP_LINKS = '<a href="#main">To the content</a><a href="#foot">To the foot</a><main id="main"><h1>View</h1></main>'


@pytest.mark.parametrize(
    ("placement", "before"), [("first", None), ("bottom", None), ("after-skip-link", "To the foot")]
)
def test_a_question_that_is_put_back_stands_where_the_policy_says(
    make_journey: MakeJourney, placement: Placement, before: str | None
) -> None:
    policy = replace(WITH_API, placement=placement)
    page_ = document("").replace("<body>", f"<body>{SKIP_LINKS}")
    page = make_journey(Printed(policy=policy, pages={"/": page_})).visit()
    where = "() => document.getElementById('consentgate').previousElementSibling?.textContent ?? null"
    assert page.evaluate(where) == before

    page.evaluate("markup => { document.body.innerHTML = markup }", SKIP_LINKS)

    expect(page.get_by_role("button", name="Accept all cookies")).to_have_count(1)
    assert page.evaluate(where) == before


def test_a_question_in_a_place_of_the_sites_own_is_put_back_there(make_journey: MakeJourney) -> None:
    place = f'<h1>View</h1><aside id="ask">{MARK.decode()}</aside>'
    site = Printed(policy=WITH_API, pages={"/": document(place)}, places_banner=True)
    page = make_journey(site).visit()
    expect(page.locator("#ask > #consentgate")).to_have_count(1)

    page.evaluate("""() => { document.body.innerHTML = '<h1>Another</h1><aside id="ask"></aside>' }""")

    expect(page.locator("#ask > #consentgate")).to_have_count(1)


ROUTER = """<script type="module">
const views = { "/": "<h1>Home</h1>", "/film": `<h1>Film</h1>
  <iframe data-consent="marketing" data-src="https://video.luton.example/1" title="Film"></iframe>` };
const show = () => { document.getElementById("app").innerHTML = views[location.pathname]; };
document.addEventListener("click", (event) => {
  if (!event.target.matches("nav a")) return;
  event.preventDefault();
  history.pushState({}, "", event.target.href);
  show();
});
addEventListener("popstate", show);
document.addEventListener("consentgate:ready", () =>
  consentgate.onChange((state) => { document.title = state.granted.join(" "); }));
show();
</script>"""


def test_a_router_shows_views_that_wait_and_comes_back_with_the_choice(make_journey: MakeJourney) -> None:
    shell = document('<nav><a href="/">Home</a> <a href="/film">Film</a></nav><div id="app"></div>', ROUTER)
    journey = make_journey(Printed(policy=WITH_API, pages={"/": shell, "/film": shell}))
    page = journey.visit()
    page.get_by_role("link", name="Film").click()
    expect(stand_in(page).get_by_role("link", name="Load video.luton.example this once")).to_be_visible()
    assert journey.site.heard == []

    accept(page)
    expect(stand_in(page).get_by_text("This is video.luton.example")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    page.go_back()

    expect(stand_in(page).get_by_text("This is video.luton.example")).to_be_visible()
    assert page.title() == "analytics essential marketing"
    expect(page.locator("#consentgate form[data-consentgate-question]:visible")).to_have_count(0)


def test_what_a_script_puts_into_the_page_waits_and_comes_to_life(make_journey: MakeJourney) -> None:
    journey = make_journey(Printed(policy=WITH_API, pages={"/": document("<div id=view></div>")}))
    page = journey.visit()
    page.evaluate(
        """() => {
          view.innerHTML = '<script type="text/plain" data-consent="analytics">window.ran = true<' + '/script>'
            + '<iframe data-consent="marketing" data-src="https://video.luton.example/1" title="Film"></iframe>'
        }"""
    )

    expect(stand_in(page).get_by_role("button", name="Always allow: Marketing cookies")).to_be_visible()
    assert page.evaluate("() => window.ran") is None
    accept(page)

    expect(stand_in(page).get_by_text("This is video.luton.example")).to_be_visible()
    page.wait_for_function("() => window.ran === true")


def test_htmx_swaps_in_a_frame_that_waits(make_journey: MakeJourney) -> None:
    body = '<button hx-get="/part" hx-target="#view">Show</button><div id=view></div><script src="/htmx.js"></script>'
    journey = make_journey(
        Printed(policy=WITH_API, pages={"/": document(body), "/part": FILM}, files={"/htmx.js": library("htmx")})
    )
    page = journey.visit()

    page.get_by_role("button", name="Show").click()

    expect(stand_in(page).get_by_role("link", name="Load YouTube this once")).to_be_visible()
    assert journey.site.heard == []
    accept(page)
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()


@pytest.mark.parametrize("name", ["htmx", "turbo"])
def test_following_a_link_keeps_one_question_and_the_answer(make_journey: MakeJourney, name: str) -> None:
    head = f'<script src="/{name}.js" defer></script>'
    link = '<p><a href="/next">Next</a></p>'

    def boosted(body: str) -> str:
        return document(body, head).replace("<body>", '<body hx-boost="true">')

    pages = {"/": boosted(link), "/next": boosted(f"<h2>Next</h2>{FILM}")}
    journey = make_journey(Printed(policy=WITH_API, pages=pages, files={f"/{name}.js": library(name)}))
    page = journey.visit()
    settle(page)
    page.evaluate("() => { window.still = true }")

    page.get_by_role("link", name="Next").click()

    expect(page.get_by_role("heading", name="Next")).to_be_visible()
    assert page.evaluate("() => window.still") is True
    expect(page.get_by_role("button", name="Accept all cookies")).to_have_count(1)
    expect_waiting(page)
    assert journey.site.heard == []
    accept(page)
    expect(stand_in(page).get_by_text("This is www.youtube.com")).to_be_visible()


def expect_waiting(page: Page) -> None:
    expect(stand_in(page).get_by_role("link", name="Load YouTube this once")).to_be_visible()
