"""How well a prior predicts the next step of sequences other than music: squared error, one step ahead.

Is: the error of video and motion capture in the literature, for priors that are a `RecurrentPrior`.
Is not: a likelihood (evaluation.likelihood), or the accuracy of rolls (evaluation.accuracy).

v_t is predicted from the steps before it: by an RBM's visible mean after Gibbs steps that start from v_{t-1}
(50 in Boulanger-Lewandowski et al. 2012, section 6), by the mean of another estimator's samples. The error is
|v_t - prediction|^2, summed over the D numbers of a step, in the unit of the data; its mean is over the steps
t >= 1 of all sequences together: the first step of a sequence has nothing before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.protocol import Chain
from symbolic.evaluation.likelihood import padded_batches
from symbolic.priors.recurrent import RecurrentPrior

# Of a batch (B, T, D) and its mask (B, T): the predictions (M, D) of the M real steps t >= 1, in their order.
Predict = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class PredictionOptions:
    """How the next step is predicted."""

    gibbs: int = 50  # steps of an RBM's chain
    draws: int = 1  # chains, or samples of another estimator, whose mean is the prediction
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("gibbs", "draws"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise NotebeamError(f"PredictionOptions.{name}", value, "an integer >= 1")


@dataclass(frozen=True)
class PredictionError:
    """Mean squared error of the steps t >= 1 of a set."""

    by_dimension: NDArray[np.float64]  # (D,)
    steps: int

    @property
    def per_step(self) -> float:
        """Summed over the numbers of a step: "squared error per frame"."""
        return float(self.by_dimension.sum())

    @property
    def per_dimension(self) -> float:
        """Averaged over the numbers of a step."""
        return float(self.by_dimension.mean())


def prediction_error(
    prior: RecurrentPrior, sequences: Sequence[NDArray[Any]], options: PredictionOptions | None = None
) -> PredictionError:
    """Error of a prior one step ahead on sequences (T, D), in the unit in which it was trained."""
    options = options or PredictionOptions()
    generator = torch.Generator().manual_seed(options.seed)

    def predict(batch: Tensor, mask: Tensor) -> Tensor:
        biases, _ = prior.chunk_biases(prior.initial_state(len(batch)), batch, mask)
        later = _later(mask)
        return predicted(prior, biases[later[mask]], batch.roll(1, 1)[later], generator, options)

    return error_of(predict, sequences)


def predicted(
    prior: RecurrentPrior,
    biases: Tensor,
    before: Tensor,
    generator: torch.Generator,
    options: PredictionOptions,
) -> Tensor:
    """(N, D) predictions of the steps whose biases are (N, P) and whose last steps before are (N, D)."""
    total = torch.zeros_like(before)
    for _ in range(options.draws):
        # Only the RBMs have a mean: the others are sampled exactly, without a start.
        estimator = prior.estimator
        if isinstance(estimator, Chain):
            total += estimator.mean(biases, generator, start=before, gibbs=options.gibbs)
        else:
            total += estimator.sample(biases, generator)
    return total / options.draws


@torch.no_grad()
def error_of(predict: Predict, sequences: Sequence[NDArray[Any]]) -> PredictionError:
    """Error of any predictions on sequences (T, D)."""
    squared, steps = np.zeros(()), 0
    for batch, mask in padded_batches(sequences):
        target = batch[_later(mask)]
        difference = (target - predict(batch, mask)).double()
        squared = squared + difference.square().sum(0).numpy()
        steps += len(target)
    if not steps:
        raise NotebeamError("error_of(sequences)", "no step with another before it", "at least one")
    return PredictionError(squared / steps, steps)


def _later(mask: Tensor) -> Tensor:
    """(B, T) the real steps but the first of each sequence."""
    later = mask.clone()
    later[:, 0] = False
    return later
