"""Find the tags of well-known services that a page carries by itself: bytes in, findings out, in linear time.

A page is read as browsers read it (WHATWG HTML 13.2.5): what stands in comments, text, attribute values or inert
templates is no tag, nor is a plain link or a script whose type keeps it from running. The standard library's
`html.parser` is not used: it raises on some typos.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape

from consentgate.catalogue import KnownService, catalogue

__all__ = ["TAGS", "Element", "Finding", "PageReader", "find_tags", "tags_in_link_header", "tags_of"]

TAGS = frozenset((b"embed", b"frame", b"iframe", b"img", b"link", b"object", b"script", b"style"))
"""The elements by which a page can load something from somebody else."""

_LONGEST_TOKEN = 262_144  # bytes of one unfinished tag that are kept; a longer one ends the reading of a page
_LONGEST_TEXT = 131_072  # bytes of one inline script or style that are looked at: snippets are short
_LONGEST_ADDRESS = 2_048  # bytes
_LONGEST_EVIDENCE = 100  # characters
_LONGEST_MARK = 11  # bytes that have to be seen together: "</noscript" and what follows it

_VALUE = rb"""[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^\t\n\f\r >]*+)"""
_ATTRIBUTE = rb"=?+[^\t\n\f\r />=]*+(?:" + _VALUE + rb"|(?![\t\n\f\r ]*+=))"
_NAME = rb"[a-zA-Z][^\t\n\f\r />]*+"
_ATTRIBUTES = rb"(?:[\t\n\f\r /]++|(?!>)" + _ATTRIBUTE + rb")*+"
_TAG = re.compile(rb"<(/?)(" + _NAME + rb")(" + _ATTRIBUTES + rb")>")
_EACH_ATTRIBUTE = re.compile(
    rb"(?![\t\n\f\r /])(=?+[^\t\n\f\r />=]*+)"
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|([^\t\n\f\r >]*+)))?"""
)
# One without a semicolon stays as it is in an attribute: ?a=1&section=2 (HTML 13.2.5.73).
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_COMMENT_START = re.compile(rb"<!--(-?>)?")
_COMMENT_END = re.compile(rb"--!?>")
_SCRIPT_MARK = re.compile(rb"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)

_RAW = frozenset((b"iframe", b"noembed", b"noframes", b"script", b"style", b"textarea", b"title", b"xmp"))
_RAW_ENDS = {name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE) for name in _RAW}
_WITH_TEXT = (b"script", b"style")
_FOREIGN = frozenset((b"math", b"svg"))
_OF_INTEREST = _RAW | _FOREIGN | {b"plaintext", b"template"}

_SOURCES: Mapping[str, str] = {
    "embed": "src",
    "frame": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
}
# A link of another kind is not followed before somebody clicks: canonical, alternate, author, me …
_LOADING = frozenset(
    (
        "apple-touch-icon",
        "dns-prefetch",
        "icon",
        "modulepreload",
        "preconnect",
        "prefetch",
        "preload",
        "prerender",
        "stylesheet",
    )
)
# With another type, such as text/plain, a browser keeps a script as text (HTML 4.12.1.1).
_SCRIPT_TYPE = re.compile(
    r"(?:module)?|(?:text|application)/(?:x-)?(?:java|ecma)script|text/(?:javascript1\.[0-5]|jscript|livescript)"
)
# … except for the loaders that start such a script a moment later, whoever the visitor is and whatever was answered.
_DELAYED_TYPE = re.compile(
    r"(?:text/)?rocketlazyloadscript|pmdelayedscript|litespeed/javascript|nitropack/inlinescript|lazy"
    r"|[0-9a-f]{24}-(?:(?:text|application)/javascript|module)?"
)
_DELAYED_SOURCES = ("data-rocket-src", "data-src")
_AROUND_ADDRESS = "".join(map(chr, range(0x21)))  # what browsers drop at both ends (URL 4.4)
_WITHIN_ADDRESS = str.maketrans("\\", "/", "\t\n\r")  # what they drop and mend elsewhere
_ADDRESS = re.compile(r"(?:https?:)?//(?:[^/?#@]*+@)?([^/?#:\[\]@]++)(?::[0-9]*+)?([^#]*+)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*+:", re.IGNORECASE)
_IN_STYLE = re.compile(rb"""(?:@import[\t\n\f\r ]*+["']|url\([\t\n\f\r ]*+["']?+)([^"')\t\n\f\r ]++)""", re.IGNORECASE)
_STYLE_COMMENT = re.compile(rb"/\*.*?(?:\*/|\Z)", re.DOTALL)
# A comment begins where code can stand before it: "https://…" and "*/*" in a string are none.
_SCRIPT_COMMENT = re.compile(rb"/(?<![^\s;{}(),>]/)(?:\*.*?(?:\*/|\Z)|/[^\n\r]*+)", re.DOTALL)
_LINK = re.compile(rb"<([^<>]*+)>([^<,]*+)")
_REL = re.compile(rb"""rel[\t ]*+=[\t ]*+(?:"([^"]*+)"|([^\t ;,"]++))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """Tell of one service that a page carries.

    Args:
        title: the service's name.
        provider: who receives the data.
        evidence: what gives it away, shortened and without the query of an address.
        category: where most sites would ask for it.
        cookies: names and patterns of cookies it is known to set on the site's own domain.
        advice: what is better than asking for it; empty when there is nothing better.
    """

    title: str
    provider: str
    evidence: str
    category: str
    cookies: tuple[str, ...] = ()
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """Hold one start tag, and the text of a script or a style sheet.

    Args:
        name: in lower case.
        attributes: by name in lower case; of one given twice the first counts.
        text: what stands between the tags of `script` and `style`, up to 128 KB; for others empty.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: bytes = b""


def find_tags(page: bytes) -> list[Finding]:
    """Return what a whole page carries, each piece of evidence once, in the page's order."""
    reader = PageReader()
    elements = reader.feed(page) + reader.close()
    return list(dict.fromkeys(finding for element in elements for finding in tags_of(element)))


class PageReader:
    """Read the elements of a page that comes in pieces.

    No more of it is kept than an unfinished tag, or the beginning of the script that is being read.

    Args:
        names: the elements to return, in lower case.
    """

    def __init__(self, names: Collection[bytes] = TAGS) -> None:
        self._names = names
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
        self._raw_name = b""
        self._attributes: bytes | None = None  # of the script or style that is being read, when it is asked for
        self._text: list[bytes] = []
        self._room = 0  # bytes of text that are still kept
        self._escaped = self._double_escaped = False

    def feed(self, chunk: bytes) -> list[Element]:
        """Take the next piece of the page and return the elements that it completes."""
        if self._finished:
            return []
        self._pieces.append(chunk)
        self._size += len(chunk)
        return self._read() if self._size >= self._enough else []

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
        if len(rest) > _LONGEST_TOKEN:
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
        tag = _TAG.match(data, at)
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
        mark = _SCRIPT_MARK.search(data, at)
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
        """Keep a part of a script's text, as far as there is room."""
        if self._attributes is not None and self._room > 0:
            self._text.append(data[at : min(end, at + self._room)])
            self._room -= end - at
        return end

    def _wait(self, at: int) -> int:
        self._waiting = True
        return at

    def _tag(self, tag: re.Match[bytes]) -> int:
        name = tag[2].lower()
        if tag[1]:
            self._end_tag(name)
        else:
            self._start_tag(name, tag[3])
        return tag.end()

    def _end_tag(self, name: bytes) -> None:
        if name == b"template":
            self._templates = max(0, self._templates - 1)
        elif name in _FOREIGN:
            self._foreign = max(0, self._foreign - 1)

    def _start_tag(self, name: bytes, attributes: bytes) -> None:
        closed = attributes.endswith(b"/")
        wanted = name in self._names and not self._templates
        if wanted and (name not in _WITH_TEXT or (closed and self._foreign)):
            self._found.append(Element(name.decode("latin-1"), _attributes(attributes)))
        if name in _RAW and not (closed and self._foreign):
            self._begin_raw_text(name, attributes if wanted else None)
        elif name == b"template":
            # One that a browser turns into a shadow root is alive.
            if self._templates or b"shadowrootmode" not in attributes.lower():
                self._templates += 1
        elif name in _FOREIGN and not closed:
            self._foreign += 1
        elif name == b"plaintext":
            self._finished = True

    def _begin_raw_text(self, name: bytes, attributes: bytes | None) -> None:
        self._raw_name = name
        self._attributes = attributes if name in _WITH_TEXT else None
        self._room = _LONGEST_TEXT
        self._scan = self._inside_script if name == b"script" else self._inside_raw_text

    def _end_raw_text(self) -> None:
        self._scan = self._token
        if self._attributes is not None:
            text = b"".join(self._text)
            self._found.append(Element(self._raw_name.decode("latin-1"), _attributes(self._attributes), text))
        self._text = []
        self._attributes = None


@lru_cache(maxsize=8)
def _passing(names: frozenset[bytes]) -> re.Pattern[bytes]:
    """Return the expression for all that can be passed at once: text, and tags that change nothing."""
    others = rb"(?!/?(?:" + b"|".join(sorted(names | _OF_INTEREST)) + rb")[\t\n\f\r />])"
    return re.compile(rb"(?:[^<]++|<" + others + rb"/?" + _NAME + _ATTRIBUTES + rb">)*+", re.IGNORECASE)


def _attributes(content: bytes) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, *quoted in _EACH_ATTRIBUTE.findall(content):
        value = next(filter(None, quoted), b"")[:_LONGEST_ADDRESS]
        decoded = _REFERENCE.sub(lambda reference: unescape(reference[0]), _text(value))
        values.setdefault(name.lower().decode("latin-1"), decoded)
    return values


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


# What an element loads.


def tags_of(element: Element) -> Iterator[Finding]:
    """Yield the services that an element loads or starts."""
    name, attributes = element.name, element.attributes
    if name == "style":
        yield from _tags_of_style(element.text)
    elif name == "script":
        yield from _tags_of_script(attributes, element.text)
    elif name != "link" or _loads(attributes.get("rel", "")):
        source = _SOURCES.get(name, "")
        yield from _tags_at(attributes.get(source, ""), f'<{name} {source}="%s">')


def tags_in_link_header(value: bytes) -> Iterator[Finding]:
    """Yield the services that a response's `Link` header makes browsers call (RFC 8288)."""
    for address, parameters in _LINK.findall(value):
        rel = _REL.search(parameters)
        if rel and _loads((rel[1] or rel[2] or b"").decode("latin-1")):
            yield from _tags_at(address[:_LONGEST_ADDRESS].decode("latin-1"), "Link: <%s>")


def _loads(rel: str) -> bool:
    return not _LOADING.isdisjoint(rel.lower().split())


def _tags_at(address: str, evidence: str) -> Iterator[Finding]:
    """Yield the service that an address belongs to, if any."""
    address = address.strip(_AROUND_ADDRESS).translate(_WITHIN_ADDRESS)
    absolute = _ADDRESS.match(address)
    if absolute is None and _OTHER_SCHEME.match(address):
        return
    host, path = (absolute[1].lower().rstrip("."), absolute[2]) if absolute else ("", address)
    service = catalogue().service_at(host, path)
    if service is not None:
        yield _finding(service, evidence % (host + re.split(r"[?#]", path, maxsplit=1)[0]))


def _tags_of_style(text: bytes) -> Iterator[Finding]:
    for address in _IN_STYLE.findall(_STYLE_COMMENT.sub(b"", text)):
        yield from _tags_at(address[:_LONGEST_ADDRESS].decode("latin-1"), "<style> with %s")


def _tags_of_script(attributes: Mapping[str, str], text: bytes) -> Iterator[Finding]:
    kind = attributes.get("type", "").strip().lower()
    delayed = _DELAYED_TYPE.fullmatch(kind)
    if not delayed and not _SCRIPT_TYPE.fullmatch(kind):
        return
    sources = ("src", *_DELAYED_SOURCES) if delayed else ("src",)
    source = next((name for name in sources if name in attributes), None)
    if source:
        yield from _tags_at(attributes[source], f'<script {source}="%s">')
    else:
        yield from _tags_of_code(text)


def _tags_of_code(text: bytes) -> Iterator[Finding]:
    code = _SCRIPT_COMMENT.sub(b"", text).translate(None, b" \t\n\f\r")
    code = code.replace(b"\\/", b"/").replace(b'"', b"'").replace(b"`", b"'")
    for service, snippet in catalogue().services_in(code):
        yield _finding(service, f"<script> with {snippet}")


def _finding(service: KnownService, evidence: str) -> Finding:
    shown = "".join(character if character.isprintable() else "?" for character in evidence)
    if len(shown) > _LONGEST_EVIDENCE:
        shown = shown[: _LONGEST_EVIDENCE - 1] + "…"
    return Finding(service.title, service.provider, shown, service.category, service.cookies, service.advice)
