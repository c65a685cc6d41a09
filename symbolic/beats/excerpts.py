"""What the network of beats is trained on: changed excerpts of annotated performances, and their targets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.chords import Chords, chords_of
from symbolic.beats.network import BARS, HEADS, LONGEST_BEAT, PLACES, SHORTEST_BEAT, tempo_class
from symbolic.datasets.asap import Annotation
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST

NEAR = 0.06  # seconds that a beat's chord may lie off it
GHOSTS = (-12, 12, 19)  # semitones from a note to one that was only heard in it
UNKNOWN = -1  # of a target: no loss


@dataclass(frozen=True, eq=False)
class Piece:
    """A performance and its beats."""

    notes: Notes
    beats: Annotation


@dataclass(frozen=True, eq=False)
class Example:
    """C chords and what the heads should say of each; UNKNOWN where nothing is known."""

    chords: Chords
    targets: dict[str, NDArray[np.int64]]  # (C,) each

    def first(self, count: int) -> "Example":
        """So many chords from its beginning: dense excerpts must not make a batch long."""
        chords = Chords(self.chords.time[:count], self.chords.features[:count])
        return Example(chords, {name: values[:count] for name, values in self.targets.items()})


def excerpt(piece: Piece, seconds: float, draw: np.random.Generator) -> Example:
    """Chords of a part of a piece, played otherwise, sometimes its rhythm alone."""
    part = played_otherwise(piece, seconds, draw)
    chords = chords_of(part.notes)
    if draw.random() < 0.3:  # rhythm alone, lest pieces be known by heart
        chords.features[:, -24:] = 0
    return example(chords, part.beats)


def played_otherwise(piece: Piece, seconds: float, draw: np.random.Generator) -> Piece:
    """About so many seconds from anywhere in the piece, transposed, played otherwise and made less exact.

    The tempo is another throughout and wavers. As in a transcription notes are lost, or added in octaves,
    shifted by about 10 ms, and their ends and velocities are guesses.
    """
    notes, beats = piece.notes, piece.beats
    start = draw.uniform(notes.onset[0], max(notes.onset[0] + 0.1, notes.onset[-1] - seconds / 2))
    rows = np.flatnonzero((notes.onset >= start) & (notes.onset < start + seconds))
    rows = rows[draw.random(len(rows)) > draw.uniform(0, 0.06)]
    knots = np.arange(start - 40, start + seconds + 40, 4.0)
    pace = 2 ** (draw.uniform(-0.4, 0.4) + draw.normal(0, 0.12, len(knots)))
    played = np.concatenate([[0.0], np.cumsum(pace[:-1] * np.diff(knots))])
    semitones = int(draw.integers(-5, 7))
    onset = np.interp(notes.onset[rows], knots, played) + draw.normal(0, draw.uniform(0, 0.012), len(rows))
    lasting = (notes.offset - notes.onset)[rows] * pace.mean() * 2 ** draw.normal(0, 0.2, len(rows))
    stop = onset + np.maximum(0.03, lasting)
    pitch = notes.pitch[rows] + semitones
    velocity = notes.velocity[rows] * draw.uniform(0.7, 1.2) + draw.normal(0, 4, len(rows))
    velocity = velocity.round().clip(1, 127)
    ghosts = np.flatnonzero(draw.random(len(rows)) < draw.uniform(0, 0.04))
    above = pitch[ghosts] + draw.choice(GHOSTS, len(ghosts))
    onset, stop, pitch, velocity = (
        np.append(values, more)
        for values, more in (
            (onset, onset[ghosts]),
            (stop, stop[ghosts]),
            (pitch, above),
            (velocity, np.maximum(1, velocity[ghosts] // 2)),
        )
    )
    kept = (pitch >= LOWEST) & (pitch <= HIGHEST)
    near = (beats.times > knots[0]) & (beats.times < knots[-1])
    changed = Annotation(
        np.interp(beats.times[near], knots, played),
        beats.downbeat[near],
        beats.thirds[near],
        beats.fifths[near],
    )
    return Piece(Notes.make(onset[kept], stop[kept], pitch[kept], velocity[kept]), changed)


def example(chords: Chords, beats: Annotation) -> Example:
    """Features of chords with targets by the beats of the same music."""
    count, time, times = len(chords.time), chords.time, beats.times
    targets = {name: np.full(count, UNKNOWN) for name in HEADS}
    if not count or len(times) < 2:
        return Example(chords, targets)
    inside = (time >= times[0] - NEAR) & (time <= times[-1] + NEAR)
    targets["beat"][inside] = 0
    place = np.searchsorted(time, times).clip(1, max(1, count - 1))
    nearest = np.where(times - time[place - 1] <= time[place] - times, place - 1, place)
    close = np.abs(time[nearest] - times) <= NEAR
    targets["beat"][nearest[close]] = 1
    targets["downbeat"][nearest[close]] = beats.downbeat[close]
    interval = np.searchsorted(times, time + NEAR, side="right") - 1  # the beat under way at each chord
    inside = (interval >= 0) & (interval < len(times) - 1)
    under_way = interval[inside]
    lengths = np.diff(times)[under_way]
    plausible = (lengths > SHORTEST_BEAT) & (lengths < LONGEST_BEAT)
    targets["tempo"][inside] = np.where(plausible, tempo_class(lengths), UNKNOWN)
    targets["thirds"][inside] = beats.thirds[under_way]
    place = (time[inside] - times[under_way]) / lengths
    targets["place"][inside] = (PLACES * place).round().astype(np.int64) % PLACES
    first = np.flatnonzero(beats.downbeat)
    size = np.diff(np.append(first, len(times)))
    bar = np.searchsorted(first, under_way, side="right") - 1
    found = np.where(bar >= 0, size[bar], 0)
    targets["bar"][inside] = np.where(np.isin(found, BARS), found - BARS[0], UNKNOWN)
    return Example(chords, targets)
