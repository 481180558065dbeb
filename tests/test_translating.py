"""Translators' catalogues: one command brings them up to date, says what is missing, and loses nothing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from consentgate import load_policy
from consentgate.cli import translations
from consentgate.cli.commands import consentgate
from consentgate.translations import texts_for

SITE = """site_name = "Luton"
texts = "texts"
[controller]
name = "Luton Council"
email = "privacy@luton.example"
[categories.surveys]
title = "Surveys"
purpose = "They remember what you answered."
[[categories.surveys.items]]
name = "survey"
purpose = "Remembers an answer."
duration = "90 days"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's policy with an empty folder of texts beside it."""
    (tmp_path / "texts").mkdir()
    file = tmp_path / "consentgate.toml"
    file.write_text(SITE, encoding="utf-8")
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(consentgate, ["translations", *map(str, arguments)])


def translate(catalogue: Path, key: str, text: str) -> None:
    """Fill in one message, as a translator does."""
    content = catalogue.read_text(encoding="utf-8")
    changed = re.sub(rf'(msgctxt "{re.escape(key)}"\nmsgid "[^\n]*"\nmsgstr )"[^\n]*"', rf'\1"{text}"', content)
    assert changed != content
    catalogue.write_text(changed, encoding="utf-8")


def test_consentgates_own_catalogues_are_complete() -> None:
    result = run("--check")

    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) == 11
    assert all(": complete (not yet reviewed)" in line for line in result.output.splitlines())


def test_a_catalogue_for_a_sites_own_words_holds_these_alone(site: Path) -> None:
    result = run("--policy", site, "--add", "pl")

    written = (site.parent / "texts" / "pl.po").read_text(encoding="utf-8")
    keys = re.findall(r'msgctxt "(.*)"', written)
    assert result.exit_code == 0
    assert keys == [
        "controller.name",
        "controller.regulator",
        "category_surveys.title",
        "category_surveys.purpose",
        "storage.survey.purpose",
        "storage.survey.duration",
    ]
    assert 'msgid "They remember what you answered."' in written
    assert "A native speaker has not yet reviewed this translation." in written
    assert "pl: 6 missing: controller.name, controller.regulator" in result.output


def test_a_new_language_begins_with_every_text_and_with_what_cldr_knows(site: Path) -> None:
    run("--policy", site, "--add", "lt")

    texts = texts_for("lt", load_policy(site).texts)
    assert texts.get("language.name").casefold() == "lietuvių"
    assert (texts.direction, texts.get("language.script")) == ("ltr", "Latn")
    assert [texts.duration(count, "days") for count in (1, 2, 10, 21)] == [
        "1 diena",
        "2 dienos",
        "10 dienų",
        "21 diena",
    ]
    assert texts.listed(["a", "b", "c"]) == "a, b ir c"
    assert texts.get("banner.title") == ""


def test_a_language_with_a_form_for_millions_is_begun_as_well(site: Path) -> None:
    run("--policy", site, "--add", "es")  # Babel 2.19 has such a form for it; before, it has two

    texts = texts_for("es", load_policy(site).texts)
    said = [texts.duration(count, "hours") for count in (1, 2, 999, 1_000_000)]
    assert said == ["1 hora", "2 horas", "999 horas", "1000000 horas"]


def test_what_a_translator_wrote_is_read_at_the_next_start(site: Path) -> None:
    run("--policy", site, "--add", "pl")
    translate(site.parent / "texts" / "pl.po", "category_surveys.title", "Ankiety")

    policy = load_policy(site)

    assert texts_for("pl", policy.texts).get("category_surveys.title") == "Ankiety"


def test_a_second_run_changes_nothing(site: Path) -> None:
    run("--policy", site, "--add", "pl", "--add", "lt")
    before = {path: path.read_bytes() for path in (site.parent / "texts").iterdir()}

    run("--policy", site)

    assert {path: path.read_bytes() for path in (site.parent / "texts").iterdir()} == before


def test_a_text_whose_english_changed_is_kept_but_unsure(site: Path) -> None:
    catalogue = site.parent / "texts" / "pl.po"
    run("--policy", site, "--add", "pl")
    translate(catalogue, "category_surveys.title", "Ankiety")
    site.write_text(SITE.replace('"Surveys"', '"Polls"'), encoding="utf-8")

    result = run("--policy", site)

    written = catalogue.read_text(encoding="utf-8")
    assert "1 unsure: category_surveys.title" in result.output
    assert '#| msgid "Surveys"' in written
    assert 'msgid "Polls"\nmsgstr "Ankiety"' in written
    assert texts_for("pl", load_policy(site).texts).get("category_surveys.title") == ""


def test_what_the_policy_no_longer_says_leaves_the_catalogue(site: Path) -> None:
    run("--policy", site, "--add", "pl")
    site.write_text(SITE.partition("[[")[0], encoding="utf-8")

    run("--policy", site)

    assert "storage.survey" not in (site.parent / "texts" / "pl.po").read_text(encoding="utf-8")


def test_the_header_of_a_reviewer_stays(site: Path) -> None:
    catalogue = site.parent / "texts" / "pl.po"
    run("--policy", site, "--add", "pl")
    reviewed = catalogue.read_text(encoding="utf-8").replace(translations.NOT_REVIEWED, "Reviewed by A. Kowalska.")
    catalogue.write_text(reviewed, encoding="utf-8")

    result = run("--policy", site)

    assert "(not yet reviewed)" not in result.output
    assert "# Reviewed by A. Kowalska." in catalogue.read_text(encoding="utf-8")


def test_checking_changes_nothing_and_fails_when_something_is_missing(site: Path) -> None:
    catalogue = site.parent / "texts" / "pl.po"
    run("--policy", site, "--add", "pl")
    site.write_text(SITE.replace('"Surveys"', '"Polls"'), encoding="utf-8")
    before = catalogue.read_bytes()

    result = run("--policy", site, "--check")

    assert result.exit_code == 1
    assert catalogue.read_bytes() == before


def test_a_new_english_text_is_missing_until_it_is_translated(tmp_path: Path) -> None:
    catalogue = tmp_path / "pl.po"
    shutil.copy(Path(translations.__file__).parents[1] / "locales" / "pl.po", catalogue)
    messages = [*translations.built_in_messages(), translations.Message("banner.new", ("New text",), "A comment.")]

    state = translations.update_catalogue(catalogue, messages)

    assert (state.missing, state.unsure) == (("banner.new",), ())
    assert '#. A comment.\nmsgctxt "banner.new"\nmsgid "New text"\nmsgstr ""' in catalogue.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["xx", "../pl", "pl.po", ""])
def test_a_language_that_does_not_exist_is_named(site: Path, language: str) -> None:
    result = run("--policy", site, "--add", language)

    assert result.exit_code == 2
    assert f"Nothing is known of a language {language}." in result.output
    assert list((site.parent / "texts").iterdir()) == []


def test_a_policy_without_a_folder_is_told_to_name_one(site: Path) -> None:
    site.write_text(SITE.replace('texts = "texts"\n', ""), encoding="utf-8")

    result = run("--policy", site, "--add", "pl")

    assert result.exit_code == 2
    assert 'Name a folder in the policy first, for example texts = "texts".' in result.output
