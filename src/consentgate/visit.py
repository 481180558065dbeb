"""One request of one visitor: host, cookies and consent, each worked out when it is first asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.types import Scope

from consentgate.caching import CONDITIONS
from consentgate.compression import Habit, accepts_gzip
from consentgate.consent import OUTCOMES, Consent
from consentgate.consent_cookie import ConsentCookie, CookieTarget, Seal
from consentgate.cookie_rules import CookieRules
from consentgate.cookies import domains_to_clear, names_in, only_value, values_of
from consentgate.csp import Widening
from consentgate.notices import warn_once
from consentgate.observer import Observer
from consentgate.origin import host_of, local_path
from consentgate.policy import ConsentPolicy, sources_of
from consentgate.prefilter import HASHES_TELL
from consentgate.printed_tags import PrintedTags
from consentgate.records import ConsentLog
from consentgate.rendering import Place, Rendering
from consentgate.storage import matches

__all__ = ["FRAGMENT_HEADERS", "Prepared", "RequestConsent", "Site", "Spot", "Standing", "Visit"]

MESSAGE_SECONDS = 60  # for how long a choice made without scripts can be confirmed
_MESSAGE = "-message"  # what the message cookie's name has after the consent cookie's
_MOST_SPOTS = 256  # hosts that are prepared for: visitors can send any
_MOST_PREPARED = 64  # choices that are prepared for at each of them
# Libraries that fetch a part of a page say so; what they get is no document.
FRAGMENT_HEADERS = (b"hx-request", b"turbo-frame", b"x-up-target", b"x-pjax", b"x-requested-with")
_SIGNALS = (b"sec-gpc", b"dnt")
_SPECIAL = frozenset((*FRAGMENT_HEADERS, *CONDITIONS, *_SIGNALS))
_MOST_SEEN = 2_048  # ways to ask of which is known what they mean: visitors can send any, to any host
_NONE: dict[bytes, bytes] = {}
_PLAIN_PATH = re.compile(rb"/(?!/)[A-Za-z0-9/_.~-]{0,500}")  # needs neither quoting nor a check before it leads back
_LONGEST_KEPT = 256  # characters of a path that is remembered: visitors choose the paths they ask for
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "testserver", "")


if TYPE_CHECKING:
    once = cached_property
else:

    class once:  # noqa: N801 - named as what it stands for is
        """Work a property out once: `functools.cached_property` without the lock it takes on Python 3.11."""

        def __init__(self, work: Callable[[Any], Any]) -> None:
            self._work = work
            self.__doc__ = work.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            value = self._work(instance)
            setattr(instance, self._name, value)  # found before this from now on
            return value


@dataclass(frozen=True)
class Site:
    """Hold what is the same for every request.

    Args:
        policy: what visitors are asked.
        cookie: signs and verifies.
        rules: which cookie belongs to which category.
        rendering: the prepared markup.
        now: the clock, in seconds since 1970.
        seal: signs receipts.
        log: where acts are recorded, or `None`.
        observer: counts, if anybody does.
        compression: what the application has shown about it.
        seen: what is known of how browsers asked of late, by hashes of the headers that say so.
    """

    policy: ConsentPolicy
    cookie: ConsentCookie
    rules: CookieRules
    rendering: Rendering
    now: Callable[[], float]
    seal: Seal
    log: ConsentLog | None = None
    observer: Observer | None = None
    compression: Habit = field(default_factory=Habit)
    seen: dict[int, Seen] = field(default_factory=dict)
    # What requests ask again and again; a property, even a cached one, takes several times as long to look up.
    signals: frozenset[tuple[bytes, bytes]] = field(init=False)
    """The request headers that count as a refusal."""
    signal_names: tuple[bytes, ...] = field(init=False)
    """The names of these headers, for `Vary`."""
    optional: frozenset[str] = field(init=False)
    """Ids of the categories that visitors can refuse."""
    has_choice: bool = field(init=False)
    """Whether visitors can refuse anything at all."""
    is_shared: bool = field(init=False)
    """Whether pages are the same for every visitor, so that caches may share them."""
    skips_some: bool = field(init=False)
    """Whether there are paths whose pages get neither banner nor tags."""
    holds_tags: bool = field(init=False)
    """Whether tags that pages carry by themselves are held back."""

    def __post_init__(self) -> None:
        """Work out what follows from the policy."""
        policy = self.policy
        heard = (policy.gpc == "honour", policy.dnt)
        signals = frozenset((name, b"1") for name, counts in zip(_SIGNALS, heard, strict=True) if counts)
        optional = frozenset(category.id for category in policy.optional_categories)
        has_choice = bool(optional)
        facts = {
            "signals": signals,
            "signal_names": tuple(sorted(name for name, _ in signals)),
            "optional": optional,
            "has_choice": has_choice,
            "is_shared": policy.cache == "shared",
            "skips_some": bool(policy.skip_paths),
            "holds_tags": policy.printed_tags == "gate" and has_choice,
        }
        for name, fact in facts.items():
            object.__setattr__(self, name, fact)

    def look_into(self, fields: Mapping[bytes, bytes]) -> Seen:
        """Look into the headers of a request.

        Args:
            fields: the headers by name.
        """
        cookies, accepted = fields.get(b"cookie", b""), fields.get(b"accept-encoding")
        return Seen(
            has_optional=cookies != b"" and self.rules.may_hold_optional(cookies),
            wants_page=self.has_choice and _is_of_navigation(fields.get(b"accept")),
            takes_gzip=None if accepted is None else _takes_gzip(accepted),
        )

    def see(self, key: int, fields: Mapping[bytes, bytes]) -> Seen:
        """Look into the headers of a request that asks in a way that is new.

        Args:
            key: a hash of the headers that count, of the host and of how that was reached; none of them is kept.
            fields: the headers by name.
        """
        seen = self.look_into(fields)
        if HASHES_TELL:
            if len(self.seen) >= _MOST_SEEN:
                self.seen.clear()
            self.seen[key] = seen
        return seen

    @cached_property
    def skips(self) -> Callable[[str], bool]:
        """Tells whether a path's pages get neither banner nor tags."""
        patterns = self.policy.skip_paths

        def skips(path: str) -> bool:
            return any(matches(pattern, path) for pattern in patterns)

        remembered = lru_cache(1024)(skips)
        return lambda path: remembered(path) if len(path) <= _LONGEST_KEPT else skips(path)

    @cached_property
    def widening(self) -> Callable[[frozenset[str]], Widening]:
        """Returns what Content-Security-Policies become for a choice, by the ids of the granted categories."""
        return lru_cache(_MOST_PREPARED)(self._widening)

    def _widening(self, granted: frozenset[str]) -> Widening:
        policy, needed = self.policy, sources_of(self.policy, granted)
        if self.holds_tags and not granted >= self.optional:  # something of ours stands where frames are held back
            needed["frame-src"] = (*needed.get("frame-src", ()), "'self'")
        everything = sources_of(policy, policy.everything)
        return Widening(needed, everything, policy.enforce_allows if policy.enforce else None)

    @cached_property
    def printed_tags(self) -> PrintedTags:
        """Which tags that pages carry by themselves wait for an answer."""
        return PrintedTags(self.policy)

    @cached_property
    def spot(self) -> Callable[[bytes, bool, str], Spot]:
        """Returns what is prepared for a `Host` header, for https or not, and for a root path."""
        return lru_cache(_MOST_SPOTS)(lambda authority, over_https, root: Spot(self, authority, over_https, root))

    @cached_property
    def preparation(self) -> Callable[[Place], Preparation]:
        """Returns what is prepared for a place: visitors can make hosts up, and none of those is a place of its own."""
        return lru_cache(_MOST_SPOTS)(lambda place: Preparation(self, place))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Hold what a page gets for one choice, ready to be put in. There is one for each, which equals itself alone.

    Args:
        state: what tells this page from others' pages at the same address.
        is_due: whether there is anything to put in; for a visitor who refused, nothing is.
        is_spoken_to: whether the visitor is asked something, or told that a choice is saved.
        widening: what a Content-Security-Policy becomes.
        head: what goes to the end of the head.
        late_head: the same, where a policy keeps out some of what may be accepted on the page.
        words: returns the question, or what confirms a choice, for a page's language and for UTF-8 or not: pieces,
            between which the way back is filled in.
    """

    state: str
    is_due: bool
    is_spoken_to: bool
    widening: Widening
    head: bytes
    late_head: bytes
    words: Callable[[str, bool], Sequence[bytes]]


class Preparation:
    """Prepare what the pages of one place get, once for each choice.

    Args:
        site: what is the same for every request.
        place: where the pages are.
    """

    def __init__(self, site: Site, place: Place) -> None:
        self._site = site
        self._place = place
        self.prepared = lru_cache(_MOST_PREPARED)(self._prepare)

    def _prepare(self, granted: frozenset[str], undecided: tuple[str, ...], message: str | None) -> Prepared:
        rendering, place = self._site.rendering, self._place
        is_spoken_to = bool(undecided) or message is not None
        head = partial(rendering.head, place, granted, styled=is_spoken_to, scripted=bool(undecided))
        # The application's own templates may ask what is granted, so that this counts as well.
        put_in = rendering.fingerprint(place, granted, undecided, message)
        return Prepared(
            state=f"{put_in}{_digest(granted)}",
            is_spoken_to=is_spoken_to,
            is_due=is_spoken_to or rendering.has_script(place, granted),
            widening=self._site.widening(granted),
            head=head(),
            late_head=head(later=True),
            words=lru_cache(_MOST_PREPARED)(partial(self._say, undecided, message)),
        )

    def _say(
        self, undecided: tuple[str, ...], message: str | None, page_language: str, is_utf8: bool
    ) -> Sequence[bytes]:
        rendering = self._site.rendering
        place = rendering.place_in(self._place, page_language, is_utf8)
        if undecided:
            return rendering.question_parts(place, undecided)
        return rendering.confirmation_parts(place, message)


@dataclass(frozen=True, slots=True)
class Standing:
    """Hold what a request's cookies mean and bring.

    Args:
        spot: what is prepared for the host.
        consent: what the visitor agreed to.
        prepared: what a page gets for that.
        message: the outcome to confirm on this page, when a choice was made a moment ago without scripts.
        values: of consent cookies, where there may be several.
        is_settled: whether no cookie of ours has to be expired or written again.
        grants_everything: whether nothing is withheld from this visitor.
        since: from when on it is so, in seconds since 1970.
        until: … and until when.
    """

    spot: Spot
    consent: Consent
    prepared: Prepared
    message: str | None
    values: Sequence[bytes]
    is_settled: bool
    grants_everything: bool
    since: float
    until: float


class Seen:
    """Hold what is known of how a browser asks one host: of its cookies, though not these, and what it takes.

    Args:
        has_optional: whether one of the cookies may be one that the visitor can refuse.
        wants_page: whether it asks for a page that can change, going by the `Accept` header of navigations.
        takes_gzip: whether it takes gzip; `None` where it does not say what it takes.
    """

    __slots__ = ("has_optional", "standing", "takes_gzip", "wants_page")

    def __init__(self, *, has_optional: bool, wants_page: bool, takes_gzip: bool | None) -> None:
        self.has_optional = has_optional
        self.wants_page = wants_page
        self.takes_gzip = takes_gzip
        self.standing: Standing | None = None  # once it was needed: a verified cookie's, or that of none


class Spot:
    """Hold what is the same for all requests to one host: its cookies' names and what its pages get.

    Args:
        site: what is the same for every request.
        authority: the `Host` header.
        over_https: whether the visitor came over https.
        root_path: the path under which the application is mounted, as the server gives it.
    """

    def __init__(self, site: Site, authority: bytes, over_https: bool, root_path: str) -> None:
        self.host = host_of(authority.decode("latin-1"))
        self.root = _quoted(root_path.rstrip("/"), safe="/~")
        self.target = _target(site.policy, self.host, over_https=over_https)
        self.message_target = replace(self.target, name=f"{self.target.name}{_MESSAGE}")
        self.cookie_name = self.target.name.encode()
        self.message_name = self.message_target.name.encode()
        listed = self.host if self.host in site.policy.hosts else ""
        self.place = Place(listed, self.root, self.target.secure)
        self.prepared = site.preparation(self.place).prepared
        self._site = site

    def standing_for(self, cookies: bytes) -> Standing | None:
        """Return what a request's cookies mean and bring, when there is none of ours, or a single one.

        This is where most requests for pages end; `None` is for all others.
        """
        name = self.cookie_name  # with it the message cookie's begins as well
        if cookies.find(name) < 0:
            return self._undecided
        value = only_value(cookies, name)
        if value is None:
            return None
        verified = self._site.cookie.verified(value.strip().strip(b'"'), self._site.now())
        if verified is None:
            return self._undecided
        return self.standing(verified.consent, since=verified.since, until=verified.until)

    @cached_property
    def _undecided(self) -> Standing:
        return self.standing(self._site.cookie.undecided, until=inf)

    def standing(
        self,
        consent: Consent,
        *,
        message: str | None = None,
        values: Sequence[bytes] = (),
        since: float = -inf,
        until: float = -inf,
    ) -> Standing:
        """Return what a consent brings here.

        Args:
            consent: what the cookies of a request mean.
            message: as for a `Standing`, as the others.
            values: of consent cookies.
            since: in seconds since 1970.
            until: the same; nothing that is over at once is remembered.
        """
        prepared = self.prepared(consent.granted, consent.undecided, message)
        is_settled = message is None and len(values) < 2
        grants_everything = consent.granted == self._site.policy.everything
        return Standing(self, consent, prepared, message, values, is_settled, grants_everything, since, until)


class RequestConsent:
    """Tell the application what this visitor agreed to; reads the cookie when first asked.

    It is `request.state.consent` in Starlette and FastAPI, and `consent_from(scope)` anywhere else.
    """

    # It is made as a `Visit` only: a second object for each request would take as long as reading its headers does.
    if TYPE_CHECKING:
        site: Site
        is_open: bool
        is_individual: bool
        left_alone: bool
        places_banner: bool

        @property
        def consent(self) -> Consent: ...
        @property
        def place(self) -> Place: ...
        @property
        def root(self) -> str: ...

    def allows(self, category: str) -> bool:
        """Tell whether a category is on for this visitor."""
        return self._asked.allows(category)

    @property
    def granted(self) -> frozenset[str]:
        """Ids of every category that is on, essential ones included."""
        return self._asked.granted

    @property
    def undecided(self) -> tuple[str, ...]:
        """Ids of the categories the visitor has still to answer."""
        return self._asked.undecided

    @property
    def is_decided(self) -> bool:
        """Whether nothing has to be asked."""
        return self._asked.is_decided

    @property
    def decided_at(self) -> int | None:
        """When the visitor last decided, in seconds since 1970, or `None`."""
        return self._asked.decided_at

    @property
    def _asked(self) -> Consent:
        """The visitor's consent; from now on the answer is not the same for everybody."""
        self.is_individual = True
        return self.consent

    def leave_page_alone(self) -> None:
        """Let this response's page go out without banner and tags. Cookies are withheld all the same."""
        self.left_alone = True

    def banner(self) -> str:
        """Return the mark that the banner takes the place of, for a template that has a better place than the policy's.

        Call it before the page's `<body>` leaves. Without anything to say to this visitor the mark shows nothing.
        """
        self.places_banner = True
        return self.site.rendering.banner_mark

    def settings_link(self, words: str | None = None, *, language: str = "") -> str:
        """Return a link to the cookies page, for the footer.

        Args:
            words: what it says; by default "Your cookie settings", in the language.
            language: BCP 47 tag of the page it stands in; by default the site's own.
        """
        return self.site.rendering.settings_link(self.place, words, language)

    @property
    def cookies_page(self) -> str:
        """The path of the cookies page, for a link in the site's footer."""
        return self.root + self.site.policy.path_prefix


class Visit(RequestConsent):
    """Read one request; nothing of it is looked at before it is needed.

    Args:
        site: what is the same for every request.
        scope: the ASGI scope as the server made it: routers change it later.
    """

    def __init__(self, site: Site, scope: Scope) -> None:
        self.site = site
        # At the object, not at its class, where looking them up would take several times as long.
        self.is_open = True  # until the response is complete
        self.is_individual = False  # whether what the application answers may depend on what this visitor agreed to
        self.left_alone = False  # set when the application asks for it
        self.places_banner = False  # … and when it has a place of its own for the banner
        self.may_be_packed = False  # set when the application was asked for gzip, which the gate opens
        # A copy takes no longer than two look-ups, and most requests need none of it. Without the state, in which the
        # visitor's consent will stand: else each request would end as a circle, for the garbage collector.
        self.scope = dict(scope)
        self.scope.pop("state", None)
        headers: Any = scope.get("headers") or ()
        fields = dict(headers) if type(headers) is list else _NONE
        host = fields.get(b"host")
        if host is None or len(fields) != len(headers):
            headers, fields = _in_order(headers)
            host = fields.get(b"host")
        self.headers: list[tuple[bytes, bytes]] = headers
        self.fields: dict[bytes, bytes] = fields  # by name, the first of several
        # Whether it has no condition, no signal, and is no part of a page: one look instead of one for each later on.
        self.is_plain = _SPECIAL.isdisjoint(fields)
        field = fields.get
        asked = (
            field(b"cookie"),
            field(b"accept"),
            field(b"accept-encoding"),
            host,
            scope.get("scheme"),
            scope.get("root_path"),
        )
        try:
            key = hash(asked)
        except TypeError:  # a server's bytearray, say
            self.headers, self.fields = _in_order(headers)
            self.seen = site.look_into(self.fields)
        else:
            self.seen = site.seen.get(key) or site.see(key, fields)
        self.settled: Standing | None = None  # `standing`, once it is known

    @property
    def method(self) -> str:
        """The request's method."""
        method: str = self.scope.get("method", "GET")
        return method

    @property
    def path(self) -> str:
        """The path that the visitor asked for, decoded."""
        path: str = self.scope.get("path", "/")
        return path

    @property
    def cookies(self) -> bytes:
        """The `Cookie` header's value, empty without one."""
        return self.fields.get(b"cookie", b"")

    def header(self, name: bytes) -> str:
        """Return a request header's value, or an empty string."""
        value = self.fields.get(name)
        return "" if value is None else value.decode("latin-1")

    @property
    def standing(self) -> Standing:
        """What the cookies mean and bring for the host the visitor asked for; pages need all of it."""
        return self.settled or self.settle()

    def settle(self) -> Standing:
        """Work that out, once for each request: whatever the clock says later, it is answered for one choice."""
        seen = self.seen
        standing = seen.standing if self.is_plain else None
        if standing is None or not standing.since <= self.site.now() < standing.until:
            standing = self._read_standing()
            if standing.until > standing.since:
                seen.standing = standing
        self.settled = standing
        return standing

    def _read_standing(self) -> Standing:
        spot = self._spot
        standing = spot.standing_for(self.cookies) if self.is_plain else None
        return standing or self._standing_of_its_own(spot)

    @property
    def _spot(self) -> Spot:
        scope = self.scope
        over_https = scope.get("scheme") in ("https", "wss")
        return self.site.spot(bytes(self.fields.get(b"host", b"")), over_https, scope.get("root_path") or "")

    def _standing_of_its_own(self, spot: Spot) -> Standing:
        site, cookies = self.site, self.cookies
        values = values_of(cookies, spot.cookie_name)
        signalled = not self.is_plain and any(tuple(pair) in site.signals for pair in self.headers)
        consent = site.cookie.read(values, site.now(), signalled=signalled)
        return spot.standing(consent, message=_message_in(cookies, spot.message_name), values=values)

    @property
    def spot(self) -> Spot:
        """What is prepared for the host the visitor asked for."""
        return self.standing.spot

    @property
    def consent(self) -> Consent:
        """What the visitor agreed to."""
        return self.standing.consent

    @property
    def prepared(self) -> Prepared:
        """What a page gets for this visitor's choice."""
        return self.standing.prepared

    @property
    def message(self) -> str | None:
        """The outcome to confirm on this page, when a choice was made a moment ago without scripts."""
        return self.standing.message

    @property
    def host(self) -> str:
        """The host the visitor asked for, in lower case and without port."""
        return self.spot.host

    @property
    def target(self) -> CookieTarget:
        """Where this visitor's consent cookie lives."""
        return self.spot.target

    @property
    def message_target(self) -> CookieTarget:
        """Where the short-lived cookie lives that lets the next page confirm a choice."""
        return self.spot.message_target

    @property
    def place(self) -> Place:
        """Where markup for this request will stand."""
        return self.spot.place

    @property
    def is_spoken_to(self) -> bool:
        """Whether a page says something to this visitor: the question, or that a choice is saved."""
        return self.prepared.is_spoken_to

    @property
    def awaits_markup(self) -> bool:
        """Whether anything is to be put into this visitor's pages; for one who refused, nothing is."""
        return not self.is_skipped and (self.site.is_shared or self.prepared.is_due)

    @property
    def holds_tags(self) -> bool:
        """Whether tags that this request's page carries by itself are held back."""
        return self.site.holds_tags and not self.is_skipped

    @property
    def is_skipped(self) -> bool:
        """Whether this request's page gets neither banner nor tags."""
        return self.left_alone or (self.site.skips_some and self.site.skips(self._path_in_app))

    @property
    def state(self) -> str:
        """What tells the page this visitor gets from others' pages at the same address."""
        return self.site.rendering.fingerprint(self.place) if self.site.is_shared else self.prepared.state

    @property
    def widening(self) -> Widening:
        """What a Content-Security-Policy becomes on this visitor's pages."""
        site = self.site
        return site.widening(site.policy.essential) if site.is_shared else self.prepared.widening

    @property
    def root(self) -> str:
        """The path under which the application is mounted."""
        return self.spot.root

    @property
    def authority(self) -> str:
        """`//host:port` of the site when its policy lists the host, else an empty string.

        A page for a shared cache has no port in it: whoever asks may make one up, and not every cache tells by the port
        which site it keeps a page of. Development servers have to have theirs.
        """
        if not self.place.host:
            return ""
        return f"//{self.host}" if self.site.is_shared and not _is_local(self.host) else f"//{self.header(b'host')}"

    @property
    def plain_path(self) -> bytes | None:
        """The path that leads back to this page, where it is plain enough to be put into markup as it is."""
        scope = self.scope
        raw_path: bytes = scope.get("raw_path") or b""
        if scope.get("query_string") or scope.get("root_path") or scope.get("method", "GET") not in ("GET", "HEAD"):
            return None
        return raw_path if _PLAIN_PATH.fullmatch(raw_path) else None

    @once
    def back(self) -> str:
        """The path that leads back to this page after a choice; empty for an answer to a form."""
        if self.method not in ("GET", "HEAD"):
            return ""
        if (plain := self.plain_path) is not None:
            return plain.decode("ascii")
        raw_path: bytes = self.scope.get("raw_path") or b""
        query: bytes = self.scope.get("query_string") or b""
        path = raw_path.partition(b"?")[0].decode("latin-1") or _quoted(self.path)
        if not _is_below(path, self.root):  # hypercorn and granian know the path only as a proxy passes it on
            path = self.root + path
        address = path + (f"?{query.decode('latin-1')}" if query else "")
        return local_path(quote(address, safe="/%?#[]@!$&()*+,;=:-._~")) or ""

    @property
    def _path_in_app(self) -> str:
        root: str = (self.scope.get("root_path") or "").rstrip("/")
        return self.path[len(root) :] if _is_below(self.path, root) else self.path

    def expiries(self, consent: Consent, *, turn: int | None = None, in_folders: bool = False) -> list[bytes]:
        """Write the `Set-Cookie` lines that expire what this request carries and a consent does not cover.

        With `in_folders`, also what the policy puts into folders whose cookies this request does not carry.
        """
        if consent.granted == self.site.policy.everything:  # most visitors with such cookies have agreed to them
            return []
        unseen = self.site.rules.in_folders(consent.granted) if in_folders else []
        if not unseen and not self.seen.has_optional:
            return []
        return self.site.rules.expiries(
            dict.fromkeys([*unseen, *names_in(self.cookies)]),
            consent.granted,
            host=self.host,
            path=self.path,
            secure=self.target.secure,
            turn=int(self.site.now()) if turn is None else turn,
        )

    def housekeeping(self) -> list[bytes]:
        """Write all `Set-Cookie` lines that go with a page: what is not agreed to, old and used-up cookies go."""
        lines = self.expiries(self.consent) if self.seen.has_optional else []
        lines += self.healing()
        if self.message is not None:
            lines.append(self.message_target.line("", 0))
        return lines

    def healing(self) -> list[bytes]:
        """Write the lines that leave one consent cookie where a change of domain left several.

        The winner is written again as it was, for the rest of its time; every other place is cleared.
        """
        if len(self.standing.values) < 2:
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


def _in_order(headers: Iterable[tuple[bytes, bytes]]) -> tuple[list[tuple[bytes, bytes]], dict[bytes, bytes]]:
    """Return headers with their names in lower case, and the first value of each; all cookies are put together.

    Servers hand them over in lower case (ASGI, HTTP connection scope), and one that has `host` so has all of them so.
    HTTP/2 may split the cookies over several headers (RFC 9113 8.2.3).
    """
    kept = [(bytes(key).lower(), bytes(value)) for key, value in headers]
    fields = dict(reversed(kept))
    cookies = [value for key, value in kept if key == b"cookie"]
    return kept, fields | {b"cookie": b"; ".join(cookies)} if cookies else fields


def _is_of_navigation(accept: bytes | None) -> bool:
    """Tell whether an `Accept` header is one of those with which browsers ask for pages, and scripts do not."""
    return accept is not None and accept != b"*/*" and accept.find(b"text/html") >= 0


@lru_cache(maxsize=64)  # what browsers send differs little, and reading it takes ten times as long
def _takes_gzip(accept_encoding: bytes) -> bool:
    return accepts_gzip(accept_encoding.decode("latin-1"))


def _message_in(cookies: bytes, name: bytes) -> str | None:
    if cookies.find(name) < 0:
        return None
    return next((value.decode() for value in values_of(cookies, name) if value in _OUTCOME_BYTES), None)


def _target(policy: ConsentPolicy, host: str, *, over_https: bool) -> CookieTarget:
    target = CookieTarget.for_request(policy, host=host, scheme="https" if over_https else "http")
    if not over_https and not _is_local(host):
        _warn_plain_http(target)
    return target


@lru_cache(maxsize=64)
def _digest(granted: frozenset[str]) -> str:
    return hashlib.blake2b(" ".join(sorted(granted)).encode(), digest_size=4).hexdigest()


def _quoted(path: str, safe: str = "/") -> str:
    """Quote a path as a server gives it; half a character, which some decode bytes to, is no address of any page."""
    return quote(path, safe=safe, errors="replace")


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
