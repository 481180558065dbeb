"""Decide once what a response is: a page to splice into, a page that is only personal, or none of our business."""

from __future__ import annotations

import codecs
from enum import Enum, auto
from functools import lru_cache

from consentgate.caching import is_marked
from consentgate.notices import warn_once
from consentgate.visit import Visit

__all__ = ["BYPASSES", "Kind", "kind_of", "value_of"]

HeaderList = list[tuple[bytes, bytes]]

# With these a server lets the application send a file by its path: no bytes would come by to put a banner into.
BYPASSES = ("http.response.pathsend", "http.response.zerocopysend")

# Libraries that fetch a part of a page say so; what they get is no document.
_FRAGMENT_HEADERS = (b"turbo-frame", b"x-up-target", b"x-pjax", b"x-requested-with")
_PAGE_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
_NO_BODY = frozenset((204, 205, 206, 304))
# Where a browser asks for something that it will not show as a page of its own (Fetch Metadata, W3C).
_EMBEDDED = frozenset(("audio", "embed", "empty", "fencedframe", "frame", "iframe", "image", "object"))


class Kind(Enum):
    """Say what a response is to the gate."""

    OTHER = auto()
    PERSONAL = auto()
    PAGE = auto()


def kind_of(status: int, headers: HeaderList, visit: Visit) -> Kind:
    """Decide what a response is.

    Only complete HTML documents for a browser window are pages; a part of a page, a download or a redirect is not.
    """
    if not visit.site.policy.optional_categories:
        return Kind.OTHER
    if status == 304:  # the answer for a page of ours carries the headers that page had
        return Kind.PERSONAL if _is_marked_page(headers, visit) else Kind.OTHER
    content_type = value_of(headers, b"content-type").lower()
    if content_type.partition(";")[0].rstrip() != "text/html":
        return Kind.OTHER
    if status in _NO_BODY or 300 <= status < 400 or visit.method not in _PAGE_METHODS or visit.is_skipped:
        return Kind.OTHER
    if _is_fragment(visit) or value_of(headers, b"content-disposition").lower().startswith("attachment"):
        return Kind.OTHER
    if _is_embedded(visit) or not _is_spliceable(headers, content_type, visit):
        return Kind.PERSONAL
    return Kind.PAGE if visit.awaits_markup else Kind.PERSONAL


def value_of(headers: HeaderList, name: bytes) -> str:
    """Return a response header's value, or an empty string."""
    return next((value.decode("latin-1").strip() for key, value in headers if key.lower() == name), "")


def _is_marked_page(headers: HeaderList, visit: Visit) -> bool:
    if visit.is_skipped:
        return False
    if is_marked(visit.header(b"if-none-match").encode("latin-1")):  # a script may fetch what the browser shows later
        return True
    return "text/html" in visit.header(b"accept") and bool(value_of(headers, b"etag"))


def _is_fragment(visit: Visit) -> bool:
    if visit.header(b"hx-request") == "true" and not visit.header(b"hx-boosted"):
        return True
    return any(visit.header(name) for name in _FRAGMENT_HEADERS)


def _is_embedded(visit: Visit) -> bool:
    """Tell whether the answer will not fill a browser's window; htmx fetches the pages of boosted links, which do.

    A page for a shared cache is the same wherever it is shown: the cache gives it to the next window.
    """
    if visit.site.policy.cache == "shared":
        return False
    return visit.header(b"sec-fetch-dest") in _EMBEDDED and not visit.header(b"hx-boosted")


def _is_spliceable(headers: HeaderList, content_type: str, visit: Visit) -> bool:
    encoding = value_of(headers, b"content-encoding").lower()
    if encoding not in ("", "identity"):
        if visit.awaits_markup:
            warn_once(
                ("encoded", encoding),
                "A page went out without banner and tags: the application had compressed it (%s). Put the compression "
                "outside consentgate.",
                encoding,
            )
        return False
    charset = charset_of(content_type)
    return not charset or _holds_ascii(charset)


def charset_of(content_type: str) -> str:
    """Return the charset that a content type in lower case names, or an empty string."""
    _, _, charset = content_type.partition("charset=")
    return charset.partition(";")[0].strip(" \"'")


@lru_cache(maxsize=64)
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
