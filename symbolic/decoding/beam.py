"""Beam search over the steps of a piano roll, many clips at once.

Is: the search over whole clips, as a decoder.
Is not: the search itself (decoding.search), the candidates (decoding.candidates), or a search whose clips
never end (decoding.streaming).

A hypothesis is a cost, a state of the prior and its last rows. Where the acoustics leave a choice, every
hypothesis is followed by every candidate; of those with the same last n rows the best m stay (they would
score what follows nearly alike), and of these the W cheapest. Ties go to the cheaper parent, then to the
candidate the acoustic model prefers.
Source: Sigtia et al. 2016 (hashed beam); hash over the last n frames as in Ycart et al. 2019.
"""

import numpy as np
import torch
from torch import Tensor

from symbolic.decoding.backtrace import trace
from symbolic.decoding.candidates import Candidates, propose
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Hypotheses
from symbolic.decoding.search import Search
from symbolic.priors.base import Prior


def beam(batch: Batch, prior: Prior | None, options: DecodeOptions) -> Hypotheses:
    """The `n_best` cheapest rolls found for every clip."""
    found = propose(batch, options, options.candidates)
    search = Search(batch.prob.shape[2], prior, options, batch.prob.device)
    clips = len(batch.lengths)
    last, _, track = search.extend(search.first(clips), np.zeros(clips, dtype=np.int64), found, batch.lengths)
    every = torch.arange(last.cost.shape[1], device=last.cost.device).expand_as(last.cost)
    paths = trace([track], every)[0]
    count = options.n_best
    return Hypotheses(
        rolls=found.chosen(paths[:, :count]),
        costs=last.cost[:, :count],
        prior_log_prob=None if prior is None else last.prior_log_prob[:, :count],
        confidence=confidence(found, paths, last.cost),
    )


def confidence(found: Candidates, paths: Tensor, cost: Tensor) -> Tensor:
    """(B, T, D) 0..1 of the notes of each clip's first path: the share of probability on paths that hold it.

    paths (B, W, T) candidates of all hypotheses, whose probability is exp(-cost), cost (B, W) nats.
    """
    share = torch.softmax(-cost, dim=1).float()
    held = torch.zeros_like(found.prob)
    for start, rolls in found.chosen_blocks(paths):
        part = torch.einsum("bw,bwsd->bsd", share, rolls.float())
        held[:, start : start + rolls.shape[2]] = part.clamp(max=1.0) * rolls[:, 0]
    return held
