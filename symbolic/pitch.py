"""Pitches of the piano: MIDI numbers, keys, hertz, names.

Is: the only place where key 0 is MIDI pitch 21.
Is not: a check of pitches; `symbolic.notes` does that where they enter.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOWEST = 21  # A0
HIGHEST = 108  # C8
KEYS = HIGHEST - LOWEST + 1  # 88

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def hertz(pitch: ArrayLike) -> NDArray[np.float64]:
    """Frequency in Hz of MIDI pitches of any shape, equal temperament, A4 (69) = 440 Hz."""
    return np.asarray(440.0 * 2.0 ** ((np.asarray(pitch, dtype=np.float64) - 69.0) / 12.0))


def pitch_at(hertz: ArrayLike) -> NDArray[np.float64]:
    """MIDI pitch, with fractions of a semitone, of frequencies in Hz: the inverse of `hertz`."""
    return np.asarray(69.0 + 12.0 * np.log2(np.asarray(hertz, dtype=np.float64) / 440.0))


def key_of(pitch: ArrayLike) -> NDArray[np.int64]:
    """Key 0..87 of MIDI pitches 21..108 of any shape."""
    return np.asarray(pitch, dtype=np.int64) - LOWEST


def pitch_of(key: ArrayLike) -> NDArray[np.int64]:
    """MIDI pitch 21..108 of keys 0..87 of any shape."""
    return np.asarray(key, dtype=np.int64) + LOWEST


def name(pitch: int) -> str:
    """Name of a MIDI pitch with its octave: `name(60)` is "C4"."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"
