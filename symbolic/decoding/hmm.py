"""Two-state hidden Markov model of each key, decoded by Viterbi's algorithm.

Is: the cheapest roll under the acoustic model and a chain of off and on for every key alone.
Is not: where the transitions come from (decoding.options.Transitions: tuned, or counted from rolls).

The chain is a prior like any other in the cost: weighted by prior_weight, beside the note penalty.
Source: Ycart et al. 2019, the HMM baseline; emissions are p and 1 - p.
"""

import torch
from torch import Tensor

from symbolic.decoding.candidates import blocks
from symbolic.decoding.cost import local_cost, switch_gain
from symbolic.decoding.options import DecodeOptions, Transitions
from symbolic.decoding.protocol import Batch, Hypotheses
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior


def hmm(batch: Batch, prior: Prior | None, options: DecodeOptions) -> Hypotheses:
    """Cheapest rolls under the chain in `options.transitions`; no other prior is asked."""
    clips, _, keys = batch.prob.shape
    chain = chain_log_prob(options.transitions, keys).to(batch.prob.device)
    rolls = viterbi(batch, options, -options.prior_weight * chain)
    local = torch.zeros(clips, dtype=torch.float64, device=rolls.device)
    past = torch.zeros_like(local)
    before = torch.zeros((clips, 1, keys), dtype=torch.bool, device=rolls.device)
    clip_step = torch.arange(rolls.shape[1], device=rolls.device)
    lengths = torch.tensor(batch.lengths, device=rolls.device)
    for start, stop in blocks(rolls.shape[1], clips * keys):
        now = rolls[:, start:stop]
        local += local_cost(now, batch.steps(start, stop), options).sum(dim=1, dtype=torch.float64)
        was = torch.cat([before, now[:, :-1]], dim=1)
        step = chain[torch.arange(keys, device=chain.device), was.long(), now.long()].sum(dim=2)
        past += (step * (clip_step[start:stop] < lengths[:, None])).sum(dim=1)
        before = now[:, -1:]
    costs = local - options.prior_weight * past
    return Hypotheses(rolls[:, None], costs[:, None], past[:, None])


def chain_log_prob(transitions: Transitions, keys: int) -> Tensor:
    """(D, 2, 2) float64 log-probability, nats, of a key's state after each state; [:, before, now]."""
    given = [transitions.off_after_off, transitions.off_after_on]
    off = torch.tensor(given, dtype=torch.float64).T  # (1 or D, 2)
    if len(off) not in (1, keys):
        expected = f"1 or {keys}, as in the evidence"
        raise NotebeamError("DecodeOptions.transitions", f"{len(off)} keys", expected)
    return torch.stack([off, 1 - off], dim=2).log().expand(keys, 2, 2)


def viterbi(batch: Batch, options: DecodeOptions, toll: Tensor) -> Tensor:
    """(B, T, D) bool cheapest rolls; toll (D, 2, 2) nats, finite, for [key, before, now].

    Only the difference between the cost of being on and of being off is carried, so it never grows with time.
    Of equal ways the one through off is taken.
    """
    clips, steps, keys = batch.prob.shape
    toll = toll.to(batch.prob)
    off_off, off_on, on_off, on_on = toll[:, 0, 0], toll[:, 0, 1], toll[:, 1, 0], toll[:, 1, 1]  # each (D,)
    came_from_on = torch.zeros((steps, clips, keys, 2), dtype=torch.bool, device=toll.device)
    final_on = torch.zeros((clips, keys), dtype=torch.bool, device=toll.device)
    # Before the first step a key is off.
    excess = torch.full((clips, keys), torch.inf, device=toll.device)
    playing = batch.playing
    for start, stop in blocks(steps, clips * keys):
        gain = switch_gain(batch.steps(start, stop), options)
        for step in range(start, stop):
            live, going = playing[step], playing[step + 1]
            stays, turns = excess[:live] + on_on, excess[:live] + on_off
            torch.lt(turns, off_off, out=came_from_on[step, :live, :, 0])
            torch.lt(stays, off_on, out=came_from_on[step, :live, :, 1])
            excess = torch.minimum(stays, off_on) - torch.minimum(turns, off_off) - gain[:live, step - start]
            final_on[going:live] = excess[going:live] < 0
    rolls = torch.zeros((clips, steps, keys), dtype=torch.bool, device=toll.device)
    on = final_on
    for step in range(steps - 1, -1, -1):
        live = playing[step]
        rolls[:live, step] = on[:live]
        on[:live] = torch.where(on[:live], came_from_on[step, :live, :, 1], came_from_on[step, :live, :, 0])
    return rolls
