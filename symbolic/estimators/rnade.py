"""Real-valued NADE (RNADE) of one step: each number a mixture of Gaussians given the numbers before it.

Is: the exact log-density of real vectors, samples; the estimator that holds the weights.
Is not: the binary NADE (estimators.nade), or what sets the biases (priors).

a_1 = c, a_{i+1} = a_i + x_i W_i, h_i = relu(rho_i a_i); the logits of the mixture's weights, its means and
the logarithms of its standard deviations are linear in h_i (Uria, Murray and Larochelle 2013). The variance
of every component has a floor: where data repeat exactly, as word vectors do, the density would grow without
bound.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.protocol import Unshared


@dataclass(frozen=True, kw_only=True)
class RnadeOptions:
    """Size of an RNADE."""

    hidden: int = 64  # H
    components: int = 8  # M Gaussians for each number
    least_sd: float = 0.01  # standard deviation that no component falls below, in the data's unit

    def __post_init__(self) -> None:
        for name in ("hidden", "components"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise NotebeamError(f"RnadeOptions.{name}", value, "an integer >= 1")
        if not 0 < self.least_sd < math.inf:
            raise NotebeamError("RnadeOptions.least_sd", self.least_sd, "a number > 0")


class Rnade(Unshared, nn.Module):
    """RNADE as an estimator: W, V and rho are its own, the biases come from outside.

    Their order: of the logits, of the means and of the log standard deviations, (D, M) each, then c (H,).
    """

    is_normalized = True

    def __init__(self, visible: int, options: RnadeOptions) -> None:
        super().__init__()
        self.options = options
        self.visible, self.biases = visible, 3 * visible * options.components + options.hidden
        self.weight = nn.Parameter(torch.randn(visible, options.hidden) * visible**-0.5)  # W
        self.out = nn.Parameter(torch.randn(visible, options.hidden, 3 * options.components) * 0.01)  # V
        self.scale = nn.Parameter(torch.ones(visible))  # rho

    def log_prob(self, step: Tensor, biases: Tensor) -> Tensor:
        outputs, hidden_bias = self.split(biases)
        return rnade_log_prob(
            step, outputs, hidden_bias, self.weight, self.out, self.scale, self.options.least_sd
        )

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        return self.log_prob(step, biases)

    @torch.no_grad()
    def sample(self, biases: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        outputs, hidden_bias = self.split(biases)
        return rnade_sample(
            outputs,
            hidden_bias,
            self.weight,
            self.out,
            self.scale,
            self.options.least_sd,
            generator,
            temperature,
        )

    def initialise_from_marginals(self, mean: Tensor) -> Tensor:
        """Equal weights, standard deviations of 1, means evenly within 1 of the given ones."""
        components = self.options.components
        apart = torch.linspace(-1, 1, components, dtype=mean.dtype) if components > 1 else torch.zeros(1)
        means = mean[:, None] + apart.to(mean)
        rest = means.numel() + self.options.hidden
        return torch.cat([mean.new_zeros(means.numel()), means.flatten(), mean.new_zeros(rest)])

    def split(self, biases: Tensor) -> tuple[Tensor, Tensor]:
        """Output biases (N, 3, D, M) and c (N, H) of biases (N, P)."""
        count = self.biases - self.options.hidden
        outputs = biases[:, :count].view(-1, 3, self.visible, self.options.components)
        return outputs, biases[:, count:]


def rnade_log_prob(
    step: Tensor,
    outputs: Tensor,
    hidden_bias: Tensor,
    weight: Tensor,
    out: Tensor,
    scale: Tensor,
    least_sd: float,
) -> Tensor:
    """Exact log-density of real steps, all numbers of a step at once.

    Args:
        step: (N, D) real.
        outputs: (N, 3, D, M) biases of the logits, the means and the log standard deviations.
        hidden_bias: (N, H) c. weight: (D, H) W. out: (D, H, 3 M) V. scale: (D,) rho.
        least_sd: floor of the standard deviations.

    Returns:
        (N,) nats. In other units, x = unit * step, subtract D log unit.
    """
    added = step.t()[:-1, :, None] * weight[:-1, None, :]  # (D - 1, N, H)
    before = torch.cat([hidden_bias[None], added]).cumsum(0)  # (D, N, H) a: the numbers before each one
    hidden = torch.relu(scale[:, None, None] * before)
    linear = torch.bmm(hidden, out).view(*before.shape[:2], 3, out.shape[2] // 3)  # (D, N, 3, M)
    logits, means, log_sd = (linear + outputs.permute(2, 0, 1, 3)).unbind(2)  # (D, N, M) each
    return _mixture_log_prob(step.t(), logits, means, log_sd, least_sd).sum(0)


def _mixture_log_prob(
    values: Tensor, logits: Tensor, means: Tensor, log_sd: Tensor, least_sd: float
) -> Tensor:
    """(...,) log-density of values (...,) under mixtures (..., M) of Gaussians."""
    variance = (2 * log_sd).exp() + least_sd**2
    each = -((values[..., None] - means).square() / variance + variance.log() + math.log(2 * math.pi)) / 2
    return (logits.log_softmax(-1) + each).logsumexp(-1)


def rnade_sample(
    outputs: Tensor,
    hidden_bias: Tensor,
    weight: Tensor,
    out: Tensor,
    scale: Tensor,
    least_sd: float,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Tensor:
    """(N, D) steps drawn number by number; arguments as in `rnade_log_prob`.

    temperature: the mixture's logits are divided by it, its variances multiplied.
    """
    if not temperature > 0:
        raise NotebeamError("rnade_sample(temperature)", temperature, "a number > 0")
    before, numbers = hidden_bias, []
    for index in range(len(weight)):
        hidden = torch.relu(scale[index] * before)
        linear = (hidden @ out[index]).view(len(hidden), 3, -1)  # (N, 3, M)
        logits, means, log_sd = (linear + outputs[:, :, index]).unbind(1)
        chosen = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)  # (N, 1)
        variance = (2 * log_sd.gather(1, chosen)).exp() + least_sd**2
        noise = torch.empty_like(variance).normal_(generator=generator)
        number = means.gather(1, chosen) + noise * (temperature * variance).sqrt()
        before = before + number * weight[index]
        numbers.append(number)
    return torch.cat(numbers, 1)
