"""What a computation asks of the machine: floating-point operations, bytes, and what the machine can do.

Is: counts over torch's own operations, and the measured rate of a large matrix product.
Is not: a time (the benchmarks take those).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

SIZE = 2048  # of the matrices whose product is timed


@dataclass
class Work:
    """Of one computation."""

    flops: int = 0  # of matrix products, two for each multiply and add
    bytes: int = 0  # read and written by all operations, as if nothing stayed in a cache
    operations: int = 0  # torch operations that move data

    def __sub__(self, other: "Work") -> "Work":
        """What is left without a part of it."""
        return Work(self.flops - other.flops, self.bytes - other.bytes, self.operations - other.operations)


class Counter(TorchDispatchMode):  # type: ignore[misc]
    """Adds up the work of what runs inside."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        count = flop_registry.get(func._overloadpacket)
        if count is None:
            # Where no gradient is required, an operation may be made of others.
            with self:
                found = func.decompose(*args, **(kwargs or {}))
            if found is not NotImplemented:
                return found
        found = func(*args, **(kwargs or {}))
        if count is not None:
            self.work.flops += int(count(*args, **(kwargs or {}), out_val=found))
        if not func.is_view:
            self.work.operations += 1
            tensors = [leaf for leaf in tree_leaves((args, kwargs, found)) if isinstance(leaf, Tensor)]
            self.work.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return found


def counted(run: Callable[[], object]) -> Work:
    """The work of a call."""
    with Counter() as counter:
        run()
    return counter.work


def matrix_rate(device: torch.device, repeats: int = 5) -> float:
    """Floating-point operations a second of a large single-precision matrix product, the best of some."""
    left, right = torch.randn(2, SIZE, SIZE, device=device)
    return 2 * SIZE**3 / min(timed(lambda: left @ right, device) for _ in range(repeats))


def timed(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of a call, all work on the device done."""
    _wait(device)
    begun = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
