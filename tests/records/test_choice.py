"""What a choice leaves behind: a record, a receipt for who agreed, nothing that tells one refuser from another."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from consentgate import ConfigurationError
from consentgate.records import ConsentLog, ConsentRecord, NotRecordedError, PolicyVersion, open_store
from consentgate.records.sql import SqlStore
from tests.conftest import A_DAY, NOW, make_client, make_policy, make_site, page
from tests.records.conftest import VERSION, make_record, make_refusal

pytestmark = pytest.mark.anyio
JSON = {"accept": "application/json"}
COOKIE = "__Host-consentgate"
RECEIPT_ID = re.compile(r"[a-z2-7]{24}")


@dataclass
class Memory:
    """A store that somebody wrote for himself: any object with these methods will do."""

    records: list[ConsentRecord] = field(default_factory=list)
    versions: dict[str, PolicyVersion] = field(default_factory=dict)

    def append(self, record: ConsentRecord, version: PolicyVersion) -> None:
        self.versions[version.hash] = version
        self.records.append(record)

    def trail(self, receipt_id: str) -> Sequence[ConsentRecord]:
        return [record for record in self.records if receipt_id in (record.receipt_id, record.previous)]

    def erase(self, receipt_id: str) -> int:
        gone = list(self.trail(receipt_id))
        self.records = [record for record in self.records if record not in gone]
        return len(gone)

    def policy_version(self, wording: str) -> PolicyVersion | None:
        return next((one for one in self.versions.values() if one.language_of(wording)), None)


class Broken(Memory):
    """A store whose database is down."""

    def append(self, record: ConsentRecord, version: PolicyVersion) -> None:
        raise ConnectionError(f"no route to the database of {record}")

    trail = erase = policy_version = append  # type: ignore[assignment]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(f"sqlite:///{tmp_path / 'consent.db'}")
    yield store
    store.close()


async def choose(client: httpx.AsyncClient, choice: str = "save", **fields: str) -> httpx.Response:
    """Answer as the banner's form does, with the wording that is shown."""
    shown = re.search(r'name="wording" value="(\w+)"', (await client.get("/cookies")).text)
    assert shown is not None
    data = {"choice": choice, "wording": shown[1], "source": "banner", "back": "/", **fields}
    return await client.post("/cookies/choice", data=data)


# What is recorded


async def test_accepting_is_recorded_with_all_that_proves_it(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    answer = await choose(visitor, "accept_all")

    assert answer.status_code == 303
    (record,) = store.stream()
    assert RECEIPT_ID.fullmatch(record.receipt_id)
    assert record == make_record(
        receipt_id=record.receipt_id,
        action="accept_all",
        source="banner",
        choices={"analytics": True, "essential": True, "marketing": True},
        policy_version=record.policy_version,
        wording=record.wording,
        site="Luton",
    )


async def test_the_hashes_of_a_record_lead_to_the_words_that_were_shown(
    visitor: httpx.AsyncClient, store: SqlStore
) -> None:
    await choose(visitor, "accept_all")

    (record,) = store.stream()
    version = store.policy_version(record.policy_version)
    assert version is not None
    assert version.language_of(record.wording) == record.language == "en"
    wording = version.parts["wordings"]["en"]
    assert "Accept all cookies" in wording["banner"]
    assert record.wording[:16] in wording["banner"]
    assert [category["title"] for category in wording["categories"]][1:] == ["Analytics cookies", "Marketing cookies"]


async def test_an_answer_without_a_wording_is_recorded_as_such(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    await visitor.post("/cookies/choice", data={"choice": "accept_all"})

    (record,) = store.stream()
    assert (record.wording, record.language, record.source) == ("", "", "")
    assert store.policy_version(record.policy_version) is not None


async def test_refusing_is_counted_by_day_and_names_nobody(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    await choose(visitor, "reject_all")

    (record,) = store.stream()
    assert record == make_refusal(
        source="banner",
        time=NOW - NOW % A_DAY,
        policy_version=record.policy_version,
        wording=record.wording,
        site="Luton",
    )


async def test_two_refusers_have_the_same_cookie(store: SqlStore) -> None:
    cookies = []
    for _ in range(2):
        async with make_client(page(), records=store) as client:
            await choose(client, "reject_all")
            cookies.append(client.cookies[COOKIE])

    assert cookies[0] == cookies[1]


async def test_two_who_accept_have_each_their_own_receipt(store: SqlStore) -> None:
    for _ in range(2):
        async with make_client(page(), records=store) as client:
            await choose(client, "accept_all")

    first, second = store.stream()
    assert first.receipt_id != second.receipt_id


async def test_without_a_log_no_id_is_in_any_cookie() -> None:
    cookies = []
    for _ in range(2):
        async with make_client(page()) as client:
            await choose(client, "accept_all")
            cookies.append(client.cookies[COOKIE])

    assert cookies[0] == cookies[1]


async def test_withdrawing_is_appended_and_leads_to_what_it_withdraws(
    visitor: httpx.AsyncClient, store: SqlStore
) -> None:
    await choose(visitor, "accept_all")
    await choose(visitor, "reject_all")

    accepted, withdrawn = store.stream()
    assert (withdrawn.action, withdrawn.grants, withdrawn.receipt_id) == ("withdraw", False, "")
    assert withdrawn.previous == accepted.receipt_id
    assert withdrawn.time == NOW


async def test_taking_back_a_part_is_a_new_act_that_follows_the_old(
    visitor: httpx.AsyncClient, store: SqlStore
) -> None:
    await choose(visitor, "accept_all")
    await choose(visitor, analytics="yes", marketing="no")

    accepted, saved = store.stream()
    assert (saved.action, saved.previous) == ("save", accepted.receipt_id)
    assert saved.receipt_id not in ("", accepted.receipt_id)
    assert saved.choices == {"analytics": True, "essential": True, "marketing": False}


async def test_after_a_withdrawal_a_new_acceptance_starts_anew(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    for choice in ("accept_all", "reject_all", "accept_all"):
        await choose(visitor, choice)

    *_, last = store.stream()
    assert (last.action, last.previous) == ("accept_all", "")


async def test_only_acts_are_recorded(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    for address in ("/", "/cookies", "/cookies/state", "/cookies/receipt", "/cookies/receipt.json"):
        await visitor.get(address)
    await visitor.post("/cookies/choice", data={"hide": "yes"})
    await visitor.post("/cookies/choice", data={"choice": "perhaps"})
    await visitor.post("/cookies/choice", data={"choice": "accept_all"}, headers={"sec-fetch-site": "cross-site"})

    assert list(store.stream()) == []


async def test_the_refusals_of_an_outdated_form_are_recorded(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    data = {"analytics": "yes", "marketing": "no", "wording": "0123456789abcdef"}

    assert (await visitor.post("/cookies/choice", data=data)).status_code == 409

    (record,) = store.stream()
    assert (record.action, record.grants, record.receipt_id) == ("save", False, "")


async def test_the_site_is_named_only_when_the_policy_lists_it(store: SqlStore) -> None:
    policy = make_policy(hosts=("luton.example", "place.luton.example"))
    for origin in ("https://place.luton.example", "https://forged.example"):
        async with make_client(page(), policy, origin=origin, records=store) as client:
            await choose(client, "accept_all")

    assert [record.site for record in store.stream()] == ["place.luton.example", "Luton"]


async def test_any_object_with_the_methods_is_a_store() -> None:
    memory = Memory()
    async with make_client(page(), records=memory) as client:
        await choose(client, "accept_all")

    assert [record.action for record in memory.records] == ["accept_all"]


async def test_the_policys_own_address_is_used(tmp_path: Path) -> None:
    policy = make_policy(records=f"sqlite:///{tmp_path / 'own.db'}")
    async with make_client(page(), policy) as client:
        await choose(client, "accept_all")

    assert open_store(policy.records).count() == 1


async def test_the_environment_names_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"sqlite:///{tmp_path / 'other.db'}"
    monkeypatch.setenv("CONSENTGATE_RECORDS", address)
    async with make_client(page(), make_policy(records=f"sqlite:///{tmp_path / 'own.db'}")) as client:
        await choose(client, "accept_all")

    assert open_store(address).count() == 1
    assert not (tmp_path / "own.db").exists()


# When it cannot be recorded


async def test_a_refusal_is_honoured_when_the_log_is_down() -> None:
    async with make_client(page(), records=Broken()) as client:
        answer = await choose(client, "reject_all")

        assert answer.status_code == 303
        state = (await client.get("/cookies/state")).json()
    assert state["undecided"] == []
    assert state["granted"] == ["essential"]


async def test_a_grant_that_cannot_be_recorded_is_not_taken_and_the_visitor_reads_why() -> None:
    async with make_client(page(), records=Broken()) as client:
        answer = await choose(client, "accept_all")

        assert answer.status_code == 503
        assert "We could not record your answer just now" in answer.text
        assert "set-cookie" not in answer.headers
        state = (await client.get("/cookies/state")).json()
    assert state["granted"] == ["essential"]
    assert state["undecided"] == ["analytics", "marketing"]


async def test_the_script_is_told_so_too() -> None:
    async with make_client(page(), records=Broken()) as client:
        answer = await client.post("/cookies/choice", data={"choice": "accept_all"}, headers=JSON)

    assert answer.status_code == 503
    assert "could not record" in answer.json()["error"]


async def test_what_the_same_form_refuses_is_taken_all_the_same() -> None:
    async with make_client(page(), records=Broken()) as client:
        answer = await choose(client, analytics="yes", marketing="no")

        assert answer.status_code == 503
        state = (await client.get("/cookies/state")).json()
    assert state["undecided"] == ["analytics"]


async def test_a_withdrawal_is_honoured_when_the_log_is_down() -> None:
    memory = Memory()
    async with make_client(page(), records=memory) as client:
        await choose(client, "accept_all")
        cookies = client.cookies
    async with make_client(page(), records=Broken()) as client:
        client.cookies = cookies
        await choose(client, "reject_all")

        assert (await client.get("/cookies/state")).json()["granted"] == ["essential"]


class DownAtFirst(Memory):
    """A store whose database comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_down = False

    def append(self, record: ConsentRecord, version: PolicyVersion) -> None:
        if self.is_down:
            raise ConnectionError
        super().append(record, version)


async def test_a_withdrawal_that_could_not_be_recorded_is_recorded_when_the_log_is_back() -> None:
    store = DownAtFirst()
    async with make_client(page(), records=store) as client:
        await choose(client, "accept_all")
        store.is_down = True
        await choose(client, "reject_all")
        store.is_down = False
        await choose(client, "reject_all")

    accepted, _, withdrawn = store.records
    assert (withdrawn.action, withdrawn.previous) == ("withdraw", accepted.receipt_id)


async def test_a_part_that_was_taken_back_while_the_log_was_down_is_recorded_when_it_is_back() -> None:
    store = DownAtFirst()
    async with make_client(page(), records=store) as client:
        await choose(client, "accept_all")
        store.is_down = True
        await choose(client, marketing="no")
        store.is_down = False
        await choose(client, analytics="no")

    accepted, _, taken_back = store.records
    assert (taken_back.previous, taken_back.receipt_id) == (accepted.receipt_id, "")
    assert taken_back.choices == {"analytics": True, "essential": True, "marketing": False}


async def test_an_erased_id_does_not_come_back_with_what_is_recorded_later() -> None:
    store = DownAtFirst()
    log = ConsentLog(store)
    erased, kept = (make_refusal(action="withdraw", previous=letter * 24, time=NOW) for letter in "ab")
    store.is_down = True
    for withdrawal in (erased, kept):
        with pytest.raises(NotRecordedError):
            await log.write(withdrawal, VERSION)
    store.is_down = False

    await log.erase(erased.previous)
    await log.write(make_refusal(), VERSION)

    assert store.records == [make_refusal(), replace(erased, previous="", time=NOW - NOW % A_DAY), kept]


async def test_a_grant_that_could_not_be_recorded_is_not_recorded_later() -> None:
    store = DownAtFirst()
    async with make_client(page(), records=store) as client:
        store.is_down = True
        await choose(client, "accept_all")
        store.is_down = False
        await choose(client, "reject_all")

    assert [record.action for record in store.records] == ["reject_all"]


async def test_the_log_names_the_cause_and_nothing_of_the_visitor(caplog: pytest.LogCaptureFixture) -> None:
    async with make_client(page(), records=Broken()) as client:
        for _ in range(3):
            await choose(client, "accept_all")

    (message,) = caplog.messages
    assert message.endswith("builtins.ConnectionError")
    assert caplog.records[0].levelno == logging.WARNING


async def test_too_many_grants_are_not_taken_and_refusals_are(store: SqlStore) -> None:
    policy = make_policy(records_per_minute=2)
    site = make_site(page(), policy, records=store)
    outcomes = []
    for choice in ("accept_all",) * 3 + ("reject_all",) * 3:
        transport = httpx.ASGITransport(site)
        async with httpx.AsyncClient(transport=transport, base_url="https://luton.example") as client:
            answer = await choose(client, choice)
            outcomes.append(answer.status_code)

    assert outcomes == [303, 303, 503, 303, 303, 303]
    assert "Too many answers" in (await too_many(site)).text
    assert store.count() == 4


async def too_many(site: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="https://luton.example") as client:
        return await choose(client, "accept_all")


async def test_the_allowance_comes_back_with_time() -> None:
    clock = iter([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 60.0])
    log = ConsentLog(Memory(), per_minute=1, clock=lambda: next(clock))

    await log.write(make_record(), VERSION)
    with pytest.raises(NotRecordedError) as refused:
        await log.write(make_record(), VERSION)

    assert refused.value.busy
    await log.write(make_record(), VERSION)


# Waiting


class Slow(Memory):
    """A store that takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = Event()
        self.release = Event()
        self.done = Event()

    def append(self, record: ConsentRecord, version: PolicyVersion) -> None:
        self.entered.set()
        assert self.release.wait(10)
        super().append(record, version)

    def erase(self, receipt_id: str) -> int:
        try:
            return super().erase(receipt_id)
        finally:
            self.done.set()


async def test_others_are_served_while_a_record_is_written() -> None:
    slow = Slow()
    site = make_site(page(), records=slow)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="https://luton.example") as client:
        waiting = asyncio.create_task(client.post("/cookies/choice", data={"choice": "accept_all"}))
        await asyncio.to_thread(slow.entered.wait, 10)

        assert (await client.get("/")).status_code == 200
        assert not waiting.done()

        slow.release.set()
        assert (await waiting).status_code == 303


async def test_a_grant_that_comes_too_late_is_made_anonymous_again() -> None:
    slow = Slow()
    writing = asyncio.create_task(ConsentLog(slow).write(make_record(), VERSION))
    await asyncio.to_thread(slow.entered.wait, 10)

    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    slow.release.set()

    assert await asyncio.to_thread(slow.done.wait, 10)
    assert slow.records == []


class Locked(Slow):
    """A store that hangs, and then fails."""

    is_locked = True

    def append(self, record: ConsentRecord, version: PolicyVersion) -> None:
        self.entered.set()
        assert self.release.wait(10)
        if self.is_locked:
            self.done.set()
            raise TimeoutError
        Memory.append(self, record, version)


async def test_a_withdrawal_is_recorded_later_also_when_the_store_hung_before_it_failed() -> None:
    store = Locked()
    log = ConsentLog(store)
    withdrawal = make_refusal(action="withdraw", previous="a" * 24, time=NOW)

    with pytest.raises(NotRecordedError):
        await log.write(withdrawal, VERSION)
    store.release.set()
    await until(lambda: log.threads_at_work == 0)
    store.is_locked = False
    await log.write(make_refusal(), VERSION)

    assert store.records == [make_refusal(), withdrawal]


async def test_a_refusal_that_a_slow_store_kept_after_all_is_recorded_once() -> None:
    store = Locked()
    store.is_locked = False
    log = ConsentLog(store)

    with pytest.raises(NotRecordedError):
        await log.write(make_refusal(), VERSION)
    store.release.set()
    await until(lambda: log.threads_at_work == 0)
    await log.write(make_refusal(source="banner"), VERSION)

    assert store.records == [make_refusal(), make_refusal(source="banner")]


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    pytest.fail("It never came to that.")


async def test_a_store_that_hangs_holds_no_more_threads_than_a_few() -> None:
    slow = Slow()
    log = ConsentLog(slow, grant_seconds=0.01)

    for _ in range(100):
        with pytest.raises(NotRecordedError):
            await log.write(make_record(), VERSION)

    assert log.threads_at_work <= 16
    slow.release.set()


# Settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"records": "mysql://host/x"}, "records = 'mysql://host/x': Write \"sqlite:///consent.db\""),
        ({"records": "sqlite://"}, "records = 'sqlite://': Write"),
        ({"records": "sqlite:///:memory:"}, "records = 'sqlite:///:memory:': Name a file"),
        ({"records": "sqlite:////no/such/folder/x.db"}, "Make the folder /no/such/folder first"),
        (
            {"records": "postgresql+psycopg://me:hunter2@host/x"},
            "records = 'hidden': Leave the password out: put the whole address into the environment variable",
        ),
        ({"records_days": 100}, "records_days = 100: Use 184 to 3650 days"),
        ({"records_days": 4000}, "records_days = 4000: Use 184 to 3650 days"),
        ({"records_per_minute": 0}, "records_per_minute = 0: Use 1 or more."),
        ({"records_most": 0}, "records_most = 0: Use 1 or more."),
    ],
)
async def test_a_wrong_setting_is_answered_with_place_value_and_remedy(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        make_policy(**changes)

    assert said in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


async def test_a_wrong_address_stops_the_start_and_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        make_site(page(), records="mysql://me:hunter2@host/x")

    assert "records = 'hidden': Write" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_a_stores_name_has_no_password_in_it() -> None:
    assert "hunter2" not in repr(open_store("postgresql+psycopg://me:hunter2@host/x"))
