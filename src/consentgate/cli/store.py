"""Which consent log a command works on, and what went wrong with it, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from consentgate.errors import ConfigurationError
from consentgate.policy import ConsentPolicy
from consentgate.policy_file import load_policy
from consentgate.records import StoreError, open_store

if TYPE_CHECKING:
    from consentgate.records.sql import SqlStore

__all__ = ["opened", "policy_of", "store_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def store_options(command: Command) -> Command:
    """Add the options that name a consent log: `--records` and `--policy`."""
    command = click.option(
        "--policy",
        type=click.Path(path_type=Path),
        default=Path("consentgate.toml"),
        show_default=True,
        help="The policy file.",
    )(command)
    return click.option(
        "--records",
        envvar="CONSENTGATE_RECORDS",
        help="The consent log's address. Default: CONSENTGATE_RECORDS, then the policy's own.",
    )(command)


def policy_of(file: Path) -> ConsentPolicy:
    """Read the policy file; whatever is wrong with it ends the command with a list and exit code 1."""
    try:
        return load_policy(file)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def opened(records: str | None, policy: Path, *, may_be_new: bool = False) -> Iterator[SqlStore]:
    """Open the consent log; whatever is wrong with it ends the command with one line and exit code 1."""
    address = records or policy_of(policy).records
    if not address:
        raise click.UsageError(f"No consent log: {policy} has no `records`, and neither has the environment.")
    try:
        store = open_store(address)
    except ValueError as error:
        raise click.UsageError(f"--records: {error}") from None
    if store.is_sqlite and not may_be_new and not store.file.is_file():
        raise click.ClickException(f"There is no file {store.file}: nothing has been recorded there.")
    try:
        with store.plain_errors():
            yield store
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    finally:
        store.close()
