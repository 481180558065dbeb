"""One act of a visitor as a record: what was answered, to which words, and no more than it takes to prove it."""

from __future__ import annotations

from dataclasses import replace

from consentgate.consent import Consent
from consentgate.records import ConsentRecord, new_receipt_id
from consentgate.records.record import start_of_day
from consentgate.visit import Visit

__all__ = ["recorded"]


def recorded(
    visit: Visit, consent: Consent, *, outcome: str, wording: str, language: str, source: str
) -> tuple[Consent, ConsentRecord]:
    """Return a new consent with the receipt id it gets, and the record of the act that led to it.

    Whoever grants nothing gets no id, and of such an act, unless it withdraws something, only the day is kept: beside a
    server's log the second would tell who it was.

    Args:
        visit: the request, with the consent before the act.
        consent: the consent after it.
        outcome: what the visitor did.
        wording: the first digits of the hash of the texts that were shown; empty when the form did not tell.
        language: what the form says its language is; the wording's counts first.
        source: `banner`, `page` or empty.
    """
    rendering, policy = visit.site.rendering, visit.site.policy
    grants = consent.grants
    receipt = new_receipt_id() if grants else ""
    previous = visit.consent.receipt
    now = int(visit.site.now())
    shown_in, whole = rendering.shown(wording)
    record = ConsentRecord(
        receipt_id=receipt,
        time=now if receipt or previous else start_of_day(now),
        action="withdraw" if visit.consent.grants and not grants else outcome,
        source=source,
        choices={category.id: consent.allows(category.id) for category in policy.categories},
        grants=grants,
        policy_version=rendering.policy_version.hash,
        wording=whole,
        language=shown_in or language,
        site=visit.place.host or policy.site_name,
        previous=previous,
    )
    return replace(consent, receipt=receipt), record
