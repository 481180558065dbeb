"""The servers, each started once: tests are put into the order of what they run against."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mounts.servers import Mount, Running, Servers

OUR_FRAMES = re.compile(r'consentgate/\w+\.py", line')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group this folder's tests by server, so that few run at once and none starts twice."""
    here = Path(__file__).parent
    places = [index for index, item in enumerate(items) if here in item.path.parents]
    for index, item in zip(places, sorted((items[index] for index in places), key=_mount_of), strict=True):
        items[index] = item


def _mount_of(item: pytest.Item) -> str:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return str(parameters.get("running", ""))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    made = Servers(tmp_path_factory.mktemp("servers"))
    yield made
    made.stop_all()


@pytest.fixture
def running(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Running]:
    """Serve the application that the test is parametrised with; consentgate must not have failed at the end."""
    mount: Mount = request.param
    made = servers.get(mount)
    before = len(made.said())
    yield made
    assert not OUR_FRAMES.search(made.said()[before:])
