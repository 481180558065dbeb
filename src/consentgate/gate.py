"""What may leave, for one request: withhold cookies, make pages personal, and splice banner and tags into them."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from starlette.types import Message, Send

from consentgate.beginnings import Beginning, Beginnings, Markup, Reading
from consentgate.caching import individual, is_never_stored, personal, shared, unshared, varies_by_encoding
from consentgate.compression import Gunzip, Gzip
from consentgate.cookies import is_expiry, set_cookie_name
from consentgate.csp import Widened, lets_frame_in
from consentgate.injector import Injector
from consentgate.notices import warn_once, warn_undeclared
from consentgate.placeholder import MARK, Placeholder
from consentgate.policy import Category
from consentgate.prefilter import Address
from consentgate.printed_tags import TagGate
from consentgate.rendering import Addresses, Place, filled
from consentgate.response_kind import BYPASSES, Kind, carries_tags, kind_of, media_type_of, value_of
from consentgate.rewriter import Rewriter, Surroundings
from consentgate.tag_watch import Look, TagWatch
from consentgate.visit import FRAGMENT_HEADERS, Prepared, Standing, Visit

__all__ = ["ResponseGate", "both", "head_for", "nothing", "permitted", "words_for"]

HeaderList = list[tuple[bytes, bytes]]
Fields = Mapping[bytes, bytes]

_WITH_HEADERS = frozenset(("http.response.trailers", "websocket.accept", "websocket.http.response.start"))
_UTF_8 = frozenset(("utf-8", "utf8"))
_REWRITTEN = "\0rewritten"  # what tells how such a page begins from how others at its path do
_CSP = b"content-security-policy"
_CSP_HEADERS = (_CSP, b"content-security-policy-report-only")


class ResponseGate:
    """Wrap `send` for one request.

    Args:
        visit: the request.
        send: the server's `send`.
        watch: notices tags that pages carry by themselves.
        beginnings: where it is remembered how this application's pages begin.
    """

    passes = False
    """Whether all that follows is none of our business, except trailers."""
    whole: tuple[bytes, bytes] | None = None
    """A page that came in one piece, and the same as it leaves, where nothing is still to come of it."""
    asks = False
    """Whether the question was put into it."""
    _look: Look | None = None
    _start: Message | None = None  # held back until the first piece of the page is there
    _reading: Reading | None = None  # how a page is to be read, until all markup is in it
    _injector: Injector | None = None
    _placeholder: Placeholder | None = None  # where the application itself places the banner
    _looks_for_tags = False  # whether the first piece of a page is to be looked at for tags that it prints
    _tags: TagGate | None = None  # decides about the tags that the application prints
    _rewriter: Rewriter | None = None
    _last_to_look: Rewriter | None = None  # the same, once nobody else looks at what follows
    _is_part = False  # of a page: what is put into pages is not put into it
    _gunzip: Gunzip | None = None
    _gzip: Gzip | None = None
    _charset = ""  # what a page's headers call its charset
    _is_head = False  # whether a page's headers go out without the page
    _policies: Sequence[Widened] = ()
    _address: Address = ()  # of a page that may be kept
    _keeps = True  # whether anything of the page may be kept

    def __init__(self, visit: Visit, send: Send, watch: TagWatch, beginnings: Beginnings) -> None:
        self._visit = visit
        self._send = send
        self._watch = watch
        self._beginnings = beginnings
        self.withheld: list[str] = []
        """Names of the services whose tags are held back."""

    def send(self, message: Message) -> Awaitable[None]:
        """Take a message from the application and pass on what may leave."""
        kind = message["type"]
        if self.passes and kind != "http.response.trailers":
            return self._send(message)
        if (rewriter := self._last_to_look) is not None and kind == "http.response.body" and message.get("more_body"):
            return self._rewritten(message, rewriter)
        if kind == "http.response.start":
            return self._on_start(message)
        if kind == "http.response.body":
            return self._on_body(message)
        if kind == "http.response.early_hint" and self._visit.holds_tags:
            return self._on_hint(message)
        if self._start is not None:
            return self._release(self._start, message)
        if kind in _WITH_HEADERS:
            return self._send({**message, "headers": permitted(_raw(message), self._visit)})
        return self._send(message)

    @property
    def has_met_tags(self) -> bool:
        """Whether the page holds tags that depend on the visitor's choice."""
        return self._tags is not None and self._tags.has_met

    def _rewritten(self, message: Message, rewriter: Rewriter) -> Awaitable[None]:
        """Pass a further piece of a page on, in which there is nothing left to do but look for tags."""
        body = bytes(message.get("body", b""))
        leaves = rewriter.feed(body)
        if leaves is body:
            return self._send(message)
        return self._send({**message, "body": leaves}) if leaves else nothing()

    def _on_hint(self, message: Message) -> Awaitable[None]:
        """Pass on what a browser may fetch before the page comes, without what the visitor did not agree to."""
        tags, links = self._new_tag_gate(), list(message["links"])
        kept = [link for value in links if (link := tags.link_header(value))]
        if kept != links:
            message = {**message, "links": kept}
        return self._send(message) if kept or not links else nothing()

    def _on_start(self, message: Message) -> Awaitable[None]:
        headers = message.get("headers")
        if type(headers) is not list or not all(map(_is_plain, headers)):  # it may be a generator, or missing
            headers = _raw(message)
            message = {**message, "headers": headers}
        fields = {key.lower(): value for key, value in reversed(headers)}  # of several with a name the first
        if b"set-cookie" in fields:
            headers = permitted(headers, self._visit)
            message = {**message, "headers": headers}
        if self._visit.is_individual and self._visit.site.has_choice:
            headers = individual(headers, signals=(b"Cookie", *self._visit.site.signal_names))
            message = {**message, "headers": headers}
        kind = kind_of(message["status"], fields, self._visit)
        if kind is Kind.OTHER:
            self.passes = True
            return self._send(message)
        holds_tags = self._visit.site.holds_tags and carries_tags(message["status"], fields, self._visit)
        if (holds_tags or kind is Kind.PAGE) and value_of(fields, b"content-encoding").lower() == "gzip":
            headers = self._opened(headers)
            fields.pop(b"content-encoding")
            message = {**message, "headers": headers}
        if holds_tags:
            self._looks_for_tags = True
            if b"link" in fields:
                headers = self._with_permitted_links(headers)
                message = {**message, "headers": headers}
        if kind is Kind.FRAGMENT:
            self._is_part = True
            return self._on_part({**message, "headers": unshared(headers, signals=FRAGMENT_HEADERS)})
        if (observer := self._visit.site.observer) is not None:
            observer.page(self._visit.host)
        self._look = self._watch.look(self._visit, message["status"], headers, fields)
        if _CSP in fields:
            self._policies = [self._visit.widening.of(value) for key, value in headers if key.lower() == _CSP]
        self._keeps = not is_never_stored(headers)
        page = {**message, "headers": self._page_headers(headers, fields)}
        if kind is Kind.PAGE:
            return self._on_page(page, fields)
        return self._on_part(self._unspliced(page))

    def _with_permitted_links(self, headers: HeaderList) -> HeaderList:
        """Return the headers without hints that the visitor did not agree to."""
        tags = self._tags = self._new_tag_gate()
        kept = [(key, tags.link_header(value) if key.lower() == b"link" else value) for key, value in headers]
        return [new for new, old in zip(kept, headers, strict=True) if new[1] or not old[1]]

    def _on_part(self, start: Message) -> Awaitable[None]:
        """Pass on a response that gets no markup, but whose tags may have to be held back."""
        if not self._looks_for_tags:
            self.passes = self._look is None
            return self._send(start)
        return self._before_body(start)

    def _on_page(self, start: Message, fields: Fields) -> Awaitable[None]:
        self._charset = media_type_of(fields[b"content-type"]).charset
        self._reading = self._way_to_read()
        if self._gunzip is None and self._would_be_compressed(start["headers"], fields):
            self._gzip = Gzip()
        return self._before_body(start)

    def _way_to_read(self) -> Reading:
        visit = self._visit
        return Reading(
            address=visit.path,
            page_expected=not visit.site.is_shared and visit.fields.get(b"sec-fetch-dest") == b"document",
            charset_known=bool(self._charset),
        )

    def take_over(self, start: Message, charset: str, policies: Sequence[Widened], address: Address) -> None:
        """Go on with a page whose first piece is still to come, and whose headers were looked at before.

        Args:
            start: the page's start as it leaves, but for its length.
            charset: what it calls the page's charset.
            policies: its Content-Security-Policies.
            address: what tells it from other pages; empty where nothing of it may be kept.
        """
        self._start, self._charset, self._address, self._policies = start, charset, address, policies
        self._keeps = bool(address)
        self._looks_for_tags = self._visit.site.holds_tags
        if self._visit.prepared.is_due:
            self._reading = self._way_to_read()

    def go_on_after(self, pieces: Iterable[bytes], policies: Sequence[Widened]) -> None:
        """Go on with a page of which some has left, in which no tag was, and of which more is to be looked at.

        Args:
            pieces: what has left, as it came.
            policies: the page's Content-Security-Policies.
        """
        self._policies = policies
        self._tags = self._new_tag_gate()
        self._rewriter = Rewriter(self._tags.concerns, self._tags.change, self._visit.site.printed_tags.prefilter)
        for piece in pieces:
            self._rewriter.feed(piece)
        self._last_to_look = self._rewriter

    def _before_body(self, start: Message) -> Awaitable[None]:
        """Hold the headers back until the first piece of the body tells its length."""
        if self._visit.method == "HEAD":  # its length would be that of another page
            self._is_head = True
            headers = self._of_a_part(start["headers"], last=False)
            return self._send({**start, "headers": self._encoded(_with_length(headers, None))})
        self._start = start
        return nothing()

    def _on_body(self, message: Message) -> Awaitable[None]:
        packed: bytes = message.get("body", b"")
        if type(packed) is not bytes:  # Starlette passes a memoryview on
            packed = bytes(packed)
            message = {**message, "body": packed}
        if self._gunzip is None:
            return self._on_opened(message, packed)
        opened = self._gunzip.feed(packed)
        first, second = next(opened, b""), next(opened, b"")
        if second:
            return self._in_steps(message, chain((first, second), opened))
        return self._on_opened({**message, "body": first}, packed)

    async def _in_steps(self, message: Message, opened: Iterable[bytes]) -> None:
        """Pass on what a compressed piece of a page holds, at the pace of the visitor."""
        for body in opened:
            await self._on_opened({**message, "body": body, "more_body": True}, b"")
        if not message.get("more_body", False):
            await self._on_opened({**message, "body": b""}, b"")

    def _on_opened(self, message: Message, packed: bytes) -> Awaitable[None]:
        if self._look is not None:
            self._look.see(message.get("body", b""), last=not message.get("more_body", False))
        if self._is_head:
            return self._send({**message, "body": b""})  # or a server would announce the other page's length
        if (
            self._reading is not None
            or self._gzip is not None
            or self._placeholder is not None
            or self._rewriter is not None
            or self._looks_for_tags
        ):
            return self._on_piece(message, packed)
        return self._send(message)

    def _on_piece(self, message: Message, packed: bytes) -> Awaitable[None]:
        """Pass a piece of a page on, and before the first one the page's start: its length may be known now."""
        last = not message.get("more_body", False)
        body = came = message.get("body", b"")
        if self._looks_for_tags:
            self._looks_for_tags = False
            body = self._look_for_tags(body, last=last)
            has_none = self._rewriter is None and not self.has_met_tags
            if has_none and self._reading is None and self._start is not None:
                return self._unchanged(self._start, {**message, "body": packed})
        if self._rewriter is not None:
            body = self._rewriter.feed(body) if body else b""
            body += self._rewriter.close() if last else b""
        if self._visit.places_banner and self._start is not None and last and MARK not in body:
            self._visit.places_banner = False  # it is another page than the one that was to have it: an error, say
        if self._reading is not None:
            body = self._spliced(body, self._reading, last=last, is_rewritten=body is not came)
        if self._placeholder is not None:
            body = self._placeholder.feed(body, last=last)
        if self._gunzip is not None and last and self._start is not None and body == came:
            body = packed  # the whole page, and nothing was changed: it leaves as the application compressed it
        elif self._gzip is not None:
            body = self._gzip.feed(body, last=last)
        piece = {**message, "body": body} if body or last else None
        start, self._start = self._start, None
        others = (self._reading, self._placeholder, self._gunzip, self._gzip, self._look)
        self._last_to_look = None if any(others) else self._rewriter
        if start is None:
            return self._send(piece) if piece is not None else nothing()
        if last and not (any(others) or self._is_part or self._visit.places_banner):
            self.whole = came, body
        headers = self._of_a_part(start["headers"], last=last) if self._is_part else start["headers"]
        start["headers"] = self._encoded(_with_length(headers, len(body) if last else None))
        return self._send(start) if piece is None else both(self._send, start, piece)

    def _look_for_tags(self, body: bytes, *, last: bool) -> bytes:
        """Return a whole page as it may leave, and prepare for one that comes in pieces."""
        prefilter = self._visit.site.printed_tags.prefilter
        if last and (prefilter.knows(body, self._address) or not prefilter.may_be_in(body)):
            return body
        tags = self._tags = self._tags or self._new_tag_gate()
        rewriter = Rewriter(tags.concerns, tags.change, prefilter)
        if not last:
            self._rewriter = rewriter
            return body
        rewritten = rewriter.whole(body)
        if not tags.has_met:
            prefilter.clear(body)
        return rewritten

    def _unchanged(self, start: Message, body: Message) -> Awaitable[None]:
        """Pass on a whole page as it came, compressed or not."""
        self._start, self.passes = None, True
        if self._gunzip is not None:
            start["headers"] = self._encoded(start["headers"])
        return both(self._send, start, body)

    def _spliced(self, body: bytes, reading: Reading, *, last: bool, is_rewritten: bool) -> bytes:
        """Return what may leave of a piece, with the markup if its place is in there."""
        if self._injector is None:
            if is_rewritten:  # it begins in another way than the application wrote it
                reading = reading._replace(address=f"{reading.address}{_REWRITTEN}")
            if (spliced := self._beginnings.splice(body, reading, self._markup)) is not None:
                self._count_banner()
                self._has_spliced()
                return spliced
            after_skip_link = self._visit.site.policy.placement == "after-skip-link"
            beginnings = self._beginnings if self._keeps else None
            self._injector = Injector(
                self._markup, beginnings=beginnings, after_skip_link=after_skip_link, **reading._asdict()
            )
        body = self._injector.feed(body)
        if last:
            body += self._injector.close()
        if self._injector.finished:
            _explain(self._injector)
            if self._injector.spliced:
                self._count_banner()
            self._has_spliced()
        return body

    def _count_banner(self) -> None:
        visit = self._visit
        if visit.site.is_shared or visit.consent.is_decided:
            return
        self.asks = True
        if visit.site.observer is not None:
            visit.site.observer.banner(visit.host)

    def _has_spliced(self) -> None:
        """Let the rest of the page pass."""
        self._reading = self._injector = None
        waits = self._gzip is not None or self._look is not None or self._placeholder is not None
        self.passes = not waits and self._rewriter is None

    def _of_a_part(self, headers: HeaderList, *, last: bool) -> HeaderList:
        """Make a part of a page personal when it holds what depends on the choice, or when that is still to be seen."""
        if not self._is_part or (last and not self.has_met_tags):
            return headers
        visit = self._visit
        if visit.site.is_shared:
            return shared(headers, visit.state)
        return personal(headers, visit.state, signals=visit.site.signal_names)

    def _opened(self, headers: HeaderList) -> HeaderList:
        """Prepare for a page that the application has compressed: it is opened here, and packed again as it leaves."""
        self._gunzip, self._gzip = Gunzip(), Gzip()
        self._visit.site.compression.came_packed(self._visit.path, varies=varies_by_encoding(headers))
        return [(key, value) for key, value in headers if key.lower() != b"content-encoding"]

    def _would_be_compressed(self, headers: HeaderList, fields: Fields) -> bool:
        """Tell whether the application compresses such pages, and the browser can open them."""
        visit = self._visit
        would = b"vary" in fields and not value_of(fields, b"content-encoding") and varies_by_encoding(headers)
        if visit.method == "GET" and not visit.may_be_packed:
            would = visit.site.compression.came_plain(visit.path, varies=would)
        return would and bool(visit.seen.takes_gzip)

    def _encoded(self, headers: HeaderList) -> HeaderList:
        if self._gzip is None:
            return headers
        vary = [] if varies_by_encoding(headers) else [(b"vary", b"Accept-Encoding")]
        return [*headers, *vary, (b"content-encoding", b"gzip")]

    def _release(self, start: Message, message: Message) -> Awaitable[None]:
        """Send a start that was held back, and a message that came before the first piece of the body."""
        self._start = None
        if message["type"] in BYPASSES:  # the server itself reads the page from a file: nothing can be put into it
            self._reading, self._looks_for_tags = None, False
            start = self._unspliced(start)
            if self._gunzip is not None:  # the file is what the application said, compressed
                start = {**start, "headers": self._encoded(start["headers"])}
        else:  # the page is still to come, and may grow
            headers = self._of_a_part(start["headers"], last=False)
            start = {**start, "headers": self._encoded(_with_length(headers, None))}
        return both(self._send, start, message)

    def _unspliced(self, start: Message) -> Message:
        """Keep a page out of shared caches that is not the same as other visitors get: it has no script of ours."""
        if not self._visit.site.is_shared or start["status"] == 304:
            return start  # private already, or the answer for a page that is the same for all
        unmarked = [(key, value) for key, value in start["headers"] if key.lower() != b"etag"]
        return {**start, "headers": unshared(unmarked, signals=(b"accept",))}

    def _page_headers(self, headers: HeaderList, fields: Fields) -> HeaderList:
        """Return a page's headers with its caching, its policy, and the lines that expire what is not agreed to."""
        visit, policy = self._visit, self._visit.site.policy
        if visit.site.is_shared:
            if visit.site.holds_tags and not fields.keys().isdisjoint(_CSP_HEADERS):
                headers = self._with_csp(headers)
            return shared(headers, visit.state)
        if policy.enforce or not fields.keys().isdisjoint(_CSP_HEADERS):
            headers = self._with_csp(headers)
        headers = personal(headers, visit.state, signals=visit.site.signal_names)
        lines = visit.housekeeping()
        return headers + [(b"set-cookie", line) for line in lines] if lines else headers

    def _with_csp(self, headers: HeaderList) -> HeaderList:
        """Let through what the granted services need, on this response alone; with `enforce`, nothing else."""
        widening = self._visit.widening
        changed = [(key, widening.of(value).value if key.lower() in _CSP_HEADERS else value) for key, value in headers]
        return changed if widening.own is None else [*changed, (_CSP, widening.own.value)]

    @property
    def _sent_policies(self) -> Sequence[Widened]:
        """The policies as this page's browser gets them."""
        own = self._visit.widening.own
        return self._policies if own is None else [*self._policies, own]

    def _markup(self, beginning: Beginning) -> Markup:
        visit = self._visit
        if beginning.has_policy:
            _warn_meta_policy()
        if visit.site.is_shared:
            head = visit.site.rendering.shared_head(_place(visit, beginning))
            return Markup(_with_nonces(head, self._policies))
        if beginning.has_base:
            return self._markup_of_its_own(beginning)
        words = words_for(visit, visit.standing, beginning, self._charset)
        return Markup(head_for(visit.prepared, self._policies), self._placed(words) if words else b"")

    def _markup_of_its_own(self, beginning: Beginning) -> Markup:
        """Return markup for a page with a base, for which nothing is prepared."""
        visit, rendering, consent = self._visit, self._visit.site.rendering, self._visit.consent
        place = _place(visit, beginning)
        spoken = rendering.place_in(place, beginning.language, _is_utf8(beginning, self._charset))
        head = rendering.head(
            place,
            consent.granted,
            styled=visit.is_spoken_to,
            scripted=not consent.is_decided,
            later=self._starts_later,
        )
        head = _with_nonces(head, self._policies)
        if not consent.is_decided:
            return Markup(head, self._placed(rendering.question(spoken, consent.undecided, visit.back)))
        if visit.message is not None:
            return Markup(head, self._placed(rendering.confirmation(spoken, visit.message, visit.back)))
        return Markup(head)

    def _placed(self, banner: bytes) -> bytes:
        """Return what goes to the policy's place, which is nothing where the application has one of its own."""
        if not self._visit.places_banner:
            return banner
        self._placeholder = Placeholder(banner)
        return b""

    @property
    def _starts_later(self) -> bool:
        """Whether the policy the page has now keeps out a service that is accepted on it, until the next page."""
        return not _let_all_in(self._sent_policies)

    def _new_tag_gate(self) -> TagGate:
        """Return what decides about the tags in this visitor's page."""
        visit, site, rendering = self._visit, self._visit.site, self._visit.site.rendering
        granted = None if site.is_shared else visit.consent.granted
        may_agree_here = site.is_shared or not visit.consent.is_decided

        def script(around: Surroundings) -> bytes:
            if not may_agree_here or site.policy.script_api:
                return b""
            markup = rendering.page_script(_place(visit, around), granted, later=self._starts_later)
            return _with_nonces(markup, self._policies)

        def embed(around: Surroundings, address: str) -> str:
            is_late = not lets_frame_in((_text(policy.value) for policy in self._sent_policies), address)
            return f"{Addresses.at(_place(visit, around), site.policy).embed}?{'later=1&' if is_late else ''}"

        def note(service: str) -> None:
            self.withheld.append(service)
            if site.observer is not None:
                site.observer.tag_withheld(visit.host, service)

        return TagGate(site.printed_tags, site.policy.essential if granted is None else granted, embed, script, note)


def head_for(prepared: Prepared, policies: Sequence[Widened]) -> bytes:
    """Return what goes to the end of a page's head.

    Args:
        prepared: what the page gets.
        policies: its Content-Security-Policies.
    """
    own = prepared.widening.own
    if own is None and not policies:
        return prepared.head
    sent = policies if own is None else (*policies, own)
    return _with_nonces(prepared.head if _let_all_in(sent) else prepared.late_head, policies)


def _let_all_in(policies: Iterable[Widened]) -> bool:
    """Tell whether policies leave room for all services that may be accepted on a page."""
    for policy in policies:  # noqa: SIM110 - a generator takes longer than the one or two that there are
        if not policy.form.lets_all_in:
            return False
    return True


def _with_nonces(markup: bytes, policies: Sequence[Widened]) -> bytes:
    """Return markup with the nonces that let its script and its style sheet in."""
    script = style = ""
    for policy in policies:
        script, style = script or policy.script_nonce, style or policy.style_nonce
    if script:
        markup = markup.replace(b"<script ", b'<script nonce="%s" ' % script.encode("ascii"))
    return markup.replace(b"<link ", b'<link nonce="%s" ' % style.encode("ascii")) if style else markup


def words_for(visit: Visit, standing: Standing, beginning: Beginning, charset: str) -> bytes:
    """Return the question, or what confirms a choice, as it is prepared for pages without a base.

    Args:
        visit: the request.
        standing: what its cookies mean.
        beginning: what is known of the page.
        charset: what its headers call its charset.
    """
    prepared = standing.prepared
    if not prepared.is_spoken_to:
        return b""
    parts = prepared.words(beginning.language, _is_utf8(beginning, charset))
    plain = visit.plain_path
    return filled(parts, visit.back) if plain is None else plain.join(parts)


def _is_utf8(beginning: Beginning, charset: str) -> bool:
    """Tell whether browsers read a page as UTF-8: its headers count before what it says itself."""
    return charset in _UTF_8 if charset else beginning.is_utf8


def _place(visit: Visit, seen: Beginning | Surroundings) -> Place:
    """Return where markup will stand, by what was seen of the page before it."""
    return replace(visit.place, origin=visit.authority) if seen.has_base else visit.place


async def both(send: Send, first: Message, second: Message) -> None:
    """Send two messages, one after the other."""
    await send(first)
    await send(second)


def _explain(injector: Injector) -> None:
    if not injector.spliced:
        warn_once(
            "no-place",
            "A page went out without a banner, because it does not look like an HTML document: it has neither a "
            "doctype nor <html>, <head>, <body>, <title> or <meta>, or it is a frameset or an AMP page.",
        )


def permitted(headers: HeaderList, visit: Visit) -> HeaderList:
    """Return a response's headers without the cookies that the visitor did not agree to; the rest keep their order."""
    site, granted = visit.site, visit.standing.consent.granted
    kept: HeaderList = []
    for pair in headers:
        if pair[0].lower() == b"set-cookie":
            line = pair[1]
            category = site.rules.of_lines[line[: line.find(b"=") + 1]]
            if category is None or category.id not in granted:
                if not _may_leave_anyway(line, category, visit):
                    continue
            elif category.id in site.optional:
                visit.is_individual = True
        kept.append(pair)
    return kept


def _may_leave_anyway(line: bytes, category: Category | None, visit: Visit) -> bool:
    """Tell whether a `Set-Cookie` line leaves whose category is not granted, or which the policy does not list."""
    site = visit.site
    handling = "block" if category else site.policy.undeclared
    if handling == "allow" or is_expiry(line, site.now()):
        return True
    if category is None:
        warn_undeclared(set_cookie_name(line), withheld=handling == "block")
        if handling == "report":
            return True
    if site.observer is not None:
        site.observer.cookie_withheld(visit.host, category.id if category else "")
    return False


def _with_length(headers: HeaderList, length: int | None) -> HeaderList:
    """Return headers with the page's new length, or with none when it is not known yet."""
    kept = [pair for pair in headers if pair[0].lower() != b"content-length"]
    if length is not None and len(kept) < len(headers):
        kept.append((b"content-length", b"%d" % length))
    return kept


def _raw(message: Message) -> HeaderList:
    """Return a message's headers as servers read them: h11 takes text for bytes, hypercorn drops space around names."""
    return [(_bytes(key).strip(), _bytes(value)) for key, value in message.get("headers") or ()]


def _is_plain(header: tuple[bytes, bytes]) -> bool:
    key, value = header
    return type(key) is type(value) is bytes and not key[-1:].isspace() and not key[:1].isspace()


def _bytes(written: bytes | str) -> bytes:
    return written.encode("latin-1") if isinstance(written, str) else bytes(written)


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _warn_meta_policy() -> None:
    warn_once(
        "meta-policy",
        "A page has a Content-Security-Policy in a <meta> element, which consentgate leaves alone. If it keeps a "
        "service from starting, send the policy as a header instead: a header is widened once the visitor agrees.",
    )


async def nothing() -> None:
    """Send nothing: a page's length is known with its first piece only, and a hint may have been withheld."""
