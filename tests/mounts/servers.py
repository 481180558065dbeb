"""Start real servers on free loopback ports, wait until they answer, and end them by their own process id."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

__all__ = ["SERVERS", "Mount", "Running", "Servers", "free_port", "run", "under_servers", "visitor"]

SERVERS = ("uvicorn", "hypercorn", "granian")
ALL_MOUNTS = "CONSENTGATE_ALL_MOUNTS"  # set it to run every application under every server: some 450 tests
ROOT = Path(__file__).parents[2]
START_SECONDS = 60  # imports on a busy machine
STOP_SECONDS = 15
LOG_SECONDS = 15
KEPT = 2  # servers that run at once: a site and its twin without consentgate


@dataclass(frozen=True, slots=True)
class Mount:
    """Name an application, as `module:attribute`, and the server that it runs under.

    Args:
        target: the application.
        server: one of `SERVERS`.
        options: further words of the server's command line.
    """

    target: str
    server: str = "uvicorn"
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        module, _, attribute = self.target.partition(":")
        plain = "" if attribute == "app" else f".{attribute}"
        return f"{module.rpartition('.')[2].removesuffix('_site')}{plain}-{self.server}"


@dataclass(frozen=True, slots=True)
class Running:
    """Hold a server that answers.

    Args:
        mount: what runs.
        port: where, on loopback.
        process: the server's process.
        log: the file with all that it wrote.
    """

    mount: Mount
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        """Return all that the server and the application wrote so far."""
        return self.log.read_text("utf-8", "replace")

    def count(self, words: str) -> int:
        """Count how often something was written; Litestar's log, say, is written a moment later, by a thread."""
        deadline = time.monotonic() + LOG_SECONDS
        while words not in self.said() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.said().count(words)

    def stop(self) -> None:
        """Ask the server to end, and wait until it has."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Servers:
    """Start servers when they are asked for and stop those that were not asked for lately."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[Mount, Running] = {}

    def get(self, mount: Mount) -> Running:
        """Return a running server."""
        running = self._running.pop(mount, None) or self.start(mount)
        self._running[mount] = running
        while len(self._running) > KEPT:
            self._running.pop(next(iter(self._running))).stop()
        return running

    def start(self, mount: Mount) -> Running:
        """Start a server that the caller stops."""
        port = free_port()
        return run(mount, command_for(mount, port), port, self._logs / f"{mount}-{port}.log")

    def stop_all(self) -> None:
        """Stop every server."""
        while self._running:
            self._running.popitem()[1].stop()


def under_servers(pattern: str, names: Sequence[str], *, everywhere: Collection[str]) -> list[Mount]:
    """List applications under uvicorn, and a representative part of them under the other servers as well.

    Args:
        pattern: the target, with `{}` for a name.
        names: of the applications.
        everywhere: those that the other servers run too, unless the environment asks for all.
    """
    every = names if os.environ.get(ALL_MOUNTS) else [name for name in names if name in everywhere]
    return [
        Mount(pattern.format(name), server) for server in SERVERS for name in (names if server == "uvicorn" else every)
    ]


def command_for(mount: Mount, port: int) -> list[str]:
    """Return the command that serves an application."""
    address = {
        "uvicorn": ["--host", "127.0.0.1", "--port", str(port)],
        "hypercorn": ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "2"],
        "granian": ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)],
    }
    return ["-m", mount.server, *address[mount.server], *mount.options, mount.target]


def run(mount: Mount, arguments: Sequence[str], port: int, log: Path) -> Running:
    """Run Python with arguments until something listens at a port."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = Running(mount, port, process, log)
    try:
        _wait(running)
    except BaseException:
        running.stop()
        raise
    return running


def visitor(running: Running, **settings: Any) -> httpx.Client:
    """Return a browser without scripts: it keeps cookies and asks for pages as browsers do."""
    headers = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", **settings.pop("headers", {})}
    settings = {"timeout": 30, "trust_env": False, **settings}
    return httpx.Client(base_url=running.url, headers=headers, verify=False, **settings)  # noqa: S501 - there is no https here


def _wait(running: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(running.port):
        if running.process.poll() is not None:
            raise RuntimeError(f"{running.mount} ended at its start:\n{running.said()}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{running.mount} did not answer within {START_SECONDS} s:\n{running.said()}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """Return a port of loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
