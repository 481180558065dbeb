"""One act of a visitor as it is kept, the policy version it answers, and what a store has to be able to do."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

__all__ = [
    "ACTIONS",
    "SCHEMA",
    "SECONDS_A_DAY",
    "ConsentRecord",
    "PolicyVersion",
    "RecordStore",
    "StoreError",
    "StoreFullError",
    "canonical_json",
    "new_receipt_id",
    "sha256",
    "start_of_day",
]

SCHEMA = 1
"""Version of a record's fields."""

ACTIONS = ("accept_all", "reject_all", "save", "withdraw")
"""What a visitor can have done; `withdraw` when nothing optional is left of what was granted before."""

_ID_BYTES = 15  # 120 random bits: 24 letters and digits, without padding
SECONDS_A_DAY = 24 * 60 * 60


class StoreError(RuntimeError):
    """Say in plain words why a store cannot be used; its text holds nothing of a record."""


class StoreFullError(StoreError):
    """Say that a store holds as many records as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """Keep one act: when, what, in answer to which words. There is no address, no browser and no account in it.

    Args:
        receipt_id: random name of this act, known to the visitor's browser; empty when nothing was granted.
        time: when, in seconds since 1970 (UTC); of an act without receipt id the start of its day only.
        action: one of `ACTIONS`.
        source: `banner` or `page`; empty when the form did not tell.
        choices: every category of the policy, true when it was on after the act.
        grants: whether a category that is not essential was agreed to.
        policy_version: SHA-256 of the policy version in use, as 64 hexadecimal digits.
        wording: SHA-256 of the texts that were shown; empty when the form did not tell.
        language: BCP 47 tag of the language they were shown in.
        site: the host, when the policy lists it, else the site's name.
        previous: receipt id of the act that this one follows or withdraws; empty when there is none.
        schema: version of these fields.
    """

    receipt_id: str
    time: int
    action: str
    source: str
    choices: Mapping[str, bool]
    grants: bool
    policy_version: str
    wording: str
    language: str
    site: str
    previous: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """Keep what visitors were shown, for as long as a record points at it.

    Args:
        content: canonical JSON: site, controller, categories, items, and texts and markup in every language.
        first_used: when it first served, in seconds since 1970; 0 when it is not kept yet.
    """

    content: str
    first_used: int = 0
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Work out the SHA-256 that names it."""
        object.__setattr__(self, "hash", sha256(self.content))

    @property
    def parts(self) -> Mapping[str, Any]:
        """The content, read."""
        parts: Mapping[str, Any] = json.loads(self.content)
        return parts

    def language_of(self, wording: str) -> str | None:
        """Return the language whose wording has this hash, or one that begins with it."""
        wordings: Mapping[str, Any] = self.parts["wordings"]
        return next((tag for tag, one in wordings.items() if wording and one["hash"].startswith(wording)), None)


@runtime_checkable
class RecordStore(Protocol):
    """What the consent log asks of a store. Methods are called from worker threads and may block.

    Whatever a method raises counts as a failure of the store: a grant is then not taken.
    """

    def append(self, record: ConsentRecord, version: PolicyVersion) -> None:
        """Keep a record and the policy version it points at; return only when both are durable.

        A `previous` that no record has any more, since it was erased, is not to be kept again.
        """
        ...

    def trail(self, receipt_id: str) -> Sequence[ConsentRecord]:
        """Return the record with a receipt id and all that it follows, oldest first; empty when there is none."""
        ...

    def erase(self, receipt_id: str) -> int:
        """Take receipt ids and exact times out of a trail, leave the counts, and return how many rows changed."""
        ...

    def policy_version(self, wording: str) -> PolicyVersion | None:
        """Return the version whose hash, or one of whose wordings' hashes, begins with this."""
        ...


def new_receipt_id() -> str:
    """Draw a receipt id: 24 lower-case letters and digits."""
    return base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode("ascii").lower()


def start_of_day(time: int) -> int:
    """Return the start of a time's UTC day, in seconds since 1970."""
    return time - time % SECONDS_A_DAY


def canonical_json(value: object) -> str:
    """Write JSON in the one way that is hashed and signed: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def sha256(text: str) -> str:
    """Return the SHA-256 of a text as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
