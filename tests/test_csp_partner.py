"""Content-Security-Policy: the nonce taken over, services let in once they are granted, and the rest kept out."""

from __future__ import annotations

import pytest

from consentgate import ConsentPolicy
from tests.conftest import (
    BANNER,
    GRANTED,
    PAGE,
    REFUSED,
    TAG,
    Answer,
    Headers,
    ask,
    body,
    make_policy,
    page,
    request,
    scripted,
    start,
)

pytestmark = pytest.mark.anyio

CSP = b"content-security-policy"
REPORT_ONLY = b"content-security-policy-report-only"
SELF = (CSP, b"default-src 'self'")
GOOGLE = b"https://*.googletagmanager.com"
ENFORCED = make_policy(enforce=True, enforce_allows=("https://cdn.luton.example",))


def directives(value: bytes) -> dict[str, list[str]]:
    parts = (part.split() for part in value.decode().split(";"))
    return {name: sources for name, *sources in parts}


async def policies(
    *headers: tuple[bytes, bytes], answers: dict[str, bool] | None = None, policy: ConsentPolicy | None = None
) -> list[bytes]:
    return (await ask(page(*headers), request(answers=answers), policy=policy)).all(CSP)


# Widened by what is granted, and by nothing else.


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(None, id="undecided"),
        pytest.param(REFUSED, id="refused"),
        pytest.param({"analytics": False, "marketing": True}, id="accepted_what_has_no_service"),
    ],
)
async def test_policy_stays_byte_for_byte_without_a_granted_service(answers: dict[str, bool] | None) -> None:
    odd = b"Default-SRC  'self' ;; IMG-src *;"

    assert await policies((CSP, odd), answers=answers) == [odd]


async def test_policy_lets_in_exactly_the_hosts_of_a_granted_service() -> None:
    (value,) = await policies(SELF, answers=GRANTED)

    assert directives(value) == {
        "default-src": ["'self'"],
        "script-src": ["'self'", "https://*.googletagmanager.com"],
        "connect-src": [
            "'self'",
            "https://*.google-analytics.com",
            "https://*.analytics.google.com",
            "https://*.googletagmanager.com",
        ],
        "img-src": ["'self'", "https://*.google-analytics.com", "https://*.googletagmanager.com"],
    }


async def test_every_policy_of_a_response_lets_the_service_in_and_keeps_its_place() -> None:
    sent: Headers = [SELF, (b"x-between", b"1"), (CSP, b"script-src 'none'"), (REPORT_ONLY, b"default-src 'none'")]

    answer = await ask(page(*sent), request(answers=GRANTED))

    names = [key for key, _ in answer.headers]
    assert names[1:5] == [CSP, b"x-between", CSP, REPORT_ONLY]
    first, second = answer.all(CSP)
    assert GOOGLE in first
    assert directives(second) == {"script-src": ["https://*.googletagmanager.com"]}
    assert directives(answer.all(REPORT_ONLY)[0])["script-src"] == ["https://*.googletagmanager.com"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"frame-ancestors 'none'; base-uri 'self'", id="other_directives"),
        pytest.param(b"script-src https:; connect-src *; img-src *", id="wide_already"),
        pytest.param(b"", id="empty"),
    ],
)
async def test_policy_that_is_wide_enough_stays_byte_for_byte(value: bytes) -> None:
    assert await policies((CSP, value), answers=GRANTED) == [value]


async def test_page_without_a_policy_gets_none() -> None:
    answer = await ask(page(), request(answers=GRANTED))

    assert answer.all(CSP) == answer.all(REPORT_ONLY) == []


async def test_title_case_policy_is_widened() -> None:
    answer = await ask(page((b"Content-Security-Policy", SELF[1])), request(answers=GRANTED))

    assert GOOGLE in answer.all(CSP)[0]


@pytest.mark.parametrize("media_type", [b"application/json", b"image/svg+xml"])
async def test_policy_of_what_is_no_page_stays(media_type: bytes) -> None:
    app = scripted(start((b"content-type", media_type), SELF), body(b"x"))

    answer = await ask(app, request(answers=GRANTED))

    assert answer.all(CSP) == [SELF[1]]


async def test_policy_of_the_next_page_is_narrow_again_after_withdrawal() -> None:
    before, after = await policies(SELF, answers=GRANTED), await policies(SELF, answers=REFUSED)

    assert GOOGLE in before[0]
    assert after == [SELF[1]]


async def test_markup_holds_no_inline_code() -> None:
    for answers, scripts in ((None, 1), (GRANTED, 2)):  # services are started by a script of their own
        answer = await ask(page(SELF), request(answers=answers))

        assert b"<style" not in answer.body
        assert b" style=" not in answer.body
        assert b" onclick=" not in answer.body
        assert answer.body.count(b"<script") == answer.body.count(b"<script defer src=") == scripts


# Nonces.


def nonced(name: bytes = CSP) -> Headers:
    return [(name, b"default-src 'self'; script-src 'nonce-c2NyaXB0' 'strict-dynamic'; style-src 'nonce-c3R5bGU='")]


async def test_nonces_of_the_policy_stand_on_script_and_style_sheet() -> None:
    answer = await ask(page(*nonced()))

    assert b'<script nonce="c2NyaXB0" defer src="/cookies/static/' in answer.body
    assert b'<link nonce="c3R5bGU=" rel="stylesheet" href="/cookies/static/' in answer.body


async def test_nonce_stands_on_the_tags_of_a_granted_service() -> None:
    answer = await ask(page(*nonced()), request(answers=GRANTED))

    assert answer.body.count(b'<script nonce="c2NyaXB0" defer src=') == answer.body.count(b"<script") == 2
    assert TAG in answer.body


async def test_nonce_stands_on_the_script_of_a_shared_page() -> None:
    answer = await ask(page(*nonced()), policy=make_policy(cache="shared"))

    assert b'<script nonce="c2NyaXB0" defer src="/cookies/static/' in answer.body


async def test_nonces_of_two_responses_do_not_mix() -> None:
    one = await ask(page((CSP, b"script-src 'nonce-AAAA'")))
    other = await ask(page((CSP, b"script-src 'nonce-BBBB'")))

    assert b'nonce="AAAA"' in one.body
    assert b"BBBB" not in one.body
    assert b'nonce="BBBB"' in other.body
    assert b"AAAA" not in other.body


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no_policy"),
        pytest.param([SELF], id="policy_without_one"),
        pytest.param([(CSP, b"script-src 'nonce-\"><script>'")], id="what_is_no_nonce"),
        pytest.param([(CSP, b"img-src 'nonce-AAAA'")], id="of_something_else"),
    ],
)
async def test_page_without_a_usable_nonce_gets_none(headers: Headers) -> None:
    answer = await ask(page(*headers))

    assert BANNER in answer.body
    assert b"nonce" not in answer.body


# A page that is undecided when it is loaded: its policy cannot be widened any more.


@pytest.mark.parametrize(
    ("headers", "later"),
    [
        pytest.param([], False, id="no_policy"),
        pytest.param([SELF], True, id="strict"),
        pytest.param([(CSP, b"frame-ancestors 'self'")], False, id="says_nothing_about_hosts"),
        pytest.param([(CSP, b"script-src https:; connect-src https:; img-src https:")], False, id="wide"),
        pytest.param([(CSP, b"frame-ancestors 'self'"), SELF], True, id="second_is_strict"),
        pytest.param([(REPORT_ONLY, SELF[1])], False, id="only_reported"),
    ],
)
async def test_undecided_page_waits_for_the_next_one_when_its_policy_blocks_the_service(
    headers: Headers, later: bool
) -> None:
    answer = await ask(page(*headers))

    assert (b" data-later" in answer.body) is later


async def test_page_that_was_granted_starts_the_service_at_once() -> None:
    answer = await ask(page(SELF), request(answers=GRANTED))

    assert b"data-services=" in answer.body
    assert b"data-later" not in answer.body


async def test_policy_in_a_meta_element_is_left_alone_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    meta = b"""<meta http-equiv="Content-Security-Policy" content="default-src 'self'">"""
    content = PAGE.encode().replace(b"<title>", meta + b"<title>")

    answers = [await ask(page(content=content), request(answers=GRANTED)) for _ in range(2)]

    assert all(meta in answer.body for answer in answers)
    assert len(caplog.messages) == 1
    assert "send the policy as a header instead" in caplog.text


# Enforced: the browser itself refuses what is not granted.


async def enforced(answers: dict[str, bool] | None, *headers: tuple[bytes, bytes]) -> Answer:
    return await ask(page(*headers), request(answers=answers), policy=ENFORCED)


@pytest.mark.parametrize("answers", [None, REFUSED], ids=["undecided", "refused"])
async def test_enforcing_site_refuses_other_hosts_without_consent(answers: dict[str, bool] | None) -> None:
    (value,) = (await enforced(answers)).all(CSP)

    found = directives(value)
    assert found.keys() == {"script-src", "connect-src", "img-src", "frame-src"}
    assert all("'self'" in sources and "https://cdn.luton.example" in sources for sources in found.values())
    assert b"google" not in value
    assert not {"*", "https:", "http:"} & {source for sources in found.values() for source in sources}


async def test_enforcing_site_lets_in_the_granted_service_alone() -> None:
    (value,) = (await enforced(GRANTED)).all(CSP)

    found = directives(value)
    assert found["script-src"][-1] == "https://*.googletagmanager.com"
    assert "https://*.google-analytics.com" in found["connect-src"]
    assert b"google" not in " ".join(found["frame-src"]).encode()


async def test_enforced_policy_comes_beside_the_apps_own() -> None:
    own, added = (await enforced(None, SELF)).all(CSP)

    assert own == SELF[1]
    assert added.startswith(b"script-src 'self'")


async def test_undecided_page_of_an_enforcing_site_waits_for_the_next_one() -> None:
    undecided, granted = await enforced(None), await enforced(GRANTED)

    assert b" data-later" in undecided.body
    assert b" data-later" not in granted.body


async def test_site_that_does_not_enforce_adds_no_policy() -> None:
    assert await policies() == []


async def test_enforced_policy_stands_on_pages_in_frames_too() -> None:
    answer = await ask(page(), request((b"sec-fetch-dest", b"iframe")), policy=ENFORCED)

    assert BANNER not in answer.body
    assert len(answer.all(CSP)) == 1
