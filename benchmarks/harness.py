"""Time several versions of one thing side by side: interleaved, compared within each round, summed up by medians.

The clock of a shared machine drifts by more than what is measured here. So no figure stands alone: in every round each
candidate runs a short slice, in a new order, and only figures of the same round are compared. One candidate is there
twice; how far the two differ is the noise, and a run whose noise is above `NOISE` says nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import thread_time

__all__ = ["NOISE", "Figure", "Table", "Timings", "command", "median", "noise", "take_turns", "time_side_by_side"]

NOISE = 0.02  # by which bare may differ from bare
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("consentgate", "starlette", "uvicorn", "uvloop", "httptools", "django", "django-script-consent")
MICROSECONDS = 1_000_000
_WARM_UPS = 4

Request = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Timings:
    """Hold the time of one request of each candidate, in microseconds, round by round."""

    of: Mapping[str, Sequence[float]]

    def each(self, name: str) -> float:
        """Return the median time of a candidate's request."""
        return median(self.of[name])

    def ratio(self, name: str, base: str) -> float:
        """Return how many times as long a candidate takes as another."""
        return median(one / other for one, other in zip(self.of[name], self.of[base], strict=True))

    def added(self, name: str, base: str) -> float:
        """Return by how many microseconds a candidate takes longer than another."""
        return median(one - other for one, other in zip(self.of[name], self.of[base], strict=True))


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold one line of a table.

    Args:
        name: what was measured.
        value: the figure.
        unit: what it counts.
        target: what it may be at the most, or at the least; `None` where it only informs.
        at_least: whether the target is a lower bound.
        detail: what the figure was worked out from.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    detail: str = ""

    @property
    def verdict(self) -> str:
        """Say whether the target is reached."""
        if self.target is None:
            return ""
        reached = self.value >= self.target if self.at_least else self.value <= self.target
        return "yes" if reached else "NO"


@dataclass(frozen=True, slots=True)
class Table:
    """Hold what a benchmark found.

    Args:
        title: says what its figures are.
        figures: its lines.
        noise: how many times as long bare took as bare; `None` where nothing is timed that could tell.
        more: what else a machine may want to read.
    """

    title: str
    figures: Sequence[Figure]
    noise: float | None
    more: Mapping[str, object]


def median(values: Iterable[float]) -> float:
    """Return the middle one."""
    return statistics.median(values)


def noise(ratios: Sequence[float]) -> Figure:
    """Return the line that says how far bare differs from bare."""
    return Figure("noise: bare / bare", median(ratios), "", detail=f"from {min(ratios):.3f} to {max(ratios):.3f}")


def time_side_by_side(
    requests: Mapping[str, Request],
    *,
    rounds: int,
    slice_seconds: float = 0.004,
    seed: int = 1,
    clock: Callable[[], float] = thread_time,
) -> Timings:
    """Time requests in turns.

    Args:
        requests: what to await, by name.
        rounds: how often each has its turn.
        slice_seconds: how long a turn takes, about.
        seed: of the order in which they come.
        clock: the time, in seconds; the processor's for this thread by default.
    """
    order = random.Random(seed)  # noqa: S311 - an order, no secret
    return asyncio.run(_time(requests, rounds, slice_seconds, order, clock))


def take_turns(slices: Mapping[str, Callable[[], float]], *, rounds: int, seed: int = 1) -> Timings:
    """Let each candidate have its turn in each round, in a new order each time.

    Args:
        slices: what to do, by name; each returns a time in microseconds.
        rounds: how often each has its turn.
        seed: of the order in which they come.
    """
    order = random.Random(seed)  # noqa: S311 - an order, no secret
    taken: dict[str, list[float]] = {name: [] for name in slices}
    names = list(slices)
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            taken[name].append(slices[name]())
    return Timings(taken)


async def _time(
    requests: Mapping[str, Request],
    rounds: int,
    slice_seconds: float,
    order: random.Random,
    clock: Callable[[], float],
) -> Timings:
    repeats = {name: await _repeats(request, slice_seconds, clock) for name, request in requests.items()}
    taken: dict[str, list[float]] = {name: [] for name in requests}
    names = list(requests)
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            taken[name].append(await _slice(requests[name], repeats[name], clock))
    return Timings(taken)


async def _repeats(request: Request, slice_seconds: float, clock: Callable[[], float]) -> int:
    """Warm up, and find how many requests fill a turn: the first ones take longer, as much is worked out with them."""
    repeats = 5
    for _ in range(_WARM_UPS):
        each = await _slice(request, repeats, clock) / MICROSECONDS
        repeats = max(1, round(slice_seconds / each))
    return repeats


async def _slice(request: Request, repeats: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(repeats):
        await request()
    return (clock() - started) / repeats * MICROSECONDS


def command(name: str, description: str | None, measure: Callable[[int], Table], *, rounds: int) -> int:
    """Run a benchmark from the command line: measure, print its table, and keep it for machines.

    Args:
        name: of its file in `benchmarks/results`, without the ending.
        description: for `--help`.
        measure: returns the table, given how many rounds to take.
        rounds: how many to take when the command line does not say.

    Returns:
        the status to end with: with `--check`, 1 when a target is missed or the run is too noisy.
    """
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--rounds", type=int, default=rounds)
    options.add_argument("--check", action="store_true", help="fail when a target is missed or the run is too noisy")
    options.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    chosen = options.parse_args()
    before = os.getloadavg()[0]
    table = measure(chosen.rounds)
    _print(table)
    is_noisy = table.noise is not None and abs(table.noise - 1) > NOISE
    if is_noisy:
        print(f"\nThis run is too noisy to count: bare differs from bare by more than {NOISE}.")
    kept = {"rounds": chosen.rounds, "load_average": [before, os.getloadavg()[0]], "noisy": is_noisy}
    _keep(chosen.results / f"{name}.json", table, kept)
    return int(chosen.check and (is_noisy or any(figure.verdict == "NO" for figure in table.figures)))


def _print(table: Table) -> None:
    print(f"\n{table.title}\n{'':60}{'figure':>12}  {'target':>9}  reached")
    for figure in table.figures:
        bound = "" if figure.target is None else f"{'>=' if figure.at_least else '<='} {figure.target:g}"
        value = f"{figure.value:.3g} {figure.unit}" if abs(figure.value) < 100 else f"{figure.value:.0f} {figure.unit}"
        print(f"{figure.name:60}{value:>12}  {bound:>9}  {figure.verdict:7} {figure.detail}")


def _keep(path: Path, table: Table, more: Mapping[str, object]) -> None:
    """Write a table for machines, with what it was measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {
        "title": table.title,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "versions": {package: _version(package) for package in PACKAGES},
        **more,
        "noise": table.noise,
        "figures": [{**asdict(figure), "reached": figure.verdict} for figure in table.figures],
        **table.more,
    }
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
