"""Worker processes of a command that renders or listens for hours, which end when it does.

Is: a pool of processes. Is not: what they do; nor the workers of `transcribe`, which outlive a crash.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread

from symbolic.console import TERMINATED, remove_unfinished


def workers(count: int) -> ProcessPoolExecutor:
    """A pool of `count` processes; use it in a `with` block."""
    # Not forked: a process in which torch has used its threads leaves them locked in its copies.
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """End this process when its parent is gone, however that came; it would work on, or wait for ever."""
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    remove_unfinished()
    os._exit(TERMINATED)
