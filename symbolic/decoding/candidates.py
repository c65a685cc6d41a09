"""Candidates: the rows proposed for each step, subsets of its k most ambiguous keys in order of rank.

A candidate's rank is what it would cost if prior and note penalty together were one number for every on bit.
Without a prior that is the note penalty, so that the first candidate is the cheapest. With one it is the
number that makes a key of probability `centre` as good on as off: the two mostly cancel.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.decoding.cost import local_cost, switch_gain
from symbolic.decoding.inputs import Clips
from symbolic.decoding.options import Proposals

MAX_NUMBERS = 1 << 22  # held at once for one block of steps


@dataclass(frozen=True, eq=False)
class Candidates:
    """At most K rows a step, small enough to keep for an hour of music.

    A candidate is the step's first row with some of its k switchable keys flipped; bit i of its code says
    whether key i of `keys` is.
    """

    prob: Tensor  # (B, T, D) 0..1 of each key
    base: Tensor  # (B, T, D) bool, the first candidate
    keys: Tensor  # (B, T, k) int16, most ambiguous first, of equals the lowest key
    codes: Tensor  # (B, T, K) int16 in 0..2**k - 1, by rank, of equals the smallest first
    cost: Tensor  # (B, T, K) float32 -log P_a + beta notes, nats; +inf: pruned
    viable: NDArray[np.int64]  # (B, T) candidates there are at each step

    def clip(self, index: int) -> "Candidates":
        """Those of one clip."""
        one = slice(index, index + 1)
        return Candidates(
            prob=self.prob[one],
            base=self.base[one],
            keys=self.keys[one],
            codes=self.codes[one],
            cost=self.cost[one],
            viable=self.viable[one],
        )

    def chosen(self, choice: Tensor) -> Tensor:
        """(B, W, T, D) bool rolls of the candidates (B, W, T) chosen at each step.

        Number K + d is none of these: the first candidate with key d on, which a prior proposes.
        """
        rolls = torch.empty((*choice.shape, self.base.shape[2]), dtype=torch.bool, device=choice.device)
        for start, rows in self.chosen_blocks(choice):
            rolls[:, :, start : start + rows.shape[2]] = rows
        return rolls

    def chosen_blocks(self, choice: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The same for blocks of steps: where one starts, and its rolls (B, W, S, D)."""
        keys, count = self.base.shape[2], self.codes.shape[2]
        for start, stop in blocks(choice.shape[2], choice.shape[0] * choice.shape[1] * keys):
            pick = choice[:, :, start:stop].transpose(1, 2).long()  # (B, S, W)
            code = self.codes[:, start:stop].gather(2, torch.where(pick < count, pick, 0))
            rows = flip(self.base[:, start:stop], self.keys[:, start:stop], code)
            added = (pick - count)[..., None] == torch.arange(keys, device=pick.device)
            yield start, (rows | added).transpose(1, 2)


def propose(clips: Clips, options: Proposals, count: int) -> Candidates:
    """The first `count` candidates of every step, or as many as there are."""
    size, steps, keys = clips.prob.shape
    subsets = 1 << min(options.switchable, keys)
    wide = size * max(subsets * max(1, options.switchable), keys)
    parts = [_propose_block(clips.prob[:, start:stop], options, count) for start, stop in blocks(steps, wide)]
    base, switch, codes, cost = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
    viable = cost.isfinite().sum(dim=2).clamp(min=1)
    return Candidates(clips.prob, base, switch, codes, cost, viable.cpu().numpy())


def blocks(steps: int, numbers: int) -> list[tuple[int, int]]:
    """Start and stop of blocks of steps that hold about MAX_NUMBERS, at `numbers` a step; one at least."""
    size = max(1, MAX_NUMBERS // max(1, numbers))
    return [(start, min(steps, start + size)) for start in range(0, steps, size)] or [(0, 0)]


def subset_bits(codes: Tensor, keys: int) -> Tensor:
    """(..., keys) bool: bit i of each code (...)."""
    return (codes[..., None].long() >> torch.arange(keys, device=codes.device)) & 1 > 0


def flip(base: Tensor, keys: Tensor, codes: Tensor) -> Tensor:
    """Rows (B, S, K, D) bool: base (B, S, D) with the keys (B, S, k) flipped that codes (B, S, K) name."""
    switch = subset_bits(codes, keys.shape[-1])  # (B, S, K, k)
    where = keys.long()[:, :, None, :].expand_as(switch)
    rows = base[:, :, None, :].expand(*codes.shape, base.shape[-1])
    return rows.scatter(3, where, switch ^ rows.gather(3, where))


def _propose_block(prob: Tensor, options: Proposals, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """base, keys, codes and cost, as in Candidates, of a few steps prob (B, S, D)."""
    gain = switch_gain(prob, options)
    lead = gain + options.note_penalty - _share_of_an_on_bit(options)
    base = lead > 0
    # Flipping a key of the first row adds |lead| to its rank. Stable sorts: of equals the lowest key or code.
    effort, keys = lead.abs().sort(dim=-1, stable=True)
    effort, keys = effort[..., : options.switchable], keys[..., : options.switchable]
    codes = torch.arange(1 << keys.shape[-1], device=prob.device)
    switch = subset_bits(codes, keys.shape[-1])  # (2**k, k)
    # Sums over chosen keys, not products with 0/1: 0 * inf is nan.
    behind = torch.where(switch, effort[:, :, None, :], 0.0).sum(dim=-1)  # (B, S, 2**k)
    behind, order = behind.sort(dim=-1, stable=True)
    behind, order = behind[..., :count], order[..., :count]
    saved = torch.where(base, gain, -gain).gather(2, keys)  # by the first row's bit over its flip
    extra = torch.where(switch[order], saved[:, :, None, :], 0.0).sum(dim=-1)  # (B, S, K)
    extra = extra.masked_fill(behind > options.prune, torch.inf)
    cost = local_cost(base, prob, options)[:, :, None] + extra
    return base, keys.to(torch.int16), order.to(torch.int16), cost


def _share_of_an_on_bit(options: Proposals) -> float:
    """Nats that stand for prior and note penalty in a candidate's rank."""
    if not options.prior_weight:
        return options.note_penalty
    return math.log(options.centre / (1 - options.centre)) / options.temperature
