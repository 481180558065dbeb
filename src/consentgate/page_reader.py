"""Read the elements of an HTML page that comes in pieces: the one grammar of tags that all readers of pages share.

A page is read as browsers read it (WHATWG HTML 13.2.5), in linear time: what stands in comments, text, attribute values
or inert templates is no tag. Where scripting decides, the content of `<noscript>` is read as tags.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from html import unescape

__all__ = [
    "ATTRIBUTES",
    "LONGEST_TEXT",
    "SCRIPT_MARK",
    "TAG",
    "TAGS",
    "Attribute",
    "Element",
    "PageReader",
    "attributes_in",
    "end_of_script",
    "repeated",
]

TAGS = frozenset((b"embed", b"frame", b"iframe", b"img", b"link", b"object", b"script", b"style"))
"""The elements by which a page can load something from somebody else."""

_LONGEST_TOKEN = 262_144  # bytes of one unfinished tag that are kept; a longer one ends the reading of a page
LONGEST_TEXT = 65_536  # bytes of one inline script or style that are looked at: snippets are short
_LONGEST_VALUE = 2_048  # bytes of an attribute that are decoded
_LONGEST_MARK = 11  # bytes that have to be seen together: "</noscript" and what follows it


def repeated(expression: bytes, times: bytes = b"*") -> bytes:
    """Return an expression for as many as there are, of which none is given back.

    Python before 3.11.5, Debian 12's for one, finds too little with a possessive group (gh-106052); an atomic one is
    right there, and half as slow again.
    """
    return (b"(?:%s)%s+" if sys.version_info >= (3, 11, 5) else b"(?>(?:%s)%s)") % (expression, times)


# Quotes count in attribute values only: <body class=it's> ends at its first ">" (HTML 13.2.5.32 to 38).
_VALUE = rb"""[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^\t\n\f\r >]*+)"""
ATTRIBUTE = rb"=?+[^\t\n\f\r />=]*+(?:" + _VALUE + rb"|(?![\t\n\f\r ]*+=))"
_NAME = rb"[a-zA-Z][^\t\n\f\r />]*+"
ATTRIBUTES = repeated(rb"[\t\n\f\r /]++|(?!>)" + ATTRIBUTE)
TAG = re.compile(rb"<(/?)(" + _NAME + rb")(" + ATTRIBUTES + rb")>")
_TAG_NAME = re.compile(rb"<" + _NAME)
_EACH_ATTRIBUTE = re.compile(
    rb"(?![\t\n\f\r /])(=?+[^\t\n\f\r />=]*+)"
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|([^\t\n\f\r >]*+)))?"""
)
# One without a semicolon stays as it is in an attribute: ?a=1&section=2 (HTML 13.2.5.73).
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_COMMENT_START = re.compile(rb"<!--(-?>)?")
_COMMENT_END = re.compile(rb"--!?>")
SCRIPT_MARK = re.compile(rb"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)

_RAW = frozenset((b"iframe", b"noembed", b"noframes", b"script", b"style", b"textarea", b"title", b"xmp"))
_AFTER_NAME = rb"(?=[\t\n\f\r />])"
# Written out in both cases, since `re` finds the beginning of a pattern faster when no flag makes it doubtful.
_RAW_ENDS = {
    name: re.compile(rb"</" + b"".join(b"[%c%c]" % (c, c - 32) for c in name) + _AFTER_NAME) for name in sorted(_RAW)
}
_WITH_TEXT = (b"script", b"style")
_FOREIGN = frozenset((b"math", b"svg"))
_OF_INTEREST = _RAW | _FOREIGN | {b"noscript", b"plaintext", b"template"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """Say where in a start tag an attribute stands.

    Args:
        name: in lower case.
        value: as it is written, without its quotes.
        start: index in the tag where the name begins.
        name_end: index where the name ends.
        end: index after the value.
    """

    name: bytes
    value: bytes
    start: int
    name_end: int
    end: int


@dataclass(frozen=True, slots=True)
class Element:
    """Hold one start tag, and the text of a script or a style sheet.

    Args:
        name: in lower case.
        attributes: by name in lower case; of one given twice the first counts.
        text: what stands between the tags of `script` and `style`, up to 64 KB; for others empty.
        tag: the start tag as it is written.
        start: where in the page it begins, in bytes.
        in_noscript: whether only browsers without scripting see it.
        in_foreign: whether it stands within `<svg>` or `<math>`.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: bytes = b""
    tag: bytes = field(default=b"", compare=False)
    start: int = field(default=0, compare=False)
    in_noscript: bool = field(default=False, compare=False)
    in_foreign: bool = field(default=False, compare=False)


class PageReader:
    """Read the elements of a page that comes in pieces.

    No more of it is kept than an unfinished tag, or the beginning of the script that is being read.

    Args:
        names: the elements to return, in lower case.
        with_attributes: whether to read the elements' attributes; without, `element_of` reads those of a tag.
        start: where in the page the first piece begins, in bytes.
    """

    def __init__(self, names: Collection[bytes] = TAGS, *, with_attributes: bool = True, start: int = 0) -> None:
        self._names = names
        self._with_attributes = with_attributes
        self._pass = _passing(frozenset(names)).match
        self._pieces: list[bytes] = []
        self._size = 0  # of all pieces, in bytes
        self._enough = 1  # bytes needed before another look is worth it: grows, so that the work stays linear
        self._scan = self._token
        self._waiting = False
        self._finished = False
        self._found: list[Element] = []
        self._templates = 0  # inert ones that are open
        self._foreign = 0  # open <svg> and <math>
        self._noscript = False
        self._offset = start  # of the first piece in the page, in bytes
        self._raw_name = b""
        self._open: Element | None = None  # the script or style that is being read, when it is asked for
        self._text: list[bytes] = []
        self._room = 0  # bytes of text that are still kept
        self._escaped = self._double_escaped = False
        self._looks_ahead = False  # whether a script's end may be looked for, before its text is gone through

    def feed(self, chunk: bytes, *, at_once: bool = False) -> list[Element]:
        """Take the next piece of the page and return the elements that it completes.

        Args:
            chunk: the piece.
            at_once: look at every piece as it comes, however long the unfinished tag before it is.
        """
        if self._finished:
            self._offset += len(chunk)
            return []
        self._pieces.append(chunk)
        self._size += len(chunk)
        return self._read() if at_once or self._size >= self._enough else []

    @property
    def is_finished(self) -> bool:
        """Whether what follows is not read: after `<plaintext>`, or a tag beyond all bounds."""
        return self._finished

    @property
    def settled(self) -> int:
        """Up to where in the page, in bytes, no element can be returned any more."""
        return self._open.start if self._open is not None else self._offset

    def close(self) -> list[Element]:
        """End the page and return what is complete. As in browsers, an unfinished tag or script counts for nothing."""
        found = [] if self._finished else self._read()
        self._finished = True
        self._pieces = []
        return found

    def _read(self) -> list[Element]:
        data = b"".join(self._pieces)
        self._waiting = False
        position = 0
        while position < len(data) and not self._waiting and not self._finished:
            position = self._scan(data, position)
        rest = data[position:]
        self._offset += position
        if len(rest) > _LONGEST_TOKEN:
            self._offset += len(rest)
            self._finished, rest = True, b""
        self._pieces, self._size, self._enough = [rest], len(rest), 2 * len(rest) + 1
        found, self._found = self._found, []
        return found

    # Scanners: each takes the data and a position, and returns the position up to which the page is understood.

    def _token(self, data: bytes, at: int) -> int:
        passed = self._pass(data, at)
        at = passed.end() if passed else at
        following = data[at + 1 : at + 2]
        if following.isalpha() or following == b"/":
            return self._tag_or_closing(data, at)
        if following == b"!":
            return self._declaration(data, at)
        if following == b"?":
            return self._bogus_comment(data, at)
        return at + 1 if following else self._wait(at)

    def _tag_or_closing(self, data: bytes, at: int) -> int:
        if data[at + 1 : at + 2] == b"/":
            following = data[at + 2 : at + 3]
            if not following:
                return self._wait(at)
            if not following.isalpha():
                return self._bogus_comment(data, at)
        tag = TAG.match(data, at)
        return self._tag(tag) if tag else self._wait(at)

    def _declaration(self, data: bytes, at: int) -> int:
        start = data[at : at + 6]
        if len(start) < 6 and b"<!-->".startswith(start[:4]):
            return self._wait(at)
        comment = _COMMENT_START.match(data, at)
        if comment is None:
            return self._bogus_comment(data, at)
        if not comment[1]:
            self._scan = self._inside_comment
        return comment.end()

    def _bogus_comment(self, data: bytes, at: int) -> int:
        end = data.find(b">", at + 2)
        return end + 1 if end >= 0 else self._wait(at)

    def _inside_comment(self, data: bytes, at: int) -> int:
        if end := _COMMENT_END.search(data, at):
            self._scan = self._token
            return end.end()
        return self._wait(max(at, len(data) - len(b"--!")))

    def _inside_raw_text(self, data: bytes, at: int) -> int:
        end = _RAW_ENDS[self._raw_name].search(data, at)
        if end is None:
            return self._wait(self._keep(data, at, max(at, len(data) - _LONGEST_MARK)))
        self._keep(data, at, end.start())
        self._end_raw_text()
        return end.start()

    def _inside_script(self, data: bytes, at: int) -> int:
        """Pass a script's text, in which `<!--` and `<script` hide a `</script>` (HTML 13.2.5.15 to 31)."""
        if self._looks_ahead:
            self._looks_ahead = False
            end = _RAW_ENDS[b"script"].search(data, at)
            if end and data.find(b"<!--", at, end.start()) < 0:
                self._keep(data, at, end.start())
                self._end_raw_text()
                return end.start()
        mark = SCRIPT_MARK.search(data, at)
        if mark is None:
            return self._wait(self._keep(data, at, max(at, len(data) - _LONGEST_MARK)))
        if mark[0] == b"<!--":
            self._escaped = True
            return self._keep(data, at, mark.start() + 2)  # "<!-->" also ends what it begins
        if mark[0] == b"-->":
            self._escaped = self._double_escaped = False
        elif not mark[1]:
            self._double_escaped = self._escaped
        elif self._double_escaped:
            self._double_escaped = False
        else:
            self._escaped = False
            self._keep(data, at, mark.start())
            self._end_raw_text()
            return mark.start()
        return self._keep(data, at, mark.end())

    def _keep(self, data: bytes, at: int, end: int) -> int:
        """Keep a part of a script's text; once there is no more room, what is there has to do."""
        if self._open is not None:
            self._text.append(data[at : min(end, at + self._room)])
            self._room -= end - at
            if self._room <= 0:
                self._return_open()
        return end

    def _wait(self, at: int) -> int:
        self._waiting = True
        return at

    def _tag(self, tag: re.Match[bytes]) -> int:
        name = tag[2].lower()
        if tag[1]:
            self._end_tag(name)
        else:
            self._start_tag(name, tag)
        return tag.end()

    def _end_tag(self, name: bytes) -> None:
        if name == b"template":
            self._templates = max(0, self._templates - 1)
        elif name in _FOREIGN:
            self._foreign = max(0, self._foreign - 1)
        elif name == b"noscript":
            self._noscript = False

    def _start_tag(self, name: bytes, tag: re.Match[bytes]) -> None:
        attributes = tag[3]
        closed = attributes.endswith(b"/")
        wanted = name in self._names and not self._templates
        if wanted and (name not in _WITH_TEXT or (closed and self._foreign)):
            self._found.append(self._element(name, tag))
        if name in _RAW and not (closed and self._foreign):
            self._begin_raw_text(name, self._element(name, tag) if wanted and name in _WITH_TEXT else None)
        elif name == b"template":
            # One that a browser turns into a shadow root is alive.
            if self._templates or b"shadowrootmode" not in attributes.lower():
                self._templates += 1
        elif name in _FOREIGN and not closed:
            self._foreign += 1
        elif name == b"noscript":
            self._noscript = True
        elif name == b"plaintext":
            self._finished = True

    def _element(self, name: bytes, tag: re.Match[bytes]) -> Element:
        return Element(
            name.decode("latin-1"),
            _attributes(tag[3]) if self._with_attributes else {},
            tag=tag[0],
            start=self._offset + tag.start(),
            in_noscript=self._noscript,
            in_foreign=self._foreign > 0,
        )

    def _begin_raw_text(self, name: bytes, element: Element | None) -> None:
        self._raw_name = name
        self._open = element
        self._room = LONGEST_TEXT
        self._looks_ahead = True
        self._scan = self._inside_script if name == b"script" else self._inside_raw_text

    def _end_raw_text(self) -> None:
        self._scan = self._token
        if self._open is not None:
            self._return_open()

    def _return_open(self) -> None:
        if self._open is not None:
            self._found.append(replace(self._open, text=b"".join(self._text)))
        self._open = None
        self._text = []


@lru_cache(maxsize=8)
def _passing(names: frozenset[bytes]) -> re.Pattern[bytes]:
    """Return the expression for all that can be passed at once: text, and tags that change nothing."""
    others = rb"(?!/?(?:" + b"|".join(sorted(names | _OF_INTEREST)) + rb")[\t\n\f\r />])"
    return re.compile(repeated(rb"[^<]++|<" + others + rb"/?" + _NAME + ATTRIBUTES + rb">"), re.IGNORECASE)


def end_of_script(data: bytes, at: int) -> int:
    """Return where the text of a script ends that begins at an index, or -1 (HTML 13.2.5.15 to 31)."""
    end = _RAW_ENDS[b"script"].search(data, at)
    if end is None or data.find(b"<!--", at, end.start()) < 0:
        return end.start() if end else -1
    escaped = double_escaped = False
    while mark := SCRIPT_MARK.search(data, at):
        at = mark.end()
        if mark[0] == b"<!--":
            escaped = True
            at = mark.start() + 2  # "<!-->" also ends what it begins
        elif mark[0] == b"-->":
            escaped = double_escaped = False
        elif not mark[1]:
            double_escaped = escaped
        elif double_escaped:
            double_escaped = False
        else:
            return mark.start()
    return -1


def element_of(tag: bytes, text: bytes = b"") -> Element:
    """Read one start tag by itself."""
    name = _TAG_NAME.match(tag)
    end = name.end() if name else len(tag)
    return Element(tag[1:end].lower().decode("latin-1"), _attributes(tag[end:-1]), text, tag)


def attributes_in(tag: bytes) -> list[Attribute]:
    """List the attributes of a start tag in their order, with repeated ones (of which browsers take the first)."""
    name = _TAG_NAME.match(tag)
    found = _EACH_ATTRIBUTE.finditer(tag, name.end() if name else 0, len(tag) - 1)
    return [
        Attribute(one[1].lower(), one[2] or one[3] or one[4] or b"", one.start(), one.end(1), one.end())
        for one in found
    ]


def _attributes(content: bytes) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, *quoted in _EACH_ATTRIBUTE.findall(content):
        value = next(filter(None, quoted), b"")[:_LONGEST_VALUE]
        decoded = _REFERENCE.sub(lambda reference: unescape(reference[0]), _text(value))
        values.setdefault(name.lower().decode("latin-1"), decoded)
    return values


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
