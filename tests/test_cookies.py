"""Cookie headers: which names and values a request carries, and the lines that expire a cookie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.cookies import (
    domains_to_clear,
    expiry_lines,
    is_expiry,
    is_writable_name,
    names_in,
    paths_to_clear,
    set_cookie_name,
    values_of,
    without,
)
from consentgate.origin import host_of
from tests.conftest import NOW


def cookies(*values: bytes) -> bytes:
    """Put several `Cookie` headers together, as a request's are."""
    return b"; ".join(values)


# What a request carries


def test_a_value_is_found_by_its_name() -> None:
    headers = cookies(b"a=1; consent=yes; b=2")

    assert values_of(headers, b"consent") == [b"yes"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"xconsent=yes", id="name_that_ends_like_it"),
        pytest.param(b"consentx=yes", id="name_that_begins_like_it"),
        pytest.param(b"a=consent=yes", id="value_that_looks_like_it"),
        pytest.param(b"CONSENT=yes", id="other_case"),
        pytest.param(b"consent", id="no_equals"),
        pytest.param(b"__Host-consent=yes", id="prefix"),
        pytest.param(b"", id="empty"),
    ],
)
def test_no_value_is_found_under_another_name(value: bytes) -> None:
    assert values_of(cookies(value), b"consent") == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param(b'consent="yes"', b"yes", id="quoted"),
        pytest.param(b"consent=a=b=c", b"a=b=c", id="equals_inside"),
        pytest.param(b"consent=", b"", id="empty"),
        pytest.param(b"  consent = yes ", b"yes", id="white_space"),
        pytest.param(b";;consent=yes;", b"yes", id="empty_pairs"),
        pytest.param(b"a=1;consent=yes;b=2", b"yes", id="no_spaces"),
        pytest.param(b"consent=\xff\x00", b"\xff\x00", id="bytes"),
    ],
)
def test_a_value_is_read_as_browsers_write_it(value: bytes, found: bytes) -> None:
    assert values_of(cookies(value), b"consent") == [found]


def test_all_values_of_a_name_are_found_in_order_and_over_several_headers() -> None:
    headers = cookies(b"consent=1; a=2", b"consent=3; consent=4")

    assert values_of(headers, b"consent") == [b"1", b"3", b"4"]


def test_each_name_is_listed_once_in_order() -> None:
    headers = cookies(b"b=1; a=2; b=3", b"c=4; a=5")

    assert names_in(headers) == ["b", "a", "c"]


def test_what_has_no_name_is_not_listed() -> None:
    headers = cookies(b"=value; lonely; ; a=1")

    assert names_in(headers) == ["a"]


def test_a_header_of_60_kilobytes_is_read_to_its_end() -> None:
    headers = cookies(b"; ".join(b"n%d=value" % number for number in range(6_000)) + b"; consent=yes")

    assert len(headers) > 60_000
    assert len(names_in(headers)) == 6_001
    assert values_of(headers, b"consent") == [b"yes"]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=4), st.binary(max_size=5))
def test_any_bytes_can_be_read(values: list[bytes], name: bytes) -> None:
    headers = cookies(*values)

    names = names_in(headers)

    assert len(names) == len(set(names))
    assert all(value in b"".join(values) for value in values_of(headers, name))


# What the application may see


@pytest.mark.parametrize(
    ("value", "hidden", "shown"),
    [
        pytest.param(b"a=1; b=2; c=3", ["b"], b"a=1; c=3", id="middle"),
        pytest.param(b"a=1; b=2", ["a"], b"b=2", id="first"),
        pytest.param(b"a=1; b=2", ["b"], b"a=1", id="last"),
        pytest.param(b"a=1", ["a"], b"", id="only"),
        pytest.param(b"a=1; a=2; b=3", ["a"], b"b=3", id="twice"),
        pytest.param(b"a=1;b=2", ["a"], b"b=2", id="no_space"),
        pytest.param(b'a="x y" ;  b = 2', ["c"], b'a="x y" ;  b = 2', id="nothing_hidden"),
        pytest.param(b"xa=1; ax=2; b=a=3", ["a"], b"xa=1; ax=2; b=a=3", id="only_the_whole_name"),
        pytest.param(b"c\xe9f=1; b=2", ["céf"], b"b=2", id="not_ascii"),
    ],
)
def test_hidden_cookies_are_left_out_and_the_others_keep_their_bytes(
    value: bytes, hidden: list[str], shown: bytes
) -> None:
    assert without(value, hidden) == shown


class LookedUp(frozenset[str]):
    """Names that may be looked up, and not gone through: for each of thousands of headers that would take seconds."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("gone through")


def test_the_work_for_a_header_does_not_grow_with_the_names_hidden() -> None:
    assert without(b"a=1; b=2", LookedUp(("b",))) == b"a=1"


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_nothing_is_left_when_every_name_is_hidden(value: bytes) -> None:
    left = without(value, names_in(cookies(value)))

    assert names_in(cookies(left)) == []


# What a response sets


@pytest.mark.parametrize(
    ("line", "name"),
    [
        pytest.param(b"a=1; Path=/", "a", id="attributes"),
        pytest.param(b"a=1", "a", id="alone"),
        pytest.param(b"  a = 1;HttpOnly", "a", id="white_space"),
        pytest.param(b"a=b=c; Path=/", "a", id="equals_inside"),
        pytest.param(b"a=; Max-Age=0", "a", id="expired"),
        pytest.param(b"caf\xe9=1", "café", id="not_ascii"),
        pytest.param(b"a; Path=/", "", id="no_equals"),
        pytest.param(b"=1; Path=/", "", id="no_name"),
        pytest.param(b"", "", id="empty"),
    ],
)
def test_the_name_that_a_line_sets_is_read(line: bytes, name: str) -> None:
    assert set_cookie_name(line) == name


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_line_has_a_name_without_separators(line: bytes) -> None:
    name = set_cookie_name(line)

    assert not set("=;") & set(name)


# Which lines make every browser drop a cookie. What Chromium does with each was seen in a real one.


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(b"Max-Age=0", id="no_seconds"),
        pytest.param(b"max-age = -1 ", id="negative_seconds"),
        pytest.param(b"Max-Age=00", id="zeros"),
        pytest.param(b"Max-Age=0; Expires=Thu, 01 Jan 2099 00:00:00 GMT", id="seconds_come_before_the_date"),
        pytest.param(b"Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", id="date_beside_unreadable_seconds"),
        pytest.param(b"Expires=Thu, 01 Jan 1970 00:00:00 GMT", id="date"),
        pytest.param(b"Expires=Thu, 01-Jan-1970 00:00:00 GMT", id="netscape_date"),
        pytest.param(b"Expires=Thu Jan  1 00:00:00 1970", id="asctime_date"),
        pytest.param(b"Expires=thursday, 1-jan-70 0:0:0", id="short_date"),
    ],
)
def test_a_line_that_every_browser_drops_is_an_expiry(attributes: bytes) -> None:
    assert is_expiry(b"_ga=1; " + attributes, NOW)


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(b"", id="nothing_said"),
        pytest.param(b"Max-Age=60", id="seconds"),
        pytest.param(b"Max-Age=0; Max-Age=60", id="last_seconds_count"),
        pytest.param(b"Max-Age=0; Max-Age=x", id="last_seconds_unreadable"),
        pytest.param(b"Max-Age=0; Max-Age=", id="last_seconds_empty"),
        pytest.param(b"Max-Age=" + b"0" * 1_025, id="too_long_an_attribute"),
        pytest.param(b"Max-Age=0\xa0", id="space_that_is_none"),
        pytest.param(b'Max-Age="0"', id="quoted_seconds"),
        pytest.param(b"Expires=Thu, 01 Jan 1970", id="date_without_time"),
        pytest.param(b"Expires=Thu, 01-Jan-1970 00:00 GMT", id="time_without_seconds"),
        pytest.param(b"Expires=1970-01-01 00:00:00", id="month_as_number"),
        pytest.param(b"Expires=Thu, 01 Jan 1970 24:00:00 GMT", id="hour_that_is_none"),
        pytest.param(b"Expires=Thu, 30 Feb 1970 00:00:00 GMT", id="day_that_is_none"),
        pytest.param(b"Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=x", id="last_date_unreadable"),
        pytest.param(b"Expires=0", id="zero_as_date"),
    ],
)
def test_a_line_that_a_browser_keeps_is_no_expiry(attributes: bytes) -> None:
    assert not is_expiry(b"_ga=1; " + attributes, NOW)


def test_a_date_is_read_without_its_time_zone_as_browsers_do() -> None:
    zoned = b"_ga=1; Expires=Mon, 21 Sep 2026 15:00:00 +2300"

    before, after = is_expiry(zoned, NOW), is_expiry(zoned, NOW + 3_600)

    assert not before
    assert after


# What expires a cookie


@pytest.mark.parametrize(
    ("host", "domains"),
    [
        pytest.param("place.x.org.uk", [None, "place.x.org.uk", "x.org.uk", "org.uk"], id="three_levels_below_the_top"),
        pytest.param("x.org", [None, "x.org"], id="registered_domain"),
        pytest.param("place.luton.localhost", [None, "place.luton.localhost", "luton.localhost"], id="below_localhost"),
        pytest.param("localhost", [None], id="localhost"),
        pytest.param("127.0.0.1", [None], id="ipv4"),
        pytest.param("::1", [None], id="ipv6"),
        pytest.param("::ffff:10.0.0.1", [None], id="ipv6_with_ipv4"),
        pytest.param("", [None], id="no_host"),
    ],
)
def test_a_cookie_is_cleared_on_the_host_and_every_parent(host: str, domains: list[str | None]) -> None:
    assert domains_to_clear(host) == domains


def test_a_line_expires_a_cookie_in_every_way_browsers_know() -> None:
    lines = expiry_lines("_ga", [None])

    assert lines == [b"_ga=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax"]


def test_there_is_a_line_for_each_domain() -> None:
    lines = expiry_lines("_ga", [None, "place.x.org", "x.org"], path="/shop", secure=True)

    end = b"; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax"
    assert lines == [
        b"_ga=; Path=/shop" + end + b"; Secure",
        b"_ga=; Path=/shop" + end + b"; Domain=place.x.org; Secure",
        b"_ga=; Path=/shop" + end + b"; Domain=x.org; Secure",
    ]


def test_a_line_for_a_partition_says_all_that_browsers_ask_of_one() -> None:
    lines = expiry_lines("_ga", [None, "x.org"], partitioned=True)

    start = b"_ga=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=None; "
    assert lines == [start + b"Secure; Partitioned", start + b"Domain=x.org; Secure; Partitioned"]


def test_a_host_name_is_expired_in_a_partition_too_but_under_no_domain() -> None:
    (line,) = expiry_lines("__Host-a", [None, "x.org"], partitioned=True)

    assert b"Domain" not in line
    assert line.endswith(b"; Secure; Partitioned")


@pytest.mark.parametrize("secure", [False, True])
def test_a_line_that_is_for_no_partition_does_not_say_so(secure: bool) -> None:
    (line,) = expiry_lines("_ga", [None], secure=secure)

    assert b"Partitioned" not in line
    assert b"SameSite=Lax" in line


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        pytest.param("/", [], id="root"),
        pytest.param("", [], id="none"),
        pytest.param("/page", [], id="page_at_the_root"),
        pytest.param("/shop/", ["/shop", "/shop/"], id="folder"),
        pytest.param("/shop/basket", ["/shop", "/shop/"], id="page_in_a_folder"),
        pytest.param("/a/b/page", ["/a/b", "/a/b/", "/a", "/a/"], id="deepest_first"),
        pytest.param(
            "/a/b/c/d/e/f/",
            ["/a/b/c/d", "/a/b/c/d/", "/a/b/c", "/a/b/c/", "/a/b", "/a/b/", "/a", "/a/"],
            id="four_at_the_most",
        ),
        pytest.param("//shop//basket", ["/shop", "/shop/"], id="empty_folders"),
        pytest.param("/a/b;c/page", ["/a", "/a/"], id="semicolon"),
        pytest.param("/a b/page", [], id="space"),
        pytest.param("/a/b\r\nX: 1/page", ["/a", "/a/"], id="line_break"),
        pytest.param("/caf\xe9/page", [], id="not_ascii"),
        pytest.param("/" + "a" * 99 + "/page", ["/" + "a" * 99, "/" + "a" * 99 + "/"], id="long"),
        pytest.param("/a/" + "b" * 98 + "/page", ["/a", "/a/"], id="too_long"),
    ],
)
def test_a_cookie_is_looked_for_in_the_folders_of_its_page(path: str, paths: list[str]) -> None:
    assert paths_to_clear(path) == paths


@settings(deadline=None)
@given(st.text('/ab.;, \r\n\t"\\%é', max_size=40))
def test_no_path_can_write_an_attribute_into_our_lines(path: str) -> None:
    lines = [line for at in paths_to_clear(path) for line in expiry_lines("a", [None], path=at)]

    assert all(line.count(b";") == 4 and line.isascii() and b"\n" not in line and b"\r" not in line for line in lines)


@pytest.mark.parametrize("name", ["__Secure-a", "__secure-a"])
def test_a_secure_name_is_expired_by_secure_lines_only(name: str) -> None:
    lines = expiry_lines(name, [None, "x.org"], secure=False)

    assert len(lines) == 2
    assert all(line.endswith(b"; Secure") for line in lines)


@pytest.mark.parametrize("name", ["__Host-a", "__host-a"])
def test_a_host_name_is_never_expired_under_a_domain(name: str) -> None:
    lines = expiry_lines(name, [None, "x.org"], secure=False)

    assert [b"Domain" in line for line in lines] == [False]
    assert lines[0].endswith(b"; Secure")


def test_a_plain_name_needs_no_secure_line() -> None:
    (line,) = expiry_lines("a", [None], secure=False)

    assert b"Secure" not in line


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_host_header_can_write_an_attribute_into_our_lines(authority: str) -> None:
    lines = expiry_lines("a", domains_to_clear(host_of(authority)))

    assert all(line.count(b";") == 4 + (b"Domain=" in line) for line in lines)
    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize("name", ["_ga", "__Host-a", "a!#$%&'*+.^_`|~-9", "a" * 256])
def test_a_token_can_be_written_as_a_name(name: str) -> None:
    assert is_writable_name(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("a b", id="space"),
        pytest.param("a;b", id="semicolon"),
        pytest.param("a=b", id="equals"),
        pytest.param("a\r\n", id="line_break"),
        pytest.param("café", id="not_ascii"),
        pytest.param('"a"', id="quoted"),
        pytest.param("a" * 257, id="too_long"),
    ],
)
def test_anything_else_cannot(name: str) -> None:
    assert not is_writable_name(name)
