"""From the network's answers to beats, and from beats to bars: two searches by dynamic programming.

Beats are a semi-Markov chain over frames of 20 ms whose state is the time since the beat before; a change of
tempo costs in proportion to the logarithm of its ratio. Bars are a Markov chain over beats whose state is
the number of beats in the bar and the place in it (the bar pointer of Whiteley, Cemgil and Godsill, 2006).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.network import BARS, LONGEST_BEAT, SHORTEST_BEAT, TEMPI, Readings, tempo_class

FRAME = 0.02  # seconds


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Weights of the two searches, nats; the defaults are those of benchmarks.beat_costs."""

    beat: float = 0.5  # given to every beat: what the network doubts is rather a beat than a gap
    silent_beat: float = 3.0  # of a beat where nothing is struck
    tempo_change: float = 1.5  # of a tempo e times as fast or slow
    tempo: float = 0.5  # factor on the network's log-probability of the tempo, beyond an even one's
    bar_change: float = 0.1  # of another number of beats in the next bar
    bar: float = 0.05  # factor on the network's log-probability of a number of beats a bar


COSTS = Costs()


def find_beats(readings: Readings, costs: Costs = COSTS) -> NDArray[np.float64]:
    """(N,) seconds of the best beats from the first chord to the last; where a chord is near, at it."""
    time = readings.time
    first, count = time[0], round((time[-1] - time[0]) / FRAME) + 1
    frame = ((time - first) / FRAME).round().astype(np.int64)
    score = np.full(count, -costs.silent_beat, dtype=np.float32)
    at_chord = np.full(count, -np.inf, dtype=np.float32)
    np.maximum.at(at_chord, frame, readings.beat)
    score = np.maximum(score, at_chord) + np.float32(costs.beat)
    chord = np.searchsorted(frame, np.arange(count), side="right") - 1
    tempo = (readings.tempo[chord] + np.log(TEMPI)).astype(np.float32) * np.float32(costs.tempo)
    beats = _best_chain(score, tempo, costs.tempo_change)
    return _at_chords(beats, frame, time, readings.beat)


def _best_chain(score: NDArray[np.float32], tempo: NDArray[np.float32], change: float) -> NDArray[np.int64]:
    """Frames of the beats with the largest sum of scores (T,), tempo scores (T, classes), changes' costs.

    The first beat is within the longest time between two of the beginning, the last within it of the end.
    """
    lengths = np.arange(round(SHORTEST_BEAT / FRAME), round(LONGEST_BEAT / FRAME) + 1)
    count, shortest, longest = len(score), int(lengths[0]), int(lengths[-1])
    rise = (change * np.log(lengths)).astype(np.float32)
    classes, column = tempo_class(np.asarray(lengths * FRAME, dtype=np.float64)), np.arange(len(lengths))
    best = np.empty((count, len(lengths)), dtype=np.float32)  # (frame of a beat, frames since the one before)
    # Of the last frames, whatever the next length: the best with its change of tempo. Before the music, none.
    changed = np.full((longest + shortest, len(lengths)), -np.inf, dtype=np.float32)
    for first in range(0, count, shortest):  # so many frames at once: no two of them can be beats
        now = np.arange(first, min(count, first + shortest))
        value = changed[(now[:, None] - lengths) % len(changed), column]
        # May be the first beat: its own time to the one before is free.
        value[now < longest] = np.maximum(value[now < longest], 0)
        best[now] = value + score[now, None] + tempo[now][:, classes]
        changed[now % len(changed)] = _after_change(best[now], rise)
    last = max(0, count - longest)
    end, length = divmod(int(best[last:].argmax()), len(lengths))
    now_at, chain = end + last, list[int]()
    while True:
        chain.append(now_at)
        now_at -= int(lengths[length])
        if now_at < 0:
            break
        before = best[now_at] - np.abs(rise - rise[length])
        length = int(before.argmax())
        if chain[-1] < longest and before[length] < 0:
            break
    return np.array(chain[::-1], dtype=np.int64)


def _after_change(value: NDArray[np.float32], rise: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, L) the largest of each row's values less |rise[now] - rise[before]|, of any length before.

    rise: (L,) the cost of a tempo, increasing: what a change costs is a difference, so a running maximum
    over the shorter lengths and one over the longer find it (Felzenszwalb and Huttenlocher, 2012).
    """
    shorter = np.maximum.accumulate(value + rise, axis=1) - rise
    longer = np.maximum.accumulate((value - rise)[:, ::-1], axis=1)[:, ::-1] + rise
    return np.maximum(shorter, longer)


def _at_chords(
    beats: NDArray[np.int64],
    frame: NDArray[np.int64],
    time: NDArray[np.float64],
    logit: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Seconds of beats (N,) in frames: of the likeliest chord of the frame, else of the frame."""
    order = np.lexsort((-logit, frame))
    rows = order[np.searchsorted(frame[order], beats).clip(max=len(order) - 1)]
    return np.asarray(np.where(frame[rows] == beats, time[rows], time[0] + beats * FRAME))


def find_downbeats(
    log_odds: NDArray[np.float32], bar: NDArray[np.float32], costs: Costs = COSTS
) -> NDArray[np.bool_]:
    """(N,) which beats begin a bar.

    log_odds: (N,) of each beat that it does.
    bar: (N, len(BARS)) log-probability of the number of beats a bar, at each beat.
    """
    states = [(which, place) for which, size in enumerate(BARS) for place in range(size)]
    begins = np.array([place == 0 for _, place in states])
    which = np.array([w for w, _ in states])
    step = np.full((len(states), len(states)), -np.inf)  # (before, now)
    for i, (w, place) in enumerate(states):
        for j, (other, start) in enumerate(states):
            if w == other and start == place + 1:
                step[i, j] = 0.0
            if start == 0 and place == BARS[w] - 1:
                step[i, j] = 0.0 if w == other else -costs.bar_change
            if start == 0 and place < BARS[w] - 1:  # a bar cut short
                step[i, j] = -2 * costs.bar_change
    sign = np.where(begins, 0.5, -0.5)
    emission = log_odds[:, None] * sign + costs.bar * bar[:, which]
    value, back = emission[0], np.zeros(emission.shape, dtype=np.int64)
    for now in range(1, len(emission)):
        reach = value[:, None] + step
        back[now] = reach.argmax(axis=0)
        value = reach.max(axis=0) + emission[now]
    state = int(value.argmax())
    downbeat = np.zeros(len(emission), dtype=np.bool_)
    for now in range(len(emission) - 1, -1, -1):
        downbeat[now] = begins[state]
        state = int(back[now, state])
    return downbeat
