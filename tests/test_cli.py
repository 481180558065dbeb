"""The `consentgate` command: check a file, write one to start from, print its schema, draw a key."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from consentgate import __version__
from consentgate.cli import main
from consentgate.cli.commands import consentgate
from consentgate.consent_cookie import key_problems
from consentgate.policy_file import load_policy, policy_schema

RIGHT = """
site_name = "Luton"
[controller]
name = "Luton Council"
email = "privacy@luton.example"
[categories.analytics]
[[categories.analytics.services]]
type = "google-analytics"
measurement_id = "G-AB12CD34EF"
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(consentgate, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "consentgate.toml"


# check


def test_a_right_file_is_summed_up(file: Path) -> None:
    file.write_text(RIGHT)

    result = run("check", file)

    assert result.exit_code == 0
    assert result.stdout == f"✓ {file} is right: Luton asks about analytics; 2 storage items are listed.\n"
    assert result.stderr == ""


def test_a_right_file_that_asks_nothing_is_said_to_show_no_banner(file: Path) -> None:
    file.write_text(RIGHT.partition("[categories")[0])

    result = run("check", file)

    assert result.exit_code == 0
    assert result.stdout == (
        f"✓ {file} is right: Luton asks nothing, so that no banner is shown; 0 storage items are listed.\n"
    )


def test_a_wrong_file_is_answered_on_stderr_with_all_that_is_wrong(file: Path) -> None:
    file.write_text(RIGHT.replace("Luton Council", "").replace("G-AB12CD34EF", "UA-1"))

    result = run("check", file)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"✗ 2 things are wrong in {file}:\n"
        "  1. controller.name = '': Name the data controller.\n"
        "  2. categories.analytics.services[0].measurement_id = 'UA-1': A Google Analytics 4 measurement id looks like "
        "G-AB12CD34EF (Admin, Data streams). UA-, GTM-, AW- and DC- ids are other products.\n"
    )


def test_what_looks_like_colours_in_a_file_is_shown_as_it_is(file: Path) -> None:
    file.write_text(RIGHT.replace("Luton", "[bold]Luton[/bold]", 1))

    result = run("check", file)

    assert "right: [bold]Luton[/bold] asks about" in result.stdout


def test_a_missing_file_is_answered_with_how_to_get_one(file: Path) -> None:
    result = run("check", file)

    assert result.exit_code == 1
    assert result.stderr == (
        f"✗ 1 thing is wrong in {file}:\n"
        "  1. the file = 'No such file or directory': Give the path of a consentgate.toml. `consentgate init` writes "
        "one to start from.\n"
    )


def test_the_file_in_the_working_directory_is_checked_by_default(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(RIGHT)
    monkeypatch.chdir(file.parent)

    result = run("check")

    assert result.exit_code == 0
    assert result.stdout.startswith("✓ consentgate.toml is right")


def test_a_secret_in_the_file_is_not_repeated(file: Path) -> None:
    file.write_text("CONSENTGATE_KEYS = 'x7Kq2mPz9LwR4tVn8BcY3dFg6HjS5aTe'\n" + RIGHT)

    result = run("check", file)

    assert result.exit_code == 1
    assert "x7Kq2mPz" not in result.output


# init


def test_init_writes_a_file_that_is_right_and_its_schema(tmp_path: Path) -> None:
    result = run("init", tmp_path)

    assert result.exit_code == 0
    assert result.stdout == (
        f"Wrote {tmp_path}/consentgate.toml and consentgate.schema.json. Fill in your site, then: consentgate check "
        f"{tmp_path}/consentgate.toml\n"
    )
    assert load_policy(tmp_path / "consentgate.toml").site_name == "Example Partnership"
    assert json.loads((tmp_path / "consentgate.schema.json").read_text(encoding="utf-8")) == policy_schema()


def test_the_file_names_the_schema_beside_it_for_editors(tmp_path: Path) -> None:
    run("init", tmp_path)

    first_line = (tmp_path / "consentgate.toml").read_text(encoding="utf-8").partition("\n")[0]

    assert first_line == "#:schema ./consentgate.schema.json"


def test_init_makes_the_folder(tmp_path: Path) -> None:
    result = run("init", tmp_path / "new" / "site")

    assert result.exit_code == 0
    assert (tmp_path / "new" / "site" / "consentgate.toml").is_file()


def test_init_makes_no_folder_of_a_files_name(tmp_path: Path) -> None:
    result = run("init", tmp_path / "consentgate.toml")

    assert result.exit_code == 2
    assert "Give a folder, not a file" in result.output
    assert list(tmp_path.iterdir()) == []


def test_init_writes_into_the_working_directory_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = run("init")

    assert result.stdout.startswith("Wrote consentgate.toml and")
    assert (tmp_path / "consentgate.toml").is_file()


def test_init_overwrites_nothing(file: Path) -> None:
    file.write_text("mine")

    result = run("init", file.parent)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"✗ {file} exists. Move it away first: nothing was written.\n"
    assert file.read_text() == "mine"
    assert list(file.parent.iterdir()) == [file]


def test_init_into_a_file_is_a_wrong_use(file: Path) -> None:
    file.write_text("mine")

    result = run("init", file)

    assert result.exit_code == 2
    assert "is a file" in result.stderr


# schema, key and help


def test_schema_prints_the_schema_and_nothing_else() -> None:
    result = run("schema")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == policy_schema()


def test_key_draws_a_key_that_is_accepted() -> None:
    result = run("key")

    assert result.exit_code == 0
    assert result.stdout.endswith("\n")
    assert not list(key_problems(result.stdout.split()))


def test_key_never_draws_the_same_twice() -> None:
    assert run("key").stdout != run("key").stdout


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands(option: str) -> None:
    result = run(option)

    assert result.exit_code == 0
    assert all(f"  {command} " in result.stdout for command in ("check", "init", "key", "schema"))


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout.endswith(f"version {__version__}\n")


def test_an_unknown_command_is_a_wrong_use() -> None:
    assert run("demolish").exit_code == 2


# The installed command


def start(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int | str | None:
    """Start the command as the installed script does, and return what it exits with."""
    monkeypatch.setattr(sys, "argv", ["consentgate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


def test_the_command_starts(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(RIGHT)

    code = start(monkeypatch, "check", file)

    assert code == 0
    assert capsys.readouterr().out.startswith(f"✓ {file} is right")


def test_the_command_starts_where_output_is_no_stream_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)

    code = start(monkeypatch, "key")

    assert code == 0
    assert len(output.getvalue()) > 32


def test_the_command_runs_where_the_terminal_has_no_check_mark(file: Path) -> None:
    file.write_text(RIGHT)

    finished = program("check", file, encoding="ascii")

    assert finished.returncode == 0
    assert finished.stdout.startswith(b"? " + bytes(file) + b" is right")
    assert finished.stderr == b""


def test_the_command_writes_a_check_mark_where_there_is_one(file: Path) -> None:
    file.write_text(RIGHT)

    finished = program("check", file, encoding="utf-8")

    assert finished.stdout.startswith("✓ ".encode() + bytes(file) + b" is right")


def program(*arguments: str | Path, encoding: str = "utf-8", before: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the command as a program of its own."""
    return subprocess.run(
        [sys.executable, "-c", f"{before}from consentgate.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": encoding},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("missing", ["click", "rich.console"])
def test_without_its_extra_the_command_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "consentgate.cli.commands")
    monkeypatch.setitem(sys.modules, missing, None)

    said = start(monkeypatch, "key")

    assert said == 'The consentgate command needs its extra: pip install "consentgate[cli]"'


def test_a_user_without_the_extra_reads_that_and_no_traceback() -> None:
    finished = program("key", before="import sys; sys.modules['click'] = None; ")

    assert finished.returncode == 1
    assert finished.stderr == b'The consentgate command needs its extra: pip install "consentgate[cli]"\n'
    assert finished.stdout == b""


def test_any_other_missing_module_is_not_mistaken_for_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "consentgate.cli.commands")
    monkeypatch.setitem(sys.modules, "consentgate.policy_file", None)

    with pytest.raises(ModuleNotFoundError, match="policy_file"):
        main()


def test_the_command_is_declared_in_pyproject() -> None:
    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))

    assert pyproject["project"]["scripts"] == {"consentgate": "consentgate.cli:main"}
