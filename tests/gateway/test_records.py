"""Acts that could not be recorded at once are not forgotten when the gateway reads its policy again, or ends."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.gateway.behind import raw_site
from tests.gateway.front import POLICY, Front, eventually, gateway

WITH_RECORDS = f'records = "sqlite:///consent.db"\n{POLICY}'


def actions(folder: Path) -> list[str]:
    """Return what has been recorded."""
    with closing(sqlite3.connect(folder / "consent.db", timeout=60)) as database:
        return [action for (action,) in database.execute("SELECT action FROM consentgate_records ORDER BY id")]


@contextmanager
def broken(folder: Path) -> Iterator[None]:
    """Take the table away from the gateway for as long as the block lasts."""
    with closing(sqlite3.connect(folder / "consent.db", timeout=60, isolation_level=None)) as database:
        database.execute("ALTER TABLE consentgate_records RENAME TO elsewhere")
        yield
        database.execute("ALTER TABLE elsewhere RENAME TO consentgate_records")


def withdraw_while_nothing_can_be_written(front: Front, folder: Path) -> None:
    """Grant, and withdraw while the store is broken: a refusal holds all the same."""
    with front.visitor() as visitor:
        granted = visitor.post("/cookies/choice", data={"choice": "accept_all"})
        with broken(folder):
            withdrawn = visitor.post("/cookies/choice", data={"choice": "reject_all"})
    assert (granted.status_code, withdrawn.status_code) == (303, 303)


def test_a_withdrawal_that_waits_for_the_store_outlives_a_reload(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port, policy=WITH_RECORDS) as front:
        withdraw_while_nothing_can_be_written(front, tmp_path)
        front.process.send_signal(signal.SIGHUP)
        eventually(lambda: "The policy was reloaded" in front.said(), front.said)
        before = actions(tmp_path)
        with front.visitor() as somebody_else:
            somebody_else.post("/cookies/choice", data={"choice": "reject_all"})
        eventually(lambda: len(actions(tmp_path)) == 3)

    assert before == ["accept_all"]
    assert sorted(actions(tmp_path)) == ["accept_all", "reject_all", "withdraw"]


def test_reloads_leave_no_connections_to_the_store_behind(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port, policy=WITH_RECORDS) as front, front.visitor() as visitor:
        visitor.post("/cookies/choice", data={"choice": "accept_all"})
        before = open_files(front, "consent.db")
        for number in range(1, 6):
            front.process.send_signal(signal.SIGHUP)
            eventually(lambda: front.said().count("The policy was reloaded") == number, front.said)  # noqa: B023 - at once
            visitor.post("/cookies/choice", data={"choice": "accept_all"})
        after = open_files(front, "consent.db")

    assert 0 < after <= before


def open_files(front: Front, name: str) -> int:
    """Return how many files of a name the workers hold open."""
    links = (link for pid in front.workers() for link in Path(f"/proc/{pid}/fd").iterdir())
    return sum(link.resolve().name.startswith(name) for link in links)


def test_a_withdrawal_that_waits_for_the_store_is_written_before_the_gateway_ends(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port, policy=WITH_RECORDS) as front:
        withdraw_while_nothing_can_be_written(front, tmp_path)
        before = actions(tmp_path)
        front.stop()

    assert before == ["accept_all"]
    assert not (tmp_path / "consent.db-wal").exists()  # all is in the one file
    assert actions(tmp_path) == ["accept_all", "withdraw"]
    assert "were not recorded" not in front.said()


def test_what_is_lost_in_the_end_is_said(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port, policy=WITH_RECORDS) as front:
        withdraw_while_nothing_can_be_written(front, tmp_path)
        with broken(tmp_path):
            front.stop()

    assert "1 withdrawals and refusals were not recorded" in front.said()
