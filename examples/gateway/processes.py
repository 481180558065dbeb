"""Run programs on loopback for as long as a block lasts, and wait until they answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["find", "free_port", "need", "process", "run", "wait_for_port", "wait_for_socket"]

START_SECONDS = 180  # on a machine with much else to do
STOP_SECONDS = 60


@contextmanager
def process(output: Path, command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a program until the end of the block.

    Args:
        output: the file for what it says.
        command: the program and its arguments.
        env: its environment; ours by default.
    """
    with output.open("wb") as file:
        running = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=STOP_SECONDS)


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run a program to its end.

    Raises:
        RuntimeError: when it fails, with what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def find(program: str) -> str | None:
    """Return a program's path; Debian keeps servers where only root's PATH leads."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def need(program: str) -> str:
    """Return a program's path.

    Raises:
        RuntimeError: when it is not installed.
    """
    found = find(program)
    if found is None:
        raise RuntimeError(f"{program} is missing; README.md beside this file says how to install it.")
    return found


def free_port() -> int:
    """Return a port of loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for_socket(path: Path) -> None:
    """Wait until something listens at a Unix socket."""

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(path)) == 0

    _wait(listens, path.name)


def wait_for_port(port: int) -> None:
    """Wait until something listens at a port of loopback."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    _wait(listens, f"port {port}")


def _wait(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing answers at {what}.")
        time.sleep(0.05)
