"""Start a real nginx as a caching proxy on loopback, with nothing outside a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=pages:1m max_size=10m inactive=10m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header Host $host;
            proxy_cache pages;
            proxy_cache_key $host$request_uri;
            {ignores}
            add_header X-Cache-Status $upstream_cache_status always;
        }}
    }}
}}
"""


def find_nginx() -> str | None:
    """Return the nginx of this machine, or `None`."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def free_port() -> int:
    """Return a port of loopback that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def running_nginx(program: str, folder: Path, *, upstream: int, ignores_vary: bool = False) -> Iterator[str]:
    """Run nginx in front of a port and yield its address.

    Args:
        program: the nginx to run.
        folder: where it keeps everything.
        upstream: the port of the site.
        ignores_vary: whether it behaves like the many caches that do not look at `Vary: Cookie`.
    """
    port = free_port()
    ignores = "proxy_ignore_headers Vary;" if ignores_vary else ""
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not read the folder
    text = _CONFIGURATION.format(user=user, folder=folder, port=port, upstream=upstream, ignores=ignores)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("nginx does not listen")
