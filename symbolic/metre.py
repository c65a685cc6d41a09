"""Beats and bars: where the beats of a performance lie, which of them begin a bar, and the key signature.

Is: the type, its checks, its text file.
Is not: finding them (symbolic.beats), or the steps of a clock (symbolic.clock).
"""

import math
import os
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.files import read_text, replacing

FIFTHS = (-7, 7)  # key signatures: flats below 0, sharps above
SLACK = 1.0  # seconds that a beat may lie outside the recording
# A comma that parts no columns: another one comes behind, or what it would part is no beat's number in a bar.
_DECIMAL_COMMA = re.compile(r"\s*(\d+,\d+(?=[\s;]+\S)|\d+,\d\d+(?=\s*$))")
FASTEST, SLOWEST = 0.05, 16.0  # seconds between two beats that a file may have; MIDI says no more


@dataclass(frozen=True, eq=False)
class Beats:
    """N >= 2 beats of a performance. Read-only.

    >>> import numpy as np
    >>> from symbolic.metre import Beats
    >>> Beats(np.array([0.5, 1.0, 1.5, 2.0]), np.array([True, False, True, False])).bars
    [(0, 2), (2, 2)]
    """

    times: NDArray[np.float64]  # (N,) seconds, increasing
    downbeat: NDArray[np.bool_]  # (N,) the beat begins a bar
    division: Literal[2, 3] = 2  # a beat is two halves, or three thirds, as in 6/8
    fifths: int | None = None  # sharps (above 0) or flats (below) of the key signature; None: not known

    def __post_init__(self) -> None:
        times, downbeat = np.array(self.times, dtype=np.float64), np.array(self.downbeat, dtype=np.bool_)
        if times.ndim != 1 or len(times) < 2:
            raise NotebeamError("Beats.times", f"shape {times.shape}", "two beats at least")
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            row = int(np.argmin(np.isfinite(times[1:]) & (np.diff(times) > 0))) + 1
            raise NotebeamError(f"Beats.times[{row}]", float(times[row]), "seconds after the beat before")
        if downbeat.shape != times.shape:
            raise NotebeamError("Beats.downbeat", f"shape {downbeat.shape}", f"one for each of {len(times)}")
        if self.division not in (2, 3):
            raise NotebeamError("Beats.division", self.division, "2 or 3")
        if self.fifths is not None and not FIFTHS[0] <= self.fifths <= FIFTHS[1]:
            raise NotebeamError("Beats.fifths", self.fifths, "-7 (flats) to 7 (sharps)")
        times.flags.writeable = downbeat.flags.writeable = False
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "downbeat", downbeat)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def bars(self) -> list[tuple[int, int]]:
        """First beat and number of beats of each bar from the first downbeat on; the last one may be cut."""
        first = np.flatnonzero(self.downbeat)
        counts = np.diff(np.append(first, len(self)))
        return list(zip(first.tolist(), counts.tolist(), strict=True))

    @property
    def beats_a_bar(self) -> int:
        """The most frequent number of beats of a whole bar; 4 where there is none."""
        counts = [count for _, count in self.bars[:-1]] or [count for _, count in self.bars] or [4]
        return max(sorted(set(counts)), key=counts.count)

    @property
    def tempo(self) -> float:
        """Beats a minute, the median."""
        return float(60 / np.median(np.diff(self.times)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a line a beat: seconds, a tab, its number in the bar (0: before the first bar)."""
        position = np.zeros(len(self), dtype=np.int64)
        for first, count in self.bars:
            position[first : first + count] = np.arange(1, count + 1)
        rows = [f"{time:.4f}\t{place}" for time, place in zip(self.times, position, strict=True)]
        with replacing(path) as temporary:
            temporary.write_text("\n".join([*rows, ""]), encoding="utf-8")


def read_beats_file(path: str | os.PathLike[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Seconds (N,) of the beats of a text file, and which begin a bar, if it says so.

    A line is a beat: its time in seconds and, after a blank, its number in the bar (1 begins one). Of more
    columns the last is that number; or one is `db` for a downbeat or `b` for another beat, as in ASAP's.
    Where some beats begin a bar, those that say nothing do not. Empty lines, and what comes after
    a #, are left out.

    Raises:
        NotebeamError: fewer than two beats, a beat that is not after the one before, or something else.
    """
    times: list[float] = []
    first: list[bool] = []
    for number, line in enumerate(read_text(path, "a list of beats").splitlines(), start=1):
        place, text = f"{path} line {number}", line.split("#")[0]
        decimal = _DECIMAL_COMMA.match(text)
        if decimal is not None:
            raise NotebeamError(place, decimal[1], "seconds with a decimal point")
        cells = text.replace(",", " ").split()
        if not cells:
            continue
        time = _seconds(cells[0], place)
        if times and not time > times[-1]:
            raise NotebeamError(place, cells[0], f"a beat after the one before, {times[-1]:g} s")
        if times and not FASTEST <= time - times[-1] <= SLOWEST:
            expected = f"{FASTEST:g} to {SLOWEST:g} s after the beat before, {times[-1]:g} s"
            raise NotebeamError(place, cells[0], expected)
        times.append(time)
        first.append(_is_first(cells[1:], place))
    if len(times) < 2:
        raise NotebeamError(str(path), f"{len(times)} beats", "two at least, a line each, in seconds")
    return np.array(times), np.array(first) if any(first) else None


def _seconds(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise NotebeamError(place, text, "a beat's time in seconds") from None
    if not (math.isfinite(value) and value >= 0):
        raise NotebeamError(place, text, "seconds >= 0")
    return value


def _is_first(cells: list[str], place: str) -> bool:
    """Whether a beat's other columns say that it begins a bar; without any it does not."""
    for cell in cells:
        if cell in ("db", "b", "bR"):
            return cell == "db"
    if not cells:
        return False
    try:
        return float(cells[-1]) == 1
    except ValueError:
        raise NotebeamError(place, cells[-1], "a beat's number in the bar, db or b") from None


def check_inside(times: NDArray[np.float64], start: float, stop: float, place: str) -> None:
    """Refuse beats (N,) that lie outside the recording, of which there is start..stop, in seconds."""
    outside = (times < start - SLACK) | (times > stop + SLACK)
    if outside.any():
        got = f"a beat at {times[outside][0]:g} s"
        raise NotebeamError(place, got, f"beats of the recording, {start:g} to {stop:g} s")
