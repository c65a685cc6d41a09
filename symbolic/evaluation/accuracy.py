"""Accuracies of predicted rolls: that of the 2012 tables, and Bay's.

Is: both definitions on bool tensors, their expectation under a prior, and Bay's for one roll.
Is not: scores of notes in time (transcribe.scoring), or likelihood (evaluation.likelihood).

ACC12: mean over steps of TP / max(predicted, true keys), 1 where both are none. Bay et al. 2009: TP, FP and
FN each summed over all steps, then TP / (TP + FP + FN). The tables of Boulanger-Lewandowski et al. 2012 cite
the second and print the first: for random keys only the first gives their figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.evaluation.likelihood import padded_batches
from symbolic.priors.base import Prior
from symbolic.state import select

Roll = NDArray[np.bool_]  # (T, D)


@dataclass(frozen=True)
class Accuracies:
    """Expected accuracies, 0..1, of steps drawn given the true past."""

    acc12: float
    bay: float


class Tally:
    """Both accuracies over any number of (predicted, true) steps."""

    def __init__(self) -> None:
        self.acc12_sum, self.steps = 0.0, 0
        self.hits, self.union = 0, 0

    def add(self, predicted: Tensor, true: Tensor) -> None:
        """Count steps (N, D) 0/1."""
        hits = (predicted * true).sum(1)
        most = torch.maximum(predicted.sum(1), true.sum(1))
        # Nothing predicted and nothing there is all right.
        self.acc12_sum += float(torch.where(most > 0, hits / most.clamp(min=1), 1.0).double().sum())
        self.steps += len(true)
        self.hits += int(hits.sum())
        self.union += int(torch.maximum(predicted, true).sum())

    def result(self) -> Accuracies:
        """Accuracies of everything added."""
        if not self.steps:
            raise NotebeamError("accuracy", "no steps", "at least one step")
        return Accuracies(self.acc12_sum / self.steps, self.hits / self.union if self.union else 1.0)


def expected_accuracies(
    prior: Prior, rolls: Sequence[Roll], generator: torch.Generator, *, samples: int = 20
) -> Accuracies:
    """Accuracies of `samples` draws of every step of rolls (T, D), each given the true steps before it."""
    if samples < 1:
        raise NotebeamError("expected_accuracies(samples)", samples, "an integer >= 1")
    tally = Tally()
    with torch.inference_mode():
        for batch, mask in padded_batches(rolls):
            state = prior.initial_state(len(batch))
            for t in range(batch.shape[1]):
                live = mask[:, t].nonzero()[:, 0]
                drawn = prior.draws(select(state, live), generator, samples)
                tally.add(drawn, batch[live, t].repeat_interleave(samples, 0))
                state = prior.advance(state, batch[:, t])
    return tally.result()


def bay_accuracy(predicted: Roll, true: Roll) -> float:
    """Bay's accuracy of one roll (T, D) against another; 1 where both are silent."""
    if predicted.shape != true.shape:
        raise NotebeamError(
            "bay_accuracy(predicted)", predicted.shape, f"shape {true.shape} of the true roll"
        )
    union = int((predicted | true).sum())
    return int((predicted & true).sum()) / union if union else 1.0
