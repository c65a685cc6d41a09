"""Two-state hidden Markov model of each key, decoded by Viterbi's algorithm.

The chain takes the place of the prior in the cost: weighted by prior_weight, beside the note penalty.
Source: Ycart et al. 2019, the HMM baseline; emissions are p and 1 - p.
"""

import numpy as np
import torch
from torch import Tensor

from symbolic.decoding.candidates import blocks
from symbolic.decoding.cost import acoustic_log_prob, local_cost, switch_gain
from symbolic.decoding.inputs import Clips
from symbolic.decoding.options import Hmm
from symbolic.decoding.results import BestRolls
from symbolic.errors import NotebeamError


def hmm(clips: Clips, prior: object, options: Hmm) -> BestRolls:
    """The cheapest roll of every clip under the chain of `options`; reads no prior."""
    size, steps, keys = clips.prob.shape
    device = clips.prob.device
    chain = chain_log_prob(options, keys).to(device)
    rolls = viterbi(clips, options, -options.prior_weight * chain)
    local = torch.zeros(size, dtype=torch.float64, device=device)
    past = torch.zeros_like(local)
    before = torch.zeros((size, 1, keys), dtype=torch.bool, device=device)
    step, lengths = torch.arange(steps, device=device), torch.tensor(clips.lengths, device=device)
    for start, stop in blocks(steps, size * keys):
        now = rolls[:, start:stop]
        local += local_cost(now, clips.prob[:, start:stop], options).sum(dim=1, dtype=torch.float64)
        was = torch.cat([before, now[:, :-1]], dim=1)
        log_prob = chain[torch.arange(keys, device=device), was.long(), now.long()].sum(dim=2)
        past += (log_prob * (step[start:stop] < lengths[:, None])).sum(dim=1)
        before = now[:, -1:]
    costs = local - options.prior_weight * past
    acoustic = acoustic_log_prob(rolls[:, None], clips.prob, options.temperature)
    return BestRolls(rolls[:, None], costs[:, None], acoustic, past[:, None])


def chain_log_prob(options: Hmm, keys: int) -> Tensor:
    """(D, 2, 2) float64 log-probability, nats, of a key's state after each state; [:, before, now]."""
    given = []
    for name, values in (("off_after_off", options.off_after_off), ("off_after_on", options.off_after_on)):
        values = values if isinstance(values, tuple) else (values,)
        if len(values) not in (1, keys):
            raise NotebeamError(f"Hmm.{name}", f"{len(values)} keys", f"1 or {keys}, as in the evidence")
        given.append(torch.tensor(values, dtype=torch.float64).expand(keys))
    off = torch.stack(given, dim=1)  # (D, 2)
    return torch.stack([off, 1 - off], dim=2).log()


def viterbi(clips: Clips, options: Hmm, transition_cost: Tensor) -> Tensor:
    """(B, T, D) bool cheapest rolls; transition_cost (D, 2, 2) nats, finite, for [key, before, now].

    Only the difference between the cost of being on and of being off is carried, so it never grows with time.
    Of equal ways the one through off is taken.
    """
    size, steps, keys = clips.prob.shape
    cost = transition_cost.to(clips.prob)
    off_off, off_on, on_off, on_on = cost[:, 0, 0], cost[:, 0, 1], cost[:, 1, 0], cost[:, 1, 1]  # each (D,)
    # Longest first, so that the clips that still have a step are always the first ones.
    order = sorted(range(size), key=lambda clip: -clips.lengths[clip])
    order_on_device = torch.tensor(order, device=cost.device)
    playing = (np.array(clips.lengths)[:, None] > np.arange(steps + 1)).sum(axis=0).tolist()  # the last is 0
    came_from_on = torch.zeros((steps, size, keys, 2), dtype=torch.bool, device=cost.device)
    final_on = torch.zeros((size, keys), dtype=torch.bool, device=cost.device)
    # Before the first step a key is off.
    excess = torch.full((size, keys), torch.inf, device=cost.device)
    for start, stop in blocks(steps, size * keys):
        gain = switch_gain(clips.prob[order_on_device, start:stop], options)
        for step in range(start, stop):
            live, going = playing[step], playing[step + 1]
            stays, turns = excess[:live] + on_on, excess[:live] + on_off
            torch.lt(turns, off_off, out=came_from_on[step, :live, :, 0])
            torch.lt(stays, off_on, out=came_from_on[step, :live, :, 1])
            excess = torch.minimum(stays, off_on) - torch.minimum(turns, off_off) - gain[:live, step - start]
            final_on[going:live] = excess[going:live] < 0
    rolls = torch.zeros((size, steps, keys), dtype=torch.bool, device=cost.device)
    on = final_on
    for step in range(steps - 1, -1, -1):
        live = playing[step]
        rolls[:live, step] = on[:live]
        on[:live] = torch.where(on[:live], came_from_on[step, :live, :, 1], came_from_on[step, :live, :, 0])
    return rolls if size == 1 else rolls[order_on_device.argsort()]
