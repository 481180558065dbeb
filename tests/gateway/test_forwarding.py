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
        pytest.param(PROXY, "6.6.6.6, 203.0.113.7:4711", "203.0.113.7", id="with_a_port"),
        pytest.param(PROXY, "6.6.6.6, [2001:db8::1]:4711", "2001:db8::1", id="ipv6_with_a_port"),
        pytest.param(PROXY, "6.6.6.6, unknown", PROXY, id="unknown_after_an_invented_one"),
        pytest.param(PROXY, "6.6.6.6, unknown, 10.1.1.1", "10.1.1.1", id="unknown_before_a_proxy"),
        pytest.param(PROXY, 'fe80::1%x";host=evil', PROXY, id="zone"),
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


@pytest.mark.parametrize(
    ("value", "address", "scheme"),
    [
        pytest.param("for=6.6.6.6, for=unknown", PROXY, "http", id="unknown"),
        pytest.param("for=6.6.6.6, for=_hidden;proto=https", PROXY, "https", id="hidden"),
        pytest.param("for=_x;proto=https, for=203.0.113.7", "203.0.113.7", "http", id="invented_and_hidden"),
        pytest.param("for=6.6.6.6;proto=https, for=203.0.113.7", "203.0.113.7", "http", id="invented_scheme"),
        pytest.param("for=203.0.113.7;proto=https, for=10.1.1.1", "203.0.113.7", "https", id="outer_proxy"),
    ],
)
def test_of_forwarded_only_what_our_proxies_wrote_is_taken(value: str, address: str, scheme: str) -> None:
    forwarding = Forwarding(["10.0.0.0/8"], "forwarded")

    peer = forwarding.peer_of(PROXY, "http", said(("forwarded", value)))

    assert (peer.address, peer.scheme) == (address, scheme)


def test_only_the_gateway_writes_headers_about_forwarding() -> None:
    forwarding = Forwarding([], "x-forwarded")
    invented = said(
        ("host", "a"), ("x-forwarded-prefix", "/evil"), ("X-Forwarded-Anything", "1"), ("x-requested-with", "x")
    )
    peer = forwarding.peer_of("203.0.113.9", "http", [])

    names = {name.decode() for name, _ in forwarding.request_headers(invented, peer)}

    forwarded = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded"}
    assert names == {"host", "x-requested-with", *forwarded}


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
