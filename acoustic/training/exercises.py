"""Exercises: notes drawn by chance, free of any licence, over the whole keyboard.

Is: two hands that play chords, runs, repeated keys and melodies, with a pedal.
Is not: music, or the instruments that play it (acoustic.training.renderings).

Songs keep to the middle of the keyboard: of POP909's notes 2 % lie below 38 or above 86. These do not.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST

Floats = npt.NDArray[np.float64]
Draw = np.random.Generator
Columns = tuple[Floats, Floats, npt.NDArray[np.int64]]  # onset, length in seconds, step of the scale

SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 11),
    (0, 2, 3, 5, 7, 9, 10),
    (0, 2, 4, 6, 8, 10),
    tuple(range(12)),
)
CENTRES = ((33.0, 62.0), (58.0, 97.0))  # of each hand's notes, drawn anew for each passage
COMPASS = 14  # semitones to each side of the centre
CLOSEST = 0.05  # seconds between two strikes of one key


def exercise(seconds: float, draw: Draw) -> Notes:
    """Notes of so many seconds, all of one velocity: `played` of the renderings draws others.

    >>> import numpy as np
    >>> notes = exercise(20.0, np.random.default_rng(0))
    >>> bool(notes.onset.max() < 20.0), len(notes) > 50
    (True, True)
    """
    hands = [_hand(low, high, seconds, draw) for low, high in CENTRES]
    onset, length, pitch = (np.concatenate(column) for column in zip(*hands, strict=True))
    inside = (onset >= 0) & (onset < seconds)
    onset, pitch, key_offset = onset[inside], pitch[inside], (onset + length)[inside]
    order = np.lexsort((onset, pitch))
    onset, pitch, key_offset = onset[order], pitch[order], key_offset[order]
    again = _next_strike(onset, pitch)
    kept = again - onset > CLOSEST
    onset, pitch, key_offset, again = onset[kept], pitch[kept], key_offset[kept], again[kept]
    key_offset = np.minimum(key_offset, again - 0.01)
    offset = np.minimum(_pedalled(key_offset, seconds, draw), again)
    return Notes.make(onset, offset, pitch, np.full(len(onset), 64), key_offset=key_offset)


def _hand(low: float, high: float, seconds: float, draw: Draw) -> Columns:
    """One hand's passages, one after the other; pitches for steps."""
    parts: list[Columns] = []
    start = draw.uniform(0, min(1.0, seconds))
    while start < seconds:
        stop = start + draw.uniform(1.5, 6.0)
        texture = TEXTURES[int(draw.integers(len(TEXTURES)))]
        onset, length, step = texture(start, stop, draw)
        keys = _scale_around(draw.uniform(low, high), draw)
        parts.append((onset, length, keys[step.clip(-len(keys) // 2, len(keys) // 2 - 1) + len(keys) // 2]))
        start = stop + (draw.uniform(0, 1.5) if draw.random() < 0.2 else 0.0)
    onset, length, pitch = (np.concatenate(column) for column in zip(*parts, strict=True))
    return onset + draw.normal(0, 0.008, len(onset)), length, pitch


def _scale_around(centre: float, draw: Draw) -> npt.NDArray[np.int64]:
    """Keys of a scale within the hand's compass."""
    chosen = SCALES[int(draw.integers(len(SCALES)))]
    keys = np.arange(max(LOWEST, round(centre) - COMPASS), min(HIGHEST, round(centre) + COMPASS) + 1)
    return keys[np.isin((keys - int(draw.integers(12))) % 12, chosen)]


def _chords(start: float, stop: float, draw: Draw) -> Columns:
    """Chords of one to five notes at even distances, struck together or rolled."""
    onset = np.arange(start, stop, np.exp(draw.uniform(np.log(0.18), np.log(1.6))))
    size = int(draw.integers(1, 6))
    above = np.sort([draw.choice((0, 2, 4, 7, 1, 3, 5, 6, 9), size, replace=False) for _ in onset], axis=1)
    roll = draw.uniform(0, 0.05) if draw.random() < 0.3 else 0.0
    struck = onset[:, None] + roll * np.arange(size)
    steps = _walk(len(onset), 2, draw)[:, None] - 4 + above
    length = np.full(struck.size, _articulation(onset, draw))
    return struck.ravel(), length, steps.ravel()


def _run(start: float, stop: float, draw: Draw) -> Columns:
    """A scale up and down, or a figure repeated along it, at 4 to 14 notes a second."""
    onset = np.arange(start, stop, 1 / np.exp(draw.uniform(np.log(4.0), np.log(14.0))))
    numbers = np.arange(len(onset))
    if draw.random() < 0.5:
        span = int(draw.integers(4, 14))
        steps = np.abs((numbers + int(draw.integers(2 * span))) % (2 * span) - span) - span // 2
    else:
        figure = draw.integers(-6, 7, int(draw.integers(3, 7)))
        steps = (
            figure[numbers % len(figure)]
            + _walk(len(onset) // len(figure) + 1, 1, draw)[numbers // len(figure)]
        )
    return onset, np.full(len(onset), _articulation(onset, draw)), steps


def _repetition(start: float, stop: float, draw: Draw) -> Columns:
    """One key struck again and again, or two in turn, at 3 to 12 strikes a second."""
    onset = np.arange(start, stop, 1 / np.exp(draw.uniform(np.log(3.0), np.log(12.0))))
    keys = draw.integers(-5, 6, int(draw.integers(1, 3)))
    steps = keys[np.arange(len(onset)) % len(keys)]
    return onset, np.full(len(onset), _articulation(onset, draw)), steps


def _melody(start: float, stop: float, draw: Draw) -> Columns:
    """Single notes of uneven lengths, each up to the next."""
    beat = draw.uniform(0.35, 1.0)
    lengths = beat * draw.choice((0.25, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0), 64)
    onset = start + np.concatenate(([0.0], np.cumsum(lengths)[:-1]))
    inside = onset < stop
    held = lengths * draw.uniform(0.5, 1.05)
    return onset[inside], held[inside], _walk(int(inside.sum()), 2, draw)


TEXTURES: tuple[Callable[[float, float, Draw], Columns], ...] = (_chords, _run, _repetition, _melody)


def _walk(count: int, step: int, draw: Draw) -> npt.NDArray[np.int64]:
    """A random walk about 0."""
    where = np.cumsum(draw.integers(-step, step + 1, count))
    return np.asarray(np.abs((where + 5) % 20 - 10) - 5)  # reflected at -5 and 5


def _articulation(onset: Floats, draw: Draw) -> float:
    """Seconds that keys are held: from staccato to a little beyond the next strike."""
    period = float(onset[1] - onset[0]) if len(onset) > 1 else 0.5
    return max(0.04, period * float(draw.uniform(0.3, 1.1)))


def _next_strike(onset: Floats, pitch: npt.NDArray[np.int64]) -> Floats:
    """When the same key is struck again; notes sorted by pitch, then onset."""
    again = np.full(len(onset), np.inf)
    same = pitch[1:] == pitch[:-1]
    again[:-1][same] = onset[1:][same]
    return again


def _pedalled(key_offset: Floats, seconds: float, draw: Draw) -> Floats:
    """When dampers fall: at the key's release, or at the next change of a pedal that is down then."""
    if draw.random() < 0.3:
        return key_offset
    changes = np.cumsum(np.exp(draw.uniform(np.log(0.3), np.log(4.0), 2 + int(seconds / 0.3))))
    down = draw.random(len(changes) + 1) < 0.75  # before each change, and after the last
    where = np.searchsorted(changes, key_offset)
    up = np.append(changes, np.inf)[where]
    return np.where(down[where] & np.isfinite(up), up, key_offset)
