"""Several processes on one log: one SQLite file under four workers, and two machines' worth on one PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

from consentgate.records import open_store
from tests.postgres import Postgres
from tests.records.servers import Load, SiteProcess, receipts_in

ENOUGH = 200  # acceptances
PATIENCE = 60  # seconds
WORKERS = 4


def accept_at(sites: list[SiteProcess]) -> set[str]:
    """Let visitors accept at all sites at once, and return the receipts they got."""
    for site in sites:
        site.start()
    try:
        for site in sites:
            site.wait()
        loads = [Load(site.port) for site in sites for _ in range(2)]
        for load in loads:
            load.start(visitors=3)
        end = monotonic() + PATIENCE
        while sum(len(load.acknowledged) for load in loads) < ENOUGH and monotonic() < end:
            sleep(0.05)
        for load in loads:
            load.stop()
    finally:
        for site in sites:
            site.stop()
    assert [load.others for load in loads if load.others] == []
    assert sum(load.not_taken + load.unanswered for load in loads) == 0
    acknowledged = [cookie for load in loads for cookie in load.acknowledged]
    assert len(acknowledged) >= ENOUGH
    receipts = receipts_in(acknowledged)
    assert len(receipts) == len(acknowledged)
    return receipts


def kept_at(address: str) -> set[str]:
    store = open_store(address)
    try:
        assert len(store.policy_versions()) == 1
        return {record.receipt_id for record in store.stream()}
    finally:
        store.close()


def test_four_workers_share_one_sqlite_file(tmp_path: Path) -> None:
    file = tmp_path / "consent.db"

    receipts = accept_at([SiteProcess(f"sqlite:///{file}", tmp_path / "server.log", workers=WORKERS)])

    assert kept_at(f"sqlite:///{file}") == receipts
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_two_machines_with_several_workers_share_one_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    address = postgres.new_database()
    store = open_store(address)
    store.migrate()
    store.close()

    receipts = accept_at([SiteProcess(address, tmp_path / f"machine-{n}.log", workers=2) for n in (1, 2)])

    assert kept_at(address) == receipts
