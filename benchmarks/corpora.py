"""Time the injector on every page of the corpora, and count what it does: `python -m benchmarks.corpora`."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from tests.corpora.checking import inject
from tests.corpora.fetch import CORPORA, pages, why_missing

_RUNS = 3  # of which the fastest counts: whatever else the machine does only slows a run down


def main() -> None:
    """Print a line for each kind of corpus."""
    print(f"{'kind':10}{'pages':>7}{'MB':>7}{'no banner':>11}{'median µs':>11}{'p99 µs':>8}{'slowest µs':>12}")
    for kind in ("web", "docs", "snippets"):
        corpora = [corpus for corpus in CORPORA if corpus.kind == kind and why_missing(corpus) is None]
        measured = [_measure(page) for corpus in corpora for _, page in pages(corpus)]
        if measured:
            times = sorted(seconds * 1_000_000 for _, _, seconds in measured)
            size = sum(length for length, _, _ in measured) / 1_000_000
            left_alone = sum(not has_banner for _, has_banner, _ in measured)
            figures = f"{_quantile(times, 0.5):>11.0f}{_quantile(times, 0.99):>8.0f}{times[-1]:>12.0f}"
            print(f"{kind:10}{len(measured):>7}{size:>7.0f}{left_alone:>11}{figures}")


def _measure(page: bytes) -> tuple[int, bool, float]:
    """Return a page's length, whether it gets a banner, and how many seconds that takes in one piece."""
    fastest = float("inf")
    for _ in range(_RUNS):
        started = perf_counter()
        _, has_banner = inject([page], page_expected=True)
        fastest = min(fastest, perf_counter() - started)
    return len(page), has_banner, fastest


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]


if __name__ == "__main__":
    main()
