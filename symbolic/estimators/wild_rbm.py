"""RBM whose training looks for probability where the data never are.

Is: contrastive divergence (CD) some of whose chains begin anywhere; the estimator is otherwise `rbm.Rbm`.
Is not: the energy, the chains, or samples (estimators.rbm).

CD's chains begin at the data and end near them, so nothing keeps the energy up elsewhere: a long training
can leave a mode with dozens of keys on that outweighs all music, and annealed importance sampling that begins
near the music seldom meets it, which makes the likelihood look better than it is. Chains from anywhere fall
into such a mode at once, and so raise its energy.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.rbm import Rbm, RbmOptions, contrastive_divergence


@dataclass(frozen=True, kw_only=True)
class WildRbmOptions(RbmOptions):
    """What training has beyond CD-k."""

    anywhere: float = 0.0  # share of the chains that begin at a step drawn with any number of keys

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.anywhere <= 1:
            raise NotebeamError("RbmOptions.anywhere", self.anywhere, "a share in 0..1")


class WildRbm(Rbm):
    """RBM that learns by CD, a share of whose chains begin anywhere."""

    def __init__(self, visible: int, options: WildRbmOptions) -> None:
        super().__init__(visible, options)
        self.anywhere = options.anywhere

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        if not self.anywhere:
            return super().objective(step, biases, generator)
        visible_bias, hidden_bias = self.split(biases)
        start = scattered(step, self.anywhere, generator)
        count = self.options.gibbs
        return contrastive_divergence(step, visible_bias, hidden_bias, self.weight, generator, count, start)


def scattered(step: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Steps (N, D), about `share` of them replaced by ones of a density, 0..1, that is drawn for each."""
    one_each = torch.rand(2, len(step), 1, generator=generator, dtype=step.dtype, device=step.device)
    uniform = torch.rand(step.shape, generator=generator, dtype=step.dtype, device=step.device)
    return torch.where(one_each[0] < share, (uniform < one_each[1]).to(step.dtype), step)
