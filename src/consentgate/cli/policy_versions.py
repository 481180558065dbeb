"""`consentgate policy`: print what visitors saw under a hash, and what changed between two versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from consentgate.cli.store import opened, policy_of, store_options
from consentgate.records import PolicyVersion
from consentgate.rendering import Rendering

__all__ = ["policy_versions"]

Notice = Mapping[str, Any]

_out = Console(highlight=False, soft_wrap=True, markup=False)
_BLOCKS = frozenset(("h2", "p", "li", "button", "a", "section", "form", "ul", "div"))


@click.group(name="policy")
def policy_versions() -> None:
    """Show what visitors were asked, version by version."""


@policy_versions.command()
@click.argument("version", default="")
@store_options
@click.option("--language", help="In this language only, for example en.")
@click.option("--json", "as_json", is_flag=True, help="Print the version exactly as it is kept and hashed.")
@click.option("--html", "as_html", is_flag=True, help="Print the banner's markup.")
def show(version: str, records: str | None, policy: Path, language: str | None, as_json: bool, as_html: bool) -> None:
    """Print what visitors saw under VERSION: a hash or the first 8 digits of one, of a policy version or of a wording.

    Without VERSION, or with the name of a policy file, it prints what that file asks.
    """
    found = _find(version or str(policy), records, policy)
    if as_json:
        click.echo(found.content)
        return
    wordings: Mapping[str, Any] = found.parts["wordings"]
    if language and language not in wordings:
        raise click.UsageError(f"It has no {language!r}, only {', '.join(wordings)}.")
    for tag, wording in wordings.items():
        if language and tag != language:
            continue
        if as_html:
            click.echo(wording["banner"])
        else:
            _out.print("\n".join(_lines(found, tag, wording)))


@policy_versions.command()
@click.argument("before")
@click.argument("after")
@store_options
def diff(before: str, after: str, records: str | None, policy: Path) -> None:
    """Print what changed from BEFORE to AFTER, and who has to be asked again. Each is a hash or a policy file."""
    one, other = (_find(name, records, policy) for name in (before, after))
    if one.hash == other.hash:
        _out.print("They are the same.")
        return
    _out.print("\n".join(_asked_again(one, other)))
    for tag in dict.fromkeys([*one.parts["wordings"], *other.parts["wordings"]]):
        names = [f"{version.hash[:16]} {tag}" for version in (one, other)]
        changes = list(
            unified_diff(_text(one, tag), _text(other, tag), names[0], names[1], lineterm="", n=1),
        )
        _out.print("\n" + ("\n".join(changes) if changes else f"{tag}: the same words."))


def _find(name: str, records: str | None, policy: Path) -> PolicyVersion:
    if name.endswith(".toml") or Path(name).is_file():
        return Rendering(policy_of(Path(name))).policy_version
    with opened(records, policy) as store:
        found = store.policy_version(name.lower())
    if found is None:
        raise click.ClickException(f"No policy version and no wording has a hash that begins with {name!r}.")
    return found


def _text(version: PolicyVersion, tag: str) -> list[str]:
    wording = version.parts["wordings"].get(tag)
    return list(_lines(version, tag, wording))[3:] if wording else []


def _lines(version: PolicyVersion, tag: str, wording: Mapping[str, Any]) -> Iterator[str]:
    notice: Notice = wording["notice"]
    yield f"Policy version {version.hash}"
    yield f"Wording ({tag}) {wording['hash']}"
    yield ""
    yield "Banner"
    yield from (f"  {line}" for line in _read(wording["banner"]))
    for category in wording["categories"]:
        yield ""
        yield f"{category['title']} ({category['id']}, version {category['version']}, {category['basis']})"
        yield f"  {category['purpose']}"
        for title, provider, address in category["services"]:
            yield f"  Service: {title} by {provider}, {address}"
        for item in category["items"]:
            yield f"  {item['type']} {item['name']}: {item['purpose']} {item['duration']}. {item['provider']}".rstrip()
    yield ""
    yield "Texts"
    yield from (f"  {key}: {text}" for key, text in sorted(notice.get("texts", {}).items()))
    yield ""


def _asked_again(one: PolicyVersion, other: PolicyVersion) -> Iterator[str]:
    before, after = _categories(one), _categories(other)
    count = 0
    for id_, category in after.items():
        old = before.get(id_)
        if category["basis"] != "consent":
            continue
        if old is None:
            yield f"Everybody is asked about {id_}: it is new."
        elif old["version"] != category["version"]:
            yield f"Everybody is asked about {id_} again: version {old['version']} became {category['version']}."
        elif old["basis"] != "consent":
            yield f"Whoever has not answered about {id_} is asked: it needed no consent before."
        else:
            continue
        count += 1
    yield from (f"Nobody is asked about {id_} any more: it is gone." for id_ in before if id_ not in after)
    if not count:
        yield "Nobody has to be asked again."


def _categories(version: PolicyVersion) -> dict[str, Any]:
    first = next(iter(version.parts["wordings"].values()))
    return {category["id"]: category for category in first["categories"]}


class _Reader(HTMLParser):
    """Read a banner as a visitor does: one line for each block; what is hidden until later is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden or (tag == "div" and ("hidden", None) in attrs):
            self._hidden += tag == "div"
        if tag in _BLOCKS:
            self.lines.append("[" if tag == "button" else "")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= tag == "div"
        elif tag == "button":
            self.lines[-1] += "]"
        if tag in _BLOCKS:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.lines[-1] += data


def _read(markup: str) -> list[str]:
    reader = _Reader()
    reader.feed(markup)
    return [" ".join(line.split()) for line in reader.lines if line.strip(" []\n")]
