"""Import an ASGI application by its name, as servers do: `module:attribute`, or `module:factory()`."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from consentgate.errors import ConfigurationError

__all__ = ["AppImportError", "import_app", "names_an_app", "said"]

_NAME = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)(\(\))?")


class AppImportError(Exception):
    """Say in plain words why an application could not be imported."""


def names_an_app(target: str) -> bool:
    """Tell an application's name from a file's."""
    return ":" in target and not target.endswith(".toml") and not Path(target).is_file()


def import_app(target: str) -> ASGIApp:
    """Return the application, looked for in the working directory first.

    Raises:
        AppImportError: when there is none, or its code fails.
        ConfigurationError: when its own policy or keys are wrong.
    """
    found = _NAME.fullmatch(target)
    if found is None:
        raise AppImportError(f"{target!r} is not a name such as shop:app, or shop.main:create_app() for a factory.")
    module, attribute, call = found.groups()
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    app = _attribute(_module(module), attribute, target)
    if call:
        app = _run(app, f"{target} failed")
    if not callable(app):
        raise AppImportError(f"{target} is a {type(app).__name__}, not an ASGI application.")
    if not _takes_three(app):
        raise AppImportError(
            f"{target} does not take scope, receive and send, so it is no ASGI application. Write a factory with "
            f"parentheses, {module}:{attribute}(), and wrap a WSGI application first, for example with a2wsgi."
        )
    return app  # type: ignore[no-any-return]  # its first request will tell


def _takes_three(app: Any) -> bool:
    try:
        inspect.signature(app).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:  # of something written in C nobody knows
        return True
    return True


def _module(name: str) -> Any:
    try:
        return _run(lambda: importlib.import_module(name), f"The module {name} cannot be imported")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise AppImportError(f"The module {name} needs {error.name}, which is not installed here.") from None
        remedy = "Start the command in the folder that your server starts in."
        if name.endswith(".py"):
            remedy = f"Leave out the ending: {name.removesuffix('.py')}."
        raise AppImportError(
            f"There is no module {error.name} in {Path.cwd()} nor among the installed ones. {remedy}"
        ) from None


def _attribute(module: Any, path: str, target: str) -> Any:
    found = module
    for name in path.split("."):
        if not hasattr(found, name):
            close = get_close_matches(name, dir(found), n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise AppImportError(f"{target}: there is no {name} in {getattr(found, '__name__', path)}.{meant}")
        found = getattr(found, name)
    return found


def _run(code: Any, what: str) -> Any:
    """Run the application's own code; whatever it raises is said in one line."""
    try:
        return code()
    except (ConfigurationError, ModuleNotFoundError):
        raise
    except (Exception, SystemExit) as error:
        raise AppImportError(f"{what}: {said(error)}") from error


def said(error: BaseException) -> str:
    """Return an error in one line, with the place in the application's code that raised it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename))] or frames
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def _is_own(file: Path) -> bool:
    """Tell the application's code from that of the packages it uses."""
    return file.is_relative_to(Path.cwd()) and "site-packages" not in file.parts
