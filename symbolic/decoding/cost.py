"""The cost of a roll, in nats; lower is better.

Is: the parts of  sum_t -log P_a(v_t) - alpha log P_s(v_t | v_<t) + beta notes  as functions of tensors.
Is not: the search for the cheapest roll (symbolic.decoding.beam and its neighbours).

P_a takes keys as independent: a key's logit from the acoustic model is divided by the temperature.
"""

import torch
from torch import Tensor
from torch.nn import functional

from symbolic.decoding.options import DecodeOptions

# float32 rounds a probability above 1 - 3e-8 to 1, yet no acoustic model means "impossible to be off".
CERTAIN = 1 - 1e-6
LEAST = 1e-6  # likewise of a key that a prior proposes
SUM_BLOCK = 1 << 20  # numbers summed at once


def tempered_logit(prob: Tensor, temperature: float) -> Tensor:
    """Logit of each key under P_a; prob (..., D) 0..1 -> (..., D), -inf where prob is 0."""
    prob = prob.clamp(max=CERTAIN)
    # torch.logit takes several times as long.
    return (prob.log() - (-prob).log1p()) / temperature


def switch_gain(prob: Tensor, options: DecodeOptions) -> Tensor:
    """Nats saved by a key that is on instead of off, the prior aside; -inf if it may never be on.

    prob (..., D) 0..1 -> (..., D). log P_a(on) - log P_a(off) is the tempered logit.
    """
    gain = tempered_logit(prob, options.temperature) - options.note_penalty
    return gain.masked_fill(prob < options.floor, -torch.inf)


def local_cost(roll: Tensor, prob: Tensor, options: DecodeOptions) -> Tensor:
    """-log P_a + beta notes of steps; roll (..., D) bool, prob (..., D) -> (...) nats."""
    logit = tempered_logit(prob, options.temperature)
    # -log sigmoid(x) = softplus(-x); an impossible on bit comes out as +inf.
    bits = functional.softplus(torch.where(roll, -logit, logit)) + options.note_penalty * roll
    return bits.sum(dim=-1)


def continuation_costs(cost: Tensor, local: Tensor, prior: Tensor | None, weight: float) -> Tensor:
    """Cost of every hypothesis followed by every candidate; lower is better.

    Args:
        cost: (B, W) float64 cost of each hypothesis so far, nats.
        local: (B, K) -log P_a + beta notes of each candidate, nats; +inf: no such candidate.
        prior: (B, W, K) log-probability of each candidate given the past, nats; None: not asked.
        weight: factor on `prior`, above 0 where a prior is given.

    Returns:
        (B, W, K) float64 costs, nats; +inf marks an impossible continuation.
    """
    # A prior that was not asked is left out instead of multiplied: 0 * -inf is nan.
    step = local[:, None, :] if prior is None else local[:, None, :] - weight * prior
    return cost[:, :, None] + step


def acoustic_log_prob(rolls: Tensor, prob: Tensor, options: DecodeOptions) -> Tensor:
    """log P_a of whole rolls (B, W, T, D) bool given prob (B, T, D) -> (B, W) float64 nats."""
    total = torch.zeros(rolls.shape[:2], dtype=torch.float64, device=rolls.device)
    block = max(1, SUM_BLOCK // max(1, rolls.shape[0] * rolls.shape[1] * rolls.shape[3]))
    least = LEAST if options.prior_notes else 0.0
    for start in range(0, rolls.shape[2], block):
        part, on = prob[:, None, start : start + block], rolls[:, :, start : start + block]
        logit = tempered_logit(part, options.temperature)
        against = torch.where(on, -tempered_logit(part.clamp(min=least), options.temperature), logit)
        total -= functional.softplus(against).sum(dim=(2, 3), dtype=torch.float64)
    return total
