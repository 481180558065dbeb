"""The policy: every wrong setting stops the start and is named with its place, its value and what to write instead."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any, cast

import pytest

from consentgate.errors import ConfigurationError, Problem
from consentgate.policy import (
    Basis,
    Category,
    ConsentPolicy,
    Controller,
    is_within,
    signals_of,
    sources_of,
    withheld_storage,
)
from consentgate.services import GoogleAnalytics
from consentgate.storage import StorageItem, StorageType

CONTROLLER = Controller(name="Luton Council", email="privacy@luton.example")
GA = GoogleAnalytics(measurement_id="G-AB12CD34EF")
ITEM = StorageItem(name="visits", purpose="Counts visits.", duration="1 day")
SURVEYS = Category(id="surveys", title="Surveys", purpose="They remember answers.")


def make_policy(**settings: Any) -> ConsentPolicy:
    """Return a right policy, or one with some settings changed."""
    return ConsentPolicy(**{"site_name": "Luton", "controller": CONTROLLER, **settings})


def with_categories(*categories: Category) -> dict[str, Any]:
    return {"categories": categories}


def with_service(**settings: Any) -> dict[str, Any]:
    service = GoogleAnalytics(**{"measurement_id": "G-AB12CD34EF", **settings})
    return with_categories(Category(id="analytics", services=(service,)))


def with_item(**changes: Any) -> dict[str, Any]:
    return with_categories(Category(id="analytics", items=(replace(ITEM, **changes),)))


def problems_of(**settings: Any) -> list[str]:
    """List what is wrong with a policy, as it is said."""
    with pytest.raises(ConfigurationError) as raised:
        make_policy(**settings)
    return [str(problem) for problem in raised.value.problems]


HOST_ALONE = "Write the host alone in lower case: no https://, no port, no path."
REGISTERED = "Use the domain you registered, such as example.org.uk: browsers keep no cookie for a public suffix."
NAME = "Use up to 40 letters, digits, _ and -, starting with a letter; __Host- or __Secure- is put before it by itself."
PREFIX = "Write a path such as /cookies: it starts with / and does not end with one."
PRIVACY = "Write a path such as /privacy, or an address that starts with https://."
REFUSAL = "a refusal is kept for six months or more, and never shorter than an acceptance."
ID = (
    "Use up to 24 lower-case letters, digits, _ and -, starting with a letter, and none of asked, back, choice, hide, "
    "lang, "
    "source, wording."
)
MEASUREMENT = (
    "A Google Analytics 4 measurement id looks like G-AB12CD34EF (Admin, Data streams). UA-, GTM-, AW- and DC- ids are "
    "other products."
)
COOKIE_NAME = "A cookie's name has no spaces, quotes, commas, semicolons or equals signs."
TAGGING = "Write the address of your tagging server with no query, for example https://metrics.example.org."
GA_PREFIX = "Use at most 32 letters, digits, underscores and hyphens."
OWN = "Write an origin with no path, for example https://cdn.example.org."
STATEMENT = 'Write a date such as 2026-11-22, with gpc = "honour".'
DISTINCT = "Make the names distinct."
OUTLIVE = "Google's cookies must not outlive the consent."
EXCEPTION = (
    "Google may use the data for its own purposes, which the exception does not cover. Use the basis consent, or set "
    "exception_assessed = true once your data protection officer has assessed it."
)

WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    # The site and its controller
    "site_without_name": ({"site_name": ""}, ["site_name = '': Give the name visitors know the site by."]),
    "site_with_blank_name": ({"site_name": " "}, ["site_name = ' ': Give the name visitors know the site by."]),
    "controller_without_name": (
        {"controller": replace(CONTROLLER, name="")},
        ["controller.name = '': Name the data controller."],
    ),
    "controller_without_email": (
        {"controller": replace(CONTROLLER, email="")},
        ["controller.email = '': Give an e-mail address visitors can write to."],
    ),
    "controller_email_without_domain": (
        {"controller": replace(CONTROLLER, email="privacy@luton")},
        ["controller.email = 'privacy@luton': Give an e-mail address visitors can write to."],
    ),
    "controller_email_with_markup": (
        {"controller": replace(CONTROLLER, email='a@b.org"><script>')},
        ["controller.email = 'a@b.org\"><script>': Give an e-mail address visitors can write to."],
    ),
    "officer_email": (
        {"controller": replace(CONTROLLER, data_protection_officer_email="the officer")},
        [
            "controller.data_protection_officer_email = 'the officer': Give an e-mail address or leave it out.",
        ],
    ),
    "regulator_address": (
        {"controller": replace(CONTROLLER, regulator_url="javascript:alert(1)")},
        [
            "controller.regulator_url = 'javascript:alert(1)': Give an address that starts with https://, or leave it "
            "out."
        ],
    ),
    # Hosts and the cookie's domain
    "host_with_scheme": ({"hosts": ("https://x.org",)}, [f"hosts[0] = 'https://x.org': {HOST_ALONE}"]),
    "host_with_port": ({"hosts": ("x.org", "y.org:80")}, [f"hosts[1] = 'y.org:80': {HOST_ALONE}"]),
    "host_with_path": ({"hosts": ("x.org/a",)}, [f"hosts[0] = 'x.org/a': {HOST_ALONE}"]),
    "host_in_capitals": ({"hosts": ("X.org",)}, [f"hosts[0] = 'X.org': {HOST_ALONE}"]),
    "host_with_star": ({"hosts": ("*.x.org",)}, [f"hosts[0] = '*.x.org': {HOST_ALONE}"]),
    "host_too_long": ({"hosts": ("a." * 130 + "org",)}, [f"hosts[0] = 'a.a.a.a.a.a....a.a.a.a.a.org': {HOST_ALONE}"]),
    "host_twice": ({"hosts": ("x.org", "x.org")}, ["hosts = 'x.org': It is listed 2 times. Keep it once."]),
    "domain_without_hosts": (
        {"cookie_domain": "x.org"},
        ["hosts = (): List every host that shares the choice: the banner must name them."],
    ),
    "host_outside_domain": (
        {"cookie_domain": "x.org", "hosts": ("x.org", "xx.org")},
        ["hosts[1] = 'xx.org': It is not below cookie_domain x.org, so the choice cannot reach it."],
    ),
    "domain_is_a_public_suffix": (
        {"cookie_domain": "org.uk", "hosts": ("x.org.uk",)},
        [f"cookie_domain = 'org.uk': {REGISTERED}"],
    ),
    "domain_with_leading_dot": (
        {"cookie_domain": ".x.org", "hosts": ("a.x.org",)},
        [
            f"cookie_domain = '.x.org': {REGISTERED}",
            "hosts[0] = 'a.x.org': It is not below cookie_domain .x.org, so the choice cannot reach it.",
        ],
    ),
    "domain_of_one_label": (
        {"cookie_domain": "localhost", "hosts": ("localhost",)},
        [f"cookie_domain = 'localhost': {REGISTERED}"],
    ),
    "domain_is_an_address": (
        {"cookie_domain": "10.0.0.1", "hosts": ("10.0.0.1",)},
        [f"cookie_domain = '10.0.0.1': {REGISTERED}"],
    ),
    # The consent cookie
    "cookie_name_with_prefix": ({"cookie_name": "__Host-a"}, [f"cookie_name = '__Host-a': {NAME}"]),
    "cookie_name_with_space": ({"cookie_name": "my choice"}, [f"cookie_name = 'my choice': {NAME}"]),
    "cookie_name_empty": ({"cookie_name": ""}, [f"cookie_name = '': {NAME}"]),
    "cookie_name_too_long": ({"cookie_name": "a" * 41}, [f"cookie_name = 'aaaaaaaaaaaa...aaaaaaaaaaaaa': {NAME}"]),
    "acceptance_for_no_day": (
        {"acceptance_days": 0},
        ["acceptance_days = 0: Use 1 to 400 days: browsers keep no cookie longer."],
    ),
    "acceptance_for_too_long": (
        {"acceptance_days": 401, "refusal_days": 400},
        ["acceptance_days = 401: Use 1 to 400 days: browsers keep no cookie longer."],
    ),
    "refusal_for_too_short": ({"refusal_days": 183}, [f"refusal_days = 183: Use 184 to 400 days: {REFUSAL}"]),
    "refusal_for_too_long": ({"refusal_days": 401}, [f"refusal_days = 401: Use 184 to 400 days: {REFUSAL}"]),
    "refusal_shorter_than_acceptance": (
        {"acceptance_days": 300, "refusal_days": 299},
        [f"refusal_days = 299: Use 300 to 400 days: {REFUSAL}"],
    ),
    # Addresses
    "prefix_without_slash": ({"path_prefix": "cookies"}, [f"path_prefix = 'cookies': {PREFIX}"]),
    "prefix_with_slash_at_the_end": ({"path_prefix": "/cookies/"}, [f"path_prefix = '/cookies/': {PREFIX}"]),
    "prefix_is_the_root": ({"path_prefix": "/"}, [f"path_prefix = '/': {PREFIX}"]),
    "prefix_empty": ({"path_prefix": ""}, [f"path_prefix = '': {PREFIX}"]),
    "prefix_with_dots": ({"path_prefix": "/a/../b"}, [f"path_prefix = '/a/../b': {PREFIX}"]),
    "prefix_with_query": ({"path_prefix": "/a?b"}, [f"path_prefix = '/a?b': {PREFIX}"]),
    "privacy_policy_is_a_script": (
        {"privacy_policy": "javascript:alert(1)"},
        [f"privacy_policy = 'javascript:alert(1)': {PRIVACY}"],
    ),
    "privacy_policy_without_scheme": ({"privacy_policy": "//x.org/p"}, [f"privacy_policy = '//x.org/p': {PRIVACY}"]),
    "privacy_policy_is_relative": ({"privacy_policy": "privacy"}, [f"privacy_policy = 'privacy': {PRIVACY}"]),
    "privacy_policy_is_broken": ({"privacy_policy": "https://["}, [f"privacy_policy = 'https://[': {PRIVACY}"]),
    # The gate
    "undeclared": (
        {"undeclared": "drop"},
        ["undeclared = 'drop': Use one of block, report, allow."],
    ),
    "cache": ({"cache": "public"}, ["cache = 'public': Use one of personal, shared."]),
    "gpc": ({"gpc": "honor"}, ["gpc = 'honor': Use one of honour, ignore."]),
    "skip_path_without_slash": (
        {"skip_paths": ("/a", "admin/*")},
        ["skip_paths[1] = 'admin/*': Write a path such as /admin/*: it starts with /."],
    ),
    "skip_path_empty": (
        {"skip_paths": ("",)},
        ["skip_paths[0] = '': Write a path such as /admin/*: it starts with /."],
    ),
    **{
        f"enforce_allows_{name}": (
            {"enforce_allows": ("wss://x.org", value)},
            [f"enforce_allows[1] = {value!r}: {OWN}"],
        )
        for name, value in {
            "with_path": "https://x.org/a",
            "without_scheme": "x.org",
            "script": "javascript:alert(1)",
            "keyword": "'unsafe-inline'",
            "second_directive": "https://x.org; script-src *",
            "line_break": "https://x.org\n",
            "space": "https://x.org https://y.org",
            "star_alone": "*",
            "star_inside": "https://x.*.org",
            "empty": "",
        }.items()
    },
    "enforced_in_a_shared_page": (
        {"enforce": True, "cache": "shared"},
        ['enforce = True: It needs cache = "personal": the header differs by visitor.'],
    ),
    **{
        f"gpc_statement_{name}": ({"gpc_statement": value}, [f"gpc_statement = {value!r}: {STATEMENT}"])
        for name, value in {
            "in_words": "22 November 2026",
            "of_no_month": "2026-13-01",
            "of_no_day": "2026-01-32",
            "with_time": "2026-11-22T00:00",
            "with_line_break": "2026-11-22\n",
        }.items()
    },
    "gpc_statement_of_who_ignores_it": (
        {"gpc_statement": "2026-11-22", "gpc": "ignore"},
        [f"gpc_statement = '2026-11-22': {STATEMENT}"],
    ),
    # Categories
    "category_id_in_capitals": (
        with_categories(replace(SURVEYS, id="Surveys")),
        [f"categories.Surveys.id = 'Surveys': {ID}"],
    ),
    "category_id_too_long": (
        with_categories(replace(SURVEYS, id="a" * 25)),
        [f"categories.{'a' * 25}.id = '{'a' * 25}': {ID}"],
    ),
    "category_id_is_a_field_of_the_form": (
        with_categories(replace(SURVEYS, id="choice")),
        [f"categories.choice.id = 'choice': {ID}"],
    ),
    "category_without_words": (
        with_categories(Category(id="surveys")),
        [
            "categories.surveys.title = '': Give the name visitors read, for example Surveys.",
            "categories.surveys.purpose = '': Say in one sentence what it is for.",
        ],
    ),
    "category_twice": (
        with_categories(SURVEYS, SURVEYS),
        ["categories = 'surveys': It is listed 2 times. Keep it once."],
    ),
    "too_many_categories": (
        with_categories(*(replace(SURVEYS, id=f"surveys{number}") for number in range(10))),
        ["categories = 11: Use at most 10: more choices help nobody, and the consent cookie stays small."],
    ),
    "essential_that_is_not": (
        with_categories(Category(id="essential", basis="consent")),
        ["categories = 'essential': It is listed 2 times. Keep it once."],
    ),
    "basis": (
        with_categories(Category(id="analytics", basis=cast(Basis, "legitimate interest"))),
        [
            "categories.analytics.basis = 'legitimate interest': Use one of essential, consent, statistical_exception, "
            "appearance_exception."
        ],
    ),
    "version": (
        with_categories(Category(id="analytics", version=0)),
        ["categories.analytics.version = 0: Count versions from 1 upwards."],
    ),
    "signal": (
        with_categories(Category(id="analytics", signals=("analytics_storage", "analytics"))),
        [
            "categories.analytics.signals[1] = 'analytics': Use one of ad_storage, ad_user_data, ad_personalization, "
            "analytics_storage, functionality_storage, personalization_storage, security_storage."
        ],
    ),
    # Storage items
    "item_name": (with_item(name="a b"), [f"categories.analytics.items[0].name = 'a b': {COOKIE_NAME}"]),
    "item_name_too_wide": (
        with_item(name="*"),
        [
            "categories.analytics.items[0].name = '*': Put at least 2 characters beside *, so that it cannot claim "
            "every name."
        ],
    ),
    "item_purpose": (
        with_item(purpose=""),
        ["categories.analytics.items[0].purpose = '': Say in one sentence what it is for."],
    ),
    "item_duration": (
        with_item(duration=""),
        ["categories.analytics.items[0].duration = '': Say how long it is kept, for example \"1 year\"."],
    ),
    "item_path": (
        with_item(path="shop"),
        ["categories.analytics.items[0].path = 'shop': Write the cookie's path, starting with \"/\"."],
    ),
    "item_type": (
        with_item(type=cast(StorageType, "cache")),
        [
            "categories.analytics.items[0].type = 'cache': Use one of cookie, localStorage, sessionStorage, indexedDB, "
            "script, pixel."
        ],
    ),
    "item_twice_in_a_category": (
        with_categories(Category(id="analytics", items=(ITEM, ITEM))),
        ["categories.analytics.items = 'visits': It is listed in analytics already. Keep it in one place."],
    ),
    "item_in_two_categories": (
        with_categories(Category(id="analytics", items=(ITEM,)), Category(id="marketing", items=(ITEM,))),
        ["categories.marketing.items = 'visits': It is listed in analytics already. Keep it in one place."],
    ),
    "item_under_the_pattern_of_another_category": (
        with_categories(
            Category(id="analytics", items=(replace(ITEM, name="vis*"),)), Category(id="marketing", items=(ITEM,))
        ),
        [f"categories.marketing.items = 'visits': It can mean the same cookie as vis* in analytics. {DISTINCT}"],
    ),
    "patterns_that_meet": (
        with_categories(
            Category(id="analytics", items=(replace(ITEM, name="vis*"),)),
            Category(id="marketing", items=(replace(ITEM, name="*its"),)),
        ),
        [f"categories.marketing.items = '*its': It can mean the same cookie as vis* in analytics. {DISTINCT}"],
    ),
    "item_of_a_service_in_another_category": (
        with_categories(
            Category(id="analytics", services=(GA,)), Category(id="marketing", items=(replace(ITEM, name="_ga_X"),))
        ),
        [f"categories.marketing.items = '_ga_X': It can mean the same cookie as _ga_* in analytics. {DISTINCT}"],
    ),
    # Services
    "service_among_the_essential": (
        with_categories(Category(id="essential", services=(GA,))),
        [
            "categories.essential.services[0].type = 'google-analytics': Google Analytics is not essential. Put it "
            "into a category with the basis consent."
        ],
    ),
    "google_under_the_statistical_exception": (
        with_categories(Category(id="analytics", basis="statistical_exception", services=(GA,))),
        [f"categories.analytics.services[0].type = 'google-analytics': {EXCEPTION}"],
    ),
    "google_under_the_appearance_exception": (
        with_categories(Category(id="preferences", basis="appearance_exception", services=(GA,))),
        [f"categories.preferences.services[0].type = 'google-analytics': {EXCEPTION}"],
    ),
    "measurement_id_of_another_product": (
        with_service(measurement_id="UA-12345-1"),
        [f"categories.analytics.services[0].measurement_id = 'UA-12345-1': {MEASUREMENT}"],
    ),
    "measurement_id_with_markup": (
        with_service(measurement_id='G-1"><script>'),
        [f"categories.analytics.services[0].measurement_id = 'G-1\"><script>': {MEASUREMENT}"],
    ),
    "measurement_id_in_lower_case": (
        with_service(measurement_id="g-ab12cd34ef"),
        [f"categories.analytics.services[0].measurement_id = 'g-ab12cd34ef': {MEASUREMENT}"],
    ),
    "measurement_id_for_no_host": (
        with_service(measurement_id={}),
        ["categories.analytics.services[0].measurement_id = {}: Give one id, or an id for each host."],
    ),
    "measurement_id_for_an_unknown_host": (
        {"hosts": ("x.org",), **with_service(measurement_id={"x.org": "G-AB12CD34EF", "y.org": "AW-1"})},
        [
            "categories.analytics.services[0].measurement_id.y.org = 'AW-1': y.org is not in hosts. Add it there or "
            "remove it here.",
            f"categories.analytics.services[0].measurement_id.y.org = 'AW-1': {MEASUREMENT}",
        ],
    ),
    "script_origin_without_scheme": (
        with_service(script_origin="metrics.x.org"),
        [f"categories.analytics.services[0].script_origin = 'metrics.x.org': {TAGGING}"],
    ),
    "script_origin_with_query": (
        with_service(script_origin="https://x.org?a"),
        [f"categories.analytics.services[0].script_origin = 'https://x.org?a': {TAGGING}"],
    ),
    "script_origin_with_broken_port": (
        with_service(script_origin="https://x.org:a"),
        [f"categories.analytics.services[0].script_origin = 'https://x.org:a': {TAGGING}"],
    ),
    "google_cookie_prefix": (
        with_service(cookie_prefix="a b"),
        [f"categories.analytics.services[0].cookie_prefix = 'a b': {GA_PREFIX}"],
    ),
    "google_cookies_for_no_day": (
        with_service(cookie_days=0),
        [f"categories.analytics.services[0].cookie_days = 0: Use 1 to 184 days: {OUTLIVE}"],
    ),
    "google_cookies_that_outlive_the_consent": (
        {"acceptance_days": 30, **with_service(cookie_days=31)},
        [f"categories.analytics.services[0].cookie_days = 31: Use 1 to 30 days: {OUTLIVE}"],
    ),
}


@pytest.mark.parametrize(("settings", "lines"), [pytest.param(*case, id=name) for name, case in WRONG.items()])
def test_a_wrong_setting_is_named_with_its_value_and_its_remedy(settings: dict[str, Any], lines: list[str]) -> None:
    problems = problems_of(**settings)

    assert problems == lines


def test_all_that_is_wrong_is_said_at_once() -> None:
    surveys = Category(id="surveys", title="Surveys", purpose="They ask.", version=0)

    with pytest.raises(ConfigurationError) as raised:
        ConsentPolicy(
            site_name="",
            controller=Controller(name="", email="x"),
            categories=(surveys, Category(id="analytics", services=(GoogleAnalytics(measurement_id="GTM-1"),))),
            hosts=("X.org",),
            cookie_name="a b",
            acceptance_days=500,
            refusal_days=10,
            path_prefix="cookies",
            privacy_policy="privacy",
        )

    assert str(raised.value) == "\n".join(
        [
            "11 things are wrong in the consent policy:",
            "  1. site_name = '': Give the name visitors know the site by.",
            "  2. controller.name = '': Name the data controller.",
            "  3. controller.email = 'x': Give an e-mail address visitors can write to.",
            f"  4. hosts[0] = 'X.org': {HOST_ALONE}",
            f"  5. cookie_name = 'a b': {NAME}",
            "  6. acceptance_days = 500: Use 1 to 400 days: browsers keep no cookie longer.",
            f"  7. refusal_days = 10: Use 400 to 400 days: {REFUSAL}",
            f"  8. path_prefix = 'cookies': {PREFIX}",
            f"  9. privacy_policy = 'privacy': {PRIVACY}",
            "  10. categories.surveys.version = 0: Count versions from 1 upwards.",
            f"  11. categories.analytics.services[0].measurement_id = 'GTM-1': {MEASUREMENT}",
        ]
    )


def test_the_error_holds_the_problems_for_a_program_to_read() -> None:
    with pytest.raises(ConfigurationError) as raised:
        make_policy(site_name="")

    assert raised.value.problems == (Problem("site_name", "", "Give the name visitors know the site by."),)
    assert raised.value.source == "the consent policy"
    assert str(raised.value).startswith("1 thing is wrong in the consent policy:\n")


def test_a_long_value_is_cut_in_the_message() -> None:
    problem = Problem("site_name", "a" * 500, "Shorten it.")

    assert len(str(problem)) < 80


def test_a_missing_value_is_not_shown() -> None:
    assert str(Problem("site_name", None, "Add it.")) == "site_name: Add it."


# Right policies


def test_little_has_to_be_said() -> None:
    policy = ConsentPolicy(site_name="Luton", controller=CONTROLLER, categories=(Category(id="analytics"),))

    assert policy.cookie_name == "consentgate"
    assert policy.path_prefix == "/cookies"
    assert (policy.acceptance_days, policy.refusal_days) == (184, 365)
    assert policy.secure is None
    assert policy.cookie_domain is None
    assert policy.hosts == ()


def test_the_gate_is_careful_by_default() -> None:
    policy = make_policy()

    assert policy.undeclared == "block"
    assert policy.cache == "personal"
    assert policy.gpc == "honour"
    assert (policy.enforce, policy.dnt) == (False, False)
    assert (policy.skip_paths, policy.enforce_allows, policy.gpc_statement) == ((), (), "")


def test_an_essential_category_is_added_in_front() -> None:
    policy = make_policy(categories=(Category(id="analytics"),))

    assert policy.categories == (Category(id="essential"), Category(id="analytics"))


def test_an_essential_category_that_is_there_keeps_its_place() -> None:
    categories = (Category(id="analytics"), replace(SURVEYS, id="needed", basis="essential"))

    policy = make_policy(categories=categories)

    assert policy.categories == categories
    assert policy.first_essential.id == "needed"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"hosts": ("localhost",)}, id="localhost"),
        pytest.param({"hosts": ("127.0.0.1",)}, id="address_as_host"),
        pytest.param({"hosts": ("x.org.uk", "a.x.org.uk"), "cookie_domain": "x.org.uk"}, id="shared"),
        pytest.param({"hosts": ("a.x.localhost",), "cookie_domain": "x.localhost"}, id="shared_below_localhost"),
        pytest.param({"acceptance_days": 1, "refusal_days": 184}, id="shortest"),
        pytest.param({"acceptance_days": 400, "refusal_days": 400}, id="longest"),
        pytest.param({"path_prefix": "/legal/cookies_2.0~a"}, id="deeper_prefix"),
        pytest.param({"privacy_policy": "/privacy?a=b#c"}, id="privacy_path"),
        pytest.param({"privacy_policy": "https://x.org/privacy"}, id="privacy_address"),
        pytest.param({"cookie_name": "A" * 40}, id="longest_cookie_name"),
        pytest.param(
            with_categories(*(replace(SURVEYS, id=f"surveys{number}") for number in range(9))), id="most_categories"
        ),
        pytest.param(with_categories(replace(SURVEYS, id="a" * 24)), id="longest_category_id"),
        pytest.param(with_service(script_origin="http://localhost:8000/gtm/"), id="own_tagging_server"),
        pytest.param(with_service(cookie_days=184), id="google_cookies_as_long_as_the_consent"),
        pytest.param(
            {"hosts": ("x.org",), **with_service(measurement_id={"x.org": "G-AB12CD34EF"})},
            id="measurement_id_per_host",
        ),
        pytest.param(
            with_categories(
                Category(id="analytics", basis="statistical_exception", services=(GA,), exception_assessed=True)
            ),
            id="exception_that_was_assessed",
        ),
        pytest.param(
            with_categories(
                Category(id="analytics", items=(ITEM,)),
                Category(id="marketing", items=(replace(ITEM, type="localStorage"),)),
            ),
            id="same_name_in_another_storage",
        ),
        pytest.param(
            with_categories(Category(id="analytics", items=(ITEM, replace(ITEM, name="vis*")))),
            id="pattern_beside_a_name_of_its_own_category",
        ),
    ],
)
def test_a_right_policy_is_taken(settings: dict[str, Any]) -> None:
    policy = make_policy(**settings)

    assert all(getattr(policy, name) == value for name, value in settings.items() if name != "categories")


def test_lists_are_taken_as_well_as_tuples() -> None:
    from_lists = make_policy(
        hosts=["x.org"],
        categories=[Category(id="analytics", items=cast(Any, [ITEM]), services=cast(Any, [GA]), signals=cast(Any, []))],
    )
    from_tuples = make_policy(
        hosts=("x.org",), categories=(Category(id="analytics", items=(ITEM,), services=(GA,), signals=()),)
    )

    assert from_lists == from_tuples
    assert from_lists.items_of(from_lists.categories[1]) == from_tuples.items_of(from_tuples.categories[1])


def test_a_policy_cannot_be_changed() -> None:
    policy = make_policy()

    with pytest.raises(FrozenInstanceError):
        policy.site_name = "Bedford"  # type: ignore[misc]  # that it cannot be set is what is tested


def test_a_changed_copy_is_checked_as_well() -> None:
    policy = make_policy()

    with pytest.raises(ConfigurationError):
        replace(policy, site_name="")


# What a policy tells


def test_it_tells_categories_that_ask_from_those_that_are_on() -> None:
    exception = Category(id="analytics", basis="statistical_exception")
    policy = make_policy(categories=(exception, Category(id="marketing")))

    essential, analytics, marketing = policy.categories

    assert [c.is_essential for c in (essential, analytics, marketing)] == [True, False, False]
    assert [c.needs_consent for c in (essential, analytics, marketing)] == [False, False, True]
    assert policy.optional_categories == (analytics, marketing)
    assert policy.asks


@pytest.mark.parametrize(
    "categories",
    [
        pytest.param((), id="essential_alone"),
        pytest.param((Category(id="analytics", basis="statistical_exception"),), id="exception"),
    ],
)
def test_a_site_that_needs_no_consent_asks_nothing(categories: tuple[Category, ...]) -> None:
    assert not make_policy(categories=categories).asks


def test_a_services_items_are_listed_after_the_categorys_own() -> None:
    policy = make_policy(categories=(Category(id="analytics", items=(ITEM,), services=(GA,)),))

    items = policy.items_of(policy.categories[1])

    assert [item.name for item in items] == ["visits", "_ga", "_ga_*"]
    assert {item.duration for item in items[1:]} == {"184 days"}


@pytest.mark.parametrize(
    ("granted", "signals"),
    [
        pytest.param(frozenset({"essential"}), {"security_storage"}, id="refused"),
        pytest.param(frozenset({"essential", "analytics"}), {"security_storage", "analytics_storage"}, id="analytics"),
        pytest.param(
            frozenset({"essential", "marketing"}),
            {"security_storage", "ad_storage", "ad_user_data", "ad_personalization"},
            id="marketing",
        ),
        pytest.param(frozenset({"essential", "chat"}), {"security_storage", "functionality_storage"}, id="own_signals"),
        pytest.param(frozenset[str](), {"security_storage"}, id="nothing_at_all"),
    ],
)
def test_granted_categories_add_up_to_googles_signals(granted: frozenset[str], signals: set[str]) -> None:
    chat = Category(id="chat", title="Chat", purpose="It lets you chat.", signals=("functionality_storage",))
    policy = make_policy(categories=(Category(id="analytics"), Category(id="marketing"), chat))

    said = signals_of(policy, granted)

    assert len(said) == 7
    assert {signal for signal, on in said.items() if on} == signals


@pytest.mark.parametrize(("host", "domain"), [("x.org", "x.org"), ("a.x.org", "x.org"), ("a.b.x.org", "x.org")])
def test_a_host_is_within_a_domain(host: str, domain: str) -> None:
    assert is_within(host, domain)


@pytest.mark.parametrize(
    ("host", "domain"), [("xx.org", "x.org"), ("x.org", "a.x.org"), ("x.org.uk", "x.org"), ("", "x")]
)
def test_a_host_is_not_within_another_domain(host: str, domain: str) -> None:
    assert not is_within(host, domain)


# What a Content-Security-Policy has to let through, and what a browser has to clear


def test_only_granted_services_need_hosts() -> None:
    policy = make_policy(categories=(Category(id="analytics", services=(GA,)), Category(id="marketing")))

    assert sources_of(policy, frozenset({"essential", "marketing"})) == {}
    assert sources_of(policy, frozenset({"analytics"})) == GA.csp_sources()


def test_two_services_need_each_host_once() -> None:
    other = GoogleAnalytics(measurement_id="G-OTHER12345", cookie_prefix="other")
    own = GoogleAnalytics(measurement_id="G-OWN12345", cookie_prefix="own", script_origin="https://metrics.x.org")
    policy = make_policy(
        categories=(Category(id="analytics", services=(GA, other)), replace(SURVEYS, services=(own,))),
    )

    needed = sources_of(policy, frozenset({"analytics", "surveys"}))

    assert needed == {directive: (*sources, "https://metrics.x.org") for directive, sources in GA.csp_sources().items()}


def test_web_storage_without_consent_is_listed_as_expressions_for_its_keys() -> None:
    items = (
        replace(ITEM, name="seen", type="localStorage"),
        replace(ITEM, name="tour.*", type="sessionStorage"),
        replace(ITEM, name="visits"),
        replace(ITEM, name="base", type="indexedDB"),
    )
    policy = make_policy(categories=(Category(id="marketing", items=items),))

    assert withheld_storage(policy, frozenset({"essential"})) == [
        ("localStorage", "^seen$"),
        ("sessionStorage", r"^tour\..*$"),
    ]


def test_web_storage_that_was_granted_is_not_listed() -> None:
    policy = make_policy(categories=(Category(id="marketing", items=(replace(ITEM, type="localStorage"),)),))

    assert withheld_storage(policy, frozenset({"essential", "marketing"})) == []


def test_essential_web_storage_is_not_listed() -> None:
    policy = make_policy(categories=(Category(id="essential", items=(replace(ITEM, type="localStorage"),)),))

    assert withheld_storage(policy, frozenset({"essential"})) == []
