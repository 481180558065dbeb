"""Time several versions of one thing side by side: interleaved, compared within each round, summed up by medians.

The clock of a shared machine drifts by more than what is measured here. So no figure stands alone: in every round each
candidate runs a short slice, in a new order, and only figures of the same round are compared. One candidate is there
twice; how far the two differ is the noise, and a run whose noise is above `NOISE` says nothing.
"""

from __future__ import annotations

import asyncio
import json
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

__all__ = ["NOISE", "Figure", "Timings", "median", "report", "save", "time_side_by_side"]

NOISE = 0.02  # by which bare may differ from bare
RESULTS = Path(__file__).parent / "results"
MICROSECONDS = 1_000_000

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


def median(values: Iterable[float]) -> float:
    """Return the middle one."""
    return statistics.median(values)


def time_side_by_side(
    requests: Mapping[str, Request], *, rounds: int, slice_seconds: float = 0.004, seed: int = 1
) -> Timings:
    """Time requests in turns.

    Args:
        requests: what to await, by name.
        rounds: how often each has its turn.
        slice_seconds: how long a turn takes, about.
        seed: of the order in which they come.
    """
    return asyncio.run(_time(requests, rounds, slice_seconds, random.Random(seed)))  # noqa: S311 - an order, no secret


async def _time(requests: Mapping[str, Request], rounds: int, slice_seconds: float, order: random.Random) -> Timings:
    repeats = {name: await _repeats(request, slice_seconds) for name, request in requests.items()}
    taken: dict[str, list[float]] = {name: [] for name in requests}
    names = list(requests)
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            taken[name].append(await _slice(requests[name], repeats[name]))
    return Timings(taken)


async def _repeats(request: Request, slice_seconds: float) -> int:
    """Warm up, and find how many requests fill a turn."""
    await _slice(request, 5)
    each = await _slice(request, 20) / MICROSECONDS
    return max(1, round(slice_seconds / each))


async def _slice(request: Request, repeats: int) -> float:
    started = thread_time()
    for _ in range(repeats):
        await request()
    return (thread_time() - started) / repeats * MICROSECONDS


def report(title: str, figures: Sequence[Figure]) -> None:
    """Print a table."""
    print(f"\n{title}\n{'':52}{'figure':>12}  {'target':>9}  reached")
    for figure in figures:
        bound = "" if figure.target is None else f"{'>=' if figure.at_least else '<='} {figure.target:g}"
        value = f"{figure.value:.3g} {figure.unit}" if abs(figure.value) < 100 else f"{figure.value:.0f} {figure.unit}"
        print(f"{figure.name:52}{value:>12}  {bound:>9}  {figure.verdict:7} {figure.detail}")


def save(name: str, figures: Sequence[Figure], **more: object) -> Path:
    """Write a table for machines, with what it was measured on, to `benchmarks/results/<name>.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    written = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {package: _version(package) for package in ("consentgate", "starlette", "uvicorn", "django")},
        **more,
        "figures": [{**asdict(figure), "reached": figure.verdict} for figure in figures],
    }
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return path


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
