"""What the network of beats reads: notes that are struck together, and how they stand to their neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.prominence import CHANGES, changes, mean_near, since_as_much
from symbolic.notes import Notes

TOGETHER = 0.03  # seconds within which notes are struck together
LONGEST, SHORTEST = 4.0, 0.01  # seconds, of gaps and lengths as the network sees them
NEAR = 2.0  # seconds around a chord whose lowest note says what the bass is
BASS = 7  # semitones above the lowest note around that still are bass
SPANS = (2, 3, 4, 6, 8)  # chords, before and after, the time to which is told
MELODY = 4  # semitones below the highest note around that still are melody
PROMINENT = 13 + len(CHANGES)  # features of how a chord stands out
FEATURES = 14 + 2 * len(SPANS) + PROMINENT + 12 + 12


@dataclass(frozen=True, eq=False)
class Chords:
    """C groups of notes that begin together, in time."""

    time: NDArray[np.float64]  # (C,) seconds of the first note
    features: NDArray[np.float32]  # (C, FEATURES)


def chords_of(notes: Notes) -> Chords:
    """Chords: each begins with the first note more than 30 ms after the beginning of the one before."""
    group = groups_of(notes.onset)
    count = int(group[-1]) + 1 if len(group) else 0
    if not count:
        return Chords(np.zeros(0), np.zeros((0, FEATURES), dtype=np.float32))
    first = np.searchsorted(group, np.arange(count))
    time = notes.onset[first]
    size = np.bincount(group, minlength=count)
    length = _log(notes.offset - notes.onset)
    lowest, highest = np.minimum.reduceat(notes.pitch, first), np.maximum.reduceat(notes.pitch, first)
    loudest = np.maximum.reduceat(notes.velocity, first)
    gaps, above = np.diff(time), lowest - _lowest_around(time, lowest)
    usual = np.exp2(2 * _log(_usual_gap(time))) * 0.25
    columns = [
        _log(np.append(LONGEST, gaps)),
        _log(np.append(gaps, LONGEST)),
        size / 4,
        loudest / 64 - 1,
        np.add.reduceat(notes.velocity, first) / size / 64 - 1,
        (lowest - 60) / 24,
        (highest - 60) / 24,
        above / 12,
        np.maximum.reduceat(length, first),
        np.minimum.reduceat(length, first),
        *(_log(gap) for gap in _gaps_between(time, above <= BASS)),
        _log(0.25 * np.append(LONGEST, gaps) / usual),
        _log(0.25 * np.append(gaps, LONGEST) / usual),
        *(_log(span) for span in _spans(time)),
    ]
    chroma, bass = np.zeros((2, count, 12))
    chroma[group, notes.pitch % 12] = 1
    bass[np.arange(count), lowest % 12] = 1
    columns += _prominence(time, lowest, highest, loudest, size)
    columns += [2 * likeness - 1 for likeness in changes(time, chroma)]
    features = np.concatenate([np.stack(columns, axis=1), chroma, bass], axis=1)
    return Chords(time, features.astype(np.float32))


def _prominence(
    time: NDArray[np.float64],
    lowest: NDArray[np.int64],
    highest: NDArray[np.int64],
    loudest: NDArray[np.int64],
    size: NDArray[np.int64],
) -> list[NDArray[np.float64]]:
    """(C,) each: how chords stand out by height, loudness and number of notes."""
    below = -highest - _lowest_around(time, -highest)
    rises = [np.asarray(column, dtype=np.float64) for column in (-lowest, highest, loudest, size)]
    return [
        below / 12,
        *(_log(gap) for gap in _gaps_between(time, below <= MELODY)),
        (rises[2] - mean_near(rises[2], time, NEAR)) / 24,
        (rises[3] - mean_near(rises[3], time, NEAR)) / 2,
        *(_log(gap) for rise in rises for gap in since_as_much(time, rise)),
    ]


def groups_of(onset: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) chord of each note of increasing onsets."""
    group, begins, current = np.zeros(len(onset), dtype=np.int64), -np.inf, -1
    for row, time in enumerate(onset.tolist()):
        if time > begins + TOGETHER:
            begins, current = time, current + 1
        group[row] = current
    return group


def _log(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds as the network sees them: about -2 to 2."""
    return np.log2(np.clip(seconds, SHORTEST, LONGEST) / 0.25) / 2


def _lowest_around(time: NDArray[np.float64], lowest: NDArray[np.int64]) -> NDArray[np.int64]:
    """(C,) lowest pitch of all chords within 2 s of each."""
    first, stop = np.searchsorted(time, time - NEAR), np.searchsorted(time, time + NEAR, side="right")
    # Between each first and stop, and, of no use, between each stop and the next first.
    bounds = np.stack([first, stop], axis=1).ravel()
    return np.asarray(np.minimum.reduceat(np.append(lowest, lowest[-1]), bounds)[::2])


def _usual_gap(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) seconds from one chord to the next, the mean within 2 s of each."""
    first, stop = np.searchsorted(time, time - NEAR), np.searchsorted(time, time + NEAR, side="right") - 1
    return np.asarray((time[stop] - time[first]) / np.maximum(1, stop - first))


def _spans(time: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """(C,) seconds to the chord so many before each, and so many after it, of each of SPANS."""
    padded = np.pad(time, SPANS[-1], constant_values=(-np.inf, np.inf))
    at = np.arange(len(time)) + SPANS[-1]
    return [
        np.asarray(distance)
        for span in SPANS
        for distance in (time - padded[at - span], padded[at + span] - time)
    ]


def _gaps_between(
    time: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(C,) seconds since the chosen chord before each and until the chosen one after it."""
    at = np.concatenate([[-np.inf], time[chosen], [np.inf]])
    return time - at[np.searchsorted(at, time) - 1], at[np.searchsorted(at, time, side="right")] - time
