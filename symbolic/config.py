"""Options from tables: what TOML files and model cards say, checked against a frozen dataclass.

Is: reading a TOML file, and the one way from a table to options.
Is not: the options themselves, which belong to the code that reads them.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from symbolic.errors import NotebeamError, within
from symbolic.files import read_text

Options = TypeVar("Options")

LARGEST = 1 << 14  # bytes of a config; the time that TOML takes may grow with their square
MOST = 10**12  # of an integer: more is a slip of the hand

_WORDS = {bool: "true or false", int: "an integer", float: "a number", str: "a string", dict: "a table"}


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        NotebeamError: no such file, or not TOML.
    """
    text = read_text(path, "a TOML file", LARGEST)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; so is a number too long
        why = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise NotebeamError(str(path), why, "a TOML file") from error


def options_from(kind: type[Options], table: object, place: str) -> Options:
    """An instance of the dataclass `kind`; keys that are left out keep their defaults.

    Args:
        place: names the table in errors; "" for a file's top.

    Raises:
        NotebeamError: not a table, an unknown key, a missing one without default, a value of another type.
    """
    if not isinstance(table, Mapping):
        raise NotebeamError(place, table, "a table")
    hints = get_type_hints(kind)
    prefix = f"{place}." if place else ""
    for name in table:
        if name not in hints:
            raise NotebeamError(f"{prefix}{name}", table[name], f"one of the keys {', '.join(hints)}")
    # A dataclass's own message about a missing argument does not name the file.
    for entry in fields(kind):  # type: ignore[arg-type]
        if entry.name not in table and entry.default is MISSING and entry.default_factory is MISSING:
            raise NotebeamError(f"{prefix}{entry.name}", "nothing", "a value")
    typed = {name: _typed(value, hints[name], prefix + name) for name, value in table.items()}
    with within(place):  # what the dataclass itself refuses: it does not know of the file
        return kind(**typed)


def _typed(value: Any, hint: Any, place: str) -> Any:
    """A value of TOML or JSON as the type of its field; integers do for numbers, lists for tuples."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in inner:
            raise NotebeamError(place, value, f"one of {', '.join(filter(None, inner))}")
        return value
    if origin is tuple:
        return _tuple(value, inner, place)
    plain = dict if origin in (dict, Mapping) else origin or hint
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return _typed(float(value), hint, place) if abs(value) <= MOST else _typed(math.inf, hint, place)
    if plain in _WORDS and (not isinstance(value, plain) or isinstance(value, bool) is not (plain is bool)):
        raise NotebeamError(place, value, _WORDS[plain])
    if plain is float and not math.isfinite(value):
        raise NotebeamError(place, value, "a finite number")
    if plain is int and abs(value) > MOST:
        raise NotebeamError(place, value, f"an integer within +-{MOST}")
    return value


def _tuple(value: Any, inner: tuple[Any, ...], place: str) -> tuple[Any, ...]:
    """A list as tuple[X, ...] or tuple[X, Y]."""
    several = len(inner) == 2 and inner[1] is Ellipsis
    if not isinstance(value, list | tuple) or not (several or len(value) == len(inner)):
        size = "" if several else f"{len(inner)} "
        raise NotebeamError(place, value, f"a list of {size}{_WORDS.get(inner[0], 'value').split()[-1]}s")
    kinds = [inner[0]] * len(value) if several else inner
    return tuple(_typed(item, kind, place) for item, kind in zip(value, kinds, strict=True))


def at_least(place: str, options: object, **least: float) -> None:
    """Refuse fields of `options` below these limits, and those that are no finite numbers.

    Raises:
        NotebeamError: names `place` and the field.
    """
    for name, limit in least.items():
        value = getattr(options, name)
        if not limit <= value < math.inf:
            raise NotebeamError(f"{place}.{name}", value, f"a number >= {limit}")


MOST_SEED = 10**12


def check_seed(value: int, place: str = "seed") -> None:
    """Refuse a seed that not every generator takes."""
    if not 0 <= value <= MOST_SEED:
        raise NotebeamError(place, value, f"an integer 0..{MOST_SEED}")


def at_most(place: str, options: object, **most: float) -> None:
    """Refuse fields of `options` above these limits: a number too many makes a run die of something else."""
    for name, limit in most.items():
        value = getattr(options, name)
        if not value <= limit:
            raise NotebeamError(f"{place}.{name}", value, f"{limit} at most")
