"""Serve an ASGI application over real sockets, in a thread with its own event loop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

__all__ = ["Certificate", "MakeApp", "Serve", "Serving", "serve"]

MakeApp = Callable[[int], ASGIApp]

START_SECONDS = 30
STOP_SECONDS = 5  # for connections that a browser holds open


@dataclass(frozen=True, slots=True)
class Certificate:
    """Name the files that https needs: a certificate and its key."""

    chain: Path
    key: Path


class Server(uvicorn.Server):
    """Tell another thread when it answers, or that it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.settled.set()


class Serving:
    """Serve what `make_app(port)` builds on a free port of this computer, until it is stopped."""

    def __init__(self, make_app: MakeApp, certificate: Certificate | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        try:
            self._server = Server(_config(make_app(self.port), certificate))
        except BaseException:
            self._listener.close()
            raise
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name=f"server on {self.port}"
        )
        self._start()

    def _start(self) -> None:
        self._thread.start()
        self._server.settled.wait(START_SECONDS)
        if not self._server.started:
            self.stop()
            self.wait()
            raise RuntimeError("The server did not start.")

    def stop(self) -> None:
        """Ask the server to stop, without waiting for it."""
        self._server.should_exit = True

    def wait(self) -> None:
        """Wait until it has stopped."""
        self._thread.join()
        self._listener.close()


def _config(app: ASGIApp, certificate: Certificate | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ssl_certfile=certificate.chain if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
        lifespan="on",
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


Serve = Callable[[MakeApp], Serving]


@contextmanager
def serve(make_app: MakeApp) -> Iterator[int]:
    """Serve an application for the length of a `with` block and yield its port."""
    serving = Serving(make_app)
    try:
        yield serving.port
    finally:
        serving.stop()
        serving.wait()
