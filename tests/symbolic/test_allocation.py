"""Freed memory: what a process keeps for its next tensors, and what it hands back."""

import subprocess
import sys

import pytest

# Page faults of ten tensors of 64 MB made and dropped, and what is resident then and after handing back.
PROGRAM = """
import resource, sys
import numpy as np
from symbolic.allocation import hand_back, keep_freed

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

if sys.argv[1] == "kept":
    keep_freed()
np.ones(8 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(8 << 20)
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
held = resident()
hand_back()
print(faults, held - resident())
"""


def measured(kind: str) -> tuple[int, int]:
    command = [sys.executable, "-c", PROGRAM, kind]
    faults, given = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(faults), int(given)


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries are not asked")
def test_freed_memory_serves_the_next_tensor_until_it_is_handed_back() -> None:
    (usual, _), (kept, given) = measured("not"), measured("kept")
    assert usual > 20 * max(kept, 1)
    assert given >= 60  # MB


def test_where_the_library_has_no_such_function_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    from symbolic import allocation

    monkeypatch.setattr(sys, "platform", "darwin")
    allocation.keep_freed()
    allocation.hand_back()
