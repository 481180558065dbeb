"""The texts visitors read: complete in every language, all in use, and filled in."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest
from babel import Locale
from babel.dates import format_date, format_timedelta
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from consentgate import GoogleAnalytics
from consentgate.catalogue import catalogue as cookies
from consentgate.consent import OUTCOMES
from consentgate.policy import WELL_KNOWN_CATEGORIES
from consentgate.storage import StorageType
from consentgate.translations import SOURCE_LANGUAGE, UNITS, Texts, accepted, available, pick, places_in, texts_for
from consentgate.translations import read_po as read_catalogue

SOURCE = Path(__file__).parents[1] / "src" / "consentgate"
LOCALES = SOURCE / "locales"
LANGUAGES = available()
ENGLISH = texts_for()
KNOWN_COOKIES = (SOURCE / "catalogue.toml").read_text(encoding="utf-8")
A_FORM = re.compile(r"(.+)\.[0-9]")
COUNTED = {f"duration.{unit}" for unit in UNITS}
# What stays as it is in English: proper names, figures, words that are the same, and punctuation.
SAME_AS_ENGLISH = re.compile(
    r"language\.(direction|script|digits)|duration\.\w+\.\d|date\..*|list\..*|banner\.category|page\.(address|where_(script|pixel)|no)"
)

each_language = pytest.mark.parametrize("language", LANGUAGES)
each_translation = pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])


def catalogue(language: str) -> Catalog:
    """Read a translator's catalogue as Babel does."""
    with (LOCALES / f"{language}.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def in_cldr(language: str) -> Locale:
    """Return the Unicode consortium's data for a language as it is written in Europe."""
    return Locale.parse({"en": "en_GB", "pt": "pt_PT"}.get(language, language))


# Words that the Unicode consortium spells anew since the data that came with Babel 2.19.
SPELT_ANEW = {"ঘন্টা": "ঘণ্টা", "জানুয়ারী": "জানুয়ারি", "ফেব্রুয়ারী": "ফেব্রুয়ারি"}


def in_words_of_today(text: str) -> str:
    for before, now in SPELT_ANEW.items():
        text = text.replace(before, now)
    return text


def test_english_is_the_source() -> None:
    assert SOURCE_LANGUAGE == "en"
    assert LANGUAGES[0] == "en"
    assert (ENGLISH.language, ENGLISH.direction) == ("en", "ltr")


def test_lutons_languages_are_there() -> None:
    assert set(LANGUAGES) == {"en", "cy", "pl", "ro", "ur", "bn", "pa", "gu", "pt", "it", "fr", "ar"}


@each_language
def test_a_language_has_the_same_texts_as_the_source(language: str) -> None:
    keys = {key for key in texts_for(language).entries if not A_FORM.fullmatch(key)}

    assert keys == {key for key in ENGLISH.entries if not A_FORM.fullmatch(key)}


@each_language
def test_a_language_has_every_form_that_its_numbers_take(language: str) -> None:
    texts = texts_for(language)
    forms = {texts.plural(number) for number in range(1000)}

    assert {key for key in texts.entries if A_FORM.fullmatch(key)} == {
        f"{key}.{form}" for key in COUNTED for form in forms
    }


@each_language
def test_a_language_has_the_same_places_as_the_source(language: str) -> None:
    places = {key: places_in(text) for key, text in texts_for(language).entries.items() if not A_FORM.fullmatch(key)}

    assert places == {key: places_in(text) for key, text in ENGLISH.entries.items() if not A_FORM.fullmatch(key)}


@each_language
def test_a_form_has_the_number_in_it_unless_its_words_say_it(language: str) -> None:
    texts = texts_for(language)
    by_words = {key for key, text in texts.entries.items() if A_FORM.fullmatch(key) and "{count}" not in text}

    assert (
        by_words == {f"{key}.{number}" for key in COUNTED for number in (1, 2)}
        if language == "ar"
        else by_words == set()
    )


@each_translation
def test_no_english_is_left_over(language: str) -> None:
    texts = texts_for(language).entries

    same = {key for key, text in texts.items() if text == ENGLISH.get(key) and not SAME_AS_ENGLISH.fullmatch(key)}

    assert same == set()


@each_translation
def test_the_names_of_browsers_services_and_signals_are_kept(language: str) -> None:
    texts = texts_for(language)

    for browser in ("Chrome", "Edge", "Firefox", "Safari"):
        assert browser in texts.get(f"page.manage_{browser.lower()}")
    assert "Global Privacy Control" in texts.get("page.signalled")
    assert "Do Not Track" in texts.get("page.signalled")


@each_language
def test_the_two_buttons_say_different_things_about_all_cookies(language: str) -> None:
    texts = texts_for(language)
    accept, reject = texts("banner.accept_all"), texts("banner.reject_all")

    assert accept != reject
    assert len(set(accept.split()) & set(reject.split())) >= 2  # "all" and "cookies", whatever they are called
    assert len(reject) <= 1.5 * len(accept)
    assert len(accept) <= 1.5 * len(reject)


@each_language
def test_a_language_says_what_it_is(language: str) -> None:
    texts = texts_for(language)
    locale = in_cldr(language)

    assert texts.language == language
    assert texts.direction == locale.text_direction
    assert texts.get("language.name").casefold() == str(Locale.parse(language).get_display_name(language)).casefold()


@each_language
def test_no_text_is_empty_or_holds_markup(language: str) -> None:
    texts = texts_for(language).entries

    assert [key for key, text in texts.items() if not text.strip() or set(text) & set("<>")] == []


# Translators' catalogues


@each_translation
def test_a_catalogue_is_complete_and_certain(language: str) -> None:
    unfinished = [message.context for message in catalogue(language) if message.context and message.fuzzy]

    assert unfinished == []
    assert {message.context for message in catalogue(language) if message.context} == {
        A_FORM.sub(r"\1", key) for key in ENGLISH.entries
    }


@each_translation
def test_a_catalogue_translates_the_english_there_is_now(language: str) -> None:
    english = {message.context: message.id for message in catalogue(language) if message.context}

    expected = {key: text for key, text in ENGLISH.entries.items() if not A_FORM.fullmatch(key)}
    counted = {key: (ENGLISH.get(f"{key}.0"), ENGLISH.get(f"{key}.1")) for key in COUNTED}
    assert english == expected | counted


@each_translation
def test_what_runs_is_what_translators_wrote(language: str) -> None:
    running = json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))

    assert running == read_catalogue(LOCALES / f"{language}.po")


@each_translation
def test_a_catalogue_says_whether_somebody_has_read_it(language: str) -> None:
    header = catalogue(language).header_comment

    assert "A native speaker has not yet reviewed this translation." in header or "Reviewed by" in header


# Counting, joining and dating, compared with the Unicode consortium's data


@each_language
@pytest.mark.parametrize("unit", UNITS)
def test_durations_are_said_as_the_language_says_them(language: str, unit: str) -> None:
    seconds = {"minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800, "months": 2592000, "years": 31536000}[unit]
    texts, locale = texts_for(language), in_cldr(language)

    for count in [*range(1, 125), 184, 200, 365, 400]:
        length = timedelta(seconds=count * seconds)
        expected = format_timedelta(length, granularity=unit[:-1], threshold=1e9, locale=locale)  # type: ignore[arg-type]
        assert texts.duration(count, unit) == in_words_of_today(expected).translate(
            str.maketrans("0123456789", texts.get("language.digits"))
        )


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 1, "1 day"),
        ("en", 184, "184 days"),
        ("pl", 1, "1 dzień"),
        ("pl", 22, "22 dni"),
        ("pl", 184, "184 dni"),
        ("ro", 2, "2 zile"),
        ("ro", 184, "184 de zile"),
        ("ro", 101, "101 zile"),
        ("cy", 2, "2 ddiwrnod"),
        ("cy", 184, "184 diwrnod"),
        ("ar", 1, "يوم"),
        ("ar", 2, "يومان"),
        ("ar", 7, "7 أيام"),
        ("ar", 184, "184 يومًا"),
        ("ar", 100, "100 يوم"),
        ("bn", 184, "১৮৪ দিন"),
        ("ur", 184, "184 دن"),
        ("fr", 1, "1\xa0jour"),
    ],
)
def test_days_are_counted_as_people_count_them(language: str, count: int, said: str) -> None:
    assert texts_for(language).duration(count, "days") == said


@each_language
@pytest.mark.parametrize("names", [[], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "{d}"]])
def test_names_are_joined_as_the_language_joins_them(language: str, names: list[str]) -> None:
    expected = format_list(names, locale=in_cldr(language))
    if language == "cy":  # CLDR leaves open which of its two words for "and" fits: this one fits before every sound
        expected = re.sub(r",? a\(c\) ", " a hefyd ", expected)

    assert texts_for(language).listed(names) == expected


@each_language
@pytest.mark.parametrize("month", range(1, 13))
def test_dates_are_written_as_the_language_writes_them(language: str, month: int) -> None:
    texts, day = texts_for(language), date(2026, month, 22)

    expected = format_date(day, "long", locale=in_cldr(language))

    assert texts.date(day) == in_words_of_today(expected).translate(
        str.maketrans("0123456789", texts.get("language.digits"))
    )


def test_a_duration_is_read_where_it_is_said_exactly() -> None:
    assert ENGLISH.read_duration("184 days") == (184, "days")
    assert ENGLISH.read_duration("1 year") == (1, "years")
    assert texts_for("pl").read_duration("3 dni") == (3, "days")


@pytest.mark.parametrize("text", ["1 days", "about 3 days", "3 days or so", "", "days", "99999999 days", "90 Tage"])
def test_any_other_text_is_no_duration(text: str) -> None:
    assert ENGLISH.read_duration(text) is None


def test_every_description_that_consentgate_proposes_has_its_words() -> None:
    names = re.findall(
        r'"([^"]+)"', " ".join(re.findall(r"^(?:names|cookies) = \[(.*)\]$", KNOWN_COOKIES, re.MULTILINE))
    )
    known = {cookie.purpose for name in names if (cookie := cookies().cookie(name.replace("*", "x")))}
    items = GoogleAnalytics(measurement_id="G-ABCD1234").storage_items(184)

    assert len(known) > 10
    assert [text for text in known | {item.purpose for item in items} if not ENGLISH.key_of_description(text)] == []
    assert ENGLISH.key_of_description("Remembers you for Disqus.") == ("described.preferences", {"title": "Disqus"})
    assert ENGLISH.key_of_description("Remembers you.") is None


# Picking a language


@pytest.mark.parametrize(
    ("wished", "picked"),
    [
        (["pl"], "pl"),
        (["pl-PL"], "pl"),
        (["PT-br"], "pt"),
        (["cy-GB"], "cy"),
        (["ur-PK"], "ur"),
        (["pt_BR"], "pt"),
        (["en-GB", "pl"], "en"),
        (["de", "pl"], "pl"),
        (["pa-Guru-IN"], "pa"),
        (["zh-Hant-TW", "ar-EG"], "ar"),
    ],
)
def test_a_language_is_found_by_the_beginning_of_its_tag(wished: list[str], picked: str) -> None:
    assert pick(wished, LANGUAGES) == picked


@pytest.mark.parametrize(
    "wish", ["de", "p", "", "pla", "pa-Arab", "pa-Arab-PK", "pa-PK", "ur-Latn", "../en", "e-n", "-pl", "pl" + "-x" * 20]
)
def test_what_there_is_no_text_in_is_not_found(wish: str) -> None:
    assert pick([wish], LANGUAGES) is None


def test_only_what_is_offered_is_found() -> None:
    assert pick(["pl", "fr"], ["en", "fr"]) == "fr"


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("pl", ["pl"]),
        ("pl;q=0.5, ur-PK", ["ur-PK", "pl"]),
        ("cy-GB,cy;q=0.9,en;q=0.8", ["cy-GB", "cy", "en"]),
        ("de;q=0, pl;q=0.001", ["pl"]),
        ("*", []),
        ("", []),
        ("pl;q=high, fr", ["fr"]),
        (";;;,,,pl;q=1.5", []),
    ],
)
def test_a_browsers_languages_are_read_the_best_first(header: str, languages: list[str]) -> None:
    assert accepted(header) == languages


# Filling in


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
    assert "Third-party" in ENGLISH.get("banner.third_party")
    assert ENGLISH("banner.privacy") == "Privacy policy"
    assert all(word in ENGLISH.get("banner.kept") for word in ("change", "withdraw"))


# Which texts are in use

CODE = "".join(path.read_text(encoding="utf-8") for path in [*SOURCE.rglob("*.py"), *SOURCE.glob("templates/*.html")])
QUOTED = set(re.findall(r"""["']([\w.]+)["']""", CODE))
PUT_TOGETHER = ("category_", "message.", "outage.", "page.manage_", "page.where_", "duration.", "list.", "date.month_")
LOOKED_UP = ("described.", "language.")  # by what they say, and by what runs


def test_every_text_is_in_use() -> None:
    unused = [
        key
        for key in ENGLISH.entries
        if key not in QUOTED
        and not key.startswith((*PUT_TOGETHER, *LOOKED_UP))
        and key.removeprefix("error.") not in QUOTED
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
