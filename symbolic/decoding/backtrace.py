"""The way back: which candidates led to a hypothesis.

Is: what a search notes of its choices, and the paths read back from them.
Is not: the search (decoding.search), or the rows that candidates stand for (decoding.candidates).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor


@dataclass(eq=False)
class Track:
    """Choices made over T steps of B clips; event e concerns the first `going[e]` clips of `order` alone."""

    steps: int  # T
    order: Tensor  # (B,) clip of each place below
    searched: Tensor  # (B, E + 1) step of each event; from a clip's last run on at least its length
    going: list[int]  # (E,)
    width: int  # W
    final: Tensor = field(default_factory=lambda: torch.empty(0))  # (B, W) clip by clip, the cheapest first

    def __post_init__(self) -> None:
        # In one piece: hundreds of thousands of small tensors would leave the memory full of holes.
        shape = (len(self.going), len(self.order), self.width)
        self.parent = torch.zeros(shape, dtype=torch.int32, device=self.order.device)  # hypothesis before
        self.choice = torch.zeros_like(self.parent)  # candidate

    def note(self, event: int, parent: Tensor, choice: Tensor) -> None:
        """Hypotheses (B_e, W_e) come of these parents by these candidates."""
        clips, width = parent.shape
        self.parent[event, :clips, :width], self.choice[event, :clips, :width] = parent, choice

    def back(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates (B, n, T) int32 on the way to hypotheses at (B, n) of the end, and whose they began."""
        at = self.final[self.order].gather(1, at[self.order])
        clips, count = at.shape
        chosen = torch.zeros((len(self.going), clips, count), dtype=torch.int32, device=at.device)
        for event in range(len(self.going) - 1, -1, -1):
            live = self.going[event]
            chosen[event, :live] = self.choice[event, :live].gather(1, at[:live])
            at[:live] = self.parent[event, :live].gather(1, at[:live]).long()
        # A forced step has its only candidate, number 0; so has the place behind the last step.
        path = torch.zeros((clips, count, self.steps + 1), dtype=torch.int32, device=at.device)
        where = self.searched[:, None, :-1].expand(-1, count, -1)
        path = path.scatter_(2, where, chosen.permute(1, 2, 0))[:, :, : self.steps]
        return path[self.place], at[self.place]

    @cached_property
    def place(self) -> Tensor:
        """(B,) where in `order` each clip stands."""
        return self.order.argsort()


def trace(tracks: Sequence[Track], at: Tensor) -> list[Tensor]:
    """Candidates (B, n, T) int32 of each of successive tracks, to hypotheses at (B, n) of the last."""
    found = []
    for track in reversed(tracks):
        choices, at = track.back(at)
        found.append(choices)
    return found[::-1]
