"""Ticks of onsets: how each beat is divided, in each hand, and which tick a chord is nearest to.

A beat takes the division whose ticks lie near its chords and that is simple to read: the cost is a squared
distance over what a player's hand scatters, and so much for each division (compare Cemgil, Desain and Kappen,
2000).
"""

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.chords import groups_of
from symbolic.notes import Notes
from symbolic.score.bars import Timeline

# What dividing a beat by so much costs: of beats that are two halves, or three thirds.
DIVISIONS = {
    24: {1: 0.0, 2: 0.3, 4: 1.0, 3: 2.0, 8: 5.0, 6: 5.5},
    36: {1: 0.0, 3: 0.3, 6: 1.2, 2: 3.5, 12: 5.5},
}
SCATTER = 0.04, 0.02  # beats, seconds: of a chord around its tick
TOGETHER = 4.0  # two hands strike a chord together, and are written apart
CROWDED = 2.5  # two chords of a hand have one tick
THIRDS = (3, 6)  # divisions of a beat of two halves that are triplets


def written_onsets(
    notes: Notes, right: NDArray[np.bool_], line: Timeline
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ticks (N,) of the onsets, and the division (K, 2) of each beat in the left and the right hand."""
    chord = groups_of(notes.onset)
    count = int(chord[-1]) + 1 if len(chord) else 0
    place = np.bincount(chord, line.ticks_at(notes.onset), count) / np.maximum(1, np.bincount(chord))
    plays = np.zeros((count, 2), dtype=np.bool_)
    plays[chord, right.astype(np.int64)] = True
    beats = len(line.beat_times) - 1
    of_beat = np.clip(place // line.beat, 0, beats - 1).astype(np.int64)
    divisions = np.ones((beats, 2), dtype=np.int64)
    ticks = np.zeros((count, 2), dtype=np.int64)
    edges = np.searchsorted(of_beat, np.arange(beats + 1))
    for beat in range(beats):
        own = slice(edges[beat], edges[beat + 1])
        if edges[beat] == edges[beat + 1]:
            continue
        seconds = line.beat_times[beat + 1] - line.beat_times[beat]
        inside = place[own] - beat * line.beat
        divisions[beat], found = _divided(inside, plays[own], line.beat, float(seconds))
        ticks[own] = found + beat * line.beat
    return ticks[chord, right.astype(np.int64)], divisions


def _divided(
    place: NDArray[np.float64], plays: NDArray[np.bool_], beat: int, seconds: float
) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """The cheapest divisions of one beat, left and right, and the ticks (C, 2) of its chords at `place`."""
    scatter = beat * float(np.hypot(SCATTER[0], SCATTER[1] / seconds))
    costs: list[dict[int, float]] = []
    nearest = {
        division: np.rint(place * division / beat).astype(np.int64) * (beat // division)
        for division in DIVISIONS[beat]
    }
    for hand in range(2):
        own = plays[:, hand]
        costs.append({})
        for division, price in DIVISIONS[beat].items():
            apart = (place - nearest[division])[own] / scatter
            crowd = len(apart) - len(np.unique(nearest[division][own]))
            costs[hand][division] = price + float((apart**2).sum()) + CROWDED * crowd
        if not own.any():
            costs[hand] = {1: 0.0}
    both = plays.all(axis=1)
    best = min(
        ((left, right) for left in costs[0] for right in costs[1]),
        key=lambda pair: (
            costs[0][pair[0]]
            + costs[1][pair[1]]
            + TOGETHER * int((nearest[pair[0]] != nearest[pair[1]])[both].sum())
        ),
    )
    return best, np.stack([nearest[best[0]], nearest[best[1]]], axis=1)
