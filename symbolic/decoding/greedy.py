"""Greedy search: the cheapest row of each step, given the rows already chosen.

Is: one hypothesis a clip and all subsets of the switchable keys: a beam of width 1.
Is not: a search that can change its mind (decoding.beam).

Source: Boulanger-Lewandowski et al. 2012, section 6.
"""

from dataclasses import replace

from symbolic.decoding.beam import beam
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Hypotheses
from symbolic.priors.base import Prior


def greedy(batch: Batch, prior: Prior | None, options: DecodeOptions) -> Hypotheses:
    """One roll a clip; of equal rows the one the acoustic model prefers.

    Rows of one step are compared under one history, so a prior that leaves out log Z will do; costs and the
    prior's log-probability then leave it out too, and cannot be compared between rolls.
    """
    subsets = 1 << min(options.switchable, batch.prob.shape[2])
    options = replace(options, beam_width=1, candidates=subsets, hash_steps=0, n_best=1)
    return replace(beam(batch, prior, options), confidence=None)
