"""Whose word is taken about a visitor, and what a site is told."""

from __future__ import annotations

import pytest

from consentgate.gateway.forwarding import Forwarding, HeaderList, has_body

PROXY = "10.0.0.9"


def said(*headers: tuple[str, str]) -> HeaderList:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


@pytest.mark.parametrize(
    ("client", "value", "address"),
    [
        pytest.param(PROXY, "203.0.113.7", "203.0.113.7", id="one_proxy"),
        pytest.param(PROXY, "203.0.113.7, 10.1.1.1", "203.0.113.7", id="two_proxies"),
        pytest.param(PROXY, "6.6.6.6, 203.0.113.7", "203.0.113.7", id="invented_beginning"),
        pytest.param(PROXY, "10.3.3.3", "10.3.3.3", id="only_proxies"),
        pytest.param(PROXY, "unknown, nonsense", PROXY, id="no_addresses"),
        pytest.param(PROXY, "2001:db8::1", "2001:db8::1", id="ipv6"),
        pytest.param("203.0.113.9", "6.6.6.6", "203.0.113.9", id="stranger"),
        pytest.param("::ffff:10.0.0.9", "203.0.113.7", "203.0.113.7", id="ipv4_in_ipv6"),
    ],
)
def test_the_visitor_is_the_nearest_that_is_no_proxy_of_ours(client: str, value: str, address: str) -> None:
    forwarding = Forwarding(["10.0.0.0/8"], "x-forwarded")

    assert forwarding.peer_of(client, "http", said(("x-forwarded-for", value))).address == address


def test_a_strangers_word_about_the_scheme_is_not_taken() -> None:
    forwarding = Forwarding(["10.0.0.0/8"], "x-forwarded")

    assert forwarding.peer_of("203.0.113.9", "http", said(("x-forwarded-proto", "https"))).scheme == "http"
    assert forwarding.peer_of(PROXY, "http", said(("x-forwarded-proto", "https"))).scheme == "https"
    assert forwarding.peer_of(PROXY, "http", said(("x-forwarded-proto", "gopher"))).scheme == "http"


def test_proxies_may_say_it_with_forwarded() -> None:
    forwarding = Forwarding(["10.0.0.0/8"], "forwarded")
    headers = said(("forwarded", 'for=6.6.6.6, for="[2001:db8::7]:4711";proto=https'), ("x-forwarded-for", "7.7.7.7"))

    peer = forwarding.peer_of(PROXY, "http", headers)

    assert (peer.address, peer.scheme) == ("2001:db8::7", "https")


def test_an_ipv6_address_is_quoted_in_forwarded() -> None:
    forwarding = Forwarding([], "x-forwarded")
    peer = forwarding.peer_of("2001:db8::7", "http", [])

    headers = dict(forwarding.request_headers(said(("host", "a")), peer))

    assert headers[b"forwarded"] == b'for="[2001:db8::7]";host="a";proto=http'


def test_without_a_known_address_the_site_is_told_so() -> None:
    forwarding = Forwarding(["127.0.0.1"], "x-forwarded")
    peer = forwarding.peer_of("", "http", said(("x-forwarded-for", "6.6.6.6")))

    headers = dict(forwarding.request_headers([(b"host", b"a")], peer))

    assert headers[b"forwarded"] == b'for=unknown;host="a";proto=http'


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([], False, id="neither"),
        pytest.param([("content-length", "0")], False, id="empty"),
        pytest.param([("content-length", "1")], True, id="length"),
        pytest.param([("transfer-encoding", "chunked")], True, id="chunked"),
    ],
)
def test_a_request_has_a_body_when_its_head_says_so(headers: list[tuple[str, str]], expected: bool) -> None:
    assert has_body(said(*headers)) is expected
