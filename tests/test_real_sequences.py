"""The simple predictions beside which the benchmark of real-valued sequences sets the priors; its configs."""

import numpy as np
import pytest

from benchmarks.lib.training_queue import CONFIGS
from benchmarks.real_sequences import PUBLISHED, ROWS, copied, linear_error
from symbolic.datasets.motion import RealSet
from symbolic.evaluation.prediction import error_of
from symbolic.training.config import read_config


def rotations(count: int, steps: int, seed: int) -> list[np.ndarray]:
    """Points that turn by 0.3 a step around (1, 2): a linear map with a constant."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    points = np.random.default_rng(seed).standard_normal((count, 2))
    found = [points]
    for _ in range(steps - 1):
        found.append(found[-1] @ turn.T)
    return [np.stack([p[i] for p in found]).astype(np.float32) + np.float32([1, 2]) for i in range(count)]


def test_a_linear_motion_is_predicted_by_the_linear_map_and_copied_with_its_own_step() -> None:
    data = RealSet(rotations(20, 30, 0), [], [rotations(1, n, n)[0] for n in (5, 9)])
    assert linear_error(data).per_step < 1e-5
    steps = [np.diff(sequence, axis=0) for sequence in data.test]
    expected = np.concatenate([(step**2).sum(1) for step in steps]).mean()
    assert error_of(copied, data.test).per_step == pytest.approx(expected, rel=1e-4)


def test_every_row_has_a_config_of_its_name_and_a_published_error() -> None:
    assert set(PUBLISHED) == set(ROWS)
    for row in ROWS:
        config = read_config(CONFIGS / f"{row}.toml")
        assert row == f"{config.model}-{config.name}" and config.name.startswith(config.data.set)
