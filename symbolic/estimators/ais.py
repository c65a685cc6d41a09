"""Annealed importance sampling (AIS): log Z of RBMs that share their weights, with its spread.

Is: the estimate for any number of pairs of biases at once, in bounded memory.
Is not: the likelihood that it completes (evaluation.likelihood), or the RBM (estimators.rbm).

Chains run from independent keys with logits bA to the RBM over inverse temperatures 0 = b_0 < ... < b_K = 1,
through p_b(v) = exp(((1 - b) bA + b bv) . v) prod (1 + exp(b (bh + v W))); a chain's weight, the product of
p_{b_k}(v) / p_{b_{k-1}}(v) over its v's, times Z_A has the mean Z. Unbiased for Z, the estimate is low for
log Z, by about half the squared standard error.
Source: Salakhutdinov and Murray 2008, section 4.1.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from symbolic.errors import NotebeamError

NUMBERS_AT_ONCE = 1 << 20  # numbers of one buffer: chains run in blocks of that size
LEAST_MEAN = 1e-4  # of a key in a mean-field base


@dataclass(frozen=True, kw_only=True)
class AisOptions:
    """How log Z is estimated, and for how many steps."""

    temperatures: int = 200  # K
    runs: int = 100  # M, chains a step
    steps: int = 0  # steps judged, evenly spread over all; 0: all
    base: Literal["marginals", "mean-field"] = "marginals"  # "mean-field": each step's own, from these
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("temperatures", 1), ("runs", 2), ("steps", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise NotebeamError(f"AisOptions.{name}", value, f"an integer >= {least}")
        if self.base not in ("marginals", "mean-field"):
            raise NotebeamError("AisOptions.base", self.base, '"marginals" or "mean-field"')


@torch.no_grad()
def mean_field_logits(
    weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor, start: Tensor, *, sweeps: int = 20
) -> Tensor:
    """Logits (N, D) of the visible units' mean field: a base near each RBM.

    start: (D,) or (N, D) 0..1 means where the fixed-point iteration begins; each of the `sweeps` goes half of
    the way, or it would swing. weight (D, H), biases (N, D) and (N, H).
    """
    mean, back = start.expand_as(visible_bias), weight.t()
    for _ in range(sweeps):
        hidden = torch.sigmoid(torch.addmm(hidden_bias, mean, weight))
        mean = (mean + torch.sigmoid(torch.addmm(visible_bias, hidden, back))) / 2
    # A key the mean field rules out may be on in another mode of the RBM.
    return torch.logit(mean, eps=LEAST_MEAN)


@torch.no_grad()
def ais_log_partition(
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    base: Tensor,
    generator: torch.Generator,
    *,
    temperatures: int,
    runs: int,
    noise: Literal["own", "shared"] = "own",
) -> tuple[Tensor, Tensor]:
    """Estimates of log Z, and their standard errors.

    Args:
        weight: (D, H) W.
        visible_bias: (N, D) bv.
        hidden_bias: (N, H) bh.
        base: (D,) or (N, D) logits bA where the chains begin: the nearer to the RBM, the smaller the error.
        temperatures: K.
        runs: M, at least 2.
        noise: "shared" gives the chains of all N the same random numbers: an estimate then depends on its
            own biases and the generator alone, and the errors of like biases are alike.

    Returns:
        (N,) log Z and (N,) standard error, nats, float64.
    """
    count, hidden = hidden_bias.shape
    base = base.expand_as(visible_bias)
    log_weight = torch.empty(count, runs, dtype=torch.float64, device=weight.device)
    many = max(1, NUMBERS_AT_ONCE // (weight.shape[0] + hidden))  # chains
    state = generator.get_state()
    for start in range(0, count, max(1, many // runs)):
        part = slice(start, start + max(1, many // runs))
        if noise == "shared":
            generator.set_state(state)
        for first in range(0, runs, many):
            size = min(many, runs - first)
            biases = (visible_bias[part], hidden_bias[part], base[part])
            log_weight[part, first : first + size] = _chains(
                weight, *biases, generator, temperatures, size, shared=noise == "shared"
            )
    log_z_base = hidden * math.log(2) + F.softplus(base.double()).sum(1)
    log_mean = torch.logsumexp(log_weight, 1) - math.log(runs)
    relative = (log_weight - log_mean[:, None]).exp()  # weights over their mean
    return log_z_base + log_mean, relative.std(1) / math.sqrt(runs)


def _chains(
    weight: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    base: Tensor,
    generator: torch.Generator,
    temperatures: int,
    runs: int,
    *,
    shared: bool,
) -> Tensor:
    """(n, runs) float64 log weights of that many chains for each of n biases."""
    (n, keys), units = visible_bias.shape, hidden_bias.shape[1]
    source = 1 if shared else n  # of the random numbers
    # Two-dimensional views for the products, three-dimensional ones for what is shared by the runs.
    step, toward = (weight.new_empty(n, runs, keys) for _ in range(2))
    active, hidden = (weight.new_empty(n, runs, units) for _ in range(2))
    for_step, for_hidden = weight.new_empty(source, runs, keys), weight.new_empty(source, runs, units)
    flat_step, flat_hidden = step.view(-1, keys), hidden.view(-1, units)
    delta = (visible_bias - base)[:, None]
    back = weight.t()
    torch.lt(for_step.uniform_(generator=generator), torch.sigmoid(base)[:, None], out=step)
    total = torch.zeros(n, runs, dtype=torch.float64, device=weight.device)
    inverse = [k / temperatures for k in range(temperatures + 1)]
    for k in range(1, temperatures + 1):
        torch.mm(flat_step, weight, out=active.view(-1, units))
        active += hidden_bias[:, None]
        torch.mul(active, inverse[k], out=hidden)
        gain = F.softplus(hidden).sum(2) - F.softplus(active.mul_(inverse[k - 1])).sum(2)
        total += gain + (step * delta).sum(2) / temperatures
        if k == temperatures:
            break
        torch.lt(for_hidden.uniform_(generator=generator), hidden.sigmoid_(), out=hidden)
        torch.mm(flat_hidden, back, out=toward.view(-1, keys))
        toward.add_(delta).mul_(inverse[k]).add_(base[:, None])
        torch.lt(for_step.uniform_(generator=generator), toward.sigmoid_(), out=step)
    return total
