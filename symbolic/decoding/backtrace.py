"""Back-pointers: what a search notes of its choices, and the paths read back from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor


@dataclass(eq=False)
class BackPointers:
    """Choices made over T steps of B clips; event e concerns the first `going[e]` clips of `order` alone."""

    steps: int  # T
    order: Tensor  # (B,) clip of each place below
    searched: Tensor  # (B, E + 1) step of each event; from a clip's last run on at least its length
    going: list[int]  # (E,)
    width: int  # W
    final: Tensor = field(default_factory=lambda: torch.empty(0))  # (B, W) clip by clip, the cheapest first

    def __post_init__(self) -> None:
        # In one piece: hundreds of thousands of small tensors would leave the memory full of holes.
        shape, device = (len(self.going), len(self.order), self.width), self.order.device
        self.parent = torch.zeros(shape, dtype=torch.int32, device=device)  # hypothesis before
        self.choice = torch.zeros_like(self.parent)  # candidate
        self.least = torch.zeros(shape[:2], dtype=torch.float64, device=device)  # cost of the cheapest

    def note(self, event: int, parent: Tensor, choice: Tensor, cost: Tensor) -> None:
        """Hypotheses (B_e, W_e) of rising costs come of these parents by these candidates."""
        clips, width = parent.shape
        self.parent[event, :clips, :width], self.choice[event, :clips, :width] = parent, choice
        self.least[event, :clips] = cost[:, 0]

    def back(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates (B, n, T) int32 on the way to hypotheses at (B, n) of the end, and whose they began."""
        at = self.final[self.order].gather(1, at[self.order])
        path, at = self._paths(at, len(self.going))
        return path[self.place], at[self.place]

    def back_from(self, event: int) -> tuple[Tensor, Tensor]:
        """`back`, of every place (B, W) after the first `event` events."""
        at = torch.arange(self.width, device=self.order.device).expand(len(self.order), -1)
        path, at = self._paths(at.clone(), event)
        return path[self.place], at[self.place]

    def _paths(self, at: Tensor, events: int) -> tuple[Tensor, Tensor]:
        """Candidates (B, n, T) to `at` (B, n) after `events` events, and where they began, in `order`."""
        clips, count = at.shape
        chosen = torch.zeros((events, clips, count), dtype=torch.int32, device=at.device)
        for event in range(events - 1, -1, -1):
            live = self.going[event]
            chosen[event, :live] = self.choice[event, :live].gather(1, at[:live])
            at[:live] = self.parent[event, :live].gather(1, at[:live]).long()
        # A forced step has its only candidate, number 0; so has the place behind the last step.
        path = torch.zeros((clips, count, self.steps + 1), dtype=torch.int32, device=at.device)
        where = self.searched[:, None, :events].expand(-1, count, -1)
        return path.scatter_(2, where, chosen.permute(1, 2, 0))[:, :, : self.steps], at

    @cached_property
    def place(self) -> Tensor:
        """(B,) where in `order` each clip stands."""
        return self.order.argsort()


def trace(parts: Sequence[BackPointers], at: Tensor) -> list[Tensor]:
    """Candidates (B, n, T) int32 of each of successive parts, to hypotheses at (B, n) of the last."""
    paths = []
    for part in reversed(parts):
        choices, at = part.back(at)
        paths.append(choices)
    return paths[::-1]
