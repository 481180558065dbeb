"""What a site's own tests need: a visitor who has answered already, and proof that nothing undeclared leaves.

It imports no test framework and no HTTP client; what it returns fits httpx, Starlette's TestClient and Playwright.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from http.cookies import BaseCookie
from textwrap import indent
from typing import Any

from consentgate.consent import Answer, Consent
from consentgate.consent_cookie import ConsentCookie, CookieTarget, key_problems
from consentgate.cookie_rules import CookieRules
from consentgate.cookies import is_expiry, set_cookie_name
from consentgate.declarations import remedy_for_cookie, remedy_for_tag, uncovered
from consentgate.errors import ConfigurationError
from consentgate.inventory import find_tags, tags_in_link_header
from consentgate.middleware import read_keys
from consentgate.policy import ConsentPolicy
from consentgate.policy_file import load_policy

__all__ = ["PresetConsent", "assert_nothing_undeclared", "consent_cookie", "preset_consent"]

HeaderList = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetConsent:
    """Hold the cookie that the browser of a visitor keeps who has answered.

    Args:
        name: the cookie's name on this host, prefix included.
        value: the signed answers.
        host: the host it is for, without port.
        domain: the parent domain that shares it, or `None` for a cookie of this host alone.
        secure: whether it is `Secure`.
        expires: when the browser drops it, in seconds since 1970.
    """

    name: str
    value: str
    host: str
    domain: str | None
    secure: bool
    expires: int

    @classmethod
    def signed(
        cls,
        cookie: ConsentCookie,
        policy: ConsentPolicy,
        *,
        granted: Collection[str],
        undecided: Collection[str] = (),
        host: str,
        scheme: str,
        now: float,
    ) -> PresetConsent:
        """Sign the answers of a visitor who grants some categories, leaves some open and refuses the rest."""
        _check_categories(policy, {*granted, *undecided})
        answers = {
            category.id: Answer(category.id in granted, category.version, int(now))
            for category in policy.optional_categories
            if category.id not in undecided
        }
        consent = Consent.from_answers(policy, answers, now)
        target = CookieTarget.for_request(policy, host=host, scheme=scheme)
        return cls(
            name=target.name,
            value=cookie.dump(consent),
            host=host,
            domain=target.domain,
            secure=target.secure,
            expires=int(now) + cookie.max_age(consent, now),
        )

    @property
    def header(self) -> str:
        """The value of a `Cookie` request header."""
        return f"{self.name}={self.value}"

    def as_httpx(self) -> dict[str, str]:
        """Return what `cookies=` takes in httpx, Starlette's TestClient and requests."""
        return {self.name: self.value}

    def as_playwright(self) -> list[dict[str, Any]]:
        """Return what `context.add_cookies(...)` takes in Playwright."""
        where = f".{self.domain}" if self.domain else self.host
        return [
            {
                "name": self.name,
                "value": self.value,
                "domain": where,
                "path": "/",
                "expires": self.expires,
                "httpOnly": True,
                "secure": self.secure,
                "sameSite": "Lax",
            }
        ]


def preset_consent(
    policy: ConsentPolicy | str | os.PathLike[str],
    keys: str | Sequence[str] | None = None,
    *,
    granted: Collection[str] = (),
    undecided: Collection[str] = (),
    host: str = "testserver",
    scheme: str = "https",
    now: float | None = None,
) -> PresetConsent:
    """Return the cookie of a visitor who has answered already.

    Args:
        policy: the site's policy, or the path of its `consentgate.toml`.
        keys: the signing keys the site runs with; by default those in CONSENTGATE_KEYS.
        granted: ids of the categories the visitor accepts; all others are refused.
        undecided: ids of categories left open, so that the banner still asks about them.
        host: the host the test asks for, without port.
        scheme: `https` or `http`, as the test asks; the cookie's name depends on it.
        now: when the visitor answered, in seconds since 1970; by default now.

    Raises:
        ConfigurationError: when policy or keys are wrong.
        ValueError: when the policy has no such category.
    """
    policy = policy if isinstance(policy, ConsentPolicy) else load_policy(policy)
    signing = read_keys(keys)
    if problems := tuple(key_problems(signing)):
        raise ConfigurationError(problems, source="the signing keys")
    return PresetConsent.signed(
        ConsentCookie(policy, signing),
        policy,
        granted=granted,
        undecided=undecided,
        host=host,
        scheme=scheme,
        now=time.time() if now is None else now,
    )


def consent_cookie(
    policy: ConsentPolicy | str | os.PathLike[str],
    keys: str | Sequence[str] | None = None,
    *,
    granted: Collection[str] = (),
    undecided: Collection[str] = (),
    host: str = "testserver",
    scheme: str = "https",
    now: float | None = None,
) -> dict[str, str]:
    """Return that cookie's name and value alone, as `cookies=` takes them. The arguments are `preset_consent`'s."""
    preset = preset_consent(policy, keys, granted=granted, undecided=undecided, host=host, scheme=scheme, now=now)
    return preset.as_httpx()


def assert_nothing_undeclared(
    response: Any,
    policy: ConsentPolicy | str | os.PathLike[str],
    granted: Collection[str] = (),
    *,
    refused: Collection[str] = (),
) -> None:
    """Fail when a response sets a cookie, or carries a tag, that the policy does not cover for this visitor.

    Args:
        response: of httpx, Starlette's TestClient, requests or Playwright, or Starlette's own; with the answers that
            redirected to it, when it knows them.
        policy: the site's policy, or the path of its `consentgate.toml`.
        granted: ids of the categories the visitor accepted.
        refused: ids of categories without opt-in that the visitor objected to.

    Raises:
        AssertionError: listing everything that is wrong, each with its remedy.
        ValueError: when the policy has no such category.
    """
    __tracebackhide__ = True  # pytest shows the test's own line
    policy = policy if isinstance(policy, ConsentPolicy) else load_policy(policy)
    _check_categories(policy, {*granted, *refused})
    on = {category.id for category in policy.categories if category.is_essential or category.id in granted}
    on |= {category.id for category in policy.categories if not category.needs_consent and category.id not in refused}
    responses = [*getattr(response, "history", ()), response]
    problems = list(dict.fromkeys(problem for each in responses for problem in _problems(each, policy, on)))
    if problems:
        count = "1 thing leaves" if len(problems) == 1 else f"{len(problems)} things leave"
        listed = "".join(f"\n  {number}. {_indented(problem)}" for number, problem in enumerate(problems, 1))
        raise AssertionError(f"{count} that the policy does not cover:{listed}")


def _problems(response: Any, policy: ConsentPolicy, on: Collection[str]) -> Iterator[str]:
    headers = _headers(response)
    yield from _cookie_problems((value for key, value in headers if key.lower() == b"set-cookie"), policy, on)
    findings = [tag for key, value in headers if key.lower() == b"link" for tag in tags_in_link_header(value)]
    if any(key.lower() == b"content-type" and b"html" in value.lower() for key, value in headers):
        findings += find_tags(_body(response))
    for finding in findings:
        if uncovered(policy, finding, on):
            remedy = remedy_for_tag(policy, finding)
            yield f"The page carries {finding.title} by itself ({finding.evidence}). {remedy}"


def _cookie_problems(lines: Iterable[bytes], policy: ConsentPolicy, on: Collection[str]) -> Iterator[str]:
    rules = CookieRules(policy)
    now = time.time()
    for line in lines:
        name = set_cookie_name(line)
        category = rules.category_of(name)
        if is_expiry(line, now) or (category is not None and category.id in on):
            continue
        if category is None:
            yield f"The cookie {name!r} is not in the policy. {remedy_for_cookie(policy, line, now)}"
        else:
            yield (
                f"The cookie {name!r} of {category.id} is set although the visitor did not agree to it. "
                "Mount ConsentMiddleware around what sets it."
            )


def _headers(response: Any) -> HeaderList:
    """Return a response's headers with every repeated one, whichever library it is from."""
    pairs = [(_bytes(key), _bytes(value)) for key, value in _pairs(response)]
    if isinstance(cookies := getattr(response, "cookies", None), BaseCookie):  # Django keeps them apart
        pairs += [(b"set-cookie", _bytes(morsel.OutputString())) for morsel in cookies.values()]
    return pairs


def _pairs(response: Any) -> Iterable[tuple[str | bytes, str | bytes]]:
    if hasattr(response, "headers_array"):  # Playwright
        found = response.headers_array
        return [(each["name"], each["value"]) for each in (found() if callable(found) else found)]
    if hasattr(response, "raw_headers"):  # Starlette
        return response.raw_headers  # type: ignore[no-any-return]  # as with all that follow: any library's
    headers = response.headers
    if hasattr(headers, "raw"):  # httpx
        return headers.raw  # type: ignore[no-any-return]
    return headers.multi_items() if hasattr(headers, "multi_items") else headers.items()  # type: ignore[no-any-return]


def _body(response: Any) -> bytes:
    for name in ("content", "body", "data"):
        if hasattr(response, name):
            body = getattr(response, name)
            return bytes(body() if callable(body) else body)
    raise TypeError(f"A {type(response).__name__} has no content, body or data to look at. Read the response first.")


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")


def _check_categories(policy: ConsentPolicy, named: Collection[str]) -> None:
    known = [category.id for category in policy.categories]
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise ValueError(f"The policy has no category {', '.join(unknown)}, only {', '.join(known)}.")


def _indented(text: str) -> str:
    return indent(text.strip(), " " * 5).lstrip()
