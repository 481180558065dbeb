"""The texts visitors read: complete in every language, all in use, and filled in."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from consentgate.policy import WELL_KNOWN_CATEGORIES
from consentgate.storage import StorageType
from consentgate.translations import SOURCE_LANGUAGE, Texts, texts_for
from consentgate.visit import OUTCOMES

SOURCE = Path(__file__).parents[1] / "src" / "consentgate"
LANGUAGES = sorted(
    entry.name.removesuffix(".toml")
    for entry in resources.files("consentgate").joinpath("locales").iterdir()
    if entry.name.endswith(".toml")
)
ENGLISH = texts_for()

each_language = pytest.mark.parametrize("language", LANGUAGES)


def places_in(text: str) -> set[str]:
    """Return the names of a text's `{places}`."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_english_is_the_source() -> None:
    assert SOURCE_LANGUAGE == "en"
    assert SOURCE_LANGUAGE in LANGUAGES
    assert (ENGLISH.language, ENGLISH.direction) == ("en", "ltr")


@each_language
def test_a_language_has_the_same_keys_as_the_source(language: str) -> None:
    assert set(texts_for(language).entries) == set(ENGLISH.entries)


@each_language
def test_a_language_has_the_same_places_as_the_source(language: str) -> None:
    places = {key: places_in(text) for key, text in texts_for(language).entries.items()}

    assert places == {key: places_in(text) for key, text in ENGLISH.entries.items()}


@each_language
def test_a_language_says_what_it_is(language: str) -> None:
    texts = texts_for(language)

    assert texts.language == language
    assert texts.direction in ("ltr", "rtl")


@each_language
def test_no_text_is_empty_or_holds_markup(language: str) -> None:
    texts = texts_for(language).entries

    assert [key for key, text in texts.items() if not text.strip() or set(text) & set("<>")] == []


def test_a_text_is_found_by_its_key() -> None:
    assert ENGLISH("banner.reject_all") == "Reject all cookies"


def test_the_places_of_a_text_are_filled_in() -> None:
    assert ENGLISH("banner.title", site="Luton") == "Cookies on Luton"


def test_a_value_is_not_taken_for_a_place() -> None:
    assert ENGLISH("banner.title", site="{site} {0}") == "Cookies on {site} {0}"


def test_a_place_without_value_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        ENGLISH("banner.title")


def test_a_key_that_does_not_exist_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        ENGLISH("banner.nowhere")


def test_a_text_that_may_be_missing_is_empty() -> None:
    assert ENGLISH.get("category_surveys.title") == ""
    assert ENGLISH.get("category_analytics.title") == "Analytics cookies"


def test_texts_are_loaded_once_and_cannot_be_changed() -> None:
    assert texts_for("en") is texts_for("en")
    with pytest.raises(FrozenInstanceError):
        ENGLISH.language = "cy"  # type: ignore[misc]  # that it cannot be set is what is tested


@pytest.mark.parametrize("category", WELL_KNOWN_CATEGORIES)
def test_a_well_known_category_has_its_words(category: str) -> None:
    assert ENGLISH(f"category_{category}.title")
    assert ENGLISH(f"category_{category}.purpose")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_its_message(outcome: str) -> None:
    assert ENGLISH(f"message.{outcome}")


@pytest.mark.parametrize("kind", [kind for kind in get_args(StorageType) if kind != "cookie"])
def test_every_kind_of_storage_has_its_word(kind: str) -> None:
    assert ENGLISH(f"page.where_{kind}")


def test_the_banner_has_the_words_by_which_visitors_own_tools_know_it() -> None:
    assert ENGLISH("banner.accept_all").startswith("Accept all")
    assert ENGLISH("banner.reject_all").startswith("Reject all")
    assert "We use cookies" in ENGLISH("banner.essential")
    assert "third party" in ENGLISH.get("banner.third_party")
    assert ENGLISH("banner.privacy") == "Privacy policy"
    assert all(word in ENGLISH.get("banner.kept") for word in ("change", "withdraw", "days"))


# Which texts are in use

CODE = "".join(path.read_text(encoding="utf-8") for path in [*SOURCE.glob("*.py"), *SOURCE.glob("templates/*.html")])
QUOTED = set(re.findall(r"""["']([\w.]+)["']""", CODE))
PUT_TOGETHER = ("category_", "message.", "page.manage_", "page.where_")  # with an id, an outcome, a browser, a kind


def test_every_text_is_in_use() -> None:
    unused = [
        key
        for key in ENGLISH.entries
        if key not in QUOTED and not key.startswith(PUT_TOGETHER) and key.removeprefix("error.") not in QUOTED
    ]

    assert unused == []


def test_every_text_in_use_is_there() -> None:
    asked_for = set(re.findall(r"""\bt(?:exts)?\(["']([\w.]+)["'](?! ~)""", CODE))

    assert len(asked_for) > 40
    assert asked_for <= set(ENGLISH.entries)


@pytest.mark.parametrize("prefix", PUT_TOGETHER)
def test_keys_that_are_put_together_are_put_together_somewhere(prefix: str) -> None:
    assert re.search(rf"""["']{re.escape(prefix)}(?:{{|["'] ~)""", CODE)


def test_every_reason_for_refusing_a_form_has_its_words() -> None:
    reasons = set(re.findall(r"""FormError\(\d+, "(\w+)\"""", CODE)) | set(re.findall(r"""\bkey="(\w+)\"""", CODE))

    assert len(reasons) > 5
    assert {f"error.{reason}" for reason in reasons} <= set(ENGLISH.entries)


def test_texts_can_be_made_by_hand() -> None:
    texts = Texts("en", "ltr", {"greeting": "Hello {name}"})

    assert texts("greeting", name="Luton") == "Hello Luton"
