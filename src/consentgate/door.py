"""The door before the gate: what is none of our business passes, and the usual page goes the short way.

The gate decides about every response. For most of them the same few questions decide, which the door asks alone, in
one pass over the headers. Whatever is unusual about a response, or about a page's first piece, goes on through the
gate; so that what leaves is what the gate would have let leave, and the door only costs less.
"""

from __future__ import annotations

from collections.abc import Awaitable, Hashable
from dataclasses import dataclass
from enum import Enum, auto

from starlette.types import Message, Send

from consentgate.beginnings import Beginnings, Front, Fronts, Known
from consentgate.caching import (
    individual,
    is_about_caching,
    is_marked,
    is_never_stored,
    personal,
    varies_by_encoding,
)
from consentgate.csp import Widened
from consentgate.gate import ResponseGate, both, head_for, nothing, permitted, words_for
from consentgate.kept_pages import KeptPage, KeptPages
from consentgate.prefilter import Address
from consentgate.response_kind import is_fragment, media_type_of
from consentgate.tag_watch import TagWatch
from consentgate.visit import Site, Standing, Visit

__all__ = ["Door"]

Header = tuple[bytes, bytes]
HeaderList = list[Header]


class _Meaning(Enum):
    """Say what a response header's name means here."""

    NOTHING = auto()
    CONTENT_TYPE = auto()
    LENGTH = auto()
    CACHING = auto()  # the headers of a personal page are others
    SET_COOKIE = auto()
    POLICY = auto()  # a Content-Security-Policy
    UNUSUAL = auto()  # for a page: the gate has to look at it
    UNREADABLE = auto()  # for any response: written as servers may read it, but not plainly


_MEANINGS = {
    b"content-type": _Meaning.CONTENT_TYPE,
    b"content-length": _Meaning.LENGTH,
    b"set-cookie": _Meaning.SET_COOKIE,
    b"content-security-policy": _Meaning.POLICY,
    **dict.fromkeys(
        (
            b"content-disposition",
            b"content-encoding",
            b"content-security-policy-report-only",
            b"link",
        ),
        _Meaning.UNUSUAL,
    ),
}
_MOST_SHAPES = 256  # that are remembered, each of
_LONGEST_SHAPE = 1_024  # bytes at the most
_METHODS = frozenset(("GET", "POST"))
_MOST_WITH_TAGS = 4_096  # addresses, of each of which a hash is remembered
_LONGEST_KEY = 512  # bytes of an address, of a query and of headers with which a page is kept: visitors make them up
_MOST_PIECES = 16  # of a page, in case that it has to be read from its beginning
_BYTES = {bytes}
_WINDOWS = frozenset((None, b"document"))  # what `Sec-Fetch-Dest` says of a page for a window, in any browser


@dataclass(frozen=True, slots=True)
class _Shape:
    """Hold what the names of a response's headers mean, in their order.

    Args:
        type_at: where the content type stands, or `None`.
        length_at: where the length does.
        policy_at: where a Content-Security-Policy does.
        has_cookie: whether a cookie is set.
        is_about_caching: whether a personal page has other headers in place of some.
        is_unusual: whether the gate has to look at it, if it is a page.
        are_readable: whether all are written plainly, and none of the first two twice.
    """

    type_at: int | None
    length_at: int | None
    policy_at: int | None
    has_cookie: bool
    is_about_caching: bool
    is_unusual: bool
    are_readable: bool


def _shape_of(names: tuple[object, ...]) -> _Shape:
    meanings = [_meaning(name) for name in names]
    once = (_Meaning.CONTENT_TYPE, _Meaning.LENGTH)
    sought = (*once, _Meaning.POLICY)
    type_at, length_at, policy_at = (meanings.index(each) if each in meanings else None for each in sought)
    return _Shape(
        type_at=type_at,
        length_at=length_at,
        policy_at=policy_at,
        has_cookie=_Meaning.SET_COOKIE in meanings,
        is_about_caching=_Meaning.CACHING in meanings,
        is_unusual=_Meaning.UNUSUAL in meanings or meanings.count(_Meaning.POLICY) > 1,
        are_readable=_Meaning.UNREADABLE not in meanings and all(meanings.count(each) < 2 for each in once),
    )


def _meaning(name: object) -> _Meaning:
    if type(name) is not bytes or name.strip() != name:
        return _Meaning.UNREADABLE
    lower = name.lower()
    return _Meaning.CACHING if is_about_caching(lower) else _MEANINGS.get(lower, _Meaning.NOTHING)


class _Shapes(dict[tuple[bytes, ...], _Shape]):
    """Say what headers' names mean. An application has few kinds of responses, so that each is read once only."""

    def __missing__(self, names: tuple[bytes, ...]) -> _Shape:
        shape = _shape_of(names)
        if shape.are_readable and sum(map(len, names)) <= _LONGEST_SHAPE:
            if len(self) >= _MOST_SHAPES:
                self.clear()
            self[names] = shape
        return shape


_UNDECIDED = (None, None)
# A page whose body is still to come; a plain tuple, as one with names takes three times as long to make. Its start as
# it leaves, save for its length; the header that says how long it was, if one does; what its headers call its charset;
# what it gets; the address under which it may be kept, empty where it may not; its Content-Security-Policy, if any.
_Page = tuple[Message, Header | None, str, Standing, Address, tuple[Widened, ...]]


class Door:
    """Wrap `send` for each request.

    Args:
        site: what is the same for every request.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._watch = TagWatch(site.policy)
        self._beginnings = Beginnings()
        self._fronts = Fronts()
        self._kept = KeptPages()
        self._with_tags = set[int]()  # hashes of addresses whose last page had some: the next one is the gate's
        self._shapes = _Shapes()
        self._signals = (b"Cookie", *site.signal_names)
        self._of_personal = personal((), "", signals=site.signal_names)
        policy = site.policy
        self._looks_ahead = policy.placement == "after-skip-link"  # what comes after <body> has a say
        self._prefilter = site.printed_tags.prefilter if site.holds_tags else None
        self._is_usual = site.has_choice and not site.is_shared  # a page that is the same for all is the gate's

    def gate(self, visit: Visit, send: Send) -> ResponseGate:
        """Return the gate itself, for what is no request for a page."""
        return ResponseGate(visit, send, self._watch, self._beginnings)

    def guard(self, visit: Visit, send: Send) -> Send:
        """Return a `send` that lets leave what may leave.

        It is a plain function, as a coroutine would take three times as long for each piece of a body.
        """
        passes = False  # whether all that follows is none of our business, except trailers
        page: _Page | None = None
        policies: tuple[Widened, ...] = ()  # the page's
        address: Address = ()  # … and what tells it from others
        left: list[bytes] = []  # of a page whose pieces are looked at, those that held nothing and have left
        gate: ResponseGate | None = None

        def guarded(message: Message) -> Awaitable[None]:
            nonlocal passes, page, policies, address, gate
            if passes and message["type"] != "http.response.trailers":
                return send(message)
            held: _Page | None = None
            if page is not None:
                held, page = page, None
                start, _, charset, _, address, policies = held
                if (piece := self._first_piece(visit, held, message)) is not None:
                    if self._prefilter is not None and message.get("more_body", False):
                        left.append(message["body"])
                    else:
                        passes = True
                    return both(send, start, piece)
                gate = self.gate(visit, send)
                gate.take_over(start, charset, policies, address)
            elif left:
                if self._leaves_as_well(message, left, address):
                    passes = not message.get("more_body", False)
                    return send(message)
                gate = self.gate(visit, send)
                gate.go_on_after(left, policies)
                left.clear()
            elif gate is None:
                if message["type"] == "http.response.start":
                    passing, page = self._started(visit, message)
                    if page is not None:
                        return nothing()
                    if passing is not None:
                        passes = True
                        return send(passing)
                gate = self.gate(visit, send)
            sent = gate.send(message)
            passes = gate.passes
            if held is not None:
                self._learn(visit, held, gate)
            return sent

        return guarded

    def _started(self, visit: Visit, message: Message) -> tuple[Message | None, _Page | None]:
        """Return the start of a response as it leaves, or a page to splice; neither when the gate has to decide."""
        headers = message.get("headers")
        if type(headers) is not list:  # it may be a generator, or missing
            return _UNDECIDED
        try:
            names, values = zip(*headers, strict=True)
            shape = self._shapes[names]
            media_type = media_type_of(b"" if shape.type_at is None else values[shape.type_at])
            b"".join(values)  # text cannot be
        except (TypeError, ValueError):  # there are no headers, or no pairs of bytes
            return _UNDECIDED
        if not shape.are_readable:
            return _UNDECIDED
        status = message["status"]
        if not media_type.is_html:
            if status == 304 and _may_tell_of_page(visit):
                return _UNDECIDED
            if not (shape.has_cookie or visit.is_individual):
                return message, None
            if set(map(type, values)) != _BYTES:
                return _UNDECIDED
            return {**message, "headers": self._allowed(visit, headers, shape)}, None
        site, scope = self._site, visit.scope
        path = scope["path"]
        if (
            shape.is_unusual
            or not media_type.fits
            or not self._is_usual
            or scope["method"] not in _METHODS
            or visit.fields.get(b"sec-fetch-dest") not in _WINDOWS
            or not (visit.is_plain or not is_fragment(visit))
            or visit.left_alone
            or (site.skips_some and visit.is_skipped)
            or not (visit.may_be_packed or not site.compression.awaits_plain(path))
        ):
            return _UNDECIDED
        standing = visit.settled or visit.settle()
        address: Address = (standing.spot.host, path)
        if status != 200:
            if status < 400:
                return _UNDECIDED
        elif not (standing.grants_everything or address in self._watch.done or self._watch.is_done_at(*address)):
            return _UNDECIDED
        length = None if shape.length_at is None else headers[shape.length_at]
        policies: tuple[Widened, ...] = ()
        if shape.policy_at is not None:
            name, value = headers[shape.policy_at]
            if type(value) is not bytes:
                return _UNDECIDED
            policy = standing.prepared.widening.of(value)
            policies = (policy,)
            if policy.value != value:
                headers = headers.copy()
                headers[shape.policy_at] = (name, policy.value)
        if site.policy.enforce and (own := standing.prepared.widening.own) is not None:
            headers = [*headers, (b"content-security-policy", own.value)]
        if shape.has_cookie or shape.is_about_caching or visit.is_individual:
            if set(map(type, values)) != _BYTES or (shape.is_about_caching and varies_by_encoding(headers)):
                return _UNDECIDED
            headers = self._allowed(visit, headers, shape)
            if shape.is_about_caching and is_never_stored(headers):
                address = ()
        if site.observer is not None:
            site.observer.page(standing.spot.host)
        if shape.is_about_caching or visit.is_individual:
            headers = personal(headers, standing.prepared.state, signals=site.signal_names)
        else:
            headers = headers + self._of_personal
        if not standing.is_settled or (visit.seen.has_optional and not standing.grants_everything):
            headers += [(b"set-cookie", line) for line in visit.housekeeping()]
        start = {**message, "headers": headers}
        if standing.prepared.is_due or self._prefilter is not None:
            return None, (start, length, media_type.charset, standing, address, policies)
        return start, None

    def _allowed(self, visit: Visit, headers: HeaderList, shape: _Shape) -> HeaderList:
        if shape.has_cookie:
            headers = permitted(headers, visit)
        if visit.is_individual and self._site.has_choice:
            headers = individual(headers, signals=self._signals)
        return headers

    def _first_piece(self, visit: Visit, page: _Page, message: Message) -> Message | None:
        """Return the first piece of a page as it leaves, or `None` when the gate has to see it.

        The page's start gets the length that the page will have.
        """
        if message["type"] != "http.response.body" or visit.places_banner:
            return None
        start, length, charset, standing, address, policies = page
        if address in self._kept.addresses and (same := self._same_page(visit, page, message)) is not None:
            return same
        if self._with_tags and hash(address) in self._with_tags:
            return None
        prefilter, prepared = self._prefilter, standing.prepared
        body: bytes = message.get("body", b"")
        if type(body) is not bytes:
            return None
        last = not message.get("more_body", False)
        if prefilter is not None:
            if not last:
                if not body or prefilter.leaving(body, address) < len(body):
                    return None
            elif (
                body != prefilter.kept.get(address)
                and not prefilter.knows(body, address)
                and prefilter.may_be_in(body, address)
            ):
                return None
        if not prepared.is_due:
            if length is not None and not last and prefilter is not None:
                _set_length(start, length, None)
            return message
        # The way back is the path; all else that is put in follows from these, and from how the page begins.
        scope = visit.scope
        key = (
            scope.get("raw_path"),
            scope.get("query_string"),
            scope["method"],
            prepared,
            charset,
            visit.fields.get(b"sec-fetch-dest"),
            policies[0].form if policies else None,
        )
        try:
            front = self._fronts.get(key)
        except TypeError:  # a server's bytearray, say
            return None
        if front is None or not front.known.begins(body):
            known = self._beginning(visit, body, charset, keeps=bool(address))
            if known is None:
                return None
            front = Front(known, words_for(visit, standing, known.of_body, charset), b"")
            if known.comes_again and address and visit.plain_path is not None and all(map(_came_before, policies)):
                if not (known.tokens or any(map(_has_nonce, policies))):
                    begins = known.spliced(known.text, head_for(prepared, policies), front.words)
                    front = front._replace(text=begins)
                self._fronts.keep(key, front)
        if front.text:
            body = b"".join((front.text, memoryview(body)[front.known.end :]))  # copied once only
        else:
            body = front.known.spliced(body, head_for(prepared, policies), front.words)
        if length is not None:
            _set_length(start, length, len(body) if last else None)
        if self._site.observer is not None and not standing.consent.is_decided:
            self._site.observer.banner(standing.spot.host)
        return {**message, "body": body}

    def _same_page(self, visit: Visit, page: _Page, message: Message) -> Message | None:
        """Return a page that had to be read before as it leaves, or `None` when this is another one."""
        if message.get("more_body", False):
            return None
        start, length, _, standing, address, _ = page
        kept = self._kept.find(address, _kept_key(visit, page), message.get("body", b""))
        if kept is None:
            return None
        if length is not None:
            _set_length(start, length, len(kept.leaves))
        if (observer := self._site.observer) is not None:
            host = standing.spot.host
            for service in kept.withheld:
                observer.tag_withheld(host, service)
            if kept.asks:
                observer.banner(host)
        return {**message, "body": kept.leaves}

    def _learn(self, visit: Visit, page: _Page, gate: ResponseGate) -> None:
        """Learn from what the gate made of a page, for the next time that it comes."""
        _, _, _, _, address, policies = page
        place = hash(address)
        if not gate.has_met_tags:
            self._with_tags.discard(place)
        elif address:
            if len(self._with_tags) >= _MOST_WITH_TAGS:
                self._with_tags.clear()
            self._with_tags.add(place)
        if gate.whole is None or not address or any(map(_has_nonce, policies)):
            return
        key = _kept_key(visit, page)
        if not key or sum(len(part) for part in (*address, *key) if isinstance(part, str | bytes)) > _LONGEST_KEY:
            return
        came, leaves = gate.whole
        self._kept.keep(address, key, KeptPage(came, leaves, tuple(gate.withheld), gate.asks))

    def _leaves_as_well(self, message: Message, left: list[bytes], address: Address) -> bool:
        """Tell whether a further piece of a page leaves as it is; the gate sees to long pages."""
        if message["type"] != "http.response.body":
            return False
        piece: bytes = message.get("body", b"")
        if not piece:
            return True
        if (
            type(piece) is not bytes
            or self._prefilter is None
            or len(left) >= _MOST_PIECES
            or self._prefilter.leaving(piece, address, len(left)) < len(piece)
        ):
            return False
        left.append(piece)
        return True

    def _beginning(self, visit: Visit, piece: bytes, charset: str, *, keeps: bool) -> Known | None:
        """Return what a page's first piece begins with, or `None` when that is not all there, or unusual."""
        if self._looks_ahead:
            return None
        reading = (visit.scope.get("path", "/"), visit.fields.get(b"sec-fetch-dest") == b"document", bool(charset))
        known = self._beginnings.known(piece, reading) or self._beginnings.read(piece, reading, keeps=keeps)
        if known is None:
            return None
        seen = known.of_body
        is_unusual = seen is not known.of_head or seen.has_base or seen.has_policy
        return None if is_unusual else known


def _set_length(start: Message, length: Header, size: int | None) -> None:
    """Let a page's start say how long the page is as it leaves, or nothing where that is not known yet."""
    headers = start["headers"]
    headers.remove(length)
    if size is not None:
        headers.append((b"content-length", b"%d" % size))


def _kept_key(visit: Visit, page: _Page) -> tuple[Hashable, ...]:
    """Return what decides about what becomes of a page, beside the page itself, its host and its path.

    It is empty where some of it is of another type than servers should give it (ASGI, HTTP connection scope).
    """
    _, _, charset, standing, _, policies = page
    scope, fields = visit.scope, visit.fields
    raw_path, query = scope.get("raw_path") or b"", scope.get("query_string") or b""
    if type(raw_path) is not bytes or type(query) is not bytes:
        return ()
    return (
        raw_path,
        query,
        scope["method"],
        fields.get(b"host"),
        fields.get(b"sec-fetch-dest"),
        standing.prepared,
        charset,
        *(policy.form for policy in policies),
    )


def _has_nonce(policy: Widened) -> bool:
    """Tell whether the next page's policy is another one."""
    return bool(policy.form.numbers)


def _came_before(policy: Widened) -> bool:
    """Tell whether another page had the same policy, but for its nonces."""
    return policy.came_before


def _may_tell_of_page(visit: Visit) -> bool:
    """Tell whether "not modified" may be said of a page that carries what is personal."""
    return visit.seen.wants_page or is_marked(visit.fields.get(b"if-none-match", b""))
