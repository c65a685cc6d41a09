"""What the notes around a note tell of its velocity.

Is: numbers of each note of a transcription, from onsets, pitches, confidences and estimated velocities.
Is not: what follows from them (dynamics.model), which is learnt.

A velocity is estimated through the partials of everything that sounds, with more error than the notes of a
chord or a phrase differ by; their mean has less. Which mean tells most is left to the model: of the chord, of
the last half second, of the same key, of the voice around the pitch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.notes import Notes
from symbolic.pitch import KEYS, LOWEST

TOGETHER = 0.035  # seconds within which notes are one chord
NEIGHBOURS = 64  # notes on either side, in time, that are looked at
BLOCK = 1024  # notes at a time, whose neighbours lie side by side
FAR = 4.0  # seconds beyond which nothing is told apart
# Notes that count less the further they are: seconds, semitones (None: whatever their pitch).
AROUND = ((0.15, None), (0.5, None), (2.0, None), (8.0, None), (0.3, 4.0), (1.0, 4.0), (4.0, 4.0))
SAME_KEY = (0.5, 3.0, 8.0)  # seconds
SIDE = 0.5  # seconds, of what comes before and what comes after
OCTAVE, OCTAVE_SECONDS = 12, 1.0
LEAST, MOST = 0.01, 0.99  # confidence that is told apart
MEANS = 3 + len(AROUND) + len(SAME_KEY) + 4
NUMBERS = 1 + 2 * MEANS + 11

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Of n notes the M nearest in their order, and themselves; all (n, M)."""

    late: Floats  # seconds after the note
    above: Floats  # semitones above it
    level: Floats  # velocity / 127, of the mean of all
    weight: Floats  # confidence; 0 of the note itself and beyond the ends


def company(notes: Notes) -> NDArray[np.float32]:
    """(N, NUMBERS) of N notes; velocities count from the mean of all, in units of 127.

    >>> from symbolic.notes import Notes
    >>> alone = Notes.make(onset=[0.0], offset=[1.0], pitch=[60], velocity=[70])
    >>> company(alone).shape
    (1, 46)
    """
    result = np.empty((len(notes), NUMBERS), dtype=np.float32)
    if len(notes):
        level = relative_level(notes)
        for rows, near in _neighbours(notes, level):
            result[rows] = _numbers(notes, rows, level, near)
    return result


def relative_level(notes: Notes) -> Floats:
    """(N,) velocities / 127, of their mean."""
    level = notes.velocity / 127.0
    return np.asarray(level - level.mean())


def _confidence(notes: Notes) -> Floats:
    given = np.ones(len(notes)) if notes.confidence is None else notes.confidence.astype(np.float64)
    return given.clip(LEAST, MOST)


def _neighbours(notes: Notes, level: Floats) -> Iterator[tuple[slice, Neighbours]]:
    count, trust = len(notes), _confidence(notes)
    steps = np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    for first in range(0, count, BLOCK):
        rows = slice(first, min(first + BLOCK, count))
        at = np.arange(rows.start, rows.stop)[:, None] + steps
        there = (at >= 0) & (at < count) & (steps != 0)
        at = at.clip(0, count - 1)
        yield (
            rows,
            Neighbours(
                late=np.where(there, notes.onset[at] - notes.onset[rows, None], np.inf),
                above=(notes.pitch[at] - notes.pitch[rows, None]).astype(np.float64),
                level=level[at],
                weight=trust[at] * there,
            ),
        )


def _numbers(notes: Notes, rows: slice, level: Floats, near: Neighbours) -> Floats:
    together = np.abs(near.late) <= TOGETHER
    apart, there = ~together, near.weight > 0
    chord = [together, together & (near.above > 0), together & (near.above < 0)]
    around = [apart * _bell(near.late, seconds) * _nearness(near.above, keys) for seconds, keys in AROUND]
    again = [apart * (near.above == 0) * _bell(near.late, seconds) for seconds in SAME_KEY]
    side = _bell(near.late, SIDE)
    octave = _bell(near.late, OCTAVE_SECONDS)
    others = [
        side * (near.late > TOGETHER),
        side * (near.late < -TOGETHER),
        octave * (near.above == OCTAVE),
        octave * (near.above == -OCTAVE),
    ]
    means = [number for weight in (*chord, *around, *again, *others) for number in _mean(weight, near)]
    trust = _confidence(notes)[rows]
    struck = np.where(together & there, near.above, 0.0)
    own = [
        (notes.pitch[rows] - LOWEST) / (KEYS - 1),
        np.log(trust / (1 - trust)),
        *((weight & there).sum(axis=1) for weight in chord),
        ((np.abs(near.late) < 1.0) & there).sum(axis=1),
        struck.max(axis=1),
        struck.min(axis=1),
        _since(-near.late, apart & there),
        _since(near.late, apart & there),
        _since(-near.late, apart & there & (near.above == 0)),
    ]
    return np.stack([level[rows], *means, *own], axis=1)


def _bell(distance: Floats, width: float) -> Floats:
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


def _nearness(above: Floats, semitones: float | None) -> Floats | float:
    return 1.0 if semitones is None else _bell(above, semitones)


def _mean(weight: Floats | NDArray[np.bool_], near: Neighbours) -> tuple[Floats, Floats]:
    """(n,) mean level of the neighbours, drawn to 0 where few count; and how much they count, 0..1."""
    weight = weight * near.weight
    total = weight.sum(axis=1)
    return (weight * near.level).sum(axis=1) / (total + 1), total / (total + 1)


def _since(seconds: Floats, which: NDArray[np.bool_]) -> Floats:
    """(n,) least of the seconds above 0, FAR at most."""
    return np.asarray(np.where(which & (seconds > 0), seconds, FAR).min(axis=1).clip(max=FAR))
