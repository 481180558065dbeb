"""What somebody who counts is told: pages, banners, choices, and what was withheld. Never who the visitor is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Observer"]


class Observer(Protocol):
    """Be told what happens, as it happens. A method must be quick and must not raise."""

    def page(self, host: str) -> None:
        """Note an HTML page that leaves for a browser's window; `host` is what the visitor asked for, unchecked."""
        ...

    def banner(self, host: str) -> None:
        """Note a page that asks the visitor."""
        ...

    def choice(self, host: str, outcome: str) -> None:
        """Note a choice: `accept_all`, `reject_all` or `save`."""
        ...

    def cookie_withheld(self, host: str, category: str) -> None:
        """Note a cookie that was not set; `category` is empty when the policy does not list it."""
        ...

    def tag_withheld(self, host: str, service: str) -> None:
        """Note a tag of a service that left inert."""
        ...
