"""Check a policy, write one to start from, print its JSON Schema, draw a signing key."""

from __future__ import annotations

import json
import secrets
from importlib import resources
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from consentgate import __version__
from consentgate.cli.check_app import Report, UncheckableError, check_app, show
from consentgate.cli.import_app import names_an_app
from consentgate.cli.policy_versions import policy_versions
from consentgate.cli.receipt import receipt
from consentgate.cli.records import records
from consentgate.cli.report import report
from consentgate.cli.translations import UntranslatableError, update_all
from consentgate.errors import ConfigurationError
from consentgate.policy import ConsentPolicy
from consentgate.policy_file import load_policy, policy_schema
from consentgate.template_rules import template_problems

__all__ = ["consentgate"]

_SCHEMA_FILE = "consentgate.schema.json"
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def consentgate() -> None:
    """Make a visitor's cookie choice true on the server."""


for command in (policy_versions, receipt, records, report):
    consentgate.add_command(command)


@consentgate.command()
@click.argument("target", default="consentgate.toml")
@click.option("--policy", type=click.Path(path_type=Path), help="The policy of an app without ConsentMiddleware.")
@click.option("--path", "paths", multiple=True, default=("/",), show_default=True, help="Where to start; repeatable.")
@click.option("--max-pages", type=click.IntRange(min=1), default=50, show_default=True, help="How far to follow links.")
@click.option("--host", help="The host to visit the app as. Default: the first of the policy.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found for machines.")
def check(
    target: str, policy: Path | None, paths: tuple[str, ...], max_pages: int, host: str | None, as_json: bool
) -> None:
    """Check a policy file, or an application against its policy.

    TARGET is the file, or an ASGI application as servers name it: module:app, or module:create_app() for a factory.
    The application is started in this process and visited twice, by somebody who has not answered and by somebody who
    accepted everything. Only GET requests are sent.

    Exit code 0 when all is right, 1 when something is undeclared or wrong, 2 when nothing could be checked.
    """
    try:
        if names_an_app(target):
            report = check_app(target, policy_file=policy, paths=paths, most_pages=max_pages, host=host)
            _show_report(report, as_json=as_json)
        else:
            _show_policy(target, load_policy(target), as_json=as_json)
    except ConfigurationError as error:
        _show_problems(error, as_json=as_json)
        raise SystemExit(1) from None
    except UncheckableError as problem:
        raise click.UsageError(str(problem)) from None


def _show_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(report.as_json())
    else:
        show(report, _out)
    if not report.is_clean:
        raise SystemExit(1)


def _show_policy(target: str, policy: ConsentPolicy, *, as_json: bool) -> None:
    if lost := tuple(template_problems(policy)):
        raise ConfigurationError(lost, source=str(policy.templates))
    if as_json:
        click.echo(json.dumps({"ok": True, "target": target, "problems": []}))
    else:
        _out.print(f"[bold green]✓[/] {escape(target)} is right: {escape(_summary(policy))}")


def _show_problems(error: ConfigurationError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ok": False, "target": error.source, "problems": [str(one) for one in error.problems]}))
    else:
        _err.print(f"[bold red]✗[/] {escape(str(error))}")


@consentgate.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Write a commented consentgate.toml, and the schema your editor checks it with, into FOLDER."""
    if folder.suffix == ".toml" and not folder.is_dir():
        raise click.UsageError(f"Give a folder, not a file: init {folder.parent} writes consentgate.toml there.")
    file = folder / "consentgate.toml"
    if file.exists():
        _err.print(f"[bold red]✗[/] {escape(str(file))} exists. Move it away first: nothing was written.")
        raise SystemExit(1)
    folder.mkdir(parents=True, exist_ok=True)
    template = resources.files("consentgate").joinpath("templates", "consentgate.toml").read_text(encoding="utf-8")
    file.write_text(template, encoding="utf-8")
    (folder / _SCHEMA_FILE).write_text(_schema_text(), encoding="utf-8")
    _out.print(
        f"Wrote {escape(str(file))} and {_SCHEMA_FILE}. Fill in your site, then: consentgate check {escape(str(file))}"
    )


@consentgate.command()
def schema() -> None:
    """Print the JSON Schema of consentgate.toml."""
    click.echo(_schema_text(), nl=False)


@consentgate.command()
def key() -> None:
    """Draw a signing key for the environment variable CONSENTGATE_KEYS."""
    click.echo(secrets.token_urlsafe(32))


@consentgate.command()
@click.option(
    "--policy", type=click.Path(path_type=Path), help="A site's policy: translate its own words, in its texts folder."
)
@click.option("--add", "added", multiple=True, metavar="LANGUAGE", help="Begin a catalogue; repeatable.")
@click.option(
    "--check", "only_check", is_flag=True, help="Change nothing; exit code 1 when a text is missing or unsure."
)
def translations(policy: Path | None, added: tuple[str, ...], only_check: bool) -> None:
    """Bring every catalogue of translations up to date, and say what is missing.

    Without a policy: consentgate's own catalogues, in a checkout. With one: the catalogues in the folder that its
    setting texts names; a language that is not built in is given all of consentgate's texts too.
    """
    try:
        states = update_all(policy, added, write=not only_check)
    except (ConfigurationError, UntranslatableError) as error:
        _err.print(f"[bold red]✗[/] {escape(str(error))}")
        raise SystemExit(2) from None
    for state in states:
        _out.print(escape(str(state)))
    if only_check and not all(state.is_complete for state in states):
        raise SystemExit(1)


@consentgate.command()
@click.option("--policy", default="consentgate.toml", show_default=True, help="The policy, and its table [gateway].")
@click.option("--upstream", help="Where the site is: http://127.0.0.1:8080.")
@click.option("--ca-file", help="Certificates that a site at https:// is checked by, in PEM form.")
@click.option("--certificate-host", help="The host that its certificate names, when upstream has another.")
@click.option("--listen", help="Where visitors' requests come in: 127.0.0.1:8000.")
@click.option("--workers", type=int, help="How many processes share the work.")
@click.option("--trusted-proxies", multiple=True, help="An address or network of a proxy in front; repeatable.")
@click.option("--trusted-headers", help="What those say about visitors: x-forwarded or forwarded.")
@click.option("--connect-seconds", type=float, help="How long the site may take to accept a connection.")
@click.option("--response-seconds", type=float, help="How long it may take to begin an answer.")
@click.option("--idle-seconds", type=float, help="How long an answer may be silent.")
@click.option("--client-seconds", type=float, help="How long a visitor may take to send a request's head.")
@click.option("--shutdown-seconds", type=int, help="How long open answers may go on after a stop.")
@click.option("--connections", type=int, help="The most connections to one site, for each worker.")
@click.option("--metrics", help="Where Prometheus reads the counts: 127.0.0.1:9464.")
@click.option("--log", help="json or text.")
@click.option("--access-log/--no-access-log", default=None, help="Whether each answer is logged.")
def serve(policy: str, **given: object) -> None:
    """Put consentgate in front of a web site, whatever it is written in.

    Everything can stand in the file, in the tables [gateway] and [sites."host"]; what is given here goes before it.
    CONSENTGATE_KEYS holds the signing keys. SIGHUP reads the policy again, SIGTERM lets open answers end.
    """
    try:
        from consentgate.gateway.serve import serve as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("httptools", "prometheus_client", "uvicorn", "websockets"):
            raise
        raise click.UsageError('The gateway needs its extra: pip install "consentgate[gateway]"') from None
    try:
        status = run(policy, {name: _listed(value) for name, value in given.items() if value not in (None, ())})
    except ConfigurationError as error:
        _show_problems(error, as_json=False)
        raise SystemExit(1) from None
    raise SystemExit(status)


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _schema_text() -> str:
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def _summary(policy: ConsentPolicy) -> str:
    asked = [category.id for category in policy.categories if category.needs_consent]
    items = sum(len(policy.items_of(category)) for category in policy.categories)
    question = f"asks about {', '.join(asked)}" if asked else "asks nothing, so that no banner is shown"
    return f"{policy.site_name} {question}; {items} storage items are listed."
