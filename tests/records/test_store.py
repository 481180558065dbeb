"""A store keeps what it was given, leads from a hash to the words, and forgets what it is told to forget."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from consentgate.records import PolicyVersion, RecordStore, StoreError, StoreFullError, open_store
from consentgate.records.migrations import LATEST, MIGRATIONS, apply_migrations, schema_version
from consentgate.records.sql import SqlStore
from tests.conftest import A_DAY, NOW
from tests.postgres import Postgres
from tests.records.conftest import VERSION, Open, make_record, make_refusal

pytestmark = pytest.mark.filterwarnings("error")
OTHER = PolicyVersion('{"wordings":{"en":{"hash":"fedcba9876543210","notice":{}}}}')


def test_it_is_a_store_as_the_log_asks_for(store: SqlStore) -> None:
    assert isinstance(store, RecordStore)


def test_a_record_comes_back_as_it_was_given(store: SqlStore, open_again: Open) -> None:
    record = make_record()

    store.append(record, VERSION)

    assert open_again().trail(record.receipt_id) == [record]
    assert list(open_again().stream()) == [record]


def test_a_refusal_has_no_receipt_and_is_counted(store: SqlStore) -> None:
    store.append(make_refusal(), VERSION)
    store.append(make_refusal(), VERSION)

    assert store.count() == 2
    assert store.trail("") == []


def test_a_withdrawal_is_appended_and_leads_to_what_it_withdraws(store: SqlStore) -> None:
    first = make_record()
    second = make_record(previous=first.receipt_id)
    withdrawal = make_refusal(action="withdraw", previous=second.receipt_id, time=NOW + 60)

    for record in (first, second, withdrawal):
        store.append(record, VERSION)

    assert store.trail(second.receipt_id) == [first, second, withdrawal]
    assert store.trail(first.receipt_id) == [first, second, withdrawal]


def test_another_visitors_records_are_no_part_of_a_trail(store: SqlStore) -> None:
    mine, other = make_record(), make_record()

    store.append(mine, VERSION)
    store.append(other, VERSION)

    assert store.trail(mine.receipt_id) == [mine]


def test_a_hash_leads_to_the_words(store: SqlStore) -> None:
    record = make_record()

    store.append(record, VERSION)
    store.append(make_record(policy_version=OTHER.hash), OTHER)

    for hash_ in (record.policy_version, record.policy_version[:8], record.wording):
        found = store.policy_version(hash_)
        assert found is not None
        assert found.content == VERSION.content


@pytest.mark.parametrize("hash_", ["", VERSION.hash[:7], "0" * 64])
def test_a_hash_that_names_nothing_leads_nowhere(store: SqlStore, hash_: str) -> None:
    store.append(make_record(), VERSION)

    assert store.policy_version(hash_) is None


def test_a_version_keeps_the_time_it_was_first_used(open_again: Open) -> None:
    open_again().migrate()

    open_again(now=lambda: NOW).append(make_record(), VERSION)
    open_again(now=lambda: NOW + 60).append(make_record(), VERSION)

    assert [version.first_used for version in open_again().policy_versions()] == [NOW]


def test_a_version_that_somebody_changed_is_found_out(store: SqlStore, address: str) -> None:
    store.append(make_record(), VERSION)
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE consentgate_policy_versions SET content = '{}'"))
    engine.dispose()

    with pytest.raises(StoreError, match="has been changed"):
        store.policy_versions()


def test_erasing_takes_the_identity_and_leaves_the_count(store: SqlStore) -> None:
    first = make_record()
    withdrawal = make_refusal(action="withdraw", previous=first.receipt_id, time=NOW + 60)
    other = make_record()
    for record in (first, withdrawal, other):
        store.append(record, VERSION)

    assert store.erase(first.receipt_id) == 2

    day = NOW - NOW % A_DAY
    kept = list(store.stream())
    assert kept == [
        replace(first, receipt_id="", time=day),
        replace(withdrawal, previous="", time=day),
        other,
    ]
    assert store.erase(first.receipt_id) == 0


def test_an_erased_id_is_not_kept_again_with_what_an_old_cookie_brings(store: SqlStore) -> None:
    first = make_record()
    store.append(first, VERSION)
    store.erase(first.receipt_id)
    withdrawal = make_refusal(action="withdraw", previous=first.receipt_id, time=NOW + 60)
    again = replace(make_record(), previous=first.receipt_id)

    store.append(withdrawal, VERSION)
    store.append(again, VERSION)

    _, *kept = store.stream()
    assert kept == [replace(withdrawal, previous="", time=NOW - NOW % A_DAY), replace(again, previous="")]
    assert store.trail(first.receipt_id) == []


def test_a_link_to_what_is_kept_is_kept(store: SqlStore) -> None:
    first = make_record()
    withdrawal = make_refusal(action="withdraw", previous=first.receipt_id, time=NOW + 60)

    for record in (first, withdrawal):
        store.append(record, VERSION)

    assert list(store.stream()) == [first, withdrawal]


def test_pruning_deletes_what_is_older_and_nothing_else(store: SqlStore) -> None:
    old = [make_record(time=NOW - day * A_DAY, policy_version=OTHER.hash) for day in (10, 20, 30)]
    young = make_record()
    store.append_all(old, OTHER)
    store.append(young, VERSION)

    assert list(store.prune(NOW - 5 * A_DAY)) == [3]

    assert list(store.stream()) == [young]


def test_pruning_keeps_a_version_as_long_as_a_record_points_at_it(open_again: Open) -> None:
    times = iter([NOW - 30 * A_DAY, NOW])
    store = open_again(now=lambda: next(times))
    store.migrate()
    store.append_all([make_record(time=NOW - day * A_DAY, policy_version=OTHER.hash) for day in (3, 30)], OTHER)
    store.append(make_record(), VERSION)

    list(store.prune(NOW - 20 * A_DAY))
    assert [version.hash for version in store.policy_versions()] == [OTHER.hash, VERSION.hash]

    list(store.prune(NOW - 2 * A_DAY))
    assert [version.hash for version in store.policy_versions()] == [VERSION.hash]


def test_a_version_that_was_pruned_is_kept_again_when_it_is_needed(open_again: Open) -> None:
    times = iter([NOW - 30 * A_DAY, NOW, NOW])
    store = open_again(now=lambda: next(times))
    store.migrate()
    store.append(make_record(time=NOW - 30 * A_DAY, policy_version=OTHER.hash), OTHER)
    store.append(make_record(), VERSION)
    list(store.prune(NOW - A_DAY))

    store.append(make_record(policy_version=OTHER.hash), OTHER)

    assert store.count() == 2


def test_it_counts_by_day_and_by_any_field(store: SqlStore) -> None:
    store.append_all([make_record(), make_record(), make_refusal(site="place"), make_record(time=NOW + A_DAY)], VERSION)

    day = NOW - NOW % A_DAY
    assert list(store.tally("day")) == [((day,), 3), ((day + A_DAY,), 1)]
    assert list(store.tally("site", "grants")) == [(("luton.example", True), 3), (("place", False), 1)]
    assert list(store.tally("day", since=NOW + A_DAY)) == [((day + A_DAY,), 1)]


def test_it_lists_the_newest_first_or_all_in_order(store: SqlStore) -> None:
    made = [make_record(time=NOW + minute * 60) for minute in range(3)]
    store.append_all(made, VERSION)

    assert list(store.stream(newest=2)) == [made[2], made[1]]
    assert list(store.stream(since=NOW + 60, until=NOW + 120)) == [made[1]]


def test_a_full_store_takes_no_more(open_again: Open) -> None:
    store = open_again(most_records=2)
    store.migrate()
    store.append_all([make_record(), make_record()], VERSION)

    with pytest.raises(StoreFullError, match="prune it"):
        store.append(make_record(), VERSION)

    assert store.count() == 2


def test_two_records_never_share_a_receipt(store: SqlStore) -> None:
    record = make_record()
    store.append(record, VERSION)

    with pytest.raises(sa.exc.IntegrityError):
        store.append(record, VERSION)

    assert store.count() == 1


# The schema


def test_migrating_twice_changes_nothing(store: SqlStore) -> None:
    store.append(make_record(), VERSION)

    assert store.migrate() == (LATEST, LATEST)
    assert store.count() == 1


def test_several_processes_may_migrate_at_once(open_again: Open) -> None:
    stores = [open_again() for _ in range(4)]
    found: list[tuple[int, int]] = []
    threads = [threading.Thread(target=lambda one=one: found.append(one.migrate())) for one in stores]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [(0, LATEST), *[(LATEST, LATEST)] * 3]


def test_only_the_steps_that_are_missing_are_run(store: SqlStore, address: str) -> None:
    def add_column(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE consentgate_records ADD COLUMN more INTEGER"))

    store.append(make_record(), VERSION)
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        assert apply_migrations(connection, [*MIGRATIONS, add_column]) == LATEST
    with engine.begin() as connection:
        assert apply_migrations(connection, [*MIGRATIONS, add_column]) == LATEST + 1
        assert schema_version(connection) == LATEST + 1
    engine.dispose()


def test_a_schema_of_a_newer_consentgate_is_left_alone(store: SqlStore, address: str, open_again: Open) -> None:
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO consentgate_schema VALUES (:next)"), {"next": LATEST + 1})
    engine.dispose()

    with pytest.raises(StoreError, match="newer than"):
        open_again().append(make_record(), VERSION)


def test_a_new_sqlite_file_needs_no_command(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'new.db'}")

    store.append(make_record(), VERSION)

    assert store.count() == 1
    store.close()


def test_a_new_postgresql_database_waits_for_the_command(postgres: Postgres) -> None:
    store = open_store(postgres.new_database())

    with pytest.raises(StoreError, match="consentgate records migrate"):
        store.append(make_record(), VERSION)
    store.migrate()
    store.append(make_record(), VERSION)

    assert store.count() == 1
    store.close()


# What is left on the disk


def test_what_is_erased_or_pruned_is_in_no_byte_of_the_files(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'consent.db'}")
    erased, pruned, kept = make_record(), make_record(time=NOW - 30 * A_DAY), make_record()
    for record in (erased, pruned, kept):
        store.append(record, VERSION)
    assert erased.receipt_id.encode() in bytes_in(tmp_path)

    store.erase(erased.receipt_id)
    list(store.prune(NOW - A_DAY))

    assert erased.receipt_id.encode() not in bytes_in(tmp_path)
    assert pruned.receipt_id.encode() not in bytes_in(tmp_path)
    assert kept.receipt_id.encode() in bytes_in(tmp_path)
    store.close()


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
