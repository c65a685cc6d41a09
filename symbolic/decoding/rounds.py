"""The events of a plan as tensors: what a search reads of the candidates.

Is: the rows of runs of forced steps, and of the steps to be searched, these for blocks of events at once.
Is not: the plan (decoding.plan), or the search (decoding.search).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from symbolic.decoding.candidates import BLOCK, Candidates, flip
from symbolic.decoding.merging import Hashes
from symbolic.decoding.plan import Plan, room
from symbolic.estimators.prefixes import Prefixes, SharedRows, prefix_trees


@dataclass(frozen=True, eq=False)
class Run:
    """Forced steps of B clips."""

    rows: Tensor  # (B, S, D) float32 0/1
    lengths: Tensor  # (B,) how many are real; on the host
    cost: Tensor  # (B,) float64 of these, nats
    newest: Tensor  # (B, n - 1) hashes of the last rows, newest first; meaningless beyond the run's length


@dataclass(frozen=True, eq=False)
class Choice:
    """Candidates of B clips at one step of each."""

    shared: SharedRows  # (B, K, D)
    cost: Tensor  # (B, K) -log P_a + beta notes, nats; +inf: no such candidate
    newest: Tensor  # (B, K) hash of each
    prob: Tensor  # (B, D) 0..1 of each key
    number: Tensor  # (B, K) what the candidate is called in a path
    alive: Tensor  # (B,) bool whether the clip has this step; of another, nothing here means anything


@dataclass(frozen=True, eq=False)
class Rounds:
    """A plan's events, for the candidates it was made of."""

    plan: Plan
    found: Candidates
    hashes: Hashes
    is_fixed: bool = False  # lists of candidates, and their trees, are of few different sizes

    @cached_property
    def order(self) -> Tensor:
        """(B,) the plan's order on the device."""
        return torch.from_numpy(self.plan.order).to(self.found.base.device)

    @cached_property
    def _spent(self) -> Tensor:
        """(B, T + 1) float64 cost of each clip's first candidates before a step."""
        return torch.nn.functional.pad(self.found.cost[:, :, 0].double().cumsum(1), (1, 0))

    def run(self, begin: Tensor, end: Tensor) -> Run:
        """Steps begin..end - 1, each (B,) on the host, of the plan's first clips."""
        device, steps = self.found.base.device, self.found.base.shape[1]
        clip, lengths = self.order[: len(begin)], end - begin
        every = begin[:, None] + torch.arange(int(lengths.max()))
        rows = self.found.base[clip[:, None], every.clamp(max=steps - 1).to(device)].float()
        back = end[:, None] - torch.arange(1, max(1, len(self.hashes.ages)))
        newest = self.hashes.of_rows(self.found.base[clip[:, None], back.clamp(min=0).to(device)])
        begin, end = begin.to(device), end.to(device)
        return Run(rows, lengths, self._spent[clip, end] - self._spent[clip, begin], newest)

    def choices(self) -> Iterator[Choice]:
        """The candidates of each event's clips in turn, rows made for a block of events at once."""
        start, going, count = 0, self.plan.going, self.plan.count
        while start < len(count):
            stop, most = start, 0
            while stop < len(count) and going[stop] == going[start]:
                most = max(most, count[stop])
                if (
                    stop > start
                    and (stop + 1 - start) * going[start] * most * self.hashes.keys.numel() > BLOCK
                ):
                    break
                stop += 1
            yield from self._block(start, stop)
            start = stop

    def _block(self, start: int, stop: int) -> Iterator[Choice]:
        """Events start..stop - 1, which concern the same clips."""
        device, counts = self.found.base.device, self.plan.count[start:stop]
        if self.is_fixed:
            counts = [min(room(max(counts)), self.found.codes.shape[2])] * len(counts)
        clip = self.order[: self.plan.going[start]]
        at = self.plan.searched[: len(clip), start:stop].T
        step = torch.from_numpy(np.minimum(at, self.found.base.shape[1] - 1)).to(device)  # (E, B)
        alive = torch.from_numpy(self.plan.alive[: len(clip), start:stop].T.copy()).to(device)
        prob = self.found.prob[clip, step]
        cost = self.found.cost[clip, step][:, :, : max(counts)]
        codes = self.found.codes[clip, step][:, :, : max(counts)]
        # What is no candidate is another copy of the first.
        codes = torch.where(cost.isfinite(), codes, codes[:, :, :1])
        rows = flip(self.found.base[clip, step], self.found.keys[clip, step], codes)
        newest = self.hashes.of_rows(rows)
        number = torch.arange(max(counts), device=device).expand(len(clip), -1)
        rows = rows.float()
        trees = cache(lambda: self._trees(rows))
        for event, count in enumerate(counts):
            shared = SharedRows(rows[event, :, :count], _first_rows(trees, event, count))
            told = cost[event, :, :count], newest[event, :, :count], prob[event], number[:, :count]
            yield Choice(shared, *told, alive[event])

    def _trees(self, rows: Tensor) -> list[Prefixes]:
        """Trees of rows (E, B, K, D)."""
        trees = prefix_trees(rows)
        if not self.is_fixed:
            return trees
        nodes, ranks = (room(max(sizes)) for sizes in zip(*(tree.sizes for tree in trees), strict=True))
        return [tree.padded(nodes, ranks) for tree in trees]


def _first_rows(trees: Callable[[], list[Prefixes]], event: int, count: int) -> Callable[[], Prefixes]:
    """The trees of an event's first `count` rows a list: the others are copies, and have no nodes."""
    return lambda: replace(trees()[event], path=trees()[event].path[:, :count])
