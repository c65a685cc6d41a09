"""Independent keys: each is on with its own probability.

Is: the log-probability and samples of a step whose logits are given; the estimator, which has no parameters.
Is not: what sets the logits (priors.recurrent).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import SharedRows


@dataclass(frozen=True, kw_only=True)
class BernoulliOptions:
    """Nothing to choose."""


class Bernoulli(nn.Module):
    """Keys as an estimator: the biases are their logits (D,)."""

    is_normalized = True
    is_recordable = True

    def __init__(self, visible: int, options: BernoulliOptions) -> None:
        super().__init__()
        self.visible = self.biases = visible

    def log_prob(self, step: Tensor, biases: Tensor) -> Tensor:
        return bernoulli_log_prob(step, biases)

    def shared_log_prob(self, shared: SharedRows, biases: Tensor) -> Tensor:
        # One product for all rows; what the keys cost that are off is the same for all.
        return biases @ shared.rows.transpose(1, 2) - F.softplus(biases).sum(2, keepdim=True)

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        return bernoulli_log_prob(step, biases)

    def logits(self, step: Tensor, biases: Tensor) -> Tensor:
        """(N, D) logit of every key; the step (N, D) does not matter."""
        return biases

    def sample(self, biases: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return bernoulli_sample(biases, generator, temperature)

    def initialise_from_marginals(self, mean: Tensor) -> Tensor:
        return torch.logit(mean)


def bernoulli_log_prob(step: Tensor, logit: Tensor) -> Tensor:
    """(N,) nats of steps (N, D) 0/1 under logits (N, D)."""
    # log sigmoid(z) where the key is on, log sigmoid(-z) where it is off: both are v z - softplus(z).
    return (step * logit - F.softplus(logit)).sum(1)


def bernoulli_sample(logit: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
    """(N, D) 0/1 drawn from logits (N, D) divided by `temperature`; below 1 the likely becomes likelier."""
    if not temperature > 0:
        raise NotebeamError("bernoulli_sample(temperature)", temperature, "a number > 0")
    uniform = torch.rand(logit.shape, generator=generator, dtype=logit.dtype, device=logit.device)
    return (uniform < torch.sigmoid(logit / temperature)).to(logit.dtype)
