"""Evidence: a posteriorgram at the steps of a clock: peaks of its onsets or means of its frames."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from symbolic.clock import Clock
from symbolic.errors import NotebeamError
from symbolic.planes import let_go
from symbolic.posteriorgram import Posteriorgram

Plane = Literal["struck", "active"]  # a bit means: the key is struck at the step, or it sounds

STEP = 0.04  # seconds between steps, without a prior
# Seconds on either side that a peak must top, and that refine its time; and frames, at most.
PEAK_RADIUS, PEAK_FRAMES = 0.04, 2
CENTROID_RADIUS, CENTROID_FRAMES = 0.06, 3
KEY_BLOCK = 8  # keys searched at once: an hour of one key is 180,000 frames
STEP_BLOCK = 8192  # steps averaged at once
PEAK_BLOCK = 1 << 16  # peaks refined at once
# Seconds within which two distances are equal: a frame halfway between two steps (every second one, where a
# step is two frames) belongs to the earlier, whichever way its time was rounded.
TIE = 1e-6


@dataclass(frozen=True, eq=False)
class Evidence:
    """Probability of each key at each step of a clock."""

    prob: NDArray[np.float32]  # (T, D) probability that the key is struck at, or sounds at, the step
    time: "NDArray[np.float64] | PeakTimes"  # (T, D) seconds, of the peak if there is one, else of the step
    frame: NDArray[np.int32]  # (T, D) posteriorgram row of that peak, else the row nearest to the step
    clock: Clock  # T steps
    plane: Plane = "struck"


@dataclass(frozen=True, eq=False)
class PeakTimes:
    """Times (T, D) that are told when they are asked for, by any index of an array: kept, they would take
    twice the memory of the probabilities, and few are asked for."""

    onset: NDArray[np.float32]  # (F, D) the plane whose peaks these are
    times: NDArray[np.float64]  # (F,) seconds of its frames
    steps: NDArray[np.float64]  # (T,) seconds of the steps
    prob: NDArray[np.float32]  # (T, D) as in `Evidence`; above 0 where there is a peak
    frame: NDArray[np.int32]  # (T, D) as in `Evidence`

    @property
    def shape(self) -> tuple[int, ...]:
        return self.prob.shape

    def __getitem__(self, at: Any) -> NDArray[np.float64]:
        step = np.broadcast_to(self.steps[:, None], self.shape)[at]
        key = np.broadcast_to(np.arange(self.shape[1]), self.shape)[at]
        # Where there is no peak the frame is any other, and what is around it may have no centre.
        has_peak = np.asarray(self.prob[at] > 0)
        result = np.array(step)
        place = _centroid(self.onset, self.frame[at][has_peak], key[has_peak], _hop(self.times))
        result[has_peak] = _seconds(place, self.times)
        let_go(self.onset)
        return result


@dataclass(frozen=True, eq=False)
class Peaks:
    """Local maxima over time of some keys' probabilities."""

    frame: NDArray[np.int64]  # (N,)
    key: NDArray[np.int64]  # (N,)
    value: NDArray[np.float32]  # (N,) 0..1, above 0
    place: NDArray[np.float64]  # (N,) frames, refined between two frames


def frames_clock(posteriorgram: Posteriorgram, step: float = STEP) -> Clock:
    """Steps `step` seconds apart, from the first frame to the step nearest to the last frame."""
    seconds = (posteriorgram.count - 1) * posteriorgram.hop
    count = int(np.floor(seconds / step + 0.5)) + 1 if posteriorgram.count else 0
    return Clock.frames(count, step, posteriorgram.start)


def evidence_of(posteriorgram: Posteriorgram, clock: Clock, plane: Plane) -> Evidence:
    """Evidence for the plane of the roll that is to be decoded, at the clock's steps."""
    if plane == "active":
        return sounding_evidence(posteriorgram, clock)
    if posteriorgram.onset is None:
        expected = "an onset plane, or a prior of sounding keys, or none"
        raise NotebeamError(posteriorgram.place, "no onset plane", expected)
    return struck_evidence(posteriorgram.onset, posteriorgram.times, clock)


def struck_evidence(onset: NDArray[np.float32], times: NDArray[np.float64], clock: Clock) -> Evidence:
    """Peaks of the onset plane (F, D), each at the step nearest to its refined time.

    Of two peaks in one step the larger stays, of equals the earlier; other entries are 0.
    """
    evidence = _silent(times, clock, onset.shape[1], "struck")
    if not len(clock) or not len(times):
        return evidence
    prob, frame, hop = evidence.prob, evidence.frame, _hop(times)
    for first in range(0, onset.shape[1], KEY_BLOCK):
        peaks = find_peaks(onset[:, first : first + KEY_BLOCK], hop)
        seconds = _seconds(peaks.place, times)
        step, key = clock.steps_of(seconds - TIE), peaks.key + first
        # Assigning an entry twice keeps the last value, so the largest, of equals the earliest, comes last.
        order = np.lexsort((-seconds, peaks.value))
        # What lies before the clock begins, or past its end, belongs to no step.
        order = order[(step[order] < len(clock)) & ~clock.is_before(seconds)[order]]
        at = (step[order], key[order])
        prob[at], frame[at] = peaks.value[order], peaks.frame[order]
        let_go(onset)
    return replace(evidence, time=PeakTimes(onset, times, clock.times, prob, frame))


def sounding_evidence(posteriorgram: Posteriorgram, clock: Clock) -> Evidence:
    """Mean of the frame plane over the frames nearest to each step; the nearest frame where there is none.

    A step of beats says what sounds as it begins, as scores do: of it the frames of its first half count.
    """
    times, sounding = posteriorgram.times, posteriorgram.frame
    evidence = _silent(times, clock, sounding.shape[1], "active")
    if not len(clock) or not len(times):
        return evidence
    if clock.kind == "beats":
        half = (np.append(clock.times[1:], clock.end) - clock.times) / 2
        first = np.searchsorted(times, clock.times - TIE)
        stop = np.searchsorted(times, clock.times + half - TIE)
    else:
        # Steps of successive frames never fall, so a step's frames are one run first..stop.
        step = np.where(clock.is_before(times), -1, clock.steps_of(times - TIE))
        first = np.searchsorted(step, np.arange(len(clock)), side="left")
        stop = np.searchsorted(step, np.arange(len(clock)), side="right")
    empty = first == stop
    first = np.where(empty, evidence.frame[:, 0], first)
    stop = np.where(empty, first + 1, stop)
    for begin in range(0, len(clock), STEP_BLOCK):
        block = slice(begin, begin + STEP_BLOCK)
        low, high = first[block].min(), stop[block].max()
        total = np.zeros((high - low + 1, sounding.shape[1]))
        np.cumsum(sounding[low:high], axis=0, out=total[1:], dtype=np.float64)
        mean = (total[stop[block] - low] - total[first[block] - low]) / (stop - first)[block, None]
        evidence.prob[block] = np.clip(mean, 0.0, 1.0)  # rounding may leave 0..1 by an ulp
    return evidence


def find_peaks(planes: NDArray[np.float32], hop: float = 0.02) -> Peaks:
    """Local maxima over time of planes (F, D), whose frames are `hop` seconds apart (20 ms: our own models').

    A run of equal values above 0 is a peak, at its centre (the earlier of two), if it is larger than each of
    the frames in the 40 ms before it, two at most and one at least, and no smaller than each of those after.
    """
    frame, key, value = _tops(planes, hop)
    return Peaks(frame, key, value, _centroid(planes, frame, key, hop))


def peak_values(planes: NDArray[np.float32], hop: float = 0.02) -> NDArray[np.float32]:
    """(N,) values of the peaks of planes (F, D), key by key."""
    starts = range(0, planes.shape[1], KEY_BLOCK)
    return np.concatenate([_tops(planes[:, first : first + KEY_BLOCK], hop)[2] for first in starts])


def _hop(times: NDArray[np.float64]) -> float:
    """Seconds from frame to frame; of one frame alone any."""
    return float(times[1] - times[0]) if len(times) > 1 else 1.0


def _frames(seconds: float, most: int, hop: float) -> int:
    """So many seconds in frames, one at least; where frames are far apart they may hold another stroke."""
    return max(1, min(most, round(seconds / hop)))


def _tops(
    planes: NDArray[np.float32], hop: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Frame, key and value, each (N,), of the peaks as `find_peaks` has them."""
    (count, keys), radius = planes.shape, _frames(PEAK_RADIUS, PEAK_FRAMES, hop)
    width = count + 2 * radius
    # Keys one after the other in one line, each padded by values that every peak tops.
    padded = np.full((keys, width), -1.0, dtype=np.float32)
    padded[:, radius : radius + count] = planes.T
    line = padded.ravel()
    tops = (line[radius:-radius] > 0).copy()
    for back in range(1, radius + 1):
        tops &= line[radius:-radius] > line[radius - back : -radius - back]
    first = np.flatnonzero(tops) + radius
    ends = np.flatnonzero(line[:-1] != line[1:])
    last = ends[np.searchsorted(ends, first)]
    after = np.stack([line[last + ahead] for ahead in range(1, radius + 1)])
    kept = (line[first] >= after).all(axis=0)
    first, last = first[kept], last[kept]
    key, centre = np.divmod((first + last) // 2, width)
    return centre - radius, key, line[first]


def _centroid(
    planes: NDArray[np.float32], frame: NDArray[np.int64], key: NDArray[np.int64], hop: float
) -> NDArray[np.float64]:
    """(N,) centre of mass, in frames, of the values around each peak, on each side until they rise again."""
    result, radius = np.empty(len(frame)), _frames(CENTROID_RADIUS, CENTROID_FRAMES, hop)
    for begin in range(0, len(frame), PEAK_BLOCK):
        block = slice(begin, begin + PEAK_BLOCK)
        around = frame[block, None] + np.arange(-radius, radius + 1)  # (N, 7)
        inside = (around >= 0) & (around < len(planes))
        value = planes[around.clip(0, len(planes) - 1), key[block, None]]
        for side in (value[:, radius::-1], value[:, radius:]):  # views, from the peak outwards
            rises = side > np.minimum.accumulate(side, axis=1)
            side[np.logical_or.accumulate(rises, axis=1)] = 0.0  # another stroke's
        weight = np.where(inside, value, 0.0).astype(np.float64)
        result[block] = (weight * around).sum(axis=1) / weight.sum(axis=1)
    return result


def _seconds(place: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) times of places between frames."""
    return np.asarray(np.interp(place, np.arange(len(times)), times))


def _silent(times: NDArray[np.float64], clock: Clock, keys: int, plane: Plane) -> Evidence:
    """Evidence of nothing, to be filled in."""
    shape = (len(clock), keys)
    time = np.broadcast_to(clock.times[:, None], shape)
    if len(times):
        right = np.searchsorted(times, clock.times).clip(1, max(1, len(times) - 1))
        after = times[right.clip(max=len(times) - 1)] - clock.times
        left_is_near = clock.times - times[right - 1] <= after + TIE
        nearest = np.where(left_is_near | (len(times) == 1), right - 1, right)
    else:
        nearest = np.zeros(len(clock), dtype=np.int64)
    frame = np.broadcast_to(nearest[:, None], shape).astype(np.int32)
    return Evidence(np.zeros(shape, dtype=np.float32), time, frame, clock, plane)
