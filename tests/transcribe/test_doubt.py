"""Onset probabilities of what is no piano are said to be none."""

from pathlib import Path

import numpy as np
import pytest

from transcribe.doubt import FEW, doubt, warning
from transcribe.pipeline import Transcriber

EXAMPLE = Path(__file__).parents[2] / "examples" / "gymnopedie.flac"


def strikes(probabilities: list[float]) -> np.ndarray:
    """(T, 88) a peak of each probability, far apart."""
    onset = np.zeros((10 * len(probabilities), 88), dtype=np.float32)
    onset[5::10, 40] = probabilities
    return onset


@pytest.mark.parametrize(("probability", "expected"), [(1.0, 0.0), (0.5, 1.0), (0.9, 0.36), (0.05, 0.0)])
def test_doubt_is_the_mean_of_what_is_in_question(probability: float, expected: float) -> None:
    assert doubt(strikes([probability] * FEW)) == pytest.approx(expected, abs=1e-6)
    assert doubt(strikes([probability] * (FEW - 1))) == 0.0


def test_a_share_in_doubt_is_said() -> None:
    assert warning(strikes([0.97] * 30 + [0.3] * 5)) is None
    line = warning(strikes([0.97] * 10 + [0.4] * 10))
    assert line is not None and "50%" in line and "piano" in line


def choir() -> np.ndarray:
    """Five voices in unison that swell, each with a vibrato and a tuning of its own."""
    draw, time = np.random.default_rng(0), np.arange(24_000) / 16_000
    sung = np.zeros(0)
    for hertz in [262.0, 330.0, 392.0, 523.0, 294.0, 349.0, 440.0] * 3:
        note = np.zeros(len(time))
        for _ in range(5):
            detuned, rate, phase = (
                2 ** (draw.normal(0, 0.12) / 12),
                draw.uniform(4.5, 6.5),
                draw.uniform(0, 6),
            )
            bent = time + 0.02 * np.sin(2 * np.pi * rate * time + phase) / (2 * np.pi * rate)
            note += sum(np.sin(2 * np.pi * hertz * detuned * h * bent + h * phase) / h for h in range(1, 6))
        sung = np.append(sung, np.sin(np.pi * time / 1.5) * note)
    return 0.01 * sung


def test_a_choir_is_not_a_piano() -> None:
    notices: list[str] = []
    Transcriber(prior=None)(choir(), 16_000, notice=notices.append)
    assert len(notices) == 1 and "not the sound of a piano" in notices[0]
    notices.clear()
    Transcriber(prior=None)(EXAMPLE, notice=notices.append)
    assert notices == []
