"""`python -m examples.gateway.wordpress`: install and run WordPress until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from examples.gateway.wordpress import install, lacking, running


def main() -> None:
    """Say what is missing or install it, then run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--install", action="store_true", help="install Debian's packages first; needs root")
    parser.add_argument("--install-only", action="store_true", help="install them if they are missing, and end")
    options = parser.parse_args()
    if (options.install or options.install_only) and lacking():
        install()
    if options.install_only:
        return
    if missing := lacking():
        sys.exit(f"Missing: {', '.join(missing)}. Run this with --install as root.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="wordpress-") as folder, running(Path(folder), options.port) as site:
        print(f"WordPress at {site.url}; log in as editor with {site.password}. Ctrl-C ends it.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("Ended; nothing is left.")


if __name__ == "__main__":
    main()
