"""Restricted Boltzmann machine with real visible units of unit variance, for standardised data.

Is: free energy, Gibbs steps, the objective of contrastive divergence, samples, prediction; the estimator that
holds the weight.
Is not: the binary one (estimators.rbm), or what sets the biases (priors).

exp(-E(v, h)) with E = |v - bv|^2 / 2 - bh'h - v'W h, so that v | h ~ N(bv + W h, 1) and
h_j | v ~ Bernoulli(sigmoid(bh_j + v'W_j)); the hidden units summed out leave
F(v) = |v - bv|^2 / 2 - sum_j softplus(bh_j + v'W_j) (Welling et al. 2004; unit variance as in Sutskever,
Hinton and Taylor 2008).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.protocol import Unshared
from symbolic.estimators.rbm import draw, hidden_prob


@dataclass(frozen=True, kw_only=True)
class GaussianRbmOptions:
    """Size of a Gaussian RBM, and its Gibbs steps."""

    hidden: int = 150  # H
    gibbs: int = 15  # steps from the data in training: k of CD-k
    sample_gibbs: int = 25  # steps of a sample, from the visible bias

    def __post_init__(self) -> None:
        for name in ("hidden", "gibbs", "sample_gibbs"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise NotebeamError(f"GaussianRbmOptions.{name}", value, "an integer >= 1")


class GaussianRbm(Unshared, nn.Module):
    """Gaussian RBM as an estimator: W is its own, bv (D,) and bh (H,) come from outside, in this order."""

    is_normalized = False

    def __init__(self, visible: int, options: GaussianRbmOptions) -> None:
        super().__init__()
        self.options = options
        self.visible, self.biases = visible, visible + options.hidden
        self.weight = nn.Parameter(torch.randn(visible, options.hidden) * 0.01)  # W

    def log_prob(self, step: Tensor, biases: Tensor) -> Tensor:
        """(N,) minus the free energy: log Z, which depends on the biases, is left out."""
        return -gaussian_free_energy(step, *self.split(biases), self.weight)

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        """(N,) F(v*) - F(v), v* after `gibbs` steps from v: its gradient is that of CD-k."""
        visible_bias, hidden_bias = self.split(biases)
        with torch.no_grad():
            far = gaussian_gibbs(step, visible_bias, hidden_bias, self.weight, self.options.gibbs, generator)
        # One pass over both, which share the biases.
        energy = gaussian_free_energy(torch.stack([step, far]), visible_bias, hidden_bias, self.weight)
        return energy[1] - energy[0]

    @torch.no_grad()
    def sample(self, biases: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        if not temperature > 0:
            raise NotebeamError("GaussianRbm.sample(temperature)", temperature, "a number > 0")
        visible_bias, hidden_bias = self.split(biases)
        count = self.options.sample_gibbs
        return gaussian_gibbs(
            visible_bias, visible_bias, hidden_bias, self.weight, count, generator, temperature
        )

    @torch.no_grad()
    def mean(
        self, biases: Tensor, generator: torch.Generator, start: Tensor | None = None, gibbs: int = 50
    ) -> Tensor:
        """(N, D) visible mean after `gibbs` steps from `start` (N, D); None: from the visible bias."""
        visible_bias, hidden_bias = self.split(biases)
        far = gaussian_gibbs(
            visible_bias if start is None else start,
            visible_bias,
            hidden_bias,
            self.weight,
            gibbs - 1,
            generator,
        )
        hidden = draw(hidden_prob(far, hidden_bias, self.weight), generator)
        return visible_bias + hidden @ self.weight.t()

    def initialise_from_marginals(self, mean: Tensor) -> Tensor:
        # Exact while W is about zero, as it is before training.
        return torch.cat([mean, mean.new_zeros(self.biases - self.visible)])

    def hidden_offset(self) -> Tensor:
        """(H,) zeros: the steps are standardised, their mean is zero already."""
        return self.weight.new_zeros(self.biases - self.visible)

    def split(self, biases: Tensor) -> tuple[Tensor, Tensor]:
        """bv (N, D) and bh (N, H) of biases (N, P)."""
        return biases[:, : self.visible], biases[:, self.visible :]


def gaussian_free_energy(step: Tensor, visible_bias: Tensor, hidden_bias: Tensor, weight: Tensor) -> Tensor:
    """Free energy of real steps, hidden units summed out exactly.

    step (..., D) real, visible_bias (..., D), hidden_bias (..., H), weight (D, H) -> (...,) nats.
    """
    hidden = F.softplus(hidden_bias + step @ weight).sum(-1)
    return (step - visible_bias).square().sum(-1) / 2 - hidden


def gaussian_gibbs(
    step: Tensor,
    visible_bias: Tensor,
    hidden_bias: Tensor,
    weight: Tensor,
    steps: int,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Tensor:
    """Steps (N, D) after `steps` times hidden given visible, visible given hidden, all drawn.

    Args:
        step: (N, D) where the chains begin. visible_bias: (N, D). hidden_bias: (N, H). weight: (D, H).
        temperature: the energy is divided by it: the noise of the visible units has it as variance.
    """
    for _ in range(steps):
        hidden = draw(torch.sigmoid(torch.addmm(hidden_bias, step, weight) / temperature), generator)
        noise = torch.empty_like(visible_bias).normal_(generator=generator)
        step = torch.addmm(visible_bias, hidden, weight.t()) + noise * temperature**0.5
    return step
