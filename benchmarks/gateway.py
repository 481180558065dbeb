"""Load on `consentgate serve`, beside the same site direct and through nginx: `python -m benchmarks.gateway`.

Needs nginx and wrk; with `--wordpress`, what examples/gateway/wordpress needs as well. Everything runs on loopback, the
load on the same machine, so that the figures are for comparing with each other.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.gateway import wordpress
from examples.gateway.processes import free_port, need, process, wait_for_port

KEY = "benchmarks-sign-with-this-key-0123456789"
POLICY = """
site_name = "Luton"
[controller]
name = "Luton Council"
email = "privacy@luton.example"
[[categories.analytics.services]]
type = "google-analytics"
measurement_id = "G-LUTON123"
[gateway]
access_log = false
"""
NGINX = """
daemon off; {user}
worker_processes {workers};
pid {folder}/{name}.pid;
error_log {folder}/{name}.log;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    keepalive_requests 10000000;
    client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi; uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
    upstream site {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""
FILES = "root {folder}/www;"
PROXY = """location / {{ proxy_pass http://site; proxy_http_version 1.1; proxy_set_header Connection "";
           proxy_set_header Host $http_host; }}"""
BROWSER = ("-H", "Accept: text/html", "-H", "Sec-Fetch-Dest: document")


@dataclass(frozen=True, slots=True)
class Load:
    """Name what is asked for.

    Args:
        title: for the table.
        path: of the request.
        words: further words of wrk's command line.
    """

    title: str
    path: str
    words: tuple[str, ...]


LOADS = (
    Load("page of 20 KB, undecided: banner", "/page.html", BROWSER),
    Load("page of 20 KB, refused: untouched", "/page.html", (*BROWSER, "-H", "Sec-GPC: 1")),
    Load("style sheet of 20 KB", "/style.css", ()),
    Load("picture of 1 MB", "/picture.png", ()),
)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--wordpress", action="store_true", help="a real WordPress as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        make_files(folder / "www")
        print("| | direct | nginx | gateway, 1 worker | gateway, 2 workers |\n|---|---|---|---|---|")
        with ExitStack() as stack:
            site = stack.enter_context(nginx(folder, "site", FILES, 1))
            ways = ways_to(stack, folder, site)
            for load in LOADS:
                print(row(load, ways, options.seconds, connections=32), flush=True)
        if options.wordpress:
            real(folder, options.seconds)


def real(folder: Path, seconds: int) -> None:
    """Measure a WordPress."""
    (folder / "wp").mkdir()
    with ExitStack() as stack:
        site = stack.enter_context(wordpress.running(folder / "wp"))
        ways = ways_to(stack, folder, site.port)
        load = Load("WordPress: a post, undecided", "/parks/", BROWSER)
        print(row(load, ways, seconds, connections=8), flush=True)


def ways_to(stack: ExitStack, folder: Path, site: int) -> list[int]:
    """Return the ports of the site, of nginx before it, and of two gateways."""
    through_nginx = stack.enter_context(nginx(folder, f"front-{site}", PROXY, 1, upstream=site))
    return [site, through_nginx, *(stack.enter_context(gateway(folder, site, workers)) for workers in (1, 2))]


def row(load: Load, ways: Sequence[int], seconds: int, connections: int) -> str:
    """Measure one load on every way."""
    cells = [measure(port, load, seconds, connections) for port in ways]
    return f"| {load.title} | {' | '.join(cells)} |"


def measure(port: int, load: Load, seconds: int, connections: int) -> str:
    """Return requests per second and the latency that 99 % stay below."""
    command = [need("wrk"), "-t1", f"-c{connections}", "--latency", *load.words]
    address = f"http://127.0.0.1:{port}{load.path}"
    subprocess.run([*command, "-d1s", address], check=True, capture_output=True)  # warm
    said = subprocess.run([*command, f"-d{seconds}s", address], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said, said
    assert "Socket errors" not in said, said
    rate, late = re.search(r"Requests/sec:\s+([0-9.]+)", said), re.search(r"99%\s+(\S+)", said)
    assert rate is not None
    assert late is not None
    return f"{float(rate[1]):,.0f}/s, p99 {late[1]}"


def make_files(folder: Path) -> None:
    """Write what is asked for."""
    folder.mkdir()
    body = "<p>Some text of a page, with words.</p>\n" * 500
    page = f"<!doctype html><html lang=en><head><meta charset=utf-8><title>x</title></head><body>{body}</body></html>"
    (folder / "page.html").write_text(page, encoding="utf-8")
    (folder / "style.css").write_text("p { margin: 0 }\n" * 1_250, encoding="utf-8")
    (folder / "picture.png").write_bytes(os.urandom(1_000_000))


@contextmanager
def nginx(folder: Path, name: str, location: str, workers: int, upstream: int = 1) -> Iterator[int]:
    """Run an nginx and yield its port."""
    port = free_port()
    file = folder / f"{name}.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    values = {"folder": folder, "name": name, "port": port, "upstream": upstream, "workers": workers, "user": user}
    file.write_text(NGINX.format(**values, location=location.format(folder=folder)), encoding="utf-8")
    with process(folder / f"{name}.out", [need("nginx"), "-e", str(folder / f"{name}.log"), "-c", str(file)]):
        wait_for_port(port)
        yield port


@contextmanager
def gateway(folder: Path, site: int, workers: int) -> Iterator[int]:
    """Run the gateway and yield its port."""
    port = free_port()
    file = folder / "consentgate.toml"
    file.write_text(POLICY, encoding="utf-8")
    start = [sys.executable, "-c", "from consentgate.cli import main; main()", "serve", "--policy", str(file)]
    where = ["--upstream", f"http://127.0.0.1:{site}", "--listen", f"127.0.0.1:{port}", "--workers", str(workers)]
    metrics = ["--metrics", f"127.0.0.1:{free_port()}"]
    environment = {**os.environ, "CONSENTGATE_KEYS": KEY}
    with process(folder / f"gateway-{port}.out", [*start, *where, *metrics], environment):
        wait_for_port(port)
        yield port


if __name__ == "__main__":
    main()
