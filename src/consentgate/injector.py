"""Insert markup into an HTML byte stream: bytes in, bytes out, no I/O, holding back no more than an unfinished token.

The beginning of the document is tokenized as browsers do (WHATWG HTML 13.2), up to the start of `<body>`; what follows
passes by reference. The head's markup goes to the end of the head, so that it never pushes `<meta charset>` further
down; the body's goes right after `<body>`, or where a browser would create that element by itself; on request after
the links that a body begins with and that lead to a part of the page ("skip to content"). In doubt the page is left
alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto

from consentgate.beginnings import (
    CHARSET_WINDOW,
    LONGEST_TAG,
    PLAIN_HEAD,
    Beginning,
    Beginnings,
    Known,
    Markup,
    Reading,
    is_utf8_named,
    language_of,
    values_in,
)
from consentgate.page_reader import ATTRIBUTES, SCRIPT_MARK, TAG, repeated

__all__ = ["Injector"]

_LOOK_AHEAD = 1_024  # bytes in which a page without <body> may turn out to be a frameset
_SKIP_WINDOW = 1_024  # bytes after <body> in which its first links have to end
_LONGEST_MARK = 10  # bytes that may have to be seen together: "</noframes", "</noscript"

_SPACE = re.compile(rb"[\t\n\f\r ]+")
_COMMENT = re.compile(rb"<!--(?:-?>|.*?--!?>)", re.DOTALL)
_COMMENT_END = re.compile(rb"--!?>")
_DECLARATION = re.compile(rb"<(?:[!?]|/[^a-zA-Z>])[^>]*>|</>")
_DOCTYPE = re.compile(rb"<!doctype\b", re.IGNORECASE)
_TAG_START = re.compile(rb"<(?:/?[a-zA-Z]|[!?/]|\Z)")
# What may stand before a skip link, the link itself, and what may still become one of them.
_BLANK = re.compile(
    rb"[\t\n\f\r ]++|<!--(?:-?>|.*?--!?>)|"
    rb"<script(?:[\t\n\f\r /][^<>]*+)?>" + repeated(rb"(?!</script|<!--).") + rb"</script[\t\n\f\r ]*+>",
    re.DOTALL | re.IGNORECASE,
)
_LINK = re.compile(
    rb"<a(?=[\t\n\f\r />])(" + ATTRIBUTES + rb")>"
    rb"[^<]*+" + repeated(rb"</?span(?:[\t\n\f\r ][^<>]*+)?>[^<]*+") + rb"</a[\t\n\f\r ]*+>",
    re.IGNORECASE,
)
_MAY_GO_ON = re.compile(
    rb"<(?:\Z|!(?:\Z|-\Z|--)|a(?:\Z|[\t\n\f\r />])|s(?:c(?:r(?:i(?:pt?)?)?)?)?\Z|script[\t\n\f\r />])", re.IGNORECASE
)
_CHARSET = re.compile(rb"charset", re.IGNORECASE)
_CHARSET_TAG = re.compile(rb"<meta[\t\n\f\r /][^>]*charset", re.IGNORECASE)
_MARKED_TWICE = re.compile(rb"(?:\xef\xbb\xbf){2,}[\t\n\f\r ]*<(?:!doctype|html)\b", re.IGNORECASE)

_VOID_IN_HEAD = frozenset((b"base", b"basefont", b"bgsound", b"link", b"meta"))
_RAW_IN_HEAD = frozenset((b"noframes", b"noscript", b"script", b"style", b"title"))
_RAW_IN_TEMPLATE = _RAW_IN_HEAD | {b"iframe", b"noembed", b"textarea", b"xmp"}
_DOCUMENT_MARKS = frozenset((b"html", b"head", b"body", b"title", b"meta"))
# With these a body that no tag has begun has come to stay; until then a <frameset> would replace it (HTML 13.2.6.4.7).
_LASTING = frozenset(
    b"applet area body br button dd dt embed hr iframe img keygen li listing marquee object plaintext pre select table "
    b"textarea wbr xmp".split()
)
_BODY_ENDS = frozenset((b"body", b"html", b"br"))
_RAW_ENDS = {name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE) for name in _RAW_IN_TEMPLATE}


class _Mode(Enum):
    HEAD = auto()
    AFTER_HEAD = auto()


class Injector:
    """Splice markup into one page.

    Args:
        markup: called with what is known of the page, when a place is found.
        page_expected: true when the request already says that a whole page is wanted, so that any tag will do; else
            it has to look like one (a doctype, or one of `<html>`, `<head>`, `<body>`, `<title>`, `<meta>`).
        charset_known: false when the response's headers name no charset, so that a browser looks for `<meta charset>`
            in the first 1,024 bytes.
        beginnings: where it is remembered how pages begin.
        address: what tells pages that begin alike from others, their path say.
        after_skip_link: whether the body's markup goes after the links to parts of the page that the body begins with.
    """

    # What a page begins with; most pages are done before much of it changes.
    finished = False  # whether all that follows passes untouched
    spliced = False  # whether the body's place was found
    _ended = False  # whether the page's last byte has come
    _is_document = False
    _beginning = _of_head = Beginning()
    _mode = _Mode.HEAD
    _waiting = False
    _held = b""
    _offset = 0  # of _held in the page, in bytes
    _understood = 0  # bytes of _held
    _body_at = -1  # where in the page a body begins without a tag, while that is not settled
    _templates = 0
    _raw_name = b""
    _escaped = _double_escaped = False
    _charset_seen = False
    _looked_ahead = False  # whether what follows the body's tag had a say
    _html_seen = False
    _head_done = False

    def __init__(
        self,
        markup: Callable[[Beginning], Markup],
        *,
        page_expected: bool = False,
        charset_known: bool = True,
        beginnings: Beginnings | None = None,
        address: str = "",
        after_skip_link: bool = False,
    ) -> None:
        self._markup = markup
        self._after_skip_link = after_skip_link
        self._page_expected = page_expected
        self._charset_known = charset_known
        self._beginnings = beginnings
        self._reading = Reading(address, page_expected, charset_known)
        self._scan = Injector._token  # a function and no method: an injector that holds itself is garbage for longer
        self._inserts: list[tuple[int, bytes]] = []

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece of the page and return what may leave now."""
        return chunk if self.finished else self._scanned(chunk)

    def _scanned(self, chunk: bytes) -> bytes:
        data = self._held + chunk if self._held else chunk
        self._waiting = False
        position = self._understood
        while position < len(data) and not (self.finished or self._waiting):
            position = self._scan(self, data, position)
        if self._is_implied and (self._ended or self._is_beyond_frameset(len(data))):
            self._imply_body(self._body_at - self._offset)
        elif len(data) - position >= LONGEST_TAG:
            self.finished = True
        leaves = self._body_at - self._offset if self._is_implied else position
        if self.finished:
            leaves = len(data)
        self._held = data[leaves:]
        self._offset += leaves
        self._understood = position - leaves
        return self._joined(data, leaves)

    def close(self) -> bytes:
        """End the page and return what was held back, with the markup when the page ends before its body."""
        self._ended = True
        early = self.feed(b"")
        held, self._held = self._held, b""
        complete = not held and self._scan is Injector._token and not self._templates
        if not self.finished and complete and self._offset and self._is_document:
            self._imply_body(0)
        elif not self.finished and self._scan is Injector._skip_links:
            self._begin_body(0)
        self.finished = True
        return early + self._joined(held, len(held))

    @property
    def _is_implied(self) -> bool:
        """Whether a body has begun without a tag and may still turn out to be none."""
        return self._body_at >= 0 and not self.finished

    def _is_beyond_frameset(self, end: int) -> bool:
        return self._offset + end - self._body_at > _LOOK_AHEAD

    def _joined(self, data: bytes, end: int) -> bytes:
        if not self._inserts:
            return data if end == len(data) else data[:end]
        parts: list[bytes] = []
        start = 0
        for place, markup in self._inserts:
            parts += (data[start:place], markup)
            start = place
        parts.append(data[start:end])
        self._inserts = []
        return b"".join(parts)

    # Scanners: each takes the data and a position, and returns the position up to which the page is understood.

    def _token(self, data: bytes, at: int) -> int:
        if at == 0 and self._offset == 0 and data[:1] == b"\xef":
            return self._byte_order_mark(data)
        if self._is_document and not self._templates and self._body_at < 0:
            run = PLAIN_HEAD.match(data, at)
            if run is not None and run.end() - at <= LONGEST_TAG:
                return run.end()
        if space := _SPACE.match(data, at):
            return space.end()
        if data[at : at + 1] != b"<":
            return self._text(data, at)
        if data.startswith(b"<!--", at):
            return self._comment(data, at)
        token = _DECLARATION.match(data, at) or (TAG.match(data, at) if data.find(b">", at) > 0 else None)
        if token is None:
            return self._wait(at) if _TAG_START.match(data, at) else self._text(data, at)
        if token.end() - at > LONGEST_TAG:
            return self._give_up(token.end())
        if token.re is TAG:
            return self._tag(token, data)
        self._is_document |= _DOCTYPE.match(data, at) is not None
        return token.end()

    def _byte_order_mark(self, data: bytes) -> int:
        if not data.startswith(b"\xef\xbb\xbf"):
            return self._wait(0) if b"\xef\xbb\xbf".startswith(data) else self._content(data, 0)
        self._charset_known = True
        self._beginning = Beginning(is_utf8=True)
        if _MARKED_TWICE.match(data):  # the second one is text, with which the body begins; the real <body> comes later
            self._is_document = True
            self._beginning = Beginning(has_base=True, is_utf8=True)  # there may be one: it comes later too
            self._imply_body(3)
        elif data[3:4] in b"\xef" and len(data) < _LOOK_AHEAD:
            return self._wait(0)
        return 3

    def _text(self, data: bytes, at: int) -> int:
        if not self._templates:
            return self._text_in_implied_body(data, at) if self._is_implied else self._content(data, at)
        following = data.find(b"<", at + 1)
        return following if following >= 0 else len(data)

    def _comment(self, data: bytes, at: int) -> int:
        if comment := _COMMENT.match(data, at):
            return comment.end()
        if len(data) - at < len(b"<!-->") + 1:
            return self._wait(at)
        self._scan = Injector._inside_comment
        return at + len(b"<!--")

    def _inside_comment(self, data: bytes, at: int) -> int:
        if end := _COMMENT_END.search(data, at):
            self._scan = Injector._token
            return end.end()
        return self._wait(max(at, len(data) - len(b"--!")))

    def _inside_raw_text(self, data: bytes, at: int) -> int:
        if end := _RAW_ENDS[self._raw_name].search(data, at):
            self._scan = Injector._token
            return end.start()
        return self._wait(max(at, len(data) - _LONGEST_MARK))

    def _inside_script(self, data: bytes, at: int) -> int:
        """Pass a script's text, in which `<!--` and `<script` hide a `</script>` (HTML 13.2.5.15 to 31)."""
        mark = SCRIPT_MARK.search(data, at)
        if mark is None:
            return self._wait(max(at, len(data) - _LONGEST_MARK))
        if mark[0] == b"<!--":
            self._escaped = True
            return mark.start() + 2  # "<!-->" also ends what it begins
        if mark[0] == b"-->":
            self._escaped = self._double_escaped = False
        elif not mark[1]:
            self._double_escaped = self._escaped
        elif self._double_escaped:
            self._double_escaped = False
        else:
            self._escaped = False
            self._scan = Injector._token
            return mark.start()
        return mark.end()

    def _wait(self, at: int) -> int:
        self._waiting = True
        return at

    # What a tag means before the body (HTML 13.2.6.4.1 to 6). Each returns where to go on.

    def _tag(self, tag: re.Match[bytes], data: bytes) -> int:
        name, attributes = tag[2].lower(), tag[3]
        if self._body_at >= 0 and self._is_beyond_frameset(tag.end()):
            return self._settle(tag.start())
        if self._templates:
            return self._tag_in_template(name, tag)
        if self._body_at >= 0:
            return self._tag_in_implied_body(name, tag)
        if tag[1]:
            return self._end_tag(name, tag)
        if self._page_expected or name in _DOCUMENT_MARKS:
            self._is_document = True
        if name == b"body":
            return self._body(tag)
        if name == b"html":
            return self._html(attributes, tag.end())
        if name == b"head":
            return tag.end()
        if name == b"frameset":
            return self._give_up(tag.end())
        if name in _VOID_IN_HEAD:
            return self._void(name, attributes, tag.end())
        if name == b"template":
            self._templates = 1
            return tag.end()
        if name == b"noscript":
            return self._noscript(tag)
        if name in _RAW_IN_HEAD:
            return self._raw(name, tag.end())
        return self._content(tag.string, tag.start())

    def _end_tag(self, name: bytes, tag: re.Match[bytes]) -> int:
        if name == b"head" and self._mode is _Mode.HEAD:
            if self._awaits_charset(tag.string, tag.start()):
                return tag.start()
            self._end_head(tag.start())
            self._mode = _Mode.AFTER_HEAD
        elif name in _BODY_ENDS:
            return self._content(tag.string, tag.start())
        return tag.end()

    def _tag_in_template(self, name: bytes, tag: re.Match[bytes]) -> int:
        if name == b"template":
            self._templates += -1 if tag[1] else 1
        elif name == b"plaintext" or (name in _RAW_IN_TEMPLATE and tag[3].endswith(b"/")):
            return self._give_up(tag.end())  # inside <svg> it would be closed here, elsewhere not
        elif not tag[1] and name in _RAW_IN_TEMPLATE:
            return self._raw(name, tag.end())
        return tag.end()

    def _html(self, attributes: bytes, end: int) -> int:
        language = language_of(attributes)
        if language is None:
            return self._give_up(end)  # AMP pages may hold no style sheet and no script of ours
        if not self._html_seen and language:
            self._beginning = replace(self._beginning, language=language)
        self._html_seen = True
        return end

    def _void(self, name: bytes, attributes: bytes, end: int) -> int:
        if name == b"base":
            self._beginning = replace(self._beginning, has_base=True)
        elif name == b"meta" and _CHARSET.search(attributes):
            self._meet_charset(attributes, end)
        elif name == b"meta" and values_in(attributes).get(b"http-equiv", b"").lower() == b"content-security-policy":
            self._beginning = replace(self._beginning, has_policy=True)
        return end

    def _meet_charset(self, attributes: bytes, end: int) -> None:
        """Take the first `<meta charset>`, when it ends where browsers still look for one."""
        if not (self._charset_seen or self._beginning.is_utf8) and self._offset + end <= CHARSET_WINDOW:
            self._beginning = replace(self._beginning, is_utf8=is_utf8_named(attributes))
        self._charset_seen = True

    def _raw(self, name: bytes, end: int) -> int:
        self._raw_name = name
        self._scan = Injector._inside_script if name == b"script" else Injector._inside_raw_text
        return end

    def _noscript(self, tag: re.Match[bytes]) -> int:
        if self._mode is _Mode.AFTER_HEAD:
            return self._content(tag.string, tag.start())
        # Without scripting its content may end the head (an <img>, say): be there before it.
        if self._charset_seen or self._offset + tag.start() > CHARSET_WINDOW:
            self._end_head(tag.start())
        return self._raw(b"noscript", tag.end())

    def _body(self, tag: re.Match[bytes]) -> int:
        if self._awaits_charset(tag.string, tag.start()):
            return tag.start()
        self._end_head(tag.start())
        if self._after_skip_link:
            self._scan = Injector._skip_links
            return tag.end()
        self._begin_body(tag.end())
        if self._beginnings is not None and not self._offset and not self._looked_ahead:
            self._learn(self._beginnings, tag)
        return tag.end()

    def _learn(self, beginnings: Beginnings, body: re.Match[bytes]) -> None:
        """Remember this beginning when it came in one piece and all that was decided follows from it alone."""
        if len(self._inserts) == 2:
            page, (head_at, _) = body.string, self._inserts[0]
            known = Known(page[: body.end()], head_at, body.end(), self._of_head, self._beginning)
            beginnings.learn(self._reading, known)

    def _skip_links(self, data: bytes, at: int) -> int:
        """Find the end of the links to parts of the page that a body begins with; in doubt there are none."""
        window = data[at : at + _SKIP_WINDOW]
        seen = place = 0
        while True:
            if blank := _BLANK.match(window, seen):
                seen = blank.end()
            elif (link := _LINK.match(window, seen)) and values_in(link[1]).get(b"href", b"")[:1] == b"#":
                seen = place = link.end()
            else:
                break
        is_whole = self._ended or len(window) == _SKIP_WINDOW
        if not is_whole and not link and (seen == len(window) or _MAY_GO_ON.match(window, seen)):
            return self._wait(at)
        self._begin_body(at + place)
        return at + place

    def _content(self, data: bytes, at: int) -> int:
        """Meet something that a browser puts into the body, so that it begins here."""
        if not self._is_document:
            return self._give_up(at)
        if not self._awaits_charset(data, at):
            self._body_at = self._offset + at
        return at

    def _awaits_charset(self, data: bytes, at: int) -> bool:
        """Wait while a `<meta charset>` may follow in the body, and leave a page alone where one would be pushed down.

        Browsers that were told no charset wait for these bytes as well.
        """
        if self._charset_known or self._charset_seen or self._head_done or self._offset + at >= CHARSET_WINDOW:
            return False
        self._looked_ahead = True
        window = data[at : CHARSET_WINDOW - self._offset]
        if _CHARSET_TAG.search(window):
            self._give_up(at)
        elif len(data) + self._offset < CHARSET_WINDOW and not self._ended:
            self._wait(at)
        return self.finished or self._waiting

    # A body that no tag has begun: a <frameset> would still replace it, unless something lasting comes first.

    def _tag_in_implied_body(self, name: bytes, tag: re.Match[bytes]) -> int:
        if tag[1]:
            return tag.end()
        if name == b"frameset":
            return self._give_up(tag.end())
        if name in _LASTING:
            return self._settle(tag.start())
        if name == b"template":
            self._templates = 1
        elif name in _RAW_IN_HEAD:
            return self._raw(name, tag.end())
        return tag.end()

    def _text_in_implied_body(self, data: bytes, at: int) -> int:
        return at + 1 if data[at] == 0 else self._settle(at)  # browsers drop a NUL there

    def _settle(self, at: int) -> int:
        self._imply_body(self._body_at - self._offset)
        return at

    def _imply_body(self, at: int) -> None:
        self._end_head(at)
        self._begin_body(at)

    def _end_head(self, at: int) -> None:
        if self._is_document and not self._head_done:
            self._head_done = True
            self._of_head = self._beginning
            self._inserts.append((at, self._markup(self._beginning).head))

    def _begin_body(self, at: int) -> None:
        self._inserts.append((at, self._markup(self._beginning).body))
        self.finished = self.spliced = True

    def _give_up(self, at: int) -> int:
        self.finished = True
        return at
