"""`consentgate check module:app`: visit an application in this process, and list what its policy does not declare."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from starlette.types import ASGIApp

from consentgate.cli.crawl import Crawl, Sighting, Who, crawl
from consentgate.cli.import_app import AppImportError, import_app, said
from consentgate.cli.visitor import StartupError, Visitor, running
from consentgate.cookie_rules import CookieRules
from consentgate.cookies import is_expiry, set_cookie_name
from consentgate.declarations import Remedy, remedy_for_cookie, remedy_for_tag, uncovered
from consentgate.inventory import Finding
from consentgate.middleware import KEYS_VARIABLE, ConsentMiddleware
from consentgate.policy import ConsentPolicy
from consentgate.policy_file import load_policy
from consentgate.storage import matches
from consentgate.visit import Site

__all__ = ["Report", "UncheckableError", "check_app", "show"]

_MOST_PATHS = 4  # that are named for one finding
_NO_HOST = "localhost"  # stands in where the policy lists none
_VISITORS: Mapping[Who, str] = {
    "undecided": "a visitor who has not answered",
    "granted": "a visitor who accepted everything",
}


class UncheckableError(Exception):
    """Say in plain words why nothing could be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeclared:
    """Describe one thing that visitors are told nothing of, or that does not wait for their answer.

    Args:
        name: of the cookie or the service.
        provider: who receives a service's data; empty for a cookie.
        evidence: what gives a service away; empty for a cookie.
        paths: where it was met.
        visitors: who met it: `undecided`, `granted` or both.
        remedy: what to do, in a sentence.
        toml: what to add to the policy; empty when nothing has to be declared.
    """

    name: str
    provider: str = ""
    evidence: str = ""
    paths: tuple[str, ...]
    visitors: tuple[Who, ...]
    remedy: str
    toml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Hold what a check found.

    Args:
        target: the application's name.
        host: the host it was visited as.
        pages: how many pages each visitor opened.
        cookies: what the application sets and the policy does not list.
        tags: what pages carry by themselves.
        failures: path and error of each page that could not be checked.
        unseen: declared cookies that nobody met.
        notes: what else is worth knowing.
    """

    target: str
    host: str
    pages: Mapping[Who, int]
    cookies: tuple[Undeclared, ...]
    tags: tuple[Undeclared, ...]
    failures: tuple[tuple[str, str], ...]
    unseen: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing has to be done."""
        return not (self.cookies or self.tags or self.failures)

    def as_json(self) -> str:
        """Write it for machines."""
        content = asdict(self)
        content["failures"] = [{"path": path, "error": error} for path, error in self.failures]
        return json.dumps({"ok": self.is_clean, **content}, indent=2, ensure_ascii=False)


def check_app(
    target: str,
    *,
    policy_file: Path | None = None,
    paths: Sequence[str] = ("/",),
    most_pages: int = 50,
    host: str | None = None,
) -> Report:
    """Visit an application and judge it by its policy.

    Args:
        target: `module:app`, or `module:create_app()`.
        policy_file: the policy of an application that has no ConsentMiddleware around it.
        paths: where to start.
        most_pages: how many pages each of the two visitors opens.
        host: the host to visit it as; by default the first of the policy's.

    Raises:
        UncheckableError: when nothing could be checked.
        ConfigurationError: when the policy is wrong.
    """
    # Its signatures are for this check alone, so that it needs no secret where it runs.
    os.environ.setdefault(KEYS_VARIABLE, secrets.token_urlsafe(32))
    with _quiet():
        try:
            app = import_app(target)
            if policy_file is not None:
                app = ConsentMiddleware(app, load_policy(policy_file), keys=[secrets.token_urlsafe(32)])
            return asyncio.run(_check(target, app, paths, most_pages, host))
        except AppImportError as problem:
            raise UncheckableError(str(problem)) from None
        except StartupError as problem:
            raise UncheckableError(f"{target} did not start: {problem}") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep consentgate's own warnings back: the report says the same, and more."""
    log = logging.getLogger("consentgate")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


async def _check(target: str, app: ASGIApp, paths: Sequence[str], most_pages: int, host: str | None) -> Report:
    async with running(app) as state:
        site = await _site_of(target, app, paths, host, state)
        authority = host or next(iter(site.policy.hosts), _NO_HOST)
        found = await crawl(app, site, host=authority, paths=paths, most_pages=most_pages, state=state)
    return _report(target, authority, site.policy, found)


async def _site_of(target: str, app: ASGIApp, paths: Sequence[str], host: str | None, state: Mapping[str, Any]) -> Site:
    """Ask for the start paths until a ConsentMiddleware takes a request."""
    visitor = Visitor(app, host or _NO_HOST, state=state)
    raised = ""
    for path in paths:
        page = await visitor.open(path)
        if visitor.site is not None:
            return visitor.site
        raised = f"The application raised {said(page.error)}. " if page.error else raised
    raise UncheckableError(
        f"No ConsentMiddleware took the request for {' or '.join(paths)} on {visitor.host}. {raised}Is {target} the "
        "application inside it? Then name its policy with --policy. Does it answer on another host? Then add --host."
    )


# Judge what was met.


def _report(target: str, host: str, policy: ConsentPolicy, found: Crawl) -> Report:
    failures = dict.fromkeys((sighting.path, error) for error, sighting in found.failures)
    return Report(
        target=target,
        host=host,
        pages=found.pages,
        cookies=tuple(_undeclared_cookies(policy, found)),
        tags=tuple(_undeclared_tags(policy, found)),
        failures=tuple(failures),
        unseen=tuple(_unseen(policy, found)),
        notes=tuple(_notes(policy, found)),
    )


def _undeclared_cookies(policy: ConsentPolicy, found: Crawl) -> Iterator[Undeclared]:
    now = time()
    rules = CookieRules(policy)
    met: dict[str, list[tuple[bytes, Sighting]]] = {}
    for line, sighting in found.cookies:
        if rules.category_of(set_cookie_name(line)) is None and not is_expiry(line, now):
            met.setdefault(set_cookie_name(line), []).append((line, sighting))
    for name, sightings in met.items():
        remedy = Remedy("The lines above list it too.")
        if CookieRules(policy).category_of(name) is None:
            remedy = remedy_for_cookie(policy, sightings[0][0], now)
            policy = remedy.declared or policy
        yield _undeclared(name, remedy, [sighting for _, sighting in sightings])


def _undeclared_tags(policy: ConsentPolicy, found: Crawl) -> Iterator[Undeclared]:
    granted: Mapping[Who, set[str]] = {
        "undecided": {category.id for category in policy.categories if not category.needs_consent},
        "granted": {category.id for category in policy.categories},
    }
    met: dict[str, list[tuple[Finding, Sighting]]] = {}
    for tag, sighting in found.tags:
        if uncovered(policy, tag, granted[sighting.who]):
            met.setdefault(tag.title, []).append((tag, sighting))
    for title, sightings in met.items():
        tag = sightings[0][0]
        remedy = remedy_for_tag(policy, tag)
        if all(sighting.who == "granted" for _, sighting in sightings):  # it waits for an answer already
            remedy = replace(remedy, text="List it in consentgate.toml, in the category that lets it into the page:")
        where = [sighting for _, sighting in sightings]
        yield _undeclared(title, remedy, where, provider=tag.provider, evidence=tag.evidence)


def _undeclared(
    name: str, remedy: Remedy, where: Sequence[Sighting], *, provider: str = "", evidence: str = ""
) -> Undeclared:
    return Undeclared(
        name=name,
        provider=provider,
        evidence=evidence,
        paths=tuple(dict.fromkeys(sighting.path for sighting in where)),
        visitors=tuple(dict.fromkeys(sighting.who for sighting in where)),
        remedy=remedy.text,
        toml=remedy.lines,
    )


def _unseen(policy: ConsentPolicy, found: Crawl) -> Iterator[str]:
    """Yield the cookies that a category lists itself and nobody met; those of services are set in the browser."""
    seen = {set_cookie_name(line) for line, _ in found.cookies}
    for category in policy.categories:
        listed = (item.name for item in category.items if item.type == "cookie")
        yield from (name for name in listed if not any(matches(name, one) for one in seen))


def _notes(policy: ConsentPolicy, found: Crawl) -> Iterator[str]:
    unlinked = list(dict.fromkeys(found.unlinked))
    if unlinked and policy.optional_categories:
        yield (
            f"No link to {policy.path_prefix} on {_listed(unlinked)}. Visitors have to be able to change their mind as "
            "easily as they answered: put one into every page's footer."
        )
    if found.left_out:
        yield f"{found.left_out} more pages are linked. Raise --max-pages to see them."
    for host in sorted(found.elsewhere):
        yield f"A redirect leads to {host}, another host. Check it with --host {host}."


# Show it to a person.


def show(report: Report, out: Console) -> None:
    """Print a report."""
    for cookie in report.cookies:
        name = _printable(cookie.name) or "without a name"
        _show_undeclared(f"The cookie {name} is not in the policy", cookie, out)
    for tag in report.tags:
        _show_undeclared(f"{tag.name} ({tag.provider}) is in pages by itself: {tag.evidence}", tag, out)
    for path, error in report.failures:
        out.print(f"[bold red]✗[/] {escape(path)} could not be checked: {escape(_printable(error))}\n")
    if report.unseen:
        out.print(
            f"[dim]·[/] Listed but never met: {escape(', '.join(report.unseen))}. That is right for what a script or a "
            "form sets; take out what is no longer used."
        )
    for note in report.notes:
        out.print(f"[dim]·[/] {escape(note)}")
    mark = "[bold green]✓[/]" if report.is_clean else "[bold red]✗[/]"
    out.print(f"{mark} {escape(_summary(report))}")


def _show_undeclared(said: str, found: Undeclared, out: Console) -> None:
    out.print(f"[bold red]✗[/] {escape(said)}")
    out.print(f"  Met on {escape(_listed(found.paths))} by {' and '.join(_VISITORS[who] for who in found.visitors)}.")
    out.print(f"  {escape(found.remedy)}")
    if found.toml:
        out.print(f"\n{escape(found.toml)}", end="")
    out.print()


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_PATHS
    return ", ".join(paths[:_MOST_PATHS]) + (f" and {more} more" if more > 0 else "")


def _printable(text: str) -> str:
    """Return a text of the application's with nothing in it that would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _summary(report: Report) -> str:
    pages = max(report.pages.values(), default=0)
    where = f"{report.target}, {_counted(pages, 'page')} on {report.host} as each of two visitors"
    if report.is_clean:
        return f"{where}: nothing leaves that the policy does not declare."
    found = [
        _counted(len(report.cookies), "undeclared cookie") if report.cookies else "",
        _counted(len(report.tags), "tag") + " in pages by themselves" if report.tags else "",
        _counted(len(report.failures), "page") + " that failed" if report.failures else "",
    ]
    return f"{where}: {', '.join(filter(None, found))}."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
