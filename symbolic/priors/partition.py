"""A prior that leaves out log Z, with an estimate of it put back: what a beam needs of an RBM type.

Is: the adapter, a `SymbolicPrior` whose log-probabilities are normalised as well as log Z is estimated.
Is not: the estimate (evaluation.ais), or a likelihood with its spread (evaluation.likelihood).
"""

import torch
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import SharedRows
from symbolic.estimators.rbm import Rbm
from symbolic.evaluation.ais import ais_log_partition, mean_field_logits
from symbolic.priors.product import Product
from symbolic.priors.protocol import PriorCard, State, SymbolicPrior


class WithPartition:
    """A recurrence times an RBM, minus an estimate of log Z after every past.

    The chains of all pasts share their random numbers, which are the same at every call: a past has the same
    log Z in any company, and two pasts that are alike err alike.
    """

    is_normalized = True  # as well as log Z is estimated

    def __init__(self, prior: SymbolicPrior, *, temperatures: int, runs: int, seed: int = 0) -> None:
        if not isinstance(prior, Product) or not isinstance(prior.estimator, Rbm):
            expected = "a recurrence times an RBM of 0/1 units"
            raise NotebeamError("WithPartition(prior)", type(prior).__name__, expected)
        self.prior, self.rbm, self.visible = prior, prior.estimator, prior.visible
        self.temperatures, self.runs, self.seed = temperatures, runs, seed
        if hasattr(prior, "card"):  # a prior that was never saved has none
            self.card: PriorCard = prior.card

    def initial_state(self, n: int) -> State:
        return self.prior.initial_state(n)

    def advance(self, state: State, step: Tensor, context: Tensor | None = None) -> State:
        return self.prior.advance(state, step, context)

    def log_prob(self, state: State, candidates: Tensor, context: Tensor | None = None) -> Tensor:
        log_z = self.log_partition(self.prior.step_biases(state))
        return self.prior.log_prob(state, candidates, context) - log_z[:, None]

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        """(B, W, K) nats of rows (B, K, D) that each clip's W hypotheses share (priors.sharing)."""
        log_z = self.log_partition(self.prior.step_biases(state))
        return self.prior.shared_log_prob(state, shared) - log_z.view(len(shared.rows), -1, 1)

    def sample(
        self,
        state: State,
        generator: torch.Generator,
        temperature: float = 1.0,
        context: Tensor | None = None,
    ) -> Tensor:
        return self.prior.sample(state, generator, temperature, context)

    def sequence_log_prob(self, rolls: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        biases, _ = self.prior.chunk_biases(self.prior.initial_state(len(rolls)), rolls, mask)
        flat = self.rbm.log_prob(rolls[mask], biases) - self.log_partition(biases)
        return torch.zeros(mask.shape, dtype=flat.dtype, device=flat.device).masked_scatter(mask, flat)

    def log_partition(self, biases: Tensor) -> Tensor:
        """(N,) estimated log Z, nats, of biases (N, P), in their dtype."""
        visible_bias, hidden_bias = self.rbm.split(biases)
        weight, start = self.rbm.weight, torch.sigmoid(visible_bias)
        log_z, _ = ais_log_partition(
            weight,
            visible_bias,
            hidden_bias,
            mean_field_logits(weight, visible_bias, hidden_bias, start),
            torch.Generator(weight.device).manual_seed(self.seed),
            temperatures=self.temperatures,
            runs=self.runs,
            noise="shared",
        )
        return log_z.to(biases.dtype)
