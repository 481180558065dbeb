"""One visitor's decision, frozen: what was answered, what it allows now, and what has to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from consentgate.notices import warn_once
from consentgate.policy import MOST_CATEGORIES, Category, ConsentPolicy

__all__ = ["OUTCOMES", "Answer", "Consent", "next_change"]

OUTCOMES = ("accept_all", "reject_all", "save")
"""What a visitor can have done; also what the message cookie may hold."""

_SECONDS_A_DAY = 24 * 60 * 60
_CLOCK_SKEW = 300  # seconds a decision may lie in the future: several servers' clocks differ a little


@dataclass(frozen=True, slots=True)
class Answer:
    """Keep one category's answer.

    Args:
        granted: whether the visitor agreed.
        version: the version of the purpose that was shown.
        decided_at: when, in seconds since 1970 (UTC).
        wording: hash of the texts that were shown; empty when it is not known.
    """

    granted: bool
    version: int
    decided_at: int
    wording: str = ""

    def expires_at(self, policy: ConsentPolicy) -> int:
        """Say when this answer lapses, in seconds since 1970; it is never renewed silently."""
        days = policy.acceptance_days if self.granted else policy.refusal_days
        return self.decided_at + days * _SECONDS_A_DAY

    def counts_from(self) -> int:
        """Say from when this answer counts, in seconds since 1970: other servers' clocks may be a little ahead."""
        return self.decided_at - _CLOCK_SKEW

    def counts_for(self, category: Category, policy: ConsentPolicy, now: float) -> bool:
        """Tell whether it still answers what is asked today."""
        return self.version == category.version and self.counts_from() <= now < self.expires_at(policy)


@dataclass(frozen=True, slots=True)
class Consent:
    """Hold what one visitor agreed to.

    Args:
        granted: ids of every category that is on now, essential ones included.
        undecided: ids of the categories that need consent and have no valid answer, in the policy's order.
        answers: the valid answers by category id; also those to categories that only another site of the same
            cookie asks about, so that a choice made here loses none made there.
        known: ids of all categories of the policy.
        signalled: whether the browser's privacy signal stands in for the answers that are missing.
        receipt: random id under which the latest act is recorded; empty when nothing is granted or recorded.
    """

    granted: frozenset[str]
    undecided: tuple[str, ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    signalled: bool = False
    receipt: str = ""

    @classmethod
    def from_answers(
        cls,
        policy: ConsentPolicy,
        answers: Mapping[str, Answer],
        now: float,
        *,
        signalled: bool = False,
        receipt: str = "",
    ) -> Consent:
        """Work out what answers mean under a policy at a time (seconds since 1970).

        Answers that lapsed, or that answer another version of the purpose, count as none. A browser's privacy signal
        refuses whatever has no answer, so that nothing is asked; an explicit answer wins over it.
        """
        valid: dict[str, Answer] = {}
        granted, undecided = set(policy.essential), []
        for category in policy.optional_categories:
            answer = answers.get(category.id)
            if answer is not None and answer.counts_for(category, policy, now):
                valid[category.id] = answer
                if answer.granted:
                    granted.add(category.id)
            elif signalled:
                # An exception holds until somebody objects (PECR Schedule A1, paragraphs 5 and 6); a signal objects.
                continue
            elif category.needs_consent:
                undecided.append(category.id)
            else:
                granted.add(category.id)
        if not answers.keys() <= policy.everything:
            valid |= _carried(policy, answers, now, room=MOST_CATEGORIES - len(valid))
        # Whoever grants nothing has no id: it would tell one refuser from another.
        receipt = receipt if receipt and any(answer.granted for answer in valid.values()) else ""
        return cls(frozenset(granted), tuple(undecided), valid, policy.everything, signalled, receipt)

    def allows(self, category: str) -> bool:
        """Tell whether a category is on. An id the policy does not have is never on, and is logged once."""
        if category in self.granted:
            return True
        if self.known and category not in self.known:
            known = ", ".join(sorted(self.known))
            warn_once(
                ("allows", category),
                "consent.allows(%r): the policy has no such category, only %s",
                category,
                known,
            )
        return False

    @property
    def is_decided(self) -> bool:
        """Whether nothing has to be asked."""
        return not self.undecided

    @property
    def grants(self) -> bool:
        """Whether the visitor said yes to anything."""
        return any(answer.granted for answer in self.answers.values())

    @property
    def decided_at(self) -> int | None:
        """When the latest decision was made, in seconds since 1970, or `None` before the first."""
        return max((answer.decided_at for answer in self.answers.values()), default=None)


def next_change(policy: ConsentPolicy, answers: Mapping[str, Answer], now: float) -> float:
    """Say until when answers mean what they mean now, in seconds since 1970; for ever when nothing is to come."""
    until = inf
    for answer in answers.values():
        for at in (answer.counts_from(), answer.expires_at(policy)):
            if now < at < until:
                until = at
    return until


def _carried(policy: ConsentPolicy, answers: Mapping[str, Answer], now: float, *, room: int) -> dict[str, Answer]:
    """Return the answers to what only another site of the same cookie asks, as many as there is room for."""
    others = {
        id_: answer
        for id_, answer in answers.items()
        if id_ not in policy.everything and answer.expires_at(policy) > now
    }
    return dict(list(others.items())[: max(0, room)])
