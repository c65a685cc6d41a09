"""Users' files: opened with care, written whole or not at all.

Is: the one way in which the project opens what a user names (`open_file`, `read_bytes`, `read_text`,
`read_json`), the one way in which it writes a file (`replacing`), and temporary folders.
Is not: any file format (arrays: symbolic.arrays).
"""

import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from symbolic.checks import path_of
from symbolic.errors import NotebeamError

LARGEST = 256 << 20  # bytes of a file that is read as a whole
LARGEST_JSON = 1 << 20  # bytes of a card
PATH_BYTES = 255  # of a file's name, where the file system does not say
CHANGED = "changed while it was read"  # of a file whose `stamp` is another at the end
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "no permission to read it",
    errno.EPERM: "no permission to read it",
    errno.ELOOP: "a loop of links",
    errno.ENAMETOOLONG: "a name too long for a file",
    errno.ENXIO: "a socket",
}


def open_file(path: str | os.PathLike[str], expected: str) -> BinaryIO:
    """A plain file opened for reading; `expected` says in errors what it should be.

    Raises:
        NotebeamError: nothing there, no permission, or a folder, pipe, socket or device, which would block.
    """
    path = path_of(path, "path", f"a path, of {expected}")
    try:
        # Without waiting: the opening of a pipe that nobody writes to would never return.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise NotebeamError(str(path), reason, expected) from error
    kind = stat.S_IFMT(os.fstat(number).st_mode)
    if kind != stat.S_IFREG:
        os.close(number)
        hint = (
            " (what comes through stdin or another pipe is to be saved first)" if kind == stat.S_IFIFO else ""
        )
        raise NotebeamError(str(path), _KINDS.get(kind, "?"), f"{expected}, a plain file{hint}")
    return os.fdopen(number, "rb")


def stamp(path: str | os.PathLike[str] | int) -> tuple[int, int]:
    """(bytes, time of the last change in ns) of a file or descriptor, by which caches know it.

    Raises:
        OSError: there is none.
    """
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns


def read_bytes(path: str | os.PathLike[str], expected: str, largest: int = LARGEST) -> bytes:
    """All of a file; a larger one than `largest` bytes is refused unread."""
    with open_file(path, expected) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise NotebeamError(str(path), f"{size} bytes", f"{expected} of at most {largest} bytes")
        return file.read(size)


def read_text(path: str | os.PathLike[str], expected: str, largest: int = LARGEST) -> str:
    """All of a UTF-8 text; a byte order mark is left out."""
    try:
        return read_bytes(path, expected, largest).decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NotebeamError(
            str(path), f"bytes that are not text, from byte {error.start}", expected
        ) from error


def read_json(path: str | os.PathLike[str], expected: str, largest: int = LARGEST_JSON) -> Any:
    """The value of a JSON file."""
    return parse_json(read_text(path, expected, largest), str(path), expected)


def parse_json(text: str, place: str, expected: str) -> Any:
    """The value of a JSON text; `place` names it in errors."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise NotebeamError(place, f"no JSON ({why})", expected) from error


_unfinished: set[Path] = set()  # temporary files and folders in use, for `remove_unfinished`
_mark = secrets.token_hex(8)  # begins the names of this process's temporary files


def mark_temporaries(mark: str) -> None:
    """Begin the names of `replacing`'s temporary files with `mark`, known to who started this process."""
    global _mark
    _mark = mark


def remove_unfinished() -> None:
    """Delete what `replacing` and `temporary_folder` have begun: for a program that has to end at once."""
    for path in list(_unfinished):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_marked(mark: str, targets: Iterable[Path]) -> None:
    """Delete what a process that was killed had begun to write beside `targets`; see `mark_temporaries`."""
    for folder in {Path(os.path.realpath(target)).parent for target in targets}:
        with suppress(OSError):  # a folder that is gone or cannot be written to keeps what it has
            for path in folder.glob(f".{mark}-*"):
                path.unlink(missing_ok=True)


@contextmanager
def temporary_folder(path: Path | None = None) -> Iterator[Path]:
    """An empty folder, deleted at the end with all that is in it, also where a signal ends the program.

    path: its name, which nothing may have yet; None: one of the system's for temporary files.
    """
    folder = Path(tempfile.gettempdir(), f"notebeam-{secrets.token_hex(8)}") if path is None else path
    _unfinished.add(folder)
    try:
        folder.mkdir(mode=0o700 if path is None else 0o777, parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _unfinished.discard(folder)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`: renamed to it on success, deleted on any failure.

    The temporary file keeps the target's suffix, for writers that look at it. A link is followed,
    so that what it points to is replaced and not the link. Missing folders are made.

    Raises:
        NotebeamError: `path` is a folder or device, or its name is too long.
        OSError: it cannot be written; the error names `path`.
    """
    target = Path(os.path.realpath(path_of(path, "path")))
    if target.exists() and not target.is_file():
        # os.replace would put a plain file in the place of a device such as /dev/null.
        raise NotebeamError(str(path), "a folder or device", "the path of a plain file")
    check_name(str(path), target)
    # Beside the target, because a rename is atomic only within one file system; a short name of its own,
    # because the target's may be as long as a name can be.
    temporary = target.with_name(f".{_mark}-{secrets.token_hex(4)}{target.suffix[:32]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    _unfinished.add(temporary)
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if error.filename in (None, str(temporary), temporary):
            # The user named the target and does not know the temporary file.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:  # an interrupt must not leave rubbish either
        temporary.unlink(missing_ok=True)
        _unfinished.discard(temporary)


def check_writable(path: Path, place: str = "") -> None:
    """Refuse a file that cannot be written, before the work that would be lost; makes nothing.

    place: names it in errors, by default its path.
    """
    place = place or str(path)
    check_name(place, path)
    if os.path.exists(path) and not os.path.isfile(path):
        got = "a folder" if os.path.isdir(path) else "a pipe or device"
        raise NotebeamError(place, got, "the name of a file")
    folder = (Path(os.path.realpath(path)) if os.path.islink(path) else path).parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not os.path.isdir(folder):
        raise NotebeamError(place, f"{folder}, no folder", "a folder to write in")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotebeamError(place, "no permission", f"leave to write in {folder}")


def check_name(place: str, path: Path) -> None:
    """Refuse a name that is too long for a file of its folder."""
    try:
        longest = os.pathconf(path.parent, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # no such folder yet, or a system that does not say
        longest = PATH_BYTES
    if len(os.fsencode(path.name)) > longest:
        raise NotebeamError(place, f"a name of {len(os.fsencode(path.name))} bytes", f"at most {longest}")
