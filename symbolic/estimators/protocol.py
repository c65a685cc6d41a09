"""What a product needs of an estimator: the distribution of one step, set by biases from outside.

Is: the protocol of every family in this folder.
Is not: a family, or the recurrence that makes the biases (symbolic.recurrence).
"""

from typing import Protocol

import torch
from torch import Tensor


class Estimator(Protocol):
    """A distribution over steps (D,), given P biases: first those of the visible units, then the others."""

    visible: int  # D
    biases: int  # P
    is_normalized: bool  # True: log_prob is a log-probability; False: it leaves out log Z

    def log_prob(self, step: Tensor, biases: Tensor) -> Tensor:
        """(N,) nats of steps (N, D) under biases (N, P)."""
        ...

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        """(N,) what training raises: the log-probability, or what has (about) its gradient."""
        ...

    def sample(self, biases: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """(N, D) a step for each row of biases (N, P)."""
        ...

    def first_bias(self, mean: Tensor) -> Tensor:
        """(P,) biases for training to begin with, given the mean of the training steps (D,).

        An estimator may keep that mean, to learn better about it: ask once, before training.
        """
        ...
