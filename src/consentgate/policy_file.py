"""Read `consentgate.toml`: the same model as in Python, with every wrong value named at once, and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from datetime import date
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from consentgate.errors import ConfigurationError, Problem
from consentgate.gateway_settings import GatewaySettings, SiteBehind
from consentgate.policy import Category, ConsentPolicy, Controller
from consentgate.records import beside
from consentgate.services import SERVICES
from consentgate.storage import StorageItem
from consentgate.theme import Colours, Theme
from consentgate.translations import Folder

if TYPE_CHECKING:
    import msgspec

__all__ = ["load_gateway", "load_policy", "policy_schema"]

_LARGEST_FILE = 1_048_576  # bytes
# Stand in for a missing or wrong value, so that the rest of the file is checked all the same. No such policy leaves.
_STAND_INS: Mapping[str, str] = {
    "email": "missing@example.org",
    "container_id": "GTM-MISSING",
    "domain": "missing.example",
    "measurement_id": "G-MISSING",
    "pixel_id": "00000",
    "privacy_url": "/missing",
    "project_id": "missing",
    "site_id": "1",
    "url": "https://missing.example/",
    "path": "/",
    "upstream": "http://missing.example",
}
_SECRET_WORDS = frozenset(("key", "keys", "password", "secret", "secrets", "token", "tokens"))
_NESTED = frozenset(("controller", "categories", "items", "services", "theme", "themes", "light", "dark", "sites"))
_GATEWAY_TABLES = ("gateway", "sites")  # beside the policy, in the same file


def load_policy(path: str | PathLike[str]) -> ConsentPolicy:
    """Read a policy from a TOML file.

    Args:
        path: the file, usually `consentgate.toml`.

    Raises:
        ConfigurationError: listing everything that is wrong, each with its place, value and remedy.
    """
    source = str(path)
    table = _parse(Path(path), source)
    reader = _Reader(Path(path).parent)
    policy = reader.policy(table)
    if "gateway" in table or "sites" in table:
        reader.gateway(table, {})
    if reader.problems or policy is None:
        raise ConfigurationError(reader.problems, source=source)
    return policy


def load_gateway(path: str | PathLike[str], overrides: Mapping[str, Any]) -> GatewaySettings:
    """Read what `consentgate serve` is told: the tables `[gateway]` and `[sites]` of a TOML file.

    Args:
        path: the file, usually `consentgate.toml`.
        overrides: settings of `[gateway]` that the command line gives instead.

    Raises:
        ConfigurationError: listing everything that is wrong, each with its place, value and remedy.
    """
    source = str(path)
    reader = _Reader(Path(path).parent)
    settings = reader.gateway(_parse(Path(path), source), overrides)
    if settings is not None and not settings.upstream and not settings.sites:
        remedy = "Say where the site is, for example http://127.0.0.1:8080."
        reader.problems.append(Problem("gateway.upstream", None, remedy))
    if settings is not None:
        reader.problems += settings.file_problems()
    if reader.problems or settings is None:
        raise ConfigurationError(reader.problems, source=source)
    return settings


def _parse(path: Path, source: str) -> dict[str, Any]:
    import tomllib

    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) <= _LARGEST_FILE:
            return tomllib.loads(content.decode("utf-8"))
        fault = Problem("the file", f"{len(content)} bytes or more", "Keep it under 1 MB.")
    except OSError as error:
        remedy = "Give the path of a consentgate.toml. `consentgate init` writes one to start from."
        fault = Problem("the file", error.strerror, remedy)
    except UnicodeDecodeError as error:
        fault = Problem("the file", f"byte {error.start}", "Save it as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        fault = Problem("the file", None, f"{error}. Correct the TOML there.")
    except ValueError:
        fault = Problem("the file", None, "It has a number of thousands of digits. Write a smaller one.")
    except RecursionError:
        fault = Problem("the file", None, "Nest its lists and tables less.")
    raise ConfigurationError([fault], source=source)


class _Reader:
    """Turn tables into the model, collecting problems instead of stopping at the first.

    Args:
        folder: of the file; what the file says about other places on disk starts from it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problems: list[Problem] = []

    def policy(self, table: Mapping[str, Any]) -> ConsentPolicy | None:
        values = self._values(ConsentPolicy, table, "", beside=_GATEWAY_TABLES)
        for name in ("texts", "templates"):
            self._from_folder(values, name)
        if values.get("records"):
            values["records"] = beside(values["records"], self._folder)
        values["controller"] = self._controller(table)
        values["categories"] = tuple(self._categories(table.get("categories", {})))
        if "theme" in table:
            values["theme"] = self._theme(table["theme"], "theme")
        if "themes" in table:
            values["themes"] = {
                host: self._theme(theme, f'themes."{host}"')
                for host, theme in self._table(table["themes"], "themes").items()
            }
        try:
            return ConsentPolicy(**values)
        except ConfigurationError as error:
            self.problems += error.problems
            return None

    def gateway(self, table: Mapping[str, Any], overrides: Mapping[str, Any]) -> GatewaySettings | None:
        content = {**self._table(table.get("gateway", {}), "gateway"), **overrides}
        values = self._values(GatewaySettings, content, "gateway")
        if "ca_file" not in overrides:  # what the command line names starts from where the command was given
            self._from_folder(values, "ca_file")
        values["sites"] = {
            host: self._site(site, f'sites."{host}"')
            for host, site in self._table(table.get("sites", {}), "sites").items()
        }
        try:
            return GatewaySettings(**values)
        except ConfigurationError as error:
            self.problems += error.problems
            return None

    def _site(self, content: object, place: str) -> SiteBehind:
        values = self._values(SiteBehind, self._table(content, place), place)
        self._from_folder(values, "ca_file")
        return SiteBehind(**values)

    def _from_folder(self, values: dict[str, Any], name: str) -> None:
        if values.get(name):
            values[name] = str(self._folder / values[name])

    def _controller(self, table: Mapping[str, Any]) -> Controller:
        if "controller" not in table:
            self._note(
                "controller",
                None,
                "Add a [controller] table with name and email: visitors must know who asks.",
            )
            return Controller(name="?", email=_STAND_INS["email"])
        return Controller(**self._values(Controller, self._table(table["controller"], "controller"), "controller"))

    def _theme(self, content: object, place: str) -> Theme:
        table = self._table(content, place)
        values = self._values(Theme, table, place)
        for scheme in ("light", "dark"):
            if scheme in table:
                where = f"{place}.{scheme}"
                values[scheme] = Colours(**self._values(Colours, self._table(table[scheme], where), where))
        return Theme(**values)

    def _categories(self, tables: object) -> Iterator[Category]:
        for name, content in self._table(tables, "categories").items():
            place = f"categories.{name}"
            table = self._table(content, place)
            if "id" in table:
                self._note(f"{place}.id", table["id"], "Leave it out: the id is the name of the table.")
            values = self._values(Category, table, place, beside=("id",))
            items = self._list(table.get("items", []), f"{place}.items")
            services = self._list(table.get("services", []), f"{place}.services")
            values["items"] = tuple(
                StorageItem(**self._values(StorageItem, item, f"{place}.items[{index}]")) for index, item in items
            )
            made = (self._service(service, f"{place}.services[{index}]") for index, service in services)
            values["services"] = tuple(service for service in made if service is not None)
            yield Category(id=name, **values)

    def _service(self, table: Mapping[str, Any], place: str) -> Any:
        kind = table.get("type")
        if not isinstance(kind, str) or kind not in SERVICES:
            self._note(f"{place}.type", kind, f"Use one of {', '.join(sorted(SERVICES))}.")
            return None
        return SERVICES[kind](**self._values(SERVICES[kind], table, place, beside=("type",)))

    def _values(
        self, model: type[Any], table: Mapping[str, Any], place: str, *, beside: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Read a table's plain fields; nested ones are left to the caller."""
        known = _plain_fields(model)
        accepted = {*known, *beside, *(field.name for field in fields(model) if field.name in _NESTED)}
        for name in table:
            if name not in accepted:
                secret = _holds_secret(name, table[name])
                shown = "hidden" if secret else table[name]
                self._note(_join(place, name), shown, _NO_SECRETS if secret else _unknown(name, accepted - set(beside)))
        values: dict[str, Any] = {}
        for name, (kind, required) in known.items():
            if name in beside:
                continue
            if name in table:
                self._convert(values, name, table[name], kind, _join(place, name))
            elif required:
                self._note(_join(place, name), None, "It is missing. Add it.")
            if required:
                values.setdefault(name, _STAND_INS.get(name, f"missing-{len(self.problems)}"))
        return values

    def _convert(self, values: dict[str, Any], name: str, value: object, kind: Any, place: str) -> None:
        import msgspec

        if isinstance(value, date):
            value = value.isoformat()  # TOML has dates; the model has texts
        try:
            values[name] = msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self._note(place, value, _one_of(kind) or f"{_said(error)}.")

    def _table(self, value: object, place: str) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._note(place, value, f"Write it as a table: [{place}].")
        return {}

    def _list(self, value: object, place: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        if not isinstance(value, list):
            self._note(place, value, f"Write it as a list of tables: [[{place}]].")
            return
        for index, entry in enumerate(value):
            yield index, self._table(entry, f"{place}[{index}]")

    def _note(self, place: str, value: object, remedy: str) -> None:
        self.problems.append(Problem(place, value, remedy))


def _plain_fields(model: type[Any]) -> dict[str, tuple[Any, bool]]:
    """Map the fields that hold no tables of their own to their type and whether they are required."""
    hints = get_type_hints(model)
    kinds = {name: str if kind == Folder else kind for name, kind in hints.items()}  # TOML has no paths
    return {
        field.name: (kinds[field.name], _is_required(field)) for field in fields(model) if field.name not in _NESTED
    }


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


_NO_SECRETS = "Signing keys do not belong in a file. Put them into the environment variable CONSENTGATE_KEYS."


def _holds_secret(name: str, value: object) -> bool:
    """Tell whether a setting that we do not have may be a secret, so that it is not shown."""
    if not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z]+", name.lower())):
        return True
    return isinstance(value, dict) and any(_holds_secret(inner, content) for inner, content in value.items())


def _unknown(name: str, accepted: set[str]) -> str:
    if {"button", "button_text"} <= accepted and re.search("accept|reject|refuse", name):
        return _EQUAL_BUTTONS
    from difflib import get_close_matches

    close = get_close_matches(name, accepted, n=1)
    meant = f"Did you mean {close[0]}? " if close else ""
    return f"There is no such setting. {meant}Known here: {', '.join(sorted(accepted))}."


_EQUAL_BUTTONS = (
    "Accept and reject share one style, so that neither is louder than the other. Set button and button_text: they "
    "colour both."
)


_IN_TOML = {
    "array": "a list, written [...]",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a table",
    "str": "text in quotes",
}


def _one_of(kind: Any) -> str:
    """Say which texts a setting takes, when it takes only some."""
    choices = next((get_args(one) for one in (kind, *get_args(kind)) if get_origin(one) is Literal), ())
    return f"Use one of {', '.join(choices)}." if choices else ""


def _said(error: msgspec.ValidationError) -> str:
    """Say in the words of TOML what msgspec says in those of Python."""
    said = re.sub(r" - at `\$(.*)`", r" at \1", str(error)).removesuffix(" at [...]")
    return re.sub(r"`(\w+(?: \| \w+)*)`", lambda found: _in_toml(found[1].split(" | ")), said)


def _in_toml(kinds: list[str]) -> str:
    return " or ".join(_IN_TOML.get(kind, kind) for kind in kinds if kind != "null")


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


# The JSON Schema, made from the same model so that it cannot fall behind.


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `consentgate.toml`, for editors that complete and check TOML."""
    category = _object_schema(
        Category,
        {
            "items": {"type": "array", "items": _object_schema(StorageItem, {})},
            "services": {
                "type": "array",
                "items": {"oneOf": [_service_schema(kind) for kind in sorted(SERVICES)]},
            },
        },
        leave_out=("id",),
    )
    colours = _object_schema(Colours, {})
    theme = _object_schema(Theme, {"light": colours, "dark": colours})
    schema = _object_schema(
        ConsentPolicy,
        {
            "controller": _object_schema(Controller, {}),
            "categories": {"type": "object", "additionalProperties": category},
            "theme": theme,
            "themes": {"type": "object", "additionalProperties": theme},
            "gateway": _object_schema(GatewaySettings, {}),
            "sites": {"type": "object", "additionalProperties": _object_schema(SiteBehind, {})},
        },
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "consentgate.toml", **schema}


def _service_schema(kind: str) -> dict[str, Any]:
    schema = _object_schema(SERVICES[kind], {"type": {"const": kind}})
    return {**schema, "required": ["type", *schema.get("required", [])]}


def _object_schema(model: type[Any], nested: Mapping[str, Any], *, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    described = _descriptions(model)
    plain = {name: kind for name, kind in _plain_fields(model).items() if name not in leave_out}
    properties = {name: _field_schema(kind) for name, (kind, _) in plain.items()} | dict(nested)
    for name, text in described.items():
        if name in properties:
            properties[name] = {"description": text, **properties[name]}
    required = [name for name, (_, needed) in plain.items() if needed] + [
        name for name in nested if name == "controller"
    ]
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**schema, "required": required} if required else schema


def _field_schema(kind: Any) -> dict[str, Any]:
    """Return a field's schema. TOML has no null: a setting is left out instead."""
    if type(None) in get_args(kind):
        return _field_schema(next(one for one in get_args(kind) if one is not type(None)))
    import msgspec

    return msgspec.json.schema(kind)


_ARGUMENT = re.compile(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", re.MULTILINE)


def _descriptions(model: type[Any]) -> dict[str, str]:
    return {name: re.sub(r"\s+", " ", text) for name, text in _ARGUMENT.findall(model.__doc__ or "")}
