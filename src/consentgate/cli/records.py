"""`consentgate records`: list, show, export, count, prune, erase, and bring the schema up to date."""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from consentgate.cli.store import opened, policy_of, store_options
from consentgate.policy import ConsentPolicy
from consentgate.records import ConsentRecord, PolicyVersion
from consentgate.records.record import SECONDS_A_DAY
from consentgate.report import Rate, summarise

__all__ = ["records"]

Thing = TypeVar("Thing")

_AGE = re.compile(r"([0-9]{1,5})d?")
_PLAIN = ("time", "action", "source", "grants", "site", "language", "receipt_id", "previous")
_HASHES = ("policy_version", "wording", "schema")
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


@click.group()
def records() -> None:
    """Look into the consent log, hand out of it, and delete from it."""


@records.command(name="list")
@store_options
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many.")
def list_records(records: str | None, policy: Path, limit: int) -> None:
    """List the newest records."""
    with opened(records, policy) as store:
        found = list(store.stream(newest=limit))
    if not found:
        _out.print("Nothing is recorded yet.")
        return
    for line in [_HEADINGS, *map(_columns, found)]:
        _out.print(escape("  ".join(cell.ljust(width) for cell, width in zip(line, _WIDTHS, strict=True)).rstrip()))


@records.command()
@click.argument("receipt")
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print the records for machines.")
def show(receipt: str, records: str | None, policy: Path, as_json: bool) -> None:
    """Show everything on record about RECEIPT, what it follows and what withdrew it."""
    with opened(records, policy) as store:
        trail = store.trail(receipt.strip().lower())
    if not trail:
        raise click.ClickException(f"Nothing is on record under the receipt {receipt!r}.")
    if as_json:
        click.echo(json.dumps([_as_json(record) for record in trail], indent=2))
        return
    for record in trail:
        for name, value in {**_as_json(record), "time": _when(record), "choices": _said(record)}.items():
            _out.print(f"{name:>15}  {'yes' if value is True else 'no' if value is False else value or 'none'}")
        _out.print()


@records.command()
@store_options
@click.option("--format", "kind", type=click.Choice(("csv", "jsonl")), default="csv", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file. Default: standard output.")
@click.option("--since", type=click.DateTime(("%Y-%m-%d",)), help="From this day on (UTC).")
@click.option("--until", type=click.DateTime(("%Y-%m-%d",)), help="Before this day (UTC).")
def export(
    records: str | None, policy: Path, kind: str, output: Path | None, since: datetime | None, until: datetime | None
) -> None:
    """Write all records as CSV or as JSON Lines, in flat memory."""
    with opened(records, policy) as store:
        total = store.count()
        versions = store.policy_versions()
        rows = store.stream(since=_second(since) or 0, until=_second(until))
        with _writable(output) as file:
            counted = _watched(rows, "Exporting", total)
            written = _write_csv(counted, file, versions) if kind == "csv" else _write_lines(counted, file)
    _err.print(f"{written:,} records exported{f' to {output}' if output else ''}.")


@records.command()
@store_options
@click.option("--older-than", metavar="DAYS", help="For example 730d. Default: the policy's records_days.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
def prune(records: str | None, policy: Path, older_than: str | None, dry_run: bool) -> None:
    """Delete records that are older than they have to be, and policy versions nobody points at any more."""
    days = _days(older_than) if older_than else policy_of(policy).records_days
    _check_age(days, older_than, policy)
    before = int(time.time()) - days * SECONDS_A_DAY
    with opened(records, policy) as store:
        total = store.count_before(before)
        if not dry_run:
            with _progress("Pruning", total) as advance:
                for deleted in store.prune(before):
                    advance(deleted)
        kept = store.count() - (total if dry_run else 0)
    said = "would be deleted" if dry_run else "deleted"
    _out.print(f"{total:,} records older than {days} days {said}; {kept:,} kept.")


@records.command()
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print the numbers for machines.")
def stats(records: str | None, policy: Path, as_json: bool) -> None:
    """Count answers: in all, by site, by language and by policy version."""
    with opened(records, policy) as store, _err.status("Counting …") as status:
        summary = summarise(store.tally, tell=status.update)
    groups: dict[str, dict[str, Rate]] = {
        "site": summary.sites,
        "language": {tag or "not known": rate for tag, rate in summary.languages.items()},
        "policy version": {hash_[:16]: rate for hash_, rate in summary.versions.items()},
    }
    if as_json:
        numbers = {name: {key: _numbers(rate) for key, rate in group.items()} for name, group in groups.items()}
        click.echo(json.dumps({"all": _numbers(summary.total), **numbers}, indent=2))
        return
    table = Table("", "Answers", "Agreed", "Refused", "Withdrawn", box=None, pad_edge=False)
    for name, rate in [("all", summary.total), *((f"{n}: {k}", r) for n, g in groups.items() for k, r in g.items())]:
        table.add_row(name, f"{rate.answers:,}", f"{rate.share:.1%}", f"{rate.refused:,}", f"{rate.withdrawn:,}")
    _out.print(table)


@records.command()
@click.argument("receipt")
@store_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(receipt: str, records: str | None, policy: Path, yes: bool) -> None:
    """Erase the identity of RECEIPT on request: its ids and exact times go, the anonymous counts stay."""
    with opened(records, policy) as store:
        if not store.trail(receipt.strip().lower()):
            raise click.ClickException(f"Nothing is on record under the receipt {receipt!r}.")
        if not yes:
            click.confirm("This cannot be undone. Erase it?", abort=True, err=True)
        count = store.erase(receipt.strip().lower())
    _out.print(f"{count:,} records are anonymous now.")


@records.command()
@store_options
def migrate(records: str | None, policy: Path) -> None:
    """Create the tables, or bring them up to date. Running it twice does nothing the second time."""
    with opened(records, policy, may_be_new=True) as store:
        before, after = store.migrate()
    _out.print(f"Schema {after}: nothing to do." if before == after else f"Schema {after}, was {before}.")


_HEADINGS = ("Time (UTC)", "Action", "Receipt", "Accepted", "Language", "Site")
_WIDTHS = (19, 10, 24, 24, 9, 0)


def _columns(record: ConsentRecord) -> tuple[str, ...]:
    """Return a record's cells; unlike a table's they are never cut, in a pipe either."""
    accepted = " ".join(category for category, on in sorted(record.choices.items()) if on)
    language = record.language or "not known"
    return _when(record), record.action, record.receipt_id or "none", accepted, language, record.site


def _when(record: ConsentRecord) -> str:
    moment = datetime.fromtimestamp(record.time, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if record.time % SECONDS_A_DAY else "%Y-%m-%d")


def _said(record: ConsentRecord) -> str:
    return " ".join(f"{category}={'yes' if on else 'no'}" for category, on in sorted(record.choices.items()))


_NAMES = tuple(field.name for field in fields(ConsentRecord))


def _as_json(record: ConsentRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _NAMES}  # of millions; asdict would copy each deeply
    values["time"] = datetime.fromtimestamp(record.time, UTC).isoformat().replace("+00:00", "Z")
    return values


def _numbers(rate: Rate) -> dict[str, float]:
    counted = {"answers": rate.answers, "granted": rate.granted, "refused": rate.refused, "withdrawn": rate.withdrawn}
    return counted | {"share": round(rate.share, 4)}


def _write_csv(rows: Iterable[ConsentRecord], file: IO[str], versions: Sequence[PolicyVersion]) -> int:
    """Write one column for each category that any kept policy version has."""
    wordings = (one for version in versions for one in version.parts["wordings"].values())
    categories = dict.fromkeys(category["id"] for wording in wordings for category in wording["categories"])
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*_PLAIN, *categories, *_HASHES])
    count = 0
    for record in rows:
        count += 1
        values = _as_json(record)
        choices = [_yes(record.choices.get(category)) for category in categories]
        grants = {"grants": _yes(record.grants)}
        writer.writerow([*((values | grants)[name] for name in _PLAIN), *choices, *(values[name] for name in _HASHES)])
    return count


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


_line = json.JSONEncoder(separators=(",", ":")).encode


def _write_lines(rows: Iterable[ConsentRecord], file: IO[str]) -> int:
    count = 0
    for record in rows:
        count += 1
        file.write(_line(_as_json(record)) + "\n")
    return count


@contextmanager
def _writable(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8", newline="") as file:
        yield file


def _watched(things: Iterable[Thing], what: str, total: int) -> Iterator[Thing]:
    with _progress(what, total) as advance:
        for count, thing in enumerate(things, 1):
            yield thing
            if count % 5_000 == 0:
                advance(count)
        advance(total)


@contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """Show progress on standard error, in a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda completed: progress.update(task, completed=completed)


def _days(age: str) -> int:
    found = _AGE.fullmatch(age)
    if found is None:
        raise click.BadParameter(f"{age!r} is not a number of days such as 730d.", param_hint="--older-than")
    return int(found[1])


def _check_age(days: int, asked: str | None, file: Path) -> None:
    """Refuse to delete the proof of consents that still hold."""
    if asked is None or not file.is_file():
        return
    policy: ConsentPolicy = policy_of(file)
    if days < policy.acceptance_days:
        raise click.BadParameter(
            f"acceptances hold for {policy.acceptance_days} days: a shorter time would delete the proof of consents "
            "that are in use.",
            param_hint="--older-than",
        )


def _second(day: datetime | None) -> int | None:
    return None if day is None else int(day.replace(tzinfo=UTC).timestamp())
