"""What a beam search has to do for a batch of clips: its events, and their rows as tensors.

A step with a single candidate is forced: every hypothesis takes it, and nothing is compared. Only once n
forced steps in a row, as many as hypotheses are hashed over, lie behind, a search merges what has become
alike. So a clip is a row of events, each a run of forced steps (maybe none) and a step to be searched, and
at last a run alone. Clips go on together event by event, each at its own step.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.decoding.candidates import MAX_NUMBERS, Candidates, flip
from symbolic.decoding.merging import Hashes
from symbolic.estimators.prefixes import Prefixes, SharedRows, prefix_trees

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Events of B clips, those with the most first: event e is searched in the first `going[e]` of them."""

    order: Ints  # (B,) place in the batch of each clip here
    searched: Ints  # (B, E + 1) step of each event; of the last run, and beyond, the clip's length
    alive: Bools  # (B, E) whether the clip has this event
    going: list[int]  # (E + 1,) clips that go on, all that have the event at least; the last event is none
    count: list[int]  # (E,) most candidates of these clips, the prior's own aside
    forced: Ints  # (B,) forced steps in a row at each clip's end, in the batch's order


def make_schedule(
    viable: Ints,
    lengths: Sequence[int],
    forced: Ints,
    *,
    hash_steps: int,
    prior_notes: int = 0,
    few_shapes: bool = False,
) -> Schedule:
    """The schedule of B clips.

    Args:
        viable: (B, T) candidates a step, 1 at least.
        lengths: (B,) steps.
        forced: (B,) forced steps in a row that lie behind each clip.
        hash_steps: n, steps that hypotheses are hashed over; 0: nothing is merged.
        prior_notes: candidates that the prior adds to each step.
        few_shapes: round numbers of clips up, so that few different ones occur: some clips that have ended
            go on.
    """
    stop = np.asarray(lengths, dtype=np.int64)
    real = np.arange(viable.shape[1]) < stop[:, None]
    viable = np.where(real, viable + prior_notes, 1)
    runs = _runs(viable, forced)
    merging = (hash_steps > 0) & (runs[:, 1:] == hash_steps)
    search = real & ((viable > 1) | merging)
    count = search.sum(axis=1)
    order = np.argsort(-count, kind="stable")
    events = int(count.max(initial=0))
    # The searched steps of each clip first; a stable sort keeps them in order.
    step = np.argsort(~search[order], axis=1, kind="stable")[:, :events]
    has = np.arange(events) < count[order, None]
    choices = np.where(has, viable[order[:, None], step], 1) - prior_notes
    last, going = stop[order, None], has.sum(axis=0).tolist()
    return Schedule(
        order=order,
        searched=np.concatenate([np.where(has, step, last), last], axis=1),
        alive=has,
        going=[*(min(rounded_up(n), len(stop)) if few_shapes else n for n in going), 0],
        count=choices.max(axis=0, initial=1).tolist(),
        forced=np.take_along_axis(runs, stop[:, None], 1)[:, 0],
    )


def rounded_up(count: int) -> int:
    """The least number of at most three binary digits, and zeros, that is `count` or more: few, and near."""
    unit = 1 << max(0, (count - 1).bit_length() - 3)
    return -(-count // unit) * unit


def _runs(viable: Ints, before: Ints) -> Ints:
    """(B, T + 1) forced steps in a row before each step and at the end; `before` (B,) of them at first."""
    place = np.arange(viable.shape[1] + 1)
    free = np.where(viable > 1, place[1:], 0)
    free = np.maximum.accumulate(np.pad(free, ((0, 0), (1, 0))), axis=1)
    # Steps since the last with a choice; before any, those of the past as well.
    return np.asarray(place - np.where(free > 0, free, -before[:, None]))


@dataclass(frozen=True, eq=False)
class ForcedRun:
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
    alive: Tensor  # (B,) bool; False: the clip has ended and its rows are padding


@dataclass(frozen=True, eq=False)
class Events:
    """A schedule's events as tensors, read from the candidates it was made of."""

    schedule: Schedule
    candidates: Candidates
    hashes: Hashes
    few_shapes: bool = False  # lists of candidates, and their trees, are of few different sizes

    @cached_property
    def order(self) -> Tensor:
        """(B,) the schedule's order on the device."""
        return torch.from_numpy(self.schedule.order).to(self.candidates.base.device)

    @cached_property
    def _spent(self) -> Tensor:
        """(B, T + 1) float64 cost of each clip's first candidates before a step."""
        return torch.nn.functional.pad(self.candidates.cost[:, :, 0].double().cumsum(1), (1, 0))

    def run(self, begin: Tensor, end: Tensor) -> ForcedRun:
        """Steps begin..end - 1, each (B,) on the host, of the schedule's first clips."""
        device, steps = self.candidates.base.device, self.candidates.base.shape[1]
        clip, lengths = self.order[: len(begin)], end - begin
        every = begin[:, None] + torch.arange(int(lengths.max()))
        rows = self.candidates.base[clip[:, None], every.clamp(max=steps - 1).to(device)].float()
        back = end[:, None] - torch.arange(1, max(1, len(self.hashes.ages)))
        newest = self.hashes.of_rows(self.candidates.base[clip[:, None], back.clamp(min=0).to(device)])
        begin, end = begin.to(device), end.to(device)
        return ForcedRun(rows, lengths, self._spent[clip, end] - self._spent[clip, begin], newest)

    def choices(self) -> Iterator[Choice]:
        """The candidates of each event's clips in turn, rows made for a block of events at once."""
        start, going, count = 0, self.schedule.going, self.schedule.count
        while start < len(count):
            stop, most = start, 0
            while stop < len(count) and going[stop] == going[start]:
                most = max(most, count[stop])
                if (
                    stop > start
                    and (stop + 1 - start) * going[start] * most * self.hashes.keys.numel() > MAX_NUMBERS
                ):
                    break
                stop += 1
            yield from self._block(start, stop)
            start = stop

    def _block(self, start: int, stop: int) -> Iterator[Choice]:
        """Events start..stop - 1, which concern the same clips."""
        device, counts = self.candidates.base.device, self.schedule.count[start:stop]
        if self.few_shapes:
            counts = [min(rounded_up(max(counts)), self.candidates.codes.shape[2])] * len(counts)
        clip = self.order[: self.schedule.going[start]]
        at = self.schedule.searched[: len(clip), start:stop].T
        step = torch.from_numpy(np.minimum(at, self.candidates.base.shape[1] - 1)).to(device)  # (E, B)
        alive = torch.from_numpy(self.schedule.alive[: len(clip), start:stop].T.copy()).to(device)
        prob = self.candidates.prob[clip, step]
        cost = self.candidates.cost[clip, step][:, :, : max(counts)]
        codes = self.candidates.codes[clip, step][:, :, : max(counts)]
        # What is no candidate is another copy of the first.
        codes = torch.where(cost.isfinite(), codes, codes[:, :, :1])
        rows = flip(self.candidates.base[clip, step], self.candidates.keys[clip, step], codes)
        newest = self.hashes.of_rows(rows)
        number = torch.arange(max(counts), device=device).expand(len(clip), -1)
        rows = rows.float()
        trees = cache(lambda: self._trees(rows))
        for event, count in enumerate(counts):
            shared = SharedRows(rows[event, :, :count], _first_rows(trees, event, count))
            parts = cost[event, :, :count], newest[event, :, :count], prob[event], number[:, :count]
            yield Choice(shared, *parts, alive[event])

    def _trees(self, rows: Tensor) -> list[Prefixes]:
        """Trees of rows (E, B, K, D)."""
        trees = prefix_trees(rows)
        if not self.few_shapes:
            return trees
        nodes, ranks = (rounded_up(max(sizes)) for sizes in zip(*(tree.sizes for tree in trees), strict=True))
        return [tree.padded(nodes, ranks) for tree in trees]


def _first_rows(trees: Callable[[], list[Prefixes]], event: int, count: int) -> Callable[[], Prefixes]:
    """The trees of an event's first `count` rows a list: the others are copies, and have no nodes."""
    return lambda: replace(trees()[event], path=trees()[event].path[:, :count])
