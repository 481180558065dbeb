"""Caching headers of a changed page: kept for one visitor or for all, with validators that know what was put in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.caching import conditions_for_app, etag_for_browser, is_marked, personal, shared

HeaderList = list[tuple[bytes, bytes]]

VARY_COOKIE = (b"vary", b"Cookie")
PRIVATE = (b"cache-control", b"private, no-cache")
STATE = "a1b2c3"


def header(headers: HeaderList, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def test_a_page_without_caching_headers_becomes_private_and_varies_on_cookies() -> None:
    assert personal([], STATE) == [VARY_COOKIE, PRIVATE]


def test_other_headers_keep_their_order_and_their_case() -> None:
    headers = [(b"Content-Type", b"text/html"), (b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"X-A", b"1")]

    assert personal(headers, STATE) == [*headers, VARY_COOKIE, PRIVATE]


def test_the_applications_own_list_is_not_touched() -> None:
    headers = [(b"etag", b'"a"'), (b"vary", b"Accept")]

    personal(headers, STATE)

    assert headers == [(b"etag", b'"a"'), (b"vary", b"Accept")]


def test_headers_may_come_from_a_generator() -> None:
    headers = ((name, b"1") for name in (b"x-a", b"x-b"))

    assert personal(headers, STATE) == [(b"x-a", b"1"), (b"x-b", b"1"), VARY_COOKIE, PRIVATE]


@pytest.mark.parametrize(
    ("values", "cache_control"),
    [
        pytest.param([b"public, max-age=600"], b"private, no-cache", id="public"),
        pytest.param([b"public", b"s-maxage=600, stale-while-revalidate=60"], b"private, no-cache", id="shared"),
        pytest.param([b"max-age=31536000, immutable"], b"private, no-cache", id="immutable"),
        pytest.param([b"private"], b"private, no-cache", id="private_already"),
        pytest.param([b"no-store"], b"private, no-cache, no-store", id="no_store"),
        pytest.param([b"No-Store, No-Transform"], b"private, no-cache, No-Store, No-Transform", id="no_transform"),
        pytest.param([b"no-store", b"no-store"], b"private, no-cache, no-store", id="twice"),
        pytest.param([b"max-age=0,must-revalidate"], b"private, no-cache, must-revalidate", id="must_revalidate"),
        pytest.param([b'private="set-cookie, x-a"'], b"private, no-cache", id="quoted_field_names"),
        pytest.param([b", ,"], b"private, no-cache", id="nothing_but_commas"),
    ],
)
def test_no_shared_cache_may_keep_the_page(values: list[bytes], cache_control: bytes) -> None:
    headers = personal([(b"Cache-Control", value) for value in values], STATE)

    assert header(headers, b"cache-control") == [cache_control]


@pytest.mark.parametrize(
    ("values", "vary"),
    [
        pytest.param([b"Accept-Encoding"], b"Accept-Encoding, Cookie", id="added"),
        pytest.param([b"Accept-Encoding", b"Origin"], b"Accept-Encoding, Origin, Cookie", id="several_headers"),
        pytest.param([b"Cookie"], b"Cookie", id="there_already"),
        pytest.param([b"accept, COOKIE"], b"accept, COOKIE", id="there_in_another_case"),
        pytest.param([b"X-Cookie"], b"X-Cookie, Cookie", id="name_that_ends_like_it"),
        pytest.param([b"*"], b"*", id="star"),
        pytest.param([b"Accept", b"*"], b"*", id="star_and_more"),
        pytest.param([b""], b"Cookie", id="empty"),
    ],
)
def test_the_page_varies_on_cookies_once(values: list[bytes], vary: bytes) -> None:
    headers = personal([(b"Vary", value) for value in values], STATE)

    assert header(headers, b"vary") == [vary]


@pytest.mark.parametrize(
    "name",
    [
        b"Last-Modified",
        b"Expires",
        b"Accept-Ranges",
        b"Content-MD5",
        b"Digest",
        b"Content-Digest",
        b"Repr-Digest",
        b"CDN-Cache-Control",
        b"Surrogate-Control",
    ],
)
def test_what_describes_the_page_without_us_does_not_survive_in_any_case(name: bytes) -> None:
    headers = personal([(name, b"value"), (name.lower(), b"value"), (name.upper(), b"value")], STATE)

    assert headers == [VARY_COOKIE, PRIVATE]


@pytest.mark.parametrize("name", [b"content-type", b"content-language", b"link", b"content-security-policy", b"date"])
def test_what_describes_the_page_all_the_same_does(name: bytes) -> None:
    headers = personal([(name, b"value")], STATE)

    assert header(headers, name) == [b"value"]


def test_a_page_that_is_made_personal_twice_is_as_it_was_after_the_first_time() -> None:
    once = personal([(b"vary", b"Accept"), (b"cache-control", b"public, no-store"), (b"x-a", b"1")], STATE)

    assert personal(once, STATE) == once


@pytest.mark.parametrize("name", [b"etag", b"ETag", b"ETAG"])
def test_a_validator_stays_in_its_place_and_says_for_which_choice_the_page_was_made(name: bytes) -> None:
    headers = personal([(b"x-a", b"1"), (name, b'"v1"'), (b"x-b", b"2")], STATE)

    assert headers == [
        (b"x-a", b"1"),
        (name, b'W/"v1..consentgate-a1b2c3"'),
        (b"x-b", b"2"),
        VARY_COOKIE,
        PRIVATE,
    ]


def test_no_validator_is_made_up_for_a_page_that_has_none() -> None:
    assert header(personal([(b"x-a", b"1")], STATE), b"etag") == []


def test_two_choices_give_one_page_two_validators() -> None:
    (before,), (after,) = (header(personal([(b"etag", b'"v1"')], state), b"etag") for state in ("yes", "no"))

    assert before != after


def test_the_page_varies_on_the_signals_that_count_as_well() -> None:
    headers = personal([(b"vary", b"Accept")], STATE, signals=[b"dnt", b"sec-gpc"])

    assert header(headers, b"vary") == [b"Accept, Cookie, dnt, sec-gpc"]


def test_a_signal_that_is_listed_already_is_not_listed_again() -> None:
    headers = personal([(b"vary", b"Sec-GPC, cookie")], STATE, signals=[b"sec-gpc"])

    assert header(headers, b"vary") == [b"Sec-GPC, cookie"]


def test_no_signal_is_added_to_a_page_that_varies_on_everything() -> None:
    headers = personal([(b"vary", b"*")], STATE, signals=[b"sec-gpc"])

    assert header(headers, b"vary") == [b"*"]


# The same page for every visitor


def test_a_shared_page_keeps_what_lets_caches_keep_it() -> None:
    headers = [
        (b"Cache-Control", b"public, max-age=600"),
        (b"CDN-Cache-Control", b"max-age=60"),
        (b"Surrogate-Control", b"max-age=60"),
        (b"Expires", b"Thu, 01 Jan 2037 00:00:00 GMT"),
        (b"Vary", b"Accept-Encoding"),
    ]

    assert shared(headers, STATE) == headers


def test_a_shared_page_has_the_validator_of_what_was_put_in() -> None:
    assert shared([(b"ETag", b'"v1"')], STATE) == [(b"ETag", b'W/"v1..consentgate-a1b2c3"')]


@pytest.mark.parametrize(
    "name", [b"Last-Modified", b"Accept-Ranges", b"Content-MD5", b"Digest", b"Content-Digest", b"Repr-Digest"]
)
def test_what_describes_the_page_without_us_does_not_survive_in_a_shared_page_either(name: bytes) -> None:
    assert shared([(name, b"value"), (name.lower(), b"value"), (name.upper(), b"value")], STATE) == []


# Validators


@pytest.mark.parametrize(
    ("etag", "marked"),
    [
        pytest.param(b'"v1"', b'W/"v1..consentgate-a1b2c3"', id="strong_becomes_weak"),
        pytest.param(b'W/"v1"', b'W/"v1..consentgate-a1b2c3"', id="weak"),
        pytest.param(b'"a,b"', b'W/"a,b..consentgate-a1b2c3"', id="comma"),
        pytest.param(b'""', b'W/"..consentgate-a1b2c3"', id="empty"),
        pytest.param(b"v1", b'W/"v1..consentgate-a1b2c3"', id="without_quotes"),
        pytest.param(b'"\xe9"', b'W/"\xe9..consentgate-a1b2c3"', id="not_ascii"),
    ],
)
def test_a_browser_gets_a_weak_validator_with_our_mark(etag: bytes, marked: bytes) -> None:
    assert etag_for_browser(etag, STATE) == marked


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(b'W/"v1..consentgate-a1b2c3"', b'"v1", W/"v1"', id="ours"),
        pytest.param(b'"v1..consentgate-a1b2c3"', b'"v1", W/"v1"', id="ours_made_strong_by_a_proxy"),
        pytest.param(b'W/"a,b..consentgate-a1b2c3"', b'"a,b", W/"a,b"', id="comma"),
        pytest.param(b'W/"..consentgate-a1b2c3"', b'"", W/""', id="empty"),
        pytest.param(
            b'W/"v1..consentgate-other", W/"v2..consentgate-a1b2c3"', b'"v2", W/"v2"', id="several_of_which_one_fits"
        ),
        pytest.param(
            b'W/"v1..consentgate-a1b2c3",W/"v2..consentgate-a1b2c3"',
            b'"v1", W/"v1", "v2", W/"v2"',
            id="several_that_fit",
        ),
        pytest.param(b'W/"v1..consentgate-other"', b"", id="made_for_another_choice"),
        pytest.param(b'W/"v1..consentgate-a1b2c"', b"", id="beginning_of_the_state"),
        pytest.param(b'W/"v1..consentgate-a1b2c34"', b"", id="longer_than_the_state"),
        pytest.param(b'W/"v1..consentgate-"', b"", id="no_state"),
        pytest.param(b'"v1"', b"", id="the_applications_own"),
        pytest.param(b'W/"v1", "v2"', b"", id="several_of_its_own"),
        pytest.param(b"*", b"", id="star"),
        pytest.param(b"v1..consentgate-a1b2c3", b"", id="without_quotes"),
        pytest.param(b'"v1..consentgate-a1b2c3', b"", id="unfinished"),
        pytest.param(b"", b"", id="nothing"),
    ],
)
def test_of_a_page_the_application_may_only_confirm_what_was_made_for_the_same_choice(
    value: bytes, shown: bytes
) -> None:
    assert conditions_for_app(value, STATE, is_page=True) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(b'"v1", W/"a,b"', b'"v1", W/"a,b"', id="its_own_stay"),
        pytest.param(b'"v1", W/"v2..consentgate-a1b2c3"', b'"v1", "v2", W/"v2"', id="its_own_and_ours"),
        pytest.param(b'"v1", W/"v2..consentgate-other"', b'"v1"', id="not_those_for_another_choice"),
    ],
)
def test_of_anything_else_the_application_may_confirm_its_own_as_well(value: bytes, shown: bytes) -> None:
    assert conditions_for_app(value, STATE, is_page=False) == shown


@pytest.mark.parametrize(
    ("value", "marked"),
    [
        pytest.param(b'W/"v1..consentgate-a1b2c3"', True, id="ours"),
        pytest.param(b'"v0", W/"v1..consentgate-a1b2c3"', True, id="ours_among_others"),
        pytest.param(b'"v1"', False, id="the_applications"),
        pytest.param(b"*", False, id="star"),
        pytest.param(b'"consentgate"', False, id="our_name_alone"),
    ],
)
def test_a_condition_of_ours_is_recognised(value: bytes, marked: bool) -> None:
    assert is_marked(value) is marked


def test_a_validator_that_two_gates_marked_is_unmarked_by_the_outer_one_first() -> None:
    both = etag_for_browser(etag_for_browser(b'"v1"', "inner"), "outer")

    for_inner = conditions_for_app(both, "outer", is_page=True)

    assert for_inner == b'"v1..consentgate-inner", W/"v1..consentgate-inner"'
    assert conditions_for_app(for_inner, "inner", is_page=True) == b'"v1", W/"v1", "v1", W/"v1"'


# RFC 9110 8.8.3: what may stand between the quotes
opaque_tags = st.binary(max_size=30).map(
    lambda tag: bytes(byte for byte in tag if byte >= 0x21 and byte not in b'"\x7f')
)
states = st.text("0123456789abcdef", min_size=1, max_size=16)


@settings(deadline=None)
@given(st.lists(opaque_tags, min_size=1, max_size=4), states, st.booleans(), st.booleans())
def test_what_a_browser_holds_comes_back_as_the_application_wrote_it(
    tags: list[bytes], state: str, weak: bool, is_page: bool
) -> None:
    etags = [(b'W/"%s"' if weak else b'"%s"') % tag for tag in tags]

    shown = conditions_for_app(b", ".join(etag_for_browser(etag, state) for etag in etags), state, is_page=is_page)

    assert shown == b", ".join(b'"%s", W/"%s"' % (tag, tag) for tag in tags)


@settings(deadline=None)
@given(opaque_tags, states, states, st.booleans())
def test_what_was_made_for_another_choice_is_never_confirmed(
    tag: bytes, made_for: str, state: str, is_page: bool
) -> None:
    shown = conditions_for_app(etag_for_browser(b'"%s"' % tag, made_for), state, is_page=is_page)

    assert bool(shown) is (made_for == state)


@settings(deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_any_condition_can_be_read(value: bytes, is_page: bool) -> None:
    shown = conditions_for_app(value, STATE, is_page=is_page)

    assert all(member in value for member in shown.split(b", ")) or is_marked(value)
    assert not (is_page and shown and not is_marked(value))
