"""Candidates that the prior proposes: the acoustic model's first row with one more key on.

Is: the keys of which prior and acoustics together hope most, added to the candidates of an event.
Is not: the candidates of the acoustics (decoding.candidates), or the search (decoding.search).

The acoustics rule out keys below `floor`; a key that the prior proposes is judged by its true probability,
of which none is so small that the key were impossible.
"""

from dataclasses import replace

import torch

from symbolic.decoding.cost import LEAST, tempered_logit
from symbolic.decoding.merging import Hashes
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.rounds import Choice
from symbolic.estimators.prefixes import share
from symbolic.priors.base import Prior
from symbolic.state import State, hypotheses, select


def join(
    choice: Choice,
    numbers: int,
    prior: Prior,
    state: State,
    options: DecodeOptions,
    hashes: Hashes,
) -> Choice:
    """The candidates (B, K, D) with `prior_notes` p more at the end, of number `numbers` + key.

    The prior is asked after the cheapest of each clip's hypotheses, the first of them in `state`.
    """
    rows, prob = choice.shared.rows, choice.prob
    clips, _, keys = rows.shape
    width = hypotheses(state) // clips
    first = select(state, torch.arange(clips, device=rows.device) * width)
    one_more = torch.maximum(rows[:, :1], torch.eye(keys, device=rows.device))  # (B, D, D)
    asked = prior.shared_log_prob(first, share(one_more))[:, 0]
    extra = options.note_penalty - tempered_logit(prob.clamp(min=LEAST), options.temperature)
    hope = (options.prior_weight * asked - extra).masked_fill(rows.any(dim=1), -torch.inf)
    hope, added = hope.sort(dim=1, descending=True, stable=True)
    hope, added = hope[:, : options.prior_notes], added[:, : options.prior_notes]
    more = one_more.gather(1, added[:, :, None].expand(-1, -1, keys))
    cost = (choice.cost[:, :1] + extra.gather(1, added)).masked_fill(hope.isinf(), torch.inf)
    newest = torch.cat([choice.newest, hashes.of_rows(more)], 1)
    return replace(
        choice,
        shared=share(torch.cat([rows, more], 1)),
        cost=torch.cat([choice.cost, cost], 1),
        newest=newest,
        number=torch.cat([choice.number, numbers + added], 1),
    )
