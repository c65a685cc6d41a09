"""One searched step of a batch of clips: all hypotheses, each followed by all candidates, and their best.

What is done depends on shapes alone, if what the prior does.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from symbolic.decoding.cost import LEAST, continuation_costs, tempered_logit
from symbolic.decoding.merging import Hashes, survivors
from symbolic.decoding.options import Beam
from symbolic.decoding.schedule import Choice
from symbolic.estimators.prefixes import share
from symbolic.priors.base import Prior
from symbolic.state import State, hypotheses, select, where


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """W hypotheses of each of B clips."""

    cost: Tensor  # (B, W) float64 nats; +inf: no such hypothesis
    prior_log_prob: Tensor  # (B, W) float64 nats; 0 without a prior
    recent: Tensor  # (B, W, n - 1) int64 hashes of the last rows, newest first
    is_nan: Tensor  # (B,) bool, some log-probability of the prior was not a number
    state: State  # the prior's, of B * W hypotheses, clip by clip; nothing without a prior

    def take(self, clip: Tensor, place: Tensor) -> "Hypotheses":
        """Hypotheses place (B', W') of clips (B',)."""
        row = clip[:, None]
        return Hypotheses(
            cost=self.cost[row, place],
            prior_log_prob=self.prior_log_prob[row, place],
            recent=self.recent[row, place],
            is_nan=self.is_nan[clip],
            state=select(self.state, (row * self.cost.shape[1] + place).flatten()),
        )

    def clips(self, part: slice) -> "Hypotheses":
        """Those clips alone."""
        start, stop, _ = part.indices(len(self.cost))
        width = self.cost.shape[1]
        return Hypotheses(
            cost=self.cost[part],
            prior_log_prob=self.prior_log_prob[part],
            recent=self.recent[part],
            is_nan=self.is_nan[part],
            state={name: values[start * width : stop * width] for name, values in self.state.items()},
        )

    def widened(self, width: int) -> tuple["Hypotheses", Tensor]:
        """With empty places up to `width` hypotheses; the place (B, W) of each, if empty the last."""
        clips, count = self.cost.shape
        every = torch.arange(width, device=self.cost.device).expand(clips, -1)
        place = every.clamp(max=count - 1)
        wide = self.take(torch.arange(clips, device=every.device), place)
        return replace(wide, cost=wide.cost.masked_fill(every >= count, torch.inf)), place

    def otherwise(self, holds: Tensor, other: "Hypotheses") -> "Hypotheses":
        """This one's clips where `holds` (B,), the other's elsewhere."""
        each = holds[:, None]
        return Hypotheses(
            cost=torch.where(each, self.cost, other.cost),
            prior_log_prob=torch.where(each, self.prior_log_prob, other.prior_log_prob),
            recent=torch.where(each[:, :, None], self.recent, other.recent),
            is_nan=torch.where(holds, self.is_nan, other.is_nan),
            state=where(each.expand_as(self.cost).flatten(), self.state, other.state),
        )


@dataclass(frozen=True, eq=False)
class Pick:
    """The W best of all hypotheses followed by all candidates."""

    cost: Tensor  # (B, W) float64 nats, rising; +inf: no such hypothesis
    parent: Tensor  # (B, W) hypothesis before
    chosen: Tensor  # (B, W) place of the candidate in its list
    is_nan: Tensor  # (B,) bool
    prior_log_prob: Tensor | None  # (B, W) of the candidate, nats; None without a prior

    def first(self, width: int) -> "Pick":
        """Those hypotheses alone."""
        log_prob = None if self.prior_log_prob is None else self.prior_log_prob[:, :width]
        return replace(
            self,
            cost=self.cost[:, :width],
            parent=self.parent[:, :width],
            chosen=self.chosen[:, :width],
            prior_log_prob=log_prob,
        )


@dataclass(frozen=True, eq=False)
class Step:
    """What every step is taken with; without a prior `prior` is None."""

    prior: Prior | None
    options: Beam
    hashes: Hashes

    def pick(self, before: Hypotheses, choice: Choice) -> Pick:
        """The best continuations."""
        log_prob, is_nan = None, before.is_nan
        if self.prior is not None:
            log_prob = self.prior.shared_log_prob(before.state, choice.shared)
            is_nan = is_nan | (log_prob.isnan().flatten(1).any(1) & choice.alive)
        total = continuation_costs(before.cost, choice.cost, log_prob, self.options.prior_weight).flatten(1)
        hashes = self.hashes.of_pasts(before.recent, choice.newest)
        width = min(self.options.width, total.shape[1])
        # The candidates after one hypothesis differ, but for some that cost +inf: as often as there are
        # hypotheses one ending may be there, and no more.
        cost, kept = survivors(total, hashes, width, self.options.per_hash, most=before.cost.shape[1])
        count = choice.cost.shape[1]
        of_each = None if log_prob is None else log_prob.flatten(1).gather(1, kept)
        return Pick(cost, kept // count, kept % count, is_nan, of_each)

    def follow(self, before: Hypotheses, choice: Choice, pick: Pick) -> Hypotheses:
        """The hypotheses after the picked continuations."""
        clip = torch.arange(len(pick.cost), device=pick.cost.device)
        after = before.take(clip, pick.parent)
        newest = choice.newest.gather(1, pick.chosen)[:, :, None]
        recent = torch.cat([newest, after.recent], 2)[:, :, : after.recent.shape[2]]
        if self.prior is None or pick.prior_log_prob is None:
            return Hypotheses(pick.cost, after.prior_log_prob, recent, pick.is_nan, {})
        played = choice.shared.rows[clip[:, None], pick.chosen].flatten(0, 1)
        state = self.prior.advance(after.state, played)
        total = after.prior_log_prob + pick.prior_log_prob
        return Hypotheses(pick.cost, total, recent, pick.is_nan, state)

    def whole(self, before: Hypotheses, choice: Choice) -> tuple[Hypotheses, Tensor, Tensor]:
        """A step that leaves clips that are over as they are, with as many hypotheses after it as before.

        Returns the hypotheses, and of each (B, W) parent and number of candidate.
        """
        pick = self.pick(before, choice)
        after = self.follow(before, choice, pick).otherwise(choice.alive, before)
        same = torch.arange(before.cost.shape[1], device=pick.cost.device)
        parent = torch.where(choice.alive[:, None], pick.parent, same)
        return after, parent, choice.number.gather(1, pick.chosen)


def with_prior_notes(
    choice: Choice, numbers: int, prior: Prior, state: State, options: Beam, hashes: Hashes
) -> Choice:
    """The candidates (B, K, D) with `prior_notes` more at the end: the first row with one more key on.

    They are those that prior and acoustic model together find likeliest, the prior given the past of the
    cheapest of each clip's hypotheses, the first of them in `state`. They have the number `numbers` + key.
    The acoustic model rules out keys below `floor`; a key that the prior proposes costs its own probability,
    of which none is so small that the key were impossible.
    """
    rows, prob = choice.shared.rows, choice.prob
    clips, _, keys = rows.shape
    width = hypotheses(state) // clips
    first = select(state, torch.arange(clips, device=rows.device) * width)
    one_more = torch.maximum(rows[:, :1], torch.eye(keys, device=rows.device))  # (B, D, D)
    log_prob = prior.shared_log_prob(first, share(one_more))[:, 0]
    extra = options.note_penalty - tempered_logit(prob.clamp(min=LEAST), options.temperature)
    gain = (options.prior_weight * log_prob - extra).masked_fill(rows.any(dim=1), -torch.inf)
    gain, added = gain.sort(dim=1, descending=True, stable=True)
    gain, added = gain[:, : options.prior_notes], added[:, : options.prior_notes]
    more = one_more.gather(1, added[:, :, None].expand(-1, -1, keys))
    cost = (choice.cost[:, :1] + extra.gather(1, added)).masked_fill(gain.isinf(), torch.inf)
    newest = torch.cat([choice.newest, hashes.of_rows(more)], 1)
    return replace(
        choice,
        shared=share(torch.cat([rows, more], 1)),
        cost=torch.cat([choice.cost, cost], 1),
        newest=newest,
        number=torch.cat([choice.number, numbers + added], 1),
    )
