"""CPU threads where they pay: all of them in the acoustic network, one in the search, none that spins.

The search is thousands of small operations. Shared among threads, each of them ends with a wait, and beside
a busy process the waits take several times as long as the work.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def wait_passively() -> None:
    """Threads that wait give up their core; holds for libraries that are loaded after this call."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # Intel's OpenMP, which some builds of torch bring


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch's operations inside the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
