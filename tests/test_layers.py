"""The rooms of the house: imports point down, never in a circle, and each dependency is let in by one door."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "consentgate"
PACKAGE = "consentgate"

# From top to bottom. A room may import those below its own layer; only a folder's own modules may import each other.
LAYERS = (
    ("cli",),
    ("gateway", "report"),
    ("testing",),
    ("__init__",),  # the public names
    ("middleware",),
    ("door",),
    ("endpoints", "gate", "shield"),
    ("acts", "receipt_pages"),
    ("tag_watch",),
    ("response_kind",),
    ("template_rules", "visit"),
    ("receipts",),
    ("rendering", "consent_cookie", "cookie_rules", "printed_tags"),
    ("speech",),
    ("consent", "declarations", "policy_file"),
    ("gateway_settings", "policy"),
    ("inventory", "records", "services"),
    ("catalogue",),
    ("storage",),
    # Pure: nothing of ours but the two below.
    (
        "injector",
        "rewriter",
        "cookies",
        "caching",
        "compression",
        "csp",
        "observer",
        "origin",
        "placeholder",
        "translations",
    ),
    ("kept_pages",),
    ("beginnings", "prefilter"),
    ("assets", "bounded", "page_reader"),
    ("theme",),
    ("field_types", "notices"),
    ("errors",),
)
DEPTH = {room: depth for depth, rooms in enumerate(LAYERS) for room in rooms}

# Who may know a dependency; whatever is not listed, and not in the standard library, nobody may.
DOORS = {
    "itsdangerous": ("consent_cookie",),
    "msgspec": ("policy_file",),
    "starlette": ("middleware", "door", "endpoints", "gate", "receipt_pages", "shield", "visit", "gateway", "cli"),
    "anyio": ("records",),  # Starlette's own
    "sqlalchemy": ("records",),
    "jinja2": ("rendering", "report"),
    "rcssmin": ("assets",),
    "rjsmin": ("assets",),
    "markupsafe": ("rendering", "speech"),  # Jinja2's own
    "babel": ("cli", "translations"),
    "click": ("cli",),
    "rich": ("cli",),
    "uvicorn": ("gateway", "cli"),
    "httptools": ("gateway",),
    "websockets": ("gateway",),
    "prometheus_client": ("gateway",),
}


def violations(source: Path) -> list[str]:
    """List everything in a source tree that breaks the order of the rooms."""
    arrows = imports_of_all(source)
    found = [fault for module, names in arrows.items() for name in sorted(names) if (fault := fault_of(module, name))]
    return found + circles(arrows)


def imports_of_all(source: Path) -> dict[str, set[str]]:
    """Map each module, `services.google` say, to the full names it imports."""
    files = {name_of(path, source): path for path in sorted(source.rglob("*.py"))}
    return {
        module: {resolve(name, files) for name in imports_of(ast.parse(path.read_text(encoding="utf-8")), module)}
        for module, path in files.items()
    }


def name_of(path: Path, source: Path) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports_of(tree: ast.Module, module: str) -> Iterator[str]:
    """Yield the full name of each import, those inside functions and for type checkers included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield f"a relative import in {module}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def resolve(name: str, modules: Mapping[str, Path]) -> str:
    """Shorten `consentgate.policy.Category` to the module it is in, `consentgate.policy`."""
    if name.partition(".")[0] != PACKAGE:
        return name
    inside = name.split(".")[1:]
    while inside and ".".join(inside) not in modules:
        inside.pop()
    return ".".join([PACKAGE, *(inside or ["__init__"])])


def fault_of(module: str, imported: str) -> str | None:
    """Say what is wrong with one import, if anything is."""
    room = module.partition(".")[0]
    top = imported.partition(".")[0]
    if room not in DEPTH:
        return f"{room} has no layer yet: give it one"
    if imported.startswith("a relative import"):
        return imported
    if top == PACKAGE:
        other = imported.split(".")[1]
        return None if points_down(room, other) else f"{module} imports {other}, which is not below it"
    if top in sys.stdlib_module_names or room in DOORS.get(top, ()):
        return None
    doors = f"only {', '.join(DOORS[top])} may" if top in DOORS else "nobody may"
    return f"{module} imports {top}: {doors}"


def points_down(room: str, other: str) -> bool:
    return other == room or DEPTH[room] < DEPTH.get(other, -1)


def circles(arrows: Mapping[str, set[str]]) -> list[str]:
    ours = {
        module: {name.removeprefix(f"{PACKAGE}.") for name in names} & set(arrows) for module, names in arrows.items()
    }
    try:
        TopologicalSorter(ours).prepare()
    except CycleError as error:
        return [f"a circle among {', '.join(sorted(set(error.args[1])))}"]
    return []


def test_every_import_points_down_and_none_in_a_circle() -> None:
    assert violations(SOURCE) == []


def test_every_room_of_the_plan_is_there() -> None:
    rooms = {name.partition(".")[0] for name in imports_of_all(SOURCE)}

    assert set(DEPTH) <= rooms


# The test itself is tested: each kind of violation, planted in a small house, is found


def build(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


DOORKEEPERS = (("click", "cli"), ("rich", "cli"), ("httptools", "gateway"), ("websockets", "gateway"))

RIGHT = {
    "__init__.py": "from consentgate.policy import Policy\n",
    "policy.py": "from consentgate.errors import Problem\nfrom consentgate.services import Service\n",
    "services/__init__.py": "from consentgate.services.base import Service\n",
    "services/base.py": "import re\nfrom consentgate import notices\n",
    "notices.py": "from consentgate.errors import Problem\n",
    "errors.py": "from __future__ import annotations\nimport reprlib\n",
    "consent_cookie.py": "from itsdangerous import BadData\n",
    "cli/__init__.py": "def main():\n    import click\n    from consentgate import __version__\n",
}


def test_a_house_in_order_has_no_violations(tmp_path: Path) -> None:
    assert violations(build(tmp_path, RIGHT)) == []


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param(
            {"errors.py": "from consentgate.policy import Policy\n", "policy.py": "", "notices.py": ""},
            ["errors imports policy, which is not below it"],
            id="up",
        ),
        pytest.param(
            {"injector.py": "from consentgate import storage\n", "storage.py": ""},
            ["injector imports storage, which is not below it"],
            id="up_from_a_pure_room",
        ),
        pytest.param(
            {"gate.py": "import consentgate.shield\n", "shield.py": ""},
            ["gate imports shield, which is not below it"],
            id="sideways",
        ),
        pytest.param(
            {"policy.py": "from consentgate import ConsentMiddleware\n"},
            ["policy imports __init__, which is not below it", "a circle among __init__, policy"],
            id="from_the_public_names",
        ),
        pytest.param(
            {"storage.py": "def later():\n    from consentgate.visit import Visit\n", "visit.py": ""},
            ["storage imports visit, which is not below it"],
            id="inside_a_function",
        ),
        pytest.param(
            {"storage.py": "if TYPE_CHECKING:\n    from consentgate.visit import Visit\n", "visit.py": ""},
            ["storage imports visit, which is not below it"],
            id="for_type_checkers",
        ),
        pytest.param(
            {
                "services/base.py": "from consentgate.services.google import G\n",
                "services/google.py": "from consentgate.services.base import S\n",
            },
            ["a circle among services.base, services.google"],
            id="circle_in_a_folder",
        ),
        pytest.param(
            {"visit.py": "from consentgate.response_kind import Kind\n", "response_kind.py": ""},
            ["visit imports response_kind, which is not below it"],
            id="visit_that_knows_the_response",
        ),
        pytest.param(
            {"response_kind.py": "from consentgate.gate import ResponseGate\n", "gate.py": ""},
            ["response_kind imports gate, which is not below it"],
            id="response_kind_that_knows_the_gate",
        ),
        pytest.param(
            {"csp.py": "from consentgate.policy import Policy\n"},
            ["csp imports policy, which is not below it"],
            id="pure_room_that_knows_the_policy",
        ),
        pytest.param(
            {"compression.py": "from consentgate.csp import widened\n", "csp.py": ""},
            ["compression imports csp, which is not below it"],
            id="pure_room_that_knows_another",
        ),
        pytest.param({"storage.py": "from .errors import Problem\n"}, ["a relative import in storage"], id="relative"),
        pytest.param({"attic.py": "import re\n"}, ["attic has no layer yet: give it one"], id="unknown_room"),
        pytest.param(
            {"policy.py": "import msgspec\n"}, ["policy imports msgspec: only policy_file may"], id="msgspec_elsewhere"
        ),
        pytest.param(
            {"gate.py": "from itsdangerous.exc import BadData\n"},
            ["gate imports itsdangerous: only consent_cookie may"],
            id="itsdangerous_elsewhere",
        ),
        pytest.param(
            {"rendering.py": "from starlette.requests import Request\n"},
            [
                "rendering imports starlette: only middleware, door, endpoints, gate, receipt_pages, shield, visit, "
                "gateway, cli may"
            ],
            id="starlette_elsewhere",
        ),
        pytest.param(
            {"endpoints.py": "def page():\n    import jinja2\n"},
            ["endpoints imports jinja2: only rendering, report may"],
            id="jinja2_elsewhere",
        ),
        *(
            pytest.param(
                {"middleware.py": f"import {name}\n"}, [f"middleware imports {name}: only {room} may"], id=name
            )
            for name, room in DOORKEEPERS
        ),
        pytest.param({"cli/demo.py": "import requests\n"}, ["cli.demo imports requests: nobody may"], id="undeclared"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, files: dict[str, str], found: list[str]) -> None:
    house = build(tmp_path, {**RIGHT, **files})

    assert violations(house) == found
