"""Voices of one hand: chords with written lengths, in one voice, or in two where notes are held over others.

Is: where each note ends on paper, which voice has it.
Is not: note values (symbolic.score.values).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.score.bars import QUARTER, Timeline
from symbolic.score.grid import THIRDS

HELD = 0.6  # share of the time from the next chord to the one after, from which a note is held over it
REST, TIE = 0.35, 0.25  # share of its time that a note may end too early or late, for a symbol less


@dataclass(frozen=True)
class Chord:
    """Notes of a hand that are written as one."""

    start: int  # ticks
    stop: int  # ticks
    rows: tuple[int, ...]  # of the notes, by pitch from the lowest


@dataclass
class _Voice:
    chords: list[Chord]

    @property
    def stop(self) -> int:
        return self.chords[-1].stop if self.chords else 0

    def cut(self, tick: int) -> None:
        """End its last chord at a tick."""
        last = self.chords[-1]
        self.chords[-1] = Chord(last.start, tick, last.rows)


def voices_of(
    onset: NDArray[np.int64],
    released: NDArray[np.float64],
    pitch: NDArray[np.int64],
    division: NDArray[np.int64],
    line: Timeline,
) -> tuple[list[Chord], list[Chord]]:
    """The upper (or only) and the lower voice of a hand's notes (N,).

    onset in ticks; released in ticks, with fractions; division (K,) of each beat.
    """
    first, second = _Voice([]), _Voice([])
    starts = np.unique(onset)
    end = line.bars[-1].stop
    following = np.append(starts[1:], end)[: len(starts)]
    for index, (start, after) in enumerate(zip(starts.tolist(), following.tolist(), strict=True)):
        rows = np.flatnonzero(onset == start)
        rows = rows[np.argsort(pitch[rows], kind="stable")]
        rows = rows[np.append(True, np.diff(pitch[rows]) > 0)]
        upcoming = starts[index + 1 :]
        stops = {int(row): _stop(start, float(released[row]), upcoming, division, line) for row in rows}
        held = [row for row in stops if stops[row] > after]
        short = [row for row in stops if stops[row] <= after]
        free = [voice for voice in (first, second) if voice.stop <= start]
        if not free:  # a third line: the one that ends sooner makes room
            sooner = min((first, second), key=lambda voice: voice.stop)
            sooner.cut(start)
            free = [sooner]
        if len(free) == 2 and held and short:
            if pitch[held].min() > pitch[short].max():
                _add(first, start, held, stops)
                _add(second, start, short, stops)
                continue
            if pitch[held].max() < pitch[short].min():
                _add(second, start, held, stops)
                _add(first, start, short, stops)
                continue
        if len(free) == 2 and held and not short:  # above or below what it is held over
            below = pitch[onset == after].mean() < pitch[held].mean()
            _add(first if below else second, start, held, stops)
            continue
        _add(free[0], start, [*stops], stops)
    return first.chords, second.chords


def _add(voice: _Voice, start: int, rows: list[int], stops: dict[int, int]) -> None:
    """Add notes as one chord, which is as long as its shorter notes."""
    voice.chords.append(Chord(start, min(stops[row] for row in rows), tuple(rows)))


def _stop(
    start: int, released: float, upcoming: NDArray[np.int64], division: NDArray[np.int64], line: Timeline
) -> int:
    """The tick at which a note ends on paper."""
    ends: list[int] = [*upcoming[:64].tolist(), line.bars[-1].stop]
    after = ends[0]
    # Held until the last chord by which its key was down for most of the time from the one before.
    for before, tick in zip(ends[:-1], ends[1:], strict=True):
        if released < before + HELD * (tick - before):
            break
        after = tick
    if after > ends[0]:
        return after

    def price(tick: int) -> float:
        notes, rests = _symbols(start, tick, line), _symbols(tick, after, line)
        return abs(tick - released) / (after - start) + TIE * (notes - 1) + REST * rests

    return min(_ends(start, after, division, line), key=price)


def _symbols(start: int, stop: int, line: Timeline) -> int:
    """About how many notes, or rests, a stretch is written with."""
    edges = [bar.stop for bar in line.bars_between(start, stop)]
    parts = zip([start, *edges[:-1]], [*edges[:-1], stop], strict=True)
    # Plain and dotted values are one or two neighbouring bits of the ticks, in 32nds.
    return sum(len([run for run in bin(max(1, (b - a) // 3))[2:].split("0") if run]) for a, b in parts)


def _ends(start: int, after: int, division: NDArray[np.int64], line: Timeline) -> list[int]:
    """Ticks at which a note may end up to the next chord: parts of beats, as the beats are divided."""
    found = {after}
    for beat in range(start // line.beat, (after - 1) // line.beat + 1):
        own = int(division[min(beat, len(division) - 1)])
        parts = 3 if line.beat != QUARTER or own in THIRDS else 2
        parts = max(parts, own) if own % parts == 0 else parts
        step = line.beat // parts
        found |= {beat * line.beat + step * part for part in range(parts + 1)}
    return sorted(tick for tick in found if start < tick <= after)
