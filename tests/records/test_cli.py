"""What the owner's commands print, write, refuse and delete."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import time

import httpx
import pytest
from click.testing import CliRunner, Result

from consentgate import load_policy
from consentgate.cli.commands import consentgate
from consentgate.records import ConsentRecord, new_receipt_id
from consentgate.records.record import canonical_json, sha256
from consentgate.records.sql import SqlStore
from consentgate.rendering import Rendering
from tests.conftest import A_DAY, KEY, make_site, page

Run = Callable[..., Result]
NOW = int(time())
POLICY = """
site_name = "Exampleton"
records = "sqlite:///consent.db"
[controller]
name = "Exampleton Council"
email = "privacy@exampleton.example"
[categories.analytics]
version = 1
[[categories.analytics.services]]
type = "google-analytics"
measurement_id = "G-AB12CD34EF"
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSENTGATE_KEYS", KEY)
    monkeypatch.delenv("CONSENTGATE_RECORDS", raising=False)
    Path("consentgate.toml").write_text(POLICY)


@pytest.fixture
def run() -> Run:
    def run_one(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(consentgate, list(arguments))
        assert result.exit_code == code, result.output
        return result

    return run_one


@pytest.fixture
def store() -> Iterator[SqlStore]:
    store = SqlStore("sqlite:///consent.db")
    store.migrate()
    yield store
    store.close()


def record(**changes: object) -> ConsentRecord:
    rendering = Rendering(load_policy("consentgate.toml"))
    made = ConsentRecord(
        receipt_id=new_receipt_id(),
        time=NOW,
        action="accept_all",
        source="banner",
        choices={"analytics": True, "essential": True},
        grants=True,
        policy_version=rendering.policy_version.hash,
        wording=rendering.policy_version.parts["wordings"]["en"]["hash"],
        language="en",
        site="Exampleton",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # changes are each test's own


def keep(store: SqlStore, *records: ConsentRecord) -> None:
    store.append_all(records, Rendering(load_policy("consentgate.toml")).policy_version)


def refusal(**changes: object) -> ConsentRecord:
    choices = {"analytics": False, "essential": True}
    refused: dict[str, object] = {"receipt_id": "", "action": "reject_all", "choices": choices, "grants": False}
    return record(**{**refused, **changes})


# records


def test_list_shows_the_newest_first(run: Run, store: SqlStore) -> None:
    first, second = record(), refusal(time=NOW - NOW % A_DAY)
    keep(store, first, second)

    _, *lines = run("records", "list").stdout.splitlines()

    assert re.split(" {2,}", lines[0])[1:3] == ["reject_all", "none"]
    assert first.receipt_id in lines[1]
    assert len(run("records", "list", "--limit", "1").stdout.splitlines()) == 2


def test_list_of_an_empty_log_says_so(run: Run, store: SqlStore) -> None:
    assert run("records", "list").stdout == "Nothing is recorded yet.\n"


def test_show_prints_what_is_on_record_about_a_receipt(run: Run, store: SqlStore) -> None:
    first = record()
    withdrawn = refusal(action="withdraw", previous=first.receipt_id)
    keep(store, first, withdrawn, record())

    shown = json.loads(run("records", "show", first.receipt_id.upper(), "--json").stdout)

    assert [one["action"] for one in shown] == ["accept_all", "withdraw"]
    assert "withdraw" in run("records", "show", first.receipt_id).stdout


def test_show_of_an_unknown_receipt_says_so(run: Run, store: SqlStore) -> None:
    assert "Nothing is on record" in run("records", "show", "x" * 24, code=1).stderr


def test_export_writes_csv_with_a_column_for_each_category(run: Run, store: SqlStore) -> None:
    first, second = record(), refusal()
    keep(store, first, second)

    run("records", "export", "--output", "out.csv")

    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert [row["analytics"] for row in rows] == ["yes", "no"]
    assert [row["receipt_id"] for row in rows] == [first.receipt_id, ""]
    assert rows[0]["policy_version"] == first.policy_version


def test_export_writes_json_lines(run: Run, store: SqlStore) -> None:
    keep(store, record(), refusal())

    lines = [json.loads(line) for line in run("records", "export", "--format", "jsonl").stdout.splitlines()]

    assert [line["choices"]["analytics"] for line in lines] == [True, False]


def test_export_of_some_days(run: Run, store: SqlStore) -> None:
    keep(store, record(time=0), record(time=10 * A_DAY), record(time=20 * A_DAY))

    result = run("records", "export", "--format", "jsonl", "--since", "1970-01-05", "--until", "1970-01-15")

    assert [json.loads(line)["time"] for line in result.stdout.splitlines()] == ["1970-01-11T00:00:00Z"]
    assert "1 records exported" in result.stderr


def test_prune_deletes_what_the_policy_says(run: Run, store: SqlStore) -> None:
    keep(store, record(time=NOW - 731 * A_DAY), record(time=NOW - 729 * A_DAY))

    assert "1 records older than 730 days would be deleted; 1 kept." in run("records", "prune", "--dry-run").stdout
    assert "1 records older than 730 days deleted; 1 kept." in run("records", "prune").stdout
    assert store.count() == 1


def test_prune_takes_another_age(run: Run, store: SqlStore) -> None:
    keep(store, record(time=NOW - 201 * A_DAY), record())

    run("records", "prune", "--older-than", "200d")

    assert store.count() == 1


@pytest.mark.parametrize(
    ("age", "said"), [("3d", "acceptances hold for 184 days"), ("soon", "'soon' is not a number of days")]
)
def test_prune_refuses_what_would_delete_the_proof_of_consents_in_use(
    run: Run, store: SqlStore, age: str, said: str
) -> None:
    keep(store, record(time=NOW - 10 * A_DAY))

    assert said in run("records", "prune", "--older-than", age, code=2).stderr
    assert store.count() == 1


def test_stats_counts(run: Run, store: SqlStore) -> None:
    keep(store, record(), record(language=""), refusal(), refusal(action="withdraw"))

    numbers = json.loads(run("records", "stats", "--json").stdout)

    assert numbers["all"] == {"answers": 3, "granted": 2, "refused": 1, "withdrawn": 1, "share": 0.6667}
    assert numbers["language"]["not known"]["granted"] == 1
    assert "66.7%" in run("records", "stats").stdout


def test_erase_asks_first_and_leaves_the_count(run: Run, store: SqlStore) -> None:
    first = record()
    keep(store, first)

    run("records", "erase", first.receipt_id, code=1)
    assert next(store.stream()) == first

    run("records", "erase", first.receipt_id, "--yes")
    assert next(store.stream()).receipt_id == ""
    assert "Nothing is on record" in run("records", "erase", first.receipt_id, "--yes", code=1).stderr


def test_migrate_says_what_it_did(run: Run) -> None:
    assert run("records", "migrate").stdout == "Schema 1, was 0.\n"
    assert run("records", "migrate").stdout == "Schema 1: nothing to do.\n"


@pytest.mark.parametrize("command", ["list", "stats", "export", "prune"])
def test_a_log_that_is_not_there_is_not_made(run: Run, command: str) -> None:
    assert re.search("There is no file .*/consent.db", run("records", command, code=1).stderr)
    assert not Path("consent.db").exists()


def test_the_log_is_beside_the_policy_file(
    run: Run, store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, record())
    monkeypatch.chdir("/")

    result = run("records", "list", "--policy", str(tmp_path / "consentgate.toml"))

    assert "accept_all" in result.stdout


def test_a_policy_without_records_says_what_to_name(run: Run) -> None:
    Path("consentgate.toml").write_text(POLICY.replace('records = "sqlite:///consent.db"', ""))

    assert "No consent log" in run("records", "list", code=2).stderr


@pytest.mark.parametrize(
    "command",
    [
        ("records", "list"),
        ("records", "prune"),
        ("report",),
        ("policy", "show"),
        ("policy", "diff", "9f2ab41c", "x.toml"),
    ],
)
def test_a_missing_policy_file_is_said_in_words(run: Run, command: tuple[str, ...]) -> None:
    Path("consentgate.toml").unlink()

    result = run(*command, code=1)

    assert result.stderr.startswith("Error: 1 thing is wrong in consentgate.toml:\n  1. the file")


def test_a_wrong_policy_file_is_said_in_words(run: Run) -> None:
    Path("consentgate.toml").write_text(POLICY + "records_days = 0\n")

    result = run("records", "list", code=1)

    assert result.stderr.startswith("Error: 1 thing is wrong in consentgate.toml:\n")


def test_an_unreachable_database_is_one_line_without_the_password(run: Run) -> None:
    address = "postgresql+psycopg://me:hunter2@127.0.0.1:9/x"

    result = run("records", "list", "--records", address, code=1)

    assert result.stderr.startswith("Error: postgresql+psycopg://me:***@127.0.0.1:9/x: ")
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.output


# policy


def test_policy_show_prints_what_the_visitor_saw(run: Run, store: SqlStore) -> None:
    one = record()
    keep(store, one)

    by_version = run("policy", "show", one.policy_version[:8]).stdout
    by_wording = run("policy", "show", one.wording[:16]).stdout

    assert by_version == by_wording == run("policy", "show").stdout
    assert "[Accept all cookies]" in by_version
    assert "Analytics cookies (analytics, version 1, consent)" in by_version
    assert "You have accepted all cookies." in by_version.partition("Texts")[2]
    assert "You have accepted all cookies." not in by_version.partition("Analytics cookies (")[0]


def test_policy_show_prints_exactly_what_is_hashed(run: Run, store: SqlStore) -> None:
    one = record()
    keep(store, one)

    content = run("policy", "show", one.policy_version, "--json").stdout.rstrip("\n")

    assert sha256(content) == one.policy_version
    assert '<section id="consentgate"' in run("policy", "show", "--html").stdout


@pytest.mark.parametrize("arguments", [("0" * 16,), ("abc",)])
def test_policy_show_of_an_unknown_hash_says_so(run: Run, store: SqlStore, arguments: tuple[str, ...]) -> None:
    assert "has a hash that begins with" in run("policy", "show", *arguments, code=1).stderr


def test_policy_show_knows_its_languages(run: Run) -> None:
    assert "It has no 'xx', only" in run("policy", "show", "--language", "xx", code=2).stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("Exampleton", "Newton"), "Nobody has to be asked again."),
        (("version = 1", "version = 2"), "Everybody is asked about analytics again: version 1 became 2."),
        (
            ("[categories.analytics]", "[categories.marketing]\n[categories.analytics]"),
            "Everybody is asked about marketing: it is new.",
        ),
    ],
)
def test_policy_diff_says_who_is_asked_again(run: Run, change: tuple[str, str], said: str) -> None:
    Path("new.toml").write_text(POLICY.replace(*change))

    assert said in run("policy", "diff", "consentgate.toml", "new.toml").stdout


def test_policy_diff_prints_the_words_that_changed(run: Run) -> None:
    Path("new.toml").write_text(POLICY.replace("Exampleton", "Newton"))

    result = run("policy", "diff", "consentgate.toml", "new.toml")

    assert "-  Cookies on Exampleton" in result.stdout
    assert "+  Cookies on Newton" in result.stdout
    assert run("policy", "diff", "consentgate.toml", "consentgate.toml").stdout == "They are the same.\n"


# receipt


@pytest.fixture
def receipt() -> Path:
    with httpx.Client(transport=Sync(), base_url="https://exampleton.example") as visitor:
        visitor.post("/cookies/choice", data={"choice": "accept_all"})
        file = Path("receipt.json")
        file.write_bytes(visitor.get("/cookies/receipt.json").content)
    return file


class Sync(httpx.BaseTransport):
    """Ask the site without a server."""

    def __init__(self) -> None:
        self._asgi = httpx.ASGITransport(make_site(page(), load_policy("consentgate.toml"), records=""))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        import asyncio

        async def ask() -> httpx.Response:
            answer = await self._asgi.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(ask())


def test_receipt_verify_needs_no_server(run: Run, receipt: Path) -> None:
    assert "The signature is ours" in run("receipt", "verify", str(receipt)).stdout


def test_receipt_verify_finds_a_forgery(run: Run, receipt: Path) -> None:
    receipt.write_text(receipt.read_text().replace("Exampleton Council", "Somebody Else"))

    assert "The signature is not ours" in run("receipt", "verify", str(receipt), code=1).stdout


def test_receipt_verify_without_a_key_checks_the_words_only(
    run: Run, receipt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONSENTGATE_KEYS")
    notice = {"banner": "We use cookies."}
    words = {sha256(canonical_json(notice)): notice}
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "wordings": words}))

    assert "--without-keys" in run("receipt", "verify", str(receipt), code=2).stderr
    assert "has this SHA-256" in run("receipt", "verify", "--without-keys", str(receipt)).stdout


def test_receipt_verify_takes_no_file_that_says_a_thing_twice(run: Run, receipt: Path) -> None:
    genuine = receipt.read_text()
    receipt.write_text(genuine.replace("{", '{"receipt_id": "forged", ', 1))

    assert "says each thing once" in run("receipt", "verify", str(receipt), code=2).stderr


def test_receipt_verify_without_a_key_says_when_there_are_no_words_to_check(run: Run, receipt: Path) -> None:
    assert json.loads(receipt.read_text())["wordings"] == {}

    assert "nothing to check" in run("receipt", "verify", "--without-keys", str(receipt), code=2).stderr


@pytest.mark.parametrize("content", ["", "[]", "{", "\xff"])
def test_receipt_verify_of_another_file_says_so(run: Run, content: str) -> None:
    Path("x.json").write_text(content, encoding="latin-1")

    assert "It is no receipt" in run("receipt", "verify", "x.json", code=2).stderr


# report


def test_report_is_one_page_that_needs_nothing_else(run: Run, store: SqlStore) -> None:
    keep(store, record(time=NOW - 3 * A_DAY), record(), refusal(), refusal(action="withdraw"))

    run("report", "--output", "report.html")

    text = Path("report.html").read_text()
    assert "<dd>66.7 %</dd>" in text
    assert text.count("<svg") >= 6
    assert not re.search(r"<script|<link|\bsrc=|url\(|@import|https?://", text)
    assert record().policy_version[:16] in text


def test_report_escapes_what_a_policy_says(run: Run, store: SqlStore) -> None:
    keep(store, record(site="<script>alert(1)</script>"))
    Path("consentgate.toml").write_text(POLICY.replace("Exampleton Council", "<b>Council</b>"))

    run("report")

    text = Path("report.html").read_text()
    assert "<script" not in text
    assert "<b>" not in text


def test_report_of_an_empty_log_says_so(run: Run, store: SqlStore) -> None:
    run("report")

    assert "Nothing has been recorded yet." in Path("report.html").read_text()
