"""Pitches: the piano's ends, concert pitch, names."""

import numpy as np
import pytest

from symbolic import pitch


def test_the_piano_has_88_keys_from_a0_to_c8() -> None:
    assert (pitch.LOWEST, pitch.HIGHEST, pitch.KEYS) == (21, 108, 88)
    assert (pitch.name(21), pitch.name(60), pitch.name(61), pitch.name(108)) == ("A0", "C4", "C#4", "C8")


def test_hertz_doubles_with_every_octave_from_440() -> None:
    assert pitch.hertz([57, 69, 81]).tolist() == [220.0, 440.0, 880.0]
    assert float(pitch.hertz(60)) == pytest.approx(261.6256, abs=1e-4)  # middle C
    assert pitch.pitch_at(pitch.hertz([21, 60.25, 108])).tolist() == pytest.approx([21, 60.25, 108])


def test_key_and_pitch_are_inverse() -> None:
    keys = np.arange(88)
    assert pitch.pitch_of(keys)[0] == 21
    assert (pitch.key_of(pitch.pitch_of(keys)) == keys).all()
