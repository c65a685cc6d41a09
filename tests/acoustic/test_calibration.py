"""Scalings and reliability, against draws whose truth is known."""

import numpy as np
import pytest

from acoustic.calibration import (
    LEAST_TEMPERATURE,
    MOST_BIAS,
    MOST_TEMPERATURE,
    Scaling,
    fit_scaling,
    log_loss,
    reliability,
)
from symbolic.errors import NotebeamError


def drawn(count: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and events that happen as often as they say."""
    draw = np.random.default_rng(0)
    prob = draw.random(count)
    return prob, draw.random(count) < prob


def test_what_is_right_needs_no_scaling() -> None:
    prob, truth = drawn()
    found = fit_scaling(prob, truth)
    assert found.temperature == pytest.approx(1.0, abs=0.02) and found.bias == pytest.approx(0.0, abs=0.02)
    assert reliability(prob, truth).error < 0.01


@pytest.mark.parametrize(("temperature", "bias"), [(0.5, 0.0), (2.0, 0.0), (1.0, -1.0), (1.5, 0.7)])
def test_the_scaling_that_was_taken_away_is_found(temperature: float, bias: float) -> None:
    prob, truth = drawn()
    right = Scaling(temperature=temperature, bias=bias)
    distorted = right.inverse(prob)
    assert reliability(distorted, truth).error > 0.05
    found = fit_scaling(distorted, truth)
    assert found.temperature == pytest.approx(temperature, rel=0.03)
    assert found.bias == pytest.approx(bias, abs=0.03)
    assert np.abs(right(distorted) - prob).max() < 1e-9
    assert log_loss(found(distorted), truth) < log_loss(distorted, truth)
    assert reliability(found(distorted), truth).error < 0.01


def test_scaling_keeps_order_ends_and_type() -> None:
    prob = np.array([0.0, 0.1, 0.5, 0.9, 1.0], dtype=np.float32)
    found = Scaling(temperature=3.0, bias=np.log(2.0))(prob)
    assert found.dtype == np.float32 and (np.diff(found) > 0).all()
    assert found[[0, 2, 4]].tolist() == pytest.approx([0.0, 2 / 3, 1.0])
    assert found[1] == pytest.approx(2 / (2 + 9 ** (1 / 3)))
    bad = [{"temperature": value} for value in (0.0, -1.0, 1e-3, 1000.0, np.nan)]
    for options in [*bad, *({"bias": value} for value in (1000.0, -1000.0, np.inf, np.nan))]:
        with pytest.raises(NotebeamError, match="Scaling"):
            Scaling(**options)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("temperature", [LEAST_TEMPERATURE, MOST_TEMPERATURE])
@pytest.mark.parametrize("bias", [-MOST_BIAS, MOST_BIAS])
def test_every_scaling_that_is_taken_makes_probabilities(temperature: float, bias: float) -> None:
    prob = np.concatenate([np.linspace(0, 1, 1001), 0.1 ** np.arange(1, 40)]).astype(np.float32)
    found = Scaling(temperature=temperature, bias=bias)(prob)
    assert (found >= 0).all() and (found <= 1).all()


def test_a_diagram_counts_everything_once() -> None:
    prob, truth = np.array([0.05, 0.95, 1.0, 0.97]), np.array([False, True, True, False])
    diagram = reliability(prob, truth)
    assert diagram.count.tolist() == [1, 3]
    assert diagram.predicted.tolist() == pytest.approx([0.05, (0.95 + 1.0 + 0.97) / 3])
    assert diagram.observed.tolist() == pytest.approx([0.0, 2 / 3])
