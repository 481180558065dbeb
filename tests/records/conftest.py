"""Stores to test: SQLite always, PostgreSQL where it is installed; in CI it has to be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from consentgate.records import ConsentRecord, PolicyVersion, new_receipt_id
from consentgate.records.sql import SqlStore
from tests.conftest import NOW, make_client, page
from tests.needs import leave_out
from tests.postgres import REMEDY, Postgres, find_postgres

Open = Callable[..., SqlStore]
VERSION = PolicyVersion('{"wordings":{"en":{"hash":"0123456789abcdef","notice":{}}}}')


def make_record(**changes: object) -> ConsentRecord:
    """Return the record of somebody who accepted analytics, or one that differs from it."""
    values: dict[str, object] = {
        "receipt_id": new_receipt_id(),
        "time": NOW,
        "action": "save",
        "source": "page",
        "choices": {"analytics": True, "essential": True, "marketing": False},
        "grants": True,
        "policy_version": VERSION.hash,
        "wording": "0123456789abcdef",
        "language": "en",
        "site": "luton.example",
        **changes,
    }
    return ConsentRecord(**values)  # type: ignore[arg-type]  # changes are each test's own


def make_refusal(**changes: object) -> ConsentRecord:
    """Return the record of somebody who refused everything."""
    choices = {"analytics": False, "essential": True, "marketing": False}
    return make_record(**{"receipt_id": "", "action": "reject_all", "choices": choices, "grants": False, **changes})


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start PostgreSQL; without one, skip here and fail in CI."""
    programs = find_postgres()
    if programs is None:
        leave_out(f"No PostgreSQL: {REMEDY}.")
    server = Postgres(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def open_again(address: str) -> Iterator[Open]:
    """Open the same database as another process would."""
    opened: list[SqlStore] = []

    def open_one(**settings: Any) -> SqlStore:
        opened.append(SqlStore(address, **settings))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: Open) -> SqlStore:
    """Return a store with the newest schema."""
    store = open_again()
    store.migrate()
    return store


@pytest.fixture
async def visitor(store: SqlStore) -> AsyncIterator[httpx.AsyncClient]:
    """Return a visitor of a site that keeps records in the test module's store."""
    async with make_client(page(), records=store) as client:
        yield client
