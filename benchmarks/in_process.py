"""Time what consentgate adds to a request, without sockets: `python -m benchmarks.in_process`.

The yardstick S is what Starlette's own `SessionMiddleware` adds to the same request with a valid session cookie.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import cycle
from time import time
from typing import Any

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from benchmarks.harness import Figure, Table, Timings, command, noise, time_side_by_side
from benchmarks.sites import (
    FETCH,
    NAVIGATION,
    OTHER_KEY,
    PAGE_5M,
    PAGE_20K,
    App,
    answer,
    consent_cookie,
    discard,
    guarded,
    receive,
    request,
    scope,
    session_cookie,
    site,
    stream,
    with_session,
)

_ROUNDS = 150
_NEVER_SEEN = 20_000  # different cookies: more than anything of ours remembers
_MANY, _FEW = 2_080, 80  # pieces of a stream, to tell what one more costs

# What is measured: as it is mounted, and without the look for tags that pages print, to tell the two apart.
_OURS: Mapping[str, Mapping[str, str]] = {"consentgate": {}, "tags reported": {"printed_tags": "report"}}

Ask = Callable[[], Awaitable[None]]


def main() -> int:
    """Measure, print and keep the table; the status says whether the run counts."""
    return command("in_process", __doc__, measure, rounds=_ROUNDS)


def measure(rounds: int) -> Table:
    """Return the table."""
    asyncio.run(_check())
    gc.collect()
    gc.freeze()
    timings = time_side_by_side({**_pages(), **_streams(), **_real_pages()}, rounds=rounds)
    figures = _figures(timings)
    return Table(
        "In process: what is added to a request (S: what SessionMiddleware adds to it)",
        figures,
        noise=figures[0].value,
        more={"microseconds": {name: timings.each(name) for name in timings.of}},
    )


def _scenarios() -> dict[str, tuple[float | None, dict[str, Any]]]:
    """Return what is asked for, each with its target as a share of S, if it has one."""
    session = session_cookie()
    refused, granted = (consent_cookie(granted=answered) for answered in (False, True))
    google = b"_ga=GA1.1.1234567890.1234567890"
    forged = consent_cookie(granted=True, key=OTHER_KEY)
    visitors = {"refused": [session, refused], "undecided": [session], "granted": [session, google, granted]}
    pages = {
        "with a policy": (None, "/policy"),
        "with a nonce": (1.0, "/policy-with-nonce"),
        "body changes": (None, "/date"),
        "with a printed tag": (None, "/tag"),
        "with a printed tag, body changes": (None, "/tag-and-date"),
    }
    return {
        "1 KB JSON, refused": (0.12, scope("/data", FETCH, [session, refused])),
        "1 KB JSON, granted": (0.12, scope("/data", FETCH, [session, google, granted])),
        "304, refused": (0.12, scope("/unchanged", FETCH, [session, refused])),
        "20 KB page, refused": (0.25, scope("/", NAVIGATION, [session, refused])),
        "20 KB page, undecided": (0.45, scope("/", NAVIGATION, [session])),
        "20 KB page, granted": (0.45, scope("/", NAVIGATION, [session, google, granted])),
        "20 KB page, forged cookie": (1.0, scope("/", NAVIGATION, [session, forged])),
        "20 KB page, beginning changes, undecided": (1.0, scope("/nonce", NAVIGATION, [session])),
        "20 KB page, beginning changes, granted": (1.0, scope("/nonce", NAVIGATION, [session, google, granted])),
        "20 KB page, 3 Set-Cookie, 2 withheld, undecided": (0.6, scope("/three", NAVIGATION, [session])),
        "20 KB page, 3 Set-Cookie, 2 withheld, refused": (0.6, scope("/three", NAVIGATION, [session, refused])),
        **{
            f"20 KB page, {name}, {visitor}": (target, scope(path, NAVIGATION, cookies))
            for name, (target, path) in pages.items()
            for visitor, cookies in visitors.items()
            if "printed" not in name or visitor != "granted"  # who then gets the service twice
        },
    }


def _pages() -> dict[str, Ask]:
    bare = site()
    apps: dict[str, App] = {
        "bare": bare,
        "bare again": bare,
        "session": with_session(bare),
        **{label: guarded(bare, **changes) for label, changes in _OURS.items()},
    }
    asks = {
        f"{name} | {label}": request(app, template)
        for name, (_, template) in _scenarios().items()
        for label, app in apps.items()
    }
    session = session_cookie()
    cookies = [consent_cookie(granted=False, at=_decided(number)) for number in range(_NEVER_SEEN)]
    unseen = cycle([scope("/", NAVIGATION, [session, cookie])["headers"] for cookie in cookies])
    template = scope("/", NAVIGATION)
    for label, app in apps.items():
        asks[f"20 KB page, never-seen cookie | {label}"] = _request_with(app, template, unseen)
    return asks


def _decided(number: int) -> float:
    """Return a time of its own for each visitor's choice, some of the last days."""
    return time() - 60 * number / 10


def _request_with(app: App, template: Mapping[str, Any], headers: Any) -> Ask:
    async def ask() -> None:
        await app({**template, "headers": next(headers).copy(), "state": {}}, receive, discard)

    return ask


def _streams() -> dict[str, Ask]:
    template = scope("/", NAVIGATION, [session_cookie()])
    asks = {}
    for name, app in {
        "5 MB in 64 KB chunks": stream(PAGE_5M),
        f"{_FEW} chunks": stream(PAGE_20K * 2, chunk=len(PAGE_20K) * 2 // _FEW + 1),
        f"{_MANY} chunks": _repeating(_MANY),
    }.items():
        asks[f"{name} | bare"] = request(app, template)
        for label, changes in _OURS.items():
            asks[f"{name} | {label}"] = request(guarded(app, **changes), template)
        asks[f"{name} | wrapper"] = request(_wrapped(app), template)
    return asks


def _repeating(chunks: int) -> App:
    beginning, chunk = PAGE_20K[:1024], b"<p>more of it</p>"
    return stream(beginning + chunk * (1024 * chunks // len(chunk)), chunk=1024)


def _wrapped(app: App) -> App:
    """Return an application with a middleware around it that does nothing, as most are written."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        async def wrapper(message: Any) -> None:
            await send(message)

        await app(scope, receive, wrapper)

    return middleware


def _real_pages() -> dict[str, Ask]:
    """Return requests for a page that takes about 1 ms to render, as real ones do."""
    rows = "{% for one in items %}<li>{{ one.title }} {{ one.place }} {{ one.day }}</li>{% endfor %}"
    source = PAGE_20K.decode().replace("<h1>Step Forward</h1>", f"<h1>Step Forward</h1>{rows}")
    template = Environment(autoescape=True).from_string(source)
    items = [{"title": f"Decision {number} & more", "place": "Luton", "day": number} for number in range(700)]

    async def page(request: Request) -> Response:
        return HTMLResponse(template.render(items=items))

    bare = Starlette(routes=[Route("/", page)])
    ask = scope("/", NAVIGATION, [session_cookie()])
    apps: dict[str, App] = {
        "bare": bare,
        "bare again": bare,
        "session": with_session(bare),
        "consentgate": guarded(bare),
    }
    return {f"real page | {label}": request(app, ask) for label, app in apps.items()}


def _figures(timings: Timings) -> list[Figure]:
    scenarios = {name: target for name, (target, _) in _scenarios().items()}
    scenarios["20 KB page, never-seen cookie"] = 1.0
    figures = [
        noise([timings.ratio(f"{name} | bare again", f"{name} | bare") for name in scenarios]),
        Figure("S on the 20 KB page", _yardstick(timings, "20 KB page, refused"), "us"),
    ]
    figures += [figure for label in _OURS for figure in _figures_of(label, scenarios, timings)]
    ratio, session = (timings.ratio(f"real page | {label}", "real page | bare") for label in ("consentgate", "session"))
    figures.append(Figure("a real page, to bare", ratio, "", 1.03, detail=f"SessionMiddleware {session:.3f}"))
    return figures


def _figures_of(label: str, scenarios: Mapping[str, float | None], timings: Timings) -> Iterator[Figure]:
    short = "" if label == "consentgate" else f", {label}"
    for name, target in scenarios.items():
        added, base = timings.added(f"{name} | {label}", f"{name} | bare"), _yardstick(timings, name)
        yield Figure(name + short, added / base, "S", target, detail=f"+{added:.2f} us, S {base:.1f} us")
    base = _yardstick(timings, "20 KB page, refused")
    added = timings.added(f"5 MB in 64 KB chunks | {label}", "5 MB in 64 KB chunks | bare")
    yield Figure(f"5 MB in 64 KB chunks{short}", added / base, "S", 0.6, detail=f"+{added:.2f} us")
    ours, wrapper = (_per_chunk(timings, each) for each in (label, "wrapper"))
    name = f"a further chunk, to an async wrapper's{short}"
    yield Figure(name, ours / wrapper, "", 1.3, detail=f"{ours * 1000:.0f} ns a chunk")


def _yardstick(timings: Timings, scenario: str) -> float:
    return timings.added(f"{scenario} | session", f"{scenario} | bare")


def _per_chunk(timings: Timings, label: str) -> float:
    """Return what each further piece of a stream takes beyond the bare application, in microseconds."""
    few, many = (timings.added(f"{count} chunks | {label}", f"{count} chunks | bare") for count in (_FEW, _MANY))
    return (many - few) / (_MANY - _FEW)


async def _check() -> None:
    """See that what is measured is what it is called."""
    app, bare = guarded(site()), site()
    for name, (_, template) in _scenarios().items():
        headers, body = await answer(app, template)
        _, plain = await answer(bare, template)
        if name.startswith("20 KB page"):
            is_asked = "undecided" in name or "forged" in name
            assert (b'id="consentgate"' in body) == is_asked, name
            if "printed" in name:
                assert body.count(b'type="text/plain"') == 2, name
                continue
            assert (b"G-ABCDEFGH12" in body) == ("granted" in name), name
            assert (len(body) == len(plain)) == ("refused" in name), name  # what changes is of the same length
        else:
            assert body == plain, name
        if "Set-Cookie" in name:
            assert sum(key == b"set-cookie" for key, _ in headers) == 1, name
    _, body = await answer(guarded(stream(PAGE_5M)), scope("/", NAVIGATION))
    assert b'id="consentgate"' in body


if __name__ == "__main__":
    sys.exit(main())
