"""One request of one visitor: host, cookies and consent, each worked out when it is first asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote

from starlette.types import Scope

from consentgate.consent import Consent
from consentgate.consent_cookie import ConsentCookie, CookieTarget
from consentgate.cookie_rules import CookieRules
from consentgate.cookies import domains_to_clear, names_in, values_of
from consentgate.notices import warn_once
from consentgate.origin import host_of, local_path
from consentgate.policy import ConsentPolicy
from consentgate.rendering import Place, Rendering
from consentgate.storage import matches

__all__ = ["OUTCOMES", "RequestConsent", "Site", "Visit"]

OUTCOMES = ("accept_all", "reject_all", "save")
"""What a visitor can have done; also what the message cookie may hold."""

MESSAGE_SECONDS = 60  # for how long a choice made without scripts can be confirmed
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "testserver", "")


@dataclass(frozen=True)
class Site:
    """Hold what is the same for every request.

    Args:
        policy: what visitors are asked.
        cookie: signs and verifies.
        rules: which cookie belongs to which category.
        rendering: the prepared markup.
        now: the clock, in seconds since 1970.
    """

    policy: ConsentPolicy
    cookie: ConsentCookie
    rules: CookieRules
    rendering: Rendering
    now: Callable[[], float]

    @cached_property
    def signals(self) -> frozenset[tuple[bytes, bytes]]:
        """The request headers that count as a refusal."""
        heard = ((b"sec-gpc", self.policy.gpc == "honour"), (b"dnt", self.policy.dnt))
        return frozenset((name, b"1") for name, counts in heard if counts)

    @cached_property
    def skips(self) -> Callable[[str], bool]:
        """Tells whether a path's pages get neither banner nor tags."""
        patterns = self.policy.skip_paths
        return lru_cache(1024)(lambda path: any(matches(pattern, path) for pattern in patterns))


class Visit:
    """Read one request; nothing of it is looked at before it is needed.

    Args:
        site: what is the same for every request.
        scope: the ASGI scope as the server made it: routers change it later.
    """

    def __init__(self, site: Site, scope: Scope) -> None:
        self.site = site
        self.headers: list[tuple[bytes, bytes]] = list(scope.get("headers") or ())
        self.method: str = scope.get("method", "GET")
        self.path: str = scope.get("path", "/")
        self.left_alone = False  # set when the application asks for it
        self._raw_path: bytes = scope.get("raw_path") or b""
        self._query: bytes = scope.get("query_string") or b""
        self._root_path: str = scope.get("root_path") or ""
        self._over_https = scope.get("scheme") in ("https", "wss")

    def header(self, name: bytes) -> str:
        """Return a request header's value, or an empty string."""
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name), "")

    @cached_property
    def host(self) -> str:
        """The host the visitor asked for, in lower case and without port."""
        return host_of(self.header(b"host"))

    @cached_property
    def target(self) -> CookieTarget:
        """Where this visitor's consent cookie lives."""
        return self._target("")

    @cached_property
    def message_target(self) -> CookieTarget:
        """Where the short-lived cookie lives that lets the next page confirm a choice."""
        return self._target("-message")

    @cached_property
    def consent(self) -> Consent:
        """What the visitor agreed to."""
        return self.site.cookie.read(self._consent_values, self.site.now(), signalled=self._signalled)

    @cached_property
    def place(self) -> Place:
        """Where markup for this request will stand."""
        listed = self.host if self.host in self.site.policy.hosts else ""
        return Place(listed, self.root, self.target.secure)

    @property
    def is_spoken_to(self) -> bool:
        """Whether a page says something to this visitor: the question, or that a choice is saved."""
        return not self.consent.is_decided or self.message is not None

    @property
    def awaits_markup(self) -> bool:
        """Whether anything is to be put into this visitor's pages; for one who refused, nothing is."""
        if self.is_skipped:
            return False
        if self.site.policy.cache == "shared" or self.is_spoken_to:
            return True
        return bool(self.site.rendering.plans(self.place, self.consent.granted))

    @property
    def is_skipped(self) -> bool:
        """Whether this request's page gets neither banner nor tags."""
        return self.left_alone or self.site.skips(self._path_in_app)

    @property
    def state(self) -> str:
        """What tells the page this visitor gets from others' pages at the same address."""
        if self.site.policy.cache == "shared":
            return self.site.rendering.fingerprint(self.place)
        consent = self.consent
        put_in = self.site.rendering.fingerprint(self.place, consent.granted, consent.undecided, self.message)
        return f"{put_in}{_digest(consent.granted)}"  # the application's own templates may ask what is granted

    @property
    def root(self) -> str:
        """The path under which the application is mounted."""
        return quote(self._root_path.rstrip("/"), safe="/~")

    @property
    def authority(self) -> str:
        """`//host:port` of the site when its policy lists the host, else an empty string."""
        return f"//{self.header(b'host')}" if self.place.host else ""

    @cached_property
    def back(self) -> str:
        """The path that leads back to this page after a choice; empty for an answer to a form."""
        if self.method not in ("GET", "HEAD"):
            return ""
        path = self._raw_path.partition(b"?")[0].decode("latin-1") or quote(self.path)
        if not _is_below(path, self.root):  # hypercorn and granian know the path only as a proxy passes it on
            path = self.root + path
        address = path + (f"?{self._query.decode('latin-1')}" if self._query else "")
        return local_path(quote(address, safe="/%?#[]@!$&()*+,;=:-._~")) or ""

    @cached_property
    def message(self) -> str | None:
        """The outcome to confirm on this page, when a choice was made a moment ago without scripts."""
        values = values_of(self.headers, self.message_target.name.encode())
        return next((value.decode() for value in values if value in _OUTCOME_BYTES), None)

    @property
    def _path_in_app(self) -> str:
        root = self._root_path.rstrip("/")
        return self.path[len(root) :] if _is_below(self.path, root) else self.path

    def expiries(self, consent: Consent, *, turn: int | None = None) -> list[bytes]:
        """Write the `Set-Cookie` lines that expire what this request carries and a consent does not cover."""
        return self.site.rules.expiries(
            names_in(self.headers),
            consent.granted,
            host=self.host,
            path=self.path,
            secure=self.target.secure,
            turn=int(self.site.now()) if turn is None else turn,
        )

    def healing(self) -> list[bytes]:
        """Write the lines that leave one consent cookie where a change of domain left several.

        The winner is written again as it was, for the rest of its time; every other place is cleared.
        """
        if len(self._consent_values) < 2:
            return []
        stale = (domain for domain in domains_to_clear(self.host) if domain != self.target.domain)
        lines = [CookieTarget(self.target.name, domain, self.target.secure).line("", 0) for domain in stale]
        if self.target.name.startswith("__Host-"):
            lines = []
        return [*lines, self.consent_line(self.consent)]

    def consent_line(self, consent: Consent) -> bytes:
        """Write the `Set-Cookie` line that keeps a consent."""
        cookie = self.site.cookie
        return self.target.line(cookie.dump(consent), cookie.max_age(consent, self.site.now()))

    @cached_property
    def _consent_values(self) -> list[bytes]:
        return values_of(self.headers, self.target.name.encode())

    @property
    def _signalled(self) -> bool:
        """Whether the browser refuses for the visitor: the value has to be exactly `1` (Global Privacy Control)."""
        return any((key.lower(), value) in self.site.signals for key, value in self.headers)

    def _target(self, suffix: str) -> CookieTarget:
        target = CookieTarget.for_request(
            self.site.policy, host=self.host, scheme="https" if self._over_https else "http", suffix=suffix
        )
        if not self._over_https and not _is_local(self.host):
            _warn_plain_http(target)
        return target


class RequestConsent:
    """Tell the application what this visitor agreed to; reads the cookie when first asked.

    It is `request.state.consent` in Starlette and FastAPI, and `consent_from(scope)` anywhere else.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.is_open = True  # until the response is complete

    def allows(self, category: str) -> bool:
        """Tell whether a category is on for this visitor."""
        return self._visit.consent.allows(category)

    @property
    def granted(self) -> frozenset[str]:
        """Ids of every category that is on, essential ones included."""
        return self._visit.consent.granted

    @property
    def undecided(self) -> tuple[str, ...]:
        """Ids of the categories the visitor has still to answer."""
        return self._visit.consent.undecided

    @property
    def is_decided(self) -> bool:
        """Whether nothing has to be asked."""
        return self._visit.consent.is_decided

    @property
    def decided_at(self) -> int | None:
        """When the visitor last decided, in seconds since 1970, or `None`."""
        return self._visit.consent.decided_at

    def leave_page_alone(self) -> None:
        """Let this response's page go out without banner and tags. Cookies are withheld all the same."""
        self._visit.left_alone = True

    @property
    def cookies_page(self) -> str:
        """The path of the cookies page, for a link in the site's footer."""
        return self._visit.root + self._visit.site.policy.path_prefix


@lru_cache(maxsize=64)
def _digest(granted: frozenset[str]) -> str:
    return hashlib.blake2b(" ".join(sorted(granted)).encode(), digest_size=4).hexdigest()


_OUTCOME_BYTES = frozenset(outcome.encode() for outcome in OUTCOMES)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")


def _is_local(host: str) -> bool:
    return host in _LOOPBACK or host.endswith((".localhost", ".test"))


def _warn_plain_http(target: CookieTarget) -> None:
    if target.secure:
        warn_once(
            "secure-over-http",
            "The consent cookie is Secure but the request came over plain http, so browsers drop it and ask again "
            "on every page. Serve https, let the server read X-Forwarded-Proto, or set secure = false in development.",
        )
    else:
        warn_once(
            "plain-http",
            "A request came over plain http, so the consent cookie is not Secure. If https ends at a proxy in front, "
            "let the server read X-Forwarded-Proto (uvicorn --proxy-headers) or set secure = true.",
        )
