"""Folders of files, walked with all their subfolders; nothing is skipped without a word."""

import os
import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from symbolic.errors import NotebeamError

SHOWN = 5  # names in a message


@dataclass(frozen=True)
class Found:
    """The files found, in the order of the names: files first, then subfolders."""

    files: list[Path] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)  # hidden, or another kind of file
    failures: list[NotebeamError] = field(default_factory=list)  # what nobody can read, by name


def walk(
    folder: Path, wanted: Callable[[Path], bool], without: Collection[Path] = (), kind: str = "a file"
) -> Found:
    """The files of a folder and its subfolders that are wanted; links are followed, loops of them left out.

    Args:
        wanted: whether a file is; called with plain files, and by name with dead links, pipes and devices.
        without: folders that are not entered, resolved.
        kind: what a wanted file is, for errors.
    """
    found = Found()
    _walk(folder, wanted, set(without), kind, found, ())
    return found


def _walk(
    folder: Path,
    wanted: Callable[[Path], bool],
    without: Collection[Path],
    kind: str,
    found: Found,
    above: tuple[tuple[int, int], ...],
) -> None:
    try:
        state = folder.stat()
        names = sorted(os.listdir(folder))
    except OSError as error:
        found.failures.append(NotebeamError(str(folder), _reason(error), "a folder that can be listed"))
        return
    here = (*above, (state.st_dev, state.st_ino))
    subfolders: list[Path] = []
    for name in names:
        path = folder / name
        try:
            state = path.stat()
        except OSError as error:
            _sort_out(path, NotebeamError(str(path), _reason(error), kind), wanted, found)
            continue
        if stat.S_ISDIR(state.st_mode):
            is_loop = (state.st_dev, state.st_ino) in here
            if name.startswith(".") or is_loop or (without and Path(os.path.realpath(path)) in without):
                found.passed_over.append(path)
            else:
                subfolders.append(path)
        elif not stat.S_ISREG(state.st_mode):
            _sort_out(
                path, NotebeamError(str(path), "a pipe or device", f"{kind}: a plain file"), wanted, found
            )
        # Hidden files out: macOS leaves "._song.wav" beside "song.wav" on foreign disks.
        elif name.startswith(".") or not wanted(path):
            found.passed_over.append(path)
        else:
            found.files.append(path)
    for path in subfolders:
        _walk(path, wanted, without, kind, found, here)


def _sort_out(path: Path, failure: NotebeamError, wanted: Callable[[Path], bool], found: Found) -> None:
    """What is no plain file is a failure if its name promises one that is wanted."""
    if not path.name.startswith(".") and wanted(path):
        found.failures.append(failure)
    else:
        found.passed_over.append(path)


def _reason(error: OSError) -> str:
    return {"No such file or directory": "a link to nothing"}.get(error.strerror or "", error.strerror or "?")


def some_of(paths: Iterable[Path], folder: Path) -> str:
    """The first of some paths as seen from a folder, and how many more there are."""
    names = [os.path.relpath(path, folder) for path in paths]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
