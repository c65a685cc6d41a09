"""Plain arrays of `.npz` files, read with bounds: the one reader of all of them.

Is: the named arrays of an archive, whose headers are checked against the bytes that are there before anything
is made of them; nothing pickled.
Is not: what the arrays mean (symbolic.posteriorgram, symbolic.datasets).
"""

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.files import open_file

Array = NDArray[Any]

MOST = 1033  # bytes that deflate can make of one, at most
LARGEST = 2 << 30  # bytes that may be made of next to none: six hours of five planes
DENSE = 32  # times as many bytes as are there: more than that, beyond `LARGEST`, is a claim
BYTES_AT_ONCE = 1 << 20  # bytes read at once
# All that zipfile, zlib and numpy raise for damage; there is no common class.
_DAMAGE = (
    zipfile.BadZipFile,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    OSError,
    EOFError,
    SyntaxError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
    tokenize.TokenError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes; others ask for memory by claims
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_arrays(
    path: str | os.PathLike[str], wanted: Collection[str], expected: str = "arrays as .npz"
) -> dict[str, Array]:
    """Those of the `wanted` arrays that an `.npz` holds, by name; others are not read.

    Args:
        expected: what the file should be, for errors.

    Raises:
        NotebeamError: no such file, no archive, damage, or an array that claims more than is there.
    """
    with open_file(path, expected) as file:
        archive = _opened(file, path, expected)
        present = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
        entries = {name: archive.getinfo(present[name]) for name in wanted if name in present}
        total = sum(entry.file_size for entry in entries.values())
        packed = sum(entry.compress_size for entry in entries.values())
        if total > max(LARGEST, DENSE * packed):
            most = f"at most {LARGEST} bytes, or {DENSE} times those that are there"
            raise NotebeamError(str(path), f"arrays of {total} bytes in {packed}", most)
        return {name: _array(archive, entry, f"{path}: {name}") for name, entry in entries.items()}


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the arrays of an `.npz`.

    Raises:
        NotebeamError: it cannot be read, or is no archive.
    """
    with open_file(path, "arrays") as file:
        names = _opened(file, path, "arrays").namelist()
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def _opened(file: BinaryIO, path: str | os.PathLike[str], expected: str) -> zipfile.ZipFile:
    if file.read(2) != b"PK":
        raise NotebeamError(str(path), "another kind of file", expected)
    file.seek(0)
    try:
        return zipfile.ZipFile(file)
    except _DAMAGE as error:
        raise NotebeamError(str(path), f"a damaged archive ({error})", expected) from error


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: str) -> Array:
    expected = "a plain numpy array"
    if entry.compress_type not in _METHODS:
        raise NotebeamError(
            place, f"compression of type {entry.compress_type}", "none or deflate, as numpy's"
        )
    try:
        with archive.open(entry) as member:
            version = npy.read_magic(member)
            shape, is_fortran, dtype = _HEADERS[version](member)
            held = entry.file_size - member.tell()
            size = math.prod(shape) * dtype.itemsize
            if dtype.hasobject:
                raise NotebeamError(place, "pickled objects", expected)
            if size != held or entry.file_size > MOST * entry.compress_size + BYTES_AT_ONCE:
                got = f"{dtype} {shape} in {entry.compress_size} bytes"
                raise NotebeamError(place, got, "an array of the size that it claims")
            array = np.empty(shape, dtype, order="F" if is_fortran else "C")
            _fill(member, array.reshape(-1, order="A"))
    except NotebeamError:
        raise
    except _DAMAGE as error:
        raise NotebeamError(place, f"a damaged array ({error})", expected) from error
    return array


def _fill(member: Any, flat: Array) -> None:
    """Read the bytes of a flat array, and the end of the archive's entry, where its checksum is compared."""
    if flat.size and flat.dtype.itemsize:
        memory = flat.view(np.uint8).data
        place = 0
        while place < len(memory):
            count = member.readinto(memory[place : place + BYTES_AT_ONCE])
            if not count:
                raise EOFError(f"{place} of {len(memory)} bytes")
            place += count
    if member.read(1):
        raise ValueError("more bytes than its header says")
