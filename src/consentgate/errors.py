"""Say what is wrong with a configuration: every problem at once, each with its place, value and remedy."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ConfigurationError", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Describe one wrong setting.

    Args:
        place: where it stands, written as in `consentgate.toml`, for example `categories.analytics.version`.
        value: what stands there now, or `None` when nothing does; never a secret.
        remedy: one sentence that says what to write instead.
    """

    place: str
    value: object
    remedy: str

    def __str__(self) -> str:
        found = "" if self.value is None else f" = {_shown(self.value)}"
        return f"{self.place}{found}: {self.remedy}"


def _shown(value: object) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python writes out no number of thousands of digits
        return "a number too long to write"


class ConfigurationError(ValueError):
    """Stop the start and list all that is wrong.

    Args:
        problems: every problem found, in the order of the configuration.
        source: what was read, for example a file's name.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "the consent policy") -> None:
        self.problems = tuple(problems)
        self.source = source
        count = len(self.problems)
        said = "1 thing is wrong" if count == 1 else f"{count} things are wrong"
        lines = "".join(f"\n  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        super().__init__(f"{said} in {source}:{lines}")
