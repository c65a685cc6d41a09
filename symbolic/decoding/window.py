"""The last steps of clips that are searched block by block, and when they are settled.

Is: the hypotheses of clips that go on, the steps on which they may still differ, and what a block settles.
Is not: the search (decoding.search), or who feeds it (decoding.streaming).

A row is settled when all hypotheses agree on it, or when `look_back` steps have come after it: then the
cheapest hypothesis decides, and those that disagree are given up. Where all divergences are shorter than
that, the rows are those of a search over the whole clip.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from symbolic.decoding.backtrace import Track, trace
from symbolic.decoding.beam import confidence
from symbolic.decoding.candidates import Candidates, propose
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch
from symbolic.decoding.search import Search
from symbolic.priors.base import Prior


@dataclass(frozen=True, eq=False)
class View:
    """The last S steps of B clips as n hypotheses have them, each clip's cheapest first."""

    start: int  # how many steps came before
    place: Tensor  # (B, n) of each in the beam
    cost: Tensor  # (B, n) nats, of the whole clip; +inf: no such hypothesis
    prior_log_prob: Tensor  # (B, n) nats
    rolls: Tensor  # (B, n, S, D) bool
    confidence: Tensor  # (B, S, D) of the notes of the first

    def steps(self) -> Tensor:
        """(S,) which steps these are."""
        return self.start + torch.arange(self.rolls.shape[2], device=self.rolls.device)

    def between(self, start: Tensor, stop: Tensor) -> Tensor:
        """(B, S) bool: steps start..stop - 1, each (B,)."""
        return (self.steps() >= start[:, None]) & (self.steps() < stop[:, None])


class Window:
    """The steps of B clips that are not settled yet; `prior` is None or ready for D keys and the device."""

    def __init__(
        self, clips: int, keys: int, prior: Prior | None, options: DecodeOptions, device: torch.device
    ) -> None:
        self.options = options
        self.search = Search(keys, prior, options, device)
        self.beam, self.forced = self.search.first(clips), np.zeros(clips, dtype=np.int64)
        self.parts: list[tuple[Candidates, Track]] = []  # of steps that are not settled, and a few before
        self.start = 0  # steps before these parts
        # Of each clip, steps so far, and steps that are settled.
        self.heard, self.settled = torch.zeros(2, clips, dtype=torch.long, device=device)
        self.over = torch.zeros(clips, dtype=torch.bool, device=device)

    def hear(self, batch: Batch, ends: Tensor) -> tuple[View, Tensor]:
        """What is seen after the next steps, and (B, S) bool which of it is settled now.

        ends (B,) bool: the clip ends with them, so all that was open of it is settled.
        """
        found = propose(batch, self.options, self.options.candidates)
        self.beam, self.forced, track = self.search.extend(self.beam, self.forced, found, batch.lengths)
        self.parts.append((found, track))
        self.heard = self.heard + torch.tensor(batch.lengths, device=self.heard.device)
        self.over = self.over | ends
        view = self.view()
        cost, count = settled(view, (self.heard - self.options.look_back).clamp(min=0))
        none = torch.full_like(self.beam.cost, torch.inf)
        self.beam = replace(self.beam, cost=none.scatter(1, view.place, cost))
        before, self.settled = self.settled, torch.where(self.over, self.heard, count)
        # A clip that is over asks for nothing more.
        least = int(torch.where(self.over, self.heard.amax(), self.settled).amin())
        while self.parts and self.start + self.parts[0][1].steps <= least:
            self.start += self.parts.pop(0)[1].steps
        return view, view.between(before, self.settled)

    def view(self) -> View:
        """What is open, and maybe a few steps before."""
        cost = self.beam.cost
        most = max(1, int(cost.isfinite().sum(dim=1).amax()))
        cost, place = (part[:, :most] for part in cost.sort(dim=1, stable=True))
        paths = trace([track for _, track in self.parts], place)
        pairs = [(found, path) for (found, _), path in zip(self.parts, paths, strict=True)]
        nothing = self.search.hashes.keys.new_zeros(*place.shape, 0, len(self.search.hashes.keys)).bool()
        rolls = torch.cat([nothing, *(found.chosen(path) for found, path in pairs)], 2)
        held = [confidence(found, path, cost) for found, path in pairs]
        return View(
            start=self.start,
            place=place,
            cost=cost,
            prior_log_prob=self.beam.prior_log_prob.gather(1, place),
            rolls=rolls,
            confidence=torch.cat([nothing[:, 0].float(), *held], 1),
        )


def settled(view: View, late: Tensor) -> tuple[Tensor, Tensor]:
    """Who stays, and what is settled thereby; steps before late (B,) wait no longer.

    Returns costs (B, n), now +inf where a hypothesis disagrees with the cheapest about a step that is late,
    and how many steps (B,) all the others agree on.
    """
    same = (view.rolls == view.rolls[:, :1]).all(dim=3)  # (B, n, S)
    given_up = (~same & (view.steps() < late[:, None])[:, None]).any(dim=2)
    cost = view.cost.masked_fill(given_up, torch.inf)
    agreed = (same | cost.isinf()[:, :, None]).all(dim=1)
    return cost, view.start + agreed.long().cumprod(1).sum(1)
