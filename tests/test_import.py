"""What an import brings with it, counted in modules instead of milliseconds: nothing that is not used."""

from __future__ import annotations

import json
import subprocess
import sys

_STARLETTE = "import starlette.applications, starlette.requests, starlette.responses"
# What takes long to import, and is for single occasions: rendering, reading TOML, misspelt names, the extras.
_FOR_OCCASIONS = {
    *("jinja2", "msgspec", "rcssmin", "rjsmin", "sqlalchemy", "babel", "click", "rich", "uvicorn", "httptools"),
    *("websockets", "prometheus_client", "playwright", "tomllib", "difflib", "gettext", "html.parser", "sqlite3"),
}


def brought_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter loads for a statement, beside those of Starlette."""
    script = f"import json, sys\n{_STARLETTE}\nbefore = set(sys.modules)\n{statement}\n"
    script += "print(json.dumps(sorted(set(sys.modules) - before)))"
    written = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    return set(json.loads(written))


def test_the_import_alone_brings_nothing_but_itself() -> None:
    assert brought_by("import consentgate") == {"consentgate"}


def test_describing_a_policy_brings_no_dependency() -> None:
    brought = brought_by("from consentgate import Category, ConsentPolicy, Controller, GoogleAnalytics, StorageItem")

    assert {name.partition(".")[0] for name in brought} - sys.stdlib_module_names == {"consentgate"}
    assert "consentgate.middleware" not in brought


def test_the_middleware_brings_what_each_request_needs() -> None:
    brought = brought_by("from consentgate import ConsentMiddleware")

    assert not brought & _FOR_OCCASIONS
    assert {name.partition(".")[0] for name in brought} - sys.stdlib_module_names == {
        *("consentgate", "itsdangerous", "markupsafe"),
    }


def test_every_public_name_is_found_and_no_other() -> None:
    brought_by("import consentgate; [getattr(consentgate, name) for name in consentgate.__all__]")

    assert "consentgate" in brought_by("import consentgate; assert not hasattr(consentgate, 'Nothing')")
