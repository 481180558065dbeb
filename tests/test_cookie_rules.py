"""Cookie rules: the category a cookie's name belongs to, and what is expired when it is not granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.cookie_rules import CookieRules, own_cookie_names
from consentgate.cookies import expiry_lines, set_cookie_name
from consentgate.policy import Category, ConsentPolicy, Controller
from consentgate.services import GoogleAnalytics
from consentgate.storage import StorageItem, StorageType

GA = GoogleAnalytics(measurement_id="G-AB12CD34EF")
ESSENTIAL = frozenset({"essential"})


def item(name: str, *, kind: StorageType = "cookie", path: str = "/") -> StorageItem:
    return StorageItem(name=name, purpose="For a test.", duration="1 day", type=kind, path=path)


def make_rules(
    *,
    essential: Sequence[StorageItem] = (),
    analytics: Sequence[StorageItem] = (),
    marketing: Sequence[StorageItem] = (),
    services: Sequence[GoogleAnalytics] = (),
    cookie_name: str = "consentgate",
) -> CookieRules:
    policy = ConsentPolicy(
        site_name="Luton",
        controller=Controller(name="Luton Council", email="privacy@luton.example"),
        categories=(
            Category(id="essential", items=tuple(essential)),
            Category(id="analytics", items=tuple(analytics), services=tuple(services)),
            Category(id="marketing", items=tuple(marketing)),
        ),
        cookie_name=cookie_name,
    )
    return CookieRules(policy)


def expiries(
    rules: CookieRules,
    names: Sequence[str],
    granted: frozenset[str] = ESSENTIAL,
    *,
    host: str = "localhost",
    path: str = "/",
    secure: bool = False,
    turn: int = 0,
) -> list[bytes]:
    """Return the expiry lines of one answer."""
    return rules.expiries(names, granted, host=host, path=path, secure=secure, turn=turn)


def attributes(line: bytes, name: bytes) -> list[bytes]:
    """List the values of one attribute of a line."""
    pairs = (part.partition(b"=") for part in line.split(b"; ")[1:])
    return [value for key, _, value in pairs if key == name]


def category_id(rules: CookieRules, name: str) -> str | None:
    category = rules.category_of(name)
    return category.id if category else None


@pytest.mark.parametrize(
    ("name", "category"),
    [
        pytest.param("session", "essential", id="exact_name"),
        pytest.param("ab_test_7", "marketing", id="pattern"),
        pytest.param("_ga", "analytics", id="service_item"),
        pytest.param("_ga_AB12CD34EF", "analytics", id="service_pattern"),
        pytest.param("_gid", "analytics", id="leftover"),
        pytest.param("_gcl_au", "analytics", id="leftover_pattern"),
        pytest.param("consentgate", "essential", id="our_own"),
        pytest.param("__Host-consentgate-message", "essential", id="our_own_message"),
        pytest.param("unknown", None, id="undeclared"),
        pytest.param("Session", None, id="other_case"),
        pytest.param("", None, id="no_name"),
    ],
)
def test_a_name_belongs_to_the_category_that_declares_it(name: str, category: str | None) -> None:
    rules = make_rules(essential=[item("session")], marketing=[item("ab_test_*")], services=[GA])

    assert category_id(rules, name) == category


def test_an_exact_name_comes_before_a_pattern() -> None:
    policy = make_policy_with_overlap()

    rules = CookieRules(policy)

    assert category_id(rules, "_gid") == "marketing"  # exact; among the leftovers of Google Analytics as well


def test_a_listed_pattern_comes_before_what_a_service_leaves_behind() -> None:
    policy = make_policy_with_overlap()

    rules = CookieRules(policy)

    assert category_id(rules, "_gcl_au") == "marketing"
    assert category_id(rules, "_gac_1") == "analytics"


def make_policy_with_overlap() -> ConsentPolicy:
    return ConsentPolicy(
        site_name="Luton",
        controller=Controller(name="Luton Council", email="privacy@luton.example"),
        categories=(
            Category(id="analytics", services=(GA,)),
            Category(id="marketing", items=(item("_gcl_*"), item("_gid"))),
        ),
    )


@pytest.mark.parametrize("name", ["consentgate", "__Host-consentgate", "__Secure-consentgate", "consentgate-message"])
def test_no_pattern_claims_the_consent_cookie(name: str) -> None:
    rules = make_rules(marketing=[item("cons*"), item("__*")])

    assert category_id(rules, name) == "essential"
    assert rules.permits(name, frozenset()) is False
    assert rules.permits(name, ESSENTIAL)


def test_the_same_pattern_claims_other_names() -> None:
    rules = make_rules(marketing=[item("cons*")])

    assert category_id(rules, "consentgates") == "marketing"


def test_not_even_an_exact_name_claims_the_consent_cookie() -> None:
    rules = make_rules(marketing=[item("consentgate")])

    assert category_id(rules, "consentgate") == "essential"


def test_the_consent_cookie_is_ours_under_the_name_it_was_given() -> None:
    rules = make_rules(marketing=[item("ch*")], cookie_name="choice")

    assert category_id(rules, "__Secure-choice") == "essential"
    assert category_id(rules, "consentgate") is None


def test_all_names_of_our_own_cookies_are_known() -> None:
    policy = replace(make_policy_with_overlap(), cookie_name="choice")

    names = own_cookie_names(policy)

    assert names == [
        "choice",
        "__Secure-choice",
        "__Host-choice",
        "choice-message",
        "__Secure-choice-message",
        "__Host-choice-message",
    ]


@pytest.mark.parametrize("kind", ["localStorage", "sessionStorage", "script", "pixel", "indexedDB"])
def test_what_is_no_cookie_declares_no_cookie(kind: StorageType) -> None:
    rules = make_rules(marketing=[item("campaign", kind=kind)])

    assert rules.category_of("campaign") is None


# What may be set or read


def test_a_granted_cookie_is_permitted() -> None:
    rules = make_rules(analytics=[item("visits")])

    assert rules.permits("visits", ESSENTIAL | {"analytics"})


def test_a_cookie_that_is_not_granted_is_not_permitted() -> None:
    rules = make_rules(analytics=[item("visits")])

    assert not rules.permits("visits", ESSENTIAL | {"marketing"})


def test_an_undeclared_cookie_is_permitted() -> None:
    rules = make_rules()

    assert rules.permits("unknown", ESSENTIAL)


# What is expired


def test_a_cookie_without_consent_is_expired_under_each_domain() -> None:
    rules = make_rules(services=[GA])

    lines = expiries(rules, ["_ga"], host="x.org")

    assert [line.partition(b"=")[0] for line in lines] == [b"_ga", b"_ga"]
    assert [b"Domain=x.org" in line for line in lines] == [False, True]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("_ga", id="granted"),
        pytest.param("session", id="essential"),
        pytest.param("consentgate", id="our_own"),
        pytest.param("unknown", id="undeclared"),
    ],
)
def test_a_cookie_that_may_stay_is_not_expired(name: str) -> None:
    rules = make_rules(essential=[item("session")], services=[GA])

    lines = expiries(rules, [name], ESSENTIAL | {"analytics"}, host="x.org", path="/a/b/", secure=True)

    assert lines == []


def test_a_cookie_is_expired_under_the_path_it_was_set_with() -> None:
    rules = make_rules(marketing=[item("basket", path="/shop"), item("offer_*", path="/offers")])

    lines = expiries(rules, ["basket", "offer_1"], secure=True)

    assert [line.split(b"; ")[1] for line in lines[:2]] == [b"Path=/shop", b"Path=/offers"]
    assert all(line.endswith(b"; Secure") for line in lines[:2])
    assert all(b"; Secure" in line for line in lines)


def test_the_lines_of_one_response_are_bounded() -> None:
    rules = make_rules(services=[GA])
    names = [f"_ga_{number}" for number in range(500)]

    lines = expiries(rules, names, host="place.x.org.uk", path="/a/b/c/", secure=True)

    assert len(lines) == 24
    assert sum(map(len, lines)) < 4_096  # bytes: the least that common proxies allow for all headers


def test_a_cookie_may_also_be_in_a_partition_or_in_a_folder_of_the_page() -> None:
    rules = make_rules(services=[GA])

    lines = expiries(rules, ["_ga"], path="/shop/basket", secure=True)

    assert [(attributes(line, b"Path"), line.endswith(b"; Secure; Partitioned")) for line in lines] == [
        ([b"/"], False),
        ([b"/"], True),
        ([b"/shop"], False),
        ([b"/shop/"], False),
    ]


def test_no_partition_is_looked_into_over_plain_http() -> None:
    rules = make_rules(services=[GA])

    lines = expiries(rules, ["_ga"], path="/shop/basket")

    assert len(lines) == 3
    assert not any(b"Partitioned" in line or b"Secure" in line for line in lines)


def test_the_root_is_an_unlikely_place_for_a_cookie_with_another_path() -> None:
    rules = make_rules(marketing=[item("basket", path="/shop")])

    lines = expiries(rules, ["basket"], path="/shop/basket")

    assert [attributes(line, b"Path") for line in lines] == [[b"/shop"], [b"/"], [b"/shop/"]]


def test_the_likely_places_come_at_every_turn() -> None:
    rules = make_rules(services=[GA])

    answers = [
        expiries(rules, ["_ga", "_ga_1"], host="place.x.org.uk", path="/a/b/c/", secure=True, turn=turn)
        for turn in range(10)
    ]

    likely = {tuple(lines[:8]) for lines in answers}
    assert len(likely) == 1
    assert all(attributes(line, b"Path") == [b"/"] and b"Partitioned" not in line for line in answers[0][:8])


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["_ga"], id="one_cookie"),
        pytest.param([f"_ga_{number}" for number in range(6)], id="as_many_as_fill_an_answer"),
        pytest.param([f"_ga_{number}" for number in range(20)], id="more_than_fill_an_answer"),
    ],
)
def test_every_place_has_its_turn(names: list[str]) -> None:
    rules = make_rules(services=[GA])
    host, path = "place.x.org.uk", "/a/b/c/d/e/page"
    domains = [None, "place.x.org.uk", "x.org.uk", "org.uk"]
    paths = ["/", *(form for folder in ("/a", "/a/b", "/a/b/c", "/a/b/c/d") for form in (folder, folder + "/"))]

    reached: set[bytes] = set()
    for turn in range(1_790_000_000, 1_790_000_200):
        lines = expiries(rules, names, host=host, path=path, secure=True, turn=turn)
        assert len(lines) <= 24
        reached.update(lines)

    for name in names:
        expected = {line for at in paths for line in expiry_lines(name, domains, path=at, secure=True)}
        assert expected | set(expiry_lines(name, domains, partitioned=True)) <= reached


def test_even_the_last_of_very_many_cookies_has_its_turn() -> None:
    rules = make_rules(services=[GA])
    names = [f"_ga_{number}" for number in range(100)]

    reached = {line.partition(b"=")[0] for turn in range(0, 8_192, 5) for line in expiries(rules, names, turn=turn)}

    assert reached == {name.encode() for name in names}


def test_a_visitor_cannot_make_an_answer_slow_by_sending_thousands_of_cookies() -> None:
    rules = make_rules(services=[GA])
    names = [f"_ga_{number}" for number in range(6_000)]
    rules.expiries(names, ESSENTIAL, host="", path="/", secure=True, turn=0)
    started = monotonic()

    lines = expiries(rules, names, host="place.x.org.uk", path="/a/b/c/d/e/", secure=True)

    assert len(lines) == 24
    assert monotonic() - started < 1  # second; it takes a twentieth


def test_a_visitor_cannot_make_the_lines_long_by_asking_for_a_long_path() -> None:
    rules = make_rules(services=[GA])

    lines = expiries(rules, ["_ga"], path=f"/{'a' * 5_000}/page", secure=True)

    assert sum(map(len, lines)) < 4_096


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("_ga_a b", id="space"),
        pytest.param("_ga_\r\nSet-Cookie: x", id="line_break"),
        pytest.param("_ga_é", id="not_ascii"),
        pytest.param("_ga_" + "x" * 300, id="too_long"),
    ],
)
def test_a_name_that_cannot_be_written_is_not_expired_but_not_permitted_either(name: str) -> None:
    rules = make_rules(services=[GA])

    lines = expiries(rules, [name])

    assert lines == []
    assert not rules.permits(name, ESSENTIAL)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=20), max_size=10))
def test_any_names_can_be_asked_about(names: list[str]) -> None:
    rules = make_rules(marketing=[item("ab*")], services=[GA])

    lines = expiries(rules, names, path="/a/b/", secure=True)

    assert all(line.isascii() and line.count(b"\n") == 0 for line in lines)


LINES = st.lists(
    st.sampled_from([b"_ga", b"_ga_1", b"seen", b"other", b"=", b"=1", b";", b"; Path=/", b" ", b"x", b"\xff"]),
    max_size=5,
).map(b"".join)


def setter_in(line: bytes) -> bytes:
    return line[: line.find(b"=") + 1]


@given(st.lists(LINES, max_size=12))
def test_a_line_belongs_to_the_category_of_the_name_it_sets_whatever_lines_came_before(lines: list[bytes]) -> None:
    rules = make_rules(essential=[item("seen")], services=[GA])

    of_lines = [rules.of_lines[setter_in(line)] for line in lines]

    assert of_lines == [rules.category_of(set_cookie_name(line)) for line in lines]


def test_a_line_without_a_name_is_not_taken_for_one_that_begins_alike() -> None:
    rules = make_rules(services=[GA])

    named, nameless = (rules.of_lines[setter_in(line)] for line in (b"_ga=1", b"_gax"))

    assert named is not None
    assert nameless is None
