"""Several processes that train one prior together, started by torchrun.

Is: who they are, whose rows are whose, and what they tell each other (gloo, on the CPU).
Is not: the training (training.run).

Every process draws the same chunks and computes its own rows of them; only the sums of gradients, a few
numbers and, for checkpoints, the states travel. The first decides by clock and scores for all.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.state import State

PATIENCE = timedelta(days=1)  # that the others wait for the first, which validates alone


@dataclass(frozen=True)
class Processes:
    """One process among `count`; alone, everything here does nothing."""

    rank: int = 0  # 0 is the first: it validates, writes and logs
    count: int = 1

    def rows(self, batch: int) -> slice:
        """The rows of a batch that are this process's."""
        if batch < self.count:
            raise NotebeamError("loop.batch_size", batch, f"{self.count} at least, a row for each process")
        return slice(self.rank * batch // self.count, (self.rank + 1) * batch // self.count)

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers that no other process draws; those of the first are those of one alone."""
        if self.rank:
            seed = int(np.random.SeedSequence((seed, self.rank)).generate_state(1)[0])
        return torch.Generator().manual_seed(seed)

    def summed(self, parameters: Sequence[Tensor], value: float) -> float:
        """Add up, in place, the gradients of all processes; and their values."""
        if self.count == 1:
            return value
        # In one message; and how many have each gradient: one that none has stays away.
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        owners = parts[0].new_tensor([p.grad is not None for p in parameters])
        message = torch.cat([part.reshape(-1) for part in parts] + [owners])
        dist.all_reduce(message)
        *parts_found, owners = torch.split(message, [part.numel() for part in parts] + [len(parts)])
        for parameter, found, owner in zip(parameters, parts_found, owners.tolist(), strict=True):
            parameter.grad = found.view_as(parameter) if owner else None
        total = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(total)
        return total.item()

    def agreed(self, value: float) -> float:
        """The first process's value."""
        if self.count == 1:
            return value
        message = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(message, 0)
        return message.item()

    def copied(self, tensors: Sequence[Tensor]) -> None:
        """Fill tensors with those of the first process."""
        if self.count > 1:
            for values in tensors:
                dist.broadcast(values, 0)

    def whole(self, state: State, batch: int) -> State:
        """The state of all rows from every process's own."""
        if self.count == 1:
            return state
        sizes = [
            len(range(*Processes(rank, self.count).rows(batch).indices(batch))) for rank in range(self.count)
        ]
        found: State = {}
        for name, values in state.items():
            parts = [values.new_zeros(size, *values.shape[1:]) for size in sizes]
            parts[self.rank] = values.detach().contiguous()
            for rank, part in enumerate(parts):
                dist.broadcast(part, rank)
            found[name] = torch.cat(parts)
        return found


@contextmanager
def started() -> Iterator[Processes]:
    """This process among those that torchrun started; without torchrun it is alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    # The first optimiser makes torch import what keeps every group that is there then, and with it threads
    # that may end the process by force when Python is over. So it comes before the group.
    torch.optim.SGD([torch.zeros(1)], lr=1.0)
    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), count)
    finally:
        dist.destroy_process_group()
