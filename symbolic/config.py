"""Options from tables: what TOML files and model cards say, checked against a frozen dataclass.

Is: one function. Is not: the options themselves, which belong to the code that reads them.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from symbolic.errors import NotebeamError

Options = TypeVar("Options")


def options_from(kind: type[Options], table: object, place: str) -> Options:
    """An instance of the dataclass `kind`; keys that are left out keep their defaults.

    Lists become tuples. `place` names the table in errors.

    Raises:
        NotebeamError: not a table, an unknown key, or a value of the wrong type.
    """
    if not isinstance(table, Mapping):
        raise NotebeamError(place, table, "a table of options")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    chosen: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise NotebeamError(f"{place}.{name}", value, f"one of the options {', '.join(known)}")
        chosen[name] = tuple(value) if isinstance(value, list) else value
        default = known[name].default
        if not _fits(chosen[name], default):
            raise NotebeamError(f"{place}.{name}", value, f"a value like {default!r}")
    return kind(**chosen)


def _fits(value: object, default: object) -> bool:
    """Whether a value has the type of the default that it replaces; integers do for numbers."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) == isinstance(value, bool) or default is None
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, int | str | tuple):
        return isinstance(value, type(default))
    return True


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        NotebeamError: no such file, or not TOML.
    """
    import tomllib

    if not path.is_file():
        raise NotebeamError(str(path), "no such file", "a TOML file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NotebeamError(str(path), str(error), "TOML") from error
