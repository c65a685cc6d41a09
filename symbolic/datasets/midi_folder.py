"""A folder of MIDI files; each that cannot be read is reported and passed over."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from symbolic.errors import NotebeamError, one_line
from symbolic.folders import some_of, walk

SUFFIXES = (".mid", ".midi")
Item = TypeVar("Item")
log = logging.getLogger(__name__)


def read_folder(folder: Path, read: Callable[[Path], Item]) -> list[Item]:
    """`read_each`, what failed being logged as warnings."""
    items, failures = read_each(folder, read)
    for failure in failures:
        log.warning("%s; passed over", one_line(str(failure)))
    return items


def read_each(folder: Path, read: Callable[[Path], Item]) -> tuple[list[Item], list[Exception]]:
    """What `read` makes of each *.mid and *.midi in a folder and its subfolders, in order of their paths.

    Hidden files are left out, which is logged. A file that `read` refuses, and a subfolder that cannot be
    listed, is passed over: the second list says why.

    Raises:
        NotebeamError: no such folder, or no file in it that can be read.
    """
    if not folder.is_dir():
        raise NotebeamError(str(folder), "no such folder", "a folder of MIDI files")
    found = walk(folder, lambda path: path.suffix.lower() in SUFFIXES, kind="a MIDI file")
    items: list[Item] = []
    failures: list[Exception] = list(found.failures)
    for path in sorted(found.files):
        try:
            items.append(read(path))
        except (NotebeamError, OSError) as error:
            failures.append(error)
    if not items:
        why = f"none that can be read ({failures[0]})" if failures else "no .mid or .midi file in it"
        raise NotebeamError(str(folder), why, "a folder of MIDI files")
    hidden = [path for path in found.passed_over if path.suffix.lower() in SUFFIXES]
    if hidden:
        log.warning("%s: %d hidden, passed over: %s", folder, len(hidden), some_of(hidden, folder))
    return items, failures
