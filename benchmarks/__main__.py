"""Run every benchmark of requests, each in a process of its own: `python -m benchmarks`, or some of them by name."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import RESULTS

TABLES = ("in_process", "rivals", "load", "streaming", "imports")
_ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run, and gather what they found in `all.json`; the status is 1 when one of them failed."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("tables", nargs="*", metavar="table", help=f"some of {', '.join(TABLES)}; all by default")
    options.add_argument("--rounds", type=int, help="of each table")
    options.add_argument("--check", action="store_true", help="fail when a target is missed or a run is too noisy")
    options.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    chosen = options.parse_args()
    if unknown := set(chosen.tables) - set(TABLES):
        options.error(f"no such table: {', '.join(sorted(unknown))}. There are {', '.join(TABLES)}.")
    words = [f"--results={chosen.results.resolve()}"]
    words += [f"--rounds={chosen.rounds}"] if chosen.rounds else []
    words += ["--check"] if chosen.check else []
    tables = chosen.tables or TABLES
    failed = [name for name in tables if _status(name, words)]
    written = (name for name in tables if (chosen.results / f"{name}.json").exists())
    gathered = {name: json.loads((chosen.results / f"{name}.json").read_text("utf-8")) for name in written}
    (chosen.results / "all.json").write_text(json.dumps(gathered, indent=1) + "\n", encoding="utf-8")
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _status(name: str, words: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], cwd=_ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
