"""Install and start a real Node-RED, a web application on Node.js with a live editor over websockets; loopback only.

`python -m examples.gateway.node_red FOLDER` installs it with npm into a folder and runs it until Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.gateway.processes import find, free_port, need, process, run, wait_for_port

__all__ = ["FOLDER", "install", "is_installed", "running"]

FOLDER = Path(__file__).parents[2] / ".node-red"
VERSION = "4"

_SETTINGS = """module.exports = {
    uiHost: "127.0.0.1", uiPort: %d, userDir: "%s", flowFile: "flows.json", credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false }, editorTheme: { tours: false },
    logging: { console: { level: "warn" } },
};
"""


def is_installed(folder: Path = FOLDER) -> bool:
    """Tell whether Node-RED is in a folder, and Node.js on this machine."""
    return find("node") is not None and _program(folder).exists()


def install(folder: Path = FOLDER) -> None:
    """Install Node-RED with npm."""
    folder.mkdir(parents=True, exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--omit=dev", "--ignore-scripts"]
    run([need("npm"), "install", "--prefix", str(folder), *quiet, f"node-red@{VERSION}"])


@contextmanager
def running(data: Path, port: int | None = None, folder: Path = FOLDER) -> Iterator[int]:
    """Run Node-RED and yield its port.

    Args:
        data: an empty folder for its flows.
        port: of loopback; a free one by default.
        folder: where it is installed.
    """
    port = port or free_port()
    settings = data / "settings.js"
    settings.write_text(_SETTINGS % (port, data), encoding="utf-8")
    command = [need("node"), str(_program(folder)), "--settings", str(settings)]
    with process(data / "node-red.out", command):
        wait_for_port(port)
        yield port


def _program(folder: Path) -> Path:
    return folder / "node_modules" / "node-red" / "red.js"


def main() -> None:
    """Install, then run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--port", type=int, default=1880)
    parser.add_argument("--install-only", action="store_true")
    options = parser.parse_args()
    if not is_installed(options.folder):
        install(options.folder)
    if options.install_only:
        return
    data = options.folder / "data"
    data.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with running(data, options.port, options.folder) as port:
        print(f"Node-RED at http://127.0.0.1:{port}. Ctrl-C ends it.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("Ended.")


if __name__ == "__main__":
    main()
