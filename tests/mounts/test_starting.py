"""A wrong policy stops every server, also where a framework makes its middleware only when the server starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mounts.servers import SERVERS, Mount, Servers


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_a_server_that_takes_lifespan_as_optional_stops_and_says_what_is_wrong(
    framework: str, server: str, tmp_path: Path
) -> None:
    servers = Servers(tmp_path)

    with pytest.raises(RuntimeError) as ended:
        servers.start(Mount(f"tests.mounts.sites.wrong:in_{framework}", server))

    assert "1 thing is wrong in nowhere.toml:" in str(ended.value)
    assert "Give the path of a consentgate.toml." in str(ended.value)
