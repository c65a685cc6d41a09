"""Thresholding: a key is on where its probability says so, each step alone.

Is: the baseline that asks neither the past nor a prior.
Is not: smoothing over time (symbolic.decoding.hmm) or search with a prior (greedy, beam).
"""

import torch

from symbolic.decoding.candidates import blocks
from symbolic.decoding.cost import local_cost
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Hypotheses
from symbolic.priors.base import Prior


def threshold(batch: Batch, prior: Prior | None, options: DecodeOptions) -> Hypotheses:
    """Bits above the threshold, and not below the floor; the prior is not asked."""
    rolls = (batch.prob > options.threshold) & (batch.prob >= options.floor)
    # A padded step is silent for certain and costs nothing.
    costs = torch.zeros(len(rolls), dtype=torch.float64, device=rolls.device)
    for start, stop in blocks(rolls.shape[1], rolls[:, :1].numel()):
        part = local_cost(rolls[:, start:stop], batch.steps(start, stop), options)
        costs += part.sum(dim=1, dtype=torch.float64)
    return Hypotheses(rolls[:, None], costs[:, None], None)
