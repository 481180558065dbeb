"""Compare what the model's fields are given with their types: Python itself takes anything for anything."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from functools import cache
from inspect import getattr_static
from itertools import takewhile
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from consentgate.errors import Problem

__all__ = ["as_tuple", "elsewhere", "fit_fields", "fulfils", "is_unicode"]

_LARGEST = 2**63 - 1  # TOML's
_WRONG: Any = object()
_SAID: Mapping[Any, tuple[str, ...]] = {
    NoneType: ("None",),
    bool: ("True", "False"),
    float: ("a number",),
    int: ("a whole number",),
    str: ("text in quotes",),
    tuple: ("a list, written [...]",),
    Mapping: ("a dictionary, written {...}",),
    Path: ("a Path",),
}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def as_tuple(value: Any) -> Any:
    """Return a list, and whatever else yields elements, as a tuple; text, bytes, dictionaries and all else as it is."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping):
        return tuple(value)
    return value


def fulfils(value: object, protocol: type[Any]) -> bool:
    """Tell whether an object has all that a protocol names; no property is read for it."""
    names = [name for name in vars(protocol) if not name.startswith("_")]
    return not isinstance(value, type) and all(getattr_static(value, name, _WRONG) is not _WRONG for name in names)


def is_unicode(text: str) -> bool:
    """Tell whether a text can be sent: bytes of the environment that are no characters make one that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fit_fields(
    value: object, place: str = "", *, hidden: Collection[str] = (), at_top: Collection[str] = ()
) -> list[Problem]:
    """Make a frozen dataclass fit the types of its fields, all that is in it too, and list what does not fit.

    Lists become tuples. What does not fit gives way to its default, or to a made-up value, so that all else can be
    checked: a dataclass that calls this in its `__post_init__` must raise when anything is listed.

    Args:
        value: the dataclass.
        place: where it stands in `consentgate.toml`; empty for the top of the file.
        hidden: the fields whose values are not shown.
        at_top: the fields that stand at the top of the file all the same.
    """
    problems: list[Problem] = []
    for name, fitted in _changes(value, place, problems, at_top).items():
        object.__setattr__(value, name, fitted)
    secret = {_join(place, name) for name in hidden}
    return [replace(problem, value="hidden") if problem.place in secret else problem for problem in problems]


def elsewhere(problems: Iterable[Problem], wrong: Collection[Problem]) -> Iterator[Problem]:
    """Yield the problems that `fit_fields` did not bring about itself, with a value that it made up."""
    made_up = [_plain(problem.place) for problem in wrong]
    for problem in problems:
        place = _plain(problem.place)
        if not any(place == one or place.startswith((f"{one}.", f"{one}[")) for one in made_up):
            yield problem


def _plain(place: str) -> str:
    return place.replace('"', "")


def _changes(value: Any, place: str, problems: list[Problem], at_top: Collection[str] = ()) -> dict[str, Any]:
    """Map the fields that have to change to what they become."""
    changes = {}
    for field, kind in _fields(value.__class__):
        given = getattr(value, field.name)
        where = field.name if field.name in at_top else _join(place, field.name)
        fitted = _fit(given, kind, where, problems)
        if fitted is _WRONG:
            fitted = _default(field, kind, problems)
        if fitted is not given:
            changes[field.name] = fitted
    return changes


@cache
def _fields(model: Any) -> list[tuple[Field[Any], Any]]:
    """List the fields of a class of ours with their types; those that others add to it are theirs to check."""
    for base in model.__mro__:
        if base.__module__.startswith("consentgate.") and is_dataclass(base):
            hints = get_type_hints(base)
            return [(field, hints[field.name]) for field in fields(base)]
    return []


def _fit(given: Any, kind: Any, place: str, problems: list[Problem]) -> Any:
    kinds = _alternatives(kind)
    if any(get_origin(one) is tuple for one in kinds):
        given = as_tuple(given)
    for one in kinds:
        if _is_a(given, one):
            return _fit_inside(given, one, place, problems)
    problems.append(Problem(place, given, _remedy(given, kinds)))
    # One text where several are due can only mean a list of this one.
    return (given,) if tuple[str, ...] in kinds and _is_a(given, str) else _WRONG


def _fit_inside(given: Any, kind: Any, place: str, problems: list[Problem]) -> Any:
    if get_origin(kind) is tuple:
        return _fit_elements(given, get_args(kind)[0], place, problems)
    if get_origin(kind) is Mapping:
        return _fit_entries(given, get_args(kind)[1], place, problems)
    if not is_dataclass(given):
        return given
    changes = _changes(given, place, problems)
    if "id" in changes:
        return _WRONG  # what else is said of it would have no place
    return replace(cast(Any, given), **changes) if changes else given


def _fit_elements(given: tuple[Any, ...], kind: Any, place: str, problems: list[Problem]) -> tuple[Any, ...]:
    fitted = []
    for index, one in enumerate(given):
        name = one.id if _has_id(kind) and isinstance(one, kind) and isinstance(one.id, str) else None
        where = f"{place}[{index}]" if name is None else f"{place}.{name}"
        fitting = _fit(one, kind, where, problems)
        fitted.append(_made_up(kind, problems) if fitting is _WRONG and kind is str else fitting)
    # What has an id is found by it; of others none may move up into the place of one that is left out.
    keep = filter if _has_id(kind) else takewhile
    right = tuple(keep(lambda one: one is not _WRONG, fitted))
    return given if len(right) == len(given) and all(map(operator.is_, right, given)) else right


def _fit_entries(given: Mapping[Any, Any], kind: Any, place: str, problems: list[Problem]) -> Mapping[str, Any]:
    fitted = {}
    for name, value in given.items():
        if not _is_a(name, str):
            problems.append(Problem(place, name, "Write each name as text in quotes."))
            continue
        key = name if _BARE_KEY.fullmatch(name) else f'"{name}"'
        fitting = _fit(value, kind, _join(place, key), problems)
        fitted[name] = _made_up(kind, problems) if fitting is _WRONG else fitting
    return given if all(name in fitted and fitted[name] is value for name, value in given.items()) else fitted


def _default(field: Field[Any], kind: Any, problems: list[Problem]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else _made_up(kind, problems)


def _made_up(kind: Any, problems: list[Problem]) -> Any:
    """Make up a value, of texts one that is made up nowhere else: nothing is to be wrong because two are the same."""
    first = _alternatives(kind)[0]
    if get_origin(first) is tuple:
        return ()
    required = [(field, kind) for field, kind in _fields(first) if field.default is MISSING]
    if is_dataclass(first):
        return cast(Any, first)(**{field.name: _default(field, kind, problems) for field, kind in required})
    return f"missing-{len(problems)}"


@cache
def _alternatives(kind: Any) -> tuple[Any, ...]:
    """List the types that a field takes."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(one for part in get_args(kind) for one in _alternatives(part))
    return (kind,)


def _is_a(given: object, kind: Any) -> bool:
    if kind is str:
        return isinstance(given, str) and is_unicode(given)
    if get_origin(kind) is Literal:
        return isinstance(given, str) and given in get_args(kind)
    if kind in (int, float) and isinstance(given, int):
        return not isinstance(given, bool) and abs(given) <= _LARGEST
    if getattr(kind, "_is_protocol", False):
        return fulfils(given, kind)
    return isinstance(given, get_origin(kind) or kind)


def _remedy(given: object, kinds: tuple[Any, ...]) -> str:
    if choices := next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ()):
        return f"Use one of {', '.join(choices)}."
    if isinstance(given, str) and str in kinds:
        return "It holds bytes that are no characters. Write it anew, in UTF-8."
    if isinstance(given, int) and not isinstance(given, bool) and int in kinds:
        return "The number is too large."
    if isinstance(given, type):
        return f"Give an object instead of the class: {given.__name__}(...)."
    *others, last = (word for kind in kinds for word in _said(kind))
    return f"Give {', '.join(others)} or {last}." if others else f"Give {last}."


def _said(kind: Any) -> tuple[str, ...]:
    plain = get_origin(kind) or kind
    if plain in _SAID:
        return _SAID[plain]
    name, package = kind.__name__, kind.__module__.rpartition(".")[0]
    return (f"a {name}, written {name}(...)" if is_dataclass(kind) else f"a {name.lower()} of {package}",)


@cache
def _has_id(kind: Any) -> bool:
    return is_dataclass(kind) and any(field.name == "id" for field in fields(kind))


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
