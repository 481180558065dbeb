"""Start `consentgate serve` as its users do, and talk to it in raw bytes where a client library would be too polite."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import KEY
from tests.mounts.servers import free_port

__all__ = ["PATIENCE", "POLICY", "Front", "eventually", "gateway", "get", "receive_all", "receive_until"]

POLICY = """
site_name = "Luton"
skip_paths = ["/plain/*"]

[controller]
name = "Luton Council"
email = "privacy@luton.example"

[[categories.essential.items]]
name = "session"
purpose = "Keeps your form."
duration = "1 hour"

[[categories.analytics.services]]
type = "google-analytics"
measurement_id = "G-LUTON123"
"""
PATIENCE = 120
"""Seconds until a test gives up on what needs milliseconds: the machine may be busy with other things."""
# What the gateway grants by default is for people; a test that is about such a limit names its own.
UNHURRIED = ("--connect-seconds", "60", "--response-seconds", "240", "--client-seconds", "240")


@dataclass
class Front:
    """Hold a running gateway.

    Args:
        port: where, on loopback.
        process: the parent's.
        log: all that it wrote.
        file: its `consentgate.toml`.
    """

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    file: Path

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        """Return what it logged so far."""
        return self.log.read_text("utf-8", "replace")

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def ask(self, request: bytes) -> bytes:
        """Send bytes, and return all that comes back until the gateway closes the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return receive_all(connection)

    def visitor(self, **headers: str) -> httpx.Client:
        """Return a browser without scripts."""
        accept = {"accept": "text/html,*/*;q=0.8", **headers}
        return httpx.Client(base_url=self.url, headers=accept, timeout=PATIENCE, trust_env=False)

    def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def tree(self) -> list[int]:
        """Return the process ids of the parent and all below it."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(one) for one in task.read_text().split()]
        return found

    def workers(self) -> list[int]:
        """Return the process ids of the workers; multiprocessing keeps another process beside them."""
        return [pid for pid in self.tree()[1:] if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def memory(self) -> int:
        """Return the resident memory of all its processes, in bytes."""
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.tree())
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def get(address: str) -> httpx.Response:
    """Ask for one address over a connection of its own."""
    return httpx.get(address, timeout=PATIENCE, trust_env=False)


def eventually(is_so: Callable[[], bool], otherwise: Callable[[], str] = lambda: "It never came true.") -> None:
    """Wait until something is so.

    Args:
        is_so: looks.
        otherwise: what to say when it stays false.
    """
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def receive_all(connection: socket.socket) -> bytes:
    """Return what comes until the other end closes, a reset included."""
    content = b""
    while True:
        try:
            data = connection.recv(65_536)
        except ConnectionResetError:
            return content
        if not data:
            return content
        content += data


def receive_until(connection: socket.socket, mark: bytes) -> bytes:
    """Return what comes until `mark` is in it; an end before is a failure of the test."""
    content = b""
    while mark not in content:
        data = connection.recv(1000)
        assert data, f"The connection ended after {content!r}"
        content += data
    return content


@contextmanager
def gateway(
    folder: Path, upstream: int | str | None, *options: str, more: str = "", policy: str = POLICY
) -> Iterator[Front]:
    """Run the gateway on loopback.

    Args:
        folder: where its files are put.
        upstream: the port of the site behind it, or its whole address.
        options: further words of the command line.
        more: further lines of its `consentgate.toml`.
        policy: the lines before.
    """
    port = free_port()
    file, log = folder / "consentgate.toml", folder / "log"
    file.write_text(policy + more, encoding="utf-8")
    command = [sys.executable, "-c", "from consentgate.cli import main; main()", "serve", "--policy", str(file)]
    command += ["--listen", f"127.0.0.1:{port}", *UNHURRIED, *options]
    address = f"http://127.0.0.1:{upstream}" if isinstance(upstream, int) else upstream
    command += ["--upstream", address] if address else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, "CONSENTGATE_KEYS": KEY}, stdout=output, stderr=subprocess.STDOUT
        )
    front = Front(port, process, log, file)
    try:
        _wait(front)
        yield front
    finally:
        if process.poll() is None:
            front.stop()


def _wait(front: Front) -> None:
    deadline = time.monotonic() + PATIENCE
    while front.process.poll() is None and time.monotonic() < deadline:
        try:
            if get(f"{front.url}/cookies/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"The gateway did not start:\n{front.said()}")
