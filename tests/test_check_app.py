"""`consentgate check module:app`: what it visits, what it reports, and how it ends."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from consentgate import Category, ConsentPolicy, Controller, GoogleAnalytics, StorageItem, load_policy
from consentgate.cli.commands import consentgate
from consentgate.cookie_rules import CookieRules
from consentgate.cookies import set_cookie_name
from consentgate.declarations import declaring_category, remedy_for_cookie, remedy_for_tag
from consentgate.inventory import Finding, find_tags
from consentgate.middleware import KEYS_VARIABLE

NOW = 1_790_000_000  # seconds since 1970
POLICY = """
    site_name = "Luton"
    hosts = ["luton.example"]
    [controller]
    name = "Luton Council"
    email = "privacy@luton.example"
    [[categories.essential.items]]
    name = "session"
    purpose = "Keeps what you enter in forms."
    duration = "1 hour"
    [[categories.analytics.services]]
    type = "google-analytics"
    measurement_id = "G-LUTON123"
    [[categories.marketing.items]]
    name = "campaign"
    purpose = "Counts which of our letters were read."
    duration = "30 days"
"""
# An application's module: `answers` maps a path to a page, its Set-Cookie lines, its status and further headers.
APP = """
    from consentgate import ConsentMiddleware

    asked = []

    async def inner(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["started"] = "yes"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            asked.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = dict(scope["headers"])
        cookies = headers.get(b"cookie", b"").decode()
        asked.append((scope["method"], scope["path"], scope["query_string"].decode(), cookies, scope["state"]))
        page, lines, *more = answers(scope, cookies)
        status, extra = (*more, 200, [])[:2] if len(more) != 1 else (more[0], [])
        start = [(b"content-type", b"text/html"), *extra, *((b"set-cookie", line.encode()) for line in lines)]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": page.encode()})

    def page(*markup):
        return "<!doctype html><title>Luton</title><body>" + "".join(markup)

    app = ConsentMiddleware(inner, "consentgate.toml")
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, and leave nothing of it behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv(KEYS_VARIABLE, "")
    monkeypatch.delenv(KEYS_VARIABLE)
    write("consentgate.toml", POLICY)


def write(name: str, content: str) -> None:
    Path(name).write_text(dedent(content), encoding="utf-8")


def write_app(answers: str, *, app: str = APP) -> None:
    write("site_app.py", dedent(app) + "\n\n" + dedent(answers))


def check(*arguments: str) -> Result:
    sys.modules.pop("site_app", None)
    return CliRunner().invoke(consentgate, ["check", *(arguments or ("site_app:app",))])


def report(*arguments: str) -> dict[str, Any]:
    result = check("site_app:app", "--json", *arguments)
    content: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if content["ok"] else 1)
    return content


def asked() -> list[Any]:
    found: list[Any] = sys.modules["site_app"].asked
    return found


CLEAN = """
    def answers(scope, cookies):
        return page("<p>Hello"), ["session=1"]
"""


# The verdict.


def test_a_site_that_keeps_its_word_ends_with_0() -> None:
    write_app(CLEAN)

    result = check()

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(
        "✓ site_app:app, 1 page on luton.example as each of two visitors: nothing leaves that the policy does not "
        "declare.\n"
    )


def test_an_undeclared_cookie_ends_with_1_and_the_lines_to_add() -> None:
    write_app("""
        def answers(scope, cookies):
            return page("<a href=/shop>Shop</a>"), ["session=1", "csrftoken=secret; Max-Age=31449600; Path=/"]
    """)

    result = check()

    assert result.exit_code == 1
    assert result.stdout.startswith(
        "✗ The cookie csrftoken is not in the policy\n"
        "  Met on /, /shop by a visitor who has not answered and a visitor who accepted everything.\n"
        "  List it in consentgate.toml:\n"
        "\n"
        "[[categories.essential.items]]\n"
        'name = "csrftoken"\n'
        'purpose = "Protects our forms: it shows that what is sent comes from our own page."\n'
        'duration = "1 year"\n'
    )
    assert result.stdout.endswith("as each of two visitors: 1 undeclared cookie.\n")
    assert "secret" not in result.output


def test_with_the_printed_lines_the_check_is_clean() -> None:
    write_app("""
        def answers(scope, cookies):
            return page(), ["session=1", "we(ird)=1; Path=/shop", *(f"{name}=1" for name in NAMES)]

        NAMES = ("we(i)rd", "cart[1]", "basket", "_fbp", "csrftoken")
    """)
    lines = "\n".join(cookie["toml"] for cookie in report()["cookies"])

    with Path("consentgate.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + lines)

    assert report()["ok"], lines


def test_lines_that_list_two_cookies_are_printed_once() -> None:
    write_app("""
        def answers(scope, cookies):
            return page(), ["basket[1]=1", "basket[2]=1"]
    """)

    first, second = report()["cookies"]

    assert 'name = "basket*"' in first["toml"]
    assert (second["name"], second["remedy"], second["toml"]) == ("basket[2]", "The lines above list it too.", "")


def test_a_tag_ends_with_1_and_its_remedy() -> None:
    write_app("""
        def answers(scope, cookies):
            return page("<script async src='https://www.googletagmanager.com/gtag/js?id=G-LUTON123'></script>"), []
    """)

    result = check()

    assert result.exit_code == 1
    assert result.stdout.startswith(
        "✗ Google Analytics (Google) is in pages by itself: "
        '<script src="www.googletagmanager.com/gtag/js">\n'
        "  Met on / by a visitor who has not answered.\n"
        "  Take the tag out of the page: consentgate starts Google Analytics by itself once the visitor agrees. "
        "Or keep the tag and set printed = true for the service.\n"
    )


def test_what_consentgate_puts_into_pages_is_no_finding() -> None:
    write_app(CLEAN)

    assert report()["tags"] == []


@pytest.mark.parametrize(
    ("category", "clean"), [("marketing", True), ("analytics", True), ("nothing", False), ("essential", False)]
)
def test_a_tag_that_waits_for_consent_is_right_when_the_policy_lists_it(category: str, clean: bool) -> None:
    video = (
        '\n[[categories.marketing.items]]\nname = "YouTube"\ntype = "script"\npurpose = "Films."\nduration = "1 day"\n'
    )
    write("consentgate.toml", 'printed_tags = "report"\n' + dedent(POLICY) + video)
    write_app(f"""
        def answers(scope, cookies):
            shown = scope["consentgate"].allows({category!r})
            return page("<iframe src=https://www.youtube.com/embed/1></iframe>" if shown else ""), []
    """)

    assert report()["ok"] is (clean or category == "nothing")


def test_a_tag_that_is_held_back_is_right() -> None:
    video = '\n[[categories.marketing.services]]\ntype = "youtube"\n'
    write("consentgate.toml", dedent(POLICY) + video)
    write_app("""
        def answers(scope, cookies):
            return page("<iframe src=https://www.youtube.com/embed/1></iframe>"), []
    """)

    assert report()["ok"]


def test_a_tag_that_waits_for_consent_is_told_when_the_policy_does_not_list_it() -> None:
    write_app("""
        def answers(scope, cookies):
            shown = scope["consentgate"].allows("marketing")
            return page("<iframe src=https://www.youtube.com/embed/1></iframe>" if shown else ""), []
    """)

    (tag,) = report()["tags"]

    assert tag["visitors"] == ["granted"]
    assert tag["remedy"] == "List it in consentgate.toml, in the category that lets it into the page:"
    assert 'type = "youtube"' in tag["toml"]


def test_a_cookie_listed_but_never_met_is_a_note() -> None:
    write_app("""
        def answers(scope, cookies):
            return page(), ["session=1"]
    """)

    result = check()

    assert result.exit_code == 0
    assert "Listed but never met: campaign." in result.stdout
    assert report()["unseen"] == ["campaign"]


def test_notes_alone_leave_a_site_clean() -> None:
    write_app("""
        def answers(scope, cookies):
            return page("<a href=/1>1</a><a href=/2>2</a><a href=/cookies>c</a>"), ["session=1", "campaign=1"]
    """)

    result = check("site_app:app", "--max-pages", "1")

    assert result.exit_code == 0
    assert result.stdout.startswith("· 2 more pages are linked. Raise --max-pages to see them.\n✓ site_app:app, 1 page")


def test_a_cookie_that_is_only_removed_is_no_finding() -> None:
    write_app("""
        def answers(scope, cookies):
            return page(), ["old=; Max-Age=0", "older=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
    """)

    assert report()["cookies"] == []


# The visits.


def test_the_site_is_visited_with_and_without_consent_by_get_alone() -> None:
    write_app("""
        def answers(scope, cookies):
            return page("<form method=post action=/send><button>Send</button></form>"), []
    """)

    assert report()["pages"] == {"undecided": 1, "granted": 1}

    _probe, undecided, granted, last = asked()
    assert undecided[:4] == ("GET", "/", "", "")
    assert "consentgate=" in granted[3]
    assert granted[4] == {"started": "yes", "consent": granted[4]["consent"]}
    assert granted[4]["consent"].granted == {"essential", "analytics", "marketing"}
    assert last == "shutdown"


def test_links_frames_and_redirects_of_the_same_host_are_followed() -> None:
    write_app("""
        def answers(scope, cookies):
            if scope["path"] == "/old":
                return "", ["hop=1"], 302, [(b"location", b"/new?a=1#top")]
            return page(
                "<a href='old'>1</a><area href='//luton.example/area'><iframe src=/framed></iframe>",
                "<a href='https://luton.example:443/abs?b=2&section=3#x'>2</a><a href='/ümlaut'>3</a>",
                "<a href=https://elsewhere.example/>4</a><a href=mailto:a@b>5</a><a href='http://[x'>6</a>",
                "<a href=/cookies>own</a><a href=/cookies/choice>own</a><a href='javascript:x()'>7</a><a href>8</a>",
            ), []
    """)

    cookies = report()["cookies"]

    visited = {(path, query) for _, path, query, *_ in asked()[1:-1]}
    assert visited == {
        ("/", ""),
        ("/old", ""),
        ("/new", "a=1"),
        ("/area", ""),
        ("/framed", ""),
        ("/abs", "b=2&section=3"),
        ("/ümlaut", ""),
    }
    assert [(cookie["name"], cookie["paths"]) for cookie in cookies] == [("hop", ["/old"])]


def test_a_base_element_is_heeded() -> None:
    write_app("""
        def answers(scope, cookies):
            return page("<base href=/below/><a href=there>there</a>"), []
    """)

    report()

    assert "/below/there" in {path for _, path, *_ in asked()[1:-1]}


def test_cookies_are_kept_as_a_browser_keeps_them() -> None:
    write("consentgate.toml", 'undeclared = "report"\n' + dedent(POLICY))
    write_app("""
        def answers(scope, cookies):
            if scope["path"] == "/":
                return page("<a href=/shop/x><a href=/shop><a href=/shopping><a href=/end><a href=/last>"), [
                    "a=1; Path=/", "b=2; Path=/shop", "c=3"
                ]
            return page(), ["c=; Max-Age=0"] if scope["path"] == "/end" else []
    """)

    report()

    sent = {path: cookies for _, path, _, cookies, _ in asked()[1:6]}
    assert sent == {
        "/": "",
        "/shop/x": "a=1; b=2; c=3",
        "/shop": "a=1; b=2; c=3",
        "/shopping": "a=1; c=3",
        "/end": "a=1; c=3",
    }
    assert asked()[6][1:4] == ("/last", "", "a=1")


def test_start_paths_host_and_the_number_of_pages_can_be_chosen() -> None:
    write_app("""
        def answers(scope, cookies):
            host = dict(scope["headers"])[b"host"].decode()
            links = (f"<a href=/{number}>{host}</a>" for number in range(20))
            return page(*links, "<a href=/cookies>Cookies</a>"), []
    """)

    found = report("--path", "/a", "--path", "/b?c=1", "--max-pages", "5", "--host", "www.luton.example:8000")

    assert found["host"] == "www.luton.example:8000"
    assert found["pages"] == {"undecided": 5, "granted": 5}
    assert [path for _, path, *_ in asked()[1:4]] == ["/a", "/b", "/0"]
    assert found["notes"] == ["17 more pages are linked. Raise --max-pages to see them."]


def test_pages_without_a_link_to_the_cookies_page_are_a_note() -> None:
    write_app("""
        def answers(scope, cookies):
            links = {
                "/": "<a href=/linked>1</a><a href=/bare>2</a><a href=/near>3</a><a href=/missing>4</a>"
                    "<a href='cookies?back=/'>Cookies</a>",
                "/linked": "<footer><a href='https://luton.example/cookies'>Cookies</a></footer>",
                "/near": "<a href=/cookies-and-cakes>Cakes</a><link rel=help href=/cookies>",
                "/cookies-and-cakes": "<a href=/cookies/>Cookies</a>",
            }
            return page(links.get(scope["path"], "")), ["session=1"], 404 if scope["path"] == "/missing" else 200
    """)

    result, (note,) = check("site_app:app"), report()["notes"]

    assert note.startswith("No link to /cookies on /bare, /near. Visitors have to be able to change their mind")
    assert result.exit_code == 0


def test_a_redirect_to_another_host_is_a_note() -> None:
    write_app("""
        def answers(scope, cookies):
            return "", [], 302, [(b"location", b"https://www.luton.example/")]
    """)

    assert report()["notes"] == [
        "A redirect leads to www.luton.example, another host. Check it with --host www.luton.example."
    ]


def test_cookies_and_tags_are_seen_where_another_middleware_stands_around() -> None:
    write_app("""
        def answers(scope, cookies):
            return page(), ["basket=1"]

        gated = app

        async def app(scope, receive, send):
            await gated({**scope}, receive, send)
    """)

    assert [cookie["name"] for cookie in report()["cookies"]] == ["basket"]


# Applications that misbehave.


def test_a_page_that_raises_is_reported_and_the_rest_is_checked() -> None:
    write_app("""
        def answers(scope, cookies):
            if scope["path"] == "/broken":
                raise ValueError("no [bold]tea[/] left")
            return page("<a href=/broken><a href=/other>"), ["basket=1"] if scope["path"] == "/other" else []
    """)

    result = check()

    assert result.exit_code == 1
    assert "✗ /broken could not be checked: ValueError: no [bold]tea[/] left (site_app.py, line" in result.stdout
    assert "The cookie basket is not in the policy" in result.stdout


def test_an_answer_without_end_is_read_as_far_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentgate.cli.visitor._MOST_BYTES", 100_000)
    write_app("""
        from consentgate import ConsentMiddleware

        async def endless(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            while True:
                await send({"type": "http.response.body", "body": b"<p>" + b"x" * 10_000, "more_body": True})
                await __import__("asyncio").sleep(0)

        app = ConsentMiddleware(endless, "consentgate.toml")
    """)
    monkeypatch.setattr("consentgate.cli.visitor._LINGER_SECONDS", 0.05)

    assert report()["ok"]


def test_a_page_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentgate.cli.visitor._SECONDS", 0.05)
    monkeypatch.setattr("consentgate.cli.visitor._LINGER_SECONDS", 0.05)
    write_app("""
        async def silent(scope, receive, send):
            if scope["type"] == "http":
                await __import__("asyncio").sleep(60)

        app = ConsentMiddleware(silent, "consentgate.toml")
    """)

    (failure,) = report()["failures"]

    assert failure["path"] == "/"
    assert failure["error"].startswith("TimeoutError: no answer within")


def test_an_application_may_wait_for_the_visitor_to_leave() -> None:
    write_app("""
        async def patient(scope, receive, send):
            if scope["type"] == "lifespan":
                return
            first = await receive()
            await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
            await send({"type": "http.response.body", "body": first["body"]})
            await send({"type": "http.response.trailers", "headers": []})
            assert (await receive())["type"] == "http.disconnect"

        app = ConsentMiddleware(patient, "consentgate.toml")
    """)

    assert report()["ok"]


def test_of_a_group_of_errors_the_one_that_counts_is_named() -> None:
    write_app("""
        def answers(scope, cookies):
            raise ExceptionGroup("unhandled errors in a TaskGroup", [ValueError("tea")])
    """)

    assert report()["failures"][0]["error"] == "ValueError: tea"


def test_an_application_that_sends_nothing_is_reported() -> None:
    write_app("""
        async def mute(scope, receive, send):
            pass

        app = ConsentMiddleware(mute, "consentgate.toml")
    """)

    assert report()["failures"] == [{"path": "/", "error": "RuntimeError: it ended without sending a response"}]


@pytest.mark.parametrize(
    "lifespan",
    [
        pytest.param("raise NotImplementedError", id="raises"),
        pytest.param("return", id="ignores"),
        pytest.param("await receive(); await send({'type': 'lifespan.startup.complete'}); return", id="leaves_early"),
    ],
)
def test_an_application_without_a_proper_lifespan_is_checked_all_the_same(lifespan: str) -> None:
    write_app(f"""
        async def plain(scope, receive, send):
            if scope["type"] == "lifespan":
                {lifespan}
            await send({{"type": "http.response.start", "status": 200, "headers": ()}})
            await send({{"type": "http.response.body"}})

        app = ConsentMiddleware(plain, "consentgate.toml")
    """)

    assert report()["ok"]


# What cannot be checked ends with 2.


def problem(*arguments: str) -> str:
    result = check(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.stderr.partition("Error: ")[2].split())


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere:app", "There is no module nowhere in "),
        ("site_app.py:app", "Leave out the ending: site_app."),
        ("site_app:ap", "site_app:ap: there is no ap in site_app. Did you mean app?"),
        ("site_app:answers.app", "there is no app in answers."),
        ("site_app:asked", "site_app:asked is a list, not an ASGI application."),
        ("site_app:answers", "site_app:answers does not take scope, receive and send"),
        ("site_app:built_in", "No ConsentMiddleware took the request"),
        ("site_app:app(1)", "is not a name such as shop:app"),
        ("site_app:fails()", "site_app:fails() failed: KeyError: 'tea' (site_app.py, line"),
        ("site_app:leaves()", "site_app:leaves() failed: SystemExit: 3"),
        ("needy:app", "The module needy needs not_installed_anywhere, which is not installed here."),
        ("faulty:app", "The module faulty cannot be imported: SyntaxError"),
    ],
)
def test_an_application_that_cannot_be_imported_is_explained(target: str, said: str) -> None:
    write("needy.py", "import not_installed_anywhere")
    write("faulty.py", "def")
    write_app("""
        def answers(scope, cookies):
            return page(), []

        built_in = dict

        def fails():
            raise KeyError("tea")

        def leaves():
            raise SystemExit(3)
    """)

    assert said in problem(target)


def test_a_factory_is_called() -> None:
    write_app(CLEAN + "\n    class made:\n        def app():\n            return app\n")

    assert check("site_app:made.app()").exit_code == 0


def test_an_application_that_does_not_start_is_explained() -> None:
    write_app("""
        async def app(scope, receive, send):
            await send({"type": "lifespan.startup.failed", "message": "Traceback\\n  x\\nOSError: no database\\n"})
    """)

    assert problem("site_app:app") == "site_app:app did not start: OSError: no database"


def test_an_application_that_never_starts_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentgate.cli.visitor._STARTUP_SECONDS", 0.05)
    monkeypatch.setattr("consentgate.cli.visitor._LINGER_SECONDS", 0.05)
    write_app("""
        async def app(scope, receive, send):
            await __import__("asyncio").sleep(60)
    """)

    assert problem("site_app:app") == "site_app:app did not start: no word within 0 seconds"


def test_an_application_without_the_middleware_needs_a_policy() -> None:
    write_app(CLEAN)

    said = problem("site_app:inner")

    assert said.startswith("No ConsentMiddleware took the request for / on localhost.")
    assert "--policy" in said
    assert "--host" in said


def test_an_application_that_raises_outside_the_middleware_is_explained() -> None:
    write_app("""
        async def app(scope, receive, send):
            raise ValueError("tea")
    """)

    assert "The application raised ValueError: tea (site_app.py, line" in problem("site_app:app")


def test_an_application_without_the_middleware_is_checked_against_a_given_policy() -> None:
    write("other.toml", POLICY)
    write_app("""
        def answers(scope, cookies):
            return page(), ["basket=1"]
    """)

    result = check("site_app:inner", "--policy", "other.toml")

    assert result.exit_code == 1
    assert "The cookie basket is not in the policy" in result.stdout


# A wrong policy ends with 1.


@pytest.mark.parametrize(
    "arguments", [("consentgate.toml",), (), ("site_app:app",), ("site_app:inner", "--policy", "consentgate.toml")]
)
def test_a_wrong_policy_is_explained_wherever_it_stands(arguments: tuple[str, ...]) -> None:
    write("consentgate.toml", POLICY.replace("privacy@luton.example", "nobody"))
    write_app(CLEAN)

    result = CliRunner().invoke(consentgate, ["check", *arguments])

    assert result.exit_code == 1
    assert "controller.email = 'nobody'" in result.stderr


def test_a_cookie_without_a_usable_name_has_a_remedy_without_lines() -> None:
    write_app("""
        def answers(scope, cookies):
            links = "".join(f"<a href=/{number}>" for number in range(9))
            return page(links), ["=1", "\x1b[31m\x07=1"] if scope["path"] == "/" or "cg" not in cookies else []
    """)

    result = check()

    assert "✗ The cookie without a name is not in the policy\n  Met on /, /0, /1, /2 and 6 more by" in result.stdout
    assert "Give the cookie another one, of letters, digits, - and _." in result.stdout
    assert "\x1b" not in result.stdout


def test_a_file_is_checked_as_ever() -> None:
    result = check("consentgate.toml")

    assert result.exit_code == 0
    assert result.stdout.startswith("✓ consentgate.toml is right: Luton asks about analytics, marketing")


def test_a_missing_file_is_no_application() -> None:
    result = check("nowhere.toml")

    assert result.exit_code == 1
    assert "No such file" in result.stderr


def test_machines_are_told_of_files_too() -> None:
    assert json.loads(check("consentgate.toml", "--json").stdout) == {
        "ok": True,
        "target": "consentgate.toml",
        "problems": [],
    }

    write("consentgate.toml", POLICY.replace("Luton Council", ""))
    result = check("consentgate.toml", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"] == ["controller.name = '': Name the data controller."]


def test_no_signing_key_is_needed_and_a_given_one_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    write_app(CLEAN)
    assert check().exit_code == 0

    monkeypatch.setenv(KEYS_VARIABLE, "tests-sign-with-this-key-0123456789")
    assert check().exit_code == 0
    assert os.environ[KEYS_VARIABLE] == "tests-sign-with-this-key-0123456789"


# The lines to add.

MODEL = ConsentPolicy(
    site_name="Luton",
    controller=Controller(name="Luton Council", email="privacy@luton.example"),
    categories=(
        Category(id="analytics", services=(GoogleAnalytics(measurement_id="G-LUTON123"),)),
        Category(id="media", title="Media", purpose="P", items=(StorageItem(name="_fbp", purpose="P", duration="D"),)),
    ),
)
BARE = ConsentPolicy(site_name="Luton", controller=MODEL.controller)


@pytest.mark.parametrize(
    ("attributes", "duration"),
    [
        ("", "When you close your browser"),
        ("; Max-Age=60", "1 minute"),
        ("; Max-Age=5", "1 minute"),
        ("; Max-Age=5400", "90 minutes"),
        ("; Max-Age=7200", "2 hours"),
        ("; Max-Age=1209600", "14 days"),
        ("; max-age=15897600; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "184 days"),
        ("; Max-Age=31449600", "1 year"),
        ("; Max-Age=99999999999", "400 days"),
        ("; Expires=Mon, 21 Sep 2026 15:13:20 GMT", "1 hour"),
        ("; Expires=Mon, 21-Sep-26 15:13:20 GMT", "1 hour"),
        ("; Expires=Mon, 21 Sep 99999 15:13:20 GMT", "When you close your browser"),
        ("; Expires=tomorrow; Max-Age=soon", "When you close your browser"),
    ],
)
def test_the_duration_is_read_from_the_cookie(attributes: str, duration: str) -> None:
    lines = remedy_for_cookie(MODEL, f"basket=1{attributes}".encode(), NOW).lines

    (item,) = tomllib.loads(lines)["categories"]["preferences"]["items"]
    assert item["duration"] == duration


def test_category_and_purpose_of_a_well_known_cookie_are_given_and_of_others_guessed() -> None:
    known = remedy_for_cookie(BARE, b"_ga=1; Path=/", NOW).lines
    unknown = remedy_for_cookie(MODEL, b"gallery=1", NOW).lines

    assert "categories.analytics" in known
    assert 'provider = "Google"' in known
    assert "Guessed" not in known
    assert "Guessed" in unknown


@settings(deadline=None)  # other work may slow the machine down
@given(st.binary(min_size=1, max_size=40), st.sampled_from([b"", b"; Path=/shop", b"; Max-Age=9", b"; Path=/\xfc"]))
def test_whatever_the_name_the_lines_make_a_policy_that_knows_it(name: bytes, attributes: bytes) -> None:
    line = name + b"=1" + attributes
    Path("before.toml").write_text(dedent(POLICY), encoding="utf-8")
    policy = load_policy("before.toml")
    remedy = remedy_for_cookie(policy, line, NOW)

    if not remedy.lines:
        assert "Give the cookie another one" in remedy.text
        return
    file = Path("declared.toml")
    file.write_text(dedent(POLICY) + "\n" + remedy.lines, encoding="utf-8")
    assert CookieRules(load_policy(file)).category_of(set_cookie_name(line)) is not None


def finding(markup: str) -> Finding:
    (found,) = find_tags(markup.encode())
    return found


GA = finding("<script src=https://www.google-analytics.com/analytics.js></script>")
PIXEL = finding("<script>fbq('init')</script>")
VIDEO = finding("<iframe src=https://www.youtube.com/embed/1></iframe>")


@pytest.mark.parametrize(
    ("found", "category"),
    [
        pytest.param(GA, "analytics", id="by_the_service"),
        pytest.param(PIXEL, "media", id="by_a_cookie_of_it"),
        pytest.param(VIDEO, None, id="not_at_all"),
    ],
)
def test_a_policy_declares_a_service_by_itself_or_by_its_cookies(found: Finding, category: str | None) -> None:
    declared = declaring_category(MODEL, found)

    assert (declared and declared.id) == category


def test_the_remedy_fits_what_the_policy_knows() -> None:
    assert remedy_for_tag(MODEL, GA).lines == ""
    assert remedy_for_tag(BARE, GA).lines == (
        '[[categories.analytics.services]]\ntype = "google-analytics"\nmeasurement_id = "…"\nprinted = true\n'
    )
    report = replace(BARE, printed_tags="report")
    assert "printed" not in remedy_for_tag(report, GA).lines
    assert remedy_for_tag(MODEL, PIXEL).text == (
        'Put the tag into {% if request.state.consent.allows("media") %} … {% endif %}.'
    )
    assert remedy_for_tag(report, VIDEO).text.startswith("Show a picture of your own")
    assert tomllib.loads(remedy_for_tag(report, VIDEO).lines)["categories"]["marketing"]["items"][0]["type"] == "script"
    assert tomllib.loads(remedy_for_tag(MODEL, VIDEO).lines)["categories"]["marketing"]["services"] == [
        {"type": "youtube"}
    ]
