"""Silence for what a C library prints by itself.

libmpg123, inside libsndfile, tells of damage on the stream stderr of C, line by line and without the file's
name. Python writes to the same place, but not through that stream, so only the library's lines are lost.
"""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

_lock = Lock()
_inside = 0  # blocks that are running, of all threads


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that C libraries print to stderr inside the block is seen, where the C library is glibc."""
    streams = _streams()
    if streams is None:
        yield
        return
    variable, stderr, nothing = streams
    _enter(1, variable, nothing)
    try:
        yield
    finally:
        _enter(-1, variable, stderr)


def _enter(change: int, variable: ctypes.c_void_p, stream: int) -> None:
    """Count a block, and set the stream where it is the first that begins or the last that ends."""
    global _inside
    with _lock:
        _inside += change
        if _inside == max(0, change):
            variable.value = stream


@cache
def _streams() -> tuple[ctypes.c_void_p, int, int] | None:
    """The variable stderr of C, its stream, and one to nowhere; None where it is no variable."""
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    variable, nothing = ctypes.c_void_p.in_dll(library, "stderr"), library.fopen(os.devnull.encode(), b"w")
    return (variable, variable.value, nothing) if variable.value and nothing else None
