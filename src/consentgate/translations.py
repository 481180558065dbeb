"""The texts a visitor reads, by language: load them, pick a language, fill in places, count, join and date.

English is the source, in `locales/en.toml`. Translators work on `locales/<language>.po`; what runs is the JSON beside
it, which `consentgate translations` writes. A site's own texts stand over them, in a folder of TOML or .po files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Formatter
from typing import Any

from consentgate.errors import Problem

__all__ = [
    "SOURCE_LANGUAGE",
    "UNITS",
    "Folder",
    "Texts",
    "accepted",
    "available",
    "own_entries",
    "own_text_problems",
    "pick",
    "places_in",
    "read_po",
    "texts_digest",
    "texts_for",
]

SOURCE_LANGUAGE = "en"
UNITS = ("minutes", "hours", "days", "weeks", "months", "years")
"""In which durations are counted."""

Folder = str | Path
"""Where a site's own texts or templates are."""

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")  # BCP 47, as far as texts are named by it
_LONGEST_TAG = 35  # characters (RFC 5646 4.4.1)
_SCRIPT = re.compile(r"-([a-z]{4})(?:-|$)")
_READ_IN = {"pa-pk": "arab"}  # where a region means another script (CLDR's likely subtags)
_QUALITY = re.compile(r"q=(1(?:\.0{0,3})?|0(?:\.[0-9]{0,3})?)", re.IGNORECASE)
_MOST_ACCEPTED = 20  # languages of an Accept-Language header that are looked at
_DURATIONS_IN_WORDS = ("duration.session", "duration.not_kept", "duration.up_to")
_NUMBER = re.compile(r"[0-9]{1,6}")
_DIGITS = "0123456789"
_FORM = re.compile(r"(.+)\.[0-9]")
_PLURAL = re.compile(r"plural=([^;]+)")
_PLURAL_BY_DEFAULT = "nplurals=2; plural=(n != 1);"
_NUMBERS_TRIED = 200  # languages differ up to 100
_ABOUT = "language."  # keys of what is said about the language itself: data, not texts
_MAY_BE_LEFT_OUT = frozenset(("site", "count"))


@dataclass(frozen=True)
class Texts:
    """Hold all texts of one language.

    Args:
        language: its BCP 47 tag.
        direction: `ltr` or `rtl`.
        entries: text by key, for example `banner.accept_all`; forms for counting end in their number,
            for example `duration.days.0`.
        plural: which form a number takes.
    """

    language: str
    direction: str
    entries: Mapping[str, str]
    plural: Callable[[int], int] = field(default=lambda n: int(n != 1), compare=False)

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its `{places}` filled in."""
        return self.entries[key].format(**values)

    def get(self, key: str) -> str:
        """Return a text that may be missing, else an empty string."""
        return self.entries.get(key, "")

    def number(self, value: int) -> str:
        """Write a number in the digits of the language."""
        return str(value).translate(self._digits)

    def duration(self, count: int, unit: str) -> str:
        """Write how long something is kept, for example 184 `days`; empty when the language lacks the words."""
        form = self.entries.get(f"duration.{unit}.{self.plural(count)}", "")
        return form.format(count=self.number(count))

    def listed(self, names: Sequence[str], *, written: Callable[[str], str] = str) -> str:
        """Join names as a sentence does: a, b and c. The names are taken as they are.

        Args:
            names: what is joined.
            written: writes the words between them, where they have to be escaped.
        """
        if len(names) < 2:
            return "".join(names)
        if len(names) == 2:
            return self._joined("two", names[0], names[1], written)
        first, *middle, last = names
        for name in middle:
            first = self._joined("more", first, name, written)
        return self._joined("end", first, last, written)

    def date(self, day: date) -> str:
        """Write a date as a sentence does: 22 November 2026."""
        return self.entries["date.long"].format(
            day=self.number(day.day), month=self.entries[f"date.month_{day.month}"], year=self.number(day.year)
        )

    def read_duration(self, text: str) -> tuple[int, str] | None:
        """Return count and unit when a text says in this language how long something is kept: 184, `days`."""
        number = _NUMBER.match(text)
        if number is None:
            return None
        count = int(number[0])
        return next(((count, unit) for unit in UNITS if self.duration(count, unit) == text), None)

    def key_of_description(self, text: str) -> tuple[str, dict[str, str]] | None:
        """Return the key under which a text says in this language what something is for, and what fills its places."""
        if key := self._descriptions.get(text):
            return key, {}
        found = ((key, pattern.fullmatch(text)) for key, pattern in self._description_patterns)
        return next(((key, match.groupdict()) for key, match in found if match), None)

    def _joined(self, how: str, first: str, last: str, written: Callable[[str], str]) -> str:
        # Not by format: a name may hold braces.
        pattern = self.entries.get(f"list.{how}") or "{first}, {last}"
        before, between, after = map(written, re.split(r"\{first\}|\{last\}", pattern))
        return f"{before}{first}{between}{last}{after}"

    @cached_property
    def _digits(self) -> Mapping[int, int]:
        digits = self.entries.get("language.digits", "")
        return str.maketrans(_DIGITS, digits if len(digits) == len(_DIGITS) else _DIGITS)

    @cached_property
    def _descriptions(self) -> Mapping[str, str]:
        described = {key: text for key, text in self.entries.items() if key.startswith("described.")}
        return {text: key for key, text in described.items()} | {self.get(key): key for key in _DURATIONS_IN_WORDS}

    @cached_property
    def _description_patterns(self) -> list[tuple[str, re.Pattern[str]]]:
        open_ones = ((text, key) for text, key in self._descriptions.items() if "{" in text)
        return [(key, re.compile(_as_pattern(text, ".{1,80}"))) for text, key in open_ones]


def _as_pattern(text: str, value: str) -> str:
    """Return a text as a regular expression that finds what fills its places."""
    pieces = ((re.escape(before), name) for before, name, _, _ in Formatter().parse(text))
    return "".join(before + (f"(?P<{name}>{value})" if name else "") for before, name in pieces)


# Which languages there are, and their texts.


@cache
def available(folder: Folder = "") -> tuple[str, ...]:
    """List the languages that have texts, built in or in a site's own folder: English first, then by tag."""
    built_in = {entry.name.removesuffix(".json") for entry in _locales().iterdir() if entry.name.endswith(".json")}
    own = {path.stem for path in _own_files(folder)}
    return (SOURCE_LANGUAGE, *sorted((built_in | own) - {SOURCE_LANGUAGE}))


@cache
def texts_for(language: str = SOURCE_LANGUAGE, folder: Folder = "") -> Texts:
    """Load the texts of a language.

    Args:
        language: one of `available(folder)`.
        folder: where the site's own texts are; they stand over the built-in ones.
    """
    entries = {**_built_in(language), **own_entries(language, folder)}
    rule = entries.pop("language.plural", _PLURAL_BY_DEFAULT)
    entries.pop("language.tag", None)
    return Texts(language, entries.get("language.direction", "ltr"), entries, _plural_form(rule))


@cache
def own_entries(language: str, folder: Folder) -> Mapping[str, str]:
    """Read what a site's own folder says in a language; TOML stands over a catalogue."""
    entries: dict[str, str] = {}
    for path in _own_files(folder):
        entries |= _read(path) if path.stem == language else {}
    return entries


def texts_digest(folder: Folder = "") -> str:
    """Return a hash of all texts of all languages: what is kept of a page is old once it differs."""
    contents = [entry.read_bytes() for entry in sorted(_locales().iterdir(), key=lambda one: one.name)]
    contents += [path.read_bytes() for path in _own_files(folder)]
    return hashlib.blake2b(b"\0".join(contents), digest_size=6).hexdigest()


def pick(wished: Iterable[str], offered: Sequence[str], folder: Folder = "") -> str | None:
    """Return the first wish that can be met: `pt-BR` is met by `pt`, but not a script by another.

    Args:
        wished: BCP 47 tags, the best first.
        offered: languages that have texts.
        folder: where the site's own texts are.
    """
    known = {tag.lower(): tag for tag in offered}
    for wish in wished:
        if len(wish) > _LONGEST_TAG:
            continue
        tag = wish.lower().replace("_", "-")
        script = _script_of(tag)
        while tag:
            found = known.get(tag)
            if found and (not script or script == texts_for(found, folder).get("language.script").lower()):
                return found
            tag = tag.rpartition("-")[0]
    return None


def accepted(header: str) -> list[str]:
    """Return the languages of an `Accept-Language` header, the best first (RFC 9110 12.5.4)."""
    ranked: list[tuple[float, str]] = []
    for part in header.split(",")[:_MOST_ACCEPTED]:
        tag, _, parameter = part.partition(";")
        quality = _QUALITY.fullmatch(parameter.strip()) if parameter else None
        weight = float(quality[1]) if quality else float(not parameter)
        if weight and _TAG.fullmatch(tag.strip()):
            ranked.append((-weight, tag.strip()))
    return [tag for _, tag in sorted(ranked, key=lambda one: one[0])]


def _script_of(tag: str) -> str:
    """Return the script that a tag asks for, or an empty string when it does not matter."""
    found = _SCRIPT.search(tag)
    return found[1] if found else _READ_IN.get(tag, "")


def _plural_form(rule: str) -> Callable[[int], int]:
    """Compile the `Plural-Forms` of a gettext catalogue.

    Raises:
        ValueError: when it is none.
    """
    expression = _PLURAL.search(rule)
    if expression is None:
        raise ValueError(rule)
    from gettext import c2py

    return c2py(expression[1])


def _locales() -> Traversable:
    return resources.files("consentgate").joinpath("locales")


@cache
def _built_in(language: str) -> Mapping[str, str]:
    if language == SOURCE_LANGUAGE:
        import tomllib

        return _flat(tomllib.loads(_locales().joinpath("en.toml").read_text(encoding="utf-8")))
    file = _locales().joinpath(f"{language}.json")
    texts: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return texts


def _flat(tables: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Write nested tables as one, with dots between the names; the forms of a list are numbered."""
    flat: dict[str, str] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            flat |= {f"{before}{name}.{number}": form for number, form in enumerate(value)}
        else:
            flat[f"{before}{name}"] = value
    return flat


# A site's own texts: one file for each language, over the built-in texts or for a language of its own.


def _own_files(folder: Folder) -> list[Path]:
    if not folder:
        return []
    return sorted(path for path in Path(folder).iterdir() if path.suffix in _READERS)


def _read(path: Path) -> dict[str, str]:
    return _READERS[path.suffix](path)


def _read_toml(path: Path) -> dict[str, str]:
    import tomllib

    return _flat(tomllib.loads(path.read_text(encoding="utf-8")))


def read_po(path: Path) -> dict[str, str]:
    """Read a translator's catalogue; what is not translated, or marked as unsure, is left out.

    Raises:
        ModuleNotFoundError: without Babel, which the extra `translations` brings.
        ValueError: when it is no catalogue.
    """
    from babel.messages.pofile import PoFileError
    from babel.messages.pofile import read_po as read_catalogue

    with path.open("rb") as file:
        try:
            catalog = read_catalogue(file, abort_invalid=True)
        except PoFileError as error:
            raise ValueError(str(error)) from None
    entries = {"language.plural": f"nplurals={catalog.num_plurals}; plural={catalog.plural_expr};"}
    for message in catalog:
        if not message.context or message.fuzzy:
            continue
        forms = message.string
        if isinstance(forms, str):
            entries |= {message.context: forms} if forms else {}
        elif forms and all(forms):
            entries |= {f"{message.context}.{number}": form for number, form in enumerate(forms)}
    return entries


_READERS: Mapping[str, Callable[[Path], dict[str, str]]] = {".po": read_po, ".toml": _read_toml}


def own_text_problems(folder: Folder, further_keys: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with a site's own texts.

    Args:
        folder: where they are.
        further_keys: keys beside those of the built-in texts, for what the policy itself says.
    """
    try:
        paths = _own_files(folder)
    except (OSError, ValueError):  # the latter for what no path may hold
        yield Problem("texts", str(folder), "There is no such folder. Make it, or leave the setting out.")
        return
    source = _built_in(SOURCE_LANGUAGE)
    known = {*source, *further_keys}
    for path in paths:
        try:
            entries = _read(path)
        except ModuleNotFoundError:
            yield Problem(str(path), None, "Reading .po files takes Babel: pip install 'consentgate[translations]'.")
        except (OSError, ValueError, RecursionError) as error:
            yield Problem(str(path), None, f"It cannot be read: {error}.")
        else:
            yield from _file_problems(path, entries, source, known)


def _file_problems(
    path: Path, entries: Mapping[str, str], source: Mapping[str, str], known: Collection[str]
) -> Iterator[Problem]:
    if not _TAG.fullmatch(path.stem):
        yield Problem(str(path), path.stem, "Name the file by its language, for example pl.toml or pt-BR.po.")
    elif not _built_in(path.stem):
        for name in ("name", "direction"):
            if f"{_ABOUT}{name}" not in entries:
                yield Problem(f"{path}: {_ABOUT}{name}", None, f"It is a new language. Add {name} to [language].")
    if (direction := entries.get("language.direction", "ltr")) not in ("ltr", "rtl"):
        yield Problem(f"{path}: language.direction", direction, "Write ltr or rtl.")
    rule = entries.get("language.plural", _PLURAL_BY_DEFAULT)
    try:
        form_of = _plural_form(rule)
        for number in range(_NUMBERS_TRIED):
            form_of(number)
    except (TypeError, ValueError, ArithmeticError):
        yield Problem(f"{path}: language.plural", rule, f"Write it as gettext does: {_PLURAL_BY_DEFAULT}")
    for key, text in entries.items():
        if remedy := _remedy_for(key, text, source, known):
            yield Problem(f"{path}: {key}", text, remedy)


def _remedy_for(key: str, text: object, source: Mapping[str, str], known: Collection[str]) -> str | None:
    """Say what to do about an own text, or `None` when it is right."""
    form = _FORM.fullmatch(key)
    original = key if key in known or form is None else f"{form[1]}.0"  # another language has more forms than English
    if original not in known:
        from difflib import get_close_matches

        close = get_close_matches(key, known, n=1)
        return f"There is no text of this name.{f' Did you mean {close[0]}?' if close else ''}"
    if not isinstance(text, str) or not text.strip():
        return "Write a text in quotes, or leave it out."
    if key.startswith(_ABOUT):
        return None
    try:
        found, wanted = places_in(text), places_in(source.get(original, ""))
    except ValueError:
        return "Write { and } around the name of a place only."
    if unknown := sorted(found - wanted):
        filled = ", ".join(f"{{{name}}}" for name in sorted(wanted)) or "none"
        return f"Nothing fills {{{unknown[0]}}}. Places that are filled: {filled}."
    if key.startswith("list.") and any(text.count(f"{{{name}}}") > 1 for name in wanted):
        return "Put each place into it once."
    if lost := sorted(wanted - found - _MAY_BE_LEFT_OUT):
        return f"Put {{{lost[0]}}} into it: visitors have to read what stands there."
    return None


def places_in(text: str) -> set[str]:
    """Return the names of a text's `{places}`.

    Raises:
        ValueError: when a brace has no partner.
    """
    parsed = Formatter().parse(text)
    return {name + ("!" if conversion or form else "") for _, name, form, conversion in parsed if name is not None}
