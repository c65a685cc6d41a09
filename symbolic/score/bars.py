"""Bars of a score in ticks, and where seconds lie in them."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.metre import Beats

QUARTER = 24  # ticks: halves down to 32nds, and thirds of each down to 16ths
EARLY = 0.25  # beats before a beat that still belong to it, where the music begins


@dataclass(frozen=True)
class Bar:
    """One bar; a first one may be shorter than its time signature."""

    start: int  # ticks
    stop: int  # ticks
    beats: int  # of the time signature
    unit: int  # of the time signature: 4, or 8 where beats are three eighths


@dataclass(frozen=True, eq=False)
class Timeline:
    """Bars and beats of a whole score, from tick 0."""

    bars: tuple[Bar, ...]
    beat_times: NDArray[np.float64]  # (K + 1,) seconds of K beats, and of the end
    beat: int  # ticks

    def ticks_at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) ticks, with fractions, of seconds (N,)."""
        places = np.arange(len(self.beat_times)) * float(self.beat)
        return np.asarray(np.interp(seconds, self.beat_times, places))

    def bars_between(self, start: int, stop: int) -> tuple[Bar, ...]:
        """The bars in which the ticks from start to stop lie."""
        first = bisect_right(self.bars, start, key=lambda bar: bar.stop)
        last = bisect_left(self.bars, stop, key=lambda bar: bar.start)
        return self.bars[first:last]


def timeline(beats: Beats, first: float, last_onset: float, last: float) -> Timeline:
    """Bars that hold music whose first and last notes begin, and which ends, at these seconds.

    Beats go on at their nearest tempo where the music does; bars without music before it are left out. Beats
    before the first downbeat are a bar that is not whole, and as many bars as they fill.
    """
    step, usual = float(np.median(np.diff(beats.times))), beats.beats_a_bar
    before = max(0, int(np.ceil((beats.times[0] - first) / step - EARLY)))
    after = max(1, int(np.ceil((last - beats.times[-1]) / step)))
    times = np.concatenate(
        [
            beats.times[0] - step * np.arange(before, 0, -1),
            beats.times,
            beats.times[-1] + step * np.arange(1, after + 1),
        ]
    )
    downbeat = np.flatnonzero(beats.downbeat) + before
    begins = _bar_starts(downbeat.tolist(), usual, len(times) - 1)
    # The first bar is the one in which the first note is, the last one that in which the last one ends.
    music = max(0, int(np.searchsorted(times, first + EARLY * step, side="right")) - 1)
    end = int(np.searchsorted(times, last - EARLY * step, side="left"))
    end = max(end, int(np.interp(last_onset, times, np.arange(len(times))) + 0.5) + 1)
    begins = [begin for begin, stop in zip(begins, [*begins[1:], np.inf], strict=True) if stop > music]
    begins = [begin for begin in begins if begin < end] or begins[:1]
    counts = np.diff([*begins, max(end, begins[-1] + 1)]).tolist()
    counts[-1] = max(counts[-1], usual)
    missing = begins[-1] + counts[-1] + 1 - len(times)
    times = np.append(times, times[-1] + step * np.arange(1, missing + 1))
    beat, factor, unit = (36, 3, 8) if beats.division == 3 else (QUARTER, 1, 4)
    bars, tick = [], 0
    for index, count in enumerate(counts):
        is_pickup = index == 0 and begins[0] < (downbeat[0] if len(downbeat) else 0) and count < usual
        signature = usual if is_pickup else count
        bars.append(Bar(tick, tick + count * beat, signature * factor, unit))
        tick += count * beat
    return Timeline(tuple(bars), times[begins[0] : begins[0] + tick // beat + 1], beat)


def _bar_starts(downbeat: list[int], usual: int, stop: int) -> list[int]:
    """Beats that begin bars: 0, the downbeats, and equally far apart before the first and after the last."""
    if not downbeat:
        return list(range(0, stop, usual))
    lead = list(range(downbeat[0] - usual, 0, -usual))[::-1]
    first = [] if downbeat[0] == 0 or (lead and lead[0] == 0) else [0]
    tail = list(range(downbeat[-1] + usual, stop, usual))
    return [*first, *lead, *downbeat, *tail]
