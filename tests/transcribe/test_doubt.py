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


def test_a_voice_is_not_a_piano() -> None:
    time = np.arange(24_000) / 16_000
    swell, vibrato = np.sin(np.pi * time / 1.5), 0.01 * np.sin(2 * np.pi * 5 * time) / (2 * np.pi * 5)
    sung = np.zeros(0)
    for hertz in [262.0, 330.0, 392.0, 523.0, 294.0, 349.0, 440.0] * 3:
        voices = (hertz * detuned * h for detuned in (1, 1.005) for h in range(1, 6))
        sung = np.append(
            sung, swell * sum(np.sin(2 * np.pi * f * (time + vibrato)) * hertz / f for f in voices)
        )
    notices: list[str] = []
    Transcriber(prior=None)(0.05 * sung, 16_000, notice=notices.append)
    assert len(notices) == 1 and "not the sound of a piano" in notices[0]
    notices.clear()
    Transcriber(prior=None)(EXAMPLE, notice=notices.append)
    assert notices == []
