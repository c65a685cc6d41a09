"""Files in object stores, by URIs such as `s3://bucket/a.wav`, which `transcribe.archive` reads and writes.

A URI is kept as a `Path`, whose names and folders then work as of any other; `name_of` writes it as a URI
again. pyarrow (the extra `archive`) opens them, with the credentials that it finds on each machine.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from symbolic.errors import NotebeamError, reason_of
from symbolic.files import stamp

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

# What is written to these is there when it is whole; elsewhere it gets its name when it is.
OBJECTS = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hf"})
SCHEMES = OBJECTS | {"hdfs", "viewfs", "file"}
URI = re.compile(f"({'|'.join(sorted(SCHEMES))}):/+")
SYNTAX = "%/:?&=@+$,;!*'()~"  # characters that URIs may hold as they are, but for #
PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")  # that quotes nothing
UNFINISHED = ".unfinished"
CHUNK = 1 << 20  # bytes

T = TypeVar("T")


def uri_of(path: str | os.PathLike[str]) -> str | None:
    """The URI that a path is; None of a file on this machine."""
    start = URI.match(str(path))
    if start is None:
        return None
    slashes = "///" if start[1] == "file" else "//"
    return f"{start[1]}:{slashes}{str(path)[start.end() :]}"


def name_of(path: str | os.PathLike[str]) -> str:
    """What people read of a path: the URI, or the path itself."""
    return uri_of(path) or str(path)


def state_of(path: str | os.PathLike[str]) -> list[int] | None:
    """[bytes, modification time in ns] of a file, if there is one."""
    try:
        if uri_of(path) is not None:
            info = _info(path)
            return [info.size, info.mtime_ns or 0] if info.is_file else None
        return list(stamp(path))
    except (OSError, ValueError):
        return None


def listed(path: Path) -> list[Path]:
    """The file that a URI is, or all files below its folder, in the order of their names.

    Raises:
        NotebeamError: nothing is there, or it cannot be reached.
    """
    from pyarrow.fs import FileSelector

    info = _info(path)
    if info.is_file:
        return [path]
    if info.type.name == "NotFound":
        raise NotebeamError(name_of(path), "nothing there", "an audio file, a posteriorgram or a folder")
    found = _opened(lambda: _store(path)[0].get_file_info(FileSelector(info.path, recursive=True)), path)
    return sorted(path / os.path.relpath(one.path, info.path) for one in found if one.is_file)


def fetch(path: Path, copy: Path) -> None:
    """Copy a URI's file to a new one on this machine, whose folder is made."""
    copy.parent.mkdir(parents=True)

    def read() -> None:
        store, place = _store(path)
        with store.open_input_stream(place, compression=None) as stream, open(copy, "wb") as file:
            shutil.copyfileobj(stream, file, CHUNK)

    _opened(read, path)


def put(copy: Path, path: Path) -> None:
    """Copy a file of this machine to a URI, whole or not at all."""
    in_objects = str(path).partition(":")[0] in OBJECTS

    def write() -> None:
        store, place = _store(path)
        if not in_objects:
            store.create_dir(os.path.dirname(place), recursive=True)
        target = place if in_objects else place + UNFINISHED
        with open(copy, "rb") as file, store.open_output_stream(target, compression=None) as stream:
            shutil.copyfileobj(file, stream, CHUNK)
        if not in_objects:
            store.move(target, place)

    _opened(write, path)


def _store(path: str | os.PathLike[str]) -> tuple[FileSystem, str]:
    from pyarrow.fs import FileSystem

    # Names as stores list them: "Prelude in C# minor.wav" is one, and no URI. What is quoted stays so.
    store, place = FileSystem.from_uri(quote(PERCENT.sub("%25", uri_of(path) or ""), SYNTAX))
    return store, place


def _info(path: str | os.PathLike[str]) -> FileInfo:
    def look() -> FileInfo:
        store, place = _store(path)
        return store.get_file_info(place)

    return _opened(look, path)


def _opened(do: Callable[[], T], path: str | os.PathLike[str]) -> T:
    """What a library of a store fails with, as an error that names the URI."""
    try:
        return do()
    except (OSError, ValueError, ImportError) as error:
        reason = reason_of(error)[:200]
        raise NotebeamError(name_of(path), reason, "a URI that pyarrow can open") from error
