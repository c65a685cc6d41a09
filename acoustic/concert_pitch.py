"""How far a recording lies above or below A4 = 440 Hz.

Is: an estimate from the peaks of its spectrum, within half a semitone either way.
Is not: the shift of the spectra that it calls for (features).

The idea is that of librosa's `estimate_tuning`; the mean here is one around the circle of a semitone, so that
a recording that lies just above +50 cents and just below -50 cents is not taken for one in tune, and
librosa, slow to import, is not needed for a command that takes seconds.
"""

import math

import numpy as np
import torch

from acoustic.audio import Samples
from symbolic.pitch import pitch_at

WINDOW_SECONDS = 0.5  # lines of 2 Hz, between which peaks are interpolated
BAND_HZ = (100.0, 1500.0)  # below, lines are wider than cents; above, strings are stiff
FAINT = 0.05  # of a frame's loudest line in the band: peaks below it are not counted
SILENCE = 1e-7  # amplitude of a line below which nothing is
BLOCK_SECONDS = 60.0  # looked at together: memory stays bounded
AGREEMENT = 0.2  # length of the mean, 1 where all peaks agree: below it nothing is in tune with anything


class Tuning:
    """The estimate over a recording of any length, block by block.

    A moment whose peaks agree on a tuning counts more than applause, speech or noise, whose peaks do not.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._parts: list[Samples] = []  # not looked at yet
        self._sum, self._weight = 0j, 0.0

    def add(self, block: Samples) -> None:
        """Samples (S,) that follow those before, however many."""
        most = round(BLOCK_SECONDS * self.rate_hz)
        for first in range(0, len(block), most):
            self._parts.append(block[first : first + most])
            if sum(map(len, self._parts)) >= most:
                self._look()

    @property
    def cents(self) -> float:
        """See `estimate_cents`; of all that was added."""
        self._look()
        if abs(self._sum) <= AGREEMENT * self._weight:
            return 0.0
        return float(100 * np.angle(self._sum) / (2 * math.pi))

    def _look(self) -> None:
        if self._parts:
            total, weight = _agreed(np.concatenate(self._parts), self.rate_hz)
            self._sum, self._weight = self._sum + total, self._weight + weight
        self._parts = []


def estimate_cents(audio: Samples, rate_hz: int) -> float:
    """Cents above A4 = 440 Hz, -50 to 50, of audio (S,); 0 where no pitch stands out.

    A few cents low for tones with many partials: the fifth and the seventh lie 14 and 31 below their keys.
    """
    tuning = Tuning(rate_hz)
    tuning.add(audio)
    return tuning.cents


def _agreed(audio: Samples, rate_hz: int) -> tuple[complex, float]:
    """Sum over moments of their mean around the circle of a semitone, and of the weights of these means."""
    size = 2 ** round(math.log2(WINDOW_SECONDS * rate_hz))
    taper = torch.hann_window(size)
    spectrum = torch.stft(
        torch.from_numpy(audio), size, size // 2, window=taper, pad_mode="constant", return_complex=True
    )
    lowest, highest = (round(hertz * size / rate_hz) for hertz in BAND_HZ)
    # (lines, T) from the one below the lowest to the one above the highest; 1 for a full-scale sine
    level = (spectrum[lowest - 1 : highest + 2].abs() / (taper.sum() / 2)).numpy()
    below, middle, above = level[:-2], level[1:-1], level[2:]
    loud = middle > np.maximum(FAINT * middle.max(axis=0, keepdims=True), SILENCE)
    line, moment = np.nonzero(loud & (middle > below) & (middle >= above))
    # The top of a parabola through log levels.
    left, top, right = (
        np.log(part[line, moment].astype(np.float64) + 1e-12) for part in (below, middle, above)
    )
    place = lowest + line + (left - right) / (2 * (left - 2 * top + right))
    angle = 2 * math.pi * pitch_at(place * rate_hz / size)
    count = middle.shape[1]
    weight = np.bincount(moment, middle[line, moment], minlength=count)
    across, up = (
        np.bincount(moment, middle[line, moment] * part, minlength=count)
        for part in (np.cos(angle), np.sin(angle))
    )
    mean = across + 1j * up
    agreement = np.abs(mean) / np.maximum(weight, 1e-12)
    return complex((agreement * mean).sum()), float((agreement * weight).sum())
