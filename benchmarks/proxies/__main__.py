"""Put every proxy library, and our own gateway, through the same checks: `python -m benchmarks.proxies`.

The libraries are installed into a temporary environment and run there by uvicorn, on loopback. `--environment` names a
folder for it that stays.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.gateway import KEY, POLICY
from benchmarks.proxies.checks import CHECKS, WEBSOCKET_CHECKS, Check, Front, echo
from examples.gateway.processes import free_port, wait_for_port
from tests.gateway.behind import OK, RawSite, answering, raw_site

HERE = Path(__file__).parent
OWN = "consentgate"
# `undeclared`: the cookies that the checks set are no business of theirs.
OWN_POLICY = POLICY.replace("[controller]", 'undeclared = "report"\n[controller]')
LIBRARIES = ("asgiproxy", "asgi_proxy_lib", "fastapi_proxy_lib", "fastapi_reverse_proxy")


def main() -> None:
    """Check, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, help="a folder for the libraries; a temporary one by default")
    parser.add_argument("--only", nargs="*", default=[*LIBRARIES, OWN], help="names of proxies")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="proxies-") as name:
        folder = Path(name)
        python = install(options.environment or folder / "environment")
        results = {one: looked_at(one, python, folder) for one in options.only}
    print(f"| | {' | '.join(results)} |\n|---|{'---|' * len(results)}")
    for check in (*CHECKS, *WEBSOCKET_CHECKS):
        cells = ["yes" if passed[check.__name__] else "**no**" for passed in results.values()]
        print(f"| {(check.__doc__ or '').rstrip('.')} | {' | '.join(cells)} |")
    totals = (str(sum(passed.values())) for passed in results.values())
    print(f"| of {len(CHECKS) + len(WEBSOCKET_CHECKS)} | {' | '.join(totals)} |")


def install(folder: Path) -> Path:
    """Make the environment, and return its interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        words = ["-m", "pip", "install", "--quiet", "--requirement", str(HERE / "requirements.txt")]
        subprocess.run([str(python), *words], check=True)
    return python


def looked_at(name: str, python: Path, folder: Path) -> dict[str, bool]:
    """Run all checks on one proxy. A check that times out or is not answered at all has failed."""
    passed: dict[str, bool] = {}
    left = list(CHECKS)
    while left:  # after one that fails the next gets a fresh site and proxy, and does not pay for what was broken
        with raw_site() as site, running(name, python, folder, site.port) as front:
            still_passes = True
            while left and still_passes:
                check = left.pop(0)
                still_passes = passed[check.__name__] = is_passed(check, front, site)
    with echo() as port, running(name, python, folder, port) as front:
        for talk in WEBSOCKET_CHECKS:
            try:
                passed[talk.__name__] = talk(front.port)
            except Exception as error:
                print(f"{name}: {talk.__name__}: {error!r}", file=sys.stderr)
                passed[talk.__name__] = False
    return passed


def is_passed(check: Check, front: Front, site: RawSite) -> bool:
    """Run one check."""
    site.handler = answering(OK)
    site.requests.clear()
    site.lost.clear()
    try:
        return check(front, site)
    except (OSError, IndexError, AssertionError) as error:
        print(f"{check.__name__}: {error!r}", file=sys.stderr)
        return False


@contextmanager
def running(name: str, python: Path, folder: Path, site: int) -> Iterator[Front]:
    """Run one proxy before a site."""
    port = free_port()
    upstream = f"http://127.0.0.1:{site}"
    environment = {**os.environ, "UPSTREAM": upstream, "CONSENTGATE_KEYS": KEY}
    if name == OWN:
        file = folder / "consentgate.toml"
        file.write_text(OWN_POLICY, encoding="utf-8")
        command = [sys.executable, "-c", "from consentgate.cli import main; main()", "serve", "--policy", str(file)]
        command += ["--upstream", upstream, "--listen", f"127.0.0.1:{port}"]
    else:
        command = [str(python), "-m", "uvicorn", "--factory", f"mounted:{name}", "--app-dir", str(HERE)]
        command += ["--port", str(port), "--log-level", "warning", "--http", "httptools", "--lifespan", "auto"]
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield Front(port, process.pid)
    finally:
        process.kill() if name != OWN else process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
