"""The documentation agrees with the code: settings, defaults, commands, messages, examples and links."""

from __future__ import annotations

import ast
import asyncio
import base64
import inspect
import json
import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from textwrap import dedent
from typing import Any, get_args

import httpx
import pytest
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp

import consentgate
from consentgate import (
    Category,
    ConsentMiddleware,
    ConsentPolicy,
    Controller,
    GoogleAnalytics,
    StorageItem,
    load_policy,
)
from consentgate.assets import assets
from consentgate.cli.commands import consentgate as command
from consentgate.consent import Answer, Consent
from consentgate.consent_cookie import ConsentCookie
from consentgate.gateway_settings import GatewaySettings
from consentgate.middleware import KEYS_VARIABLE
from consentgate.policy import Basis, CacheMode, GpcMode, Placement, PrintedTagsMode, Undeclared
from consentgate.services import SERVICES
from consentgate.services.google import CONSENT_SIGNALS
from consentgate.storage import StorageType
from consentgate.theme import Colours, Scheme, Theme
from consentgate.visit import RequestConsent
from tests.conftest import KEY, make_policy, make_site
from tests.records.test_choice import Broken

ROOT = Path(__file__).parents[1]
PACKAGE = Path(consentgate.__file__).parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
GOOGLE = (ROOT / "docs" / "explanation" / "google-analytics.md").read_text(encoding="utf-8")
UNDECLARED = (ROOT / "docs" / "how-to" / "undeclared-cookies.md").read_text(encoding="utf-8")
SIGNALS = (ROOT / "docs" / "how-to" / "privacy-signals.md").read_text(encoding="utf-8")
GATEWAY = (ROOT / "docs" / "how-to" / "gateway.md").read_text(encoding="utf-8")
CSP = ROOT / "docs" / "how-to" / "content-security-policy.md"
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SITE = "https://site.example"


def name_of(value: object) -> str:
    """Name a test case by its file and line."""
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


def blocks(language: str) -> list[Any]:
    """List the code blocks that open with exactly this, each with where it stands."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, block.start()) + 1
            found.append(pytest.param(dedent(block[2]), id=f"{name_of(page)}:{line}"))
    return found


def code_of(page: Path) -> str:
    """Return the first Python block of a page: the program it shows."""
    block = re.search(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    return block[1]


def section(title: str, text: str = REFERENCE) -> str:
    """Return what stands under a heading, without what stands under the next."""
    _, found, rest = text.partition(f"# {title}\n")
    assert found, title
    return re.split(r"^#{1,6} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> list[list[str]]:
    """Return the cells of every table under a heading, without the heads of the tables."""
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def as_documented(default: object) -> str:
    """Write a default as the tables do."""
    if default is MISSING or default is inspect.Parameter.empty:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, Colours):
        return "built in"
    if default in ("", ()):
        return "empty"
    if inspect.isroutine(default):
        return f"`{default.__module__}.{default.__name__}`"
    return f"`{json.dumps(default)}`"


@pytest.mark.parametrize(
    "model",
    [
        ConsentPolicy,
        Controller,
        Category,
        StorageItem,
        Theme,
        Colours,
        GatewaySettings,
        *(one for one in SERVICES.values() if fields(one)),
    ],
    ids=lambda model: str(model.__name__),
)
def test_the_reference_has_every_field_with_its_default(model: type[Any]) -> None:
    in_the_code = {
        f"`{field.name}`": "empty" if field.default_factory is not MISSING else as_documented(field.default)
        for field in fields(model)
    }

    documented = {row[0]: row[2] for row in rows(model.__name__) if len(row) == 4}

    assert documented == in_the_code


def test_the_reference_has_every_argument_of_the_middleware() -> None:
    parameters = inspect.signature(ConsentMiddleware).parameters.values()
    in_the_code = {f"`{one.name}`": as_documented(one.default) for one in parameters}

    assert {row[0]: row[2] for row in rows("ConsentMiddleware")} == in_the_code
    assert f"`{KEYS_VARIABLE}`" in section("Signing keys")


def test_the_reference_has_every_public_name_and_no_other() -> None:
    assert {row[0].strip("`") for row in rows("Public names")} == set(consentgate.__all__)


def test_the_reference_has_all_that_an_application_can_ask() -> None:
    documented = {re.split(r"[`(]", row[0])[1] for row in rows("What the application can ask")}

    assert documented == {name for name in vars(RequestConsent) if not name.startswith("_")}


def test_the_gateways_settings_are_options_of_its_command() -> None:
    options = {parameter.name for parameter in command.commands["serve"].params}

    assert options - {"policy"} == {field.name for field in fields(GatewaySettings)} - {"sites"}


def test_the_page_about_the_gateway_has_every_metric() -> None:
    source = (PACKAGE / "gateway" / "metrics.py").read_text(encoding="utf-8")
    counted = {f"consentgate_{name}_total" for name in re.findall(r'counter\("(\w+)"', source)}
    others = set(re.findall(r'"(consentgate_\w+)"', source)) - {"consentgate_reloads"}

    documented = set(re.findall(r"`(consentgate_\w+)`", GATEWAY))

    assert documented == counted | others | {"consentgate_reloads_total"}


def test_the_reference_has_every_command_and_no_other() -> None:
    documented = {row[0].strip("`").split()[1] for row in rows("Command line")}

    assert documented == set(command.commands)


KINDS = (Basis, StorageType, Undeclared, CacheMode, GpcMode, PrintedTagsMode, Placement, Scheme)


@pytest.mark.parametrize(
    "value", [*dict.fromkeys(value for kind in KINDS for value in get_args(kind)), *CONSENT_SIGNALS[:-1]]
)
def test_the_reference_has_every_value_to_choose_from(value: str) -> None:
    assert f"`{value}`" in REFERENCE


@pytest.mark.parametrize("signal", CONSENT_SIGNALS)
def test_the_page_about_google_has_every_signal(signal: str) -> None:
    assert f"`{signal}`" in GOOGLE


@pytest.mark.parametrize("name", GoogleAnalytics(measurement_id="G-TEST1234").leftover_names())
def test_the_page_about_google_has_every_cookie_that_is_expired(name: str) -> None:
    assert f"`{name}`" in GOOGLE


def test_the_reference_has_every_property_of_the_style_sheet_with_its_values() -> None:
    style = assets()["consentgate-page.css"].content.decode()  # the banner's lacks what the page alone uses
    light, dark, _ = (
        dict(re.findall(r"(--[\w-]+):([^;]+)", block)) for block in re.findall(r":where\(:root.*?\)\{(.+?)\}", style)
    )
    in_the_code = {name: (value, dark.get(name, "the same")) for name, value in light.items()}

    documented = {row[0].strip("`"): tuple(cell.strip("`") for cell in row[1:]) for row in rows("Look")}

    assert documented == in_the_code


def messages() -> Iterator[str]:
    """Find every message that the code can log."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "warn_once":
                message = node.args[1]
                assert isinstance(message, ast.Constant)
                yield str(message.value).replace("%r", "…")


def test_the_reference_has_every_log_message_and_no_other() -> None:
    documented = [row[0].strip("`") for row in rows("Log messages")]
    logged = list(messages())

    assert [message for message in logged if not message.startswith(tuple(documented))] == []
    assert [begin for begin in documented if not any(message.startswith(begin) for message in logged)] == []


async def signed_in(scope: Any, receive: Any, send: Any) -> None:
    response = PlainTextResponse("Welcome back.")
    response.set_cookie("sessionid", "1")
    await response(scope, receive, send)


def test_the_page_about_undeclared_cookies_shows_what_the_log_says(caplog: pytest.LogCaptureFixture) -> None:
    (shown,) = re.findall(r"^```text log\n(.*?)^```$", UNDECLARED, re.DOTALL | re.MULTILINE)

    ask(make_site(signed_in), "GET", "/")

    assert caplog.messages == [shown]


def test_the_page_about_privacy_signals_shows_the_statement() -> None:
    (date,) = re.findall(r'^gpc_statement = "(.+)"$', SIGNALS, re.MULTILINE)
    (shown,) = re.findall(r"^```json\n(.*?)^```$", SIGNALS, re.DOTALL | re.MULTILINE)

    answer = ask(make_site(nothing_here, make_policy(gpc_statement=date)), "GET", "/.well-known/gpc.json")

    assert answer.json() == json.loads(shown)


def test_the_page_about_policies_shows_one_that_is_widened_for_who_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEYS_VARIABLE, KEY)
    command.main(["init"], standalone_mode=False)
    app = run(code_of(CSP))
    shown = re.findall(r"^Content-Security-Policy: (.+)$", CSP.read_text(encoding="utf-8"), re.MULTILINE)

    assert ask(app, "GET", "/").headers.get_list("content-security-policy") == shown
    (widened,) = ask(app, "GET", "/", headers=after(app, "accept_all")).headers.get_list("content-security-policy")
    assert "script-src 'self' https://*.googletagmanager.com" in widened


async def nothing_here(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("The application's own answer.", 404)(scope, receive, send)


def ask(app: ASGIApp, method: str, path: str, **request: Any) -> httpx.Response:
    """Send one request."""

    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SITE) as client:
            return await client.request(method, path, **request)

    return asyncio.run(run())


def test_every_documented_endpoint_takes_the_documented_methods() -> None:
    endpoints = {
        re.sub(r"(consentgate[\w-]*)\.HASH(\.\w+)", lambda found: assets()[found[1] + found[2]].name, path): row[1]
        for row in rows("Endpoints")
        if "/" in row[0]
        for path in re.findall(r"`(.+?)`", row[0])
    }
    site = make_site(nothing_here, make_policy(gpc_statement="2026-11-22"))
    assert len(endpoints) == 15
    for path, methods in endpoints.items():
        refused = ask(site, "DELETE", path)
        assert (refused.status_code, refused.headers.get("allow")) == (405, methods), path


AGREE = {"choice": "accept_all"}
CHOICES: dict[str, dict[str, Any]] = {
    "303": {"data": AGREE},
    "200": {"data": AGREE, "headers": {"accept": "application/json"}},
    "400": {"data": {"choice": "perhaps"}},
    "403": {"data": AGREE, "headers": {"sec-fetch-site": "cross-site"}},
    "409": {"data": {**AGREE, "wording": "0123456789abcdef"}},
    "413": {"data": {"choice": "save", "analytics": "y" * 8_192}},
    "415": {"json": AGREE},
    "503": {"data": AGREE},
}


def test_the_reference_has_every_status_of_a_choice() -> None:
    documented = set(re.findall(r"^\| (\d{3}) \|", section("Endpoints"), re.MULTILINE))

    answered = {
        status: ask(
            make_site(nothing_here, records=Broken() if status == "503" else None), "POST", "/cookies/choice", **sent
        )
        for status, sent in CHOICES.items()
    }

    assert documented == set(CHOICES)
    assert {status: str(answer.status_code) for status, answer in answered.items()} == {s: s for s in CHOICES}


def test_the_reference_shows_a_payload_as_it_is_written() -> None:
    policy = make_policy(
        categories=(Category(id="analytics"), Category(id="surveys", title="Surveys", purpose="Asks."))
    )
    shown = json.loads(re.findall(r"```json\n(.+?)```", section("Cookies"), re.DOTALL)[0])
    [[decided_at, wording, answers]] = shown
    decided = {name: Answer(granted == 1, version, decided_at, wording) for name, (granted, version) in answers.items()}

    consent = Consent.from_answers(policy, decided, decided_at)
    payload = ConsentCookie(policy, [KEY]).dump(consent).partition(".")[0]

    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) == shown


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_the_documentation_compiles(code: str) -> None:
    compile(code, "documentation", "exec")


@pytest.mark.parametrize("text", blocks("toml"))
def test_whole_policies_in_the_documentation_are_right(text: str, tmp_path: Path) -> None:
    file = tmp_path / "consentgate.toml"
    file.write_text(text, encoding="utf-8")

    assert load_policy(file).asks


@pytest.mark.parametrize("text", blocks("toml fragment"))
def test_parts_of_policies_in_the_documentation_are_right(text: str, tmp_path: Path) -> None:
    part = tomllib.loads(text)
    whole = "" if "site_name" in part else 'site_name = "Exampleton"\n'
    if "measurement_id = {" in text:
        whole += 'hosts = ["exampleton.example", "visit.exampleton.example"]\n'
    file = tmp_path / "consentgate.toml"
    file.write_text(
        f'{whole}{text}\n[controller]\nname = "Exampleton Council"\nemail = "privacy@exampleton.example"\n',
        encoding="utf-8",
    )

    assert load_policy(file).categories


MOVE = (ROOT / "docs" / "how-to" / "move-over.md").read_text(encoding="utf-8")
(MOVED,) = (block.splitlines() for block in re.findall(r"^```html moved\n(.*?)^```$", MOVE, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def moved_policy(tmp_path_factory: pytest.TempPathFactory) -> ConsentPolicy:
    """Return the policy of the page about moving over."""
    (text,) = re.findall(r"^```toml fragment\n(.*?)^```$", MOVE, re.DOTALL | re.MULTILINE)
    file = tmp_path_factory.mktemp("moved") / "consentgate.toml"
    controller = '[controller]\nname = "Exampleton Council"\nemail = "privacy@exampleton.example"\n'
    file.write_text(f'site_name = "Exampleton"\n{text}\n{controller}', encoding="utf-8")
    return load_policy(file)


@pytest.mark.parametrize("tag", MOVED)
@pytest.mark.parametrize("granted", [False, True], ids=["refused", "granted"])
def test_tags_marked_for_other_tools_wait_and_come_to_life_as_the_documentation_says(
    moved_policy: ConsentPolicy, tag: str, granted: bool
) -> None:
    async def printing(scope: Any, receive: Any, send: Any) -> None:
        await HTMLResponse(f"<!doctype html><title>x</title><main>{tag}</main>")(scope, receive, send)

    answers = {category.id: Answer(granted, 1, int(time.time())) for category in moved_policy.optional_categories}
    consent = Consent.from_answers(moved_policy, answers, time.time())
    cookie = ConsentCookie(moved_policy, [KEY]).dump(consent)
    app = ConsentMiddleware(printing, moved_policy, keys=[KEY])

    text = ask(app, "GET", "/", headers={"cookie": f"__Host-consentgate={cookie}"}).text

    left = text.partition("<main>")[2].partition("</main>")[0]
    runs = re.search(r"""<(?:script|iframe|img)(?![^>]*(?:text/plain|data-consent))[^>]* src=""", left)
    assert bool(runs) is granted, left


@pytest.mark.parametrize("kind", sorted(SERVICES))
def test_every_service_is_documented_with_an_example(kind: str) -> None:
    assert f'type = "{kind}"' in "".join(re.findall(r"^```toml.*?^```$", REFERENCE, re.DOTALL | re.MULTILINE))
    assert kind in (PACKAGE / "templates" / "consentgate.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", blocks("toml texts"))
def test_own_texts_in_the_documentation_are_right(text: str, tmp_path: Path) -> None:
    (tmp_path / "pl.toml").write_text(text, encoding="utf-8")
    item = StorageItem(name="survey_*", purpose="Remembers an answer.", duration="90 days")
    surveys = Category(id="surveys", title="Surveys", purpose="They remember answers.", items=(item,))

    assert "pl" in make_policy(categories=(surveys,), texts=str(tmp_path)).offered_languages


def run(code: str) -> ASGIApp:
    """Run a program of the documentation and return its application."""
    made: dict[str, Any] = {"__name__": "documentation"}
    exec(compile(code, "documentation", "exec"), made)  # noqa: S102 - this is what readers do with it
    app: ASGIApp = made["app"]
    return app


def test_the_readme_shows_a_site_that_asks_and_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, KEY)
    app = run(code_of(README))

    first = ask(app, "GET", "/")
    assert 'value="accept_all"' in first.text
    assert 'value="reject_all"' in first.text
    assert "googletagmanager" not in first.text
    assert 'href="/cookies"' in first.text
    assert ask(app, "GET", "/cookies").status_code == 200

    assert "googletagmanager" in ask(app, "GET", "/", headers=after(app, "accept_all")).text
    assert "googletagmanager" not in ask(app, "GET", "/", headers=after(app, "reject_all")).text


def after(app: ASGIApp, choice: str) -> dict[str, str]:
    """Return the header by which a browser sends the cookies it got for a choice."""
    answer = ask(app, "POST", "/cookies/choice", data={"choice": choice})
    return {"cookie": "; ".join(f"{name}={value}" for name, value in answer.cookies.items())}


def test_the_tutorial_leads_to_a_site_that_asks_and_obeys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEYS_VARIABLE, KEY)
    command.main(["init"], standalone_mode=False)
    command.main(["check"], standalone_mode=False)
    app = run(code_of(TUTORIAL))

    assert 'value="accept_all"' in ask(app, "GET", "/").text
    assert "Your visit is counted." in ask(app, "GET", "/", headers=after(app, "accept_all")).text
    assert "Nobody counts your visit." in ask(app, "GET", "/", headers=after(app, "reject_all")).text
    assert ask(app, "GET", "/privacy").status_code == 200


@pytest.mark.parametrize("text", blocks("sh"))
def test_commands_in_the_documentation_exist(text: str) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(re.findall(r"\bmake ([a-z]+)", text)) <= set(targets)
    assert set(re.findall(r"(?:^|\()consentgate ([a-z]+)", text, re.MULTILINE)) <= set(command.commands)


def links(page: Path) -> list[str]:
    """List the addresses in a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL))


def anchors(page: Path) -> set[str]:
    """List the anchors that a page's headings get."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_within_the_documentation_lead_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if ":" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            lost.append(link)

    assert lost == []


def test_every_page_is_in_the_list_of_pages() -> None:
    contents = ROOT / "docs" / "README.md"
    listed = {(contents.parent / link).resolve() for link in links(contents)}

    assert [page for page in sorted((ROOT / "docs").rglob("*.md")) if page not in {*listed, contents}] == []


def test_the_changelog_knows_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert "## [Unreleased]" in changelog or f"## [{consentgate.__version__}]" in changelog
