"""Tunes of chorales: what counts as the same one."""

import numpy as np

from benchmarks.shared_tunes import SAME, likeness, tune_of
from symbolic.datasets.classic import read_classic


def roll_of(*chords: tuple[int, ...]) -> np.ndarray:
    roll = np.zeros((len(chords), 88), dtype=np.uint8)
    for step, chord in enumerate(chords):
        roll[step, list(chord)] = 1
    return roll


def test_a_tune_is_the_highest_voice_without_rests_repetitions_and_key() -> None:
    tune = roll_of((20, 40), (25, 40), (), (20, 42), (39,))
    higher = roll_of((43,), (30, 45), (45,), (42,))
    assert tune_of(tune) == tune_of(higher) == (2, -3)


def test_likeness_is_of_the_nearest_tune() -> None:
    tune = (2, 2, 1, -1, -2, -2, 5, -1, 1, 3)
    ornamented = (*tune[:4], 1, *tune[4:])
    assert likeness(tune, [tune[::-1], tune]) == 1
    assert SAME < likeness(tune, [tune[::-1], ornamented]) == 20 / 21
    assert likeness(tune, [(7, 7, 7)]) == 0


def test_most_test_chorales_share_a_tune_with_training() -> None:
    data = read_classic("jsb")
    training = [tune_of(roll) for roll in data.train]
    alike = [likeness(tune_of(roll), training) >= SAME for roll in data.test[:12]]
    assert 4 <= sum(alike) <= 11
