"""The store for records: one schema for SQLite and PostgreSQL, through SQLAlchemy Core."""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import IntegrityError

from consentgate.records.migrations import LATEST, apply_migrations, records, schema_version, versions
from consentgate.records.record import (
    SECONDS_A_DAY,
    ConsentRecord,
    PolicyVersion,
    StoreError,
    StoreFullError,
    canonical_json,
    start_of_day,
)

__all__ = ["SqlStore"]

_WAIT_SECONDS = 5  # for a lock, a connection or a statement
_CONNECTIONS = 4  # per process
_AT_ONCE = 5_000  # rows read, or deleted in one transaction
_APPENDS_BETWEEN_COUNTS = 1_000
_LONGEST_TRAIL = 1_000  # acts of one visitor that are followed back


class SqlStore:
    """Keep records in SQLite or PostgreSQL; several processes may share one store.

    Args:
        address: a SQLAlchemy address, `sqlite:///…` or `postgresql+psycopg://…`.
        most_records: how many records it may hold; more are refused, so that nobody can fill the disk.
        now: the clock, in seconds since 1970.
    """

    def __init__(self, address: str, *, most_records: int = 5_000_000, now: Callable[[], float] = time.time) -> None:
        self._url = make_url(address)
        self._most_records = most_records
        self._now = now
        self._lock = Lock()
        self._engine: Engine | None = None
        self._process = 0
        self._is_ready = False
        self._known: set[str] = set()
        self._appends = 0

    def __repr__(self) -> str:
        """Name the store without its password."""
        return f"SqlStore({self._url.render_as_string(hide_password=True)!r})"

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file, on one machine."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path:
        """The database file of SQLite."""
        return Path(self._url.database or "")

    # What the consent log asks for.

    def append(self, record: ConsentRecord, version: PolicyVersion) -> None:
        """Keep a record and the policy version it points at; both are durable when this returns.

        Raises:
            StoreFullError: when `most_records` are kept.
            StoreError: when the schema is not the one this version of consentgate writes.
        """
        engine = self._ready()
        self._check_room(engine)
        try:
            self._insert(engine, [record], version, checks_link=True)
        except IntegrityError:  # the version was pruned meanwhile, for want of records
            self._known.discard(version.hash)
            self._insert(engine, [record], version, checks_link=True)

    def append_all(self, batch: Sequence[ConsentRecord], version: PolicyVersion) -> None:
        """Keep many records in one transaction."""
        self._insert(self._ready(), batch, version)

    def trail(self, receipt_id: str) -> Sequence[ConsentRecord]:
        """Return the record with a receipt id and all that it follows or that follow it, oldest first."""
        with self._reading() as connection:
            rows = _trail(connection, receipt_id)
        return [_record(row) for row in rows]

    def erase(self, receipt_id: str) -> int:
        """Take receipt ids and exact times out of a trail and leave the counts; return how many rows changed."""
        with self._ready().begin() as connection:
            rows = _trail(connection, receipt_id)
            for row in rows:
                connection.execute(
                    sa.update(records)
                    .where(records.c.id == row.id)
                    .values(receipt_id=None, previous=None, time=start_of_day(row.time))
                )
        if rows:
            self._forget_deleted()
        return len(rows)

    def policy_version(self, wording: str) -> PolicyVersion | None:
        """Return the version whose hash, or one of whose wordings' hashes, begins with this."""
        if len(wording) < 8:  # fewer digits name several
            return None
        found = self.policy_versions()
        by_hash = (one for one in found if one.hash.startswith(wording))
        by_wording = (one for one in reversed(found) if one.language_of(wording) is not None)
        return next(by_hash, None) or next(by_wording, None)

    # What the owner asks for.

    def migrate(self) -> tuple[int, int]:
        """Bring the schema up to date; safe to run twice, and by several processes. Return version before and after."""
        with self._connected().begin() as connection:
            before = apply_migrations(connection)
        self._is_ready = True
        return before, max(before, LATEST)

    def policy_versions(self) -> list[PolicyVersion]:
        """Return all versions kept, oldest first, each checked against its hash.

        Raises:
            StoreError: when a content no longer has the hash it is kept under.
        """
        with self._reading() as connection:
            rows = connection.execute(sa.select(versions).order_by(versions.c.first_used, versions.c.hash)).all()
        found = [PolicyVersion(row.content, row.first_used) for row in rows]
        for row, version in zip(rows, found, strict=True):
            if version.hash != row.hash:
                raise StoreError(f"The policy version {row.hash[:16]} has been changed: its content has another hash.")
        return found

    def count(self) -> int:
        """Return how many records are kept."""
        with self._reading() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(records)).scalar_one())

    def stream(self, *, newest: int | None = None, since: int = 0, until: int | None = None) -> Iterator[ConsentRecord]:
        """Yield records in the order they came, in flat memory.

        Args:
            newest: only so many, the newest first.
            since: from this second on.
            until: before this second.
        """
        query = sa.select(records).where(records.c.time >= since)
        if until is not None:
            query = query.where(records.c.time < until)
        query = query.order_by(records.c.id.desc()).limit(newest) if newest else query.order_by(records.c.id)
        with self._reading() as connection:
            yield from map(_record, connection.execution_options(yield_per=_AT_ONCE).execute(query))

    def tally(self, *by: str, since: int = 0) -> Iterator[tuple[tuple[Any, ...], int]]:
        """Count records by some of their fields: `day` (start, in seconds), or a field's own name."""
        day = (records.c.time - records.c.time % SECONDS_A_DAY).label("day")
        columns = [day if name == "day" else records.c[name] for name in by]
        query = (
            sa.select(*columns, sa.func.count()).where(records.c.time >= since).group_by(*columns).order_by(*columns)
        )
        with self._reading() as connection:
            for row in connection.execution_options(yield_per=_AT_ONCE).execute(query):
                yield tuple(row[:-1]), int(row[-1])

    def prune(self, before: int) -> Iterator[int]:
        """Delete records older than a second, yielding how many were deleted so far; then versions nobody points at.

        The newest policy version stays: it is in use.
        """
        deleted = 0
        engine = self._ready()
        oldest = sa.select(records.c.id).where(records.c.time < before).order_by(records.c.id).limit(_AT_ONCE)
        while True:
            with engine.begin() as connection:
                count = connection.execute(sa.delete(records).where(records.c.id.in_(oldest))).rowcount
            if not count:
                break
            deleted += count
            yield deleted
        with engine.begin() as connection:
            used = sa.exists().where(records.c.policy_version == versions.c.hash)
            newest = sa.select(sa.func.max(versions.c.first_used)).scalar_subquery()
            connection.execute(sa.delete(versions).where(~used, versions.c.first_used < newest))
        self._forget_deleted()

    def count_before(self, second: int) -> int:
        """Return how many records are older than a second."""
        with self._reading() as connection:
            query = sa.select(sa.func.count()).select_from(records).where(records.c.time < second)
            return int(connection.execute(query).scalar_one())

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Turn the errors of the database into one line without the statement and its values.

        Raises:
            StoreError: instead of any error of SQLAlchemy's.
        """
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            said = next(iter(str(cause).splitlines()), "") or type(cause).__name__
            raise StoreError(f"{self._url.render_as_string(hide_password=True)}: {said}") from None

    def close(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            self._engine.dispose()

    def _insert(
        self, engine: Engine, batch: Sequence[ConsentRecord], version: PolicyVersion, *, checks_link: bool = False
    ) -> None:
        with engine.begin() as connection:
            if version.hash not in self._known:
                _keep_version(connection, version, int(self._now()))
            linked = [_without_lost_link(connection, record) for record in batch] if checks_link else batch
            connection.execute(sa.insert(records), [_row(record) for record in linked])
        self._known.add(version.hash)

    def _check_room(self, engine: Engine) -> None:
        """Compare the ends of the table now and then: counting millions of rows for each choice would be slow."""
        with self._lock:
            due = self._appends % _APPENDS_BETWEEN_COUNTS == 0
            self._appends += 1
        if not due:
            return
        with engine.connect() as connection:
            ends = connection.execute(sa.select(sa.func.min(records.c.id), sa.func.max(records.c.id))).one()
        if ends[0] is not None and ends[1] - ends[0] + 1 >= self._most_records:
            self._appends = 0  # look again next time: somebody may prune it
            raise StoreFullError("The consent log is full: prune it, or raise records_most.")

    def _ready(self) -> Engine:
        """Return the engine once the schema is known to be right. A new SQLite file is set up by itself."""
        engine = self._connected()
        if self._is_ready:
            return engine
        with engine.connect() as connection:
            version = schema_version(connection)
        if version == 0 and self.is_sqlite:
            self.migrate()
        elif version != LATEST:
            raise StoreError(
                f"The consent log has schema {version}, and {LATEST} is needed: run `consentgate records migrate`."
                if version < LATEST
                else f"The consent log has schema {version}, newer than {LATEST}: update consentgate."
            )
        self._is_ready = True
        return engine

    def _connected(self) -> Engine:
        """Return this process's engine: a connection must not cross a fork."""
        with self._lock:
            if self._engine is None or self._process != os.getpid():
                self._engine, self._process = self._make_engine(), os.getpid()
                weakref.finalize(self, self._engine.dispose)
            return self._engine

    def _make_engine(self) -> Engine:
        if self.is_sqlite:
            engine = sa.create_engine(
                self._url, pool_size=_CONNECTIONS, max_overflow=0, connect_args={"timeout": _WAIT_SECONDS}
            )
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_immediately)
            return engine
        return sa.create_engine(
            self._url,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=_WAIT_SECONDS,
            pool_pre_ping=True,  # a database that was restarted is found again
            connect_args={
                "connect_timeout": _WAIT_SECONDS,
                "options": f"-c statement_timeout={_WAIT_SECONDS * 1000}",
                "application_name": "consentgate",
            },
        )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._ready().connect() as connection:
            connection = connection.execution_options(consentgate_reads=True)
            if not self.is_sqlite:
                connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # an export may take its time
            yield connection

    def _forget_deleted(self) -> None:
        """Write what was overwritten into the database file and empty the write-ahead log.

        While somebody reads it that cannot be done, and is left to the next time: a visitor does not wait for it.
        """
        if not self.is_sqlite:
            return
        raw = self._connected().raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("PRAGMA busy_timeout = 0")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000}")
        finally:
            raw.close()


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    cursor = connection.cursor()
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut, not only a killed process
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only marked as free
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Switch to write-ahead logging; workers that start together may each find the file locked for a moment."""
    for attempt in range(50):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except Exception:  # sqlite3's own, which the pool has not wrapped yet
            if attempt == 49:
                raise
            time.sleep(0.1)
        else:
            return


def _begin_immediately(connection: Connection) -> None:
    """Take SQLite's write lock at the start: taking it in the middle of a transaction fails under load."""
    reads = connection.get_execution_options().get("consentgate_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _keep_version(connection: Connection, version: PolicyVersion, now: int) -> None:
    kept = connection.execute(sa.select(versions.c.hash).where(versions.c.hash == version.hash)).first()
    if kept:
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(versions).values(hash=version.hash, first_used=now, content=version.content))
    except IntegrityError:  # another process was faster
        return


def _trail(connection: Connection, receipt_id: str) -> list[Any]:
    """Follow a receipt both ways: what it follows, and what followed or withdrew it."""
    found: dict[int, Any] = {}
    wanted = {receipt_id} if receipt_id else set()
    seen: set[str] = set()
    while wanted and len(found) < _LONGEST_TRAIL:
        seen |= wanted
        linked = sa.or_(records.c.receipt_id.in_(wanted), records.c.previous.in_(wanted))
        rows = connection.execute(sa.select(records).where(linked)).all()
        found |= {row.id: row for row in rows}
        wanted = {one for row in rows for one in (row.receipt_id, row.previous) if one} - seen
    return [found[id_] for id_ in sorted(found)]


def _without_lost_link(connection: Connection, record: ConsentRecord) -> ConsentRecord:
    """Leave out a link to what was erased or pruned, which a cookie kept from before would bring back.

    An act that then has no identity at all keeps its day only, as a refusal does.
    """
    if not record.previous:
        return record
    is_kept = sa.select(records.c.id).where(records.c.receipt_id == record.previous).limit(1)
    if connection.execute(is_kept).first():
        return record
    return replace(record, previous="", time=record.time if record.receipt_id else start_of_day(record.time))


def _row(record: ConsentRecord) -> Mapping[str, object]:
    return {
        "receipt_id": record.receipt_id or None,
        "time": record.time,
        "action": record.action,
        "source": record.source,
        "choices": canonical_json(dict(record.choices)),
        "grants": record.grants,
        "policy_version": record.policy_version,
        "wording": record.wording,
        "language": record.language,
        "site": record.site,
        "previous": record.previous or None,
        "schema": record.schema,
    }


def _record(row: Any) -> ConsentRecord:
    return ConsentRecord(
        receipt_id=row.receipt_id or "",
        time=row.time,
        action=row.action,
        source=row.source,
        choices=json.loads(row.choices),
        grants=row.grants,
        policy_version=row.policy_version,
        wording=row.wording,
        language=row.language,
        site=row.site,
        previous=row.previous or "",
        schema=row.schema,
    )
