"""Keep translators' catalogues in step with the English texts: the only writer of .po files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from gettext import c2py
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from consentgate.policy import ConsentPolicy
from consentgate.policy_file import load_policy
from consentgate.translations import SOURCE_LANGUAGE, UNITS, available, read_po, texts_for

if TYPE_CHECKING:
    from babel import Locale
    from babel.messages.catalog import Catalog
    from babel.messages.catalog import Message as PoMessage

__all__ = ["State", "UntranslatableError", "update_all"]

NOT_REVIEWED = "A native speaker has not yet reviewed this translation."

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_KEY = re.compile(r"(\w+) = ")
_TABLE = re.compile(r"\[(\w+)\]")
_ABOUT_THE_FILE = ("language.tag", "language.plural")
_MOST_COUNTED = 1_000  # among so many numbers each plural form occurs that a duration may need


@dataclass(frozen=True, slots=True)
class Message:
    """Hold one text that is to be translated.

    Args:
        key: where it stands; the message's context in a catalogue.
        forms: the English text, or its forms for one and for several.
        comment: what translators should know.
    """

    key: str
    forms: tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Say how far a catalogue is.

    Args:
        language: its BCP 47 tag.
        missing: keys that have no translation yet.
        unsure: keys whose English text has changed since, or that a translator has marked.
        is_reviewed: whether a native speaker has read it.
    """

    language: str
    missing: tuple[str, ...]
    unsure: tuple[str, ...]
    is_reviewed: bool

    @property
    def is_complete(self) -> bool:
        """Whether every text is translated for certain."""
        return not self.missing and not self.unsure

    def __str__(self) -> str:
        lists = ((self.missing, "missing"), (self.unsure, "unsure"))
        said = [f"{len(keys)} {what}: {', '.join(keys)}" for keys, what in lists if keys] or ["complete"]
        return f"{self.language}: {'; '.join(said)}{'' if self.is_reviewed else ' (not yet reviewed)'}"


class UntranslatableError(Exception):
    """Say why there are no catalogues to bring up to date."""


def update_all(policy_file: Path | None, added: Sequence[str] = (), *, write: bool = True) -> list[State]:
    """Bring catalogues up to date and say how far each is.

    Args:
        policy_file: a site's own `consentgate.toml`; without one, consentgate's own catalogues.
        added: languages to begin.
        write: false to look only.

    Raises:
        UntranslatableError: when there is no folder, no Babel, or a language that it does not know.
        ConfigurationError: when the policy is wrong.
    """
    if find_spec("babel") is None:
        raise UntranslatableError("This takes Babel: pip install 'consentgate[translations]'.")
    if unknown := next((tag for tag in added if not _TAG.fullmatch(tag)), None):
        raise UntranslatableError(f"Nothing is known of a language {unknown}.")
    policy = load_policy(policy_file) if policy_file else None
    if policy and not policy.texts:
        raise UntranslatableError('Name a folder in the policy first, for example texts = "texts".')
    folder = Path(policy.texts) if policy else Path(str(resources.files("consentgate"))) / "locales"
    paths = sorted({*folder.glob("*.po"), *(folder / f"{language}.po" for language in added)})
    states = []
    for path in paths:
        messages = _messages_for(path.stem, policy)
        states.append(update_catalogue(path, messages, write=write))
        if write and policy is None:
            compile_catalogue(path)
    return states


def _messages_for(language: str, policy: ConsentPolicy | None) -> list[Message]:
    if policy is None:
        return built_in_messages()
    is_built_in = language in available()
    return own_messages(policy) + ([] if is_built_in else built_in_messages())


def built_in_messages() -> list[Message]:
    """List consentgate's own texts, in the order of `locales/en.toml` and with its comments."""
    source = resources.files("consentgate").joinpath("locales", f"{SOURCE_LANGUAGE}.toml").read_text(encoding="utf-8")
    entries = texts_for().entries
    return [
        Message(key, _forms_of(key, entries), comment)
        for key, comment in _keys_with_comments(source)
        if key not in _ABOUT_THE_FILE
    ]


def own_messages(policy: ConsentPolicy) -> list[Message]:
    """List what a policy says in words of its own."""
    return [Message(key, (text,)) for key, text in policy.own_words().items()]


def update_catalogue(path: Path, messages: Sequence[Message], *, write: bool = True) -> State:
    """Write a catalogue anew: the same translations, with every message there is now and no other.

    Args:
        path: the .po file; its name is its language. One that does not exist is begun.
        messages: what is to be translated.
        write: false to look only.

    Raises:
        UntranslatableError: when the Unicode consortium's data have no such language.
    """
    from babel import UnknownLocaleError
    from babel.messages.pofile import write_po

    language = path.stem
    old = _read(path) if path.exists() else None
    try:
        catalog = _empty_copy(old, language)
        given = _from_cldr(language, catalog)
    except (UnknownLocaleError, ValueError):
        raise UntranslatableError(f"Nothing is known of a language {language}.") from None
    for message in messages:
        _carry_over(message, old, catalog, given)
    if write:
        with path.open("wb") as file:
            write_po(file, catalog, width=100, include_previous=True)
    return _state_of(catalog, language)


def compile_catalogue(path: Path) -> None:
    """Write the JSON that runs beside a built-in catalogue: key to text, what is missing left out."""
    texts = json.dumps(read_po(path), ensure_ascii=False, indent=0, sort_keys=True)
    path.with_suffix(".json").write_text(f"{texts}\n", encoding="utf-8")


def _keys_with_comments(source: str) -> Iterator[tuple[str, str]]:
    table, comment = "", []
    for line in source.splitlines():
        if line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
            continue
        if found := _TABLE.match(line):
            table = found[1]
        elif found := _KEY.match(line):
            yield f"{table}.{found[1]}", " ".join(comment)
        comment = []


def _forms_of(key: str, entries: Mapping[str, str]) -> tuple[str, ...]:
    return (entries[key],) if key in entries else (entries[f"{key}.0"], entries[f"{key}.1"])


def _read(path: Path) -> Catalog:
    from babel.messages.pofile import read_po as read_catalog

    with path.open("rb") as file:
        return read_catalog(file, abort_invalid=True)


def _empty_copy(old: Catalog | None, language: str) -> Catalog:
    from babel.messages.catalog import Catalog

    header = f"# {language}\n#\n# {NOT_REVIEWED}" if old is None else old.header_comment
    catalog = Catalog(locale=language.replace("-", "_"), project="consentgate", header_comment=header, fuzzy=False)
    if old is not None:  # who translated it, and when, stays
        catalog.mime_headers = old.mime_headers
    return catalog


def _carry_over(message: Message, old: Catalog | None, catalog: Catalog, given: Mapping[str, Sequence[str]]) -> None:
    """Put a message into the new catalogue with the translation it has, marked as unsure when the English changed."""
    counted = len(message.forms) > 1
    identity = message.forms if counted else message.forms[0]
    before = _find(old, message.key)
    comments = [message.comment] if message.comment else []
    if before is not None and before.string and any(before.string):
        changed = before.id != identity
        flags = {"fuzzy"} if changed or before.fuzzy else set()
        previous = before.id if changed else ()
        catalog.add(
            identity, before.string, context=message.key, flags=flags, auto_comments=comments, previous_id=previous
        )
        return
    forms = tuple(given.get(message.key, ("",) * (catalog.num_plurals if counted else 1)))
    catalog.add(identity, forms if counted else forms[0], context=message.key, auto_comments=comments)


def _find(catalog: Catalog | None, key: str) -> PoMessage | None:
    return next((one for one in catalog or () if one.context == key), None)


def _state_of(catalog: Catalog, language: str) -> State:
    messages = [message for message in catalog if message.context]
    return State(
        language,
        missing=tuple(str(one.context) for one in messages if not one.string or not all(one.string)),
        unsure=tuple(str(one.context) for one in messages if one.fuzzy),
        is_reviewed=NOT_REVIEWED not in catalog.header_comment,
    )


# What nobody has to translate: the Unicode consortium's language data.


# The digits of a numbering system follow its zero.
_ZEROS = {"arab": "\u0660", "arabext": "\u06f0", "beng": "\u09e6", "deva": "\u0966", "gujr": "\u0ae6", "guru": "\u0a66"}
_A_DAY = 24 * 60 * 60  # seconds
_SECONDS = dict(zip(UNITS, (60, 3600, _A_DAY, 7 * _A_DAY, 30 * _A_DAY, 365 * _A_DAY), strict=True))


def _from_cldr(language: str, catalog: Catalog) -> dict[str, tuple[str, ...]]:
    from babel import Locale
    from babel.core import get_global

    locale = Locale.parse(language, sep="-")
    script = locale.script or str(get_global("likely_subtags").get(language, "und_Latn")).split("_")[1]
    zero = ord(_ZEROS.get(locale.default_numbering_system, "0"))
    about = {
        "language.name": str(locale.get_display_name(locale)),
        "language.direction": locale.text_direction,
        "language.script": script,
        "language.digits": "".join(chr(zero + digit) for digit in range(10)),
    }
    texts = about | _lists_of(locale) | _dates_of(locale)
    return {key: (text,) for key, text in texts.items()} | _durations_of(locale, catalog)


def _durations_of(locale: Locale, catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Write the forms of "184 days" for the numbers of each plural form of a catalogue."""
    from babel.dates import format_timedelta

    form_of = c2py(catalog.plural_expr)
    # The largest number of each form: small ones may have words of their own, such as the Arabic for two days.
    example = {form_of(number): number for number in range(_MOST_COUNTED)}

    def written(form: int, unit: str) -> str:
        number = example.get(form, _MOST_COUNTED - 1)  # one for millions, say, is never asked for
        length = timedelta(seconds=number * _SECONDS[unit])
        text = format_timedelta(length, unit.removesuffix("s"), threshold=float("inf"), format="long", locale=locale)  # type: ignore[arg-type]
        return text.replace(str(number), "{count}")

    return {f"duration.{unit}": tuple(written(form, unit) for form in range(catalog.num_plurals)) for unit in UNITS}


def _lists_of(locale: Locale) -> dict[str, str]:
    patterns = locale.list_patterns["standard"]
    named = {"list.two": "2", "list.more": "middle", "list.end": "end"}
    return {key: patterns[name].format("{first}", "{last}") for key, name in named.items()}


def _dates_of(locale: Locale) -> dict[str, str]:
    pattern = re.sub(r"'([^']*)'", r"\1", locale.date_formats["long"].pattern)
    places = {"d": "{day}", "MMMM": "{month}", "y": "{year}"}
    written = re.sub(r"\b(d|MMMM|y)\b", lambda found: places[found[0]], pattern)
    months = locale.months["format"]["wide"]
    return {"date.long": written} | {f"date.month_{number}": str(name) for number, name in months.items()}
