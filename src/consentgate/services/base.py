"""What every service tells the rest of consentgate, and the plan by which the browser starts and stops it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from consentgate.errors import Problem
from consentgate.storage import StorageItem

__all__ = ["Command", "Service", "StartPlan"]

Command = tuple[object, ...]
"""One call that the browser makes for us, for example `("consent", "default", {...})`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlan:
    """Describe how the browser starts, updates and stops one service.

    Args:
        id: what tells this service from others on the page.
        src: the address of its script.
        start: commands to queue before the script is loaded, in order.
        update: commands for a service that already runs when the visitor's choice changes.
        stop: commands that withdraw consent on an open page.
        disable: the name of a `window` property that silences the service when it is true.
    """

    id: str
    src: str
    start: tuple[Command, ...]
    update: tuple[Command, ...]
    stop: tuple[Command, ...]
    disable: str


class Service(Protocol):
    """Be something that a category may start: its words, its storage and its start plan."""

    @property
    def title(self) -> str:
        """The name visitors know it by."""

    @property
    def provider(self) -> str:
        """Who receives the data."""

    @property
    def privacy_url(self) -> str:
        """Where the provider explains what it does with the data."""

    @property
    def kind(self) -> str:
        """The value of `type` in `consentgate.toml`."""

    def storage_items(self, acceptance_days: int) -> tuple[StorageItem, ...]:
        """List what it keeps in the browser, for the cookie table."""

    def leftover_names(self) -> tuple[str, ...]:
        """List further names or patterns to expire when the category is not granted."""

    def csp_sources(self) -> Mapping[str, tuple[str, ...]]:
        """List the sources that a Content-Security-Policy has to let through, by directive."""

    def problems(self, place: str, *, hosts: tuple[str, ...], acceptance_days: int) -> Iterator[Problem]:
        """Yield what is wrong with its settings."""

    def start_plan(
        self, host: str, *, signals: Mapping[str, bool], acceptance_days: int, secure: bool
    ) -> StartPlan | None:
        """Say how the browser starts it on one host, or `None` when it is not used there."""
