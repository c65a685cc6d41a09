"""Closed-form models that treat every key alone: log-probabilities of the steps of rolls.

Is: random, note 1-gram, note 1-gram (IID), previous + Gaussian, note N-gram of Boulanger-Lewandowski et al.
2012, table 1, as functions of training rolls.
Is not: models of whole frames (baselines.frames), or the pooled score (baselines.table).

Rolls are (T, D) bool; before the first step all keys are off. Log-probabilities are in nats.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Roll = NDArray[np.bool_]  # (T, D)
Steps = NDArray[np.float64]  # (T,) nats


def random_log_prob(roll: Roll) -> Steps:
    """(T,) every key is on with probability 1/2."""
    return np.full(len(roll), -roll.shape[1] * np.log(2))


def key_frequencies(train: Sequence[Roll]) -> NDArray[np.float64]:
    """(D,) share of the training steps at which each key is on, add-one smoothed."""
    steps = np.concatenate(train)
    return np.asarray((steps.sum(0) + 1) / (len(steps) + 2), dtype=np.float64)


def density(train: Sequence[Roll]) -> float:
    """Share of all keys of all training steps that are on."""
    return float(np.concatenate(train).mean())


def flip_rate(train: Sequence[Roll]) -> float:
    """Share of all keys of all training steps that differ from the step before."""
    return float(np.concatenate([roll ^ previous(roll) for roll in train]).mean())


def previous(roll: Roll) -> Roll:
    """(T, D) the step before each step, silence before the first."""
    return np.concatenate([np.zeros_like(roll[:1]), roll[:-1]])


def independent_log_prob(roll: Roll, on: NDArray[np.float64] | float) -> Steps:
    """(T,) each key on with its own probability `on` (D,), or all with the same."""
    return np.asarray(np.where(roll, np.log(on), np.log1p(-np.asarray(on))).sum(1))


def copying_log_prob(roll: Roll, flip: float) -> Steps:
    """(T,) the step before, each key flipped with probability `flip`: previous + Gaussian."""
    return independent_log_prob(roll ^ previous(roll), flip)


def contexts(roll: Roll, order: int) -> NDArray[np.int64]:
    """(T, D) the `order` - 1 values of the key before each step, the latest as the lowest bit."""
    code = np.zeros(roll.shape, dtype=np.int64)
    earlier = roll
    for bit in range(order - 1):
        earlier = previous(earlier)
        code |= earlier.astype(np.int64) << bit
    return code


def note_n_gram(train: Sequence[Roll], order: int) -> NDArray[np.float64]:
    """(D, 2**(order - 1)) probability that a key is on after each context, add-one smoothed."""
    keys = np.arange(train[0].shape[1])
    counts = np.ones((2, len(keys), 2 ** (order - 1)))  # off, on
    for roll in train:
        np.add.at(counts, (roll.astype(np.int64), keys[None], contexts(roll, order)), 1)
    return np.asarray(counts[1] / counts.sum(0))


def note_n_gram_log_prob(roll: Roll, table: NDArray[np.float64]) -> Steps:
    """(T,) under a table of `note_n_gram`."""
    order = int(np.log2(table.shape[1])) + 1
    on = table[np.arange(roll.shape[1])[None], contexts(roll, order)]
    return np.asarray(np.where(roll, np.log(on), np.log1p(-on)).sum(1))
