"""What the records add up to, and the page that shows it: self-contained, with plots as inline SVG."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from consentgate.policy import ConsentPolicy
from consentgate.records import PolicyVersion

__all__ = ["Rate", "Summary", "Tally", "report_page", "summarise"]

Tally = Callable[..., Iterable[tuple[tuple[Any, ...], int]]]
"""Counts records by some of their fields: `SqlStore.tally`."""

_MOST_BARS = 100  # more days than this are added up to weeks
_MOST_ROWS = 30  # sites or languages in one figure
_Z = 1.96  # of the normal distribution, for an interval that holds in 95 of 100 cases
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Rate:
    """Count answers: how many agreed to something, how many refused everything, how many withdrew later."""

    granted: int = 0
    refused: int = 0
    withdrawn: int = 0

    def add(self, action: str, grants: bool, count: int) -> None:
        """Add some acts."""
        if action == "withdraw":
            self.withdrawn += count
        elif grants:
            self.granted += count
        else:
            self.refused += count

    @property
    def answers(self) -> int:
        """How many answered the question."""
        return self.granted + self.refused

    @property
    def share(self) -> float:
        """The share, from 0 to 1, of answers that agreed to at least one optional category."""
        return self.granted / self.answers if self.answers else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies in 95 of 100 such samples (Wilson, 1927): chance alone explains the rest."""
        n = self.answers
        if not n:
            return 0.0, 1.0
        middle = (self.share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z * sqrt(self.share * (1 - self.share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(slots=True)
class Summary:
    """Hold what a report says.

    Args:
        days: answers by day, oldest first.
        sites: answers by site.
        languages: answers by language; empty for forms that did not tell.
        versions: answers by the hash of the policy version.
        last_used: the last day of each policy version.
    """

    days: dict[date, Rate] = field(default_factory=dict)
    sites: dict[str, Rate] = field(default_factory=dict)
    languages: dict[str, Rate] = field(default_factory=dict)
    versions: dict[str, Rate] = field(default_factory=dict)
    last_used: dict[str, date] = field(default_factory=dict)

    @property
    def total(self) -> Rate:
        """All answers."""
        return _sum(self.days.values())


def summarise(tally: Tally, *, since: int = 0, tell: Callable[[str], object] = str) -> Summary:
    """Count records.

    Args:
        tally: counts them.
        since: from this second on.
        tell: is told what is counted next: over millions of records each step takes seconds.
    """
    summary = Summary()
    tell("Counting by day …")
    summary.days = {_day(key): rate for key, rate in _rates(tally("day", "action", "grants", since=since)).items()}
    tell("Counting by site …")
    summary.sites = _rates(tally("site", "action", "grants", since=since))
    tell("Counting by language …")
    summary.languages = _rates(tally("language", "action", "grants", since=since))
    tell("Counting by policy version …")
    summary.versions = _rates(tally("policy_version", "action", "grants", since=since))
    for (version, day), _ in tally("policy_version", "day", since=since):
        summary.last_used[version] = _day(day)
    return summary


def _rates(counted: Iterable[tuple[tuple[Any, ...], int]]) -> dict[Any, Rate]:
    found: dict[Any, Rate] = defaultdict(Rate)
    for (key, action, grants), count in counted:
        found[key].add(action, bool(grants), count)
    return dict(found)


def _sum(rates: Iterable[Rate]) -> Rate:
    total: Counter[str] = Counter()
    for rate in rates:
        total.update(granted=rate.granted, refused=rate.refused, withdrawn=rate.withdrawn)
    return Rate(total["granted"], total["refused"], total["withdrawn"])


def _day(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()


# The page


@dataclass(frozen=True, slots=True)
class Bar:
    """Place one bar of the daily figure: heights in thousandths of its own height, from the ground up."""

    x: float
    width: float
    parts: Sequence[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Days:
    """Hold the daily figure: its bars, what one bar stands for, its ends and its highest value."""

    unit: str
    rows: Sequence[tuple[date, Rate]]
    bars: Sequence[Bar]
    highest: int


def report_page(
    summary: Summary,
    versions: Sequence[PolicyVersion],
    policy: ConsentPolicy,
    *,
    now: float,
) -> str:
    """Return the report as one HTML page that needs nothing else.

    Args:
        summary: what was counted.
        versions: the policy versions that are kept, oldest first.
        policy: names the site and its controller.
        now: seconds since 1970.
    """
    environment = Environment(
        loader=PackageLoader("consentgate"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"percent": lambda share: f"{share * 100:.1f} %", "number": lambda value: f"{value:,}"}
    names = {one.hash: f"{_day(one.first_used)} ({one.hash[:8]})" for one in versions}
    template = environment.get_template("report.html")
    return template.render(
        policy=policy,
        summary=summary,
        total=summary.total,
        days=_days(summary.days),
        figures=[
            ("site", "By site", "Site", _largest(summary.sites)),
            (
                "language",
                "By language",
                "Language",
                _largest({k or "not known": v for k, v in summary.languages.items()}),
            ),
            ("version", "By policy version", "Policy version", _in_order(summary.versions, names)),
        ],
        versions=[
            (one, _day(one.first_used), summary.last_used.get(one.hash), summary.versions.get(one.hash, Rate()))
            for one in reversed(versions)
        ],
        tags={one.hash: ", ".join(one.parts.get("wordings", {})) for one in versions},
        first=min(summary.days, default=None),
        last=max(summary.days, default=None),
        made=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _largest(rates: Mapping[str, Rate]) -> list[tuple[str, Rate]]:
    """Sort by the number of answers; what does not fit is added up."""
    ordered = sorted(rates.items(), key=lambda item: (-item[1].answers, item[0]))
    rest = ordered[_MOST_ROWS:]
    return ordered[:_MOST_ROWS] + ([(f"{len(rest)} others", _sum(rate for _, rate in rest))] if rest else [])


def _in_order(rates: Mapping[str, Rate], names: Mapping[str, str]) -> list[tuple[str, Rate]]:
    """Sort policy versions by time, so that a change of wording is seen from one row to the next."""
    order = {hash_: number for number, hash_ in enumerate(names)}
    known = sorted(rates.items(), key=lambda item: order.get(item[0], -1))
    return [(names.get(hash_, hash_[:8]), rate) for hash_, rate in known][-_MOST_ROWS:]


def _days(rates: Mapping[date, Rate]) -> Days:
    step = 1
    if rates:
        length = (max(rates) - min(rates)).days + 1
        step = 1 if length <= _MOST_BARS else 7 if length <= _MOST_BARS * 7 else 28
    rows = list(_periods(rates, step))
    highest = max((rate.answers + rate.withdrawn for _, rate in rows), default=0)
    unit = {1: "day", 7: "week", 28: "four weeks"}[step]
    return Days(unit, rows, list(_bars([rate for _, rate in rows], highest)), highest)


def _periods(rates: Mapping[date, Rate], step: int) -> Iterator[tuple[date, Rate]]:
    """Yield every period from the first to the last day, empty ones included."""
    day, last = min(rates, default=date.min), max(rates, default=date.min)
    while rates and day <= last:
        yield day, _sum(rates[day + _DAY * n] for n in range(step) if day + _DAY * n in rates)
        day += _DAY * step


def _bars(rates: Sequence[Rate], highest: int) -> Iterator[Bar]:
    width = 1000 / max(len(rates), 1)
    for number, rate in enumerate(rates):
        parts, ground = [], 1000.0
        for name, count in (("granted", rate.granted), ("refused", rate.refused), ("withdrawn", rate.withdrawn)):
            height = 1000 * count / max(highest, 1)
            ground -= height
            if count:
                parts.append((name, round(ground, 2), round(height, 2)))
        yield Bar(round(number * width, 2), round(width * 0.85, 2), parts)
