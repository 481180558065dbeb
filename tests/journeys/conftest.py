"""A browser for all journeys; a fresh demo and a fresh profile for each."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.browser import REMEDY, find_browser
from tests.journeys.demo import Demo, make_demo
from tests.journeys.server import MakeApp, Serve, Serving
from tests.journeys.visitor import PATIENCE, MakeVisitor, Visitor
from tests.needs import leave_out

SWITCHES = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def launch(playwright: Playwright, executable: str, *switches: str) -> Browser:
    """Start a browser as visitors have it: with the back/forward cache, which Playwright would switch off."""
    sandbox = () if os.geteuid() else ("--no-sandbox",)  # Chromium refuses to start as root with its sandbox
    return playwright.chromium.launch(
        executable_path=executable,
        args=[*SWITCHES, *sandbox, *switches],
        ignore_default_args=["--disable-back-forward-cache"],
    )


@pytest.fixture(scope="package")
def executable() -> str:
    """Find the browser."""
    return find_browser() or leave_out(f"No browser that starts: {REMEDY}.")


# For this package only, not for the session: Playwright's event loop must be gone before other tests run theirs.
@pytest.fixture(scope="package")
def playwright(executable: str) -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright, executable: str) -> Iterator[Browser]:
    browser = launch(playwright, executable)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def serve() -> Iterator[Serve]:
    """Start servers. Each may be told to stop when its test is over; all are waited for together at the end."""
    started: list[Serving] = []

    def start(make_app: MakeApp) -> Serving:
        started.append(Serving(make_app))
        return started[-1]

    yield start
    for serving in started:
        serving.stop()
        serving.wait()


@pytest.fixture
def demo(serve: Serve) -> Iterator[Demo]:
    """The whole demo, on a port of its own: no late hit of another test ever reaches it."""
    serving = serve(make_demo)
    yield Demo(serving.port)
    serving.stop()


@pytest.fixture
def make_visitor(browser: Browser, demo: Demo) -> Iterator[MakeVisitor]:
    """Make visitors with fresh profiles; the settings are those of a Playwright context."""
    visitors: list[Visitor] = []

    def make(**settings: Any) -> Visitor:
        visitor = Visitor(browser.new_context(**settings), demo)
        visitors.append(visitor)
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert [error for visitor in visitors for error in visitor.errors] == [], "A script threw an error."


@pytest.fixture
def visitor(make_visitor: MakeVisitor) -> Visitor:
    """A visitor with scripts on."""
    return make_visitor()


@pytest.fixture(params=[True, False], ids=["scripts_on", "scripts_off"])
def any_visitor(request: pytest.FixtureRequest, make_visitor: MakeVisitor) -> Visitor:
    """A visitor, once with scripts and once without."""
    return make_visitor(java_script_enabled=request.param)


@pytest.fixture
def visitor_without_scripts(make_visitor: MakeVisitor) -> Visitor:
    return make_visitor(java_script_enabled=False)


@pytest.fixture
def visitor_with_real_tabs(playwright: Playwright, executable: str, demo: Demo) -> Iterator[Visitor]:
    """A visitor whose tabs are hidden while another is in front.

    Playwright otherwise tells every page that it is visible. It leaves a browser alone that it finds running, if asked.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    browser = launch(playwright, executable, f"--remote-debugging-port={port}")
    connection = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}", no_defaults=True)
    visitor = Visitor(connection.contexts[0], demo)
    yield visitor
    connection.close()
    browser.close()
    assert visitor.errors == []
