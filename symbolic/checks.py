"""Checks of what a user hands over: numbers, columns, paths, things of one type; in an error, one line.

Is not: what a number may be (whoever asks for it), or tables of options (symbolic.config).
"""

import os
from collections.abc import Collection, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

from symbolic.errors import NotebeamError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 10**9  # of a count: more is a slip of the hand, and too much for what is made of it

Kind = TypeVar("Kind")
Number = TypeVar("Number", int, float)


def real(value: Any, place: str, expected: str) -> float:
    """A number, numpy's and arrays without axes included; it may be nan, which no comparison holds for."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise NotebeamError(place, brief(value), expected)
    try:
        return float(value)
    except OverflowError as error:  # an integer beyond all floats
        raise NotebeamError(place, value, expected) from error


def whole(value: Any, place: str, expected: str) -> int:
    """A whole number of an integer type, numpy's included."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise NotebeamError(place, brief(value), expected)
    return int(value)


def floats(values: Any, place: str, expected: str) -> "NDArray[np.float64]":
    """float64, of any shape, made of numbers; every integer that a note holds is exact in it."""
    import numpy as np

    try:
        array = np.asarray(values)
        # Asked first, because numpy reads strings as numbers, too.
        if array.dtype.kind in "biuf" or not array.size:
            return array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NotebeamError(place, brief(values), expected) from error
    raise NotebeamError(place, brief(values), expected)


def of_type(value: Any, kind: type[Kind] | tuple[type[Kind], ...], place: str, expected: str) -> Kind:
    """The value, which is one of that type."""
    if not isinstance(value, kind):
        raise NotebeamError(place, brief(value), expected)
    return value


def path_of(value: Any, place: str, expected: str = "a path") -> str:
    """The path of a `str` or `os.PathLike`."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or "\0" in path:
        raise NotebeamError(place, path if isinstance(path, str) else brief(value), expected)
    return path


def one_of(value: Any, words: Collection[str], place: str) -> None:
    """Refuse all but these words."""
    if not isinstance(value, str) or value not in words:
        raise NotebeamError(place, brief(value), f"one of {', '.join(words)}")


def brief(value: Any) -> object:
    """A value as an error shows it: itself, or its type where it takes more than a glance."""
    if value is None or isinstance(value, str | bytes | Real):
        return value
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{getattr(value, 'dtype', type(value).__name__)} {tuple(shape)}"
    count = f" of {len(value)}" if isinstance(value, Sequence) else ""
    return f"{type(value).__name__}{count}"


class Checked:
    """Options that check themselves when they are made, and keep plain numbers; errors name class, field."""

    def _check(self, name: str, expected: str, *, holds: bool) -> None:
        if not holds:
            raise NotebeamError(f"{type(self).__name__}.{name}", getattr(self, name), expected)

    def _number(self, name: str, expected: str, *, none: float | None = None) -> float:
        """The field, which must be a number (see `real`), or None where that stands for `none`."""
        if none is not None and getattr(self, name) is None:
            return none
        return self._kept(name, real(getattr(self, name), f"{type(self).__name__}.{name}", expected))

    def _kept(self, name: str, number: Number) -> Number:
        """The number, now the field's value; Python's own stay as they were given."""
        if type(getattr(self, name)) not in (int, float):
            object.__setattr__(self, name, number)  # options are frozen
        return number

    def _check_between(
        self, name: str, low: float, high: float, expected: str, *, none: float | None = None
    ) -> None:
        """A finite number, low <= number <= high."""
        value = self._number(name, expected, none=none)
        self._check(name, expected, holds=low <= value <= high and isfinite(value))

    def _check_word(self, name: str, words: Collection[str]) -> None:
        one_of(getattr(self, name), words, f"{type(self).__name__}.{name}")

    def _check_count(self, name: str, low: int, high: int | None = None) -> None:
        """A whole number, low <= number <= high."""
        expected = f"an integer >= {low}" if high is None else f"an integer {low}..{high}"
        value = self._kept(name, whole(getattr(self, name), f"{type(self).__name__}.{name}", expected))
        self._check(name, expected, holds=low <= value <= (MOST if high is None else high))
