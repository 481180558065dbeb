"""The texts a visitor reads, by language: load them, fill in their places."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

__all__ = ["SOURCE_LANGUAGE", "Texts", "texts_for"]

SOURCE_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Texts:
    """Hold all texts of one language.

    Args:
        language: its BCP 47 tag.
        direction: `ltr` or `rtl`.
        entries: text by key, for example `banner.accept_all`.
    """

    language: str
    direction: str
    entries: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its `{places}` filled in."""
        return self.entries[key].format(**values)

    def get(self, key: str) -> str:
        """Return a text that may be missing, else an empty string."""
        return self.entries.get(key, "")


@cache
def texts_for(language: str = SOURCE_LANGUAGE) -> Texts:
    """Load the texts of a language from `locales/`."""
    source = resources.files("consentgate").joinpath("locales", f"{language}.toml")
    tables = tomllib.loads(source.read_text(encoding="utf-8"))
    about = tables.pop("language")
    entries = {f"{table}.{key}": text for table, texts in tables.items() for key, text in texts.items()}
    return Texts(about["tag"], about["direction"], entries)
