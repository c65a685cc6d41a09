"""A recurrence whose output sets an estimator: what all such priors share.

Is: every method of SymbolicPrior that follows from the biases of a step and the estimator.
Is not: where the biases come from: the subclasses say (priors.recurrent, priors.rtrbm).
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from symbolic.estimators.prefixes import SharedRows
from symbolic.estimators.protocol import Estimator
from symbolic.priors.protocol import PriorCard, State


class Product(nn.Module):
    """Recurrence times estimator; `card` is set by whoever trains or loads it."""

    visible: int
    estimator: Estimator
    card: PriorCard

    @property
    def is_normalized(self) -> bool:
        """Whether log_prob is a log-probability; if not, it leaves out log Z, which every past changes."""
        return self.estimator.is_normalized

    @property
    def is_recordable(self) -> bool:
        """Whether a step reads no number back from the device (priors.sharing)."""
        return bool(getattr(self.estimator, "is_recordable", False))

    @abstractmethod
    def initial_state(self, n: int) -> State: ...

    @abstractmethod
    def advance(self, state: State, step: Tensor, context: Tensor | None = None) -> State: ...

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
    def set_bias(self, bias: Tensor) -> None:
        """Set the part of the biases (P,) that does not depend on the past."""

    @torch.no_grad()
    def begin_at(self, mean: Tensor) -> None:
        """Set the biases to those of steps whose mean is `mean` (D,): where training had better begin."""
        self.set_bias(self.estimator.first_bias(mean))

    def log_prob(self, state: State, candidates: Tensor, context: Tensor | None = None) -> Tensor:
        n, k, visible = candidates.shape
        biases = self.step_biases(state).repeat_interleave(k, 0)
        return self.estimator.log_prob(candidates.reshape(n * k, visible), biases).view(n, k)

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        """(B, W, K) nats of rows (B, K, D) that each clip's W hypotheses share (priors.sharing)."""
        biases = self.step_biases(state).view(len(shared.rows), -1, self.estimator.biases)
        return self.estimator.shared_log_prob(shared, biases)

    @torch.no_grad()
    def sample(
        self,
        state: State,
        generator: torch.Generator,
        temperature: float = 1.0,
        context: Tensor | None = None,
    ) -> Tensor:
        return self.estimator.sample(self.step_biases(state), generator, temperature)

    def sequence_log_prob(self, rolls: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        return self.chunk_log_prob(self.initial_state(rolls.shape[0]), rolls, mask)[0]

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """`sequence_log_prob` of a clip's next steps: from a state, and with the state after them.

        With a generator, dropout is on.
        """
        biases, after = self.chunk_biases(state, rolls, mask, generator)
        return spread(self.estimator.log_prob(rolls[mask], biases), mask), after

    def chunk_objective(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, State]:
        """What training raises, (B, T), 0 off the mask; else as `chunk_log_prob`."""
        biases, after = self.chunk_biases(state, rolls, mask, generator)
        return spread(self.estimator.objective(rolls[mask], biases, generator), mask), after


def spread(flat: Tensor, mask: Tensor) -> Tensor:
    """(B, T) of the values (M,) of the real steps, 0 elsewhere."""
    return torch.zeros(mask.shape, dtype=flat.dtype, device=flat.device).masked_scatter(mask, flat)
