"""A prior that leaves out log Z, with an estimate of it put back: what a beam needs of an RBM type."""

import torch
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.ais import ais_log_partition, mean_field_logits
from symbolic.estimators.prefixes import SharedRows
from symbolic.estimators.rbm import Rbm
from symbolic.priors.base import Prior, spread
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.state import State


class WithPartition(Prior):
    """A recurrence times an RBM, minus an estimate of log Z after every past; normalised as well as that is.

    The chains of all pasts share their random numbers, which are the same at every call: a past has the same
    log Z in any company, and two pasts that are alike err alike.
    """

    def __init__(self, prior: Prior, *, temperatures: int, runs: int, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(prior, RecurrentPrior) or not isinstance(prior.estimator, Rbm):
            expected = "a recurrence times an RBM of 0/1 units"
            raise NotebeamError("WithPartition(prior)", type(prior).__name__, expected)
        self.prior, self.visible, self.card = prior, prior.visible, prior.card
        self.temperatures, self.runs, self.seed = temperatures, runs, seed

    def initial_state(self, n: int) -> State:
        return self.prior.initial_state(n)

    def advance(self, state: State, step: Tensor) -> State:
        return self.prior.advance(state, step)

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        log_z = self.log_partition(self.prior.step_biases(state))
        return self.prior.log_prob(state, candidates) - log_z[:, None]

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        log_z = self.log_partition(self.prior.step_biases(state))
        return self.prior.shared_log_prob(state, shared) - log_z.view(len(shared.rows), -1, 1)

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return self.prior.sample(state, generator, temperature)

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        biases, after = self.prior.chunk_biases(state, rolls, mask, generator)
        flat = self.prior.estimator.log_prob(rolls[mask], biases) - self.log_partition(biases)
        return spread(flat, mask), after

    def log_partition(self, biases: Tensor) -> Tensor:
        """(N,) estimated log Z, nats, of biases (N, P), in their dtype."""
        rbm = self.prior.estimator
        assert isinstance(rbm, Rbm)
        visible_bias, hidden_bias = rbm.split(biases)
        start = torch.sigmoid(visible_bias)
        log_z, _ = ais_log_partition(
            rbm.weight,
            visible_bias,
            hidden_bias,
            mean_field_logits(rbm.weight, visible_bias, hidden_bias, start),
            torch.Generator(rbm.weight.device).manual_seed(self.seed),
            temperatures=self.temperatures,
            runs=self.runs,
            noise="shared",
        )
        return log_z.to(biases.dtype)
