"""Restricted Boltzmann machine (RBM) over one step of a piano roll.

Is: its free energy, conditionals, block Gibbs chain and the contrastive divergence that trains it; the
estimator that holds the weights.
Is not: what sets the biases (priors.rnn, priors.rtrbm), or log Z (estimators.ais).

P(v, h) = exp(bv . v + bh . h + v W h) / Z with h 0/1 (H,); F(v) = -bv . v - sum softplus(bh + v W), and
P(v) = exp(-F(v)) / Z. Given one layer the units of the other are independent.
Source: Boulanger-Lewandowski et al. 2012, section 2, whose equation 1 has the signs of the energy reversed.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import SharedRows


@dataclass(frozen=True, kw_only=True)
class RbmOptions:
    """Size of an RBM, and the lengths of its chains."""

    hidden: int = 150  # H
    gibbs: int = 15  # k of CD-k: Gibbs steps from the data in training
    sample_gibbs: int = 25  # Gibbs steps before a sample
    random_chains: float = 0.0  # share of CD's chains that begin at a step drawn with any number of keys

    def __post_init__(self) -> None:
        for name in ("hidden", "gibbs", "sample_gibbs"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise NotebeamError(f"RbmOptions.{name}", value, "an integer >= 1")
        if not 0 <= self.random_chains <= 1:
            raise NotebeamError("RbmOptions.random_chains", self.random_chains, "a share in 0..1")


class Rbm(nn.Module):
    """RBM as an estimator: W is its own, the biases of D and of H units come from outside, in this order.

    They are those of centred units, (v - m) and (h - 1/2): bv = their visible part - W 1 / 2, bh = their
    hidden part - m W, with m the mean step of the training set. The distributions are the same; but few keys
    of many are on, and W need not first learn what the biases are for (Montavon and Mueller 2012).

    Contrastive divergence's chains begin at the data and end near them, so nothing keeps the energy up
    elsewhere: a long training can leave a mode with dozens of keys on that outweighs all music, and annealed
    importance sampling that begins near the music seldom meets it: the likelihood looks better than it is.
    Chains that begin at random steps (`random_chains`) fall into such a mode and raise its energy.
    """

    is_normalized = False
    is_recordable = True
    centre: Tensor
    hidden_centre: Tensor

    def __init__(self, visible: int, options: RbmOptions) -> None:
        super().__init__()
        self.options = options
        self.visible, self.biases = visible, visible + options.hidden
        self.weight = nn.Parameter(torch.randn(visible, options.hidden) * 0.01)  # W
        self.register_buffer("centre", torch.zeros(visible))  # m; both are set when training begins
        self.register_buffer("hidden_centre", torch.zeros(()))

    def log_prob(self, step: Tensor, biases: Tensor) -> Tensor:
        """(N,) nats, log Z left out: -F of steps (N, D)."""
        return -free_energy(step, *self.split(biases), self.weight)

    def shared_log_prob(self, shared: SharedRows, biases: Tensor) -> Tensor:
        flat = self.split(biases.flatten(0, 1))
        visible_bias, hidden_bias = (part.view(*biases.shape[:2], -1) for part in flat)
        # Rows and hypotheses meet in the hidden units alone, where their parts are added.
        hidden_input = shared.rows @ self.weight  # (B, K, H), alike for all hypotheses
        hidden = F.softplus(hidden_bias[:, :, None] + hidden_input[:, None]).sum(3)
        return visible_bias @ shared.rows.transpose(1, 2) + hidden

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        share, count = self.options.random_chains, self.options.gibbs
        start = scattered(step, share, generator) if share else None
        return contrastive_divergence(step, *self.split(biases), self.weight, generator, count, start)

    def sample(self, biases: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return rbm_sample(*self.split(biases), self.weight, generator, self.options.sample_gibbs, temperature)

    @torch.no_grad()
    def mean(
        self, biases: Tensor, generator: torch.Generator, start: Tensor | None = None, gibbs: int = 50
    ) -> Tensor:
        """(N, D) 0..1, a prediction: of the last of `gibbs` steps from `start` (N, D) the visible mean.

        Without a start: from the means that the visible biases alone would give.
        """
        visible_bias, hidden_bias = self.split(biases)
        start = torch.sigmoid(visible_bias) if start is None else start
        step = gibbs_chain(start, visible_bias, hidden_bias, self.weight, generator, gibbs - 1)
        return visible_prob(
            draw(hidden_prob(step, hidden_bias, self.weight), generator), visible_bias, self.weight
        )

    @torch.no_grad()
    def initialise_from_marginals(self, mean: Tensor) -> Tensor:
        """(P,) biases to begin with; the units are centred on this mean from now on."""
        self.centre.copy_(mean)
        self.hidden_centre.fill_(0.5)
        # Exact while W is about zero, as it is before training.
        return torch.cat([torch.logit(mean), mean.new_zeros(self.biases - self.visible)])

    def split(self, biases: Tensor) -> tuple[Tensor, Tensor]:
        """bv (N, D) and bh (N, H) of biases (N, P)."""
        visible_bias = biases[:, : self.visible] - self.hidden_centre * self.weight.sum(1)
        return visible_bias, biases[:, self.visible :] + self.hidden_offset()

    def hidden_offset(self) -> Tensor:
        """(H,) what bh has beyond the hidden part of the biases."""
        return -(self.centre @ self.weight)


def free_energy(step: Tensor, visible_bias: Tensor, hidden_bias: Tensor, weight: Tensor) -> Tensor:
    """(N,) nats, hidden units summed out exactly.

    step (N, D), visible_bias (N, D), hidden_bias (N, H), weight (D, H).
    """
    # softplus(x) is log(1 + e^x) without overflow.
    hidden = F.softplus(torch.addmm(hidden_bias, step, weight)).sum(1)
    return -(visible_bias * step).sum(1) - hidden


def hidden_prob(step: Tensor, hidden_bias: Tensor, weight: Tensor) -> Tensor:
    """(N, H) P(h = 1 | v) of steps (N, D)."""
    return torch.sigmoid(torch.addmm(hidden_bias, step, weight))


def visible_prob(hidden: Tensor, visible_bias: Tensor, weight: Tensor) -> Tensor:
    """(N, D) P(v = 1 | h) of hidden units (N, H)."""
    return torch.sigmoid(torch.addmm(visible_bias, hidden, weight.t()))


def draw(prob: Tensor, generator: torch.Generator) -> Tensor:
    """0/1 of the shape and dtype of prob."""
    uniform = torch.rand(prob.shape, generator=generator, dtype=prob.dtype, device=prob.device)
    return (uniform < prob).to(prob.dtype)


@torch.no_grad()
def gibbs_chain(
    step: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    weight: Tensor,
    generator: torch.Generator,
    count: int,
    temperature: float = 1.0,
) -> Tensor:
    """(N, D) 0/1 after `count` block Gibbs steps (all of h given v, all of v given h) from steps (N, D).

    The chains' distribution tends to exp(-F) of the energy divided by `temperature`. `step` may be means.
    """
    if temperature != 1.0:
        visible_bias, hidden_bias = visible_bias / temperature, hidden_bias / temperature
        weight = weight / temperature
    # Two thirds of the time are the products, the rest is uniform numbers: nothing is allocated in the loop.
    # torch.bernoulli would do, but draws in float64 and one by one.
    step, back = step.clone(), weight.t()
    hidden, visible_uniform = torch.empty_like(hidden_bias), torch.empty_like(visible_bias)
    visible, hidden_uniform = torch.empty_like(visible_bias), torch.empty_like(hidden_bias)
    for _ in range(count):
        torch.addmm(hidden_bias, step, weight, out=hidden).sigmoid_()
        torch.lt(hidden_uniform.uniform_(generator=generator), hidden, out=hidden)
        torch.addmm(visible_bias, hidden, back, out=visible).sigmoid_()
        torch.lt(visible_uniform.uniform_(generator=generator), visible, out=step)
    return step


def contrastive_divergence(
    step: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    weight: Tensor,
    generator: torch.Generator,
    count: int,
    start: Tensor | None = None,
) -> Tensor:
    """(N,) F(v*) - F(v) of steps v (N, D), v* being `count` Gibbs steps from `start` (N, D) or v, a constant.

    Its gradient is about that of log P(v) = -F(v) - log Z, whose second term has the gradient E[dF]; its
    value means nothing. Biases and weight as in `free_energy`.
    """
    start = step if start is None else start
    other = gibbs_chain(start, visible_bias, hidden_bias, weight, generator, count)
    away = free_energy(other, visible_bias, hidden_bias, weight)
    return away - free_energy(step, visible_bias, hidden_bias, weight)


def scattered(step: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Steps (N, D), about `share` of them replaced by ones of a density, 0..1, that is drawn for each."""
    one_each = torch.rand(2, len(step), 1, generator=generator, dtype=step.dtype, device=step.device)
    uniform = torch.rand(step.shape, generator=generator, dtype=step.dtype, device=step.device)
    return torch.where(one_each[0] < share, (uniform < one_each[1]).to(step.dtype), step)


def rbm_sample(
    visible_bias: Tensor,
    hidden_bias: Tensor,
    weight: Tensor,
    generator: torch.Generator,
    count: int,
    temperature: float = 1.0,
) -> Tensor:
    """(N, D) 0/1 after `count` Gibbs steps from the means that the visible biases alone would give.

    A temperature divides the energy; below 1 the likely becomes likelier. Biases (N, D), (N, H).
    """
    if not temperature > 0:
        raise NotebeamError("rbm_sample(temperature)", temperature, "a number > 0")
    start = torch.sigmoid(visible_bias)
    return gibbs_chain(start, visible_bias, hidden_bias, weight, generator, count, temperature)
