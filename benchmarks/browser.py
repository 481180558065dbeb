"""Measure what a visitor's browser pays for the question, beside other consent tools: `python -m benchmarks.browser`.

One page of 30 KB, on a phone four times as slow, over loopback, in Chromium; every site has its turn in every round.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.browser_visit import Loaded, visitor
from benchmarks.consent_tools import PACKAGES, TOOLS, Tool, host_of
from benchmarks.harness import Figure, Table, command, median
from examples.gateway.processes import free_port, process, wait_for_port
from tests.browser import REMEDY, find_browser
from tests.journeys.conftest import launch
from tests.npm import fetch_missing

__all__: list[str] = []

_ROUNDS = 7
_FRAME = 1_000 / 60  # ms
_OURS = "consentgate"
_RIVALS = tuple(name for name, tool in TOOLS.items() if tool.package)
# Chromium finds *.localhost by itself; nothing else is to be found, so that a service that is accepted stays silent. A
# browser that says it is driven by a program is shown no banner by some tools.
_SWITCHES = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost",
    "--disable-blink-features=AutomationControlled",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Hold what one visitor of one site saw in one round.

    Args:
        first: the first visit.
        again: the next one, after a refusal; in the same place for sites that ask nothing.
        granted: the next one, after everything was accepted; only of consentgate.
        banner_after_paint: ms from the first frame with the page until the first with the banner.
        accept: ms until the next paint after the button was pressed.
        reject: the same for the other button.
    """

    first: Loaded
    again: Loaded
    granted: Loaded | None = None
    banner_after_paint: float | None = None
    accept: float | None = None
    reject: float | None = None


Rounds = Mapping[str, Sequence[Round]]


def main() -> int:
    """Measure, print and keep the table."""
    if not fetch_missing(PACKAGES):
        return 1
    return command("browser", __doc__, _measure, rounds=_ROUNDS)


def _measure(rounds: int) -> Table:
    executable = find_browser()
    if executable is None:
        sys.exit(f"No browser that starts: {REMEDY}.")
    with _served() as port, sync_playwright() as playwright:
        browser = launch(playwright, executable, *_SWITCHES)
        found = _rounds(browser, port, rounds)
        version = browser.version
        browser.close()
    medians = {name: _medians(found, name) for name in TOOLS}
    _print(medians)
    more = {"chromium": version, "tools": dict(PACKAGES), "medians": medians, "rounds_of": _kept(found)}
    return Table("In a browser: what the question costs a visitor", _figures(found, medians), None, more)


@contextmanager
def _served() -> Iterator[int]:
    """Serve all sites by one server in a process of its own."""
    port = free_port()
    uvicorn = [sys.executable, "-m", "uvicorn", "benchmarks.consent_tools:app", f"--port={port}"]
    quiet = [*uvicorn, "--log-level=warning", "--no-access-log"]
    with tempfile.TemporaryDirectory() as folder, process(Path(folder) / "log", quiet):
        wait_for_port(port)
        yield port


def _rounds(browser: Browser, port: int, rounds: int) -> Rounds:
    order = random.Random(1)  # noqa: S311 - an order, no secret
    found: dict[str, list[Round]] = {name: [] for name in TOOLS}
    names = list(TOOLS)
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            found[name].append(_visits(browser, f"http://{host_of(name)}:{port}/page", TOOLS[name]))
    return found


def _visits(browser: Browser, address: str, tool: Tool) -> Round:
    """Have one visitor refuse, and another one look at the frames and accept."""
    with visitor(browser, address, tool.banner) as refuses:
        with refuses.visit() as visit:
            first = visit.loaded()
            reject = visit.click(tool.reject) if tool.reject else None
        with refuses.visit() as visit:
            again = visit.loaded()
    if not tool.banner:
        return Round(first=first, again=again)
    with visitor(browser, address, tool.banner) as accepts:
        with accepts.visit(watches=True) as visit:
            after_paint = visit.banner_after_first_paint()
            visit.loaded()
            accept = visit.click(tool.accept)
        granted = None
        if not tool.package:
            with accepts.visit() as visit:
                granted = visit.loaded()
    return Round(
        first=first, again=again, granted=granted, banner_after_paint=after_paint, accept=accept, reject=reject
    )


_OVER_BARE: Mapping[str, Callable[[Loaded], float]] = {
    "requests": lambda loaded: loaded.requests,
    "bytes": lambda loaded: loaded.wire_bytes,
    "script ms": lambda loaded: loaded.script_ms,
    "main thread ms": lambda loaded: loaded.task_ms,
    "first paint ms": lambda loaded: loaded.fcp_ms,
    "LCP ms": lambda loaded: loaded.lcp_ms,
    "long tasks": lambda loaded: loaded.long_tasks,
    "CLS": lambda loaded: loaded.cls,
}


def _medians(found: Rounds, name: str) -> dict[str, float]:
    """Return by how much a site differs from the bare one of the same round, by median."""
    pairs = list(zip(found[name], found["bare"], strict=True))
    medians = {key: median(of(one.first) - of(bare.first) for one, bare in pairs) for key, of in _OVER_BARE.items()}
    visits: dict[str, list[tuple[Loaded, Loaded]]] = {"again": [(one.again, bare.again) for one, bare in pairs]}
    visits["granted"] = [(one.granted, bare.again) for one, bare in pairs if one.granted]
    for visit, loaded in visits.items():
        for key in ("requests", "bytes", "script ms") if loaded else ():
            medians[f"{visit}: {key}"] = median(_OVER_BARE[key](one) - _OVER_BARE[key](bare) for one, bare in loaded)
    measured = {
        "banner after page ms": [one.banner_after_paint for one, _ in pairs],
        # A tool that keeps the page itself back is no sooner for that.
        "banner after bare page ms": [
            None if one.banner_after_paint is None else one.banner_after_paint + one.first.fcp_ms - bare.first.fcp_ms
            for one, bare in pairs
        ],
        "accept ms": [one.accept for one, _ in pairs],
        "reject ms": [one.reject for one, _ in pairs],
    }
    given = {key: [one for one in values if one is not None] for key, values in measured.items()}
    return medians | {key: median(values) for key, values in given.items() if values}


def _figures(found: Rounds, medians: Mapping[str, Mapping[str, float]]) -> list[Figure]:
    ours, noise, rivals = medians[_OURS], medians["bare again"], [medians[name] for name in _RIVALS]
    rounds, bare = found[_OURS], found["bare"]
    lcp_noise = median(
        abs(again.first.lcp_ms - one.first.lcp_ms) for again, one in zip(found["bare again"], bare, strict=True)
    )
    altered = sum(one.again.markup != other.again.markup for one, other in zip(rounds, bare, strict=True))
    elements = ", ".join(sorted({one.first.lcp_element for one in rounds}))
    figures = [Figure(f"noise: bare again over bare, {key}", noise[key], "") for key in _OVER_BARE]
    figures += [
        Figure("refused: pages that differ from bare's", altered, "", 0),
        Figure("refused: requests", ours["again: requests"], "", 0),
        Figure("refused: bytes", ours["again: bytes"], "B", 0),
        Figure("refused: script over bare's, whose page it is", ours["again: script ms"], "ms"),
        Figure("granted: requests", ours["granted: requests"], "", detail="to the site; Google cannot be reached"),
        Figure("granted: script", ours["granted: script ms"], "ms"),
        Figure("first visit: CLS", ours["CLS"], "", 0),
        Figure("first visit: banner after the page's first frame", ours["banner after page ms"], "ms", _FRAME),
        Figure("first visit: first paint over bare's", ours["first paint ms"], "ms"),
        Figure("first visit: LCP over bare's", ours["LCP ms"], "ms", max(_FRAME, lcp_noise), detail=elements),
        Figure("first visit: LCP is the banner's text", sum(one.first.lcp_is_banner for one in rounds), "rounds", 0),
        Figure("first visit: script", ours["script ms"], "ms", 5),
        Figure("first visit: long tasks over bare's", ours["long tasks"], "", 0),
        Figure("Accept: next paint", ours["accept ms"], "ms", 48),
        Figure("Reject: next paint", ours["reject ms"], "ms", 48),
    ]
    for key, unit in {"bytes": "B", "requests": "", "banner after bare page ms": "ms"}.items():
        best = min(rival[key] for rival in rivals)
        figures.append(Figure(f"beside others: {key}", ours[key], unit, best - 1, detail=f"the best other: {best:.4g}"))
    return figures


_COLUMNS = (
    "requests",
    "bytes",
    "script ms",
    "main thread ms",
    "long tasks",
    "CLS",
    "banner after page ms",
    "banner after bare page ms",
    "first paint ms",
    "LCP ms",
    "accept ms",
    "reject ms",
    "again: requests",
    "again: bytes",
    "again: script ms",
)


def _print(medians: Mapping[str, Mapping[str, float]]) -> None:
    """Print a column of figures for each site, all but the buttons' and the banner's over those of the bare one."""
    print(f"\n{'over bare':24}" + "".join(f"{name[:14]:>15}" for name in TOOLS))
    for column in _COLUMNS:
        values = (medians[name].get(column) for name in TOOLS)
        print(f"{column:24}" + "".join(f"{'' if one is None else f'{one:.4g}':>15}" for one in values))


def _kept(found: Rounds) -> dict[str, list[dict[str, object]]]:
    """Return every round for machines, without the pages themselves."""

    def lean(value: object) -> object:
        return {key: one for key, one in value.items() if key != "markup"} if isinstance(value, dict) else value

    return {
        name: [{key: lean(value) for key, value in asdict(one).items()} for one in of] for name, of in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
