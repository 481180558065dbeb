"""The benchmarks run, each in its shortest form, and write down what their readers expect. No time is judged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import TABLES
from benchmarks.harness import Figure, take_turns
from examples.gateway.processes import find
from tests.browser import REMEDY, find_browser
from tests.needs import leave_out

ROOT = Path(__file__).parents[1]
SECONDS = 1_500  # a table takes half a minute; a machine may be far slower
EXPECTED = {  # of each table: a figure that the goals are about
    "in_process": "20 KB page, granted",
    "rivals": "Django, 100 KB, undecided",
    "load": "20 KB page, refused, by default",
    "streaming": "50 MB: peak memory over bare's, undecided, by default",
    "imports": "import consentgate",
}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_printed_and_kept_for_machines(name: str, tmp_path: Path) -> None:
    if name == "rivals" and find_spec("script_consent") is None:
        leave_out("django-script-consent is missing: pip install -r benchmarks/requirements-rivals.txt")
    if name == "load" and find("wrk") is None:
        leave_out("wrk is missing: apt install wrk")

    ran = run(name, "--rounds=1", f"--results={tmp_path}")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    kept: dict[str, Any] = json.loads((tmp_path / "all.json").read_text("utf-8"))
    assert list(kept) == [name]
    table = kept[name]
    assert table["rounds"] == 1
    assert len(table["load_average"]) == 2
    figures = {figure["name"]: figure for figure in table["figures"]}
    assert len(figures) == len(table["figures"])  # each has a name of its own
    assert EXPECTED[name] in figures
    assert all(math.isfinite(figure["value"]) for figure in figures.values())
    assert all((figure["reached"] == "") == (figure["target"] is None) for figure in figures.values())
    assert all(name in ran.stdout for name in figures)


@pytest.mark.browser
@pytest.mark.timeout(SECONDS + 60)
def test_the_table_of_the_browser_is_printed_and_kept_for_machines(tmp_path: Path) -> None:
    if find_browser() is None:
        leave_out(f"No browser that starts: {REMEDY}.")
    command = [sys.executable, "-m", "benchmarks.browser", "--rounds=1", f"--results={tmp_path}"]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    kept: dict[str, Any] = json.loads((tmp_path / "browser.json").read_text("utf-8"))
    figures = {figure["name"]: figure for figure in kept["figures"]}
    assert figures["refused: pages that differ from bare's"]["value"] == 0
    assert figures["refused: requests"]["value"] == 0
    assert set(kept["tools"]) == {"cookieconsent", "klaro", "orejime", "tarteaucitronjs", "vanilla-cookieconsent"}
    assert all(kept["medians"][name]["bytes"] > 0 for name in ("consentgate", "Klaro", "Orejime", "Osano"))
    assert all(math.isfinite(figure["value"]) for figure in figures.values())
    assert all(name in ran.stdout for name in figures)


def test_a_table_that_does_not_exist_is_refused_by_name() -> None:
    ran = run("loads")

    assert ran.returncode == 2
    assert "no such table: loads" in ran.stderr


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        pytest.param(Figure("x", 0.5, "S", 0.45), "NO", id="above_what_it_may_be"),
        pytest.param(Figure("x", 0.4, "S", 0.45), "yes", id="below"),
        pytest.param(Figure("x", 0.8, "", 0.82, at_least=True), "NO", id="below_what_it_has_to_be"),
        pytest.param(Figure("x", 0.9, "", 0.82, at_least=True), "yes", id="above"),
        pytest.param(Figure("x", 0.9, ""), "", id="without_a_target"),
    ],
)
def test_a_figure_says_whether_its_target_is_reached(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_only_figures_of_the_same_round_are_compared() -> None:
    clock = iter([1.0, 2.0, 10.0, 20.0, 100.0, 200.0])  # a machine that slows down by ten from round to round

    timings = take_turns({"bare": lambda: next(clock), "ours": lambda: next(clock)}, rounds=3, seed=4)

    assert sorted([*timings.of["bare"], *timings.of["ours"]]) == [1.0, 2.0, 10.0, 20.0, 100.0, 200.0]
    assert timings.ratio("ours", "bare") in (0.5, 2.0)
