"""The consent cookie: what it says, who can write it, and that anything else counts as no cookie at all."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer
from starlette.responses import PlainTextResponse

from consentgate.consent import Answer, Consent
from consentgate.consent_cookie import ConsentCookie, CookieTarget
from consentgate.errors import ConfigurationError
from consentgate.middleware import ConsentMiddleware
from consentgate.policy import LONGEST_CATEGORY_ID, MOST_CATEGORIES, Category, ConsentPolicy, Controller
from consentgate.records import new_receipt_id

NOW = 1_790_000_000  # seconds since 1970: a day in September 2026
DAY = 24 * 60 * 60  # seconds
KEY = "tests-sign-with-this-key-0123456789"
OTHER_KEY = "another-key-of-the-tests-9876543210"
SALT = "consentgate.consent-cookie.v1"
WORDING = "0123456789abcdef"

POLICY = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(Category(id="essential"), Category(id="analytics", version=3), Category(id="marketing")),
)
COOKIE = ConsentCookie(POLICY, [KEY])
UNDECIDED = Consent.from_answers(POLICY, {}, NOW)


def answered(*, analytics: bool, marketing: bool, at: int = NOW) -> Consent:
    answers = {
        "analytics": Answer(granted=analytics, version=3, decided_at=at, wording=WORDING),
        "marketing": Answer(granted=marketing, version=1, decided_at=at, wording=WORDING),
    }
    return Consent.from_answers(POLICY, answers, at)


ACCEPTED = answered(analytics=True, marketing=True)
REFUSED = answered(analytics=False, marketing=False)


def value_of(consent: Consent, cookie: ConsentCookie = COOKIE) -> bytes:
    return cookie.dump(consent).encode("ascii")


def payload_of(value: str) -> object:
    """Decode what a value says, without any key: anybody can."""
    payload, _, _ = value.rpartition(".")
    compressed = payload.startswith(".")
    raw = base64.urlsafe_b64decode(payload.removeprefix(".") + "===")
    content: object = json.loads(zlib.decompress(raw) if compressed else raw)
    return content


def signed(content: object, *, key: str = KEY, salt: str = SALT) -> bytes:
    """Sign any content as we do."""
    signer = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return str(URLSafeSerializer(key, salt=salt, signer_kwargs=signer).dumps(content)).encode("ascii")


# Round trip


@pytest.mark.parametrize(
    "consent",
    [
        pytest.param(ACCEPTED, id="accepted"),
        pytest.param(REFUSED, id="refused"),
        pytest.param(answered(analytics=True, marketing=False), id="mixed"),
        pytest.param(UNDECIDED, id="undecided"),
    ],
)
def test_what_was_written_is_read_again(consent: Consent) -> None:
    assert COOKIE.read([value_of(consent)], NOW) == consent


def test_answers_keep_their_own_dates_and_wordings() -> None:
    answers = {
        "analytics": Answer(granted=False, version=3, decided_at=NOW - 10 * DAY, wording="first"),
        "marketing": Answer(granted=True, version=1, decided_at=NOW, wording="second"),
    }
    consent = Consent.from_answers(POLICY, answers, NOW)

    read = COOKIE.read([value_of(consent)], NOW)

    assert read.answers == answers


def test_no_cookie_is_no_decision() -> None:
    assert COOKIE.read([], NOW) == UNDECIDED


# What it says


def test_a_refusal_says_when_to_what_and_no_more() -> None:
    value = COOKIE.dump(REFUSED)

    assert payload_of(value) == [[NOW, WORDING, {"analytics": [0, 3], "marketing": [0, 1]}]]


def test_an_acceptance_says_no_more_either() -> None:
    value = COOKIE.dump(ACCEPTED)

    assert payload_of(value) == [[NOW, WORDING, {"analytics": [1, 3], "marketing": [1, 1]}]]


def test_two_acts_are_written_newest_first() -> None:
    answers = {
        "analytics": Answer(granted=False, version=3, decided_at=NOW - DAY, wording="old"),
        "marketing": Answer(granted=True, version=1, decided_at=NOW, wording="new"),
    }

    value = COOKIE.dump(Consent.from_answers(POLICY, answers, NOW))

    assert payload_of(value) == [[NOW, "new", {"marketing": [1, 1]}], [NOW - DAY, "old", {"analytics": [0, 3]}]]


def test_visitors_who_answer_alike_in_the_same_second_get_the_same_value() -> None:
    first, second = COOKIE.dump(REFUSED), COOKIE.dump(answered(analytics=False, marketing=False))

    assert first == second


def largest_consent() -> tuple[ConsentPolicy, Consent]:
    """Return the largest policy that is allowed, each category answered at another time under another wording."""
    ids = [f"{index}{hashlib.sha256(bytes([index])).hexdigest()}" for index in range(MOST_CATEGORIES - 1)]
    categories = tuple(
        Category(id=f"c{name}"[:LONGEST_CATEGORY_ID], title="T", purpose="P", version=20_261_231) for name in ids
    )
    policy = replace(POLICY, categories=(Category(id="essential"), *categories))
    answers = {
        category.id: Answer(
            granted=index % 2 == 0,
            version=category.version,
            decided_at=NOW - index * 86_399,
            wording=hashlib.sha256(category.id.encode()).hexdigest()[:16],
        )
        for index, category in enumerate(categories)
    }
    return policy, Consent.from_answers(policy, answers, NOW, receipt=new_receipt_id())


def test_the_largest_cookie_stays_below_a_kilobyte() -> None:
    policy, consent = largest_consent()
    target = CookieTarget("__Secure-" + "n" * 40, "luton.example", secure=True)

    value = ConsentCookie(policy, [KEY]).dump(consent)

    assert consent.receipt
    assert len(consent.answers) == MOST_CATEGORIES - 1
    assert len(f"{target.name}={value}") < 1_024


def test_the_largest_cookie_is_read_again() -> None:
    policy, consent = largest_consent()
    cookie = ConsentCookie(policy, [KEY])

    assert cookie.read([value_of(consent, cookie)], NOW) == consent


def test_the_usual_cookie_is_small() -> None:
    assert len(COOKIE.dump(ACCEPTED)) < 160


@pytest.mark.parametrize(
    "consent", [pytest.param(ACCEPTED, id="accepted"), pytest.param(largest_consent()[1], id="big")]
)
def test_a_value_needs_no_quotes_in_a_header(consent: Consent) -> None:
    value = COOKIE.dump(consent)

    assert value.replace("-", "").replace("_", "").replace(".", "").isalnum()


# Who can write it


def test_a_flipped_bit_anywhere_makes_it_nobodys() -> None:
    value = value_of(ACCEPTED)
    # The last character of a base64 signature holds spare bits: not every flip of them changes what it means.
    flipped = [value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] for at in range(len(value) - 1)]

    read = [COOKIE.read([forged], NOW) for forged in flipped]

    assert read == [UNDECIDED] * len(flipped)


def test_a_truncated_value_is_nobodys() -> None:
    value = value_of(ACCEPTED)

    read = [COOKIE.read([value[:end]], NOW) for end in range(len(value))]

    assert read == [UNDECIDED] * len(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b".", id="dot"),
        pytest.param(b"yes", id="word"),
        pytest.param(value_of(ACCEPTED) + b"A", id="longer"),
        pytest.param(b"A" + value_of(ACCEPTED), id="longer_at_the_front"),
        pytest.param(value_of(ACCEPTED).lower(), id="lower_case"),
        pytest.param(value_of(ACCEPTED).replace(b".", b""), id="without_its_dot"),
        pytest.param(b"x" * 100_000, id="oversized"),
        pytest.param(b"\xff\xfe\x00", id="bytes"),
    ],
)
def test_a_malformed_value_is_nobodys(value: bytes) -> None:
    assert COOKIE.read([value], NOW) == UNDECIDED


def test_a_value_that_no_browser_could_store_is_not_even_looked_at() -> None:
    padding = hashlib.shake_256(b"incompressible").hexdigest(3_000)
    oversized = signed([[NOW, padding, {"analytics": [1, 3]}]])

    assert len(oversized) > 4_096
    assert COOKIE.read([oversized], NOW) == UNDECIDED


def test_a_value_just_short_of_that_is() -> None:
    padding = hashlib.shake_256(b"incompressible").hexdigest(2_400)
    large = signed([[NOW, padding, {"analytics": [1, 3]}]])

    assert 2_048 < len(large) <= 4_096
    assert COOKIE.read([large], NOW).allows("analytics")


def test_the_tests_sign_as_we_do() -> None:
    value = signed([[NOW, WORDING, {"analytics": [1, 3], "marketing": [1, 1]}]])

    assert value == value_of(ACCEPTED)


def test_a_value_of_another_key_is_nobodys() -> None:
    value = value_of(ACCEPTED, ConsentCookie(POLICY, [OTHER_KEY]))

    assert COOKIE.read([value], NOW) == UNDECIDED


@pytest.mark.parametrize("salt", ["itsdangerous", "cookie-session", "consentgate.consent-cookie.v2", ""])
def test_a_value_that_the_application_signed_for_something_else_is_nobodys(salt: str) -> None:
    value = signed([[NOW, WORDING, {"analytics": [1, 3]}]], salt=salt)

    assert COOKIE.read([value], NOW) == UNDECIDED


def test_a_value_of_itsdangerous_with_its_defaults_is_nobodys() -> None:
    value = str(URLSafeSerializer(KEY, salt=SALT).dumps([[NOW, WORDING, {"analytics": [1, 3]}]])).encode()

    assert COOKIE.read([value], NOW) == UNDECIDED


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="null"),
        pytest.param(1, id="number"),
        pytest.param("yes", id="text"),
        pytest.param({"analytics": True}, id="mapping"),
        pytest.param([1], id="act_that_is_a_number"),
        pytest.param([[NOW, WORDING]], id="act_without_answers"),
        pytest.param([[NOW, WORDING, ["analytics"]]], id="answers_in_a_list"),
        pytest.param([[NOW, WORDING, {"analytics": True}]], id="answer_without_version"),
        pytest.param([[NOW, WORDING, {"analytics": [2, 3]}]], id="neither_yes_nor_no"),
        pytest.param([[NOW, WORDING, {"analytics": ["1", 3]}]], id="answer_as_text"),
        pytest.param([[NOW, WORDING, {"analytics": [[], 3]}]], id="answer_as_list"),
        pytest.param([[NOW, WORDING, {"analytics": [1, "3"]}]], id="version_as_text"),
        pytest.param([[NOW, WORDING, {"analytics": [1, None]}]], id="no_version"),
        pytest.param([[str(NOW), WORDING, {"analytics": [1, 3]}]], id="time_as_text"),
        pytest.param([[NOW + 0.5, WORDING, {"analytics": [1, 3]}]], id="time_as_fraction"),
        pytest.param([[None, WORDING, {"analytics": [1, 3]}]], id="no_time"),
        pytest.param([[10**400, WORDING, {"analytics": [1, 3]}]], id="time_beyond_all"),
        pytest.param([[-1, WORDING, {"analytics": [1, 3]}]], id="time_before_all"),
        pytest.param([], id="no_acts"),
    ],
)
def test_even_what_is_signed_must_be_a_payload_of_ours(content: object) -> None:
    assert COOKIE.read([signed(content)], NOW) == UNDECIDED


def test_a_payload_nested_too_deeply_is_nobodys() -> None:
    signer = URLSafeSerializer(
        KEY, salt=SALT, signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    )
    compressed = base64.urlsafe_b64encode(zlib.compress(b"[" * 100_000)).rstrip(b"=")
    value = signer.make_signer(SALT).sign(b"." + compressed)

    assert COOKIE.read([value], NOW) == UNDECIDED


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_no_decision(values: list[bytes]) -> None:
    assert COOKIE.read(values, NOW) == UNDECIDED


@settings(deadline=None)
@given(st.integers(0, 200), st.binary(max_size=4))
def test_a_value_that_was_tampered_with_is_never_more_than_it_was(at: int, piece: bytes) -> None:
    value = value_of(REFUSED)

    read = COOKIE.read([value[:at] + piece + value[at + len(piece) :]], NOW)

    assert read in (UNDECIDED, REFUSED)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(json_values)
def test_any_signed_content_can_be_read(content: object) -> None:
    consent = COOKIE.read([signed(content)], NOW)

    assert consent.granted == {"essential"}


# Keys


def test_an_older_key_still_verifies() -> None:
    rotated = ConsentCookie(POLICY, [OTHER_KEY, KEY])

    assert rotated.read([value_of(ACCEPTED)], NOW) == ACCEPTED


def test_the_newest_key_signs() -> None:
    rotated = ConsentCookie(POLICY, [OTHER_KEY, KEY])
    newest_alone = ConsentCookie(POLICY, [OTHER_KEY])

    value = value_of(ACCEPTED, rotated)

    assert newest_alone.read([value], NOW) == ACCEPTED
    assert COOKIE.read([value], NOW) == UNDECIDED


def test_a_retired_key_verifies_no_longer() -> None:
    rotated_and_retired = ConsentCookie(POLICY, [OTHER_KEY])

    assert rotated_and_retired.read([value_of(ACCEPTED)], NOW) == UNDECIDED


DRAW = 'Draw one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        pytest.param(
            [],
            "1 thing is wrong in the signing keys:\n"
            f"  1. keys: Set CONSENTGATE_KEYS in the environment or pass keys=[...]. {DRAW}",
            id="none",
        ),
        pytest.param(
            ["x7Kq2mPz9LwR4tVn8BcY3dFg6HjS5aT"],
            "1 thing is wrong in the signing keys:\n"
            f"  1. keys[0] = 'hidden, 31 characters': It is shorter than 32 characters. {DRAW}",
            id="short",
        ),
        pytest.param(
            [KEY, ""],
            "1 thing is wrong in the signing keys:\n"
            f"  1. keys[1] = 'hidden, 0 characters': It is shorter than 32 characters. {DRAW}",
            id="empty",
        ),
        pytest.param(
            ["abcdefg" * 6],
            "1 thing is wrong in the signing keys:\n"
            f"  1. keys[0] = 'hidden, 42 characters': It repeats a few characters and can be guessed. {DRAW}",
            id="repeated",
        ),
        pytest.param(
            ["ChangeMe-ChangeMe-ChangeMe-ChangeMe!"],
            "1 thing is wrong in the signing keys:\n"
            f"  1. keys[0] = 'hidden, 36 characters': It is a well-known placeholder. {DRAW}",
            id="well_known",
        ),
        pytest.param(
            ["short", KEY, "a" * 40],
            "2 things are wrong in the signing keys:\n"
            f"  1. keys[0] = 'hidden, 5 characters': It is shorter than 32 characters. {DRAW}\n"
            f"  2. keys[2] = 'hidden, 40 characters': It repeats a few characters and can be guessed. {DRAW}",
            id="several",
        ),
    ],
)
def test_a_wrong_key_stops_the_start_and_says_so(keys: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ConsentMiddleware(PlainTextResponse("Hello"), POLICY, keys=keys)

    assert str(raised.value) == message


@pytest.mark.parametrize("key", ["short-but-mine", "abcdefg" * 6, "your-key-" + "x7Kq2mPz9LwR4tVn8BcY3dFg6HjS5aT"])
def test_no_key_is_ever_shown(key: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ConsentMiddleware(PlainTextResponse("Hello"), POLICY, keys=[key])

    assert key not in str(raised.value)
    assert key not in repr(raised.value.problems)


def test_good_keys_are_taken() -> None:
    ConsentMiddleware(PlainTextResponse("Hello"), POLICY, keys=[KEY, OTHER_KEY])


# The browser's privacy signal


@pytest.mark.parametrize("values", [pytest.param([], id="no_cookie"), pytest.param([b"nobodys"], id="forged_cookie")])
def test_a_signal_stands_in_for_a_cookie_that_says_nothing(values: list[bytes]) -> None:
    consent = COOKIE.read(values, NOW, signalled=True)

    assert consent == Consent.from_answers(POLICY, {}, NOW, signalled=True)
    assert consent.is_decided


def test_a_cookie_that_accepts_wins_over_a_signal() -> None:
    consent = COOKIE.read([value_of(ACCEPTED)], NOW, signalled=True)

    assert consent.granted == ACCEPTED.granted


def test_a_signal_is_not_written_into_the_cookie() -> None:
    signalled = Consent.from_answers(POLICY, ACCEPTED.answers, NOW, signalled=True)

    assert COOKIE.dump(signalled) == COOKIE.dump(ACCEPTED)
    assert not COOKIE.read([value_of(signalled)], NOW).signalled


# Several cookies of the same name

OLDER = answered(analytics=True, marketing=True, at=NOW - DAY)
NEWER = answered(analytics=False, marketing=False, at=NOW)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([value_of(OLDER), value_of(NEWER)], id="newest_last"),
        pytest.param([value_of(NEWER), value_of(OLDER)], id="newest_first"),
        pytest.param([b"rubbish", value_of(NEWER), b"", value_of(OLDER)], id="among_rubbish"),
    ],
)
def test_the_newest_decision_wins(values: list[bytes]) -> None:
    assert COOKIE.read(values, NOW) == NEWER


def test_a_forged_newer_one_does_not_win() -> None:
    forged = value_of(NEWER, ConsentCookie(POLICY, [OTHER_KEY]))

    assert COOKIE.read([forged, value_of(OLDER)], NOW) == OLDER


@pytest.mark.parametrize("position", [0, 1])
def test_a_decision_from_the_future_does_not_win(position: int) -> None:
    values = [value_of(OLDER)]
    values.insert(position, value_of(answered(analytics=True, marketing=False, at=NOW + 10 * DAY)))

    assert COOKIE.read(values, NOW) == OLDER


@pytest.mark.parametrize("position", [0, 1])
def test_a_decision_that_lapsed_does_not_win(position: int) -> None:
    refused_long_ago = answered(analytics=False, marketing=False, at=NOW - 300 * DAY)
    values = [value_of(refused_long_ago)]
    values.insert(position, value_of(answered(analytics=True, marketing=True, at=NOW - 200 * DAY)))

    assert COOKIE.read(values, NOW) == refused_long_ago


def test_only_a_few_cookies_are_looked_at() -> None:
    values = [b"rubbish"] * 6 + [value_of(ACCEPTED)]

    assert COOKIE.read(values, NOW) == UNDECIDED
    assert COOKIE.read(values[1:], NOW) == ACCEPTED


# How long the browser keeps it


@pytest.mark.parametrize(
    ("consent", "seconds"),
    [
        pytest.param(ACCEPTED, 184 * DAY, id="accepted"),
        pytest.param(REFUSED, 365 * DAY, id="refused"),
        pytest.param(answered(analytics=True, marketing=False), 365 * DAY, id="until_the_last_answer_lapses"),
        pytest.param(answered(analytics=True, marketing=True, at=NOW - DAY), 183 * DAY, id="a_day_ago"),
        pytest.param(UNDECIDED, 0, id="undecided"),
    ],
)
def test_the_browser_keeps_it_until_its_last_answer_lapses(consent: Consent, seconds: int) -> None:
    assert COOKIE.max_age(consent, NOW) == seconds


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    assert COOKIE.max_age(ACCEPTED, NOW + 0.25) == 184 * DAY
    assert COOKIE.max_age(ACCEPTED, NOW + 1.0) == 184 * DAY - 1


def test_it_is_never_kept_for_less_than_nothing() -> None:
    assert COOKIE.max_age(ACCEPTED, NOW + 400 * DAY) == 0


def test_reading_and_writing_again_renews_nothing() -> None:
    value = COOKIE.dump(ACCEPTED)
    later = NOW + 100 * DAY

    read = COOKIE.read([value.encode()], later)

    assert COOKIE.dump(read) == value
    assert COOKIE.max_age(read, later) == 84 * DAY


# Where it lives

SHARED = replace(POLICY, hosts=("luton.example", "place.luton.example"), cookie_domain="luton.example")


@pytest.mark.parametrize(
    ("policy", "host", "scheme", "target"),
    [
        pytest.param(
            POLICY, "luton.example", "https", CookieTarget("__Host-consentgate", None, secure=True), id="one_host"
        ),
        pytest.param(POLICY, "localhost", "http", CookieTarget("consentgate", None, secure=False), id="plain_http"),
        pytest.param(
            SHARED,
            "place.luton.example",
            "https",
            CookieTarget("__Secure-consentgate", "luton.example", secure=True),
            id="shared",
        ),
        pytest.param(
            SHARED,
            "luton.example",
            "http",
            CookieTarget("consentgate", "luton.example", secure=False),
            id="shared_over_plain_http",
        ),
        pytest.param(
            SHARED,
            "preview.example",
            "https",
            CookieTarget("__Host-consentgate", None, secure=True),
            id="host_outside_the_domain",
        ),
        pytest.param(
            SHARED,
            "xluton.example",
            "https",
            CookieTarget("__Host-consentgate", None, secure=True),
            id="host_that_ends_like_the_domain",
        ),
        pytest.param(
            replace(POLICY, secure=True),
            "luton.example",
            "http",
            CookieTarget("__Host-consentgate", None, secure=True),
            id="secure_by_order",
        ),
        pytest.param(
            replace(POLICY, secure=False),
            "luton.example",
            "https",
            CookieTarget("consentgate", None, secure=False),
            id="not_secure_by_order",
        ),
        pytest.param(POLICY, "", "https", CookieTarget("__Host-consentgate", None, secure=True), id="no_host"),
    ],
)
def test_the_prefix_fits_scope_and_scheme(policy: ConsentPolicy, host: str, scheme: str, target: CookieTarget) -> None:
    assert CookieTarget.for_request(policy, host=host, scheme=scheme) == target


def test_a_suffix_names_a_second_cookie_in_the_same_place() -> None:
    target = CookieTarget.for_request(SHARED, host="luton.example", scheme="https", suffix="-message")

    assert target == CookieTarget("__Secure-consentgate-message", "luton.example", secure=True)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        pytest.param(
            CookieTarget("__Host-consentgate", None, secure=True),
            b"__Host-consentgate=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
            id="host",
        ),
        pytest.param(
            CookieTarget("__Secure-consentgate", "luton.example", secure=True),
            b"__Secure-consentgate=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Domain=luton.example; Secure",
            id="shared",
        ),
        pytest.param(
            CookieTarget("consentgate", None, secure=False),
            b"consentgate=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
            id="plain",
        ),
    ],
)
def test_its_attributes_are_those_that_browsers_ask_of_the_prefix(target: CookieTarget, line: bytes) -> None:
    assert target.line("v", 60) == line


# After the policy has changed


def test_a_category_that_is_gone_is_forgotten() -> None:
    policy = replace(POLICY, categories=(Category(id="marketing"),))

    read = ConsentCookie(policy, [KEY]).read([value_of(ACCEPTED)], NOW)

    assert read.granted == {"essential", "marketing"}
    assert read.is_decided


def test_a_purpose_with_a_new_version_is_undecided_and_the_others_are_not() -> None:
    policy = replace(POLICY, categories=(Category(id="analytics", version=4), Category(id="marketing")))

    read = ConsentCookie(policy, [KEY]).read([value_of(ACCEPTED)], NOW)

    assert read.undecided == ("analytics",)
    assert read.granted == {"essential", "marketing"}


def test_shorter_lifetimes_hold_for_answers_given_before() -> None:
    policy = replace(POLICY, acceptance_days=30)

    read = ConsentCookie(policy, [KEY]).read([value_of(ACCEPTED)], NOW + 31 * DAY)

    assert not read.is_decided


# Receipts


def test_a_receipt_id_comes_back_with_an_acceptance() -> None:
    receipt = new_receipt_id()
    consent = Consent.from_answers(POLICY, {"analytics": Answer(True, 3, NOW)}, NOW, receipt=receipt)
    cookie = ConsentCookie(POLICY, [KEY])

    again = cookie.read([cookie.dump(consent).encode()], NOW)

    assert again.receipt == receipt
    assert again.answers == consent.answers


def test_a_refusal_carries_no_receipt_id() -> None:
    refusal = {"analytics": Answer(False, 3, NOW)}
    cookie = ConsentCookie(POLICY, [KEY])

    consent = Consent.from_answers(POLICY, refusal, NOW, receipt=new_receipt_id())

    assert consent.receipt == ""
    assert cookie.dump(consent) == cookie.dump(Consent.from_answers(POLICY, refusal, NOW))


def test_a_receipt_id_goes_with_the_acceptance_it_belongs_to() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": Answer(True, 3, NOW)}, NOW, receipt=new_receipt_id())
    cookie = ConsentCookie(POLICY, [KEY])

    later = cookie.read([cookie.dump(consent).encode()], NOW + (POLICY.acceptance_days + 1) * 24 * 60 * 60)

    assert (later.receipt, later.answers) == ("", {})
