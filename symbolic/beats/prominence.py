"""How a chord stands out: how long nothing has been as low, as high or as loud, and whether harmony changes.

Is: features of chords against their neighbours in time, in any number of notes before and after.
Is not: what a chord is by itself, and the chords' distances (symbolic.beats.chords).
"""

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 48  # chords before, and after, among which the last as prominent is looked for
CHANGES = (0.5, 1.0, 2.0)  # seconds before and after a chord, whose pitch classes are compared

Column = NDArray[np.float64]


def since_as_much(time: Column, value: Column) -> tuple[Column, Column]:
    """(C,) seconds since a chord of a value as large as each one's, and until the next; else infinite.

    time: (C,) seconds, increasing.
    value: (C,) pitch, loudness or the like.

    >>> import numpy as np
    >>> from symbolic.beats.prominence import since_as_much
    >>> before, after = since_as_much(np.array([0.0, 1.0, 3.0]), np.array([5.0, 2.0, 4.0]))
    >>> before.tolist(), after.tolist()
    ([inf, 1.0, 3.0], [inf, 2.0, inf])
    """
    before, after = np.full((2, len(time)), np.inf)
    for by in range(min(len(time) - 1, NEIGHBOURS), 0, -1):  # the nearest is the last to be written
        distance = time[by:] - time[:-by]
        before[by:] = np.where(value[:-by] >= value[by:], distance, before[by:])
        after[:-by] = np.where(value[by:] >= value[:-by], distance, after[:-by])
    return before, after


def mean_near(column: Column, time: Column, near: float) -> Column:
    """(C,) the mean of a column (C,) over the chords within `near` seconds of each."""
    first, stop = np.searchsorted(time, time - near), np.searchsorted(time, time + near, side="right")
    sums = np.concatenate([[0.0], column.cumsum()])
    return np.asarray((sums[stop] - sums[first]) / (stop - first))


def changes(time: Column, chroma: NDArray[np.float64]) -> list[Column]:
    """(C,) cosine of the pitch classes (C, 12) before each chord and from it on, within each of CHANGES."""
    sums = np.concatenate([np.zeros((1, 12)), chroma.cumsum(axis=0)])
    now, columns = np.arange(len(time)), []
    for span in CHANGES:
        past = sums[now] - sums[np.searchsorted(time, time - span)]
        future = sums[np.searchsorted(time, time + span)] - sums[now]
        norms = np.linalg.norm(past, axis=1) * np.linalg.norm(future, axis=1)
        columns.append((past * future).sum(axis=1) / np.maximum(1e-6, norms))
    return columns
