"""What Hessian-free optimisation asks of a prior: its logits and its recurrence's units, over one chunk.

Is: one update by HessianFree of a product of a recurrence and independent or NADE keys.
Is not: the optimiser (training.hessian_free) or the loop. The cost's batch is the curvature's too: one chunk.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.bernoulli import Bernoulli
from symbolic.estimators.nade import Nade
from symbolic.priors.protocol import State
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.training.hessian_free import HessianFree, Outputs
from symbolic.training.stream import Chunk


def newton_update(
    optimizer: HessianFree, prior: torch.nn.Module, state: State, chunk: Chunk
) -> tuple[float, State]:
    """Update on a chunk that follows a state; log-likelihood before it, nats a step, and the state after."""
    if (
        not isinstance(prior, RecurrentPrior)
        or prior.attention is not None
        or not isinstance(prior.estimator, Bernoulli | Nade)
    ):
        expected = "a recurrence, without attention, times bernoulli or nade"
        raise NotebeamError("loop.optimizer", "hessian-free", f"adam or sgd, or for a model {expected}")
    recurrence, conditioner, estimator = prior.recurrence, prior.conditioner, prior.estimator
    past = {name: values.detach() for name, values in state.items()}
    target, steps = chunk.rolls[chunk.mask], int(chunk.mask.sum())

    def outputs() -> Outputs:
        heard, _ = recurrence.sequence(chunk.rolls, past)
        before = torch.cat([recurrence.output(past)[:, None], heard], 1)[:, :-1][chunk.mask]
        return Outputs(estimator.logits(target, conditioner(before)), before, 1 / steps)

    def cost() -> Tensor:
        logits = outputs().logits
        return (F.softplus(logits) - target * logits).sum() / steps

    value = optimizer.step(cost, outputs)
    with torch.no_grad():
        _, after = recurrence.sequence(chunk.rolls, past)
    return -value, after
