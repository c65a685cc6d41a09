"""One searched step of a batch of clips: all hypotheses, each followed by all candidates.

Is: the hypotheses (costs, the prior's states, last rows), and the best of those that follow. What is done
depends on shapes alone, if what the prior does.
Is not: which steps are searched (decoding.plan, search), their candidates (decoding.rounds), or how a GPU
replays them (decoding.recording).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from symbolic.decoding.cost import continuation_costs
from symbolic.decoding.merging import Hashes, survivors
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.rounds import Choice
from symbolic.priors.base import Prior
from symbolic.state import State, select


@dataclass(frozen=True, eq=False)
class Beam:
    """W hypotheses of each of B clips."""

    cost: Tensor  # (B, W) float64 nats; +inf: no such hypothesis
    prior_log_prob: Tensor  # (B, W) float64 nats; 0 without a prior
    recent: Tensor  # (B, W, n - 1) int64 hashes of the last rows, newest first
    state: State  # of B * W hypotheses, clip by clip; nothing without a prior

    def take(self, clip: Tensor, place: Tensor) -> "Beam":
        """Hypotheses place (B', W') of clips (B',)."""
        row = clip[:, None]
        return Beam(
            cost=self.cost[row, place],
            prior_log_prob=self.prior_log_prob[row, place],
            recent=self.recent[row, place],
            state=select(self.state, (row * self.cost.shape[1] + place).flatten()),
        )

    def clips(self, part: slice) -> "Beam":
        """Those clips alone."""
        start, stop, _ = part.indices(len(self.cost))
        width = self.cost.shape[1]
        state = {name: values[start * width : stop * width] for name, values in self.state.items()}
        return Beam(self.cost[part], self.prior_log_prob[part], self.recent[part], state)

    def widened(self, width: int) -> tuple["Beam", Tensor]:
        """With empty places up to `width` hypotheses; the place (B, W) of each, if empty the last."""
        clips, count = self.cost.shape
        every = torch.arange(width, device=self.cost.device).expand(clips, -1)
        place = every.clamp(max=count - 1)
        wide = self.take(torch.arange(clips, device=every.device), place)
        return replace(wide, cost=wide.cost.masked_fill(every >= count, torch.inf)), place

    def otherwise(self, holds: Tensor, other: "Beam") -> "Beam":
        """This one's clips where `holds` (B,), the other's elsewhere."""
        each = holds[:, None]
        every = each.expand_as(self.cost).flatten()
        return Beam(
            cost=torch.where(each, self.cost, other.cost),
            prior_log_prob=torch.where(each, self.prior_log_prob, other.prior_log_prob),
            recent=torch.where(each[:, :, None], self.recent, other.recent),
            state={
                name: torch.where(every.view(-1, *[1] * (values.dim() - 1)), values, other.state[name])
                for name, values in self.state.items()
            },
        )


@dataclass(frozen=True, eq=False)
class Pick:
    """The W best of all hypotheses followed by all candidates."""

    cost: Tensor  # (B, W) float64 nats, rising; +inf: no such hypothesis
    parent: Tensor  # (B, W) hypothesis before
    chosen: Tensor  # (B, W) place of the candidate in its list
    asked: Tensor | None  # (B, W) the prior's log-probability of it, nats; None without a prior

    def first(self, width: int) -> "Pick":
        """Those hypotheses alone."""
        asked = None if self.asked is None else self.asked[:, :width]
        return Pick(self.cost[:, :width], self.parent[:, :width], self.chosen[:, :width], asked)


@dataclass(frozen=True, eq=False)
class Stepper:
    """What every step is taken with; `prior` is None if nothing is asked of it."""

    prior: Prior | None
    options: DecodeOptions
    hashes: Hashes

    def pick(self, beam: Beam, choice: Choice) -> tuple[Pick, Tensor]:
        """The best continuations; whether the prior said nan (), bool."""
        asked, nan = None, beam.cost.new_zeros((), dtype=torch.bool)
        if self.prior is not None:
            asked = self.prior.shared_log_prob(beam.state, choice.shared)
            nan = (asked.isnan() & choice.alive[:, None, None]).any()
        total = continuation_costs(beam.cost, choice.cost, asked, self.options.prior_weight).flatten(1)
        hashes = self.hashes.of_pasts(beam.recent, choice.newest)
        width = min(self.options.beam_width, total.shape[1])
        # The candidates after one hypothesis differ, but for some that cost +inf: as often as there are
        # hypotheses one ending may be there, and no more.
        cost, kept = survivors(total, hashes, width, self.options.per_hash, most=beam.cost.shape[1])
        count = choice.cost.shape[1]
        of_each = None if asked is None else asked.flatten(1).gather(1, kept)
        return Pick(cost, kept // count, kept % count, of_each), nan

    def follow(self, beam: Beam, choice: Choice, pick: Pick) -> Beam:
        """The beam after the picked continuations."""
        clip = torch.arange(len(pick.cost), device=pick.cost.device)
        after = beam.take(clip, pick.parent)
        newest = choice.newest.gather(1, pick.chosen)[:, :, None]
        recent = torch.cat([newest, after.recent], 2)[:, :, : after.recent.shape[2]]
        if self.prior is None or pick.asked is None:
            return Beam(pick.cost, after.prior_log_prob, recent, {})
        played = choice.shared.rows[clip[:, None], pick.chosen].flatten(0, 1)
        state = self.prior.advance(after.state, played)
        return Beam(pick.cost, after.prior_log_prob + pick.asked, recent, state)

    def whole(self, beam: Beam, choice: Choice) -> tuple[Beam, Tensor, Tensor, Tensor]:
        """A step that leaves clips that are over as they are, with as many hypotheses after it as before.

        Returns the beam, of each (B, W) parent and number of candidate, and whether the prior said nan ().
        """
        pick, nan = self.pick(beam, choice)
        after = self.follow(beam, choice, pick).otherwise(choice.alive, beam)
        same = torch.arange(beam.cost.shape[1], device=nan.device)
        parent = torch.where(choice.alive[:, None], pick.parent, same)
        return after, parent, choice.number.gather(1, pick.chosen), nan
