"""The signed consent cookie: write it, verify it, rotate keys, and settle on one when several were sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any, NamedTuple

from itsdangerous import BadData, Signer, URLSafeSerializer

from consentgate.consent import Answer, Consent, next_change
from consentgate.errors import Problem
from consentgate.field_types import is_unicode
from consentgate.policy import ConsentPolicy, is_within

__all__ = ["ConsentCookie", "CookieTarget", "Seal", "Verified", "key_problems"]

_SALT = "consentgate.consent-cookie.v1"
_SEAL_SALT = "consentgate.receipt.v1"
_LONGEST_VALUE = 4096  # bytes: RFC 6265bis 5.6 lets no browser store a longer one
_MOST_CANDIDATES = 6  # cookies of our name that are looked at; more is an attack, not a domain change
_MOST_VERIFIED = 2_048  # values that are remembered as verified, of about 150 bytes each
_SHORTEST_KEY = 32  # characters
_FEWEST_DIFFERENT = 8  # characters; fewer means a key nobody drew at random
_WELL_KNOWN_KEYS = (
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "your-key",
    "your_key",
    "insecure",
    "example",
    "password",
)


@dataclass(frozen=True, slots=True)
class CookieTarget:
    """Name the place in the browser where the consent cookie lives, for one request.

    Args:
        name: the cookie's name with the prefix that fits (RFC 6265bis 4.1.3).
        domain: its `Domain` attribute, or `None` for a cookie of this host alone.
        secure: whether it is `Secure`.
    """

    name: str
    domain: str | None
    secure: bool

    @classmethod
    def for_request(cls, policy: ConsentPolicy, *, host: str, scheme: str, suffix: str = "") -> CookieTarget:
        """Work out name and attributes for a host and a scheme (`http` or `https`).

        A host outside `cookie_domain` gets a cookie of its own: a browser would drop the shared one.
        """
        secure = scheme == "https" if policy.secure is None else policy.secure
        shared = policy.cookie_domain is not None and is_within(host, policy.cookie_domain)
        prefix = ("__Secure-" if shared else "__Host-") if secure else ""
        return cls(prefix + policy.cookie_name + suffix, policy.cookie_domain if shared else None, secure)

    def line(self, value: str, max_age: int) -> bytes:
        """Write the `Set-Cookie` line; `max_age` in seconds, 0 expires it."""
        attributes = [f"{self.name}={value}", "Path=/", f"Max-Age={max_age}", "HttpOnly", "SameSite=Lax"]
        if self.domain is not None:
            attributes.append(f"Domain={self.domain}")
        if self.secure:
            attributes.append("Secure")
        return "; ".join(attributes).encode("ascii")


class Verified(NamedTuple):
    """Hold what a cookie whose signature was verified means, from one time to another (seconds since 1970)."""

    consent: Consent
    since: float
    until: float


class ConsentCookie:
    """Sign and verify consent cookies.

    The payload is a list of acts, newest first: when, hash of the wording shown, and each category's answer
    (1 or 0) with the version of the purpose it answers. Of an acceptance that is recorded the receipt id comes last.
    There is nothing else in it that tells one visitor from another, and nothing at all for one who refused.

    Args:
        policy: what the answers are about.
        keys: signing keys, newest first; the first signs, all verify.
    """

    def __init__(self, policy: ConsentPolicy, keys: Sequence[str]) -> None:
        self._policy = policy
        self._undecided = tuple(Consent.from_answers(policy, {}, 0, signalled=signalled) for signalled in (False, True))
        self._verified: dict[tuple[bytes, bool], Verified] = {}  # a forged value never gets in
        self._serializer = URLSafeSerializer(
            list(reversed(keys)),  # itsdangerous signs with the last one
            salt=_SALT,
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )
        # What signs with a key is derived from it once, instead of for each value.
        signer = self._serializer.make_signer(_SALT)
        derived = [signer.derive_key(key) for key in signer.secret_keys]
        self._signer = Signer(derived, salt=_SALT, digest_method=hashlib.sha256, key_derivation="none")

    def dump(self, consent: Consent) -> str:
        """Write a consent's answers as a signed value."""
        acts: list[object] = [
            [
                decided_at,
                wording,
                {category: [int(answer.granted), answer.version] for category, answer in answers},
            ]
            for (decided_at, wording), answers in _by_act(consent.answers)
        ]
        return str(self._serializer.dumps([*acts, consent.receipt] if consent.receipt else acts))

    @property
    def undecided(self) -> Consent:
        """What a cookie means that is none of ours, for a browser without a privacy signal."""
        return self._undecided[False]

    def read(self, values: Sequence[bytes], now: float, *, signalled: bool = False) -> Consent:
        """Work out a visitor's consent from the values of all cookies of our name.

        The newest valid decision wins. Anything that is not ours, too long or malformed counts as no cookie at all.
        """
        if not values:
            return self._undecided[signalled]
        if len(values) == 1:
            return self._read(values[0], now, signalled)
        consents = [self._read(value, now, signalled) for value in values[:_MOST_CANDIDATES]]
        return max(consents, key=lambda consent: consent.decided_at or 0)

    def verified(self, value: bytes, now: float, *, signalled: bool = False) -> Verified | None:
        """Return what a value means, or `None` when its signature is wrong or it holds nothing of ours."""
        verified = self._verified.get((value, signalled))
        if verified is not None and verified.since <= now < verified.until:
            return verified
        answers, receipt = self._load(value)
        if not answers:
            return None
        consent = Consent.from_answers(self._policy, answers, now, signalled=signalled, receipt=receipt)
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        verified = self._verified[value, signalled] = Verified(consent, now, next_change(self._policy, answers, now))
        return verified

    def _read(self, value: bytes, now: float, signalled: bool) -> Consent:
        verified = self.verified(value, now, signalled=signalled)
        return self._undecided[signalled] if verified is None else verified.consent

    def max_age(self, consent: Consent, now: float) -> int:
        """Say for how many seconds the browser has to keep the cookie: until its last answer lapses."""
        last = max((answer.expires_at(self._policy) for answer in consent.answers.values()), default=0)
        return max(0, ceil(last - now))

    def _load(self, value: bytes) -> tuple[dict[str, Answer], str]:
        if len(value) > _LONGEST_VALUE:
            return {}, ""
        payload_text, _, signature = value.rpartition(b".")
        try:
            # As `loads` does it, which makes a new signer, and an exception of whatever is wrong.
            if not self._signer.verify_signature(payload_text, signature):
                return {}, ""
            payload = self._serializer.load_payload(payload_text)
            receipt = payload.pop() if payload and isinstance(payload[-1], str) else ""
            return dict(_answers(payload)), receipt
        except (BadData, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return {}, ""


class Seal:
    """Sign receipts, and tell whether one is as it was signed.

    Args:
        keys: signing keys, newest first; the first signs, all verify.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._signer = Signer(
            list(reversed(keys)), salt=_SEAL_SALT, digest_method=hashlib.sha256, key_derivation="hmac"
        )

    def sign(self, text: str) -> str:
        """Return the signature of a text, in URL-safe base64."""
        return self._signer.get_signature(text).decode("ascii")

    def is_right(self, text: str, signature: str) -> bool:
        """Tell whether a signature is one of ours for this text."""
        return signature.isascii() and self._signer.verify_signature(text, signature)


def key_problems(keys: Sequence[object]) -> Iterator[Problem]:
    """Yield what is wrong with the signing keys: none, a short or a guessable one. No key is ever shown."""
    draw = 'Draw one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
    if not keys:
        yield Problem("keys", None, f"Set CONSENTGATE_KEYS in the environment or pass keys=[...]. {draw}")
    for index, key in enumerate(keys):
        if not isinstance(key, str):
            shown = None if key is None else f"hidden, of the type {type(key).__name__}"
            yield Problem(f"keys[{index}]", shown, f"A key is text of {_SHORTEST_KEY} characters or more.")
        elif fault := _key_fault(key):
            yield Problem(f"keys[{index}]", f"hidden, {len(key)} characters", f"{fault} {draw}")


def _key_fault(key: str) -> str | None:
    if not is_unicode(key):
        return "It holds bytes that are no characters."
    if len(key) < _SHORTEST_KEY:
        return f"It is shorter than {_SHORTEST_KEY} characters."
    if len(set(key)) < _FEWEST_DIFFERENT:
        return "It repeats a few characters and can be guessed."
    if any(known in key.lower() for known in _WELL_KNOWN_KEYS):
        return "It is a well-known placeholder."
    return None


def _by_act(answers: Mapping[str, Answer]) -> Iterator[tuple[tuple[int, str], Iterator[tuple[str, Answer]]]]:
    def act(item: tuple[str, Answer]) -> tuple[int, str]:
        return item[1].decided_at, item[1].wording

    return groupby(sorted(answers.items(), key=act, reverse=True), key=act)


def _answers(payload: Any) -> Iterator[tuple[str, Answer]]:
    for decided_at, wording, categories in payload:
        for category, (granted, version) in categories.items():
            if type(decided_at) is not int or type(version) is not int or granted not in (0, 1):
                raise ValueError("not a payload of ours")
            yield category, Answer(granted == 1, version, decided_at, str(wording))
