"""`consentgate.toml`: the same policy as in Python, the same care with what is wrong, and a schema for editors."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.errors import ConfigurationError, Problem
from consentgate.gateway_settings import GatewaySettings, SiteBehind
from consentgate.policy import Basis, Category, ConsentPolicy, Controller
from consentgate.policy_file import load_policy, policy_schema
from consentgate.services import GoogleAnalytics
from consentgate.storage import StorageItem, StorageType

SITE = """
site_name = "Luton"
[controller]
name = "Luton Council"
email = "privacy@luton.example"
"""
FULL = """
site_name = "Step Forward Luton"
hosts = ["luton.example", "place.luton.example"]
cookie_domain = "luton.example"
cookie_name = "choice"
secure = true
acceptance_days = 100
refusal_days = 200
path_prefix = "/legal/cookies"
privacy_policy = "/privacy"
undeclared = "report"
cache = "personal"
skip_paths = ["/admin/*", "/embed"]
enforce = true
enforce_allows = ["https://cdn.luton.example"]
gpc = "honour"
gpc_statement = "2026-11-22"
dnt = true

[controller]
name = "Luton Council"
email = "privacy@luton.example"
address = "Town Hall, Luton"
data_protection_officer = "The officer"
data_protection_officer_email = "dpo@luton.example"
regulator = "The regulator"
regulator_url = "https://regulator.example/"
regulator_phone = "123"

[categories.essential]
[[categories.essential.items]]
name = "session"
purpose = "Keeps your form."
duration = "1 hour"

[categories.analytics]
version = 2
[[categories.analytics.services]]
type = "google-analytics"
measurement_id = { "luton.example" = "G-AB12CD34EF", "place.luton.example" = "G-GH56IJ78KL" }
script_origin = "https://metrics.luton.example"
cookie_prefix = "sfl"
cookie_days = 90

[categories.surveys]
title = "Surveys"
purpose = "They remember answers."
basis = "appearance_exception"
signals = ["functionality_storage"]
exception_assessed = true
[[categories.surveys.items]]
name = "survey_*"
purpose = "Remembers an answer."
duration = "90 days"
provider = "Surveys Ltd"
type = "localStorage"
path = "/surveys"
"""


def full_policy() -> ConsentPolicy:
    """Return what FULL says, written in Python."""
    return ConsentPolicy(
        site_name="Step Forward Luton",
        hosts=("luton.example", "place.luton.example"),
        cookie_domain="luton.example",
        cookie_name="choice",
        secure=True,
        acceptance_days=100,
        refusal_days=200,
        path_prefix="/legal/cookies",
        undeclared="report",
        skip_paths=("/admin/*", "/embed"),
        enforce=True,
        enforce_allows=("https://cdn.luton.example",),
        gpc_statement="2026-11-22",
        dnt=True,
        privacy_policy="/privacy",
        controller=Controller(
            name="Luton Council",
            email="privacy@luton.example",
            address="Town Hall, Luton",
            data_protection_officer="The officer",
            data_protection_officer_email="dpo@luton.example",
            regulator="The regulator",
            regulator_url="https://regulator.example/",
            regulator_phone="123",
        ),
        categories=(
            Category(
                id="essential", items=(StorageItem(name="session", purpose="Keeps your form.", duration="1 hour"),)
            ),
            Category(
                id="analytics",
                version=2,
                services=(
                    GoogleAnalytics(
                        measurement_id={"luton.example": "G-AB12CD34EF", "place.luton.example": "G-GH56IJ78KL"},
                        script_origin="https://metrics.luton.example",
                        cookie_prefix="sfl",
                        cookie_days=90,
                    ),
                ),
            ),
            Category(
                id="surveys",
                title="Surveys",
                purpose="They remember answers.",
                basis="appearance_exception",
                signals=("functionality_storage",),
                exception_assessed=True,
                items=(
                    StorageItem(
                        name="survey_*",
                        purpose="Remembers an answer.",
                        duration="90 days",
                        provider="Surveys Ltd",
                        type="localStorage",
                        path="/surveys",
                    ),
                ),
            ),
        ),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "consentgate.toml"


def problems_of(file: Path) -> list[str]:
    """List what is wrong with a file, as it is said."""
    with pytest.raises(ConfigurationError) as raised:
        load_policy(file)
    return [str(problem) for problem in raised.value.problems]


# Right files


def test_a_file_says_the_same_as_python(file: Path) -> None:
    file.write_text(FULL)

    assert load_policy(file) == full_policy()


def test_the_smallest_file_gets_the_same_defaults_as_python(file: Path) -> None:
    file.write_text(SITE)

    policy = load_policy(file)

    assert policy == ConsentPolicy(
        site_name="Luton", controller=Controller(name="Luton Council", email="privacy@luton.example")
    )


def test_a_path_may_be_text(file: Path) -> None:
    file.write_text(SITE)

    assert load_policy(str(file)) == load_policy(file)


def test_a_date_may_be_written_without_quotes(file: Path) -> None:
    file.write_text("gpc_statement = 2026-11-22\n" + SITE, encoding="utf-8")

    assert load_policy(file).gpc_statement == "2026-11-22"


def test_categories_keep_the_order_of_the_file(file: Path) -> None:
    file.write_text(SITE + "[categories.marketing]\n[categories.analytics]\n[categories.essential]\n")

    policy = load_policy(file)

    assert [category.id for category in policy.categories] == ["marketing", "analytics", "essential"]


def test_the_file_that_init_writes_is_right(file: Path) -> None:
    file.write_text(template(), encoding="utf-8")

    policy = load_policy(file)

    assert policy.site_name == "Example Partnership"
    assert [category.id for category in policy.categories] == ["essential", "analytics"]


def test_every_line_that_init_comments_out_is_right_too(file: Path) -> None:
    uncommented = re.sub(r"(?m)^# ?(?=[\w\[]+.*(?:=|\]$))", "", template()).replace("…", "https://x.org")
    once = re.sub(r'(?m)^measurement_id = "G-AB12CD34EF"\n', "", uncommented)
    file.write_text(once, encoding="utf-8")
    for folder in ("consentgate_templates", "texts"):
        file.with_name(folder).mkdir()
    file.with_name("consentgate_templates").joinpath("banner.html").touch()

    policy = load_policy(file)

    assert policy.hosts == ("example.org.uk", "place.example.org.uk")
    assert policy.cookie_domain == "example.org.uk"
    assert [category.id for category in policy.categories] == ["essential", "analytics", "marketing", "surveys"]


def template() -> str:
    return resources.files("consentgate").joinpath("templates", "consentgate.toml").read_text(encoding="utf-8")


# Wrong files

KNOWN = (
    "Known here: accept_language, acceptance_days, cache, categories, controller, cookie_domain, cookie_name, dnt, "
    "enforce, enforce_allows, gpc, gpc_statement, hosts, language, languages, path_prefix, placement, printed_tags, "
    "privacy_policy, records, records_days, records_most, records_per_minute, refusal_days, script_api, secure, "
    "site_name, skip_paths, templates, texts, theme, themes, undeclared."
)
KINDS = (
    "custom, google-analytics, google-maps, google-tag-manager, matomo, meta-pixel, microsoft-clarity, plausible, "
    "vimeo, youtube."
)
KNOWN_IN_CATEGORY = "Known here: basis, exception_assessed, items, purpose, services, signals, title, version."
KNOWN_IN_ITEM = "Known here: duration, name, path, provider, purpose, type."
NO_KEYS = "Signing keys do not belong in a file. Put them into the environment variable CONSENTGATE_KEYS."
ANALYTICS = SITE + "[categories.analytics]\n"
AN_ITEM = SITE + '[[categories.analytics.items]]\nname = "a1"\npurpose = "P"\nduration = "D"\n'
A_SERVICE = SITE + '[[categories.analytics.services]]\ntype = "google-analytics"\n'

WRONG = {
    "empty": (
        "",
        [
            "site_name: It is missing. Add it.",
            "controller: Add a [controller] table with name and email: visitors must know who asks.",
        ],
    ),
    "not_toml": ("site_name = \n", ["the file: Invalid value (at line 1, column 13). Correct the TOML there."]),
    "key_twice": (
        'site_name = "a"\nsite_name = "b"\n',
        ["the file: Cannot overwrite a value (at line 2, column 16). Correct the TOML there."],
    ),
    "nested_too_deeply": ("a = " + "[" * 5_000 + "]" * 5_000, ["the file: Nest its lists and tables less."]),
    "unknown_setting": (
        "tongue = 'en'\n" + SITE,
        [f"tongue = 'en': There is no such setting. {KNOWN}"],
    ),
    "misspelt_setting": (
        "acceptance_day = 30\n" + SITE,
        [f"acceptance_day = 30: There is no such setting. Did you mean acceptance_days? {KNOWN}"],
    ),
    "misspelt_in_category": (
        ANALYTICS + "titel = 'Statistics'\n",
        [
            "categories.analytics.titel = 'Statistics': There is no such setting. Did you mean title? "
            + KNOWN_IN_CATEGORY
        ],
    ),
    "misspelt_in_item": (
        AN_ITEM + "durations = 'x'\n",
        [
            "categories.analytics.items[0].durations = 'x': There is no such setting. Did you mean duration? "
            + KNOWN_IN_ITEM
        ],
    ),
    "setting_in_the_wrong_table": (
        SITE + "hosts = ['x.org']\n",
        [
            "controller.hosts = ['x.org']: There is no such setting. Known here: address, data_protection_officer, "
            "data_protection_officer_email, email, name, regulator, regulator_phone, regulator_url."
        ],
    ),
    "number_for_text": (
        "site_name = 1\n[controller]\nname = true\nemail = 1.5\n",
        [
            "site_name = 1: Expected text in quotes, got a whole number.",
            "controller.name = True: Expected text in quotes, got true or false.",
            "controller.email = 1.5: Expected text in quotes, got a number.",
        ],
    ),
    "text_for_a_number": (
        "acceptance_days = '184'\n" + SITE,
        ["acceptance_days = '184': Expected a whole number, got text in quotes."],
    ),
    "text_for_yes_or_no": (
        "secure = 'yes'\n" + SITE,
        ["secure = 'yes': Expected true or false, got text in quotes."],
    ),
    "text_for_a_list": (
        "hosts = 'x.org'\n" + SITE,
        ["hosts = 'x.org': Expected a list, written [...], got text in quotes."],
    ),
    "number_in_a_list": (
        "hosts = ['x.org', 1]\n" + SITE,
        ["hosts = ['x.org', 1]: Expected text in quotes, got a whole number at [1]."],
    ),
    "fraction_for_a_version": (
        ANALYTICS + "version = 2.0\n",
        ["categories.analytics.version = 2.0: Expected a whole number, got a number."],
    ),
    "version_zero": (ANALYTICS + "version = 0\n", ["categories.analytics.version = 0: Count versions from 1 upwards."]),
    "basis": (
        ANALYTICS + "basis = 'legitimate interest'\n",
        [
            "categories.analytics.basis = 'legitimate interest': Use one of essential, consent, statistical_exception, "
            "appearance_exception."
        ],
    ),
    "item_type": (
        AN_ITEM + "type = 'cache'\n",
        [
            "categories.analytics.items[0].type = 'cache': Use one of cookie, localStorage, sessionStorage, indexedDB, "
            "script, pixel."
        ],
    ),
    "item_without_anything": (
        SITE + "[[categories.analytics.items]]\n",
        [
            "categories.analytics.items[0].name: It is missing. Add it.",
            "categories.analytics.items[0].purpose: It is missing. Add it.",
            "categories.analytics.items[0].duration: It is missing. Add it.",
        ],
    ),
    "second_item_is_wrong": (
        AN_ITEM + "[[categories.analytics.items]]\nname = 'a b'\npurpose = 'P'\nduration = 'D'\n",
        [
            "categories.analytics.items[1].name = 'a b': A cookie's name has no spaces, quotes, commas, semicolons or "
            "equals signs."
        ],
    ),
    "items_as_text": (
        ANALYTICS + "items = 'visits'\n",
        ["categories.analytics.items = 'visits': Write it as a list of tables: [[categories.analytics.items]]."],
    ),
    "services_as_table": (
        SITE + "[categories.analytics.services]\ntype = 'google-analytics'\n",
        [
            "categories.analytics.services = {'type': 'google-analytics'}: Write it as a list of tables: "
            "[[categories.analytics.services]]."
        ],
    ),
    "service_as_text": (
        ANALYTICS + "services = ['google-analytics']\n",
        [
            "categories.analytics.services[0] = 'google-analytics': Write it as a table: "
            "[categories.analytics.services[0]].",
            "categories.analytics.services[0].type: Use one of " + KINDS,
        ],
    ),
    "service_unknown": (
        SITE + "[[categories.analytics.services]]\ntype = 'hotjar'\n",
        ["categories.analytics.services[0].type = 'hotjar': Use one of " + KINDS],
    ),
    "service_type_as_list": (
        SITE + "[[categories.analytics.services]]\ntype = ['google-analytics']\n",
        ["categories.analytics.services[0].type = ['google-analytics']: Use one of " + KINDS],
    ),
    "service_without_id": (
        A_SERVICE,
        ["categories.analytics.services[0].measurement_id: It is missing. Add it."],
    ),
    "service_id_as_number": (
        A_SERVICE + "measurement_id = 12345\n",
        [
            "categories.analytics.services[0].measurement_id = 12345: Expected text in quotes or a table, got a whole "
            "number."
        ],
    ),
    "service_id_per_host_as_number": (
        A_SERVICE + "measurement_id = { 'x.org' = 1 }\n",
        [
            "categories.analytics.services[0].measurement_id = {'x.org': 1}: Expected text in quotes, got a whole "
            "number."
        ],
    ),
    "service_words_are_not_settings": (
        A_SERVICE + "measurement_id = 'G-AB12CD34EF'\nprovider = 'Us'\n",
        [
            "categories.analytics.services[0].provider = 'Us': There is no such setting. Known here: cookie_days, "
            "cookie_prefix, measurement_id, printed, script_origin."
        ],
    ),
    "categories_as_list": (
        SITE + "[[categories]]\nid = 'analytics'\n",
        ["categories = [{'id': 'analytics'}]: Write it as a table: [categories]."],
    ),
    "category_as_text": (
        SITE + "[categories]\nanalytics = 'on'\n",
        ["categories.analytics = 'on': Write it as a table: [categories.analytics]."],
    ),
    "category_with_id": (
        ANALYTICS + "id = 'analytics'\n",
        ["categories.analytics.id = 'analytics': Leave it out: the id is the name of the table."],
    ),
    "controller_as_text": (
        "site_name = 'Luton'\ncontroller = 'Luton Council'\n",
        [
            "controller = 'Luton Council': Write it as a table: [controller].",
            "controller.name: It is missing. Add it.",
            "controller.email: It is missing. Add it.",
        ],
    ),
    "what_python_would_refuse": (
        "path_prefix = 'cookies'\n" + SITE,
        ["path_prefix = 'cookies': Write a path such as /cookies: it starts with / and does not end with one."],
    ),
    "undeclared": ("undeclared = 'drop'\n" + SITE, ["undeclared = 'drop': Use one of block, report, allow."]),
    "cache": ("cache = true\n" + SITE, ["cache = True: Use one of personal, shared."]),
    "gpc": ("gpc = 'honor'\n" + SITE, ["gpc = 'honor': Use one of honour, ignore."]),
    "dnt": ("dnt = 1\n" + SITE, ["dnt = 1: Expected true or false, got a whole number."]),
    "enforce": ("enforce = 'yes'\n" + SITE, ["enforce = 'yes': Expected true or false, got text in quotes."]),
    "skip_paths": (
        "skip_paths = ['admin/*']\n" + SITE,
        ["skip_paths[0] = 'admin/*': Write a path such as /admin/*: it starts with /."],
    ),
    "skip_paths_as_text": (
        "skip_paths = '/admin/*'\n" + SITE,
        ["skip_paths = '/admin/*': Expected a list, written [...], got text in quotes."],
    ),
    "enforce_allows": (
        "enforce_allows = ['https://x.org/a']\n" + SITE,
        ["enforce_allows[0] = 'https://x.org/a': Write an origin with no path, for example https://cdn.example.org."],
    ),
    "enforced_in_a_shared_page": (
        "enforce = true\ncache = 'shared'\n" + SITE,
        ['enforce = True: It needs cache = "personal": the header differs by visitor.'],
    ),
    "gpc_statement": (
        "gpc_statement = '2026'\n" + SITE,
        ["gpc_statement = '2026': Write a date such as 2026-11-22, with gpc = \"honour\"."],
    ),
    "in_every_room_at_once": (
        "hosts = ['X.org']\nsecure = 1\n" + SITE.replace("privacy@", "") + "[categories.analytics]\nversion = 'two'\n",
        [
            "secure = 1: Expected true or false, got a whole number.",
            "categories.analytics.version = 'two': Expected a whole number, got text in quotes.",
            "controller.email = 'luton.example': Give an e-mail address visitors can write to.",
            "hosts[0] = 'X.org': Write the host alone in lower case: no https://, no port, no path.",
        ],
    ),
}


@pytest.mark.parametrize(("content", "lines"), [pytest.param(*case, id=name) for name, case in WRONG.items()])
def test_a_wrong_file_is_answered_with_place_value_and_remedy(file: Path, content: str, lines: list[str]) -> None:
    file.write_text(content)

    assert problems_of(file) == lines


def test_the_error_names_the_file_and_counts_what_is_wrong(file: Path) -> None:
    file.write_text("")

    with pytest.raises(ConfigurationError) as raised:
        load_policy(file)

    assert str(raised.value) == (
        f"2 things are wrong in {file}:\n"
        "  1. site_name: It is missing. Add it.\n"
        "  2. controller: Add a [controller] table with name and email: visitors must know who asks."
    )


def test_a_file_that_is_not_there_is_answered_with_how_to_get_one(file: Path) -> None:
    assert problems_of(file) == [
        "the file = 'No such file or directory': Give the path of a consentgate.toml. `consentgate init` writes one to "
        "start from."
    ]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == [
        "the file = 'Is a directory': Give the path of a consentgate.toml. `consentgate init` writes one to start from."
    ]


def test_a_file_in_another_encoding_is_named_by_its_first_wrong_byte(file: Path) -> None:
    file.write_bytes('site_name = "Café"'.encode("latin-1"))

    assert problems_of(file) == ["the file = 'byte 16': Save it as UTF-8."]


def test_an_enormous_file_is_not_read(file: Path) -> None:
    file.write_bytes(b"#" * 2_000_000)

    assert problems_of(file) == ["the file = '1048577 bytes or more': Keep it under 1 MB."]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param("keys = ['{secret}']\n" + SITE, "keys", id="keys"),
        pytest.param("CONSENTGATE_KEYS = '{secret}'\n" + SITE, "CONSENTGATE_KEYS", id="name_of_the_variable"),
        pytest.param("signing-key = '{secret}'\n" + SITE, "signing-key", id="with_hyphen"),
        pytest.param("SECRET_KEY = '{secret}'\n" + SITE, "SECRET_KEY", id="as_in_django"),
        pytest.param("keys = [['{secret}'], 'b']\n" + SITE, "keys", id="nested_list"),
        pytest.param(SITE + "[signing]\nkey = '{secret}'\n", "signing", id="table"),
        pytest.param(SITE + "[cookie.signing]\nkeys = ['{secret}']\n", "cookie", id="deeper_table"),
        pytest.param(SITE + "secret = '{secret}'\n", "controller.secret", id="in_another_table"),
        pytest.param(A_SERVICE + "api_secret = '{secret}'\nmeasurement_id = 'G-AB12CD34EF'\n", "", id="in_a_service"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(file: Path, content: str, place: str) -> None:
    secret = "x7Kq2mPz9LwR4tVn"
    file.write_text(content.replace("{secret}", secret))

    problems = problems_of(file)

    assert problems == [f"{place or 'categories.analytics.services[0].api_secret'} = 'hidden': {NO_KEYS}"]
    assert secret not in "".join(problems)


def test_a_setting_that_only_sounds_a_little_like_a_key_is_shown(file: Path) -> None:
    file.write_text("keyboard = 'qwerty'\n" + SITE)

    assert problems_of(file) == [f"keyboard = 'qwerty': There is no such setting. {KNOWN}"]


toml_values = st.recursive(
    st.booleans() | st.integers(-10, 500) | st.floats(allow_nan=False) | st.text("ab/-", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "name", "id"]), inner),
    max_leaves=6,
)
settings_names = st.sampled_from(
    ["site_name", "controller", "categories", "hosts", "cookie_domain", "secure", "path_prefix", "acceptance_days"]
)


@settings(deadline=None)
@given(
    st.dictionaries(settings_names, toml_values), st.dictionaries(st.sampled_from(["items", "services"]), toml_values)
)
def test_any_values_give_a_policy_or_a_list_of_problems(
    tmp_path_factory: pytest.TempPathFactory, top: dict[str, object], category: dict[str, object]
) -> None:
    file = tmp_path_factory.mktemp("any") / "consentgate.toml"
    tables = top if "categories" in top else {**top, "categories": {"analytics": category}}
    file.write_text("".join(f"{name} = {in_toml(value)}\n" for name, value in tables.items()))

    problems = found_in(file)

    assert problems is None or problems
    assert all(problem.place and problem.remedy.endswith(".") for problem in problems or ())


def found_in(file: Path) -> tuple[Problem, ...] | None:
    """Return what is wrong with a file, or `None` when it is right."""
    try:
        load_policy(file)
    except ConfigurationError as error:
        return error.problems
    return None


def in_toml(value: object) -> str:
    """Write a value in TOML; what JSON writes alike is left to JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {in_toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(in_toml, value)) + "]"
    return "inf" if value == float("inf") else "-inf" if value == float("-inf") else json.dumps(value)


# The schema: read here by a small checker of the few words it uses, so that no further package is needed

SCHEMA = policy_schema()
CHECKED_WORDS = {
    *("type", "properties", "additionalProperties", "required", "items", "enum", "const", "oneOf", "anyOf"),
    *("description", "title", "$schema"),
}
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
}


def faults(value: object, schema: Mapping[str, Any], place: str = "$") -> Iterator[str]:
    """Yield where a value does not fit a schema (JSON Schema 2020-12, as far as ours goes)."""
    assert set(schema) <= CHECKED_WORDS, "the schema has outgrown this checker"
    kind = schema.get("type")
    if kind and (not isinstance(value, JSON_TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        yield f"{place} is no {kind}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{place} is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is none of its choices"
    for word, fitting in (("oneOf", "exactly one"), ("anyOf", "at least one")):
        fits = sum(not list(faults(value, one, place)) for one in schema.get(word, ()))
        if word in schema and (fits != 1 if word == "oneOf" else fits < 1):
            yield f"{place} fits not {fitting}"
    if isinstance(value, list) and "items" in schema:
        for index, entry in enumerate(value):
            yield from faults(entry, schema["items"], f"{place}[{index}]")
    if isinstance(value, dict):
        yield from object_faults(value, schema, place)


def object_faults(value: Mapping[str, object], schema: Mapping[str, Any], place: str) -> Iterator[str]:
    yield from (f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    beside = schema.get("additionalProperties", True)
    for name, content in value.items():
        if name in schema.get("properties", {}):
            yield from faults(content, schema["properties"][name], f"{place}.{name}")
        elif beside is False:
            yield f"{place}.{name} is unknown"
        elif beside is not True:
            yield from faults(content, beside, f"{place}.{name}")


@pytest.mark.parametrize(
    "content", [pytest.param(template(), id="init"), pytest.param(FULL, id="full"), pytest.param(SITE, id="smallest")]
)
def test_the_schema_accepts_a_right_file(content: str) -> None:
    assert list(faults(tomllib.loads(content), SCHEMA)) == []


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param("", ["$.site_name is missing", "$.controller is missing"], id="empty"),
        pytest.param("site_nam = 'x'\n" + SITE, ["$.site_nam is unknown"], id="unknown_setting"),
        pytest.param("keys = ['x']\n" + SITE, ["$.keys is unknown"], id="keys"),
        pytest.param("hosts = 'x.org'\n" + SITE, ["$.hosts is no array"], id="text_for_a_list"),
        pytest.param("hosts = [1]\n" + SITE, ["$.hosts[0] is no string"], id="number_in_a_list"),
        pytest.param("secure = 1\n" + SITE, ["$.secure is no boolean"], id="number_for_yes_or_no"),
        pytest.param("refusal_days = true\n" + SITE, ["$.refusal_days is no integer"], id="yes_for_a_number"),
        pytest.param(
            ANALYTICS + "basis = 'mine'\n", ["$.categories.analytics.basis is none of its choices"], id="basis"
        ),
        pytest.param(ANALYTICS + "id = 'a'\n", ["$.categories.analytics.id is unknown"], id="id_in_category"),
        pytest.param(
            AN_ITEM + "type = 'cache'\n",
            ["$.categories.analytics.items[0].type is none of its choices"],
            id="item_type",
        ),
        pytest.param(
            SITE + "[[categories.analytics.items]]\nname = 'a1'\npurpose = 'P'\n",
            ["$.categories.analytics.items[0].duration is missing"],
            id="item_without_duration",
        ),
        pytest.param(
            SITE + "[[categories.analytics.services]]\ntype = 'hotjar'\nmeasurement_id = 'G-AB12'\n",
            ["$.categories.analytics.services[0] fits not exactly one"],
            id="service_unknown",
        ),
        pytest.param(A_SERVICE, ["$.categories.analytics.services[0] fits not exactly one"], id="service_without_id"),
    ],
)
def test_the_schema_refuses_a_wrong_file(content: str, found: list[str]) -> None:
    assert list(faults(tomllib.loads(content), SCHEMA)) == found


def test_the_schema_can_be_written_as_json_and_says_its_dialect() -> None:
    schema = json.loads(json.dumps(SCHEMA))

    assert schema == SCHEMA
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def beside_the_policy(model: type[Any]) -> set[str]:
    """Name the gateway's tables, which stand in the same file and are no part of the policy."""
    return {"gateway", "sites"} if model is ConsentPolicy else set()


CATEGORY = SCHEMA["properties"]["categories"]["additionalProperties"]


@pytest.mark.parametrize(
    ("model", "schema", "beside"),
    [
        pytest.param(ConsentPolicy, SCHEMA, set(), id="policy"),
        pytest.param(Controller, SCHEMA["properties"]["controller"], set(), id="controller"),
        pytest.param(Category, CATEGORY, {"id"}, id="category"),
        pytest.param(StorageItem, CATEGORY["properties"]["items"]["items"], set(), id="item"),
        pytest.param(GoogleAnalytics, CATEGORY["properties"]["services"]["items"]["oneOf"][1], set(), id="service"),
        pytest.param(GatewaySettings, SCHEMA["properties"]["gateway"], {"sites"}, id="gateway"),
        pytest.param(SiteBehind, SCHEMA["properties"]["sites"]["additionalProperties"], set(), id="site"),
    ],
)
def test_every_setting_is_in_the_schema_and_described(
    model: type[Any], schema: dict[str, Any], beside: set[str]
) -> None:
    properties = schema["properties"]
    names = {field.name for field in fields(model)} - beside

    assert set(properties) - {"type", *beside_the_policy(model)} == names - {"type"}
    assert [name for name in names if len(properties[name].get("description", "")) < 10] == []
    assert schema["additionalProperties"] is False


def test_the_choices_in_the_schema_are_those_of_the_model() -> None:
    item = CATEGORY["properties"]["items"]["items"]

    assert set(CATEGORY["properties"]["basis"]["enum"]) == set(get_args(Basis))
    assert set(item["properties"]["type"]["enum"]) == set(get_args(StorageType))


def test_the_schema_offers_no_null_because_toml_has_none() -> None:
    assert "null" not in json.dumps(SCHEMA)
