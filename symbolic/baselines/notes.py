"""Closed-form models that treat every key alone, and the form of all models that do.

Is: random, note 1-gram, note 1-gram (IID), previous + Gaussian, note N-gram of Boulanger-Lewandowski et al.
2012, table 1, as functions of training rolls.
Is not: models of whole frames (baselines.frames), or the list of all rows (baselines.table).

Rolls are (T, D) bool; before the first step all keys are off. Log-probabilities are in nats.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from symbolic.baselines.protocol import Roll, Steps

Probs = NDArray[np.float64]  # (T, D) that a key is on


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


def contexts(roll: Roll, order: int) -> NDArray[np.int64]:
    """(T, D) the `order` - 1 values of the key before each step, the latest as the lowest bit."""
    code = np.zeros(roll.shape, dtype=np.int64)
    earlier = roll
    for bit in range(order - 1):
        earlier = previous(earlier)
        code |= earlier.astype(np.int64) << bit
    return code


def n_gram_table(train: Sequence[Roll], order: int) -> NDArray[np.float64]:
    """(D, 2**(order - 1)) probability that a key is on after each context, add-one smoothed."""
    keys = np.arange(train[0].shape[1])
    counts = np.ones((2, len(keys), 2 ** (order - 1)))  # off, on
    for roll in train:
        np.add.at(counts, (roll.astype(np.int64), keys[None], contexts(roll, order)), 1)
    return np.asarray(counts[1] / counts.sum(0))


class KeyModel:
    """Keys independent of each other given the past; `on` tells each one's probability after it."""

    def __init__(self, on: Callable[[Roll], Probs], settings: Mapping[str, int | float]) -> None:
        self.on, self.settings = (
            on,
            settings,
        )  # on: (T, D) roll -> (T, D), of which row t depends on rows < t alone

    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) nats."""
        return np.concatenate([independent_log_prob(roll, self.on(roll)) for roll in rolls])

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): a draw of every step."""
        on = np.concatenate([self.on(roll) for roll in rolls])
        for _ in range(count):
            yield rng.random(on.shape, dtype=np.float32) < on


def uniform() -> KeyModel:
    """Random: every key is on with probability 1/2."""
    return KeyModel(lambda roll: np.full(roll.shape, 0.5), {})


def note_1_gram(train: Sequence[Roll]) -> KeyModel:
    """Every key as often as in training."""
    frequency = key_frequencies(train)
    return KeyModel(lambda roll: np.broadcast_to(frequency, roll.shape), {})


def note_1_gram_iid(train: Sequence[Roll]) -> KeyModel:
    """Every key as often as the average key in training."""
    on = density(train)
    return KeyModel(lambda roll: np.full(roll.shape, on), {"density": on})


def copying(train: Sequence[Roll]) -> KeyModel:
    """Previous + Gaussian: the step before, each key flipped as often as the average key in training."""
    flip = flip_rate(train)
    return KeyModel(lambda roll: np.where(previous(roll), 1 - flip, flip), {"flip": flip})


def note_n_gram(train: Sequence[Roll], order: int) -> KeyModel:
    """Every key after its own last `order` - 1 values."""
    table = n_gram_table(train, order)
    keys = np.arange(train[0].shape[1])[None]
    return KeyModel(lambda roll: table[keys, contexts(roll, order)], {"order": order})


def chosen_note_n_gram(train: Sequence[Roll], valid: Sequence[Roll]) -> KeyModel:
    """The note N-gram of the order, up to 16, that predicts the validation rolls best."""
    return max(
        (note_n_gram(train, order) for order in range(2, 17)), key=lambda model: model.log_prob(valid).mean()
    )
