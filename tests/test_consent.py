"""One visitor's decision: what an answer allows, how long it holds, and what has to be asked (R09 to R12, R22)."""

from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate.consent import Answer, Consent
from consentgate.policy import MOST_CATEGORIES, Basis, Category, ConsentPolicy, Controller

NOW = 1_790_000_000  # seconds since 1970: a day in September 2026
DAY = 24 * 60 * 60  # seconds

POLICY = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(Category(id="essential"), Category(id="analytics"), Category(id="marketing")),
    acceptance_days=184,
    refusal_days=365,
)


def with_category(policy: ConsentPolicy, category: Category) -> ConsentPolicy:
    """Return the policy with one category put in the place of its namesake, or at the end."""
    others = [category if one.id == category.id else one for one in policy.categories]
    return replace(policy, categories=tuple(others if category in others else [*others, category]))


def with_basis(basis: Basis) -> ConsentPolicy:
    return with_category(POLICY, Category(id="analytics", basis=basis))


def yes(*, at: int = NOW, version: int = 1) -> Answer:
    return Answer(granted=True, version=version, decided_at=at)


def no(*, at: int = NOW, version: int = 1) -> Answer:
    return Answer(granted=False, version=version, decided_at=at)


# What answers mean


def test_before_any_answer_only_essential_cookies_are_on() -> None:
    consent = Consent.from_answers(POLICY, {}, NOW)

    assert consent.granted == {"essential"}
    assert consent.undecided == ("analytics", "marketing")
    assert not consent.is_decided
    assert consent.decided_at is None


def test_a_granted_category_is_allowed() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": yes()}, NOW)

    assert consent.allows("analytics")


def test_a_refused_category_is_not_allowed() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": no()}, NOW)

    assert not consent.allows("analytics")


def test_an_undecided_category_is_not_allowed() -> None:
    consent = Consent.from_answers(POLICY, {"marketing": yes()}, NOW)

    assert not consent.allows("analytics")


def test_answering_some_leaves_the_others_to_be_asked() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": no()}, NOW)

    assert consent.undecided == ("marketing",)
    assert not consent.is_decided


def test_answering_all_leaves_nothing_to_be_asked() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": no(), "marketing": yes()}, NOW)

    assert consent.undecided == ()
    assert consent.is_decided


def test_the_decision_is_as_old_as_its_latest_answer() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": no(at=NOW - 60), "marketing": yes(at=NOW - 30)}, NOW)

    assert consent.decided_at == NOW - 30


def test_essential_cookies_cannot_be_refused() -> None:
    consent = Consent.from_answers(POLICY, {"essential": no()}, NOW)

    assert consent.allows("essential")
    assert "essential" not in consent.answers


def test_an_answer_about_a_category_that_is_gone_counts_for_nothing() -> None:
    consent = Consent.from_answers(POLICY, {"surveys": yes()}, NOW)

    assert not consent.allows("surveys")
    assert consent.granted == {"essential"}
    assert consent.undecided == ("analytics", "marketing")


def test_an_answer_that_only_another_site_asks_for_is_carried_along() -> None:
    consent = Consent.from_answers(POLICY, {"surveys": no(), "analytics": yes()}, NOW)

    assert consent.answers["surveys"] == no()


def test_a_lapsed_answer_of_another_site_is_not_carried_along() -> None:
    lapsed = replace(no(), decided_at=NOW - 366 * DAY)

    consent = Consent.from_answers(POLICY, {"surveys": lapsed}, NOW)

    assert consent.answers == {}


def test_no_more_answers_are_carried_along_than_a_policy_can_have_categories() -> None:
    crowd = {f"other{number}": no() for number in range(50)}

    consent = Consent.from_answers(POLICY, {**crowd, "analytics": yes()}, NOW)

    assert len(consent.answers) == MOST_CATEGORIES
    assert consent.allows("analytics")


def test_a_site_with_essential_cookies_alone_asks_nothing() -> None:
    policy = replace(POLICY, categories=())

    consent = Consent.from_answers(policy, {}, NOW)

    assert consent.is_decided
    assert consent.granted == {"essential"}


def test_a_consent_cannot_be_changed() -> None:
    consent = Consent.from_answers(POLICY, {}, NOW)

    with pytest.raises(FrozenInstanceError):
        consent.granted = frozenset({"analytics"})  # type: ignore[misc]  # that it cannot be set is what is tested


def test_asking_for_a_category_that_the_policy_lacks_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    consent = Consent.from_answers(POLICY, {"analytics": yes()}, NOW)

    with caplog.at_level(logging.WARNING, logger="consentgate"):
        allowed = [consent.allows("anlytics-of-this-test"), consent.allows("anlytics-of-this-test")]

    assert allowed == [False, False]
    assert caplog.messages == [
        "consent.allows('anlytics-of-this-test'): the policy has no such category, only analytics, essential, marketing"
    ]


def test_asking_for_a_category_that_is_off_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    consent = Consent.from_answers(POLICY, {}, NOW)

    with caplog.at_level(logging.WARNING, logger="consentgate"):
        consent.allows("analytics")

    assert caplog.messages == []


# How long an answer holds


@pytest.mark.parametrize(
    ("answer", "days"),
    [pytest.param(yes(), 184, id="acceptance"), pytest.param(no(), 365, id="refusal")],
)
def test_an_answer_holds_to_the_last_second_of_its_days(answer: Answer, days: int) -> None:
    consent = Consent.from_answers(POLICY, {"analytics": answer}, NOW + days * DAY - 1)

    assert consent.undecided == ("marketing",)
    assert consent.allows("analytics") is answer.granted


@pytest.mark.parametrize(
    ("answer", "days"),
    [pytest.param(yes(), 184, id="acceptance"), pytest.param(no(), 365, id="refusal")],
)
def test_an_answer_lapses_with_that_second(answer: Answer, days: int) -> None:
    consent = Consent.from_answers(POLICY, {"analytics": answer}, NOW + days * DAY)

    assert consent.undecided == ("analytics", "marketing")
    assert not consent.allows("analytics")
    assert consent.answers == {}


def test_the_policys_own_lifetimes_count() -> None:
    policy = replace(POLICY, acceptance_days=30, refusal_days=200)

    assert yes().expires_at(policy) == NOW + 30 * DAY
    assert no().expires_at(policy) == NOW + 200 * DAY


def test_an_acceptance_lapses_while_a_refusal_of_the_same_day_still_holds() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": yes(), "marketing": no()}, NOW + 200 * DAY)

    assert consent.undecided == ("analytics",)


@pytest.mark.parametrize("ahead", [1, 300])
def test_a_server_whose_clock_is_a_little_ahead_is_believed(ahead: int) -> None:
    consent = Consent.from_answers(POLICY, {"analytics": yes(at=NOW + ahead)}, NOW)

    assert consent.allows("analytics")


@pytest.mark.parametrize("ahead", [301, 10 * DAY])
def test_a_decision_from_the_future_is_not(ahead: int) -> None:
    consent = Consent.from_answers(POLICY, {"analytics": yes(at=NOW + ahead)}, NOW)

    assert not consent.allows("analytics")
    assert "analytics" in consent.undecided


# What is asked again


@pytest.mark.parametrize("answer", [pytest.param(yes(), id="granted"), pytest.param(no(), id="refused")])
def test_a_new_version_of_a_purpose_is_asked_again_and_only_that(answer: Answer) -> None:
    policy = with_category(POLICY, Category(id="analytics", version=2))

    consent = Consent.from_answers(policy, {"analytics": answer, "marketing": yes()}, NOW)

    assert consent.undecided == ("analytics",)
    assert consent.granted == {"essential", "marketing"}


def test_an_answer_to_a_version_that_was_taken_back_does_not_count() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": yes(version=2)}, NOW)

    assert not consent.allows("analytics")


def test_new_words_for_the_same_purpose_are_not_asked_again() -> None:
    policy = with_category(POLICY, Category(id="analytics", title="Statistics", purpose="They count visits."))

    consent = Consent.from_answers(policy, {"analytics": no(), "marketing": no()}, NOW)

    assert consent.is_decided


def test_a_new_category_is_asked_and_only_that() -> None:
    policy = with_category(POLICY, Category(id="preferences"))

    consent = Consent.from_answers(policy, {"analytics": no(), "marketing": yes()}, NOW)

    assert consent.undecided == ("preferences",)
    assert consent.granted == {"essential", "marketing"}


# Exceptions: on until the visitor objects

EXCEPTIONS = pytest.mark.parametrize("basis", ["statistical_exception", "appearance_exception"])


@EXCEPTIONS
def test_an_exception_is_on_without_being_asked(basis: Basis) -> None:
    consent = Consent.from_answers(with_basis(basis), {}, NOW)

    assert consent.allows("analytics")
    assert consent.undecided == ("marketing",)


@EXCEPTIONS
def test_an_exception_is_off_once_the_visitor_objects(basis: Basis) -> None:
    consent = Consent.from_answers(with_basis(basis), {"analytics": no()}, NOW)

    assert not consent.allows("analytics")


@EXCEPTIONS
def test_an_exception_stays_on_when_the_visitor_keeps_it(basis: Basis) -> None:
    consent = Consent.from_answers(with_basis(basis), {"analytics": yes()}, NOW)

    assert consent.allows("analytics")


@EXCEPTIONS
def test_an_objection_lapses_like_any_refusal(basis: Basis) -> None:
    answers = {"analytics": no()}

    before = Consent.from_answers(with_basis(basis), answers, NOW + 365 * DAY - 1)
    after = Consent.from_answers(with_basis(basis), answers, NOW + 365 * DAY)

    assert not before.allows("analytics")
    assert after.allows("analytics")


def test_a_category_that_becomes_an_exception_is_not_asked_but_an_old_refusal_holds() -> None:
    consent = Consent.from_answers(with_basis("statistical_exception"), {"analytics": no()}, NOW)

    assert "analytics" not in consent.undecided
    assert not consent.allows("analytics")


# The browser's privacy signal


def test_a_signal_refuses_what_has_no_answer_and_nothing_is_asked() -> None:
    consent = Consent.from_answers(POLICY, {}, NOW, signalled=True)

    assert consent.granted == {"essential"}
    assert consent.undecided == ()
    assert consent.is_decided
    assert consent.signalled


def test_without_a_signal_the_same_visitor_is_asked() -> None:
    consent = Consent.from_answers(POLICY, {}, NOW, signalled=False)

    assert not consent.is_decided
    assert not consent.signalled


def test_a_signal_is_no_answer_so_nothing_is_written_for_it() -> None:
    consent = Consent.from_answers(POLICY, {}, NOW, signalled=True)

    assert consent.answers == {}
    assert consent.decided_at is None


def test_an_explicit_answer_wins_over_a_signal_and_the_rest_is_refused() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": yes()}, NOW, signalled=True)

    assert consent.granted == {"essential", "analytics"}
    assert consent.is_decided
    assert consent.answers == {"analytics": yes()}


def test_an_explicit_refusal_stays_one_under_a_signal() -> None:
    consent = Consent.from_answers(POLICY, {"analytics": no()}, NOW, signalled=True)

    assert consent.granted == {"essential"}


def test_a_lapsed_acceptance_does_not_win_over_a_signal() -> None:
    lapsed = yes(at=NOW - 184 * DAY)

    consent = Consent.from_answers(POLICY, {"analytics": lapsed}, NOW, signalled=True)

    assert not consent.allows("analytics")
    assert consent.is_decided


def test_an_acceptance_of_an_older_purpose_does_not_win_over_a_signal() -> None:
    policy = with_category(POLICY, Category(id="analytics", version=2))

    consent = Consent.from_answers(policy, {"analytics": yes(version=1)}, NOW, signalled=True)

    assert not consent.allows("analytics")


@EXCEPTIONS
def test_an_exception_is_off_under_a_signal(basis: Basis) -> None:
    consent = Consent.from_answers(with_basis(basis), {}, NOW, signalled=True)

    assert not consent.allows("analytics")


@EXCEPTIONS
def test_an_exception_that_the_visitor_keeps_stays_on_under_a_signal(basis: Basis) -> None:
    consent = Consent.from_answers(with_basis(basis), {"analytics": yes()}, NOW, signalled=True)

    assert consent.allows("analytics")


# For any answers

answers = st.dictionaries(
    st.sampled_from(["essential", "analytics", "marketing", "gone"]),
    st.builds(
        Answer,
        granted=st.booleans(),
        version=st.integers(0, 2),
        decided_at=st.integers(NOW - 400 * DAY, NOW + DAY),
    ),
)


@settings(deadline=None)
@given(answers)
def test_nothing_is_on_that_was_not_granted_and_still_holds(answers: dict[str, Answer]) -> None:
    consent = Consent.from_answers(POLICY, answers, NOW)

    for category in consent.granted - {"essential"}:
        answer = answers[category]
        assert answer.granted
        assert answer.version == 1
        assert NOW - 184 * DAY < answer.decided_at <= NOW + 300


@settings(deadline=None)
@given(answers)
def test_a_category_is_either_answered_or_asked(answers: dict[str, Answer]) -> None:
    consent = Consent.from_answers(POLICY, answers, NOW)

    ours = [category for category in consent.answers if category in consent.known]
    assert sorted([*ours, *consent.undecided]) == ["analytics", "marketing"]
    assert consent.is_decided is (not consent.undecided)


@settings(deadline=None)
@given(answers)
def test_reading_the_answers_again_changes_nothing(answers: dict[str, Answer]) -> None:
    consent = Consent.from_answers(POLICY, answers, NOW)

    assert Consent.from_answers(POLICY, consent.answers, NOW) == consent


@settings(deadline=None)
@given(answers)
def test_a_signal_never_grants_and_never_asks(answers: dict[str, Answer]) -> None:
    quiet = Consent.from_answers(POLICY, answers, NOW)

    consent = Consent.from_answers(POLICY, answers, NOW, signalled=True)

    assert consent.granted == quiet.granted  # no category of this policy is on without an answer
    assert consent.undecided == ()
    assert consent.answers == quiet.answers
