"""Log-likelihood of rolls under a prior: the one definition, pooled over steps.

Is: the sum over all steps of all pieces of log p(step | steps before) / number of steps, nats. Step 0 counts,
its past being silence; all keys count (Boulanger-Lewandowski et al. 2012; settled by their closed-form rows).
Is not: a mean over pieces, or any other score (evaluation.accuracy).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.priors.protocol import SymbolicPrior

MOST_STEPS = 20_000  # of a padded batch: bounds the memory


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihood of a set of rolls."""

    total: float  # nats
    steps: int

    @property
    def per_step(self) -> float:
        """Nats a step."""
        return self.total / self.steps


def log_likelihood(prior: SymbolicPrior, rolls: Sequence[NDArray[np.bool_]]) -> Likelihood:
    """Exact log-likelihood of rolls (T, D) under a normalised prior."""
    if not prior.is_normalized:
        raise NotebeamError("log_likelihood(prior)", "a prior that leaves out log Z", "a normalised prior")
    total, steps = 0.0, 0
    with torch.inference_mode():
        for batch, mask in padded_batches(rolls):
            # Summed in float64: a long set reaches 1e5 nats, where float32 has lost the second decimal.
            total += float(prior.sequence_log_prob(batch, mask).double().sum())
            steps += int(mask.sum())
    if not steps:
        raise NotebeamError("log_likelihood(rolls)", "no steps", "at least one step")
    return Likelihood(total, steps)


def padded_batches(rolls: Sequence[NDArray[np.bool_]]) -> Iterator[tuple[Tensor, Tensor]]:
    """All rolls as batches (B, T, D) float32 with masks (B, T), like lengths together: little is padding."""
    order = sorted(range(len(rolls)), key=lambda index: len(rolls[index]))
    group: list[NDArray[np.bool_]] = []
    for index in order:
        # The rolls come in rising length: this one would set the length of all.
        if group and (len(group) + 1) * len(rolls[index]) > MOST_STEPS:
            yield _padded(group)
            group = []
        group.append(rolls[index])
    if group:
        yield _padded(group)


def _padded(group: Sequence[NDArray[np.bool_]]) -> tuple[Tensor, Tensor]:
    steps = max(len(roll) for roll in group)
    batch = torch.zeros(len(group), steps, group[0].shape[1])
    mask = torch.zeros(len(group), steps, dtype=torch.bool)
    for row, roll in enumerate(group):
        batch[row, : len(roll)] = torch.from_numpy(roll.astype(np.float32))
        mask[row, : len(roll)] = True
    return batch, mask
