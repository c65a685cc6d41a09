"""Greedy search: the cheapest row of each step, given the rows already chosen.

Is: one hypothesis a clip and all subsets of the switchable keys.
Is not: a search that can change its mind (symbolic.decoding.beam).

Source: Boulanger-Lewandowski et al. 2012, section 6.
"""

import torch

from symbolic.decoding.candidates import blocks, propose
from symbolic.decoding.cost import continuation_costs
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Hypotheses
from symbolic.priors.protocol import SymbolicPrior, select


def greedy(batch: Batch, prior: SymbolicPrior | None, options: DecodeOptions) -> Hypotheses:
    """One roll a clip; of equal rows the one the acoustic model prefers.

    Rows of one step are compared under one history, so a prior that leaves out log Z will do; costs and the
    prior's log-probability then leave it out too, and cannot be compared between rolls.
    """
    clips, steps, keys = batch.prob.shape
    subsets = 1 << min(options.switchable, keys)
    found = propose(batch, options, subsets)
    choices = torch.zeros((clips, 1, steps), dtype=torch.long, device=batch.prob.device)
    prior_total = torch.zeros((clips, 1), dtype=torch.float64, device=batch.prob.device)
    cost = torch.zeros_like(prior_total)
    playing, everyone = batch.playing, torch.arange(clips, device=batch.prob.device)
    state = prior.initial_state(playing[0]) if prior is not None else {}
    for start, stop in blocks(steps, clips * subsets * keys):
        rows = found.rows(start, stop)
        for step in range(start, stop):
            live, count = playing[step], found.viable[step]
            row = rows[:live, step - start, :count]  # (B, K, D)
            asked = prior.log_prob(state, row)[:, None] if prior is not None else None  # (B, 1, K)
            local = found.cost[:live, step, :count]
            total = continuation_costs(cost[:live], local, asked, options.prior_weight)[:, 0]
            # A stable sort, unlike min, promises the first of equals.
            total, order = total.sort(dim=1, stable=True)
            best = order[:, :1]  # (B, 1)
            cost[:live], choices[:live, :, step] = total[:, :1], best
            if prior is not None and asked is not None:
                prior_total[:live] += asked[:, 0].gather(1, best)
                going = playing[step + 1]
                played = row[everyone[:going], best[:going, 0]]
                state = prior.advance(select(state, everyone[:going]), played) if going else {}
    return Hypotheses(found.chosen(choices), cost, None if prior is None else prior_total)
