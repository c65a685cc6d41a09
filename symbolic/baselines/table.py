"""The closed-form rows by name: log-likelihood of a classic set's test split, fitted on its training split.

Is: the rows of Boulanger-Lewandowski et al. 2012, table 1, that have a closed form.
Is not: the models (baselines.notes, baselines.frames).
"""

from collections.abc import Callable

import numpy as np

from symbolic.baselines import frames, notes
from symbolic.datasets.classic import ClassicSet

Row = Callable[[ClassicSet], float]


def note_n_gram(data: ClassicSet, order: int) -> float:
    """Nats a step of the note N-gram; published with the order 10, 14, 10, 8 on P, N, M, J."""
    table = notes.note_n_gram(data.train, order)
    return _mean([notes.note_n_gram_log_prob(roll, table) for roll in data.test])


def _random(data: ClassicSet) -> float:
    return _mean([notes.random_log_prob(roll) for roll in data.test])


def _note_1_gram(data: ClassicSet) -> float:
    on = notes.key_frequencies(data.train)
    return _mean([notes.independent_log_prob(roll, on) for roll in data.test])


def _note_1_gram_iid(data: ClassicSet) -> float:
    on = notes.density(data.train)
    return _mean([notes.independent_log_prob(roll, on) for roll in data.test])


def _previous(data: ClassicSet) -> float:
    flip = notes.flip_rate(data.train)
    return _mean([notes.copying_log_prob(roll, flip) for roll in data.test])


def _mean(steps: list[notes.Steps]) -> float:
    """Pooled over the steps of all pieces, not a mean over pieces."""
    return float(np.concatenate(steps).mean())


BASELINES: dict[str, Row] = {
    "random": _random,
    "note 1-gram": _note_1_gram,
    "note 1-gram (IID)": _note_1_gram_iid,
    "1-gram (add-p)": lambda data: float(frames.AddP(data.train, data.valid).log_prob(data.test).mean()),
    "1-gram (Gaussian)": lambda data: float(
        frames.Kernel(data.train, data.valid, 1).log_prob(data.test).mean()
    ),
    "previous + Gaussian": _previous,
    "N-gram (add-p)": lambda data: float(
        frames.BigramAddP(data.train, data.valid).log_prob(data.test).mean()
    ),
    "N-gram (Gaussian)": lambda data: float(
        frames.Kernel(data.train, data.valid, 2).log_prob(data.test).mean()
    ),
    # The order that validation prefers for three of the four sets.
    "note N-gram (N = 10)": lambda data: note_n_gram(data, 10),
}
