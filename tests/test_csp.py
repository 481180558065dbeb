"""Content-Security-Policy: its nonce is taken over, and it is widened by what a granted service needs and no more."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.csp import Widening, enforced, is_wide_enough, lets_frame_in, nonce_of, widened

TAGS = "https://*.tags.example"
NEEDED = {"script-src": (TAGS,), "connect-src": ("https://hits.example", TAGS), "img-src": ("https://hits.example",)}


# The nonce


@pytest.mark.parametrize(
    ("policies", "nonce"),
    [
        pytest.param(["script-src 'self' 'nonce-abc123=='"], "abc123==", id="script_src"),
        pytest.param(["default-src 'nonce-abc'"], "abc", id="default_src"),
        pytest.param(["script-src-elem 'nonce-elem'; script-src 'nonce-other'"], "elem", id="script_src_elem_first"),
        pytest.param(["SCRIPT-SRC 'nonce-aBc'"], "aBc", id="directive_in_capitals"),
        pytest.param(["script-src 'NONCE-aBc'"], "aBc", id="keyword_in_capitals"),
        pytest.param(["script-src 'nonce-a+/-_9'"], "a+/-_9", id="every_character_of_both_alphabets"),
        pytest.param(["img-src *", "script-src 'nonce-abc'"], "abc", id="in_the_second_policy"),
        pytest.param(["img-src *, script-src 'nonce-abc'"], "abc", id="in_the_second_policy_of_one_header"),
        pytest.param(["script-src 'nonce-first'; script-src 'nonce-second'"], "first", id="directive_given_twice"),
    ],
)
def test_the_nonce_for_scripts_is_found(policies: list[str], nonce: str) -> None:
    assert nonce_of(policies, "script-src") == nonce


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param([], id="no_policy"),
        pytest.param([""], id="empty_policy"),
        pytest.param(["script-src 'self'"], id="no_nonce"),
        pytest.param(["style-src 'nonce-abc'"], id="of_another_directive"),
        pytest.param(["default-src 'nonce-abc'; script-src 'self'"], id="of_a_directive_that_is_not_asked"),
        pytest.param(["script-src nonce-abc"], id="without_quotes"),
        pytest.param(["script-src 'nonce-'"], id="empty"),
        pytest.param(["script-src 'nonce-a\"><script>'"], id="markup"),
        pytest.param(["script-src 'nonce-===='"], id="nothing_but_padding"),
    ],
)
def test_no_nonce_is_found_where_none_is_given(policies: list[str]) -> None:
    assert nonce_of(policies, "script-src") == ""


def test_styles_have_a_nonce_of_their_own() -> None:
    policy = "script-src 'nonce-scripts'; style-src 'nonce-styles'"

    assert nonce_of([policy], "style-src") == "styles"
    assert nonce_of([policy], "script-src") == "scripts"


# Widened


@pytest.mark.parametrize(
    ("policy", "wider"),
    [
        pytest.param("script-src 'self'", f"script-src 'self' {TAGS}", id="directive_that_is_there"),
        pytest.param("script-src 'none'", f"script-src {TAGS}", id="none"),
        pytest.param("script-src 'NONE'", f"script-src {TAGS}", id="none_in_capitals"),
        pytest.param("script-src", f"script-src {TAGS}", id="no_sources"),
        pytest.param("Script-Src 'self'", f"script-src 'self' {TAGS}", id="case"),
        pytest.param("  script-src\t'self' ;; ", f"script-src 'self' {TAGS}", id="white_space"),
        pytest.param(
            "script-src-elem 'self'; script-src 'none'",
            f"script-src-elem 'self' {TAGS}; script-src 'none'",
            id="elem_governs",
        ),
        pytest.param(
            "default-src 'self'; base-uri 'none'",
            f"default-src 'self'; base-uri 'none'; script-src 'self' {TAGS}",
            id="fallback_gets_a_directive_of_its_own",
        ),
        pytest.param("default-src 'none'", f"default-src 'none'; script-src {TAGS}", id="fallback_to_none"),
        pytest.param(
            "script-src 'nonce-abc' 'unsafe-inline'",
            f"script-src 'nonce-abc' 'unsafe-inline' {TAGS}",
            id="nonce_stays",
        ),
        pytest.param(
            "script-src 'self'; script-src *", f"script-src 'self' {TAGS}", id="of_a_directive_given_twice_the_first"
        ),
        pytest.param(
            "script-src 'self', script-src https://a.example; img-src *",
            f"script-src 'self' {TAGS}, script-src https://a.example {TAGS}; img-src *",
            id="several_policies_in_one_header",
        ),
        pytest.param("img-src *,script-src 'self'", f"img-src *, script-src 'self' {TAGS}", id="second_of_two"),
        pytest.param(
            "script-src 'self'; report-uri /csp; upgrade-insecure-requests",
            f"script-src 'self' {TAGS}; report-uri /csp; upgrade-insecure-requests",
            id="others_stay",
        ),
        pytest.param("script-src http:", f"script-src http: {TAGS}", id="scheme_that_does_not_cover_it"),
    ],
)
def test_a_policy_lets_the_service_in_and_nothing_else(policy: str, wider: str) -> None:
    assert widened(policy, {"script-src": (TAGS,)}) == wider


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("", id="empty"),
        pytest.param("img-src  'none' ;", id="says_nothing_about_scripts"),
        pytest.param("frame-ancestors 'none'", id="has_no_fallback"),
        pytest.param(f"script-src  'self'   {TAGS} ;", id="host_is_there"),
        pytest.param(f"script-src {TAGS.upper()}", id="host_is_there_in_capitals"),
        pytest.param("script-src *", id="star"),
        pytest.param("script-src HTTPS:", id="scheme"),
        pytest.param("script-src 'nonce-abc' 'strict-dynamic'", id="strict_dynamic"),
        pytest.param("default-src 'nonce-abc' 'Strict-Dynamic'", id="strict_dynamic_as_a_fallback"),
        pytest.param("img-src 'none' ,  script-src *", id="several_that_are_wide_enough"),
    ],
)
def test_a_policy_that_lets_it_in_stays_as_it_is_byte_for_byte(policy: str) -> None:
    assert widened(policy, {"script-src": (TAGS,)}) == policy
    assert is_wide_enough([policy], {"script-src": (TAGS,)})


def test_strict_dynamic_says_nothing_about_what_scripts_fetch() -> None:
    policy = widened("default-src 'nonce-abc' 'strict-dynamic'", NEEDED)

    assert policy == (
        "default-src 'nonce-abc' 'strict-dynamic'; "
        f"connect-src 'nonce-abc' 'strict-dynamic' https://hits.example {TAGS}; "
        "img-src 'nonce-abc' 'strict-dynamic' https://hits.example"
    )


def test_every_directive_gets_what_it_needs_alone() -> None:
    policy = widened("default-src 'self'; img-src data:; connect-src https://hits.example", NEEDED)

    assert policy == (
        f"default-src 'self'; img-src data: https://hits.example; connect-src https://hits.example {TAGS}; "
        f"script-src 'self' {TAGS}"
    )


def test_a_frame_is_let_in_where_frames_are_asked_about() -> None:
    needed = {"frame-src": ("https://frames.example",)}

    assert widened("child-src 'self'; default-src 'none'", needed) == (
        "child-src 'self' https://frames.example; default-src 'none'"
    )


def test_nothing_needed_changes_nothing() -> None:
    assert widened("default-src  'none' ;", {}) == "default-src  'none' ;"


sources = st.sampled_from(["'self'", "'none'", "*", "https:", "data:", "'nonce-abc'", "'strict-dynamic'", TAGS, "a.b"])
names = st.sampled_from(
    ["default-src", "script-src", "Script-Src-Elem", "connect-src", "img-src", "style-src", "sandbox"]
)
directives = st.builds(lambda name, values: " ".join([name, *values]), names, st.lists(sources, max_size=3))
policies = st.lists(st.lists(directives, max_size=5).map("; ".join), min_size=1, max_size=3).map(", ".join)


@settings(deadline=None)
@given(policies)
def test_a_widened_policy_is_wide_enough_and_is_not_widened_again(policy: str) -> None:
    wider = widened(policy, NEEDED)

    assert is_wide_enough([wider], NEEDED)
    assert widened(wider, NEEDED) == wider


@settings(deadline=None)
@given(policies)
def test_widening_adds_no_word_that_was_neither_there_nor_needed(policy: str) -> None:
    needed = {*NEEDED, *(source for values in NEEDED.values() for source in values)}

    added = words_of(widened(policy, NEEDED)) - words_of(policy)

    assert added <= {word.lower() for word in needed}


@settings(deadline=None)
@given(policies)
def test_there_are_as_many_policies_as_before(policy: str) -> None:
    assert widened(policy, NEEDED).count(",") == policy.count(",")


def words_of(policy: str) -> set[str]:
    """List the directives and sources of a policy, in lower case."""
    return set(policy.lower().replace(";", " ").replace(",", " ").split())


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_widened(policy: str) -> None:
    assert is_wide_enough([widened(policy, NEEDED)], NEEDED)


# Whole headers, one after the other: what is remembered of one changes nothing for the next

EVERYTHING = {**NEEDED, "frame-src": ("https://frames.example",)}
nonces = st.sampled_from(
    [
        "'nonce-abc'",
        "'nonce-0'",
        "'nonce-1'",
        "'NONCE-Abc='",
        "'nonce-d+/-_9=='",
        "'nonce-'",
        "x'nonce-a'",
        "'nonce-a'x",
    ]
)
with_nonces = st.builds(lambda name, values: " ".join([name, *values]), names, st.lists(sources | nonces, max_size=4))
headers = st.lists(st.lists(with_nonces, max_size=4).map("; ".join), min_size=1, max_size=2).map(",".join)


@settings(deadline=None)
@given(st.lists(headers, min_size=1, max_size=8))
def test_each_header_becomes_what_its_policy_becomes_by_itself(several: list[str]) -> None:
    widening = Widening(NEEDED, EVERYTHING)

    became = [widening.of(header.encode()) for header in several]

    assert [one.value.decode() for one in became] == [widened(header, NEEDED) for header in several]
    assert [one.script_nonce for one in became] == [nonce_of([header], "script-src") for header in several]
    assert [one.style_nonce for one in became] == [nonce_of([header], "style-src") for header in several]
    assert [one.form.lets_all_in for one in became] == [
        is_wide_enough([widened(header, NEEDED)], EVERYTHING) for header in several
    ]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60), max_size=4))
def test_any_header_can_be_widened(several: list[str]) -> None:
    widening = Widening(NEEDED, EVERYTHING)

    became = [widening.of(header.encode("latin-1")).value.decode("latin-1") for header in several]

    assert became == [widened(header, NEEDED) for header in several]


@pytest.mark.parametrize("header", ["'nonce-B' x; default-src 'self'", " 'nonce-B' x, default-src 'self'"])
def test_a_nonce_where_none_belongs_stays_what_it_is(header: str) -> None:
    assert b"'nonce-b' x" in Widening(NEEDED, EVERYTHING).of(header.encode()).value.lower()


def test_headers_that_differ_by_their_nonce_have_one_form() -> None:
    widening = Widening(NEEDED, EVERYTHING)

    first, second = (widening.of(b"script-src 'nonce-%s' 'nonce-b'" % nonce) for nonce in (b"a", b"c"))
    other = widening.of(b"script-src 'nonce-b' 'nonce-b'")

    assert first.form is second.form
    assert first.form is not other.form
    assert (first.script_nonce, second.script_nonce) == ("a", "c")


def test_no_nonce_is_kept_and_headers_do_not_fill_the_memory() -> None:
    widening = Widening(NEEDED, EVERYTHING)
    for number in range(1_000):
        widening.of(b"default-src 'nonce-secret%d'; img-src https://%d.example" % (number, number))
        widening.of(b"img-src https://%d.example" % number)

    kept = repr(vars(widening))

    assert "secret" not in kept
    assert 0 < kept.count("img-src https://") <= 4 * 32


def test_a_long_header_is_not_kept() -> None:
    widening = Widening(NEEDED, EVERYTHING)
    before = repr(vars(widening))

    long = widening.of(b"default-src 'self'; img-src " + b"https://a.example " * 1_000)

    assert TAGS.encode() in long.value
    assert repr(vars(widening)) == before


# Wide enough


def test_no_policy_is_wide_enough() -> None:
    assert is_wide_enough([], NEEDED)


def test_every_policy_has_to_be_wide_enough() -> None:
    assert is_wide_enough(["default-src *", "default-src https:"], NEEDED)
    assert not is_wide_enough(["default-src *", "default-src 'self'"], NEEDED)


def test_one_missing_host_is_enough_to_be_too_narrow() -> None:
    assert not is_wide_enough([f"default-src {TAGS}"], NEEDED)


# Enforced


def test_without_consent_only_the_site_itself_is_let_in() -> None:
    assert enforced([], {}) == (
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; connect-src 'self' data: blob:; "
        "img-src 'self' data: blob:; frame-src 'self' data: blob:"
    )


def test_granted_services_and_the_sites_own_hosts_are_let_in() -> None:
    policy = enforced(["https://cdn.example"], NEEDED)

    assert policy == (
        f"script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: https://cdn.example {TAGS}; "
        f"connect-src 'self' data: blob: https://cdn.example https://hits.example {TAGS}; "
        "img-src 'self' data: blob: https://cdn.example https://hits.example; "
        "frame-src 'self' data: blob: https://cdn.example"
    )


def test_hosts_may_come_from_a_generator() -> None:
    policy = enforced((host for host in ["https://cdn.example"]), {})

    assert policy.count("https://cdn.example") == 4


def test_what_is_enforced_keeps_out_what_is_not_granted() -> None:
    assert not is_wide_enough([enforced([], {})], NEEDED)
    assert is_wide_enough([enforced([], NEEDED)], NEEDED)


# Frames

FILM = "https://www.film.example/embed/1"


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param([], id="no_policy"),
        pytest.param(["script-src 'self'"], id="none_about_frames"),
        pytest.param(["frame-src 'self' https://www.film.example"], id="origin"),
        pytest.param(["frame-src https://www.film.example/embed/"], id="with_a_path"),
        pytest.param(["frame-src http://www.film.example"], id="http_stands_for_https_too"),
        pytest.param(["frame-src www.film.example"], id="without_scheme"),
        pytest.param(["frame-src https://*.film.example"], id="every_host_below"),
        pytest.param(["frame-src https://www.film.example:443"], id="its_port"),
        pytest.param(["frame-src https://www.film.example:*"], id="any_port"),
        pytest.param(["frame-src https:"], id="scheme"),
        pytest.param(["frame-src *"], id="everything"),
        pytest.param(["FRAME-SRC HTTPS://WWW.FILM.EXAMPLE"], id="capitals"),
        pytest.param(["child-src www.film.example; default-src 'none'"], id="child_src"),
        pytest.param(["default-src www.film.example"], id="default_src"),
    ],
)
def test_a_frame_is_let_in(policies: list[str]) -> None:
    assert lets_frame_in(policies, FILM)
    assert lets_frame_in(policies, "//www.film.example/embed/1")


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param(["default-src 'self'"], id="own_host_alone"),
        pytest.param(["frame-src 'none'"], id="none"),
        pytest.param(["frame-src"], id="no_sources"),
        pytest.param(["frame-src https://film.example"], id="another_host"),
        pytest.param(["frame-src https://*.www.film.example"], id="hosts_below_it"),
        pytest.param(["frame-src https://*.ilm.example"], id="half_a_name"),
        pytest.param(["frame-src https://www.film.example:8443"], id="another_port"),
        pytest.param(["frame-src http:"], id="another_scheme"),
        pytest.param(["frame-src *", "frame-src 'self'"], id="one_policy_of_two"),
        pytest.param(["frame-src *, frame-src 'self'"], id="one_policy_of_one_header"),
    ],
)
def test_a_frame_is_kept_out(policies: list[str]) -> None:
    assert not lets_frame_in(policies, FILM)


@pytest.mark.parametrize("address", ["/own/frame", "film.html", ""])
def test_a_frame_of_the_pages_own_host_is_let_in(address: str) -> None:
    assert lets_frame_in(["default-src 'self'"], address)


@pytest.mark.parametrize("address", ["https://film.example:port/", "https://[half/"])
def test_what_is_no_address_is_kept_out(address: str) -> None:
    assert not lets_frame_in([], address)
