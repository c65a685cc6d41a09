"""What Hessian-free optimisation asks of a prior: its logits and its recurrence's units, over one chunk.

Is: one update by HessianFree of a recurrence with independent or NADE keys.
Is not: the optimiser (training.hessian_free) or the loop. The cost is that of a whole chunk, the curvature
perhaps that of its first rows alone, which costs less and matters less.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.bernoulli import Bernoulli
from symbolic.estimators.nade import Nade
from symbolic.priors.rnn import RnnPrior
from symbolic.state import State
from symbolic.training.hessian_free import HessianFree, Outputs
from symbolic.training.stream import Chunk


def newton_update(
    optimizer: HessianFree, prior: torch.nn.Module, state: State, chunk: Chunk, rows: int
) -> tuple[float, State]:
    """Update on a chunk that follows a state; log-likelihood before it, nats a step, and the state after.

    The curvature is that of the first `rows` rows, 0 for all.
    """
    if (
        not isinstance(prior, RnnPrior)
        or prior.attention is not None
        or not isinstance(prior.estimator, Bernoulli | Nade)
    ):
        expected = "a recurrence, without attention, times bernoulli or nade"
        raise NotebeamError("loop.optimizer", "hessian-free", f"adam or sgd, or for a model {expected}")
    recurrence, conditioner, estimator = prior.recurrence, prior.conditioner, prior.estimator
    past = {name: values.detach() for name, values in state.items()}

    def outputs(count: int) -> Outputs:
        start = {name: values[:count] for name, values in past.items()}
        rolls, mask = chunk.rolls[:count], chunk.mask[:count]
        units, _ = recurrence.sequence(rolls, start)
        before = torch.cat([recurrence.output(start)[:, None], units], 1)[:, :-1][mask]
        return Outputs(estimator.logits(rolls[mask], conditioner(before)), before, 1 / len(before))

    def cost() -> Tensor:
        found = outputs(len(chunk.mask))
        each = F.softplus(found.logits) - chunk.rolls[chunk.mask] * found.logits
        return each.sum() * found.scale

    value = optimizer.step(cost, lambda: outputs(rows or len(chunk.mask)))
    with torch.no_grad():
        _, after = recurrence.sequence(chunk.rolls, past)
    return -value, after
