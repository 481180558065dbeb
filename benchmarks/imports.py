"""Time what `import consentgate` takes in a fresh interpreter, beside Starlette: `python -m benchmarks.imports`.

All modules are compiled before, as they are once a package is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

from benchmarks.harness import Figure, Table, command, noise, take_turns

_ROUNDS = 20
_TIMED = """
{before}
import sys, time
started, loaded = time.process_time(), len(sys.modules)
{statement}
print((time.process_time() - started) * 1e6, len(sys.modules) - loaded)
"""
_STARLETTE, _MOUNT = "import starlette.applications", "from consentgate import ConsentMiddleware, ConsentPolicy"
_CANDIDATES = {  # what is timed, and what comes before it
    _STARLETTE: (_STARLETTE, ""),
    "bare again": (_STARLETTE, ""),
    "import consentgate": ("import consentgate", ""),
    "what mounts it": (_MOUNT, ""),
    "what mounts it, where starlette is there already": (_MOUNT, _STARLETTE),
}


def main() -> int:
    """Measure, print and keep the table; the status says whether the run counts."""
    return command("imports", __doc__, measure, rounds=_ROUNDS)


def measure(rounds: int) -> Table:
    """Return the table."""
    starlette, again, *ours = _CANDIDATES
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        modules = {name: _import(*words, environment)[1] for name, words in _CANDIDATES.items()}  # compiles, too
        turns = {name: _turn(*words, environment) for name, words in _CANDIDATES.items()}
        timings = take_turns(turns, rounds=rounds)
    quiet = noise([timings.ratio(again, starlette)])
    figures = [quiet, _figure(starlette, timings.each(starlette), f"{modules[starlette]:.0f} modules")]
    for name in ours:
        detail = f"{timings.ratio(name, starlette):.2f} of Starlette's; {modules[name]:.0f} modules"
        figures.append(_figure(name, timings.each(name), detail))
    more = {"microseconds": {name: timings.each(name) for name in timings.of}}
    return Table("Import, in a fresh interpreter", figures, noise=quiet.value, more=more)


def _figure(name: str, microseconds: float, detail: str) -> Figure:
    return Figure(name, microseconds / 1000, "ms", detail=detail)


def _turn(statement: str, before: str, environment: Mapping[str, str]) -> Callable[[], float]:
    return lambda: _import(statement, before, environment)[0]


def _import(statement: str, before: str, environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the microseconds that an import takes, and how many modules it loads."""
    words = [sys.executable, "-c", _TIMED.format(before=before, statement=statement)]
    said = subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout
    microseconds, modules = said.split()
    return float(microseconds), float(modules)


if __name__ == "__main__":
    sys.exit(main())
