"""Run the benchmarks' applications under uvicorn, and read in /proc what a server has used; Linux only."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.sites import NAVIGATION, consent_cookie, session_cookie
from examples.gateway.processes import free_port, wait_for_port

__all__ = ["Headers", "Server", "get", "load_core", "pinned", "running", "visitors"]

_ROOT = Path(__file__).parents[1]
_STOP_SECONDS = 30
_LEAN = ("--no-access-log", "--log-level=warning", "--lifespan=off", "--loop=uvloop", "--http=httptools")


Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Server:
    """Hold a server that answers.

    Args:
        pid: of its process.
        port: where, on loopback.
    """

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Return how much processor time it has used: utime and stime of /proc/pid/stat, to the nanosecond."""
        return time.clock_gettime(~self.pid << 3 | 2)  # as clock_getcpuclockid(3) does it

    def writes(self) -> int:
        """Return how often it has called on the system to write."""
        return _field(self.pid, "io", "syscw:")

    def resident(self) -> int:
        """Return how much memory it takes now, in bytes."""
        return _field(self.pid, "status", "VmRSS:") * 1024

    def peak(self) -> int:
        """Return how much memory it has taken at the most since `forget_peak`, in bytes."""
        return _field(self.pid, "status", "VmHWM:") * 1024

    def forget_peak(self) -> None:
        """Count the peak from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


def _field(pid: int, file: str, name: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def visitors() -> dict[str, Headers]:
    """Return what browsers send, by what their visitors answered."""
    session = session_cookie()
    refused, granted = (consent_cookie(granted=answer) for answer in (False, True))
    cookies = {"undecided": [session], "refused": [session, refused], "agreed": [session, granted]}
    plain = [(name.decode(), value.decode()) for name, value in NAVIGATION]
    return {
        visitor: [*plain, ("x-forwarded-proto", "https"), ("cookie", b"; ".join(sent).decode())]
        for visitor, sent in cookies.items()
    }


def get(server: Server, path: str, headers: Headers) -> bytes:
    """Return the body of an answer."""
    connection = HTTPConnection("127.0.0.1", server.port)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().read()
    finally:
        connection.close()


def pinned(command: Sequence[str], core: int) -> list[str]:
    """Return a command that keeps to one processor."""
    return ["taskset", "--cpu-list", str(core), *command]


def load_core() -> int:
    """Return the processor for whoever asks; the servers have the first."""
    return max(os.sched_getaffinity(0))


@contextmanager
def running(*names: str) -> Iterator[dict[str, Server]]:
    """Run applications of `benchmarks.served`, each in a server of its own, until the end of the block."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(_running(name)) for name in names}


@contextmanager
def _running(name: str) -> Iterator[Server]:
    port = free_port()
    uvicorn = [sys.executable, "-m", "uvicorn", f"benchmarks.served:{name}", f"--port={port}", *_LEAN]
    words = pinned(uvicorn, min(os.sched_getaffinity(0)))
    # One seed for all, or dictionaries are laid out differently in each; 0 would switch off what believes in hashes.
    alike = {**os.environ, "PYTHONHASHSEED": "1"}
    process = subprocess.Popen(words, cwd=_ROOT, env=alike, stdin=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield Server(process.pid, port)
    finally:
        process.terminate()
        process.wait(timeout=_STOP_SECONDS)
