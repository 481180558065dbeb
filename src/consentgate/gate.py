"""What may leave, for one request: withhold cookies, make pages personal, and splice banner and tags into them."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

from starlette.types import Message, Send

from consentgate.caching import personal, shared
from consentgate.compression import Gzip, accepts_gzip
from consentgate.cookies import is_expiry, set_cookie_name
from consentgate.csp import enforced, is_wide_enough, nonce_of, widened
from consentgate.injector import Beginning, Injector, Markup
from consentgate.notices import warn_once, warn_undeclared
from consentgate.policy import sources_of
from consentgate.response_kind import BYPASSES, Kind, charset_of, kind_of, value_of
from consentgate.tag_watch import Look, TagWatch
from consentgate.visit import Visit

__all__ = ["ResponseGate"]

HeaderList = list[tuple[bytes, bytes]]

_WEBSOCKET_STARTS = frozenset(("websocket.accept", "websocket.http.response.start"))
_UTF_8 = ("utf-8", "utf8")
_CSP = b"content-security-policy"
_CSP_HEADERS = (_CSP, b"content-security-policy-report-only")


class ResponseGate:
    """Wrap `send` for one request.

    Args:
        visit: the request.
        send: the server's `send`.
        watch: notices tags that pages carry by themselves.
    """

    def __init__(self, visit: Visit, send: Send, watch: TagWatch | None = None) -> None:
        self._visit = visit
        self._send = send
        self._watch = watch
        self._look: Look | None = None
        self._start: Message | None = None
        self._injector: Injector | None = None
        self._gzip: Gzip | None = None
        self._is_head = False  # whether a page's headers go out without the page
        self._charset = ""  # what a page's headers call its charset
        self._policies: list[str] = []

    def send(self, message: Message) -> Awaitable[None]:
        """Take a message from the application and pass on what may leave."""
        kind = message["type"]
        if kind == "http.response.start":
            return self._on_start(message)
        if kind == "http.response.body" and self._look is not None:
            self._look.see(message.get("body", b""), last=not message.get("more_body", False))
        if kind == "http.response.body" and self._injector is not None:
            return self._on_body(message, self._injector)
        if kind == "http.response.body" and self._is_head:
            return self._send({**message, "body": b""})  # or a server would announce the other page's length
        if self._start is not None:
            start, self._start = self._start, None
            return self._release(start, message)
        if kind in _WEBSOCKET_STARTS:
            return self._send({**message, "headers": _permitted(_raw(message), self._visit)})
        return self._send(message)

    def _on_start(self, message: Message) -> Awaitable[None]:
        headers = _raw(message)
        kept = _permitted(headers, self._visit)
        kind = kind_of(message["status"], headers, self._visit)
        if kind is Kind.OTHER:
            return self._send({**message, "headers": kept})  # the application's own may be a generator, now used up
        if self._watch is not None:
            self._look = self._watch.look(self._visit, message["status"], headers)
        self._policies = [_text(value) for key, value in headers if key.lower() == _CSP]
        page = {**message, "headers": self._page_headers(kept)}
        if kind is Kind.PERSONAL:
            return self._send(page)
        return self._on_page(page)

    def _on_page(self, start: Message) -> Awaitable[None]:
        visit = self._visit
        if _would_be_compressed(start["headers"]) and accepts_gzip(visit.header(b"accept-encoding")):
            self._gzip = Gzip()
        if visit.method == "HEAD":  # its length would be that of another page
            self._is_head = True
            return self._send({**start, "headers": self._encoded(_with_length(start["headers"], None))})
        self._start = start
        self._charset = charset_of(value_of(start["headers"], b"content-type").lower())
        self._injector = Injector(
            self._markup,
            page_expected=visit.site.policy.cache == "personal" and visit.header(b"sec-fetch-dest") == "document",
            charset_known=bool(self._charset),
        )
        return _nothing()

    async def _on_body(self, message: Message, injector: Injector) -> None:
        last = not message.get("more_body", False)
        body = injector.feed(message.get("body", b""))
        if last:
            body += injector.close()
            self._explain(injector)
        if self._gzip is not None:
            body = self._gzip.feed(body, last=last)
        if self._start is not None:
            start, self._start = self._start, None
            headers = _with_length(start["headers"], len(body) if last else None)
            await self._send({**start, "headers": self._encoded(headers)})
        if body or last:
            await self._send({**message, "body": body})

    def _encoded(self, headers: HeaderList) -> HeaderList:
        return headers if self._gzip is None else [*headers, (b"content-encoding", b"gzip")]

    async def _release(self, start: Message, message: Message) -> None:
        """Send a start that was held back, and a message that came before the first piece of the body."""
        if message["type"] in BYPASSES:  # the server itself reads the page from a file: nothing can be put into it
            self._injector = None
        else:  # the page is still to come, and may grow
            start = {**start, "headers": self._encoded(_with_length(start["headers"], None))}
        await self._send(start)
        await self._send(message)

    def _page_headers(self, headers: HeaderList) -> HeaderList:
        """Return a page's headers with its caching, its policy, and the lines that expire what is not agreed to."""
        visit, policy = self._visit, self._visit.site.policy
        if policy.cache == "shared":
            return shared(headers, visit.state)
        headers = personal(self._with_csp(headers), visit.state, signals=sorted(name for name, _ in visit.site.signals))
        lines = visit.expiries(visit.consent) + visit.healing()
        if visit.message is not None:
            lines.append(visit.message_target.line("", 0))
        return headers + [(b"set-cookie", line) for line in lines]

    def _with_csp(self, headers: HeaderList) -> HeaderList:
        """Let through what the granted services need, on this response alone; with `enforce`, nothing else."""
        policy = self._visit.site.policy
        granted = sources_of(policy, self._visit.consent.granted)
        changed = [
            (key, widened(_text(value), granted).encode("latin-1") if key.lower() in _CSP_HEADERS else value)
            for key, value in headers
        ]
        if policy.enforce:
            changed.append((_CSP, enforced(policy.enforce_allows, granted).encode("latin-1")))
        return changed

    def _markup(self, beginning: Beginning) -> Markup:
        visit, rendering, policy = self._visit, self._visit.site.rendering, self._visit.site.policy
        if beginning.has_policy:
            _warn_meta_policy()
        place = replace(visit.place, origin=visit.authority) if beginning.has_base else visit.place
        if policy.cache == "shared":
            return Markup(self._with_nonce(rendering.shared_head(place)))
        consent = visit.consent
        spoken = rendering.place_in(place, beginning.language, self._is_utf8(beginning))
        head = self._with_nonce(
            rendering.head(
                place,
                consent.granted,
                styled=visit.is_spoken_to,
                scripted=not consent.is_decided,
                later=not self._lets_services_in(),
            )
        )
        if not consent.is_decided:
            return Markup(head, rendering.question(spoken, consent.undecided, visit.back))
        if visit.message is not None:
            return Markup(head, rendering.confirmation(spoken, visit.message, visit.back))
        return Markup(head)

    def _is_utf8(self, beginning: Beginning) -> bool:
        """Tell whether browsers read the page as UTF-8: its headers count before what it says itself."""
        return self._charset in _UTF_8 if self._charset else beginning.is_utf8

    def _lets_services_in(self) -> bool:
        """Tell whether a service accepted on this page could start here, under the policy the page has now."""
        policy = self._visit.site.policy
        everything = frozenset(category.id for category in policy.categories)
        needed = sources_of(policy, everything)
        sent = [widened(text, sources_of(policy, self._visit.consent.granted)) for text in self._policies]
        if policy.enforce:
            sent.append(enforced(policy.enforce_allows, sources_of(policy, self._visit.consent.granted)))
        return is_wide_enough(sent, needed)

    def _with_nonce(self, head: bytes) -> bytes:
        for tag, directive in ((b"<script ", "script-src"), (b"<link ", "style-src")):
            if nonce := nonce_of(self._policies, directive):
                head = head.replace(tag, tag + b'nonce="%s" ' % nonce.encode("ascii"))
        return head

    def _explain(self, injector: Injector) -> None:
        if not injector.spliced:
            warn_once(
                "no-place",
                "A page went out without a banner, because it does not look like an HTML document: it has neither a "
                "doctype nor <html>, <head>, <body>, <title> or <meta>, or it is a frameset or an AMP page.",
            )


def _permitted(headers: HeaderList, visit: Visit) -> HeaderList:
    """Return a response's headers without the cookies that the visitor did not agree to; the rest keep their order."""
    return [(key, value) for key, value in headers if key.lower() != b"set-cookie" or _may_set(value, visit)]


def _may_set(line: bytes, visit: Visit) -> bool:
    """Tell whether a `Set-Cookie` line may leave. One that expires a cookie always may."""
    name = set_cookie_name(line)
    category = visit.site.rules.category_of(name)
    if category is not None:
        return category.is_essential or category.id in visit.consent.granted or is_expiry(line, visit.site.now())
    handling = visit.site.policy.undeclared
    if handling == "allow" or is_expiry(line, visit.site.now()):
        return True
    warn_undeclared(name, withheld=handling == "block")
    return handling == "report"


def _would_be_compressed(headers: HeaderList) -> bool:
    """Tell whether the application compresses such pages: it says so for caches even when it was asked not to."""
    vary = ",".join(_text(value).lower() for key, value in headers if key.lower() == b"vary")
    return "accept-encoding" in vary and not value_of(headers, b"content-encoding")


def _with_length(headers: HeaderList, length: int | None) -> HeaderList:
    """Return headers with the page's new length, or with none when it is not known yet."""
    had_length = any(key.lower() == b"content-length" for key, _ in headers)
    kept = [(key, value) for key, value in headers if key.lower() != b"content-length"]
    if had_length and length is not None:
        kept.append((b"content-length", str(length).encode()))
    return kept


def _raw(message: Message) -> HeaderList:
    return [(key, value) for key, value in message.get("headers") or ()]


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _warn_meta_policy() -> None:
    warn_once(
        "meta-policy",
        "A page has a Content-Security-Policy in a <meta> element, which consentgate leaves alone. If it keeps a "
        "service from starting, send the policy as a header instead: a header is widened once the visitor agrees.",
    )


async def _nothing() -> None:
    """Wait for the first piece of the body: only then is the page's length known."""
