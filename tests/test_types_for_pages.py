"""The types for a page's own scripts, held against TypeScript's compiler at its strictest."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.needs import leave_out
from tests.npm import TYPESCRIPT, file_of, require_npm

DECLARED = Path(__file__).parents[1] / "src" / "consentgate" / "consentgate.d.ts"
STRICT = (
    "--strict",
    "--noUncheckedIndexedAccess",
    "--exactOptionalPropertyTypes",
    "--noEmit",
    "--target",
    "es2022",
    "--module",
    "es2022",
    "--moduleResolution",
    "bundler",
    "--lib",
    "es2022,dom",
)
PATIENCE = 120  # seconds

EVERYTHING = """
import type { Consentgate, ConsentState } from "./consentgate";

function startCounting(state: ConsentState): readonly string[] {
  return state.isDecided ? state.granted : [];
}

document.addEventListener("consentgate:ready", ({ detail }) => {
  const known: ConsentState | null = detail;
  if (known) startCounting(known);
});
document.addEventListener("consentgate:change", ({ detail }) => startCounting(detail));

const gate: Consentgate | undefined = window.consentgate;
if (gate) {
  const stop: () => void = gate.onChange((state) => startCounting(state));
  const isOn: boolean = gate.allows("analytics");
  if (!isOn) gate.open();
  const granted: string | undefined = gate.state?.granted[0];
  console.log(granted);
  stop();
}
"""
WRONG = {
    "the script may not have run": ("window.consentgate.open();", "TS18048"),
    "the state may not be known": ("window.consentgate!.state.granted;", "TS2531"),
    "the state cannot be changed": ("window.consentgate!.state!.isDecided = true;", "TS2540"),
    "nothing can be granted by a script": ('window.consentgate!.state!.granted.push("analytics");', "TS2339"),
    "a category has a name": ("window.consentgate!.allows(1);", "TS2345"),
    "a state is no text": ("window.consentgate!.onChange((state: string) => state);", "TS2345"),
    "the ready event may know nothing": (
        'document.addEventListener("consentgate:ready", ({ detail }) => detail.granted);',
        "TS18047",
    ),
    "there is no other method": ('window.consentgate!.accept("analytics");', "TS2339"),
}


def compiled(folder: Path, program: str) -> str:
    """Return what the compiler says about a module that uses the types; nothing when all is well."""
    require_npm()
    node = shutil.which("node") or leave_out("Node.js is not installed.")
    shutil.copy(DECLARED, folder)
    module = folder / "page.ts"
    module.write_text(f'import "./consentgate";\n{program}\nexport {{}};\n', encoding="utf-8")
    command = [node, str(file_of(*TYPESCRIPT)), *STRICT, str(module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=folder)
    return done.stdout + done.stderr


def test_a_module_that_uses_everything_compiles(tmp_path: Path) -> None:
    assert compiled(tmp_path, EVERYTHING) == ""


def test_what_is_wrong_does_not_compile(tmp_path: Path) -> None:
    lines = "\n".join(program for program, _ in WRONG.values())

    said = compiled(tmp_path, lines)

    for number, (meaning, (_, code)) in enumerate(WRONG.items(), start=2):
        assert f"page.ts({number}," in said, f"Compiles, though {meaning}."
        (line,) = (line for line in said.splitlines() if line.startswith(f"page.ts({number},"))
        assert code in line, line


def test_the_declaration_declares_what_the_script_defines() -> None:
    script = (DECLARED.parents[2] / "static" / "consentgate-page.js").read_text(encoding="utf-8")

    declared = DECLARED.read_text(encoding="utf-8")

    for name in ("state", "allows", "open", "onChange", "consentgate:ready", "consentgate:change"):
        assert name in declared
        assert name in script


@pytest.mark.parametrize("name", ["consentgate.d.ts", "py.typed"])
def test_the_types_are_in_the_package(name: str) -> None:
    assert (DECLARED.parent / name).is_file()
