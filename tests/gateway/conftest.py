"""One gateway and one site of raw bytes for the tests that need nothing special of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.behind import OK, RawSite, answering, raw_site
from tests.gateway.front import Front, gateway


@pytest.fixture(scope="package")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, RawSite]]:
    with raw_site() as site, gateway(tmp_path_factory.mktemp("gateway"), site.port) as running:
        yield running, site


@pytest.fixture
def front(_pair: tuple[Front, RawSite]) -> Front:
    """Return a gateway."""
    return _pair[0]


@pytest.fixture
def behind(_pair: tuple[Front, RawSite]) -> RawSite:
    """Return the site behind it, which answers OK to everything until a test says otherwise."""
    site = _pair[1]
    site.handler = answering(OK)
    site.requests.clear()
    site.lost.clear()
    return site
