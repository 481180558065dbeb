"""Time what consentgate adds to a page beside what others add: `python -m benchmarks.rivals`.

One rival is django-script-consent (benchmarks/requirements-rivals.txt), in a Django site under ASGI; the other is what
people write themselves on Starlette's `BaseHTTPMiddleware`: read the whole page, put the banner in by `str.replace`.
The same requests go to the same site bare, with the rival, and with consentgate as it is by default.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import process_time
from typing import Any

from asgiref.sync import sync_to_async

from benchmarks import django_rival
from benchmarks.hand_written import HandWritten
from benchmarks.harness import Figure, Table, Timings, command, noise, time_side_by_side
from benchmarks.sites import (
    NAVIGATION,
    PAGE_20K,
    App,
    answer,
    consent_cookie,
    guarded,
    request,
    scope,
    session_cookie,
    site,
)

_ROUNDS = 150
_SLICE_SECONDS = 0.02  # for a few requests to a Django site
_LABELS = ("bare", "bare again", "rival", "consentgate")

Asks = dict[str, Callable[[], Awaitable[None]]]


def main() -> int:
    """Measure, print and keep the table; the status says whether the run counts."""
    return command("rivals", __doc__, measure, rounds=_ROUNDS)


def measure(rounds: int) -> Table:
    """Return the table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        django_rival.prepare(Path(folder))
        on_django, on_starlette = asyncio.run(_on_django()), asyncio.run(_on_starlette())
        gc.collect()
        gc.freeze()
        # Django works in threads of its own: what counts is the processor time of the whole process.
        django = time_side_by_side(on_django, rounds=rounds, slice_seconds=_SLICE_SECONDS, clock=process_time)
        starlette = time_side_by_side(on_starlette, rounds=rounds)
    lines = [
        *((name, django, "django-script-consent", 50.0) for name in _visitors(on_django)),
        *((name, starlette, "hand-written", 25.0) for name in _visitors(on_starlette)),
    ]
    quiet = noise([timings.ratio(f"{name} | bare again", f"{name} | bare") for name, timings, _, _ in lines])
    return Table(
        "Beside rivals: how many times as much as consentgate they add to a page",
        [quiet, *(_figure(*line) for line in lines)],
        noise=quiet.value,
        more={"microseconds": {name: timings.each(name) for timings in (django, starlette) for name in timings.of}},
    )


def _figure(name: str, timings: Timings, rival: str, target: float) -> Figure:
    theirs, ours = (timings.added(f"{name} | {label}", f"{name} | bare") for label in ("rival", "consentgate"))
    detail = f"{rival} +{theirs:.0f} us, consentgate +{ours:.1f} us, bare {timings.each(f'{name} | bare'):.0f} us"
    return Figure(name, theirs / ours, "x", target, at_least=True, detail=detail)


def _visitors(asks: Asks) -> list[str]:
    return list(dict.fromkeys(name.rpartition(" | ")[0] for name in asks))


async def _on_django() -> Asks:
    """Return requests for a page of 100 KB of a Django site."""
    bare = django_rival.plain()
    apps: dict[str, App] = dict(zip(_LABELS, (bare, bare, django_rival.with_rival(), guarded(bare)), strict=True))
    theirs = sync_to_async(django_rival.answered)
    cookies = {
        "undecided": [],
        "agreed": [await theirs("technical", "analytics"), consent_cookie(granted=True)],
        "refused": [await theirs("technical"), consent_cookie(granted=False)],
    }
    asks: Asks = {}
    for visitor, sent in cookies.items():
        template = scope("/", NAVIGATION, sent)
        await _check(apps, template, visitor, django_rival.PAGE, (django_rival.BANNER, django_rival.TAG))
        asks |= {f"Django, 100 KB, {visitor} | {label}": request(app, template) for label, app in apps.items()}
    return asks


async def _on_starlette() -> Asks:
    """Return requests for a page of 20 KB of a Starlette site."""
    bare = site()
    ours = guarded(bare)
    _, asking = await answer(ours, scope("/", NAVIGATION))
    banner = f'<section id="choice">{"-" * (len(asking) - len(PAGE_20K))}</section>'  # as long as ours
    tags = '<script async src="https://analytics.example/tag.js"></script>'
    apps: dict[str, App] = dict(zip(_LABELS, (bare, bare, HandWritten(bare, banner, tags), ours), strict=True))
    cookies = {
        "undecided": [session_cookie()],
        "agreed": [session_cookie(), b"choice=granted", consent_cookie(granted=True)],
        "refused": [session_cookie(), b"choice=refused", consent_cookie(granted=False)],
    }
    asks: Asks = {}
    for visitor, sent in cookies.items():
        template = scope("/", NAVIGATION, sent)
        await _check(apps, template, visitor, PAGE_20K, (b'id="choice"', b"analytics.example"))
        asks |= {f"Starlette, 20 KB, {visitor} | {label}": request(app, template) for label, app in apps.items()}
    return asks


async def _check(
    apps: Mapping[str, App], template: Mapping[str, Any], visitor: str, page: bytes, theirs: tuple[bytes, bytes]
) -> None:
    """See that what is measured is what it is called."""
    for label, marks in (("rival", theirs), ("consentgate", (b'id="consentgate"', b"G-ABCDEFGH12"))):
        _, body = await answer(apps[label], template)
        banner, tag = (mark in body for mark in marks)
        assert (banner, tag) == (visitor == "undecided", visitor == "agreed"), (label, visitor)
    _, body = await answer(apps["bare"], template)
    assert body == page, visitor


if __name__ == "__main__":
    sys.exit(main())
