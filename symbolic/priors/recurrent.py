"""Priors made of a recurrence, which carries the past, and an estimator, which is one step's distribution.

Subclasses say where the estimator's biases come from (priors.rnn, priors.rtrbm); all else follows here.
"""

from abc import abstractmethod

import torch
from torch import Tensor

from symbolic.estimators.prefixes import SharedRows
from symbolic.estimators.protocol import Estimator
from symbolic.priors.base import Prior, spread
from symbolic.state import State


class RecurrentPrior(Prior):
    """Recurrence times estimator."""

    estimator: Estimator

    def use(self, estimator: Estimator) -> None:
        """Make `estimator` this prior's own."""
        self.estimator = estimator
        # Without log Z, which every past changes, nor has the prior one.
        self.is_normalized, self.is_recordable = estimator.is_normalized, estimator.is_recordable

    @abstractmethod
    def step_biases(self, state: State) -> Tensor:
        """(N, P) biases of the estimator for the next step."""

    @abstractmethod
    def chunk_biases(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Biases (M, P) of the M real steps, in the order of rolls[mask], and the state after the chunk.

        A clip whose padding begins inside the chunk ends there: its state afterwards means nothing. With a
        generator, dropout is on.
        """

    @abstractmethod
    def set_constant_biases(self, biases: Tensor) -> None:
        """Set the part of the biases (P,) that does not depend on the past."""

    @torch.no_grad()
    def initialise_from_marginals(self, mean: Tensor) -> None:
        self.set_constant_biases(self.estimator.initialise_from_marginals(mean))

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        n, k, visible = candidates.shape
        biases = self.step_biases(state).repeat_interleave(k, 0)
        return self.estimator.log_prob(candidates.reshape(n * k, visible), biases).view(n, k)

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        biases = self.step_biases(state).view(len(shared.rows), -1, self.estimator.biases)
        return self.estimator.shared_log_prob(shared, biases)

    @torch.no_grad()
    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return self.estimator.sample(self.step_biases(state), generator, temperature)

    @torch.no_grad()
    def draws(self, state: State, generator: torch.Generator, count: int) -> Tensor:
        return self.estimator.sample(self.step_biases(state).repeat_interleave(count, 0), generator)

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        biases, after = self.chunk_biases(state, rolls, mask, generator)
        return spread(self.estimator.log_prob(rolls[mask], biases), mask), after

    def chunk_objective(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, State]:
        biases, after = self.chunk_biases(state, rolls, mask, generator)
        return spread(self.estimator.objective(rolls[mask], biases, generator), mask), after
