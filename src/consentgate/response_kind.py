"""Decide once what a response is: a page to splice into, a page that is only personal, or none of our business."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from consentgate.caching import is_marked
from consentgate.notices import warn_once
from consentgate.visit import FRAGMENT_HEADERS, Visit

__all__ = [
    "BYPASSES",
    "Kind",
    "MediaType",
    "carries_tags",
    "is_fragment",
    "kind_of",
    "media_type_of",
    "value_of",
]

Fields = Mapping[bytes, bytes]

# With these a server lets the application send a file by its path: no bytes would come by to put a banner into.
BYPASSES = ("http.response.pathsend", "http.response.zerocopysend")

# Turbo Drive up to 7 and Turbolinks say no more of themselves than these media types; no browser asks for just them.
_TURBO_ACCEPTS = b"text/html, application/xhtml+xml"
_PAGE_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
_NO_BODY = frozenset((204, 205, 206, 304))
# Where a browser asks for something that it will not show as a page of its own (Fetch Metadata, W3C).
_EMBEDDED = frozenset((b"audio", b"embed", b"empty", b"fencedframe", b"frame", b"iframe", b"image", b"object"))


class Kind(Enum):
    """Say what a response is to the gate."""

    OTHER = auto()
    FRAGMENT = auto()  # a part of a page, or a whole page for a script: at the address of a page for a window
    PERSONAL = auto()
    PAGE = auto()


def kind_of(status: int, fields: Fields, visit: Visit) -> Kind:
    """Decide what a response is.

    Only complete HTML documents for a browser window are pages; a part of a page, a download or a redirect is not.

    Args:
        status: the response's.
        fields: its headers, by lower-case name.
        visit: the request.
    """
    media_type = media_type_of(fields.get(b"content-type", b""))
    if not media_type.is_html and status != 304:
        return Kind.OTHER
    if not visit.site.has_choice or visit.is_skipped:
        return Kind.OTHER
    if status == 304:  # the answer for a page of ours carries the headers that page had
        return Kind.PERSONAL if _is_marked_page(fields, visit) else Kind.OTHER
    if status in _NO_BODY or 300 <= status < 400 or visit.method not in _PAGE_METHODS:
        return Kind.OTHER
    if b"content-disposition" in fields and _is_download(fields):
        return Kind.OTHER
    # A page for a shared cache is the same whoever asks: a whole page that a frame of Turbo fetched would else be kept
    # without the script, for everybody. What is no document is left alone by the injector.
    if is_fragment(visit) and not visit.site.is_shared:
        return Kind.FRAGMENT
    if _is_embedded(visit) or not media_type.fits or (b"content-encoding" in fields and _is_encoded(fields, visit)):
        return Kind.PERSONAL
    return Kind.PAGE if visit.awaits_markup else Kind.PERSONAL


def carries_tags(status: int, fields: Fields, visit: Visit) -> bool:
    """Tell whether a page, or a part of one, comes in bytes that can be looked at for tags."""
    if status == 304 or not media_type_of(fields[b"content-type"]).fits:
        return False
    if b"content-encoding" not in fields:
        return True
    encoding = value_of(fields, b"content-encoding").lower()
    if encoding in ("", "identity") or (encoding == "gzip" and visit.may_be_packed):
        return True
    if is_fragment(visit) or not visit.awaits_markup:
        warn_once(
            ("encoded-tags", encoding),
            "A page went out with whatever tags it carries: the application had compressed it (%s). Put the "
            "compression outside consentgate.",
            encoding,
        )
    return False


@dataclass(frozen=True, slots=True)
class MediaType:
    """Hold what a `Content-Type` means to us.

    Args:
        is_html: whether it is `text/html`.
        fits: whether ASCII markup means the same in its charset.
        charset: what it calls that charset, in lower case; empty when it does not.
    """

    is_html: bool
    fits: bool
    charset: str


@lru_cache(maxsize=256)
def media_type_of(content_type: bytes) -> MediaType:
    """Read a `Content-Type`; an application has few."""
    written = content_type.decode("latin-1").strip().lower()
    is_html = written.partition(";")[0].rstrip() == "text/html"
    charset = written.partition("charset=")[2].partition(";")[0].strip(" \"'")
    return MediaType(is_html, not is_html or not charset or _holds_ascii(charset), charset)


def value_of(fields: Fields, name: bytes) -> str:
    """Return a response header's value, or an empty string."""
    value = fields.get(name)
    return "" if value is None else value.decode("latin-1").strip()


def _is_marked_page(fields: Fields, visit: Visit) -> bool:
    if is_marked(visit.header(b"if-none-match").encode("latin-1")):  # a script may fetch what the browser shows later
        return True
    return "text/html" in visit.header(b"accept") and bool(value_of(fields, b"etag"))


def is_fragment(visit: Visit) -> bool:
    """Tell whether a library asks for a part of a page."""
    if visit.is_plain:
        return False
    if visit.header(b"hx-request") == "true" and not visit.header(b"hx-boosted"):
        return True
    return any(visit.header(name) for name in FRAGMENT_HEADERS if name != b"hx-request")


def _is_embedded(visit: Visit) -> bool:
    """Tell whether the answer will not fill a browser's window.

    A page for a shared cache is the same wherever it is shown: the cache gives it to the next window.
    """
    if visit.fields.get(b"sec-fetch-dest") not in _EMBEDDED or visit.site.is_shared:
        return False
    return not (visit.fields.get(b"sec-fetch-dest") == b"empty" and _is_fetched_to_be_shown(visit))


def _is_fetched_to_be_shown(visit: Visit) -> bool:
    """Tell whether a script fetches a whole page to put it into the window: htmx for boosted links, and Turbo Drive."""
    if visit.header(b"hx-boosted") or visit.header(b"x-turbo-request-id"):
        return True
    return visit.fields.get(b"accept") == _TURBO_ACCEPTS


def _is_download(fields: Fields) -> bool:
    return value_of(fields, b"content-disposition").lower().startswith("attachment")


def _is_encoded(fields: Fields, visit: Visit) -> bool:
    encoding = value_of(fields, b"content-encoding").lower()
    if encoding in ("", "identity") or (encoding == "gzip" and visit.may_be_packed):
        return False
    if visit.awaits_markup:
        warn_once(
            ("encoded", encoding),
            "A page went out without banner and tags: the application had compressed it (%r). Put the compression "
            "outside consentgate.",
            encoding,
        )
    return True


def _holds_ascii(charset: str) -> bool:
    """Tell whether ASCII markup means the same in a charset; UTF-16 is the case that does not."""
    sample = "<section lang='en'>&#8217;</section>"
    try:
        fits = codecs.encode(sample, charset) == sample.encode()
    except (LookupError, UnicodeError, TypeError, ValueError):
        fits = False
    if not fits:
        warn_once(("charset", charset), "A page went out without a banner: markup does not fit charset %r.", charset)
    return fits
