"""Run the gateway: a parent process that listens and watches, and workers that answer."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from consentgate.consent_cookie import key_problems
from consentgate.errors import ConfigurationError, Problem
from consentgate.gateway.app import MakeGateway
from consentgate.gateway.logs import configure
from consentgate.gateway.metrics import forget_worker, served, shared_folder
from consentgate.gateway.protocol import GatewaySockets, protocol_for
from consentgate.gateway_settings import GatewaySettings, split_address
from consentgate.middleware import read_keys

__all__ = ["serve"]

_log = logging.getLogger("consentgate.gateway")
_BACKLOG = 2048
_PATIENCE_WITH_WORKERS = 60  # seconds until one that says nothing is replaced; a busy machine may keep it waiting


class _Config(uvicorn.Config):
    """Make the protocol class in each worker: a class made at run time cannot be sent there."""

    def __init__(self, *args: Any, head_seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_seconds = head_seconds

    def load(self) -> None:
        """Load the application, and set the protocol."""
        super().load()
        self.http_protocol_class = protocol_for(self._head_seconds)


class _Parent(Multiprocess):
    """Watch the workers; on SIGHUP let them read the policy again, if it is right."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], make: MakeGateway) -> None:
        super().__init__(config, sockets)
        self._make = make

    def handle_hup(self) -> None:
        """Check here first, so that all workers take the new policy or none does."""
        try:
            self._make.load()
        except ConfigurationError as error:
            _log.error("The policy was not reloaded. %s", error)
            return
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)

    def keep_subprocess_alive(self) -> None:
        """Put a new worker in the place of one that ended."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            if pid is not None:
                forget_worker(pid)


def serve(policy: str, overrides: Mapping[str, Any]) -> int:
    """Run until SIGTERM or SIGINT, then let open answers end.

    Args:
        policy: the path of `consentgate.toml`.
        overrides: what the command line sets of the table `[gateway]`.

    Returns:
        The exit status of the process.

    Raises:
        ConfigurationError: when policy, settings, keys or addresses are wrong.
    """
    make = MakeGateway(policy, dict(overrides))
    _, settings = make.load()
    if problems := tuple(key_problems(read_keys(None))):
        raise ConfigurationError(problems, source="the signing keys")
    listener = _listen("gateway.listen", settings.listen)
    configure(settings.log)
    with shared_folder(), _metrics(settings), listener:
        parent = _Parent(_configuration(make, settings), [listener], make)
        _log.info("Listening on %s with %s.", settings.listen, _counted(settings.workers))
        parent.run()
    return 1 if any(process.exitcode == 3 for process in parent.processes) else 0


def _configuration(make: MakeGateway, settings: GatewaySettings) -> uvicorn.Config:
    return _Config(
        make,
        head_seconds=settings.client_seconds,
        factory=True,
        workers=settings.workers,
        http="httptools",
        ws=GatewaySockets,
        lifespan="on",
        log_config=None,
        access_log=False,  # it would log addresses
        proxy_headers=False,  # the gateway reads them itself
        server_header=False,  # the site's own stand
        date_header=False,
        timeout_keep_alive=65,  # longer than nginx keeps its connections to us
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_worker_healthcheck=_PATIENCE_WITH_WORKERS,
        backlog=_BACKLOG,
    )


@contextmanager
def _metrics(settings: GatewaySettings) -> Iterator[None]:
    """Serve the counts beside the site, on an address of their own."""
    if not settings.metrics:
        yield
        return
    try:
        server = served(*split_address(settings.metrics))
    except OSError as error:
        raise _cannot_listen("gateway.metrics", settings.metrics, error) from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _listen(place: str, address: str) -> socket.socket:
    host, port = split_address(address)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(place, address, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
    except OSError as error:
        listener.close()
        raise _cannot_listen(place, address, error) from None
    listener.set_inheritable(True)
    return listener


def _cannot_listen(place: str, address: str, error: OSError) -> ConfigurationError:
    problem = Problem(place, address, f"{error.strerror}. Choose another address, or end what listens there.")
    return ConfigurationError([problem], source="the gateway's settings")


def _counted(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"
