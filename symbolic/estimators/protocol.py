"""What a product needs of an estimator: the distribution of one step, set by biases from outside.

Is: the protocol of every family in this folder.
Is not: a family, or the recurrence that makes the biases (symbolic.recurrence).
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from symbolic.estimators.prefixes import SharedRows


class Estimator(Protocol):
    """A distribution over steps (D,), given P biases: first those of the visible units, then the others."""

    visible: int  # D
    biases: int  # P
    is_normalized: bool  # True: log_prob is a log-probability; False: it leaves out log Z
    is_recordable: bool  # True: log_prob reads no number back from the device (priors.base)

    def log_prob(self, step: Tensor, biases: Tensor) -> Tensor:
        """(N,) nats of steps (N, D) under biases (N, P)."""
        ...

    def shared_log_prob(self, shared: SharedRows, biases: Tensor) -> Tensor:
        """(B, W, K) `log_prob` of each clip's K rows under each of its biases (B, W, P)."""
        ...

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        """(N,) what training raises: the log-probability, or what has (about) its gradient."""
        ...

    def sample(self, biases: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """(N, D) a step for each row of biases (N, P)."""
        ...

    def initialise_from_marginals(self, mean: Tensor) -> Tensor:
        """(P,) biases to begin training with, given the mean of the training steps (D,).

        An estimator may keep that mean, to learn better about it: ask once, before training.
        """
        ...


@runtime_checkable
class Chain(Protocol):
    """An estimator that is sampled by a Gibbs chain, the end of which has a mean."""

    def mean(
        self, biases: Tensor, generator: torch.Generator, start: Tensor | None = None, gibbs: int = 50
    ) -> Tensor:
        """(N, D) visible mean of the last of `gibbs` steps from `start` (N, D)."""
        ...


class Unshared:
    """The plain form of `shared_log_prob`, for an estimator that has no better one."""

    is_recordable = False

    def shared_log_prob(self: Estimator, shared: SharedRows, biases: Tensor) -> Tensor:
        clips, width, numbers = biases.shape
        count, visible = shared.rows.shape[1:]
        rows = shared.rows[:, None].expand(-1, width, -1, -1).reshape(-1, visible)
        each = biases[:, :, None].expand(-1, -1, count, -1).reshape(-1, numbers)
        return self.log_prob(rows, each).view(clips, width, count)
