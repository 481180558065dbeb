"""The schema of the records, and the steps that lead to it: each runs once, under a lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

__all__ = ["LATEST", "MIGRATIONS", "apply_migrations", "records", "schema_version", "versions"]

_LOCK = 0x636F_6E73_656E_7467  # "consentg": PostgreSQL's advisory lock for those who migrate

_metadata = sa.MetaData()
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up only an INTEGER

versions = sa.Table(
    "consentgate_policy_versions",
    _metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("first_used", sa.BigInteger, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)

records = sa.Table(
    "consentgate_records",
    _metadata,
    sa.Column("id", _number, primary_key=True, autoincrement=True),
    sa.Column("receipt_id", sa.String(64), unique=True),  # none for those who refused everything
    sa.Column("time", sa.BigInteger, nullable=False, index=True),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("choices", sa.Text, nullable=False),
    sa.Column("grants", sa.Boolean, nullable=False),
    sa.Column("policy_version", sa.String(64), sa.ForeignKey(versions.c.hash), nullable=False, index=True),
    sa.Column("wording", sa.String(64), nullable=False),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("site", sa.String(253), nullable=False),
    sa.Column("previous", sa.String(64), index=True),
    sa.Column("schema", sa.Integer, nullable=False),
    sqlite_autoincrement=True,  # the number of a deleted row is not given again
)

_schema = sa.Table("consentgate_schema", sa.MetaData(), sa.Column("version", sa.Integer, primary_key=True))


def _create_tables(connection: Connection) -> None:
    _metadata.create_all(connection)


Migration = Callable[[Connection], None]
MIGRATIONS: Sequence[Migration] = (_create_tables,)
"""Append only: a step that has been released is never changed."""

LATEST = len(MIGRATIONS)


def schema_version(connection: Connection) -> int:
    """Return the number of steps a database has seen; 0 when it is empty."""
    if not sa.inspect(connection).has_table(_schema.name):
        return 0
    return int(connection.execute(sa.select(sa.func.max(_schema.c.version))).scalar() or 0)


def apply_migrations(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Run the steps that a database has not seen, in the transaction of the caller.

    Args:
        connection: with a transaction begun; on SQLite it holds the write lock.
        migrations: all steps, oldest first.

    Returns:
        The version before.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    _schema.create(connection, checkfirst=True)
    before = schema_version(connection)
    for number, step in enumerate(migrations[before:], before + 1):
        step(connection)
        connection.execute(sa.insert(_schema).values(version=number))
    return before
