"""What users may import: these names and no others, typed, and without the command's dependencies."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import consentgate

NAMES = [
    "Category",
    "ConfigurationError",
    "Consent",
    "ConsentMiddleware",
    "ConsentPolicy",
    "Controller",
    "GoogleAnalytics",
    "RequestConsent",
    "StorageItem",
    "consent_from",
    "load_policy",
]


def test_these_are_the_public_names() -> None:
    assert consentgate.__all__ == NAMES


def test_they_are_sorted_and_few() -> None:
    assert sorted(NAMES) == NAMES
    assert len(NAMES) <= 12


@pytest.mark.parametrize("name", NAMES)
def test_each_of_them_is_there_and_explained(name: str) -> None:
    public = getattr(consentgate, name)

    assert public.__doc__
    assert not public.__doc__.startswith(f"{name}(")  # what a dataclass without a docstring gets


def test_nothing_else_without_an_underscore_is_imported_by_a_star() -> None:
    namespace: dict[str, object] = {}

    exec("from consentgate import *", namespace)  # noqa: S102 - the text stands here

    assert sorted(name for name in namespace if not name.startswith("__")) == NAMES


@pytest.mark.parametrize(
    "name", ["Category", "Consent", "ConsentPolicy", "Controller", "GoogleAnalytics", "StorageItem"]
)
def test_values_are_frozen(name: str) -> None:
    model = getattr(consentgate, name)

    assert is_dataclass(model)
    assert vars(model)["__dataclass_params__"].frozen


def test_the_version_has_three_numbers() -> None:
    assert all(part.isdigit() for part in consentgate.__version__.split("."))
    assert consentgate.__version__.count(".") == 2


def test_type_checkers_are_told_that_it_is_typed() -> None:
    assert (Path(consentgate.__file__).parent / "py.typed").is_file()


def imported_by(statement: str) -> set[str]:
    """List the modules that are loaded after a statement in a fresh interpreter."""
    program = f"import sys; {statement}; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={"PYTHONPATH": str(Path(consentgate.__file__).parents[1])},
        timeout=60,
        check=True,
        text=True,
    )
    return set(finished.stdout.split())


def test_importing_it_loads_nothing_of_the_command() -> None:
    modules = imported_by("from consentgate import ConsentMiddleware")

    assert "consentgate.middleware" in modules
    assert modules.isdisjoint({"click", "rich", "uvicorn", "consentgate.cli"})


def test_the_command_itself_loads_its_dependencies_only_when_it_runs() -> None:
    modules = imported_by("import consentgate.cli")

    assert "consentgate.cli" in modules
    assert modules.isdisjoint({"click", "rich", "uvicorn"})
