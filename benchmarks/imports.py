"""Time what `import consentgate` takes in a fresh interpreter, beside Starlette: `python -m benchmarks.imports`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from benchmarks.harness import Figure, Table, command, noise, take_turns

_ROUNDS = 20
_TIMED = """
{before}
import sys, time
started, loaded = time.process_time(), len(sys.modules)
import {module}
print((time.process_time() - started) * 1e6, len(sys.modules) - loaded)
"""
_CANDIDATES = {
    "starlette.applications": ("starlette.applications", ""),
    "starlette.applications again": ("starlette.applications", ""),
    "consentgate": ("consentgate", ""),
    "consentgate.middleware": ("consentgate.middleware", ""),
    "consentgate.middleware, where starlette is there already": (
        "consentgate.middleware",
        "import starlette.applications",
    ),
}


def main() -> int:
    """Measure, print and keep the table; the status says whether the run counts."""
    return command("imports", __doc__, measure, rounds=_ROUNDS)


def measure(rounds: int) -> Table:
    """Return the table."""
    timings = take_turns({name: _turn(*words) for name, words in _CANDIDATES.items()}, rounds=rounds)
    starlette, again, *ours = _CANDIDATES
    quiet = noise([timings.ratio(again, starlette)])
    figures = [quiet, Figure(f"import {starlette}", timings.each(starlette) / 1000, "ms")]
    for name in ours:
        modules = _import(*_CANDIDATES[name])[1]
        detail = f"{timings.ratio(name, starlette):.2f} of {starlette}; {modules:.0f} modules"
        figures.append(Figure(f"import {name}", timings.each(name) / 1000, "ms", detail=detail))
    return Table("Import, in a fresh interpreter", figures, noise=quiet.value, more={"microseconds": dict(timings.of)})


def _turn(module: str, before: str) -> Callable[[], float]:
    return lambda: _import(module, before)[0]


def _import(module: str, before: str) -> tuple[float, float]:
    """Return the microseconds that an import takes, and how many modules it loads."""
    code = _TIMED.format(before=before, module=module)
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    microseconds, modules = said.split()
    return float(microseconds), float(modules)


if __name__ == "__main__":
    sys.exit(main())
