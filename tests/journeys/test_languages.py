"""In every language it fits, it can be chosen without scripts, and a screen reader is told what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from consentgate.translations import available, texts_for
from tests.journeys.languages import PSEUDO, make_languages, write_pseudo_languages
from tests.journeys.server import Serve
from tests.journeys.test_accessibility import violations
from tests.journeys.test_layout import SIZE, overflow
from tests.journeys.visitor import MakeVisitor

pytestmark = pytest.mark.browser

HOST = "stepforwardluton.localhost"
LANGUAGES = (*available(), *PSEUDO)
WIDTHS = (320, 1280)


@pytest.fixture(scope="module")
def site(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site with a page in every language, pseudo-languages included."""
    folder = write_pseudo_languages(tmp_path_factory.mktemp("texts"))
    serving = serve(make_languages(folder))
    yield f"http://{HOST}:{serving.port}"
    serving.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_banner_and_cookies_page_fit_in_every_language(page: Page, site: str, language: str) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for path in (f"/{language}", f"/cookies?lang={language}"):
            page.goto(site + path)

            assert overflow(page) == (0, []), (width, path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_buttons_are_alike_in_every_language(page: Page, site: str, language: str) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"{site}/{language}")
    accept, reject = page.locator("#consentgate button[name=choice]").all()

    widths = {accept.evaluate(SIZE)[0], reject.evaluate(SIZE)[0]}
    heights = [accept.evaluate(SIZE)[1], reject.evaluate(SIZE)[1]]

    assert len(widths) == 1
    assert min(heights) >= 44


@pytest.mark.parametrize("language", ["ar", "ur"])
def test_from_right_to_left_the_first_button_is_on_the_right(page: Page, site: str, language: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{site}/{language}")
    accept, reject = (one.bounding_box() for one in page.locator("#consentgate button[name=choice]").all())

    assert accept is not None
    assert reject is not None
    assert accept["x"] > reject["x"]


@pytest.mark.parametrize("language", available())
def test_axe_finds_nothing_in_any_language(page: Page, site: str, language: str) -> None:
    for path in (f"/{language}", f"/cookies?lang={language}"):
        page.goto(site + path)

        assert violations(page) == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
def test_a_visitor_switches_the_language_and_saves(browser: Browser, site: str, *, scripts: bool) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{site}/cookies?back=/en")

    page.get_by_role("link", name="Polski").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pliki cookie na stronie Step Forward Luton")
    page.get_by_role("button", name="Zapisz ustawienia plików cookie").click()

    expect(page.get_by_role("alert")).to_contain_text("Ustawienia plików cookie zostały zapisane.")
    page.get_by_role("link", name="Wróć do poprzednio oglądanej strony").click()
    assert page.url == f"{site}/en"
    context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts_on", "scripts_off"])
@pytest.mark.parametrize("language", ["pl", "ur"])
def test_the_demo_welcomes_and_asks_in_the_visitors_language(
    make_visitor: MakeVisitor, language: str, *, scripts: bool
) -> None:
    visitor = make_visitor(java_script_enabled=scripts)
    texts = texts_for(language)

    visitor.goto("/")
    visitor.page.get_by_role("contentinfo").get_by_role("link", name=texts("language.name")).click()
    expect(visitor.banner).to_have_attribute("lang", language)
    visitor.page.get_by_role("button", name=texts("banner.reject_all")).click()

    expect(visitor.confirmation).to_contain_text(texts("message.reject_all"))
    expect(visitor.banner.locator("span[lang=en]")).to_have_count(0)


def test_pseudo_languages_are_complete(tmp_path: Path) -> None:
    folder = str(write_pseudo_languages(tmp_path))

    for language in PSEUDO:
        assert set(texts_for(language, folder).entries) == set(texts_for().entries)
    assert len(texts_for("en-XA", folder)("banner.reject_all")) > 1.3 * len(texts_for()("banner.reject_all"))
