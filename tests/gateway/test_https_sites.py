"""Sites behind the gateway that speak TLS: who they are is checked, and what is wrong is said with its remedy."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread

import pytest
import trustme
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from consentgate.errors import ConfigurationError
from consentgate.policy_file import load_gateway
from tests.gateway.behind import Conversation, RawSite, answering, raw_site
from tests.gateway.front import PATIENCE, POLICY, gateway, receive_all
from tests.mounts.servers import free_port

GET = b"GET / HTTP/1.1\r\nHost: luton.example\r\nConnection: close\r\n\r\n"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the file with the authority's certificate."""
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


def tls_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return what a server needs to show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@contextmanager
def https_site(certificate: trustme.LeafCert) -> Iterator[tuple[RawSite, list[str]]]:
    """Run a site, and yield it with the names that it was asked for at the beginning of TLS."""
    asked: list[str] = []
    context = tls_of(certificate)
    context.sni_callback = lambda _, name, __: asked.append(name or "nobody")
    with raw_site(tls=context) as site:
        yield site, asked


@contextmanager
def wss_site(certificate: trustme.LeafCert, talk: Callable[[ServerConnection], None]) -> Iterator[int]:
    """Run a websocket server, and yield its port."""
    with serve(talk, "127.0.0.1", 0, ssl=tls_of(certificate), open_timeout=PATIENCE) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


def at(host: str, site: RawSite) -> str:
    return f"https://{host}:{site.port}"


def test_a_site_with_a_certificate_of_the_named_authority_is_passed_on(
    tmp_path: Path, authority: trustme.CA, ca_file: str
) -> None:
    with (
        https_site(authority.issue_cert("localhost")) as (site, asked),
        gateway(tmp_path, at("localhost", site), "--ca-file", ca_file) as front,
    ):
        answer = front.ask(b"GET / HTTP/1.1\r\nHost: luton.example\r\n\r\n" + GET)

    assert answer.count(b"\r\n\r\nok") == 2
    assert asked == ["localhost"]  # one connection for both
    assert site.requests[0].header("host") == [b"luton.example"]


def test_much_goes_up_and_down_over_tls(tmp_path: Path, authority: trustme.CA, ca_file: str) -> None:
    content = bytes(range(256)) * 40_000
    seen: list[bytes] = []

    async def handler(talk: Conversation) -> None:
        seen.append(await talk.body())
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))

    with (
        https_site(authority.issue_cert("localhost")) as (site, _),
        gateway(tmp_path, at("localhost", site), "--ca-file", ca_file) as front,
        front.connect() as connection,
    ):
        site.handler = handler
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(content)
        connection.sendall(head + content)
        answer = receive_all(connection)

    assert seen == [content]
    assert answer.endswith(content)


def test_an_address_with_a_certificate_for_a_host_is_checked_for_that_host(
    tmp_path: Path, authority: trustme.CA, ca_file: str
) -> None:
    options = ["--ca-file", ca_file, "--certificate-host", "stepforwardluton.example"]
    with (
        https_site(authority.issue_cert("stepforwardluton.example")) as (site, asked),
        gateway(tmp_path, at("127.0.0.1", site), *options) as front,
    ):
        answer = front.ask(GET)

    assert answer.endswith(b"ok")
    assert asked == ["stepforwardluton.example"]


def test_an_address_with_a_certificate_for_it_is_passed_on(tmp_path: Path, authority: trustme.CA, ca_file: str) -> None:
    with (
        https_site(authority.issue_cert("127.0.0.1")) as (site, _),
        gateway(tmp_path, at("127.0.0.1", site), "--ca-file", ca_file) as front,
    ):
        answer = front.ask(GET)

    assert answer.endswith(b"ok")


@pytest.mark.parametrize(
    ("host", "options", "remedy"),
    [
        pytest.param("unknown", [], "Name the certificate of the authority that made it as ca_file", id="authority"),
        pytest.param("expired", ["--ca-file"], "Renew it, and look at the clock of this machine", id="expired"),
        pytest.param("other", ["--ca-file"], "Name the host that it is for as certificate_host", id="other_host"),
    ],
)
def test_a_certificate_that_is_not_to_be_believed_is_a_502_and_a_line_in_the_log_that_says_what_to_do(
    tmp_path: Path, authority: trustme.CA, ca_file: str, host: str, options: list[str], remedy: str
) -> None:
    certificates = {
        "unknown": authority.issue_cert("localhost"),
        "expired": authority.issue_cert("localhost", not_before=YESTERDAY - timedelta(days=1), not_after=YESTERDAY),
        "other": authority.issue_cert("other.example"),
    }
    words = [*options, ca_file] if options else []
    with (
        https_site(certificates[host]) as (site, _),
        gateway(tmp_path, at("localhost", site), *words) as front,
    ):
        answer = front.ask(GET)
        ready = front.ask(GET.replace(b"/", b"/cookies/ready", 1))
        said = front.said()

    assert answer.startswith(b"HTTP/1.1 502 ")
    assert ready.startswith(b"HTTP/1.1 503 ")
    assert site.requests == []
    assert "The site default: its certificate is not to be believed: " in said
    assert f". {remedy}." in said


def test_a_site_that_speaks_plain_http_at_https_is_a_502_that_says_so(tmp_path: Path) -> None:
    class Plain(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with TCPServer(("127.0.0.1", 0), Plain) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        with gateway(tmp_path, f"https://localhost:{server.server_address[1]}") as front:
            answer = front.ask(GET)
            said = front.said()
        server.shutdown()
        thread.join()

    assert answer.startswith(b"HTTP/1.1 502 ")
    assert "it speaks no TLS that is understood here" in said
    assert "write http:// as upstream." in said


def test_each_site_is_checked_by_its_own_authority(tmp_path: Path, authority: trustme.CA, ca_file: str) -> None:
    stranger = trustme.CA()
    (tmp_path / "stranger.pem").write_bytes(stranger.cert_pem.bytes())
    with (
        https_site(authority.issue_cert("localhost")) as (main, _),
        https_site(stranger.issue_cert("localhost")) as (other, _),
    ):
        tables = f"""
            [gateway]
            ca_file = '{ca_file}'
            [sites."luton.example"]
            upstream = "{at("localhost", main)}"
            [sites."other.example"]
            upstream = "{at("localhost", other)}"
            ca_file = "stranger.pem"
            [sites."wrong.example"]
            upstream = "{at("localhost", other)}"
        """
        with gateway(tmp_path, None, more=tables) as front:
            answers = [front.ask(GET.replace(b"luton", one)) for one in (b"luton", b"other", b"wrong")]

    assert [answer.split()[1] for answer in answers] == [b"200", b"200", b"502"]


def test_websockets_go_over_tls_and_are_refused_where_it_cannot_be_believed(
    tmp_path: Path, authority: trustme.CA, ca_file: str
) -> None:
    def talk(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with wss_site(authority.issue_cert("localhost"), talk) as port:
        with (
            gateway(tmp_path, f"https://localhost:{port}", "--ca-file", ca_file) as front,
            connect(f"ws://127.0.0.1:{front.port}/", proxy=None, open_timeout=PATIENCE) as connection,
        ):
            connection.send("hello")
            heard = connection.recv(timeout=PATIENCE)
        with gateway(tmp_path, f"https://localhost:{port}") as front, pytest.raises(InvalidStatus) as refusal:
            connect(f"ws://127.0.0.1:{front.port}/", proxy=None, open_timeout=PATIENCE)
        said = front.said()

    assert heard == "hello"
    assert refusal.value.response.status_code == 502
    assert "took no websocket: its certificate is not to be believed" in said


def test_an_answer_that_is_cut_off_within_tls_is_not_whole(tmp_path: Path, authority: trustme.CA, ca_file: str) -> None:
    async def handler(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        talk.hang_up()

    with (
        https_site(authority.issue_cert("localhost")) as (site, _),
        gateway(tmp_path, at("localhost", site), "--ca-file", ca_file) as front,
    ):
        site.handler = handler
        answer = front.ask(GET)
        site.handler = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        after = front.ask(GET)

    assert answer.endswith(b"half")
    assert b"ength: 100" in answer
    assert after.endswith(b"ok")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('ca_file = "missing.pem"', "No such file or directory. Name a file of certificates"),
        ('ca_file = "consentgate.toml"', "Name a file of certificates in PEM form"),
        ('certificate_host = "https://a"', "gateway.certificate_host = 'https://a': Write the host alone"),
        ('[sites."a.example"]\nupstream = "https://a"\nca_file = "missing.pem"', 'sites."a.example".ca_file = '),
        (
            '[sites."a.example"]\nupstream = "http://a"\ncertificate_host = "a"',
            "sites.\"a.example\".certificate_host = 'a': It is for sites at https:// and there is none",
        ),
    ],
)
def test_what_cannot_be_checked_by_stops_the_start(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "consentgate.toml"
    file.write_text(f'{POLICY}[gateway]\nupstream = "https://127.0.0.1"\n{lines}\n')

    with pytest.raises(ConfigurationError) as error:
        load_gateway(file, {})

    assert said in str(error.value)


def test_an_authority_for_a_site_without_tls_is_a_mistake(tmp_path: Path, ca_file: str) -> None:
    file = tmp_path / "consentgate.toml"
    file.write_text(f'{POLICY}[gateway]\nupstream = "http://127.0.0.1:{free_port()}"\n')

    with pytest.raises(ConfigurationError, match=r"gateway\.ca_file.*write https:// as upstream"):
        load_gateway(file, {"ca_file": ca_file})
