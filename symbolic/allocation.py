"""Freed memory: kept for the next tensor, or handed back to the system.

Is: what the C library of Linux is told, for the whole process; of others nothing is asked.
Is not: how much memory the work takes.
"""

import ctypes
import sys
from typing import Any

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # of malloc.h
KEPT = 1 << 30  # bytes that are free at the end of the heap, at most


def keep_freed() -> None:
    """From now on large blocks that are freed serve the next ones.

    By default each goes back and comes again empty, page by page: a tenth of the time of a training, but no
    more than a thirtieth of a transcription's, which is not worth the memory.
    """
    setting = _of_the_library("mallopt")
    if setting is not None:
        setting(MMAP_MAX, 0)
        setting(TRIM_THRESHOLD, KEPT)


def hand_back() -> None:
    """Hand back all that is free now."""
    trim = _of_the_library("malloc_trim")
    if trim is not None:
        trim(0)


def _of_the_library(name: str) -> Any:
    """A function of the C library; None where there is none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
