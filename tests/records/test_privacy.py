"""Nothing of who a visitor is reaches the disk: every byte of every file is searched for it."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from consentgate.records import open_store
from tests.conftest import KEY, make_policy, make_site
from tests.journeys.server import serve
from tests.postgres import Postgres

VISITOR_ADDRESS = "127.77.13.9"  # all of 127.0.0.0/8 is this computer
BROWSER = "Mosaic-of-a-test/9.87"
QUERY = "patient=nightingale"
FORWARDED_FOR = "203.0.113.77"
IDENTIFYING = (VISITOR_ADDRESS, BROWSER, QUERY, "nightingale", FORWARDED_FOR, KEY)


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Write everything that any logger of the server says, at any level, into a file."""
    handler = logging.FileHandler(tmp_path / "site.log")
    handler.addFilter(lambda said: not said.name.startswith(("httpx", "httpcore")))  # the test's own client
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield tmp_path / "site.log"
    root.removeHandler(handler)
    root.setLevel(before)
    handler.close()


def behave_like_a_visitor(port: int) -> list[str]:
    """Accept, save, withdraw, refuse, send nonsense, read the receipt and have it erased; return the cookies."""
    transport = httpx.HTTPTransport(local_address=VISITOR_ADDRESS)
    headers = {"user-agent": BROWSER, "x-forwarded-for": FORWARDED_FOR, "referer": f"http://127.0.0.1/x?{QUERY}"}
    cookies = []
    with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", headers=headers) as visitor:
        for form in (
            {"choice": "accept_all"},
            {"analytics": "yes", "marketing": "no"},
            {"choice": "reject_all"},
            {"choice": "perhaps", QUERY: QUERY},
            {"choice": "reject_all", "source": QUERY, "wording": QUERY},
            {"choice": "accept_all", "source": "banner"},
        ):
            visitor.get(f"/news?{QUERY}")
            visitor.post(f"/cookies/choice?{QUERY}", data={"back": f"/news?{QUERY}", **form})
            visitor.get(f"/cookies/receipt.json?{QUERY}")
            cookies.append(visitor.cookies.get("consentgate") or "")
        visitor.post(f"/cookies/erase?{QUERY}")
    return cookies


def serve_a_visitor(address: str) -> list[str]:
    def make_app(port: int) -> ASGIApp:
        return make_site(Starlette(), make_policy(secure=False), records=address)

    with serve(make_app) as port:
        return behave_like_a_visitor(port)


def found_in(files: list[Path], words: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(file.name, word) for file in files for word in words if word.encode() in file.read_bytes()]


def test_no_byte_of_sqlite_or_of_the_log_identifies_a_visitor(tmp_path: Path, log_file: Path) -> None:
    address = f"sqlite:///{tmp_path / 'consent.db'}"
    keeper = open_store(address)
    keeper.migrate()
    with closing(sqlite3.connect(tmp_path / "consent.db")) as reader:  # while somebody reads, the log stays
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM consentgate_records").fetchone()
        cookies = serve_a_visitor(address)
        files = [path for path in tmp_path.iterdir() if path.is_file()]

        assert {path.name for path in files} >= {"consent.db", "consent.db-wal", "site.log"}
        assert found_in(files, (*IDENTIFYING, *filter(None, cookies))) == []
    assert keeper.count() == 5
    keeper.close()


def test_no_byte_of_postgresql_or_of_its_log_identifies_a_visitor(
    postgres: Postgres, tmp_path: Path, log_file: Path
) -> None:
    address = postgres.new_database(logged=True)
    store = open_store(address)
    store.migrate()

    cookies = serve_a_visitor(address)

    assert store.count() == 5
    store.close()
    files = [path for path in postgres.files if path.suffix != ".conf"] + [log_file]  # pg_hba.conf names loopback
    assert b"INSERT INTO consentgate_records" in postgres.log.read_bytes()
    assert found_in(files, (*IDENTIFYING, *filter(None, cookies))) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "leak"
    file.write_bytes(os.urandom(100) + BROWSER.encode() + os.urandom(100))

    assert found_in([file], IDENTIFYING) == [("leak", BROWSER)]
