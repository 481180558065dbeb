"""Requests a second under uvicorn, loaded by wrk: `python -m benchmarks.load`. Needs wrk; Linux only.

The servers share one processor and wrk has another. What counts is the processor time that a server takes for a
request: how many it answers in a second of the clock depends on who else is at work on the machine. All requests say,
as a proxy in front does, that the visitor came by https. In each round every server has its turn with the same ones.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable

from benchmarks.harness import MICROSECONDS, Figure, Table, Timings, command, noise, take_turns
from benchmarks.servers import Headers, Server, get, load_core, pinned, running, visitors
from examples.gateway.processes import need

_ROUNDS = 10
_SECONDS = 1  # of a turn; wrk takes whole ones
_CONNECTIONS = 32
_COUNTED = 200  # requests, to see how often a server writes
_TARGETS = {"20 KB page, undecided": 0.82, "20 KB page, agreed": 0.82, "20 KB page, refused": 0.90}
_SERVERS = ("bare", "bare_again", "session", "consentgate", "report")


def main() -> int:
    """Measure, print and keep the table; the status says whether the run counts."""
    return command("load", __doc__, measure, rounds=_ROUNDS)


def measure(rounds: int) -> Table:
    """Return the table."""
    asking = visitors()
    with running(*_SERVERS) as servers:
        _check(servers, asking)
        timings = take_turns(dict(_turns(servers, asking)), rounds=rounds)
        written = {name: _writes(servers[name], asking["undecided"]) for name in ("bare", "consentgate", "report")}
    figures = _figures(timings)
    figures += [
        Figure(
            f"writes for 200 KB in 64 KB chunks, undecided, {_title(name)}",
            count,
            "",
            detail=f"bare {written['bare']:g}",
        )
        for name, count in written.items()
        if name != "bare"
    ]
    return Table(
        f"Under uvicorn, wrk with {_CONNECTIONS} connections: requests a second of its processor, to bare's",
        figures,
        noise=figures[0].value,
        more={"microseconds": {name: timings.each(name) for name in timings.of}, "writes": written},
    )


def _turns(servers: dict[str, Server], asking: dict[str, Headers]) -> Iterable[tuple[str, Callable[[], float]]]:
    for name, server in servers.items():
        for visitor, headers in asking.items():
            yield f"20 KB page, {visitor} | {name}", _turn(server, "/", headers)
        changing = _turn(server, "/nonce", asking["undecided"])
        yield f"20 KB page that differs each time, undecided | {name}", changing
        yield f"200 KB in 64 KB chunks, undecided | {name}", _turn(server, "/large", asking["undecided"])


def _turn(server: Server, path: str, headers: Headers) -> Callable[[], float]:
    """Return what loads a server for a while, and returns the microseconds it took for a request."""
    words = [word for name, value in headers for word in ("-H", f"{name}: {value}")]
    wrk = [need("wrk"), "-t1", f"-c{_CONNECTIONS}", f"-d{_SECONDS}s", *words, f"http://127.0.0.1:{server.port}{path}"]

    def turn() -> float:
        before = server.cpu_seconds()
        said = subprocess.run(pinned(wrk, load_core()), check=True, capture_output=True, text=True).stdout
        used = server.cpu_seconds() - before
        answered = re.search(r"(\d+) requests in", said)
        assert answered is not None, said
        assert "Non-2xx" not in said, said
        assert "Socket errors" not in said, said
        return used / int(answered[1]) * MICROSECONDS

    return turn


def _figures(timings: Timings) -> list[Figure]:
    asked = list(dict.fromkeys(name.rpartition(" | ")[0] for name in timings.of))
    again = [name.removesuffix("_again") for name in timings.of if name.endswith("_again")]
    figures = [noise([timings.ratio(name, f"{name}_again") for name in again])]
    for setting in ("consentgate", "report"):
        for name in asked:
            title = f"{name}, {_title(setting)}"
            bare, session, ours = (f"{name} | {server}" for server in ("bare", "session", setting))
            ratio = timings.ratio(bare, ours)
            detail = f"{timings.each(ours):.0f} us, bare {timings.each(bare):.0f} us"
            target = _TARGETS.get(name)
            figures.append(Figure(title, ratio, "", target, at_least=True, detail=detail))
            detail = f"SessionMiddleware {timings.ratio(bare, session):.2f} of bare"
            figures.append(
                Figure(
                    f"{title}, to sessions'",
                    timings.ratio(session, ours),
                    "",
                    target and 1.0,
                    at_least=True,
                    detail=detail,
                )
            )
    return figures


def _title(setting: str) -> str:
    return "by default" if setting == "consentgate" else 'printed_tags="report"'


def _check(servers: dict[str, Server], asking: dict[str, Headers]) -> None:
    """See that what is measured is what it is called."""
    for name, server in servers.items():
        for visitor, headers in asking.items():
            body = get(server, "/", headers)
            is_ours = name in ("consentgate", "report")
            assert (b'id="consentgate"' in body) == (is_ours and visitor == "undecided"), (name, visitor)
            assert (b"G-ABCDEFGH12" in body) == (is_ours and visitor == "agreed"), (name, visitor)


def _writes(server: Server, headers: Headers) -> float:
    """Return how often a server writes for a page of 200 KB."""
    before = server.writes()
    for _ in range(_COUNTED):
        get(server, "/large", headers)
    return (server.writes() - before) / _COUNTED


if __name__ == "__main__":
    sys.exit(main())
