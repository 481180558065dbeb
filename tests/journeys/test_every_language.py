"""Whatever language: axe-core and the HTML checker find nothing, everything fits, and both buttons are equal."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from consentgate.translations import available
from tests.journeys.demo import PARENT_DOMAIN
from tests.journeys.languages import PSEUDO, make_languages, write_pseudo_languages
from tests.journeys.server import Serve
from tests.journeys.test_accessibility import SIZES, violations
from tests.journeys.test_layout import SIZE, STYLE, overflow
from tests.journeys.visitor import PATIENCE
from tests.needs import leave_out
from tests.npm import VALIDATOR, file_of, require_npm

pytestmark = pytest.mark.browser

BUTTONS = "#consentgate [name=choice]"
CHECK_SECONDS = 300
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SMALL_TARGETS = """() => [...document.querySelectorAll("button, input, #consentgate a, nav a")].filter(element => {
    const target = element.closest("label") || element, box = target.getBoundingClientRect();
    return element.checkVisibility() && element.type !== "hidden" && (box.height < 44 || box.width < 44);
}).filter(element => !element.closest("p")).map(element => element.outerHTML)"""

every = pytest.mark.parametrize("language", available())
every_and_pseudo = pytest.mark.parametrize("language", [*available(), *PSEUDO])


@pytest.fixture(scope="module")
def real_site(serve: Serve) -> str:
    return f"http://{PARENT_DOMAIN}:{serve(make_languages()).port}"


@pytest.fixture(scope="module")
def pseudo_site(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write_pseudo_languages(tmp_path_factory.mktemp("pseudo"))
    return f"http://{PARENT_DOMAIN}:{serve(make_languages(folder)).port}"


@pytest.fixture
def site(request: pytest.FixtureRequest, real_site: str, pseudo_site: str) -> str:
    """The site that speaks the test's language."""
    is_invented = getattr(request.node, "callspec", None) and request.node.callspec.params["language"] in PSEUDO
    return pseudo_site if is_invented else real_site


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZES["320"])
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def addresses(site: str, language: str) -> list[str]:
    return [f"{site}/{language}", f"{site}/cookies?lang={language}"]


@every
def test_axe_finds_nothing(page: Page, site: str, language: str) -> None:
    for address in addresses(site, language):
        page.goto(address)
        for size in SIZES.values():
            for scheme in SCHEMES:
                page.set_viewport_size(size)
                page.emulate_media(color_scheme=scheme)

                assert violations(page) == [], f"{address}, {size['width']} px, {scheme}"


@every_and_pseudo
def test_nothing_is_cut_off_at_320_pixels(page: Page, site: str, language: str) -> None:
    for address in addresses(site, language):
        page.goto(address)

        assert overflow(page) == (0, []), address
        assert page.evaluate(SMALL_TARGETS) == [], address


@every_and_pseudo
def test_accept_and_reject_are_equal(page: Page, site: str, language: str) -> None:
    page.goto(f"{site}/{language}")

    for width in (1280, 768, 320):
        page.set_viewport_size({"width": width, "height": 800})
        accept, reject = page.locator(BUTTONS).all()

        assert accept.evaluate(STYLE) == reject.evaluate(STYLE), width
        assert accept.evaluate(SIZE) == reject.evaluate(SIZE), width


@every_and_pseudo
def test_the_confirmation_fits_and_has_focus(page: Page, site: str, language: str) -> None:
    page.goto(f"{site}/{language}")

    page.locator(BUTTONS).last.click()

    expect(page.get_by_role("alert")).to_be_focused()
    assert overflow(page) == (0, [])


@every_and_pseudo
def test_language_and_direction_are_said(page: Page, site: str, language: str) -> None:
    page.goto(f"{site}/{language}")
    direction = page.locator("html").get_attribute("dir")

    banner = page.locator("#consentgate")

    assert (banner.get_attribute("lang"), banner.get_attribute("dir")) == (language, direction)
    page.goto(f"{site}/cookies?lang={language}")
    assert (page.locator("html").get_attribute("lang"), page.locator("html").get_attribute("dir")) == (
        language,
        direction,
    )


def states(site: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield every page there is in a language, as the server sends it, by a name."""
    settings = {"lang": language}
    accepted = settings | {"choice": "reject_all", "back": f"/{language}"}
    saved = settings | {"choice": "save", "analytics": "no", "preferences": "yes", "source": "page"}
    yield "banner", ask(site, f"/{language}").text
    yield "cookies", ask(site, f"/cookies?lang={language}").text
    yield "confirmation", after(site, accepted).text
    yield "saved", after(site, saved).text
    yield "error", ask(site, "/cookies/choice", settings | {"choice": "perhaps"}).text


def ask(site: str, path: str, form: dict[str, str] | None = None, cookie: str = "") -> httpx.Response:
    """Ask the site under its name, which only browsers find on this computer."""
    headers = {"host": site.removeprefix("http://"), "cookie": cookie}
    address = site.replace(PARENT_DOMAIN, "127.0.0.1") + path
    return httpx.request("POST" if form else "GET", address, data=form, headers=headers)


def after(site: str, form: dict[str, str]) -> httpx.Response:
    """Return the page to which a choice leads."""
    answer = ask(site, "/cookies/choice", form)
    cookie = "; ".join(line.partition(";")[0] for line in answer.headers.get_list("set-cookie"))
    return ask(site, answer.headers["location"], cookie=cookie)


def complaints(folder: Path) -> list[str]:
    """Say what the Nu HTML checker finds, warnings included."""
    if (java := shutil.which("java")) is None:
        leave_out("needs Java (Debian: default-jre-headless)")
    command = [java, "-Xss1m", "-jar", str(file_of(*VALIDATOR)), "--format", "gnu", "--skip-non-html", str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS)
    return finished.stderr.splitlines()


def test_the_html_checker_finds_nothing_in_any_language(site: str, tmp_path: Path) -> None:
    require_npm()
    for language in available():
        for name, markup in states(site, language):
            assert ('role="alert"' in markup) is (name in ("confirmation", "saved")), name
            (tmp_path / f"{language}-{name}.html").write_text(markup, encoding="utf-8")

    assert len(list(tmp_path.iterdir())) == 5 * len(available())
    assert complaints(tmp_path) == []


def test_the_html_checker_would_find_something(tmp_path: Path) -> None:
    require_npm()
    (tmp_path / "wrong.html").write_text("<!doctype html><html lang=en><title>x</title><p><div></p>", encoding="utf-8")

    assert complaints(tmp_path) != []
