"""The files that people copy from examples/gateway/ are right: nginx runs one of them in front of the gateway."""

from __future__ import annotations

import os
import re
import shlex
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import trustme

from consentgate.cli.commands import consentgate
from consentgate.policy_file import load_gateway, load_policy
from examples.gateway.processes import find, free_port, process, wait_for_port
from tests.conftest import BANNER
from tests.gateway.behind import OK, RawSite, answering, raw_site
from tests.gateway.front import PATIENCE, Front, gateway
from tests.needs import leave_out

FOLDER = Path(__file__).parents[2] / "examples" / "gateway"
PAGE = b"<!doctype html><title>x</title><body>x"
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)


class BehindTLS(NamedTuple):
    """Hold a site behind nginx.

    Args:
        site: the site.
        port: nginx'.
        tls: what believes nginx' certificate.
    """

    site: RawSite
    port: int
    tls: ssl.SSLContext

    def visitor(self) -> httpx.Client:
        """Return a browser."""
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"host": "stepforwardluton.example", "accept": "text/html"},
            verify=self.tls,
            http2=True,
            trust_env=False,
            timeout=PATIENCE,
        )


@pytest.fixture(scope="module")
def behind_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BehindTLS]:
    """Run the example's nginx in front of the gateway."""
    if (nginx := find("nginx")) is None:
        leave_out("needs nginx")
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "stepforwardluton.example")
    authority.cert_pem.write_to_path(str(folder / "ca"))
    certificate.private_key_pem.write_to_path(str(folder / "key"))
    (folder / "cert").write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    port = free_port()
    with raw_site() as site, gateway(tmp_path_factory.mktemp("gateway"), site.port) as front:
        (folder / "nginx.conf").write_text(configuration(folder, port, front), encoding="utf-8")
        command = [nginx, "-e", str(folder / "error"), "-c", str(folder / "nginx.conf")]
        with process(folder / "out", command):
            wait_for_port(port)
            yield BehindTLS(site, port, ssl.create_default_context(cafile=str(folder / "ca")))


def configuration(folder: Path, port: int, front: Front) -> str:
    """Return the example with this machine's ports and paths, in a frame that keeps nginx to one folder."""
    example = (FOLDER / "nginx-tls.conf").read_text(encoding="utf-8")
    example = example.replace("listen 443", f"listen 127.0.0.1:{port}").replace(
        "127.0.0.1:8000", f"127.0.0.1:{front.port}"
    )
    example = example.replace("/etc/ssl/certs/luton.pem", str(folder / "cert"))
    example = example.replace("/etc/ssl/private/luton.key", str(folder / "key"))
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    frame = f"daemon off; {user} pid {folder / 'pid'}; events {{}} http {{ access_log off; {temporary}"
    return f"{frame}{example} }}"


def test_behind_nginx_cookies_are_secure_and_the_site_knows_the_visitor(behind_tls: BehindTLS) -> None:
    site = behind_tls.site
    site.handler = answering(HTML)
    with behind_tls.visitor() as browser:
        page = browser.get("/", headers={"x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "http"})
        chosen = browser.post(
            "/cookies/choice", data={"choice": "reject_all"}, headers={"sec-fetch-site": "same-origin"}
        )

    assert BANNER in page.content
    assert "__Host-consentgate=" in chosen.headers["set-cookie"]
    assert "Secure" in chosen.headers["set-cookie"]
    request = site.requests[0]
    assert request.header("host") == [b"stepforwardluton.example"]
    assert request.header("x-forwarded-for") == [b"127.0.0.1, 127.0.0.1"]
    assert request.header("x-forwarded-proto") == [b"https"]


def test_an_upload_and_a_download_pass_both(behind_tls: BehindTLS) -> None:
    site = behind_tls.site
    site.handler = answering(OK)
    with behind_tls.visitor() as browser:
        answer = browser.post("/up", content=bytes(5_000_000))

    assert answer.text == "ok"
    assert site.requests[-1].header("content-length") == [b"5000000"]


def test_the_example_policy_is_right() -> None:
    settings = load_gateway(FOLDER / "consentgate.toml", {})

    assert load_policy(FOLDER / "consentgate.toml").site_name == "Step Forward Luton"
    assert settings.workers == 2


@pytest.mark.parametrize(
    ("file", "pattern"),
    [("consentgate.service", r"^ExecStart=\S+ (.*)$"), ("Containerfile", r"^ENTRYPOINT \[(.*)\]$")],
)
def test_the_commands_in_the_examples_have_options_that_there_are(file: str, pattern: str) -> None:
    found = re.search(pattern, (FOLDER / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    words = shlex.split(found[1].replace(",", " "))

    known = {option for parameter in consentgate.commands["serve"].params for option in parameter.opts}

    assert "serve" in words
    assert {word for word in words if word.startswith("--")} <= known
