"""Real servers around a small site, each a process of its own, to be put under load, killed and started again."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep, time

from consentgate.consent_cookie import ConsentCookie
from tests.conftest import KEY, make_policy

__all__ = ["Load", "SiteProcess", "free_port", "receipts_in"]

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
FORM = "choice=accept_all&source=banner"
HEADERS = {"content-type": "application/x-www-form-urlencoded", "host": "luton.test"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class SiteProcess:
    """One uvicorn, with as many worker processes as asked for.

    Args:
        address: the consent log's.
        log: the file into which the server writes.
        workers: how many processes.
    """

    def __init__(self, address: str, log: Path, *, workers: int = 1) -> None:
        self.port = free_port()
        self._address = address
        self._log = log
        self._workers = workers
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting."""
        command = [sys.executable, "-m", "uvicorn", "--factory", "tests.records.site:create_app", "--no-access-log"]
        more = ["--port", str(self.port), "--log-level", "warning", "--workers", str(self._workers)]
        environment = os.environ | {"CONSENTGATE_RECORDS": self._address}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([*command, *more], cwd=ROOT, env=environment, stdout=log, stderr=log)

    def wait(self) -> None:
        """Wait until it answers."""
        end = monotonic() + START_SECONDS
        while not self.answers():
            assert monotonic() < end, self._log.read_text()[-2000:]
            sleep(0.02)

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def kill(self) -> None:
        """Kill it with SIGKILL: it can say or save nothing."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it in good order, with its workers."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Load:
    """Visitors who accept everything, one after another, at one port.

    Args:
        port: where.
        acknowledged: the cookies of those whose acceptance was confirmed.
        unanswered: how many got no answer: the server died.
        not_taken: how many were told that their acceptance could not be recorded.
    """

    port: int
    acknowledged: list[str] = field(default_factory=list)
    unanswered: int = 0
    not_taken: int = 0
    others: list[int] = field(default_factory=list)
    in_flight: int = 0
    _stop: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _threads: list[Thread] = field(default_factory=list)

    def start(self, visitors: int) -> None:
        """Let so many visitors at once begin."""
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(visitors)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self.in_flight += 1
            try:
                status, cookie = self._accept()
            except (OSError, http.client.HTTPException):
                status, cookie = 0, ""
            with self._lock:
                self.in_flight -= 1
                self._note(status, cookie)
            if status != 303:
                sleep(0.05)  # there is nobody to ask: leave the processor to those who start again

    def _note(self, status: int, cookie: str) -> None:
        if status == 303:
            self.acknowledged.append(cookie)
        elif status == 503:
            self.not_taken += 1
        elif status == 0:
            self.unanswered += 1
        else:
            self.others.append(status)

    def _accept(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/cookies/choice", FORM, HEADERS)
            answer = connection.getresponse()
            answer.read()
            cookies = SimpleCookie()
            for line in answer.headers.get_all("set-cookie") or ():
                cookies.load(line)
            return answer.status, cookies["consentgate"].value if answer.status == 303 else ""
        finally:
            connection.close()


def receipts_in(cookies: list[str]) -> set[str]:
    """Return the receipt ids that visitors were given, each read from a cookie by its signature."""
    reader = ConsentCookie(make_policy(), [KEY])
    receipts = {reader.read([cookie.encode()], time()).receipt for cookie in cookies}
    assert "" not in receipts
    return receipts
