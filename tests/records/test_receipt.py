"""A visitor sees, prints, downloads and erases what was recorded, and anybody can verify what was downloaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from consentgate.consent_cookie import Seal
from consentgate.receipts import check_receipt
from consentgate.records import open_store
from consentgate.records.sql import SqlStore
from consentgate.translations import texts_for
from tests.conftest import A_DAY, KEY, NOW, make_client, make_policy, page
from tests.records.test_choice import COOKIE, Broken, Memory, choose

pytestmark = pytest.mark.anyio
OTHER_SITE = {"sec-fetch-site": "cross-site"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(f"sqlite:///{tmp_path / 'consent.db'}")
    yield store
    store.close()


async def download(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/cookies/receipt.json")
    assert answer.status_code == 200
    receipt: dict[str, Any] = answer.json()
    return receipt


def verify(receipt: dict[str, Any], key: str = KEY) -> bool:
    return all(finding.is_right for finding in check_receipt(receipt, Seal([key])))


# On the cookies page


async def test_the_cookies_page_says_what_was_chosen_when_and_under_which_wording(
    visitor: httpx.AsyncClient, store: SqlStore
) -> None:
    await choose(visitor, analytics="yes", marketing="no")

    text = (await visitor.get("/cookies")).text

    (record,) = store.stream()
    section = text.partition('id="consentgate-receipt"')[2].partition("</section>")[0]
    assert "<dt>Analytics cookies</dt><dd>You accepted on" in section
    assert "<dt>Marketing cookies</dt><dd>You refused on" in section
    assert section.count('<time datetime="2026-09-21T14:13:20Z">21 September 2026, 14:13 UTC</time>') == 2
    assert record.wording[:16] in section
    assert record.receipt_id in section
    assert 'action="/cookies/erase"' in section


async def test_before_an_answer_there_is_no_receipt(visitor: httpx.AsyncClient) -> None:
    assert "Your receipt" not in (await visitor.get("/cookies")).text
    assert (await visitor.get("/cookies/receipt")).status_code == 404
    assert (await visitor.get("/cookies/receipt.json")).status_code == 404


async def test_who_refused_has_a_receipt_without_a_number_and_nothing_to_erase(visitor: httpx.AsyncClient) -> None:
    await choose(visitor, "reject_all")

    text = (await visitor.get("/cookies")).text

    assert "Your receipt" in text
    assert "Receipt number" not in text
    assert "/cookies/erase" not in text
    assert "We only count this answer" in text


async def test_without_a_store_the_cookie_alone_shows_the_receipt() -> None:
    async with make_client(page()) as client:
        await choose(client, "accept_all")

        text = (await client.get("/cookies")).text

    assert "<dt>Analytics cookies</dt><dd>You accepted on" in text
    assert "We keep no record of this" in text


async def test_the_page_to_print_names_the_controller_and_is_kept_by_nobody(visitor: httpx.AsyncClient) -> None:
    await choose(visitor, "accept_all")

    answer = await visitor.get("/cookies/receipt")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "Luton Council is the data controller" in answer.text
    assert "You accepted on" in answer.text


# The file


async def test_a_receipt_has_the_parts_of_the_standard(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    await choose(visitor, analytics="yes", marketing="no")

    receipt = await download(visitor)

    (record,) = store.stream()
    assert receipt["receipt_id"] == receipt["pii_principal_id"] == record.receipt_id
    assert set(receipt["processing"]) >= {
        "privacy_notice",
        "language",
        "purposes",
        "pii_controllers",
        "storage_locations",
        "retention_period",
        "jurisdiction",
        "recipients",
        "withdrawal_method",
    }
    for party in receipt["parties"]:
        assert set(party) == {"party_id", "party_type", "name", "address", "contact"}
    (event,) = receipt["events"]
    assert {"event_time", "validity_duration", "entity_id", "event_type", "event_state"} <= set(event)
    assert event["event_state"] == "given"
    assert event["choices"] == {"analytics": True, "essential": True, "marketing": False}
    assert event["policy_version"] == record.policy_version
    analytics, marketing = receipt["processing"]["purposes"]
    assert (analytics["title"], analytics["granted"], marketing["granted"]) == ("Analytics cookies", True, False)
    assert receipt["processing"]["recipients"] == ["Google"]
    assert receipt["processing"]["withdrawal_method"] == "https://luton.example/cookies"


async def test_a_receipt_holds_the_words_and_verifies(visitor: httpx.AsyncClient) -> None:
    await choose(visitor, "accept_all")

    receipt = await download(visitor)

    (notice,) = receipt["wordings"].values()
    assert "Accept all cookies" in notice["texts"].values()
    assert verify(receipt)
    assert verify(json.loads(json.dumps(receipt, indent=8, sort_keys=True)))


async def test_a_receipt_from_the_cookie_alone_verifies_too() -> None:
    async with make_client(page()) as client:
        await choose(client, "accept_all")

        receipt = await download(client)

    assert re.fullmatch("cookie-[0-9a-f]{24}", receipt["receipt_id"])
    assert receipt["pii_principal_id"] == "none"
    assert receipt["processing"]["storage_locations"] == ["the visitor's browser"]
    assert [event["event_state"] for event in receipt["events"]] == ["given"]
    assert len(receipt["wordings"]) == 1
    assert verify(receipt)


async def test_who_refused_gets_the_same_receipt_as_any_other_refuser(store: SqlStore) -> None:
    receipts = []
    for _ in range(2):
        async with make_client(page(), records=store) as client:
            await choose(client, "reject_all")
            receipts.append(await download(client))

    assert receipts[0] == receipts[1]
    assert receipts[0]["events"][0]["event_state"] == "refused"


async def test_the_whole_trail_is_in_the_receipt(visitor: httpx.AsyncClient) -> None:
    await choose(visitor, "accept_all")
    await choose(visitor, analytics="yes", marketing="no")

    first, second = (await download(visitor))["events"]

    assert (first["action"], second["action"]) == ("accept_all", "save")
    assert second["follows"] == first["receipt_id"]


async def test_words_that_have_changed_since_come_from_the_store(store: SqlStore) -> None:
    async with make_client(page(), records=store) as client:
        await choose(client, "accept_all")
        cookies = client.cookies
    async with make_client(page(), make_policy(site_name="Luton 2040"), records=store) as client:
        client.cookies = cookies

        receipt = await download(client)

    (notice,) = receipt["wordings"].values()
    assert notice["site"][0] == "Luton"
    assert verify(receipt)


async def test_words_that_nobody_kept_are_said_to_be_missing() -> None:
    async with make_client(page()) as client:
        await choose(client, "accept_all")
        cookies = client.cookies
    async with make_client(page(), make_policy(site_name="Luton 2040")) as client:
        client.cookies = cookies

        receipt = await download(client)

    assert receipt["wordings"] == {}
    assert "is not in the receipt" in [finding.text for finding in check_receipt(receipt, Seal([KEY]))][-1]


async def test_a_receipt_is_given_when_the_log_is_down() -> None:
    memory = Memory()
    async with make_client(page(), records=memory) as client:
        await choose(client, "accept_all")
        cookies = client.cookies
    async with make_client(page(), records=Broken()) as client:
        client.cookies = cookies

        receipt = await download(client)

    assert receipt["pii_principal_id"] == memory.records[0].receipt_id
    assert [event["event_state"] for event in receipt["events"]] == ["given"]
    assert verify(receipt)


def grant_marketing(receipt: dict[str, Any]) -> None:
    receipt["processing"]["purposes"][1]["granted"] = True


def change_the_words(receipt: dict[str, Any]) -> None:
    next(iter(receipt["wordings"].values()))["texts"]["banner.title"] = "Cookies are mandatory."


def move_it_in_time(receipt: dict[str, Any]) -> None:
    receipt["events"][0]["event_time"] = "2020-01-01T00:00:00Z"


def drop_the_signature(receipt: dict[str, Any]) -> None:
    del receipt["signature"]


@pytest.mark.parametrize("change", [grant_marketing, change_the_words, move_it_in_time, drop_the_signature])
async def test_a_receipt_that_was_changed_does_not_verify(
    visitor: httpx.AsyncClient, change: Callable[[dict[str, Any]], None]
) -> None:
    await choose(visitor, analytics="yes", marketing="no")
    receipt = await download(visitor)

    change(receipt)

    assert not verify(receipt)


async def test_changed_words_are_found_without_a_key(visitor: httpx.AsyncClient) -> None:
    await choose(visitor, "accept_all")
    receipt = await download(visitor)
    assert all(finding.is_right for finding in check_receipt(receipt, None))

    change_the_words(receipt)

    assert not all(finding.is_right for finding in check_receipt(receipt, None))


async def test_another_sites_key_does_not_verify(visitor: httpx.AsyncClient) -> None:
    await choose(visitor, "accept_all")

    assert not verify(await download(visitor), "another-key-of-at-least-32-characters")


@pytest.mark.parametrize(
    "receipt",
    [{}, {"schema_version": "other"}, {"schema_version": "consentgate-receipt-1", "events": 7, "wordings": []}],
)
def test_nonsense_does_not_verify(receipt: dict[str, Any]) -> None:
    assert not verify(receipt)


# Only for whom it is meant


async def test_another_site_gets_no_receipt(visitor: httpx.AsyncClient) -> None:
    await choose(visitor, "accept_all")

    answer = await visitor.get("/cookies/receipt.json", headers=OTHER_SITE)

    assert answer.status_code == 403
    assert "came from another website" in answer.text


async def test_a_receipt_is_for_the_holder_of_the_cookie(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    await choose(visitor, "accept_all")
    value = visitor.cookies[COOKIE]
    async with make_client(page(), records=store) as thief:
        for forged in ("", ("A" if value[0] != "A" else "B") + value[1:]):
            answer = await thief.get("/cookies/receipt.json", headers={"cookie": f"{COOKIE}={forged}"})
            assert answer.status_code == 404

        assert (await thief.post("/cookies/erase")).status_code == 404
    assert store.count() == 1
    assert next(store.stream()).receipt_id


# Erasing


async def test_erasing_takes_the_identity_and_keeps_the_choice(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    await choose(visitor, "accept_all")
    (before,) = store.stream()

    answer = await visitor.post("/cookies/erase")

    assert answer.status_code == 200
    assert "Your record is erased" in answer.text
    (after,) = store.stream()
    assert after == replace(before, receipt_id="", time=NOW - NOW % A_DAY)
    assert (await visitor.get("/cookies/state")).json()["granted"] == ["analytics", "essential", "marketing"]
    text = (await visitor.get("/cookies")).text
    assert "We only count this answer; nothing in it tells that it was you.</p>" in text
    assert before.receipt_id not in text
    assert "/cookies/erase" not in text
    assert verify(await download(visitor))


async def test_the_words_of_a_receipt_are_all_in_the_language_they_were_read_in(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get("/cookies", params={"lang": "pl"})).text
    shown = re.search(r'name="wording" value="(\w+)"', page)
    assert shown is not None
    await choose(visitor, "accept_all", wording=shown[1])

    receipt = await download(visitor)

    texts = texts_for("pl").entries
    words = {
        word
        for purpose in receipt["processing"]["purposes"]
        for word in (purpose["title"], *(item["purpose"] for item in purpose["pii_information"]))
    }
    assert texts["category_analytics.title"] in words
    assert words - set(texts.values()) == {"Counts letters."}  # the site's own, which it has not translated


async def test_a_cookie_from_before_does_not_bring_an_erased_number_back(
    visitor: httpx.AsyncClient, store: SqlStore
) -> None:
    await choose(visitor, "accept_all")
    (before,) = store.stream()
    cookie = visitor.cookies["__Host-consentgate"]
    await visitor.post("/cookies/erase")

    visitor.cookies.clear()
    visitor.cookies.set("__Host-consentgate", cookie)
    await choose(visitor, "reject_all")

    assert before.receipt_id not in {one for row in store.stream() for one in (row.receipt_id, row.previous)}


async def test_another_site_cannot_have_a_record_erased(visitor: httpx.AsyncClient, store: SqlStore) -> None:
    await choose(visitor, "accept_all")

    assert (await visitor.post("/cookies/erase", headers=OTHER_SITE)).status_code == 403
    assert (await visitor.get("/cookies/erase")).status_code == 405

    assert next(store.stream()).receipt_id


async def test_when_it_cannot_be_erased_the_visitor_reads_so_and_keeps_the_number() -> None:
    memory = Memory()
    async with make_client(page(), records=memory) as client:
        await choose(client, "accept_all")
        cookies = client.cookies
    async with make_client(page(), records=Broken()) as client:
        client.cookies = cookies

        answer = await client.post("/cookies/erase")

    assert answer.status_code == 503
    assert "could not be erased" in answer.text
    assert memory.records[0].receipt_id in answer.text
    assert "set-cookie" not in answer.headers
