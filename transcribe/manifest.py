"""Which inputs a run is about: `--manifest LIST`, a file of names, and `--shard I/N`, every N-th of all."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from symbolic.errors import NotebeamError
from symbolic.files import read_text

EXPECTED = "a text, UTF-8, with the name of an input on each line"

T = TypeVar("T")


def read_manifest(path: Path) -> tuple[list[Path], list[str]]:
    """Inputs of a manifest in their order, and notices.

    A line is a name as it would stand on the command line: relative to the current folder. Empty lines, a
    byte order mark, the line ends of Windows and white space at the end of a line are left out; a name that
    comes again is taken once.

    Raises:
        NotebeamError: it cannot be read, is no text, or names nothing.
    """
    # Not by splitlines: a name may hold what Unicode has for line ends.
    lines = re.split(r"[\r\n]", read_text(path, EXPECTED))
    names = [line.rstrip() for line in lines if line.strip()]
    if not names:
        raise NotebeamError(f"--manifest {path}", "no names in it", EXPECTED)
    if "\0" in "".join(names):
        raise NotebeamError(f"--manifest {path}", "a zero byte", EXPECTED)
    inputs = list(dict.fromkeys(Path(name) for name in names))
    doubles = len(names) - len(inputs)
    return inputs, [f"{path}: {doubles} of {len(names)} names come again"] if doubles else []


def shard_of(values: Sequence[T], shard: tuple[int, int] | None) -> tuple[T, ...]:
    """The values I, I + N, I + 2 N, ... of shard (I, N), from 1; all without a shard."""
    if shard is None:
        return tuple(values)
    number, count = shard
    return tuple(values[number - 1 :: count])
