"""The cost of a roll in nats, lower is better: the parts of the formula in `options`, as pure functions."""

import torch
from torch import Tensor
from torch.nn import functional

from symbolic.decoding.options import Scoring

# float32 rounds a probability above 1 - 3e-8 to 1, yet no acoustic model means "impossible to be off".
CERTAIN = 1 - 1e-6
LEAST = 1e-6  # likewise of a key that a prior proposes
SUM_BLOCK = 1 << 20  # numbers summed at once


def tempered_logit(prob: Tensor, temperature: float) -> Tensor:
    """Logit of each key under P_a; prob (..., D) 0..1 -> (..., D), -inf where prob is 0."""
    prob = prob.clamp(max=CERTAIN)
    # torch.logit takes several times as long.
    return (prob.log() - (-prob).log1p()) / temperature


def switch_gain(prob: Tensor, scoring: Scoring) -> Tensor:
    """Nats saved by a key that is on instead of off, the prior aside; -inf if it may never be on.

    prob (..., D) 0..1 -> (..., D). log P_a(on) - log P_a(off) is the tempered logit.
    """
    gain = tempered_logit(prob, scoring.temperature) - scoring.note_penalty
    return gain.masked_fill(prob < scoring.floor, -torch.inf)


def local_cost(roll: Tensor, prob: Tensor, scoring: Scoring) -> Tensor:
    """-log P_a + beta notes of steps; roll (..., D) bool, prob (..., D) -> (...) nats."""
    logit = tempered_logit(prob, scoring.temperature)
    # -log sigmoid(x) = softplus(-x); an impossible on bit comes out as +inf.
    bits = functional.softplus(torch.where(roll, -logit, logit)) + scoring.note_penalty * roll
    return bits.sum(dim=-1)


def continuation_costs(cost: Tensor, local: Tensor, prior: Tensor | None, weight: float) -> Tensor:
    """Cost of every hypothesis followed by every candidate; lower is better.

    Args:
        cost: (B, W) float64 cost of each hypothesis so far, nats.
        local: (B, K) -log P_a + beta notes of each candidate, nats; +inf: no such candidate.
        prior: (B, W, K) log-probability of each candidate given the past, nats; None: there is none.
        weight: factor on `prior`, above 0 where one is given.

    Returns:
        (B, W, K) float64 costs, nats; +inf marks an impossible continuation.
    """
    # Left out instead of multiplied by a weight of 0: 0 * -inf is nan.
    step = local[:, None, :] if prior is None else local[:, None, :] - weight * prior
    return cost[:, :, None] + step


def acoustic_log_prob(rolls: Tensor, prob: Tensor, temperature: float = 1.0, *, least: float = 0.0) -> Tensor:
    """log P_a of whole rolls (B, W, T, D) bool given prob (B, T, D) -> (B, W) float64 nats.

    An on bit counts as no less probable than `least`.
    """
    total = torch.zeros(rolls.shape[:2], dtype=torch.float64, device=rolls.device)
    block = max(1, SUM_BLOCK // max(1, rolls.shape[0] * rolls.shape[1] * rolls.shape[3]))
    for start in range(0, rolls.shape[2], block):
        part, on = prob[:, None, start : start + block], rolls[:, :, start : start + block]
        logit = tempered_logit(part, temperature)
        against = torch.where(on, -tempered_logit(part.clamp(min=least), temperature), logit)
        total -= functional.softplus(against).sum(dim=(2, 3), dtype=torch.float64)
    return total
