"""What a first visit loads for the banner, compressed: few bytes in every language, and none that need not be."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from consentgate import Category, ConsentPolicy, Controller, GoogleAnalytics
from consentgate.assets import assets
from consentgate.rendering import Place, Rendering
from consentgate.services import Matomo

ALL = 3_584  # bytes of markup, style sheet and script, in whatever language: 3.5 KB
SCRIPT = 1_536  # of them: 1.5 KB
HOST = "www.stepforward.example"
POLICY = ConsentPolicy(
    site_name="Step Forward Luton",
    hosts=(HOST,),
    controller=Controller(name="Luton Council", email="dpo@stepforward.example"),
    privacy_policy="/privacy",
    categories=(
        Category(id="essential"),
        Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-ABCDEFGH12"),)),
    ),
)


def compressed(content: bytes) -> int:
    return len(gzip.compress(content, 9, mtime=0))


def markup_in(language: str) -> bytes:
    """Return what is put into a first visit's page that is in a language."""
    rendering = Rendering(POLICY)
    place = Place(HOST, "", True, language=language, is_utf8=True)
    head = rendering.head(place, frozenset(("essential",)), styled=True, scripted=True)
    return head + rendering.question(place, ("analytics",), "/news/today")


def first_visit(language: str) -> int:
    parts = [markup_in(language), assets()["consentgate.css"].content, assets()["consentgate.js"].content]
    return sum(map(compressed, parts))


@pytest.mark.parametrize("language", POLICY.offered_languages)
def test_a_first_visit_loads_at_most_three_and_a_half_kilobytes(language: str) -> None:
    assert first_visit(language) <= ALL


def test_its_script_is_at_most_one_and_a_half_kilobytes() -> None:
    assert compressed(assets()["consentgate.js"].content) <= SCRIPT


def test_what_starts_services_is_not_loaded_before_there_is_one() -> None:
    before = markup_in("en")
    after = Rendering(POLICY).head(Place(HOST, "", True), frozenset(("analytics",)), styled=False, scripted=False)

    assert b'src="/cookies/static/services.' not in before
    assert b'src="/cookies/static/services.' in after


def test_a_visitor_who_refused_loads_nothing() -> None:
    place = Place(HOST, "", True)

    assert Rendering(POLICY).head(place, frozenset(("essential",)), styled=False, scripted=False) == b""


@pytest.mark.parametrize(("name", "most"), [("services.js", 1_536), ("consentgate-page.js", 2_432)])
def test_scripts_that_few_pages_need_stay_small_too(name: str, most: int) -> None:
    assert compressed(assets()[name].content) <= most


def test_a_page_that_starts_matomo_needs_no_script_for_printed_tags() -> None:
    matomo = Matomo(url="https://stats.stepforward.example/", site_id=1)
    policy = replace(POLICY, categories=(Category(id="essential"), Category(id="analytics", services=(matomo,))))

    head = Rendering(policy).head(Place(HOST, "", True), frozenset(("analytics",)), styled=False, scripted=False)

    assert b'src="/cookies/static/services.' in head
    assert b"consentgate-page." not in head
