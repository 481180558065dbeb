"""Regular expressions that every Python we support reads the same way."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))
# What `repeated` in page_reader is for: such a group finds too little in Python before 3.11.5.
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})\+(?!,;)")


@pytest.mark.parametrize("expression", ["(?:a|b)*+", "(a)++", "(?:a)?+", "(?:a){2,}+", "[^<]*+(?:x)*+"])
def test_what_old_pythons_get_wrong_is_noticed(expression: str) -> None:
    assert POSSESSIVE_GROUP.search(expression)


@pytest.mark.parametrize("expression", ["[^<]*+", "(?>(?:a|b)*)", "\\s*+", "!$&'()*+,;=~"])
def test_what_they_get_right_is_not(expression: str) -> None:
    assert not POSSESSIVE_GROUP.search(expression)


def test_no_expression_has_a_group_that_old_pythons_get_wrong() -> None:
    found = [
        f"{path.name}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and has_one(node.value)
    ]

    assert found == []


def has_one(text: str | bytes) -> bool:
    return bool(POSSESSIVE_GROUP.search(text if isinstance(text, str) else text.decode("latin-1")))
