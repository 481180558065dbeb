"""A real PostgreSQL for the tests: Debian's, started in a temporary folder and reached by a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

REMEDY = "install PostgreSQL (apt-get install postgresql), or name the folder of its programs in CONSENTGATE_POSTGRES"
USER = "postgres"  # the server refuses to run as root
START_SECONDS = 30
PROGRAMS = ("initdb", "postgres", "createdb", "psql", "pg_amcheck")


def find_postgres() -> Path | None:
    """Return the folder that holds its programs, or `None`."""
    named = os.environ.get("CONSENTGATE_POSTGRES")
    on_path = shutil.which("postgres")
    folders = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path and not named:
        folders.append(Path(on_path).parent)
    return next((folder for folder in folders if all((folder / name).exists() for name in PROGRAMS)), None)


class Postgres:
    """One server with its own data, to be killed and started again.

    Args:
        programs: the folder of its programs.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="consentgate-postgres-"))
        self.folder.chmod(0o755)
        self._data = self.folder / "data"
        self._server: subprocess.Popen[bytes] | None = None
        self._databases = 0
        if os.geteuid() == 0:
            account = pwd.getpwnam(USER)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._run("initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", USER, "--encoding", "UTF8")

    @property
    def log(self) -> Path:
        """The file into which the server writes."""
        return self.folder / "server.log"

    @property
    def files(self) -> list[Path]:
        """All files of the server: tables, write-ahead log, log."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def start(self) -> None:
        """Start the server and wait until it answers."""
        end = monotonic() + START_SECONDS
        while not self.answers():
            assert monotonic() < end, self.log.read_text(errors="replace")[-2000:]
            if self._server is None or self._server.poll() is not None:  # one that was killed may still let go
                self._server = self._launch()
            sleep(0.05)

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}"]
        command = [str(self._programs / "postgres"), "-D", str(self._data), *settings]
        with self.log.open("ab") as log:
            server: subprocess.Popen[bytes] = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **_as_server())
        return server

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        command = [str(self._programs / "psql"), "-h", str(self.folder), "-U", USER, "-c", "SELECT 1", "postgres"]
        return subprocess.run(command, capture_output=True, cwd="/").returncode == 0

    def kill(self) -> None:
        """Kill the server and all its processes with SIGKILL: none can say or save anything."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)  # it starts no further process, which would be nobody's then
        children = [pid for pid, parent in _parents() if parent == self._server.pid]
        self._server.kill()
        self._server.wait()
        for pid in children:  # each leads a process group of its own
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop it and remove all of it: nothing has to be saved."""
        if self._server is not None and self._server.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self, *, logged: bool = False) -> str:
        """Make an empty database and return its address; `logged` writes each statement with its values to the log."""
        self._databases += 1
        name = f"consent{self._databases}"
        self._run("createdb", "-h", str(self.folder), "-U", USER, name)
        if logged:
            log_all = f"ALTER DATABASE {name} SET log_statement = 'all'"
            self._run("psql", "-h", str(self.folder), "-U", USER, "-c", log_all, name)
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"

    def is_sound(self, address: str) -> bool:
        """Read every page of a database and every index; tell whether all is as it was written."""
        name = address.partition("?")[0].rpartition("/")[2]
        command = ["pg_amcheck", "-h", str(self.folder), "-U", USER, "--install-missing", "--heapallindexed", name]
        return self._run(*command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(self._programs / program), *arguments], capture_output=True, check=check, cwd="/", **_as_server()
        )


def _parents() -> Iterator[tuple[int, int]]:
    """Yield every process with its parent."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])


def _as_server() -> dict[str, Any]:
    """Run in a process group of its own, and not as root."""
    settings: dict[str, Any] = {"start_new_session": True}
    return settings | ({"user": USER, "group": USER, "extra_groups": ()} if os.geteuid() == 0 else {})


__all__: Sequence[str] = ("REMEDY", "Postgres", "find_postgres")
