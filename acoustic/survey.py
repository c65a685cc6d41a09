"""A first pass over a recording: how loud it is and how it is tuned, its samples kept for the second pass.

Is: measures of the whole recording, in bounded memory; samples without offset and at one level.
Is not: reading (audio), or what the network makes of the samples (inference).
"""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

import numpy as np
from numpy.typing import NDArray

from acoustic.audio import Samples
from acoustic.concert_pitch import Tuning

IN_MEMORY = 64 << 20  # bytes of samples, 17 minutes; a longer recording lies in a temporary file
BLOCK_SAMPLES = 160_000  # samples that are given back at once
FRAME = 320  # samples over which a level is measured
# Full scale 1; the middle of what the networks are trained on, and what nothing is raised by more than.
LEVEL = 10 ** (-27 / 20)
MOST_GAIN = 10 ** (55 / 20)  # beyond it lies the noise of 16 bits
# A thump must not set the level: no frame counts as more than OUTLIER times the one that is the last of the
# loudest SHARE, or the last of FEW, which no thump is as long as.
OUTLIER, SHARE, FEW = 5.0, 0.003, 12


class Survey:
    """Mono blocks of one recording, kept and measured; to be closed, as a context manager does."""

    def __init__(self, rate_hz: int, *, tuning: bool) -> None:
        """tuning: whether to estimate it."""
        self.tuning = Tuning(rate_hz) if tuning else None
        self._file = SpooledTemporaryFile(IN_MEMORY)
        self._rest = np.zeros(0, dtype=np.float32)  # less than a frame, not measured yet
        self._sum, self.count = 0.0, 0  # of samples, and how many there are
        self._energy: list[NDArray[np.float64]] = []  # variance of each frame, block by block

    def __enter__(self) -> "Survey":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, block: Samples) -> None:
        """Samples (S,) that follow those before."""
        self._file.write(np.ascontiguousarray(block, dtype=np.float32).data)
        self._sum, self.count = self._sum + float(block.sum(dtype=np.float64)), self.count + len(block)
        if self.tuning is not None:
            self.tuning.add(block)
        whole = np.concatenate([self._rest, block])
        frames = len(whole) // FRAME
        self._rest = whole[frames * FRAME :]
        self._energy.append(whole[: frames * FRAME].reshape(frames, FRAME).var(axis=1, dtype=np.float64))

    @property
    def level(self) -> float:
        """Root mean square of what sounds, full scale 1: a moment counts by its energy, silence not."""
        return level_of(np.concatenate([*self._energy, np.zeros(0)]))

    @property
    def gain(self) -> float:
        """The factor that brings the recording to `LEVEL`."""
        level = self.level
        return min(LEVEL / level, MOST_GAIN) if level else 1.0

    def blocks(self) -> Iterator[Samples]:
        """The samples again, without their mean and with the gain."""
        gain, offset = np.float32(self.gain), np.float32(self._sum / max(1, self.count))
        self._file.seek(0)
        while data := self._file.read(4 * BLOCK_SAMPLES):
            yield (np.frombuffer(data, dtype=np.float32) - offset) * gain


def level_of(energy: NDArray[np.float64]) -> float:
    """The level of frames of these energies (n,), full scale 1, whatever a few loud moments have."""
    sounding = energy[energy > 0]
    if not len(sounding):
        return 0.0
    rank = max(min(FEW, len(sounding) // 4), int(SHARE * len(sounding)), 1)
    usual = np.partition(sounding, -rank)[-rank]
    counted = np.minimum(sounding, OUTLIER * usual)
    return float((np.square(counted).sum() / counted.sum()) ** 0.5)
