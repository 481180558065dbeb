"""The door before the gate: what is none of our business passes, and the usual page goes the short way.

The gate decides about every response. For most of them the same few questions decide, which the door asks alone, in
one pass over the headers. Whatever is unusual about a response, or about a page's first piece, goes on through the
gate; so that what leaves is what the gate would have let leave, and the door only costs less.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import Message, Send

from consentgate.caching import individual, is_about_caching, is_marked, personal, varies_by_encoding
from consentgate.gate import ResponseGate, both, nothing, permitted, words_for
from consentgate.injector import Beginning, Beginnings
from consentgate.response_kind import is_fragment, media_type_of
from consentgate.shield import wants_page
from consentgate.tag_watch import TagWatch
from consentgate.visit import Site, Visit

__all__ = ["Door"]

Header = tuple[bytes, bytes]
HeaderList = list[Header]

# What a response header's name means here.
_NOTHING = 0
_CONTENT_TYPE = 1
_LENGTH = 2
_CACHING = 4  # the headers of a personal page are others
_SET_COOKIE = 8
_UNUSUAL = 16  # for a page: the gate has to look at it
_UNREADABLE = 32  # for any response: written as servers may read it, but not plainly

_MEANINGS = {
    b"content-type": _CONTENT_TYPE,
    b"content-length": _LENGTH,
    b"set-cookie": _SET_COOKIE,
    **dict.fromkeys(
        (
            b"content-disposition",
            b"content-encoding",
            b"content-security-policy",
            b"content-security-policy-report-only",
            b"link",
        ),
        _UNUSUAL,
    ),
}
_MOST_NAMES = 256  # that are remembered, each of
_LONGEST_NAME = 64  # bytes at the most
_METHODS = ("GET", "POST")
_WINDOWS = (None, b"document")  # what `Sec-Fetch-Dest` says of a page for a window, in old browsers and new ones


class _Meanings(dict[bytes, int]):
    """Say what the name of a response header means. An application has few, so that each is read once only."""

    def __missing__(self, name: object) -> int:
        if type(name) is not bytes or name.strip() != name:
            return _UNREADABLE
        lower = name.lower()
        meaning = _CACHING if is_about_caching(lower) else _MEANINGS.get(lower, _NOTHING)
        if len(self) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
            self[name] = meaning
        return meaning


class _Page:
    """Hold the start of a page until its first piece is there.

    Args:
        start: what leaves, save for the length.
        length: the header that says how long it was, if one does.
        charset: what its headers call its charset.
    """

    __slots__ = ("charset", "length", "start")

    def __init__(self, start: Message, length: Header | None, charset: str) -> None:
        self.start = start
        self.length = length
        self.charset = charset


class Door:
    """Wrap `send` for each request.

    Args:
        site: what is the same for every request.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._watch = TagWatch(site.policy)
        self._beginnings = Beginnings()
        self._meanings = _Meanings()
        self._signals = (b"Cookie", *site.signal_names)
        self._of_personal = personal((), "", signals=site.signal_names)
        policy = site.policy
        # Pages that are the same for all, or that get a policy, are put together by the gate.
        self._looks_ahead = policy.placement == "after-skip-link"  # what comes after <body> has a say
        self._is_usual = site.has_choice and not site.is_shared and not policy.enforce

    def gate(self, visit: Visit, send: Send) -> ResponseGate:
        """Return the gate itself, for what is no request for a page."""
        return ResponseGate(visit, send, self._watch, self._beginnings)

    def guard(self, visit: Visit, send: Send) -> Send:
        """Return a `send` that lets leave what may leave.

        It is a plain function, as a coroutine would take three times as long for each piece of a body.
        """
        passes = False  # whether all that follows is none of our business, except trailers
        page: _Page | None = None
        gate: ResponseGate | None = None

        def guarded(message: Message) -> Awaitable[None]:
            nonlocal passes, page, gate
            if passes and message["type"] != "http.response.trailers":
                return send(message)
            if gate is None:
                if page is not None:
                    held, page = page, None
                    if pieces := self._spliced(visit, held, message):
                        passes = True
                        return both(send, *pieces)
                    gate = self.gate(visit, send)
                    gate.take_over(held.start, held.charset)
                elif message["type"] == "http.response.start":
                    found = self._started(visit, message)
                    if isinstance(found, _Page):
                        page = found
                        return nothing()
                    if found is not None:
                        passes = True
                        return send(found)
                gate = gate or self.gate(visit, send)
            leaves = gate.send(message)
            passes = gate.passes
            return leaves

        return guarded

    def _started(self, visit: Visit, message: Message) -> Message | _Page | None:
        """Return the start of a response as it leaves, or a page to splice; `None` is for the gate to decide."""
        headers = message.get("headers")
        if headers.__class__ is not list:  # it may be a generator, or missing
            return None
        meanings = self._meanings
        content_type, length, seen = b"", None, 0
        try:
            for header in headers:
                name, value = header
                if meaning := meanings[name]:
                    if meaning <= _LENGTH:
                        if seen & meaning:  # there are two of them
                            return None
                        if meaning == _CONTENT_TYPE:
                            content_type = value
                        else:
                            length = header
                    seen |= meaning
                if value.__class__ is not bytes:
                    return None
        except (TypeError, ValueError):
            return None
        if seen & _UNREADABLE:
            return None
        media_type, status = media_type_of(content_type), message["status"]
        is_page = media_type.is_html if status != 304 else _may_tell_of_page(visit)
        if is_page:
            if seen & _UNUSUAL or not media_type.fits or not self._is_usual_page(visit, status):
                return None
            if seen & _CACHING and varies_by_encoding(headers):
                return None
        elif not seen & _SET_COOKIE and not visit.is_individual:
            return message
        allowed = permitted(headers, visit) if seen & _SET_COOKIE else headers
        if visit.is_individual and self._site.has_choice:
            allowed = individual(allowed, signals=self._signals)
            seen |= _CACHING
        if not is_page:
            return message if allowed is headers else {**message, "headers": allowed}
        if (observer := self._site.observer) is not None:
            observer.page(visit.host)
        if seen & _CACHING:
            leaving = personal(allowed, visit.prepared.state, signals=self._site.signal_names)
        else:
            leaving = allowed + self._of_personal
        if not visit.is_tidy:
            leaving += [(b"set-cookie", line) for line in visit.housekeeping()]
        start = {**message, "headers": leaving}
        if not (visit.prepared.is_due or self._site.holds_tags):
            return start
        return _Page(start, length, media_type.charset)

    def _is_usual_page(self, visit: Visit, status: int) -> bool:
        """Tell whether this is a page for a browser's window, that nothing is to be learnt from."""
        if not self._is_usual or visit.is_skipped or visit.fields.get(b"sec-fetch-dest") not in _WINDOWS:
            return False
        if (not visit.is_plain and is_fragment(visit)) or visit.scope.get("method") not in _METHODS:
            return False
        path = visit.scope.get("path", "/")
        if not visit.may_be_packed and self._site.compression.awaits_plain(path):
            return False
        if status == 200:
            return self._watch.is_done_at(visit.spot.host, path) or visit.grants_everything
        return status >= 400

    def _spliced(self, visit: Visit, page: _Page, message: Message) -> tuple[Message, Message] | None:
        """Return the page's start and its first piece as they leave, or `None` when the gate has to see them."""
        if message["type"] != "http.response.body" or visit.places_banner:
            return None
        body: bytes = message.get("body", b"")
        last = not message.get("more_body", False)
        site, prepared = self._site, visit.prepared
        if site.holds_tags and (not last or site.printed_tags.prefilter.may_be_in(body)):
            return None
        start = page.start
        if not prepared.is_due:
            return start, message
        spliced = self._with_markup(visit, body, page.charset)
        if spliced is None:
            return None
        if site.observer is not None and not visit.consent.is_decided:
            site.observer.banner(visit.host)
        if page.length is not None:
            headers = start["headers"]
            headers.remove(page.length)
            if last:
                headers.append((b"content-length", b"%d" % len(spliced)))
        return start, {**message, "body": spliced}

    def _with_markup(self, visit: Visit, piece: bytes, charset: str) -> bytes | None:
        """Return a page's first piece with markup in it, or `None` when its beginning is not all there, or unusual."""
        if self._looks_ahead:
            return None
        reading = (visit.scope.get("path", "/"), visit.fields.get(b"sec-fetch-dest") == b"document", bool(charset))
        known = self._beginnings.known(piece, reading) or self._beginnings.read(piece, reading)
        if known is not None and known.of_head is known.of_body and _is_plain(known.of_body):
            return known.spliced(piece, visit.prepared.head, words_for(visit, known.of_body, charset))
        return None


def _may_tell_of_page(visit: Visit) -> bool:
    """Tell whether "not modified" may be said of a page that carries what is personal."""
    return wants_page(visit) or is_marked(visit.fields.get(b"if-none-match", b""))


def _is_plain(beginning: Beginning) -> bool:
    return not (beginning.has_base or beginning.has_policy)
