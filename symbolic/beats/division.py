"""Whether a beat is two parts or three: by where, between the beats found, notes begin."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

THIRDS, HALVES = np.array([1 / 3, 2 / 3]), np.array([1 / 4, 1 / 2, 3 / 4])  # places within a beat
NEAR = 0.05  # of a beat, either way
# By ASAP's training compositions; its validation compositions agree. Notes a little late look like thirds.
MORE = 1.5  # times as many onsets at thirds as at halves and quarters
FEWEST = 0.1  # of them, a beat


def division_of(beats: NDArray[np.float64], onset: NDArray[np.float64]) -> Literal[2, 3]:
    """3 where onsets (C,) lie at thirds of the beats (N,), both in seconds; else 2.

    Where nothing is played between the beats they are simple ones.

    >>> import numpy as np
    >>> from symbolic.beats.division import division_of
    >>> division_of(np.arange(8.0), np.arange(0, 7, 1 / 3)), division_of(np.arange(8.0), np.arange(0, 7, 0.5))
    (3, 2)
    """
    if len(beats) < 2:
        return 2
    onset = onset[(onset >= beats[0]) & (onset < beats[-1])]
    at = np.searchsorted(beats, onset, side="right") - 1
    place = (onset - beats[at]) / np.diff(beats)[at]
    thirds, halves = (
        np.sum(np.abs(place[:, None] - places).min(axis=1) < NEAR) for places in (THIRDS, HALVES)
    )
    return 3 if thirds > MORE * halves and thirds > FEWEST * len(beats) else 2
