"""Texts as markup, in one language: what is in another language is marked, and names keep their direction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from markupsafe import Markup as Safe
from markupsafe import escape

from consentgate.policy import Category, ConsentPolicy
from consentgate.storage import StorageItem
from consentgate.translations import SOURCE_LANGUAGE, Texts, own_entries, texts_for

__all__ = ["Speech"]


class Speech:
    """Say what a visitor reads in one language; templates call it `t`.

    Args:
        policy: whose own words are in `policy.language`.
        language: the visitor's.
    """

    def __init__(self, policy: ConsentPolicy, language: str) -> None:
        self._policy = policy
        self.texts = texts_for(language, policy.texts)
        self._source = texts_for(SOURCE_LANGUAGE, policy.texts)
        self._written_in = texts_for(policy.language, policy.texts)
        self.language = language
        self.direction = self.texts.direction

    def __call__(self, key: str, **values: object) -> Safe:
        """Return a text as markup; English, marked as such, when the language lacks it."""
        text = self.texts.get(key)
        if text:
            return self._filled(text, values)
        return _marked(self._filled(self._source.entries[key], values), self._source)

    def plain(self, key: str, **values: object) -> str:
        """Return a text for an attribute, or for whatever else holds no markup."""
        texts = self.texts if self.texts.get(key) else self._source
        return texts(key, **values)

    def name(self, text: str) -> Safe:
        """Return a name, an address or a number: it keeps its direction amid a text that runs the other way."""
        return Safe("<bdi>{}</bdi>").format(text) if self.direction == "rtl" else escape(text)

    def own(self, key: str, text: str) -> Safe:
        """Return what the site's owner wrote: as translated under a key, else as it is, marked as what it is."""
        if translated := self.texts.get(key):
            return escape(translated)
        return self._as_written(text)

    def title(self, category: Category) -> Safe:
        """Return a category's title."""
        return self._of_category(category, "title", category.title)

    def purpose(self, category: Category) -> Safe:
        """Return what a category is for."""
        return self._of_category(category, "purpose", category.purpose)

    def item_purpose(self, item: StorageItem) -> Safe:
        """Return what a cookie is for; one of the built-in descriptions is said in every language."""
        key = f"storage.{item.name}.purpose"
        known = None if self.texts.get(key) else self._known_description(item.purpose)
        return self.own(key, item.purpose) if known is None else self(known[0], **known[1])

    def item_duration(self, item: StorageItem) -> Safe:
        """Return how long a cookie is kept; what is plain English for a duration is said in every language."""
        key = f"storage.{item.name}.duration"
        known = None if self.texts.get(key) else self._known_duration(item.duration)
        return self.own(key, item.duration) if known is None else known

    def duration(self, count: int, unit: str = "days") -> Safe:
        """Return how long something is kept."""
        said = self.texts.duration(count, unit)
        return escape(said) if said else _marked(escape(self._source.duration(count, unit)), self._source)

    def date(self, day: date) -> Safe:
        """Return a date as a sentence of the language writes it."""
        is_known = self.texts.get("date.long") and self.texts.get(f"date.month_{day.month}")
        return escape(self.texts.date(day)) if is_known else _marked(escape(self._source.date(day)), self._source)

    def listed(self, pieces: Iterable[str]) -> Safe:
        """Join names, or markup, as a sentence of the language does."""
        escaped = [str(escape(piece)) for piece in pieces]
        return Safe(self.texts.listed(escaped, written=lambda words: str(escape(words))))  # noqa: S704 - all is escaped

    def _known_duration(self, text: str) -> Safe | None:
        """Say one of the built-in durations, or return `None` when a text is none: 2 days, Up to 2 days."""
        if counted := self._written_in.read_duration(text) or self._source.read_duration(text):
            return self.duration(*counted)
        key, values = self._known_description(text) or ("", {})
        within = {name: self._known_duration(value) for name, value in values.items()}
        return self(key, **within) if key.startswith("duration.") and None not in within.values() else None

    def _known_description(self, text: str) -> tuple[str, dict[str, str]] | None:
        return self._written_in.key_of_description(text) or self._source.key_of_description(text)

    def _filled(self, text: str, values: dict[str, object]) -> Safe:
        named = {name: value if isinstance(value, Safe) else self.name(str(value)) for name, value in values.items()}
        return escape(text).format(**named)

    def _of_category(self, category: Category, what: str, written: str) -> Safe:
        key = f"category_{category.id}.{what}"
        if not written:  # a well-known category that speaks for itself
            return self(key)
        # The built-in words of another language do not say what the owner says.
        translated = own_entries(self.language, self._policy.texts).get(key)
        return escape(translated) if translated else self._as_written(written)

    def _as_written(self, text: str) -> Safe:
        return escape(text) if self.language == self._policy.language else _marked(escape(text), self._written_in)


def _marked(markup: Safe, texts: Texts) -> Safe:
    return Safe('<span lang="{}" dir="{}">{}</span>').format(texts.language, texts.direction, markup)
