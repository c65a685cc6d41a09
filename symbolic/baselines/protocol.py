"""What every fitted baseline offers, and the accuracies of all of them by one definition.

Is: the protocol, draws scored by evaluation.accuracy.Tally.
Is not: any model, or the list of them (baselines.table).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from symbolic.evaluation.accuracy import Accuracies, Tally

Roll = NDArray[np.bool_]  # (T, D)
Steps = NDArray[np.float64]  # (T,) nats


class Baseline(Protocol):
    """A fitted distribution of each step of a roll given the steps before it; before the first is silence."""

    @property
    def settings(self) -> Mapping[str, int | float]:
        """What was chosen on validation or counted in training, by name."""
        ...

    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) log-probability, nats, of every step of rolls (T, D), one roll after the other."""
        ...

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): one draw for every step, each given the true steps before it."""
        ...


def thinned(rolls: Sequence[Roll], steps: int) -> Sequence[Roll]:
    """About so many steps at most, of rolls evenly spread over those given."""
    return rolls[:: max(1, round(sum(map(len, rolls)) / steps))]


def drawn_accuracies(baseline: Baseline, rolls: Sequence[Roll], seed: int, *, samples: int) -> Accuracies:
    """Accuracies, 0..1, expected over `samples` draws of every step."""
    rng, tally = np.random.default_rng(seed), Tally()
    true = torch.from_numpy(np.concatenate(rolls).astype(np.float32))
    for draw in baseline.draws(rolls, rng, samples):
        tally.add(torch.from_numpy(draw.astype(np.float32)), true)
    return tally.result()
