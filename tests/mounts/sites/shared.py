"""What the sites have in common: the policy, the texts they send and the pace at which they stream."""

from __future__ import annotations

from pathlib import Path

from consentgate import Category, ConsentPolicy, Controller, GoogleAnalytics, StorageItem

KEYS = "the-signing-key-of-the-tests-alone-long-enough"
FILES = Path(__file__).with_name("files")

PIECES = 20
PAUSE = 0.03  # seconds between two pieces

PARAGRAPHS = [f"<p>Paragraph {number} of a page that is worth compressing.</p>" for number in range(40)]
PAGE = "\n".join(
    [
        "<!doctype html>",
        '<html lang="en-GB">',
        '<head><meta charset="utf-8"><title>A page</title></head>',
        '<body class="site">',
        "<h1>A page</h1>",
        *PARAGRAPHS,
        '<footer><a href="/cookies">Cookies</a></footer>',
        "</body>",
        "</html>",
    ]
)
STREAM_START = "<!doctype html><html lang=en><head><title>A stream</title></head><body><h1>A stream</h1>"

policy = ConsentPolicy(
    site_name="Sites",
    controller=Controller(name="Sites Ltd", email="privacy@example.org"),
    categories=(
        Category(
            id="essential",
            items=tuple(
                StorageItem(name=name, purpose="Keeps you signed in.", duration="14 days")
                for name in ("session", "sessionid", "csrftoken", "messages")
            ),
        ),
        Category(
            id="analytics",
            items=(StorageItem(name="pages_seen", purpose="Counts the pages you look at.", duration="30 days"),),
            services=(GoogleAnalytics(measurement_id="G-AB12CD34EF"),),
        ),
    ),
    skip_paths=("/admin/*", "/quiet/*"),
)


def piece(number: int) -> str:
    """Return one piece of a streamed page."""
    return f"<p>{number}</p>\n"


def event(number: int) -> str:
    """Return one server-sent event."""
    return f"data: {number}\r\n\r\n"
