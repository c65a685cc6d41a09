"""CPU threads where they pay: all of them in the acoustic network, one in the search, none that spins.

The search is thousands of small operations. Shared among threads, each of them ends with a wait, and beside
a busy process the waits take several times as long as the work.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from symbolic.process_wide import ProcessWide


def wait_passively() -> None:
    """Threads that wait give up their core; holds for libraries that are loaded after this call."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # Intel's OpenMP, which some builds of torch bring


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch's operations inside the block."""
    with _THREADS.changed():
        yield


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _set_threads(count: int) -> None:
    import torch

    torch.get_num_threads()  # a new thread takes over the process' number at its first use, even after this
    torch.set_num_threads(count)


_THREADS = ProcessWide(_threads, _set_threads, 1, of_threads=True)
