"""The one line a developer writes: wire policy, cookie, shield, gate and endpoints around an ASGI application."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from consentgate.consent_cookie import ConsentCookie, Seal, key_problems
from consentgate.cookie_rules import CookieRules
from consentgate.door import Door
from consentgate.endpoints import Endpoints
from consentgate.errors import ConfigurationError, Problem
from consentgate.field_types import as_tuple
from consentgate.notices import warn_once
from consentgate.observer import Observer
from consentgate.policy import ConsentPolicy
from consentgate.policy_file import load_policy
from consentgate.records import ConsentLog, RecordStore, address_problem, open_store
from consentgate.rendering import Rendering
from consentgate.shield import show_to_app
from consentgate.visit import RequestConsent, Site, Visit

__all__ = ["ConsentMiddleware", "Recorder", "consent_from", "read_keys"]

KEYS_VARIABLE = "CONSENTGATE_KEYS"
RECORDS_VARIABLE = "CONSENTGATE_RECORDS"
RECORDER = "consentgate.inventory"
_MOST_LAYERS = 100  # of middleware


class Recorder(Protocol):
    """Be told, as `scope["extensions"]["consentgate.inventory"]`, what an application wants to send."""

    def record(self, site: Site, send: Send) -> Send:
        """Return a `send` that takes the application's messages as they are and hands them on to the given one."""
        ...


class ConsentMiddleware:
    """Make each visitor's cookie choice true for an ASGI application.

    Args:
        app: the application; any ASGI callable.
        policy: what visitors are asked, or the path of a `consentgate.toml`.
        keys: signing keys of at least 32 characters, newest first: the first signs, all verify. Without them
            they are read from the environment variable CONSENTGATE_KEYS, separated by commas or spaces.
        records: where acts are recorded: an address, or an object with the methods of `RecordStore`. Without it the
            environment variable CONSENTGATE_RECORDS counts, then the policy's own `records`.
        now: the clock, in seconds since 1970.
        observer: is told of pages, banners, choices and what was withheld, for your own counts.

    Raises:
        ConfigurationError: listing everything that is wrong. Starlette and FastAPI make their middleware only when the
            server starts them: there the start fails with it.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[Any]],  # Litestar, Quart and a2wsgi each write the type of an ASGI app differently
        policy: ConsentPolicy | str | os.PathLike[str],
        *,
        keys: str | Sequence[str] | None = None,
        records: str | RecordStore | None = None,
        now: Callable[[], float] = time.time,
        observer: Observer | None = None,
    ) -> None:
        self.app = app
        self._fault: ConfigurationError | None = None
        try:
            self._site = _site(policy, read_keys(keys), records, now, observer)
        except ConfigurationError as error:
            if not _is_made_by_starlette(app):
                raise
            self._fault = error
            return
        self._endpoints = Endpoints(self._site)
        self._own_paths = self._endpoints.paths
        self._door = Door(self._site)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if self._fault is not None:
            await _refuse(self._fault, scope, receive, send)
        kind = scope["type"]
        if kind not in ("http", "websocket") or ("consentgate" in scope and _is_gated(scope)):
            await self.app(scope, receive, send)
            return
        visit = Visit(self._site, scope)
        if kind == "http":
            # Most requests are for the application, which is seen at once where it is mounted at the root.
            may_be_own = scope["path"] in self._own_paths or scope.get("root_path")
            if may_be_own and (found := self._endpoints.find(scope)):
                await _respond(*found, visit, scope, receive, send)
                return
            gated = self._door.guard(visit, send)
        else:
            gated = self._door.gate(visit, send).send
        if (extensions := scope.get("extensions")) and RECORDER in extensions:
            recorder: Recorder = extensions[RECORDER]
            gated = recorder.record(self._site, gated)
        show_to_app(scope, visit)
        try:
            await self.app(scope, receive, gated)
        finally:
            visit.is_open = False

    def take_over(self, before: ConsentMiddleware) -> None:
        """Record what another instance in this process, whose place this one takes, has not recorded yet."""
        if self._site.log is not None and before._site.log is not None:
            self._site.log.take_over(before._site.log)

    async def settle(self) -> None:
        """Record what could not be recorded so far, if the store takes it now; call it before the process ends."""
        if self._site.log is not None:
            await self._site.log.settle()


def consent_from(scope: Mapping[str, Any]) -> RequestConsent:
    """Return the visitor's consent from an ASGI scope, for applications that are not Starlette.

    Raises:
        LookupError: when `ConsentMiddleware` is not mounted around the application.
    """
    consent = scope.get("consentgate")
    if not isinstance(consent, RequestConsent):
        raise LookupError("No consent in this scope. Mount ConsentMiddleware around the application.")
    return consent


def _is_made_by_starlette(app: object) -> bool:
    """Tell whether an application is what Starlette builds from its middleware, when the server's first event comes.

    Somewhere within it is Starlette's own handler of exceptions; an application that is wrapped has it yet to come.
    """
    for _ in range(_MOST_LAYERS):
        if isinstance(app, ExceptionMiddleware):
            return True
        app = getattr(app, "app", None)
    return False


async def _refuse(fault: ConfigurationError, scope: Scope, receive: Receive, send: Send) -> NoReturn:
    """Fail the start: an exception alone tells many servers that the application has no lifespan, and they go on."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": str(fault)})
    raise ConfigurationError(fault.problems, source=fault.source)


def _is_gated(scope: Scope) -> bool:
    """Tell whether another ConsentMiddleware is at work on this very request."""
    consent = scope.get("consentgate")
    if not isinstance(consent, RequestConsent) or not consent.is_open:
        return False
    warn_once("mounted-twice", "ConsentMiddleware is mounted twice; the inner one does nothing. Remove one.")
    return True


async def _respond(
    handler: Callable[..., Any],
    methods: tuple[str, ...],
    visit: Visit,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    if scope["method"] in methods:
        response = await handler(Request(scope, receive), visit)
    else:
        response = PlainTextResponse("Method not allowed", 405, headers={"allow": ", ".join(methods)})
    await response(scope, receive, send)


def _site(
    policy: ConsentPolicy | str | os.PathLike[str],
    keys: Sequence[str],
    records: str | RecordStore | None,
    now: Callable[[], float],
    observer: Observer | None,
) -> Site:
    problems = list(key_problems(keys))
    source = "the signing keys"
    records = os.environ.get(RECORDS_VARIABLE, "") if records is None else records
    if remedy := _records_problem(records):
        problems.append(Problem("records", "hidden", remedy))
        source = "the settings"
    try:
        policy = _policy(policy)
    except ConfigurationError as error:
        raise ConfigurationError([*problems, *error.problems], source=error.source) from None
    if problems:
        raise ConfigurationError(problems, source=source)
    rendering, log = Rendering(policy), _log(policy, records or policy.records)
    if policy.templates:
        from consentgate.template_rules import template_problems  # few sites have templates of their own

        if lost := tuple(template_problems(policy)):
            raise ConfigurationError(lost, source=str(policy.templates))
    if log is not None:
        _ = rendering.policy_version  # worked out now, not for the first visitor who answers
    return Site(policy, ConsentCookie(policy, keys), CookieRules(policy), rendering, now, Seal(keys), log, observer)


def _records_problem(records: object) -> str | None:
    if isinstance(records, str):
        return address_problem(records) if records else None
    return None if isinstance(records, RecordStore) else "Give an address, or an object with RecordStore's methods."


def _policy(given: object) -> ConsentPolicy:
    if isinstance(given, ConsentPolicy):
        return given
    if isinstance(given, str | os.PathLike):
        return load_policy(Path(given))
    remedy = "Give a ConsentPolicy(...), or the path of a consentgate.toml."
    raise ConfigurationError([Problem("policy", type(given).__name__, remedy)], source="the settings")


def _log(policy: ConsentPolicy, records: str | RecordStore) -> ConsentLog | None:
    if not records:
        return None
    store = open_store(records, most_records=policy.records_most) if isinstance(records, str) else records
    return ConsentLog(store, per_minute=policy.records_per_minute)


def read_keys(keys: str | Sequence[str] | None) -> Sequence[str]:
    """Return the signing keys from a list or a text, or from the environment when there is neither."""
    if keys is None:
        keys = os.environ.get(KEYS_VARIABLE, "")
    if isinstance(keys, str):
        return keys.replace(",", " ").split()
    given = as_tuple(keys)
    return given if isinstance(given, tuple) else (given,)
