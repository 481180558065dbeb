"""What was acknowledged is there: servers and databases are killed with SIGKILL while visitors accept."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from consentgate.records import open_store
from tests.postgres import Postgres
from tests.records.servers import Load, SiteProcess, receipts_in

KILLS = int(os.environ.get("CONSENTGATE_KILLS", "50"))
SERVERS = 3
VISITORS = 2  # at once, for each server
SECONDS_A_KILL = 120


@dataclass
class Tally:
    """What happened: counted, so that the test cannot claim more than it did."""

    kills: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    lost: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills under load, {self.acknowledged} grants acknowledged, {self.unanswered} unanswered, "
            f"{self.lost} acknowledged grants lost"
        )


@contextmanager
def sites_under_load(address: str, folder: Path) -> Iterator[list[tuple[SiteProcess, Load]]]:
    sites = [SiteProcess(address, folder / f"server-{number}.log") for number in range(SERVERS)]
    pairs = [(site, Load(site.port)) for site in sites]
    try:
        for site in sites:
            site.start()
        for site in sites:
            site.wait()
        for _, load in pairs:
            load.start(VISITORS)
        yield pairs
    finally:
        for _, load in pairs:
            load.stop()
        for site in sites:
            site.stop()


def wait_for(happened: Callable[[], bool]) -> None:
    end = monotonic() + SECONDS_A_KILL
    while not happened():
        assert monotonic() < end, "nothing is acknowledged any more"
        sleep(0.002)


def work_is_done(load: Load) -> Callable[[], bool]:
    """Wait for a few acknowledgements from now on, and then for a request that is under way."""
    before = len(load.acknowledged)
    return lambda: len(load.acknowledged) >= before + 3 and load.in_flight > 0


def settle(tally: Tally, address: str, pairs: list[tuple[SiteProcess, Load]]) -> None:
    loads = [load for _, load in pairs]
    acknowledged = receipts_in([cookie for load in loads for cookie in load.acknowledged])
    store = open_store(address)
    kept = {record.receipt_id for record in store.stream()}
    store.close()
    tally.acknowledged = len(acknowledged)
    tally.unanswered = sum(load.unanswered for load in loads)
    tally.lost = len(acknowledged - kept)
    print(tally)
    assert [status for load in loads for status in load.others] == []


def test_killed_servers_lose_no_grant_that_sqlite_acknowledged(tmp_path: Path) -> None:
    file, tally = tmp_path / "consent.db", Tally()
    address = f"sqlite:///{file}"

    with sites_under_load(address, tmp_path) as pairs:
        while tally.kills < KILLS:
            site, load = pairs[tally.kills % SERVERS]
            wait_for(work_is_done(load))
            site.kill()
            tally.kills += 1
            site.start()

    settle(tally, address, pairs)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert (tally.kills, tally.lost) == (KILLS, 0)
    assert tally.acknowledged >= 3 * KILLS
    assert tally.unanswered >= KILLS / 2  # the kills did hit somebody


def test_a_killed_database_and_killed_servers_lose_no_grant_that_postgresql_acknowledged(
    postgres: Postgres, tmp_path: Path
) -> None:
    address, tally = postgres.new_database(), Tally()
    store = open_store(address)
    store.migrate()
    store.close()

    with sites_under_load(address, tmp_path) as pairs:
        while tally.kills < KILLS:
            site, load = pairs[tally.kills % SERVERS]
            wait_for(work_is_done(load))
            postgres.kill()
            tally.kills += 1
            postgres.start()
            if tally.kills % 5 == 0:  # a server now and then, too
                site.kill()
                site.start()

    settle(tally, address, pairs)
    assert postgres.is_sound(address)
    assert (tally.kills, tally.lost) == (KILLS, 0)
    assert tally.acknowledged >= 3 * KILLS
    assert sum(load.not_taken for _, load in pairs) > 0  # the kills did hit somebody
