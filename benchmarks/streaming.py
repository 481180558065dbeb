"""Memory and first bytes of pages that come in pieces, through a real uvicorn: `python -m benchmarks.streaming`.

A page of 50 MB comes in chunks of 64 KB: what counts is by how much a server's memory grows at its highest while that
passes, beside the bare application's. Another page sends a first chunk, which holds `<body>`, and the next one a while
later: the first has to be out before. Every server has answered before. Linux only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse

from benchmarks.harness import MICROSECONDS, Figure, Table, Timings, command, median, take_turns
from benchmarks.served import CHUNK, PAUSE_SECONDS, STREAMED
from benchmarks.servers import Headers, Server, get, running, visitors

_ROUNDS = 5
_WARM = 20  # requests
_MEGABYTE = 1_000_000
_CANDIDATES = {  # what runs, of benchmarks.served, and who asks it
    "bare": ("bare", "undecided"),
    "bare again": ("bare", "undecided"),
    "undecided, by default": ("consentgate", "undecided"),
    "agreed, by default": ("consentgate", "agreed"),
    "refused, by default": ("consentgate", "refused"),
    'undecided, printed_tags="report"': ("report", "undecided"),
    "undecided, by default, with a printed tag": ("consentgate", "undecided"),
    "hand-written, undecided": ("hand_written", "undecided"),
}


def main() -> int:
    """Measure, print and keep the table; the status says whether the run counts."""
    return command("streaming", __doc__, measure, rounds=_ROUNDS)


def measure(rounds: int) -> Table:
    """Return the table."""
    asking = visitors()
    grown: dict[str, list[float]] = {name: [] for name in _CANDIDATES}
    seconds: dict[str, list[float]] = {name: [] for name in _CANDIDATES}
    for _ in range(rounds):
        for name, (app, visitor) in _CANDIDATES.items():
            with running(app) as servers:  # afresh: a server keeps the memory that it has once taken
                path = "/stream?tag" if "printed tag" in name else "/stream"
                growth, taken = _stream(servers[app], path, asking[visitor])
            grown[name].append(growth)
            seconds[name].append(taken)
    first = _first_chunks(asking, rounds)
    return Table(
        "Pages in pieces, under uvicorn",
        [*_memory(grown, seconds), *_first_bytes(first)],
        noise=None,
        more={"grown_by_megabytes": grown, "cpu_seconds": seconds, "first_chunk_microseconds": first.of},
    )


def _stream(server: Server, path: str, headers: Headers) -> tuple[float, float]:
    """Return by how many megabytes a server grows for a page of 50 MB, and how many seconds it works for it."""
    for _ in range(_WARM):
        get(server, "/", headers)
    server.forget_peak()
    before, worked = server.resident(), server.cpu_seconds()
    with _asked(server, path, headers) as response:
        read = 0
        while piece := response.read1(CHUNK):
            read += len(piece)
    assert read >= STREAMED - CHUNK, read
    return (server.peak() - before) / _MEGABYTE, server.cpu_seconds() - worked


def _first_chunks(asking: Mapping[str, Headers], rounds: int) -> Timings:
    """Time from a request to the page's first 64 KB."""
    chosen = {name: way for name, way in _CANDIDATES.items() if not ("hand-written" in name or "printed tag" in name)}
    with running("bare", "consentgate", "report") as servers:
        for app, visitor in chosen.values():
            get(servers[app], "/slow", asking[visitor])
        turns = {name: _first_chunk(servers[app], asking[visitor]) for name, (app, visitor) in chosen.items()}
        return take_turns(turns, rounds=4 * rounds)


def _first_chunk(server: Server, headers: Headers) -> Callable[[], float]:
    def turn() -> float:
        started = time.perf_counter()
        with _asked(server, "/slow", headers) as response:
            assert len(response.read(CHUNK)) == CHUNK
            return (time.perf_counter() - started) * MICROSECONDS

    return turn


@contextmanager
def _asked(server: Server, path: str, headers: Headers) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", server.port)
    try:
        connection.request("GET", path, headers=dict(headers))
        yield connection.getresponse()
    finally:
        connection.close()


def _memory(grown: Mapping[str, Sequence[float]], seconds: Mapping[str, Sequence[float]]) -> list[Figure]:
    bare = median(grown["bare"])
    figures = []
    for name in grown:
        if name == "bare":
            continue
        over = median(grown[name]) - bare
        detail = f"+{over + bare:.1f} MB, bare +{bare:.1f} MB; {median(seconds[name]):.2f} s of work"
        target = None if "bare" in name or "hand-written" in name else 1.0
        figures.append(Figure(f"50 MB: peak memory over bare's, {name}", over, "MB", target, detail=detail))
    return figures


def _first_bytes(first: Timings) -> list[Figure]:
    figures = []
    for name, taken in first.of.items():
        in_time = sum(each < PAUSE_SECONDS * MICROSECONDS for each in taken) / len(taken)
        target = None if name.startswith("bare") else 1.0
        detail = f"after {first.each(name) / 1000:.2f} ms, bare {first.each('bare') / 1000:.2f} ms"
        figures.append(Figure(f"first chunk out before the second, {name}", in_time, "", target, True, detail))
    return figures


if __name__ == "__main__":
    sys.exit(main())
