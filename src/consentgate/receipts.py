"""A visitor's receipt as JSON, on the lines of ISO/IEC TS 27560:2023: made, signed, and verified without a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from urllib.parse import urljoin

from consentgate.consent import Answer, Consent
from consentgate.consent_cookie import Seal
from consentgate.policy import Category, ConsentPolicy
from consentgate.records import ConsentRecord, PolicyVersion
from consentgate.records.record import canonical_json, sha256

__all__ = ["Finding", "check_receipt", "make_receipt"]

SCHEMA_VERSION = "consentgate-receipt-1"
_PROFILE = "On the lines of ISO/IEC TS 27560:2023; every field is explained in consentgate's docs/reference/receipt.md."


@dataclass(frozen=True, slots=True)
class Finding:
    """Say what one check of a receipt found.

    Args:
        is_right: whether it holds.
        text: what was looked at, in a sentence.
    """

    is_right: bool
    text: str


def make_receipt(
    policy: ConsentPolicy,
    consent: Consent,
    seal: Seal,
    *,
    versions: Sequence[PolicyVersion],
    trail: Sequence[ConsentRecord] = (),
    withdrawal: str = "",
    now: float,
) -> dict[str, Any]:
    """Write a signed receipt of what a visitor chose.

    Args:
        policy: what visitors are asked.
        consent: the visitor's, with its answers.
        seal: signs it.
        versions: policy versions in whose wordings the visitor may have answered, the likeliest first.
        trail: the acts on record, oldest first; without them the answers in the signed cookie stand in for them.
        withdrawal: the address where the choice can be changed.
        now: seconds since 1970.
    """
    events = [_recorded_event(record, policy) for record in trail] or _cookie_events(policy, consent)
    wordings = _wordings({event["wording"] for event in events if event["wording"]}, versions)
    answered = [category for category in policy.optional_categories if category.id in consent.answers]
    described = _described(versions, set(wordings))
    receipt = {
        "schema_version": SCHEMA_VERSION,
        "profile": _PROFILE,
        # Without a record there is no random id: the same answer in the same second has the same one.
        "receipt_id": consent.receipt or f"cookie-{sha256(canonical_json(events))[:24]}",
        "pii_principal_id": consent.receipt or "none",
        "issued": _moment(now),
        "processing": {
            "privacy_notice": urljoin(withdrawal, policy.privacy_policy),
            "language": next((event["language"] for event in reversed(events)), ""),
            "jurisdiction": policy.controller.regulator,
            "purposes": [_purpose(category, consent.answers[category.id], policy, described) for category in answered],
            "pii_controllers": ["controller"],
            "storage_locations": ["the visitor's browser", *(["the controller's consent log"] if trail else [])],
            "retention_period": f"P{policy.records_days}D" if trail else f"P{policy.acceptance_days}D",
            "recipients": sorted({service.provider for category in answered for service in category.services}),
            "withdrawal_method": withdrawal,
        },
        "parties": list(_parties(policy)),
        "events": events,
        "wordings": wordings,
    }
    signed = {"algorithm": "HMAC-SHA256 over canonical JSON", "value": seal.sign(canonical_json(receipt))}
    return {**receipt, "signature": signed}


def check_receipt(receipt: Mapping[str, Any], seal: Seal | None) -> Iterator[Finding]:
    """Check a receipt by itself: whether it is as it was signed, and whether its wordings have the hashes it names.

    Args:
        receipt: as it was downloaded.
        seal: with the keys of the site, or `None` to check the wordings only.
    """
    if receipt.get("schema_version") != SCHEMA_VERSION:
        yield Finding(False, f"It is no receipt of the schema {SCHEMA_VERSION}.")
        return
    content = {name: value for name, value in receipt.items() if name != "signature"}
    signature = receipt.get("signature")
    value = signature.get("value") if isinstance(signature, Mapping) else None
    if seal is not None:
        right = isinstance(value, str) and seal.is_right(canonical_json(content), value)
        said = "The signature is ours: nothing was changed since it was issued."
        yield Finding(
            right, said if right else "The signature is not ours: it was changed, or signed with another key."
        )
    wordings = receipt.get("wordings")
    wordings = wordings if isinstance(wordings, Mapping) else {}
    for name, notice in wordings.items():
        right = sha256(canonical_json(notice)) == name
        yield Finding(right, f"The wording {name[:16]} {'has this SHA-256' if right else 'has another SHA-256'}.")
    events = receipt.get("events")
    for event in events if isinstance(events, list) else []:
        wording = event.get("wording") if isinstance(event, Mapping) else None
        if isinstance(wording, str) and wording and not any(name.startswith(wording) for name in wordings):
            yield Finding(
                True, f"The wording {wording[:16]} is not in the receipt: `consentgate policy show` may have it."
            )


def _cookie_events(policy: ConsentPolicy, consent: Consent) -> list[dict[str, Any]]:
    """Turn the answers of the signed cookie into events, one for each act, oldest first."""

    def act(item: tuple[str, Answer]) -> tuple[int, str]:
        return item[1].decided_at, item[1].wording

    return [
        _event(policy, decided_at, {category: answer.granted for category, answer in answers}, wording=wording)
        for (decided_at, wording), answers in groupby(sorted(consent.answers.items(), key=act), key=act)
    ]


def _recorded_event(record: ConsentRecord, policy: ConsentPolicy) -> dict[str, Any]:
    more = {
        "action": record.action,
        "source": record.source,
        "language": record.language,
        "site": record.site,
        "receipt_id": record.receipt_id,
        "follows": record.previous,
        "policy_version": record.policy_version,
    }
    state = "withdrawn" if record.action == "withdraw" else None
    return _event(policy, record.time, record.choices, wording=record.wording, state=state) | more


def _event(
    policy: ConsentPolicy, second: int, choices: Mapping[str, bool], *, wording: str, state: str | None = None
) -> dict[str, Any]:
    essential = {category.id for category in policy.categories if category.is_essential}
    given = any(on for category, on in choices.items() if category not in essential)
    return {
        "event_time": _moment(second),
        "validity_duration": f"P{policy.acceptance_days if given else policy.refusal_days}D",
        "entity_id": "pii_principal",
        "event_type": "explicit",
        "event_state": state or ("given" if given else "refused"),
        "choices": dict(sorted(choices.items())),
        "wording": wording,
        "language": "",
    }


def _wordings(named: set[str], versions: Sequence[PolicyVersion]) -> dict[str, Any]:
    """Find the texts behind the hashes that events name, in whole or by their first digits."""
    every = {one["hash"]: one["notice"] for version in versions for one in version.parts["wordings"].values()}
    return {hash_: every[hash_] for hash_ in sorted(every) if any(hash_.startswith(name) for name in named)}


def _described(versions: Sequence[PolicyVersion], named: set[str]) -> dict[str, Mapping[str, Any]]:
    """Map each category to its words, and those of its items, as the visitor read them, else as they are now."""
    every = [one for version in versions for one in version.parts["wordings"].values()]
    chosen = [one for one in every if one["hash"] in named] or every[:1]
    return {category["id"]: category for one in reversed(chosen) for category in one["categories"]}


def _purpose(
    category: Category, answer: Answer, policy: ConsentPolicy, described: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    texts = described.get(category.id, {})
    items = {
        (item["type"], item["name"]): {"purpose": item["purpose"], "duration": item["duration"]}
        for item in texts.get("items", ())
    }
    return {
        "purpose": category.id,
        "title": texts.get("title", category.title),
        "description": texts.get("purpose", category.purpose),
        "legal_basis": category.effective_basis,
        "version": answer.version,
        "granted": answer.granted,
        "decided": _moment(answer.decided_at),
        "expires": _moment(answer.expires_at(policy)),
        "pii_information": [
            {"name": item.name, "type": item.type, "purpose": item.purpose, "duration": item.duration}
            | items.get((item.type, item.name), {})
            for item in policy.items_of(category)
        ],
        "services": [
            {"title": one.title, "provider": one.provider, "privacy": one.privacy_url} for one in category.services
        ],
    }


def _parties(policy: ConsentPolicy) -> Iterator[dict[str, str]]:
    who = policy.controller
    yield _party("controller", "pii_controller", who.name, address=who.address, contact=who.email)
    if who.data_protection_officer:
        contact = who.data_protection_officer_email or who.email
        yield _party("data_protection_officer", "data_protection_officer", who.data_protection_officer, contact=contact)
    if who.regulator:
        yield _party("regulator", "authority", who.regulator, contact=who.regulator_url)
    providers = {one.provider: one.privacy_url for category in policy.categories for one in category.services}
    for number, (provider, address) in enumerate(sorted(providers.items()), 1):
        yield _party(f"third_party_{number}", "third_party", provider, contact=address)


def _party(party_id: str, kind: str, name: str, *, address: str = "", contact: str = "") -> dict[str, str]:
    return {"party_id": party_id, "party_type": kind, "name": name, "address": address, "contact": contact}


def _moment(second: float) -> str:
    return datetime.fromtimestamp(int(second), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
