"""Measure the consent log with a million records: `python -m benchmarks.records [--rows N]`.

Insert rate, export and report time and their peak memory, on SQLite and on a PostgreSQL started for it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, time

from consentgate import ConsentPolicy, load_policy
from consentgate.records import ConsentRecord, new_receipt_id
from consentgate.records.record import start_of_day
from consentgate.records.sql import SqlStore
from consentgate.rendering import Rendering
from tests.postgres import Postgres, find_postgres

POLICY = Path(__file__).parents[1] / "examples" / "step_forward_luton" / "consentgate.toml"
LANGUAGES = ("en", "ro", "pl", "ur", "bn", "pa")
DAYS = 700
AT_ONCE = 1_000
SINGLE = 2_000  # acts written one by one, each durable before the next
"""Rows, days: what a town's three sites may collect in two years."""


def make_records(policy: ConsentPolicy, count: int) -> Iterator[ConsentRecord]:
    """Yield records as visitors would leave them: 40 % accept, 2 % withdraw later."""
    chance = random.Random(27560)  # noqa: S311 - a benchmark's data, the same each time
    rendering = Rendering(policy)
    version, wording = rendering.policy_version.hash, rendering.policy_version.parts["wordings"]["en"]["hash"]
    first = int(time()) - DAYS * 86_400
    for number in range(count):
        grants = chance.random() < 0.4
        second = first + number * DAYS * 86_400 // count
        withdraws = not grants and chance.random() < 0.02
        yield ConsentRecord(
            receipt_id=new_receipt_id() if grants else "",
            time=second if grants or withdraws else start_of_day(second),
            action="accept_all" if grants else "withdraw" if withdraws else "reject_all",
            source="banner",
            choices={"essential": True, "preferences": grants, "analytics": grants},
            grants=grants,
            policy_version=version,
            wording=wording,
            language=chance.choice(LANGUAGES),
            site=chance.choice(policy.hosts),
            previous=new_receipt_id() if withdraws else "",
        )


def chunks(records: Iterator[ConsentRecord], size: int) -> Iterator[list[ConsentRecord]]:
    chunk: list[ConsentRecord] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def measure(address: str, rows: int, folder: Path) -> dict[str, float]:
    """Fill one store and run the owner's commands on it, each in a process of its own."""
    policy = load_policy(POLICY)
    version = Rendering(policy).policy_version
    store = SqlStore(address, most_records=2 * rows)
    store.migrate()

    begin = perf_counter()
    for record in make_records(policy, SINGLE):
        store.append(record, version)
    figures = {"single_per_second": SINGLE / (perf_counter() - begin)}

    begin = perf_counter()
    for chunk in chunks(make_records(policy, rows - SINGLE), AT_ONCE):
        store.append_all(chunk, version)
    figures["bulk_per_second"] = (rows - SINGLE) / (perf_counter() - begin)
    assert store.count() == rows
    store.close()

    common = ("--records", address, "--policy", str(POLICY))
    for name, *command in (
        ("list", "records", "list"),
        ("export_jsonl", "records", "export", "--format", "jsonl", "--output", str(folder / "x.jsonl")),
        ("export_csv", "records", "export", "--format", "csv", "--output", str(folder / "x.csv")),
        ("report", "report", "--output", str(folder / "report.html")),
        ("prune", "records", "prune", "--older-than", "350d"),
    ):
        seconds, megabytes = run([*command, *common])
        figures |= {f"{name}_seconds": seconds, f"{name}_peak_mb": megabytes}
    with (folder / "x.jsonl").open("rb") as file:
        assert sum(1 for _ in file) == rows
    kept = SqlStore(address).count()
    assert 0.49 * rows < kept < 0.51 * rows
    return figures


def run(arguments: list[str]) -> tuple[float, float]:
    """Run one command; return its seconds and its peak memory in MB."""
    code = (
        "import resource, sys; from consentgate.cli.commands import consentgate; "
        "consentgate(sys.argv[1:], standalone_mode=False); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    begin = perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return perf_counter() - begin, int(done.stderr.split()[-1]) / 1024


def main(arguments: list[str]) -> int:
    """Measure both stores and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="consentgate-benchmark-"))
    figures: dict[str, object] = {"rows": options.rows, "processors": os.cpu_count(), "load": os.getloadavg()}
    try:
        file = folder / "consent.db"
        figures["sqlite"] = measure(f"sqlite:///{file}", options.rows, folder)
        figures["sqlite_file_mb"] = file.stat().st_size / 1e6
        if programs := find_postgres():
            server = Postgres(programs)
            try:
                server.start()
                figures["postgresql"] = measure(server.new_database(), options.rows, folder)
            finally:
                server.stop()
    finally:
        shutil.rmtree(folder)
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
