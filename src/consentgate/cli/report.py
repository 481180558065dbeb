"""`consentgate report`: one page to print or to hand on."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from consentgate.cli.store import opened, policy_of, store_options
from consentgate.report import report_page, summarise

__all__ = ["report"]

_err = Console(stderr=True, highlight=False, soft_wrap=True)


@click.command()
@store_options
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@click.option("--since", type=click.DateTime(("%Y-%m-%d",)), help="From this day on (UTC).")
def report(records: str | None, policy: Path, output: Path, since: datetime | None) -> None:
    """Write a page with plots: answers per day; how many agree, by site, language and policy version."""
    who = policy_of(policy)
    start = int(since.replace(tzinfo=UTC).timestamp()) if since else 0
    with opened(records, policy) as store, _err.status("Counting …") as status:
        summary = summarise(store.tally, since=start, tell=status.update)
        versions = store.policy_versions()
    output.write_text(report_page(summary, versions, who, now=time.time()), encoding="utf-8")
    _err.print(f"Wrote {escape(str(output))}: {summary.total.answers:,} answers.")
