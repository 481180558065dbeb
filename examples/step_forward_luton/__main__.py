"""Run the demo in the foreground: `python -m examples.step_forward_luton --port 8000`."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
from pathlib import Path

import uvicorn

from examples.step_forward_luton.app import create_app, new_log
from examples.step_forward_luton.google_stand_in import STAND_IN_HOST
from examples.step_forward_luton.sites import SITES

WELCOME = """
Step Forward Luton, a demonstration of consentgate.
Open any of the three sites and answer the cookie banner: your choice holds on all three.

{sites}

  http://{stand_in}:{port}
      What "Google" has received, live: nothing before you accept, page views after,
      nothing once you withdraw.

What is answered is recorded until you stop the demo; your receipt is on the cookies page, and the owner looks at
  {consentgate} records list --records {records}

Stop with Ctrl-C.
"""


def main(arguments: list[str] | None = None) -> int:
    """Serve the demo until Ctrl-C and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        listener = socket.create_server((options.host, options.port))
    except (OSError, OverflowError) as error:
        print(_why_not(error, options.port), file=sys.stderr)
        return 1
    port = listener.getsockname()[1]
    records = new_log()
    print(_welcome(port, records), flush=True)
    _serve(listener, port, records)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.step_forward_luton", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, default: 127.0.0.1")
    return parser


def _why_not(error: OSError | OverflowError, port: int) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: make demo PORT={port + 1}"
    return f"Port {port} cannot be used ({error}): make demo PORT=8000"


def _welcome(port: int, records: str) -> str:
    lines = (f"  http://{site.host}:{port}\n      {site.summary}" for site in SITES)
    command = os.path.relpath(Path(sys.executable).with_name("consentgate"))  # make's environment is not activated
    return WELCOME.format(
        sites="\n".join(lines), stand_in=STAND_IN_HOST, port=port, records=records, consentgate=command
    )


def _serve(listener: socket.socket, port: int, records: str) -> None:
    config = uvicorn.Config(
        create_app(port, records=records),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,  # seconds, in case a browser holds a connection open
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        print("Stopped.")


if __name__ == "__main__":
    sys.exit(main())
