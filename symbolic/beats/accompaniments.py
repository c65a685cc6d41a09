"""Plain music made by rule, for the networks of bars to learn from: a left hand in one of the usual figures
under a melody.

Performances of the great composers have few waltzes and marches; in many of those the bass alone is struck
where a bar begins, and the chord after it.
"""

from collections.abc import Sequence

import numpy as np

from symbolic.beats.excerpts import Piece
from symbolic.beats.playing import play
from symbolic.datasets.written import Score

SCALE = np.array([0, 2, 4, 5, 7, 9, 11])  # semitones of a major key
DEGREES = (0, 3, 4, 5, 1, 2)  # on which chords stand,
OFTEN = (0.35, 0.2, 0.25, 0.1, 0.07, 0.03)  # and how often
BARS_A_PIECE = (24, 56)
BEATS_A_MINUTE = (60.0, 150.0)
PART = 16  # bars, after which the figure may be another
BASS, MIDDLE, MELODY = 36, 54, 69  # MIDI numbers around which they lie

Sounded = tuple[float, float, int]  # begin and duration in beats, MIDI number

# What is struck: "bass", its "fifth", the "chord", or one note of it; when and how long, in beats.
Struck = tuple[float, float, str]
Figure = tuple[Struck, ...]


def _struck(*rows: tuple[float, str], lasting: float = 1.0) -> Figure:
    return tuple((begin, lasting, what) for begin, what in rows)


def _broken(notes: str, each: float, first: int = 0) -> Figure:
    """One note of the chord after the other."""
    return tuple((each * (first + place), each, note) for place, note in enumerate(notes))


HALVES = {
    2: (
        _struck((0, "bass"), (1, "chord")),
        _struck((0, "bass"), (0.5, "chord"), (1, "fifth"), (1.5, "chord"), lasting=0.5),
        _struck((0, "bass"), (0.5, "chord"), (1, "bass"), (1.5, "chord"), lasting=0.5),
        _broken("0212", 0.5),
        _struck((0, "chord"), (0, "bass"), lasting=2),
    ),
    3: (
        _struck((0, "bass"), (1, "chord"), (2, "chord")),
        (*_struck((0, "bass"), lasting=3), *_struck((1, "chord"), (2, "chord"))),
        (*_struck((0, "bass"), lasting=3), *_struck((1, "chord"), lasting=2)),
        (*_struck((0, "bass")), *_struck((1, "chord"), lasting=2)),
        _struck((0, "bass"), (2, "chord")),
        (*_struck((0, "bass"), lasting=3), *_broken("012121", 0.5)),
        (*_struck((0, "bass"), lasting=3), *_broken("12121", 0.5, first=1)),
        _struck((0, "chord"), (0, "bass"), lasting=3),
    ),
    4: (
        _struck((0, "bass"), (1, "chord"), (2, "fifth"), (3, "chord")),
        _struck((0, "bass"), (1, "chord"), (2, "chord"), (3, "chord")),
        _struck((0, "bass"), (2, "chord"), lasting=2),
        (*_struck((0, "bass"), lasting=4), *_struck((1, "chord"), lasting=3)),
        (*_struck((0, "bass"), lasting=4), *_struck(*((n, "chord") for n in range(4)))),
        _broken("02120212", 0.5),
        (*_struck((0, "bass"), lasting=4), *_broken("0121212", 0.5, first=1)),
        _struck((0, "chord"), (0, "bass"), lasting=4),
    ),
}
THIRDS = {
    2: (
        _struck((0, "bass"), (1 / 3, "chord"), (1, "fifth"), (4 / 3, "chord"), lasting=1 / 3),
        _struck((0, "bass"), (2 / 3, "chord"), (1, "bass"), (5 / 3, "chord"), lasting=1 / 3),
        (*_struck((0, "bass"), lasting=2), *_broken("12121", 1 / 3, first=1)),
        _broken("012121", 1 / 3),
    ),
}
# Rhythms of melodies.
OF_HALVES = ((1.0,), (0.5, 0.5), (2.0,), (1.5, 0.5), (3.0,), (0.5, 0.25, 0.25), (0.25,) * 4)
OF_THIRDS = ((1.0,), (2 / 3, 1 / 3), (1 / 3,) * 3, (2.0,), (5 / 3, 1 / 3), (1.0,), (1 / 3,) * 3)
LIKELY = (0.3, 0.2, 0.15, 0.1, 0.1, 0.1, 0.05)


def accompanied(draw: np.random.Generator) -> Score:
    """A piece of 2, 3 or 4 beats a bar in a major key or its relative minor."""
    thirds = draw.random() < 0.15
    size = 2 if thirds else int(draw.choice([2, 3, 4], p=[0.2, 0.45, 0.35]))
    figures = (THIRDS if thirds else HALVES)[size]
    tonic, bars = int(draw.integers(12)), int(draw.integers(*BARS_A_PIECE))
    chosen, own = draw.integers(len(figures), size=1 + bars // PART), draw.uniform(0.3, 0.9)
    degrees = draw.choice(DEGREES, bars, p=OFTEN)
    changes = np.append(True, draw.random(bars - 1) < own)  # else the harmony stays
    degrees = degrees[np.maximum.accumulate(changes * np.arange(bars))]
    rows: list[Sounded] = []
    for bar, degree in enumerate(degrees.tolist()):
        rows += _left_hand(figures[chosen[bar // PART]], tonic, degree, float(bar * size))
    begin = float(size * draw.integers(5)) - float(draw.choice([0, 0.5, 1], p=[0.6, 0.1, 0.3]))
    rhythms = OF_THIRDS if thirds else OF_HALVES
    rows += _melody(draw, rhythms, max(0.0, begin), float(bars * size), tonic)
    onset, duration, pitch = (np.array(column) for column in zip(*rows, strict=True))
    _, first = np.unique(np.stack([onset, pitch]), axis=1, return_index=True)
    count = bars * size
    return Score(
        "accompanied",
        onset[first],
        duration[first],
        pitch[first].astype(np.int64),
        np.arange(count, dtype=np.float64),
        np.arange(count) % size == 0,
        np.full(count, thirds),
        np.full(count, (tonic * 7 + 5) % 12 - 5),
    )


def _left_hand(figure: Figure, tonic: int, degree: int, start: float) -> list[Sounded]:
    """A bar of a figure that begins at `start`."""
    root, third, fifth = (tonic + int(SCALE[(degree + step) % 7]) for step in (0, 2, 4))
    triad = [_near(pitch, MIDDLE + 3 * place) for place, pitch in enumerate((root, third, fifth))]
    pitches = {"bass": [_near(root, BASS)], "fifth": [_near(fifth, BASS)], "chord": triad}
    pitches |= {str(place): [pitch] for place, pitch in enumerate(triad)}
    return [(start + begin, lasting, pitch) for begin, lasting, what in figure for pitch in pitches[what]]


def _melody(
    draw: np.random.Generator,
    rhythms: Sequence[Sequence[float]],
    begin: float,
    stop: float,
    tonic: int,
) -> list[Sounded]:
    """Steps up and down a scale, in three rhythms that come again, with rests."""
    own = [rhythms[n] for n in draw.choice(len(rhythms), 3, p=LIKELY)]
    rows, place, step = list[Sounded](), begin, 0
    while place < stop - 1:
        if draw.random() < 0.05:
            place = float(np.ceil(place) + draw.integers(1, 3))
        for lasting in own[draw.integers(3)]:
            step = int(np.clip(step + draw.choice([-2, -1, -1, 1, 1, 2]), -6, 9))
            pitch = _near(tonic, MELODY) + 12 * (step // 7) + int(SCALE[step % 7])
            if place < stop:
                rows.append((place, min(lasting, stop - place), pitch))
            place += lasting
    return rows


def _near(pitch: int, centre: int) -> int:
    """The pitch of this class that is nearest to a MIDI number."""
    return centre + (pitch - centre + 6) % 12 - 6


def made_by_rule(count: int, seed: int) -> list[Piece]:
    """So many pieces, played by a program; the same for the same seed."""
    draws = np.random.default_rng(seed).spawn(count)
    return [play(accompanied(draw), draw, draw.uniform(*BEATS_A_MINUTE)) for draw in draws]
