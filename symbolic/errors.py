"""The one error that a user's input can cause; all three packages raise it.

Is: a line that says the place, the value and what was expected.
Is not: for bugs; those are whatever Python raises.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

LONGEST_VALUE = 300  # characters of a value in a message
# Of its other two parts, which may hold names from a file: the beginning and the end are shown.
LONGEST_PLACE = 1000
LONGEST_EXPECTED = 1000  # room for the names of all priors


class NotebeamError(ValueError):
    """One line: the place, the value, what was expected.

    >>> import notebeam as nb
    >>> nb.Clock.frames(10, hop=0.0)
    Traceback (most recent call last):
    ...
    symbolic.errors.NotebeamError: Clock.frames(hop): got 0.0, expected seconds > 0
    """

    def __init__(self, place: str, value: object, expected: str) -> None:
        super().__init__(place, value, expected)
        self.place, self.value, self.expected = place, value, expected

    def __str__(self) -> str:
        value = " ".join(repr(self.value).splitlines())  # an array's takes several lines
        if len(value) > LONGEST_VALUE:
            value = f"{value[:LONGEST_VALUE]}... ({len(value)} characters)"
        # A file's name may hold a line break.
        place = _shortened(one_line(self.place), LONGEST_PLACE)
        expected = _shortened(one_line(self.expected), LONGEST_EXPECTED)
        return f"{place}: got {value}, expected {expected}"


def _shortened(text: str, longest: int) -> str:
    half = longest // 2 - 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


@contextmanager
def within(place: str) -> Iterator[None]:
    """Errors of a block that do not name `place` yet get it in front of their own."""
    try:
        yield
    except NotebeamError as error:
        if not place or error.place.startswith(place):
            raise
        raise NotebeamError(f"{place}: {error.place}", error.value, error.expected) from error


@contextmanager
def called(place: str) -> Iterator[None]:
    """Errors of a block name `place` alone: what the user called that which the block calls otherwise."""
    try:
        yield
    except NotebeamError as error:
        raise NotebeamError(place, error.value, error.expected) from error


@contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """Errors of a block about one of the places `names` are about what the user calls it."""
    try:
        yield
    except NotebeamError as error:
        if error.place not in names:
            raise
        raise NotebeamError(names[error.place], error.value, error.expected) from error


def one_line(text: str) -> str:
    """A message that is safe to show: names may hold line breaks, escape codes, bytes that are no text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def reason_of(error: BaseException) -> str:
    """What an exception of a library says, its first line; its type where it says nothing."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
