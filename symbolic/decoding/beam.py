"""Beam search over the steps of a piano roll, many clips at once.

Is: the search loop (costs, merging by hash, parents, backtrace).
Is not: the candidates (decoding.candidates) or the other decoders (decoding.greedy, ...).

A hypothesis is a cost, a state of the prior and its last rows. Each step every hypothesis is followed by
every candidate; of those with the same last n rows the best m stay (they would score what follows nearly
alike); of these the W cheapest are kept, and only for them is the prior advanced. Ties go to the cheaper
parent, then to the candidate the acoustic model prefers.
Source: Sigtia et al. 2016 (hashed beam); hash over the last n frames as in Ycart et al. 2019.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from symbolic.decoding.candidates import blocks, propose
from symbolic.decoding.cost import continuation_costs
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Hypotheses
from symbolic.priors.protocol import State, SymbolicPrior, select


@dataclass(frozen=True, eq=False)
class Hashes:
    """Random odd multipliers; sums of products wrap at 2**64, alike on every device."""

    keys: Tensor  # (D,) int64
    ages: Tensor  # (n,) int64, newest row first; n = 0: no merging

    def of_rows(self, rows: Tensor) -> Tensor:
        """(...) int64 of rows (..., D) 0/1."""
        return (rows.long() * self.keys).sum(dim=-1)

    def of_pasts(self, recent: Tensor, newest: Tensor) -> Tensor | None:
        """(B, W * K) int64 of pasts (B, W, n - 1) each followed by rows (B, K); None if nothing is merged."""
        if not len(self.ages):
            return None
        past = (recent * self.ages[1:]).sum(dim=-1)
        return (past[:, :, None] + newest[:, None, :] * self.ages[0]).flatten(1)


@dataclass(frozen=True, eq=False)
class Track:
    """What the backtrace needs of every step."""

    parent: Tensor  # (T, B, W) int32 hypothesis of the step before
    choice: Tensor  # (T, B, W) int32 candidate
    prior: Tensor  # (T, B, W) float32 log-probability of that candidate, nats
    final: Tensor  # (B, W) float64 costs at the clip's end


def beam(batch: Batch, prior: SymbolicPrior | None, options: DecodeOptions) -> Hypotheses:
    """The `n_best` cheapest rolls found for every clip."""
    (clips, steps, keys), device = batch.prob.shape, batch.prob.device
    width, weight, playing = options.beam_width, options.prior_weight, batch.playing
    found = propose(batch, options, options.candidates)
    hashes = make_hashes(keys, options.hash_steps, device)
    cost = first_costs(clips, width, device)
    track = _empty_track(steps, cost)
    recent = torch.zeros((clips, width, max(0, options.hash_steps - 1)), dtype=torch.long, device=device)
    cost, recent = cost[: playing[0]], recent[: playing[0]]
    state = prior.initial_state(playing[0] * width) if prior is not None else {}
    for start, stop in blocks(steps, clips * found.codes.shape[2] * keys):
        rows = found.rows(start, stop)
        newest = hashes.of_rows(rows)
        for step in range(start, stop):
            live, going, count = playing[step], playing[step + 1], found.viable[step]
            row, new = rows[:live, step - start, :count], newest[:live, step - start, :count]
            asked = _ask(prior, state, row, width) if prior is not None else None
            total = continuation_costs(cost, found.cost[:live, step, :count], asked, weight).flatten(1)
            cost, kept = survivors(total, hashes.of_pasts(recent, new), width, options.per_hash)
            parent, choice = kept // count, kept % count
            track.parent[step, :live], track.choice[step, :live] = parent, choice
            track.final[going:live] = cost[going:]
            if asked is not None:
                track.prior[step, :live] = asked.flatten(1).gather(1, kept)
            # From here on only the clips that go on.
            cost, parent, choice = cost[:going], parent[:going], choice[:going]
            recent = _follow(recent[:going], parent, new[:going].gather(1, choice))
            if prior is not None and going:
                state = prior.advance(select(state, _flat(parent)), _pick(row[:going], choice))
    choices, prior_log_prob = _trace(track, playing, min(options.n_best, width))
    final = track.final[:, : choices.shape[1]]
    return Hypotheses(found.chosen(choices), final, None if prior is None else prior_log_prob)


def make_hashes(keys: int, hash_steps: int, device: torch.device) -> Hashes:
    """The same multipliers in every run and on every device."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(-(1 << 62), 1 << 62, (keys + hash_steps,), generator=generator) * 2 + 1
    return Hashes(drawn[:keys].to(device), drawn[keys:].to(device))


def first_costs(clips: int, width: int, device: torch.device) -> Tensor:
    """(B, W) float64: one hypothesis that has cost nothing, the others empty places."""
    cost = torch.full((clips, width), torch.inf, dtype=torch.float64, device=device)
    cost[:, 0] = 0
    return cost


def survivors(total: Tensor, keys: Tensor | None, width: int, per_hash: int) -> tuple[Tensor, Tensor]:
    """The `width` cheapest of total (B, N) nats, at most `per_hash` of each key (B, N), N >= width.

    Returns costs (B, W), rising, +inf where the keys leave too few, and indices (B, W). Of equals the first
    stays.
    """
    cost, order = total.sort(dim=1, stable=True)
    if keys is None:
        return cost[:, :width], order[:, :width]
    # Sorted by key, and within a key still by cost, a hypothesis' rank is its distance from its key's first.
    keys, by_key = keys.gather(1, order).sort(dim=1, stable=True)
    place = torch.arange(keys.shape[1], device=keys.device)
    fresh = torch.ones_like(keys, dtype=torch.bool)
    fresh[:, 1:] = keys[:, 1:] != keys[:, :-1]
    rank = place - torch.where(fresh, place, 0).cummax(dim=1).values
    # Back in the order of cost; the merged ones go last.
    merged = torch.empty_like(fresh).scatter_(1, by_key, rank >= per_hash)
    kept = merged.to(torch.uint8).sort(dim=1, stable=True).indices[:, :width]
    return cost.masked_fill(merged, torch.inf).gather(1, kept), order.gather(1, kept)


def _ask(prior: SymbolicPrior, state: State, row: Tensor, width: int) -> Tensor:
    """(B, W, K) log-probability of candidates (B, K, D) after each of B * W hypotheses."""
    clips, count, keys = row.shape
    every = row[:, None].expand(clips, width, count, keys).reshape(clips * width, count, keys)
    return prior.log_prob(state, every).view(clips, width, count)


def _flat(parent: Tensor) -> Tensor:
    """(B * W,) rows of a state of B * W hypotheses; parent (B, W)."""
    clips, width = parent.shape
    return (parent + width * torch.arange(clips, device=parent.device)[:, None]).flatten()


def _pick(row: Tensor, choice: Tensor) -> Tensor:
    """(B * W, D) rows chosen of row (B, K, D) by choice (B, W)."""
    return row.gather(1, choice[:, :, None].expand(-1, -1, row.shape[2])).flatten(0, 1)


def _follow(recent: Tensor, parent: Tensor, newest: Tensor) -> Tensor:
    """(B, W, n - 1) hashes of the last rows after newest (B, W) followed each parent's."""
    if not recent.shape[2]:
        return recent.gather(1, parent[:, :, None].expand(-1, -1, 0))
    past = recent.gather(1, parent[:, :, None].expand_as(recent))
    return torch.cat([newest[:, :, None], past[:, :, :-1]], dim=2)


def _empty_track(steps: int, cost: Tensor) -> Track:
    shape = (steps, *cost.shape)
    parent, choice = (torch.zeros(shape, dtype=torch.int32, device=cost.device) for _ in range(2))
    return Track(parent, choice, torch.zeros(shape, device=cost.device), cost.clone())


def _trace(track: Track, playing: list[int], count: int) -> tuple[Tensor, Tensor]:
    """Candidates (B, n, T) of each clip's `count` cheapest hypotheses, and their log P_s (B, n), nats."""
    steps, clips, _ = track.parent.shape
    device = track.parent.device
    at = torch.arange(count, device=device).repeat(clips, 1)
    choices = torch.zeros((clips, count, steps), dtype=torch.long, device=device)
    prior = torch.zeros((clips, count), dtype=torch.float64, device=device)
    for step in range(steps - 1, -1, -1):
        live = playing[step]
        now = at[:live]
        choices[:live, :, step] = track.choice[step, :live].gather(1, now).long()
        prior[:live] += track.prior[step, :live].gather(1, now)
        at[:live] = track.parent[step, :live].gather(1, now).long()
    return choices, prior
