"""Two more real sites that are not Python: an application on Node.js, and documentation as files behind nginx."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from itertools import islice

import httpx
import pytest
from websockets.sync.client import connect

from examples.gateway import node_red, static_site
from examples.gateway.processes import find
from tests.conftest import BANNER
from tests.corpora import fetch
from tests.gateway.front import PATIENCE, Front, eventually, gateway, get
from tests.needs import leave_out

MOST_PAGES = 60
FLOW = [
    {"id": "tab", "type": "tab", "label": "Luton"},
    {"id": "in", "type": "http in", "z": "tab", "url": "/hello", "method": "get", "wires": [["page"]]},
    {
        "id": "page",
        "type": "template",
        "z": "tab",
        "field": "payload",
        "template": "<p>Hello Luton",
        "wires": [["out"]],
    },
    {"id": "out", "type": "http response", "z": "tab", "wires": []},
    {"id": "up", "type": "http in", "z": "tab", "url": "/length", "method": "post", "wires": [["count"]]},
    {
        "id": "count",
        "type": "function",
        "z": "tab",
        "func": "msg.payload = { length: msg.payload.text.length }; return msg;",
        "wires": [["out"]],
    },
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, int]]:
    """Run Node-RED and the gateway in front of it."""
    if not node_red.is_installed():
        leave_out("needs Node-RED: python -m examples.gateway.node_red --install-only")
    with (
        node_red.running(tmp_path_factory.mktemp("node-red")) as port,
        gateway(tmp_path_factory.mktemp("front"), port) as front,
    ):
        yield front, port


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, int, list[str]]]:
    """Serve a package's documentation with nginx, and run the gateway in front of it."""
    archive = next((one for one in fetch.folder().glob("*.zip") if one.stem in ("sqlite", "apache", "django")), None)
    if find("nginx") is None or archive is None:
        leave_out("needs nginx and a corpus of documentation: python -m tests.corpora.fetch")
    assert archive is not None
    site, work = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("nginx")
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if name.endswith(".html")][:MOST_PAGES]
        packed.extractall(site, names)
    (site / "film.bin").write_bytes(bytes(range(256)) * 4_000)
    with (
        static_site.running(site, work) as port,
        gateway(tmp_path_factory.mktemp("front"), port) as front,
    ):
        yield front, port, names


def test_the_editor_of_node_red_and_its_files_come_through(node: tuple[Front, int]) -> None:
    front, port = node
    with front.visitor() as visitor:
        page = visitor.get("/")
        script = visitor.get("/red/red.min.js", headers={"accept": "*/*"})
    own = get(f"http://127.0.0.1:{port}/red/red.min.js")

    assert "Node-RED" in page.text
    assert page.content.count(BANNER) == 1
    assert script.content == own.content
    assert script.headers["etag"] == own.headers["etag"]


def test_a_flow_is_deployed_and_answers_through_the_gateway(node: tuple[Front, int]) -> None:
    front, _ = node
    with front.visitor() as visitor:
        deployed = visitor.post("/flows", json=FLOW, headers={"node-red-deployment-type": "full"})
        page = when_it_is_there(visitor, "/hello")
        counted = visitor.post("/length", json={"text": "x" * 100_000}, headers={"accept": "application/json"})

    assert deployed.status_code == 204
    assert "Hello Luton" in page.text
    assert counted.json() == {"length": 100_000}


def test_the_editors_websocket_hears_of_a_deployment(node: tuple[Front, int]) -> None:
    front, _ = node
    with (
        connect(f"ws://127.0.0.1:{front.port}/comms", proxy=None, open_timeout=PATIENCE) as connection,
        front.visitor() as visitor,
    ):
        connection.send(json.dumps({"subscribe": "notification/#"}))
        visitor.post("/flows", json=FLOW, headers={"node-red-deployment-type": "full"})
        topics = (message["topic"] for text in connection for message in json.loads(text))

        assert any(topic.startswith("notification/runtime") for topic in islice(topics, 10))


def test_pages_of_files_get_the_banner_and_stay_whole(files: tuple[Front, int, list[str]]) -> None:
    front, port, names = files
    with front.visitor() as visitor:
        for name in names:
            page = visitor.get(f"/{name}")
            own = get(f"http://127.0.0.1:{port}/{name}")

            assert page.status_code == 200
            assert page.content.count(BANNER) == 1, name
            assert page.content[-200:] == own.content[-200:], name


def test_files_are_not_touched(files: tuple[Front, int, list[str]]) -> None:
    front, _, _ = files
    plain = {"accept": "*/*", "range": "bytes=100-199"}
    with front.visitor() as visitor:
        part = visitor.get("/film.bin", headers=plain)
        whole = visitor.get("/film.bin", headers={"accept": "*/*"})
        again = visitor.get("/film.bin", headers={"accept": "*/*", "if-none-match": whole.headers["etag"]})
        head = visitor.head("/film.bin", headers={"accept": "*/*"})

    assert (part.status_code, part.content) == (206, (bytes(range(256)) * 4_000)[100:200])
    assert whole.content == bytes(range(256)) * 4_000
    assert again.status_code == 304
    assert head.headers["content-length"] == "1024000"


def when_it_is_there(visitor: httpx.Client, path: str) -> httpx.Response:
    """Ask until Node-RED has started the flow, which it does after it has answered the deployment."""
    eventually(lambda: visitor.get(path).status_code != 404)
    return visitor.get(path)
