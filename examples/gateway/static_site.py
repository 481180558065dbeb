"""Serve a folder of files with nginx on loopback: `python -m examples.gateway.static_site FOLDER`."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.gateway.processes import free_port, need, process, wait_for_port

__all__ = ["running"]

_CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/nginx.log;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    gzip on;
    gzip_types text/css application/javascript;
    client_body_temp_path {work}/body;
    fastcgi_temp_path {work}/fastcgi;
    proxy_temp_path {work}/proxy;
    scgi_temp_path {work}/scgi;
    uwsgi_temp_path {work}/uwsgi;
    server {{
        listen 127.0.0.1:{port};
        root {site};
    }}
}}
"""


@contextmanager
def running(site: Path, work: Path, port: int | None = None) -> Iterator[int]:
    """Run nginx and yield its port.

    Args:
        site: the folder that is served.
        work: an empty folder for nginx itself.
        port: of loopback; a free one by default.
    """
    port = port or free_port()
    file = work / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    file.write_text(_CONFIGURATION.format(user=user, work=work, site=site.resolve(), port=port), encoding="utf-8")
    with process(work / "nginx.out", [need("nginx"), "-e", str(work / "nginx.log"), "-c", str(file)]):
        wait_for_port(port)
        yield port


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8081)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as work, running(options.folder, Path(work), options.port) as port:
        print(f"{options.folder} at http://127.0.0.1:{port}. Ctrl-C ends it.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("Ended.")


if __name__ == "__main__":
    main()
