"""A policy written in Python: a value of a wrong type is named as any wrong value is, and raises nothing else."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.errors import ConfigurationError, Problem
from consentgate.gateway_settings import GatewaySettings, SiteBehind
from consentgate.middleware import ConsentMiddleware
from consentgate.policy import Category, ConsentPolicy, Controller
from consentgate.services import (
    SERVICES,
    CustomService,
    GoogleAnalytics,
    GoogleMaps,
    GoogleTagManager,
    Matomo,
    MetaPixel,
    MicrosoftClarity,
    Plausible,
    Vimeo,
    YouTube,
)
from consentgate.services.base import ServiceDefaults
from consentgate.storage import StorageItem
from consentgate.theme import Colours, Theme
from consentgate.translations import Folder

CONTROLLER = Controller(name="Luton Council", email="privacy@luton.example")
ITEM = StorageItem(name="visits", purpose="Counts visits.", duration="1 day")
GA = GoogleAnalytics(measurement_id="G-AB12CD34EF")
CUSTOM = CustomService(title="Maps", provider="Maps Ltd", privacy_url="/maps", addresses=("maps.example",))
KEY = "q8Zr5Lw2Xv9Tn4Bm1Hk6Jd3Fp0Sg7YcA"
LIST = "Give a list, written [...]."
TEXT = "Give text in quotes."
WHOLE = "Give a whole number."


def make_policy(**given: Any) -> ConsentPolicy:
    return ConsentPolicy(**{"site_name": "Luton", "controller": CONTROLLER, **given})


def with_category(**given: Any) -> dict[str, Any]:
    return {"categories": (Category(**{"id": "analytics", **given}),)}


def with_service(service: Any) -> dict[str, Any]:
    return with_category(services=(service,))


def problems_of(**given: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        make_policy(**given)
    return [str(problem) for problem in raised.value.problems]


IN_SERVICE = "categories.analytics.services[0]"
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "text_for_a_switch": ({"secure": "false"}, "secure = 'false': Give True, False or None."),
    "number_for_a_switch": ({"dnt": 1}, "dnt = 1: Give True or False."),
    "switch_for_a_number": ({"acceptance_days": True}, f"acceptance_days = True: {WHOLE}"),
    "fraction": (with_category(version=1.5), f"categories.analytics.version = 1.5: {WHOLE}"),
    "text_for_a_number": (with_category(version="1"), f"categories.analytics.version = '1': {WHOLE}"),
    "number_of_thousands_of_digits": (
        {"acceptance_days": 10**5000},
        "acceptance_days = a number too long to write: The number is too large.",
    ),
    "bytes_for_text": ({"site_name": b"Luton"}, f"site_name = b'Luton': {TEXT}"),
    "nothing_for_text": ({"site_name": None}, f"site_name: {TEXT}"),
    "text_with_half_a_character": (
        {"site_name": "Luton \udcff"},
        "site_name = 'Luton \\udcff': It holds bytes that are no characters. Write it anew, in UTF-8.",
    ),
    "number_for_one_of_several_words": ({"undeclared": 1}, "undeclared = 1: Use one of block, report, allow."),
    "text_for_texts": ({"hosts": "x.org"}, f"hosts = 'x.org': {LIST}"),
    "bytes_for_texts": ({"skip_paths": b"/a"}, f"skip_paths = b'/a': {LIST}"),
    "dictionary_for_texts": ({"hosts": {"x.org": 1}}, f"hosts = {{'x.org': 1}}: {LIST}"),
    "number_among_texts": ({"languages": ["en", 5]}, f"languages[1] = 5: {TEXT}"),
    "no_controller": (
        {"controller": {"name": "Luton Council"}},
        "controller = {'name': 'Luton Council'}: Give a Controller, written Controller(...).",
    ),
    "field_of_the_controller": ({"controller": replace(CONTROLLER, email=5)}, f"controller.email = 5: {TEXT}"),  # type: ignore[arg-type]
    "text_for_a_category": (
        {"categories": ("analytics",)},
        "categories[0] = 'analytics': Give a Category, written Category(...).",
    ),
    "category_by_itself": (
        {"categories": Category(id="analytics")},
        f"categories = Category(id='...ssessed=False): {LIST}",
    ),
    "id_of_a_category": (with_category(id=5), f"categories[0].id = 5: {TEXT}"),
    "text_for_items": (with_category(items="visits"), f"categories.analytics.items = 'visits': {LIST}"),
    "number_for_items": (with_category(items=5), f"categories.analytics.items = 5: {LIST}"),
    "text_for_an_item": (
        with_category(items=("visits",)),
        "categories.analytics.items[0] = 'visits': Give a StorageItem, written StorageItem(...).",
    ),
    "field_of_an_item": (
        with_category(items=(replace(ITEM, name=5),)),  # type: ignore[arg-type]
        f"categories.analytics.items[0].name = 5: {TEXT}",
    ),
    "text_for_a_service": (with_service("ga"), f"{IN_SERVICE} = 'ga': Give a service of consentgate.services."),
    "class_for_a_service": (
        with_service(YouTube),
        f"{IN_SERVICE} = <class 'conse...beds.YouTube'>: Give an object instead of the class: YouTube(...).",
    ),
    "field_of_a_service": (with_service(MetaPixel(pixel_id=123456)), f"{IN_SERVICE}.pixel_id = 123456: {TEXT}"),  # type: ignore[arg-type]
    "one_of_two_types": (
        with_service(Matomo(url="https://stats.example/", site_id=1.0)),  # type: ignore[arg-type]
        f"{IN_SERVICE}.site_id = 1.0: Give a whole number or text in quotes.",
    ),
    "id_of_one_host": (
        {"hosts": ("x.org",), **with_service(GoogleAnalytics(measurement_id={"x.org": 5}))},  # type: ignore[dict-item]
        f'{IN_SERVICE}.measurement_id."x.org" = 5: {TEXT}',
    ),
    "number_for_a_hosts_name": (
        {"themes": {5: Theme()}},
        "themes = 5: Write each name as text in quotes.",
    ),
    "snippets": (with_service(replace(CUSTOM, snippets="chat()")), f"{IN_SERVICE}.snippets = 'chat()': {LIST}"),  # type: ignore[arg-type]
    "sources": (
        with_service(replace(CUSTOM, csp={"script-src": "https://x.org"})),  # type: ignore[dict-item]
        f"{IN_SERVICE}.csp.script-src = 'https://x.org': {LIST}",
    ),
    "theme": ({"theme": "dark"}, "theme = 'dark': Give a Theme, written Theme(...) or None."),
    "colour": ({"theme": Theme(light=Colours(text=0))}, f"theme.light.text = 0: {TEXT}"),  # type: ignore[arg-type]
    "where_records_are": ({"records": b"sqlite:///secret.db"}, f"records = 'hidden': {TEXT}"),
    "path_that_is_too_long": (
        {"texts": "x" * 5000},
        "texts = 'xxxxxxxxxxxx...xxxxxxxxxxxxx': There is no such folder.",
    ),
    "path_that_cannot_be": ({"templates": "\0"}, "templates = '\\x00': Give a folder"),
    "database_in_a_path_that_is_too_long": (
        {"records": f"sqlite:///{'x' * 5000}/consent.db"},
        "records = 'sqlite:///xx...xx/consent.db': Write the path of a file.",
    ),
    "address_that_cannot_be_taken_apart": (with_service(Matomo(url="https://[", site_id=1)), f"{IN_SERVICE}.url"),
    "number_in_quotes_of_thousands_of_digits": (
        with_service(Matomo(url="https://stats.example/", site_id="1" * 5000)),
        f"{IN_SERVICE}.site_id",
    ),
}


@pytest.mark.parametrize(("given", "line"), [pytest.param(*case, id=name) for name, case in WRONG.items()])
def test_a_value_of_a_wrong_type_is_named_with_its_remedy(given: dict[str, Any], line: str) -> None:
    problems = problems_of(**given)

    assert len(problems) == 1, problems
    assert problems[0].startswith(line)


def test_wrong_types_and_wrong_values_are_said_together() -> None:
    surveys = Category(id="surveys", title="Surveys", version="2")  # type: ignore[arg-type]

    problems = problems_of(secure="yes", hosts="x.org/a", cookie_name="a b", categories=[surveys, None])

    assert [problem.partition(" = ")[0].partition(": ")[0] for problem in problems] == [
        "categories.surveys.version",
        "categories[1]",
        "hosts",
        "secure",
        "cookie_name",
        "categories.surveys.purpose",
    ]


def test_what_follows_a_wrong_entry_keeps_its_place() -> None:
    problems = problems_of(**with_category(items=(5, replace(ITEM, type=5), replace(ITEM, name="other", path=5))))  # type: ignore[arg-type]

    places = [problem.partition(" = ")[0] for problem in problems]
    assert places == [f"categories.analytics.items{inside}" for inside in ("[0]", "[1].type", "[2].path")]


@pytest.mark.parametrize("make", [list, iter, deque])
def test_whatever_yields_elements_becomes_a_tuple(make: Callable[[Any], Any]) -> None:
    custom = replace(CUSTOM, addresses=make(["maps.example"]), csp={"img-src": make(["https://x.org"])})

    policy = make_policy(hosts=make(["x.org"]), **with_category(services=make([custom]), items=make([ITEM])))

    assert policy == make_policy(
        hosts=("x.org",),
        **with_category(services=(replace(CUSTOM, csp={"img-src": ("https://x.org",)}),), items=(ITEM,)),
    )


def test_what_fits_is_kept_as_it_is() -> None:
    policy = make_policy(theme=(theme := Theme()), **with_service(GA))

    assert policy.categories[1].services[0] is GA
    assert policy.theme is theme
    assert policy.controller is CONTROLLER


@pytest.mark.parametrize("make", [Path, str])
def test_folders_are_given_as_paths_or_texts(tmp_path: Path, make: type[Path | str]) -> None:
    (tmp_path / "pl.toml").write_text('[banner]\nview = "Pokaż"\n')
    (tmp_path / "error.html").write_text('{% extends "default/error.html" %}')

    policy = make_policy(texts=make(tmp_path), templates=make(tmp_path))

    ConsentMiddleware(print, policy, keys=[KEY])  # type: ignore[arg-type]  # nobody asks it for anything
    assert "pl" in policy.offered_languages


@dataclass(frozen=True)
class Counter(ServiceDefaults):
    """Be a service that somebody else wrote."""

    interval: list[int]

    kind: ClassVar[str] = "counter"
    title: ClassVar[str] = "Counter"
    provider: ClassVar[str] = "Counter Ltd"
    privacy_url: ClassVar[str] = "https://counter.example/privacy"


def test_a_service_of_your_own_is_taken_and_its_fields_are_its_own_affair() -> None:
    policy = make_policy(**with_service(counter := Counter([1, 2])))

    assert policy.categories[1].services == (counter,)


def test_an_object_that_lacks_something_is_no_service() -> None:
    assert problems_of(**with_service(object()))[0].startswith(f"{IN_SERVICE} = <object objec")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"trusted_proxies": "127.0.0.1"}, f"gateway.trusted_proxies = '127.0.0.1': {LIST}"),
        ({"trusted_proxies": (2130706433,)}, f"gateway.trusted_proxies[0] = 2130706433: {TEXT}"),
        ({"workers": "2"}, f"gateway.workers = '2': {WHOLE}"),
        ({"connect_seconds": "5"}, "gateway.connect_seconds = '5': Give a number."),
        ({"connect_seconds": True}, "gateway.connect_seconds = True: Give a number."),
        ({"log": "xml"}, "gateway.log = 'xml': Use one of json, text."),
        ({"access_log": "no"}, "gateway.access_log = 'no': Give True or False."),
        (
            {"sites": {"x.org": "http://x"}},
            "sites.\"x.org\" = 'http://x': Give a SiteBehind, written SiteBehind(...).",
        ),
        ({"sites": {"x.org": SiteBehind(upstream=5)}}, f'sites."x.org".upstream = 5: {TEXT}'),  # type: ignore[arg-type]
    ],
)
def test_the_gateways_settings_are_looked_at_in_the_same_way(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        GatewaySettings(**given)

    assert [str(problem) for problem in raised.value.problems] == [line]


def test_the_gateway_takes_whole_numbers_of_seconds() -> None:
    assert GatewaySettings(connect_seconds=3).connect_seconds == 3


# What stands beside the policy


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        (KEY.encode(), ["keys[0] = 'hidden, of the type bytes'"]),
        ([KEY, KEY.encode()], ["keys[1] = 'hidden, of the type bytes'"]),
        ([None], ["keys[0]"]),
        (5, ["keys[0] = 'hidden, of the type int'"]),
    ],
)
def test_a_key_is_text_and_is_not_shown(keys: Any, lines: list[str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ConsentMiddleware(print, make_policy(), keys=keys)  # type: ignore[arg-type]  # nobody asks it for anything

    assert [str(problem) for problem in raised.value.problems] == [
        f"{line}: A key is text of 32 characters or more." for line in lines
    ]
    assert KEY not in str(raised.value)


def test_a_key_with_half_a_character_is_named() -> None:
    with pytest.raises(ConfigurationError, match="It holds bytes that are no characters"):
        ConsentMiddleware(print, make_policy(), keys=[KEY + "\udcff"])  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("policy", {"site_name": "Luton"}), ("policy", None), ("records", b"x")])
def test_what_the_middleware_is_given_is_looked_at_in_the_same_way(name: str, value: object) -> None:
    arguments: dict[str, Any] = {"policy": make_policy(), "keys": [KEY], name: value}

    with pytest.raises(ConfigurationError) as raised:
        ConsentMiddleware(print, **arguments)  # type: ignore[arg-type]

    assert [problem.place for problem in raised.value.problems] == [name]


# Any value at any field


@dataclass(frozen=True)
class Spot:
    """Be one field of one object of a policy."""

    place: str
    kind: Any
    given: Callable[[object], dict[str, Any]]


Around = Callable[[Any], dict[str, Any]]
SERVICES_OF_A_POLICY = (
    GA,
    CUSTOM,
    GoogleMaps(),
    GoogleTagManager(container_id="GTM-LUTON1"),
    Matomo(url="https://stats.example/", site_id=1),
    MetaPixel(pixel_id="123456"),
    MicrosoftClarity(project_id="abcdef"),
    Plausible(domain="luton.example"),
    Vimeo(),
    YouTube(),
)
OBJECTS: tuple[tuple[Any, str, Around], ...] = (
    (CONTROLLER, "controller", lambda one: {"controller": one}),
    (Category(id="analytics"), "categories.analytics", lambda one: {"categories": (one,)}),
    (ITEM, "categories.analytics.items[0]", lambda one: with_category(items=(one,))),
    (Theme(), "theme", lambda one: {"theme": one}),
    (Colours(), "theme.dark", lambda one: {"theme": Theme(dark=one)}),
    *((service, IN_SERVICE, with_service) for service in SERVICES_OF_A_POLICY),
)


def spots() -> Iterator[Spot]:
    for name, kind in kinds_of(ConsentPolicy):
        yield Spot(name, kind, partial(dict_of, name))
    for right, place, around in OBJECTS:
        for name, kind in kinds_of(type(right)):
            where = "categories[0].id" if (type(right), name) == (Category, "id") else f"{place}.{name}"
            yield Spot(where, kind, partial(changed, right, around, name))


def kinds_of(model: type[Any]) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(model)
    yield from ((field.name, str if hints[field.name] == Folder else hints[field.name]) for field in fields(model))


def dict_of(name: str, value: object) -> dict[str, Any]:
    return {name: value}


def changed(right: Any, around: Around, name: str, value: object) -> dict[str, Any]:
    return around(replace(right, **{name: value}))


def fits(value: object, kind: Any) -> bool:
    """Tell whether a value is of a type, by msgspec, which reads the policies that are written in TOML."""
    try:
        msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, TypeError):  # the latter for what it does not know: our own classes
        return value in ((), [], {}) and not isinstance(kind, type)
    return True


any_text = (
    st.text(max_size=8) | st.characters() | st.sampled_from(["en", "https://[", "x" * 300, "\0", "/", "*", "x.org"])
)
any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**4000) | st.floats() | any_text | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.sampled_from(list(spots())), any_value)
def test_any_value_at_any_field_gives_a_policy_or_names_its_place(spot: Spot, value: object) -> None:
    problems = found_in(spot.given(value))

    assert all(problem.place and problem.remedy.endswith(".") and str(problem) for problem in problems)
    assert fits(value, spot.kind) or any(problem.place.startswith(spot.place) for problem in problems)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([field.name for field in fields(ConsentPolicy)]), any_value, min_size=2))
def test_any_values_at_several_fields_are_all_named(given: dict[str, object]) -> None:
    kinds = dict(kinds_of(ConsentPolicy))
    wrong = {name for name, value in given.items() if not fits(value, kinds[name])}

    named = {re.split(r"[.\[]", problem.place)[0] for problem in found_in(given)}

    assert wrong <= named


@settings(deadline=None)
@given(st.sampled_from(list(kinds_of(GatewaySettings))), any_value)
def test_any_value_among_the_gateways_settings_is_taken_or_named(field: tuple[str, Any], value: Any) -> None:
    name, kind = field

    problems = found_in({name: value}, GatewaySettings)

    assert all(problem.place and problem.remedy.endswith(".") and str(problem) for problem in problems)
    assert fits(value, kind) or problems


def test_every_kind_of_object_has_been_tried() -> None:
    assert {type(service) for service in SERVICES_OF_A_POLICY} == set(SERVICES.values())


def found_in(given: dict[str, Any], make: Callable[..., object] = make_policy) -> tuple[Problem, ...]:
    """Return what is wrong with a policy, or with other settings."""
    try:
        make(**given)
    except ConfigurationError as error:
        return error.problems
    return ()
