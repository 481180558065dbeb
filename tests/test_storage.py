"""Storage items: which names a pattern stands for, when two patterns meet, and what is wrong with an item."""

from __future__ import annotations

import re
from dataclasses import replace
from time import monotonic

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consentgate.errors import Problem
from consentgate.storage import StorageItem, StorageType, expression, is_pattern, matches, name_problem, overlap

ITEM = StorageItem(name="session", purpose="Keeps your form.", duration="1 hour")
UNNAMED = "Give the name of the cookie or storage key."
UNFIT = "A cookie's name has no spaces, quotes, commas, semicolons or equals signs."
TOO_WIDE = "Put at least 2 characters beside *, so that it cannot claim every name."


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        pytest.param("session", "session", id="exact"),
        pytest.param("_ga_*", "_ga_AB12CD", id="end"),
        pytest.param("_ga_*", "_ga_", id="star_for_nothing"),
        pytest.param("*_seen", "tour_seen", id="beginning"),
        pytest.param("wp-*-time-*", "wp-settings-time-1", id="middle"),
        pytest.param("a*b*c", "abbbc", id="several_ways"),
        pytest.param("a**b", "axb", id="two_stars"),
        pytest.param("a*", "a\nb", id="line_break"),
    ],
)
def test_a_pattern_stands_for_a_name(pattern: str, name: str) -> None:
    assert matches(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        pytest.param("session", "Session", id="other_case"),
        pytest.param("session", "xsession", id="longer_at_the_beginning"),
        pytest.param("session", "session2", id="longer_at_the_end"),
        pytest.param("session", "session\n", id="line_break_at_the_end"),
        pytest.param("_ga_*", "_ga", id="shorter"),
        pytest.param("_ga_*", "x_ga_1", id="anchored_at_the_beginning"),
        pytest.param("*_seen", "tour_seen2", id="anchored_at_the_end"),
        pytest.param("a.b*", "axbc", id="dot_is_a_dot"),
        pytest.param("a*b*b", "ab", id="needs_both"),
    ],
)
def test_a_pattern_does_not_stand_for_another_name(pattern: str, name: str) -> None:
    assert not matches(pattern, name)


@settings(deadline=None)
@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_matching_is_that_of_a_plain_regular_expression(pattern: str, name: str) -> None:
    plain = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)

    assert matches(pattern, name) == (plain.fullmatch(name) is not None)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("seen", "seen", id="exact"),
        pytest.param("tour*", "tour.*", id="star"),
        pytest.param("*a**b*", ".*a.*b.*", id="several_stars"),
        pytest.param("a.b[c]", r"a\.b\[c\]", id="special_characters"),
    ],
)
def test_browsers_get_a_pattern_as_a_plain_expression(pattern: str, expected: str) -> None:
    assert expression(pattern) == expected


@settings(deadline=None)
@given(st.text("ab*.+(?[\\$^-/", max_size=8), st.text("ab.+(?[\\$^-/", max_size=8))
def test_the_expression_for_browsers_stands_for_the_same_names(pattern: str, name: str) -> None:
    assert (re.fullmatch(expression(pattern), name) is not None) == matches(pattern, name)


def test_a_visitor_cannot_make_matching_slow_by_a_long_name() -> None:
    started = monotonic()

    matched = matches("a*b*b*b*c", "a" + "b" * 60_000)

    assert not matched
    assert monotonic() - started < 1  # second; tried in every possible way it would take years


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("_ga", "_ga", id="same_name"),
        pytest.param("_ga*", "_ga_AB12", id="name_under_pattern"),
        pytest.param("_ga*", "_ga_*", id="narrower_pattern"),
        pytest.param("a*", "*b", id="both_ends"),
        pytest.param("a*c", "ab*", id="interleaved"),
        pytest.param("a**", "a", id="stars_for_nothing"),
        pytest.param("*", "", id="star_and_nothing"),
    ],
)
def test_two_patterns_overlap_when_some_name_fits_both(one: str, other: str) -> None:
    assert overlap(one, other)
    assert overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("_ga", "_gid", id="names"),
        pytest.param("_ga_*", "_gat_*", id="different_beginnings"),
        pytest.param("*_a", "*_b", id="different_ends"),
        pytest.param("a*", "b*", id="first_character"),
        pytest.param("", "a", id="nothing_and_a_name"),
    ],
)
def test_two_patterns_do_not_overlap_when_no_name_fits_both(one: str, other: str) -> None:
    assert not overlap(one, other)
    assert not overlap(other, one)


@settings(deadline=None)
@given(st.text("ab*", max_size=5), st.text("ab*", max_size=5), st.text("ab", max_size=10))
@example("a*", "*b", "ab")
def test_a_name_that_fits_both_means_that_they_overlap(one: str, other: str, name: str) -> None:
    if matches(one, name) and matches(other, name):
        assert overlap(one, other)


@settings(deadline=None)
@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_name_overlaps_with_a_pattern_exactly_when_it_matches(pattern: str, name: str) -> None:
    assert overlap(pattern, name) == matches(pattern, name)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("a" * 2_000 + "*", "a" * 2_000 + "*", True, id="long_names"),
        pytest.param("x" + "*a" * 60 + "*b", "x" + "*a" * 60 + "*c", False, id="many_stars"),
    ],
)
def test_even_absurd_patterns_are_compared(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected


def test_a_star_makes_a_pattern() -> None:
    assert is_pattern("_ga_*")


def test_a_name_without_star_is_no_pattern() -> None:
    assert not is_pattern("_ga")


@pytest.mark.parametrize("name", ["session", "__Host-session", "_ga_*", "ab*", "*ab", "a!#$%&'*+.^_`|~-9"])
def test_a_cookie_can_have_this_name(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        pytest.param("", UNNAMED, id="empty"),
        pytest.param("  ", UNNAMED, id="blank"),
        pytest.param("my session", UNFIT, id="space"),
        pytest.param("a=b", UNFIT, id="equals"),
        pytest.param("a;b", UNFIT, id="semicolon"),
        pytest.param('"a"', UNFIT, id="quote"),
        pytest.param("café", UNFIT, id="accent"),
        pytest.param("a\n", UNFIT, id="line_break"),
        pytest.param("*", TOO_WIDE, id="star_alone"),
        pytest.param("**", TOO_WIDE, id="stars_alone"),
        pytest.param("a*", TOO_WIDE, id="one_character"),
    ],
)
def test_a_cookie_cannot_have_this_name(name: str, remedy: str) -> None:
    assert name_problem(name) == remedy


@pytest.mark.parametrize("kind", ["localStorage", "sessionStorage", "indexedDB", "script", "pixel"])
def test_what_is_no_cookie_may_have_any_name(kind: StorageType) -> None:
    assert name_problem("my settings; café=1", kind) is None


def test_even_then_it_may_not_claim_every_name() -> None:
    assert name_problem("*", "localStorage") == TOO_WIDE


def test_a_right_item_has_no_problems() -> None:
    assert list(ITEM.problems("items[0]")) == []


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        pytest.param(replace(ITEM, name="a b"), Problem("items[0].name", "a b", UNFIT), id="name"),
        pytest.param(
            replace(ITEM, purpose=" "),
            Problem("items[0].purpose", " ", "Say in one sentence what it is for."),
            id="purpose",
        ),
        pytest.param(
            replace(ITEM, duration=""),
            Problem("items[0].duration", "", 'Say how long it is kept, for example "1 year".'),
            id="duration",
        ),
        *(
            pytest.param(
                replace(ITEM, path=path),
                Problem("items[0].path", path, 'Write the cookie\'s path, starting with "/".'),
                id=name,
            )
            for name, path in {
                "relative_path": "shop",
                "empty_path": "",
                "path_with_attribute": "/; Domain=x",
                "path_with_line_break": "/\r\nSet-Cookie: a",
                "path_not_ascii": "/café",
            }.items()
        ),
    ],
)
def test_each_wrong_value_of_an_item_is_named(item: StorageItem, problem: Problem) -> None:
    assert list(item.problems("items[0]")) == [problem]


def test_all_wrong_values_of_an_item_are_named_at_once() -> None:
    item = StorageItem(name="", purpose="", duration="", path="")

    places = [problem.place for problem in item.problems("items[0]")]

    assert places == ["items[0].name", "items[0].purpose", "items[0].duration", "items[0].path"]
