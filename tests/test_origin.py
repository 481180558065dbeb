"""Same origin or not, safe way back or not: what request headers and form fields are believed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.origin import host_of, is_same_origin, local_path

HOST = "place.luton.example"
HOSTS = ("luton.example", "place.luton.example")


@pytest.mark.parametrize("fetch_site", ["same-origin", "none", "Same-Origin", " same-origin "])
def test_the_browser_says_that_the_request_comes_from_this_site(fetch_site: str) -> None:
    assert is_same_origin(fetch_site=fetch_site, origin="", host=HOST)


@pytest.mark.parametrize("fetch_site", ["cross-site", "same-site", "same-origin, cross-site", "anything", " "])
def test_the_browser_says_that_it_comes_from_another(fetch_site: str) -> None:
    assert not is_same_origin(fetch_site=fetch_site, origin=f"https://{HOST}", host=HOST, trusted_hosts=HOSTS)


def test_what_the_browser_says_of_the_site_counts_before_the_origin() -> None:
    assert is_same_origin(fetch_site="same-origin", origin="null", host=HOST)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        pytest.param(f"https://{HOST}", HOST, id="https"),
        pytest.param(f"http://{HOST}", HOST, id="http"),
        pytest.param(f"https://{HOST}:8443", f"{HOST}:8443", id="port"),
        pytest.param(f"https://{HOST.upper()}", HOST, id="capitals_in_origin"),
        pytest.param(f"https://{HOST}", HOST.upper(), id="capitals_in_host"),
        pytest.param("http://127.0.0.1:8000", "127.0.0.1:8000", id="ipv4"),
        pytest.param("http://[::1]:8000", "[::1]:8000", id="ipv6"),
        pytest.param("", HOST, id="no_page_at_all"),
    ],
)
def test_an_older_browsers_origin_is_this_site(origin: str, host: str) -> None:
    assert is_same_origin(fetch_site="", origin=origin, host=host)


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("https://evil.example", id="other_host"),
        pytest.param("null", id="opaque"),
        pytest.param(f"https://{HOST}:8443", id="other_port"),
        pytest.param(f"https://x{HOST}", id="host_that_ends_like_it"),
        pytest.param(f"https://{HOST}.evil.example", id="host_that_begins_like_it"),
        pytest.param("https://luton.example", id="parent_that_is_not_listed"),
        pytest.param(f"https://evil.example/{HOST}", id="path"),
        pytest.param(f"https://{HOST}@evil.example", id="user"),
        pytest.param(HOST, id="no_scheme"),
        pytest.param("https://", id="no_host"),
        pytest.param("https://[", id="broken"),
        pytest.param("https://[::1", id="broken_ipv6"),
        pytest.param(" ", id="blank"),
    ],
)
def test_an_older_browsers_origin_is_another_site(origin: str) -> None:
    assert not is_same_origin(fetch_site="", origin=origin, host=HOST)


def test_an_origin_is_never_this_site_when_no_host_is_known() -> None:
    assert not is_same_origin(fetch_site="", origin="https://", host="")


@pytest.mark.parametrize("origin", ["https://luton.example", "https://luton.example:8443"])
def test_a_listed_host_is_trusted_on_any_port(origin: str) -> None:
    assert is_same_origin(fetch_site="", origin=origin, host=HOST, trusted_hosts=HOSTS)


@pytest.mark.parametrize("origin", ["https://evil.example", "https://x.luton.example", "null"])
def test_a_host_that_is_not_listed_is_not_trusted(origin: str) -> None:
    assert not is_same_origin(fetch_site="", origin=origin, host=HOST, trusted_hosts=HOSTS)


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_headers_get_an_answer(fetch_site: str, origin: str, host: str) -> None:
    assert is_same_origin(fetch_site=fetch_site, origin=origin, host=host) in (True, False)


# The way back


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/news",
        "/news?page=2&sort=a+b",
        "/news#top",
        "/a//b",
        "/caf%C3%A9",
        "/%09/evil.example",
        "/..//evil.example",  # browsers resolve it on this site: `..` of the root is the root
        "/:80",
        "/@evil.example",
        "/" + "a" * 2_047,
    ],
)
def test_a_path_of_this_site_is_a_way_back(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("", id="empty"),
        pytest.param("//evil.example", id="other_host"),
        pytest.param("///evil.example", id="three_slashes"),
        pytest.param("/\\evil.example", id="backslash"),
        pytest.param("\\/evil.example", id="backslash_first"),
        pytest.param("\\\\evil.example", id="two_backslashes"),
        pytest.param("/\t/evil.example", id="tab"),
        pytest.param("/\n/evil.example", id="line_break"),
        pytest.param("/\r\nset-cookie: a=1", id="header"),
        pytest.param("/\0", id="nul"),
        pytest.param("/\x7f", id="delete"),
        pytest.param(" /news", id="space_first"),
        pytest.param("/a b", id="space"),
        pytest.param("https://evil.example/", id="address"),
        pytest.param("https:", id="scheme_alone"),
        pytest.param("https:/evil.example", id="scheme_and_one_slash"),
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("evil.example", id="relative"),
        pytest.param("?page=2", id="query_alone"),
        pytest.param("/café", id="not_ascii"),
        pytest.param("/\u2215evil.example", id="slash_look_alike"),
        pytest.param('/"><script>', id="markup"),
        pytest.param("/a'b", id="single_quote"),
        pytest.param("/" + "a" * 2_048, id="too_long"),
    ],
)
def test_anything_else_is_none(address: str) -> None:
    assert local_path(address) is None


@settings(deadline=None)
@given(st.text())
def test_a_way_back_never_leaves_the_site(value: str) -> None:
    path = local_path(value)

    assert path is None or (path == value and path.startswith("/") and path[1:2] not in ("/", "\\"))


# The host


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        pytest.param("luton.example", "luton.example", id="host"),
        pytest.param("Luton.Example:8000", "luton.example", id="port_and_capitals"),
        pytest.param("luton.example:", "luton.example", id="empty_port"),
        pytest.param("localhost:8000", "localhost", id="localhost"),
        pytest.param("127.0.0.1:8000", "127.0.0.1", id="ipv4"),
        pytest.param("[::1]:8000", "::1", id="ipv6"),
        pytest.param("xn--caf-dma.example", "xn--caf-dma.example", id="punycode"),
        pytest.param("my_app", "my_app", id="underscore"),
        pytest.param("a." * 126 + "b", "a." * 126 + "b", id="longest"),
    ],
)
def test_the_host_is_read_without_port_in_lower_case(authority: str, host: str) -> None:
    assert host_of(authority) == host


@pytest.mark.parametrize(
    "authority",
    [
        pytest.param("", id="empty"),
        pytest.param(":8000", id="port_alone"),
        pytest.param("[", id="broken"),
        pytest.param("[::1", id="broken_ipv6"),
        pytest.param("a b", id="space"),
        pytest.param("a.b; Secure", id="attribute"),
        pytest.param("user@luton.example", id="user"),
        pytest.param("luton.example/path", id="path"),
        pytest.param("luton.example:http", id="port_that_is_no_number"),
        pytest.param("café.example", id="not_ascii"),
        pytest.param("luton.example\n", id="line_break"),
        pytest.param("a." * 126 + "bc", id="longer_than_any_name"),
        pytest.param("luton.example:000443", id="longer_than_any_port"),
        pytest.param(f"[{'1:' * 30}:]", id="longer_than_any_address"),
    ],
)
def test_what_is_no_host_is_empty(authority: str) -> None:
    assert host_of(authority) == ""


@settings(deadline=None)
@given(st.text())
def test_any_host_header_can_be_read(authority: str) -> None:
    host = host_of(authority)

    assert host.isascii()
    assert not set(host) & set(" ;,\r\n/@")
