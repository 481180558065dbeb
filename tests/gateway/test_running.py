"""How `consentgate serve` is told what to do, and what it tells: settings, several sites, health, metrics, logs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentgate.cli.commands import consentgate
from consentgate.errors import ConfigurationError
from consentgate.policy_file import load_gateway, load_policy
from tests.conftest import KEY
from tests.gateway.behind import OK, Conversation, RawSite, answering, raw_site
from tests.gateway.front import POLICY, Front, eventually, gateway, get, receive_all
from tests.mounts.servers import free_port

GET = b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
SECRETS = ("203.0.113.77", "s3cret-path", "s3cret-query", "s3cret-cookie", "s3cret-agent", "s3cret-form")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "consentgate.toml"
    path.write_text(POLICY + '[gateway]\nupstream = "http://127.0.0.1:8080"\n')
    return path


# Settings


def test_what_the_command_line_says_goes_before_the_file(file: Path) -> None:
    settings = load_gateway(file, {"workers": 3, "trusted_proxies": ["10.0.0.0/8"]})

    assert (settings.upstream, settings.workers) == ("http://127.0.0.1:8080", 3)
    assert settings.trusted_proxies == ("10.0.0.0/8",)


def test_a_file_for_the_gateway_is_a_policy_for_the_middleware_too(file: Path) -> None:
    assert load_policy(file).site_name == "Luton"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("workers = 0", "gateway.workers = 0: Use a number from 1 to 256."),
        ('workers = "two"', "gateway.workers = 'two': Expected a whole number, got text in quotes."),
        ('listen = "8000"', "gateway.listen = '8000': Write host and port"),
        ('listen = "127.0.0.1:99999"', "gateway.listen = '127.0.0.1:99999': Write host and port"),
        ('trusted_proxies = ["everyone"]', "gateway.trusted_proxies[0] = 'everyone': Write an address or a network"),
        ('trusted_headers = "all"', "gateway.trusted_headers = 'all': Use one of x-forwarded, forwarded."),
        ("idle_seconds = 0", "gateway.idle_seconds = 0.0: Use more than 0 seconds"),
        ("connections = 0", "gateway.connections = 0: Use a number from 1 to 100000."),
        ('log = "xml"', "gateway.log = 'xml': Use one of json, text."),
        ('metrics = "9464"', "gateway.metrics = '9464': Write host and port"),
        ('metrics = "127.0.0.1:8000"', "gateway.metrics = '127.0.0.1:8000': Give it another port than listen"),
        ('upstreem = "x"', "gateway.upstreem = 'x': There is no such setting. Did you mean upstream?"),
        ('[sites."A.example"]\nupstream = "http://a"', "sites.\"A.example\" = 'A.example': Write the host alone"),
        ('[sites."a.example"]', 'sites."a.example".upstream: It is missing. Add it.'),
        ('[sites."a.example"]\nupstream = "a:80"', "sites.\"a.example\".upstream = 'a:80': Write http:// or https://"),
    ],
)
def test_every_wrong_setting_is_named_with_its_remedy(file: Path, lines: str, said: str) -> None:
    file.write_text(file.read_text() + lines + "\n")

    with pytest.raises(ConfigurationError) as error:
        load_gateway(file, {})
    with pytest.raises(ConfigurationError):  # `consentgate check` finds it as well
        load_policy(file)

    assert said in str(error.value)


@pytest.mark.parametrize(
    "upstream",
    [
        "ftp://a",
        "127.0.0.1:80",
        "http://",
        "http://a/path",
        "http://a?x",
        "http://user:pass@a",
        "http://a:99999",
        "//a",
    ],
)
def test_an_upstream_is_an_address_without_a_path(file: Path, upstream: str) -> None:
    with pytest.raises(ConfigurationError, match=r"gateway\.upstream"):
        load_gateway(file, {"upstream": upstream})


def test_without_any_site_the_gateway_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "consentgate.toml").write_text(POLICY)

    with pytest.raises(ConfigurationError, match=r"gateway\.upstream: Say where the site is"):
        load_gateway(tmp_path / "consentgate.toml", {})


@pytest.mark.parametrize(
    ("options", "keys", "said"),
    [
        pytest.param(["--workers", "0"], KEY, "gateway.workers = 0", id="setting"),
        pytest.param([], "short", "the signing keys", id="key"),
        pytest.param(["--policy", "missing.toml"], KEY, "missing.toml", id="file"),
    ],
)
def test_the_command_says_what_is_wrong_and_starts_nothing(
    file: Path, options: list[str], keys: str, said: str
) -> None:
    result = CliRunner().invoke(consentgate, ["serve", "--policy", str(file), *options], env={"CONSENTGATE_KEYS": keys})

    assert result.exit_code == 1
    assert said in result.output


def test_a_port_that_is_taken_is_said_with_its_place(file: Path) -> None:
    with raw_site() as site:
        listen = ["--listen", f"127.0.0.1:{site.port}"]
        result = CliRunner().invoke(
            consentgate, ["serve", "--policy", str(file), *listen], env={"CONSENTGATE_KEYS": KEY}
        )

    assert result.exit_code == 1
    assert "gateway.listen" in result.output
    assert "already in use" in result.output


# Several sites


def test_each_host_gets_its_own_site_and_no_other_host_any(tmp_path: Path) -> None:
    with raw_site() as main, raw_site() as invest:
        main.handler = answering(OK.replace(b"\r\nok", b"\r\nma"))
        invest.handler = answering(OK.replace(b"\r\nok", b"\r\nin"))
        tables = f"""
            [sites."luton.example"]
            upstream = "http://127.0.0.1:{main.port}"
            [sites."invest.luton.example"]
            upstream = "http://127.0.0.1:{invest.port}"
        """
        with gateway(tmp_path, None, more=tables) as front:
            answers = [
                front.ask(GET % host) for host in (b"luton.example", b"Invest.Luton.example:80", b"evil.example")
            ]
            ready = front.visitor()
            with ready:
                sites = ready.get("/cookies/ready").json()["sites"]

    assert answers[0].endswith(b"ma")
    assert answers[1].endswith(b"in")
    assert answers[2].startswith(b"HTTP/1.1 421 ")
    assert sites == {"luton.example": True, "invest.luton.example": True}


# What it tells


def test_health_and_readiness_are_for_get_and_never_kept(front: Front, behind: RawSite) -> None:
    with front.visitor() as visitor:
        health, ready = visitor.get("/cookies/health"), visitor.get("/cookies/ready")
        posted = visitor.post("/cookies/health")

    assert (health.json(), ready.json()) == ({"healthy": True}, {"ready": True, "sites": {"default": True}})
    assert health.headers["cache-control"] == ready.headers["cache-control"] == "no-store"
    assert posted.status_code == 405
    assert behind.requests == []


def test_metrics_add_up_over_all_workers(tmp_path: Path) -> None:
    port = free_port()
    with raw_site() as site, gateway(tmp_path, site.port, "--workers", "2", "--metrics", f"127.0.0.1:{port}") as front:
        for _ in range(40):
            get(front.url)
        text = counted(port, 'consentgate_request_seconds_count{site="default"} 40.0')
        on_the_site = get(f"{front.url}/metrics")

    assert 'consentgate_requests_total{method="GET",site="default",status="200"} 40.0' in text
    assert 'consentgate_open_requests{site="default"} 0.0' in text
    assert 'consentgate_request_seconds_count{site="default"} 40.0' in text
    assert on_the_site.text == "ok"  # the path is the site's own


def test_metrics_count_outages_by_status(tmp_path: Path) -> None:
    port = free_port()
    with gateway(tmp_path, free_port(), "--metrics", f"127.0.0.1:{port}") as front:
        get(front.url)
        text = counted(port, 'consentgate_outages_total{site="default",status="502"} 1.0')

    assert 'consentgate_outages_total{site="default",status="502"} 1.0' in text


def test_a_visitor_chooses_no_label(tmp_path: Path) -> None:
    port = free_port()
    with raw_site() as site, gateway(tmp_path, site.port, "--metrics", f"127.0.0.1:{port}") as front:
        front.ask(GET % b"invented.example")
        front.ask(b"INVENTED" + (GET % b"a")[3:])
        front.ask(b"PROPFIND" + (GET % b"a")[3:])
        text = counted(port, 'consentgate_request_seconds_count{site="default"} 2.0')

    assert "invented" not in text.lower()
    assert 'method="other"' in text


def test_log_lines_are_json_and_hold_nothing_of_the_visitor(tmp_path: Path) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.body()
        talk.hang_up()

    with raw_site() as site, gateway(tmp_path, site.port) as front:
        request = (
            b"GET /s3cret-path?s3cret-query HTTP/1.1\r\nHost: a\r\nUser-Agent: s3cret-agent\r\nConnection: close\r\n"
        )
        lines = b"Cookie: session=s3cret-cookie\r\nX-Forwarded-For: 203.0.113.77\r\n\r\n"
        front.ask(request + lines)
        site.handler = handler
        front.ask(request.replace(b"GET", b"POST") + b"Content-Length: 11\r\n" + lines + b"s3cret-form")
        front.ask(b"GET  /s3cret-path HTTP/1.1\r\n\r\n")
        eventually(
            lambda: front.said().count('"consentgate.access"') == 2 and "Invalid HTTP" in front.said(), front.said
        )
        said = front.said()

    records = [json.loads(line) for line in said.splitlines()]
    access = [record for record in records if record["event"] == "consentgate.access" and record["method"] == "POST"]
    assert access[0].keys() == {"time", "level", "event", "process", "site", "method", "status", "seconds", "bytes"}
    assert access[0]["status"] == 502
    assert [secret for secret in SECRETS if secret in said] == []


def test_log_lines_may_be_for_people_and_answers_unlogged(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port, "--log", "text", "--no-access-log") as front:
        front.ask(GET % b"a")
        front.stop()
        said = front.said()

    assert re.search(r"^[0-9-]+ [0-9:,]+ INFO consentgate\.gateway: Listening on", said, re.MULTILINE)
    assert "status=200" not in said


def test_the_gateway_stops_without_complaint(tmp_path: Path) -> None:
    with raw_site() as site, gateway(tmp_path, site.port, "--workers", "2") as front:
        front.ask(GET % b"a")
        status = front.stop()
        said = front.said()

    assert status == 0
    assert "Traceback" not in said


def test_metrics_count_pages_banners_choices_and_withheld_cookies(tmp_path: Path) -> None:
    port = free_port()
    page = b"<!doctype html><title>x</title><body>x"
    lines = b"Content-Type: text/html\r\nSet-Cookie: _ga=1\r\nSet-Cookie: _odd=1\r\nSet-Cookie: session=1\r\n"
    with (
        raw_site() as site,
        gateway(tmp_path, site.port, "--workers", "2", "--metrics", f"127.0.0.1:{port}") as front,
        front.visitor() as visitor,
    ):
        site.handler = answering(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (lines, len(page), page))
        for _ in range(3):
            visitor.get("/", headers={"connection": "close"})
        visitor.post("/cookies/choice", data={"choice": "reject_all"})
        visitor.get("/", headers={"connection": "close"})
        site.handler = answering(OK)
        visitor.get("/file")
        text = counted(port, 'consentgate_request_seconds_count{site="default"} 6.0')

    assert 'consentgate_pages_total{site="default"} 4.0' in text
    assert 'consentgate_banners_total{site="default"} 3.0' in text
    assert 'consentgate_choices_total{outcome="reject_all",site="default"} 1.0' in text
    assert 'consentgate_cookies_withheld_total{category="analytics",site="default"} 4.0' in text
    assert 'consentgate_cookies_withheld_total{category="undeclared",site="default"} 4.0' in text


def counted(port: int, line: str) -> str:
    """Return the counts once a line is among them: a worker counts an answer after the visitor has it."""
    address = f"http://127.0.0.1:{port}/metrics"
    eventually(lambda: line in get(address).text, lambda: get(address).text)
    return get(address).text


def test_many_who_ask_for_readiness_at_once_cost_the_site_one_connection(front: Front, behind: RawSite) -> None:
    request = GET.replace(b"GET /", b"GET /cookies/ready") % b"a"
    before = behind.connections
    asking = [front.connect() for _ in range(200)]
    for connection in asking:
        connection.sendall(request)
    answers = [receive_all(connection) for connection in asking]
    for connection in asking:
        connection.close()

    assert all(answer.endswith(b'{"ready":true,"sites":{"default":true}}') for answer in answers)
    assert behind.connections - before < 10  # one in a second or so
