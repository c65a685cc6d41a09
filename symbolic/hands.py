"""Which hand plays each note: the cheapest division of all chords between two hands, by dynamic programming.

Is: what a division costs (`features` times `WEIGHTS`), and the search.
Is not: fingers, or the fitting of the weights (benchmarks.hands).

Two hands as two chains that share the notes between them: Nakamura, Ono and Sagayama (2014).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.chords import groups_of
from symbolic.notes import Notes

# What a division of a chord costs, and how much. Fitted by `python -m benchmarks.hands --fit`.
COSTS = {
    "pitch": 0.46,  # octaves of each note past middle C, on the other hand's side
    "right": 0.14,  # notes of the right hand
    "span": 0.97,  # octaves from a hand's lowest to its highest note, beyond a fifth
    "stretch": 2.19,  # and beyond an octave
    "crowd": 0.97,  # notes of a hand beyond four
    "move": 0.44,  # octaves from where a hand just played
    "travel": 0.02,  # and from where it played some time ago
    "leap": 1.37,  # octaves by which that is out of a hand's reach
    "cross": 0.80,  # octaves past where the other hand just played
    "gap": -0.28,  # octaves between the hands
    "left rests": -0.07,
    "right rests": 0.04,
    "left interrupted": 0.43,  # it played just before, and does not play now
    "right interrupted": 0.49,
    "home": 0.54,  # octaves of each note from where its hand was lately
    "holds": 1.30,  # a hand strikes while it holds a key
}
WEIGHTS = np.array(list(COSTS.values()))

OCTAVE, FIFTH = 12.0, 7.0  # semitones
MIDDLE, LEFT, RIGHT = 60.0, 48.0, 72.0  # pitch of middle C, and of the hands before they play
REST = 10.0  # seconds for which a hand that has not played yet is taken to have rested
LATELY = 2.0  # seconds over which the place of a hand is averaged
OVERLAP, HOLD = 0.05, 0.5  # seconds a key is down, from which it is held, and up to which that costs more
WIDTH = 24  # hypotheses kept
MOST = 256  # notes of a chord, more than there are keys

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Chord:
    """n notes that are struck together, by pitch from the lowest."""

    pitch: Floats  # (n,)
    released: Floats  # (n,) seconds at which their keys go up
    time: float  # seconds


@dataclass(frozen=True, eq=False)
class Hands:
    """What S hypotheses remember of the left and the right hand."""

    low: Floats  # (S, 2) pitch of the last chord's lowest note
    high: Floats  # (S, 2) and of its highest
    time: Floats  # (S, 2) seconds of the last chord
    mean: Floats  # (S, 2) pitch, averaged lately
    released: Floats  # (S, 2) seconds at which the last key goes up
    name: Rows  # (S, 2) which chord was the last, and which part of it


def at_rest(time: float) -> Hands:
    """One hypothesis, before the first chord at `time` seconds."""
    place, rested = np.array([[LEFT, RIGHT]]), np.full((1, 2), time - REST)
    return Hands(place, place, rested, place, rested, np.full((1, 2), -1))


def features(chord: Chord, hands: Hands) -> Floats:
    """(S, n + 1, F) of each division of a chord after each hypothesis, in the order of `COSTS`.

    Division k gives the lowest k notes to the left hand: hands do not cross within a chord.
    """
    low, high, size = _parts(chord.pitch)
    count, used = len(chord.pitch), size > 0
    since = np.exp2(hands.time - chord.time)[:, None]  # (S, 1, 2): 1 just now, 0.5 a second ago
    above = np.concatenate([[0.0], np.cumsum(chord.pitch - MIDDLE)]) / OCTAVE
    span = np.where(used, high - low, 0.0)
    moved = np.where(used, np.abs(low + high - (hands.low + hands.high)[:, None]), 0.0) / (2 * OCTAVE)
    reach = np.maximum(high, hands.high[:, None]) - np.minimum(low, hands.low[:, None])
    over = np.where(used[:, 0], high[:, 0] - hands.low[:, 1:], 0.0)  # (S, n + 1)
    under = np.where(used[:, 1], hands.high[:, :1] - low[:, 1], 0.0)
    apart = np.zeros((len(hands.time), count + 1, 2))
    np.cumsum(np.abs(chord.pitch[:, None] - hands.mean[:, None]) / OCTAVE, axis=1, out=apart[:, 1:])
    held = np.clip((hands.released - chord.time - OVERLAP) / HOLD, 0.0, 1.0)

    crossed = np.maximum(0.0, over) * since[..., 1] + np.maximum(0.0, under) * since[..., 0]
    between = np.where(used.all(axis=1), np.minimum(low[:, 1] - high[:, 0], OCTAVE), 0.0)
    rests, interrupted = ~used, ~used * since**2
    parts = {
        "pitch": 2 * above - above[-1],
        "right": size[:, 1],
        "span": np.maximum(0.0, span - FIFTH).sum(axis=1) / OCTAVE,
        "stretch": np.maximum(0.0, span - OCTAVE).sum(axis=1) / OCTAVE,
        "crowd": np.maximum(0, size - 4).sum(axis=1),
        "move": (moved * since**2).sum(axis=2),
        "travel": (moved * since**0.5).sum(axis=2),
        "leap": (used * np.maximum(0.0, reach / OCTAVE - 1) * since).sum(axis=2),
        "cross": crossed / OCTAVE,
        "gap": between / OCTAVE,
        "left rests": rests[:, 0],
        "right rests": rests[:, 1],
        "left interrupted": interrupted[..., 0],
        "right interrupted": interrupted[..., 1],
        "home": apart[..., 0] + apart[:, -1:, 1] - apart[..., 1],
        "holds": (used * held[:, None]).sum(axis=2),
    }
    found = np.empty((len(hands.time), count + 1, len(COSTS)))
    for place, name in enumerate(COSTS):
        found[..., place] = parts[name]
    return found


def _parts(pitch: Floats) -> tuple[Floats, Floats, Rows]:
    """Lowest and highest pitch, and number of notes, (n + 1, 2) of each hand in each division.

    Of a hand without notes the pitches are of the notes next to it.
    """
    count = np.arange(len(pitch) + 1)
    low = np.stack([np.full(len(count), pitch[0]), np.append(pitch, pitch[-1])], axis=1)
    high = np.stack([np.append(pitch[0], pitch), np.full(len(count), pitch[-1])], axis=1)
    return low, high, np.stack([count, count[::-1]], axis=1)


def after(hands: Hands, row: Rows, division: Rows, chord: Chord, index: int) -> Hands:
    """What the hypotheses `row` (R,) remember after these divisions (R,) of the chord of that index."""
    low, high, size = _parts(chord.pitch)
    low, high, size = low[division], high[division], size[division]
    used = size > 0
    up = np.append(-np.inf, chord.released), np.append(-np.inf, chord.released[::-1])
    released = np.stack([np.maximum.accumulate(column) for column in up], axis=1)
    fresh = 1 - np.exp((hands.time[row] - chord.time) / LATELY)
    mean = hands.mean[row] + fresh * ((low + high) / 2 - hands.mean[row])
    return Hands(
        low=np.where(used, low, hands.low[row]),
        high=np.where(used, high, hands.high[row]),
        time=np.where(used, chord.time, hands.time[row]),
        mean=np.where(used, mean, hands.mean[row]),
        released=np.maximum(hands.released[row], np.take_along_axis(released, size, axis=0)),
        name=np.where(used, (index * MOST + division)[:, None], hands.name[row]),
    )


def divide(chords: Sequence[Chord], weights: Floats = WEIGHTS, width: int = WIDTH) -> list[int]:
    """The cheapest divisions: how many notes of each chord, from the lowest, are the left hand's.

    Of hypotheses with the same last chords of both hands the cheapest goes on, and `width` in all.
    """
    if not chords:
        return []
    hands, cost = at_rest(chords[0].time), np.zeros(1)
    back: list[tuple[Rows, Rows]] = []
    for index, chord in enumerate(chords):
        total = cost[:, None] + features(chord, hands) @ weights
        row, division = np.divmod(np.argsort(total, axis=None, kind="stable"), total.shape[1])
        found = after(hands, row, division, chord, index)
        kept = np.sort(np.unique(found.name, axis=0, return_index=True)[1])[:width]
        hands = Hands(*(getattr(found, field.name)[kept] for field in fields(Hands)))
        row, division = row[kept], division[kept]
        cost = total[row, division]
        back.append((row, division))
    best, divisions = 0, []  # hypotheses are in the order of their costs
    for row, division in reversed(back):
        divisions.append(int(division[best]))
        best = int(row[best])
    return divisions[::-1]


def right_hand(notes: Notes, weights: Floats = WEIGHTS) -> NDArray[np.bool_]:
    """(N,) whether the right hand plays each note.

    Lengths of keys count where they are known (`key_offset`), else sounding ones.

    >>> import notebeam as nb
    >>> from symbolic.hands import right_hand
    >>> notes = nb.Notes.make([0.0, 0.0, 0.5, 0.5], [0.4, 0.4, 0.9, 0.9], [48, 72, 50, 74], [64] * 4)
    >>> right_hand(notes).tolist()
    [False, True, False, True]
    """
    rows = rows_of_chords(notes)
    found = np.zeros(len(notes), dtype=np.bool_)
    for own, division in zip(rows, divide(chords_of(notes, rows), weights), strict=True):
        found[own[division:]] = True
    return found


def rows_of_chords(notes: Notes) -> list[Rows]:
    """Rows of the notes of each chord, by pitch from the lowest."""
    group = groups_of(notes.onset)
    order = np.lexsort((notes.pitch, group))
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []


def chords_of(notes: Notes, rows: Sequence[Rows]) -> list[Chord]:
    """Chords of `rows_of_chords`."""
    released = notes.offset if notes.key_offset is None else np.minimum(notes.key_offset, notes.offset)
    pitch = notes.pitch.astype(np.float64)
    return [Chord(pitch[own], released[own], float(notes.onset[own].min())) for own in rows]
