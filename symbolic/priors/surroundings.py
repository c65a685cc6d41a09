"""What surrounds an onset that may have been played: numbers from which a prior judges it.

Is: for each candidate (a key at a moment) the posteriorgram around it, its neighbours on the same key, the
pitches that the piece uses nearby, and *repetition*: how probable the key was at those moments of the piece
that resemble this one.
Is not: the judgement (priors.evidence_join), or which candidates there are (symbolic.decoding.evidence).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.pitch import KEYS
from symbolic.planes import let_go
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.repetition import logit, repetition

# Planes that may be looked at, beside the frame plane: the first so many of them.
PLANES = ("onset", "offset", "held", "velocity")
HOP = 0.02  # seconds; offsets below are frames of this length, whatever the posteriorgram's
ONSET_FRAMES = np.arange(-10, 11)
LEVEL_FRAMES = np.array([-10, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 10, 14, 20])  # of frame and held
OFFSET_FRAMES = np.array([-10, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 10])
PEAK_REACH = 2  # frames within which another key's onset counts as at the same moment
# Frames over which a key's level before and after is averaged, and reaches of its highest onset.
SPANS = ((-25, -10), (-10, -2), (3, 10), (10, 25))
REACHES = (7, 14, 21)
# Semitones to the keys whose partials fall together with this one's, and to its neighbours.
HIGHER = np.array([1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 19, 24, 28, 31, 34, 36])
INTERVALS = np.concatenate([-HIGHER[::-1], HIGHER])
COUNT_SECONDS = (0.06, 0.3, 1.0, 2.0, 8.0, 30.0)
PROFILE_SECONDS = (4.0, 20.0)
LOCAL_SECONDS = 10.0
FAR = 30.0  # seconds beyond which nothing but repetition is looked for
BLOCK = 8192  # onsets at once, so that memory does not grow with the recording
# Numbers that need no plane: place, same key, counts, confidence here and on the whole, repetition.
AROUND_COUNT = 2 + 12 + 60 + 1 + 3 + 12

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Onsets:
    """N onsets that may have been played."""

    key: Indices  # (N,)
    frame: Indices  # (N,) of the posteriorgram
    time: NDArray[np.float64]  # (N,) seconds
    prob: Floats  # (N,) 0..1

    def take(self, rows: NDArray[np.integer] | slice) -> "Onsets":
        """Those of them."""
        return Onsets(self.key[rows], self.frame[rows], self.time[rows], self.prob[rows])


def surroundings(
    posteriorgram: Posteriorgram, onsets: Onsets, planes: int = len(PLANES), block: int = BLOCK
) -> Iterator[tuple[Indices, Floats]]:
    """Places (n,) of onsets and their numbers (n, F), `block` of them at a time, all of them once.

    The first number is the logit of the onset's own probability. F is `number_count(planes)`, where the first
    `planes` of `PLANES` are looked at.

    Raises:
        NotebeamError: one of them is missing.
    """
    looked_at = PLANES[:planes]
    check_planes(posteriorgram, looked_at)
    order = np.argsort(onsets.time, kind="stable")
    ordered = onsets.take(order)
    alike, whole = repetition(ordered.key, ordered.time, ordered.prob), _whole(ordered)
    for begin in range(0, len(order), block):
        end = min(begin + block, len(order))
        first = int(np.searchsorted(ordered.time, ordered.time[begin] - FAR))
        stop = int(np.searchsorted(ordered.time, ordered.time[end - 1] + FAR, side="right"))
        near, own = ordered.take(slice(first, stop)), slice(begin - first, end - first)
        these = ordered.take(slice(begin, end))
        parts = [
            logit(these.prob)[:, None],
            _own_key(posteriorgram, these, looked_at),
            _other_keys(posteriorgram, these, looked_at),
            _same_key(near)[own],
            _counts(near)[own],
            _confidence(posteriorgram, near, looked_at)[own],
            np.broadcast_to(whole, (len(these.key), len(whole))),
            alike[begin:end],
        ]
        let_go(posteriorgram.onset)  # one file has all planes
        yield order[begin:end], np.concatenate([part.astype(np.float32) for part in parts], axis=1)


def check_planes(posteriorgram: Posteriorgram, planes: Sequence[str]) -> None:
    """Refuse a posteriorgram that lacks what is looked at.

    Raises:
        NotebeamError: a plane is missing.
    """
    missing = [name for name in planes if getattr(posteriorgram, name) is None]
    if missing:
        expected = f"the planes {', '.join(planes)}, or another prior"
        raise NotebeamError(posteriorgram.place, f"no plane {missing[0]}", expected)


def planes_of(posteriorgram: Posteriorgram) -> int:
    """How many of `PLANES` it has, up to the first that is missing."""
    there = [getattr(posteriorgram, name) is not None for name in PLANES]
    return [*there, False].index(False)


def log_odds_count(planes: int) -> int:
    """How many of the numbers, the first of them, are log-odds of the acoustic model."""
    own = len(ONSET_FRAMES) + 2 * len(REACHES) + len(SPANS)
    own += len(LEVEL_FRAMES) * (1 + ("held" in PLANES[:planes]))
    own += len(OFFSET_FRAMES) * ("offset" in PLANES[:planes])
    return 1 + own + 3 * len(INTERVALS)


def number_count(planes: int) -> int:
    """F, the numbers of an onset where so many of `PLANES` are looked at: 298 for all four, 234 for one."""
    loudness = (len(INTERVALS) + 2) * ("velocity" in PLANES[:planes])
    return log_odds_count(planes) + loudness + AROUND_COUNT


def _frames(posteriorgram: Posteriorgram, offsets: NDArray[np.integer]) -> Indices:
    """Offsets in frames of 20 ms as offsets in those of a posteriorgram."""
    return np.asarray(np.rint(offsets * (HOP / posteriorgram.hop)).astype(np.int64))


def plane_at(posteriorgram: Posteriorgram, name: str, frame: Indices, key: Indices) -> Floats:
    """Values of a plane at frames and keys, which are broadcast; 0 beyond its edges."""
    plane = getattr(posteriorgram, name)
    count, keys = plane.shape
    inside = (frame >= 0) & (frame < count) & (key >= 0) & (key < keys)
    return np.asarray(np.where(inside, plane[frame.clip(0, count - 1), key.clip(0, keys - 1)], 0.0))


def _own_key(posteriorgram: Posteriorgram, onsets: Onsets, planes: Sequence[str]) -> Floats:
    """(N, 77) log-odds of the key around the onset, finely near it and coarsely beyond.

    (N, 61) without a plane `held`, (N, 47) without that of offsets as well.
    """
    frame, key = onsets.frame[:, None], onsets.key[:, None]

    def odds(name: str, offsets: NDArray[np.integer]) -> Floats:
        return logit(plane_at(posteriorgram, name, frame + _frames(posteriorgram, offsets), key))

    furthest = max(REACHES)
    onset = odds("onset", np.arange(-furthest - 3, furthest + 4))
    highest = []
    for reach in REACHES:
        for side in (-reach, reach):
            at = furthest + 3 + side
            highest.append(onset[:, at - 3 : at + 4].max(axis=1))
    middle = furthest + 3
    low, high = SPANS[0][0], SPANS[-1][1]
    level = odds("frame", np.arange(low, high))
    means = [level[:, first - low : stop - low].mean(axis=1) for first, stop in SPANS]
    parts = [onset[:, middle + ONSET_FRAMES], level[:, LEVEL_FRAMES - low]]
    parts += [odds("held", LEVEL_FRAMES)] if "held" in planes else []
    parts += [odds("offset", OFFSET_FRAMES)] if "offset" in planes else []
    return np.concatenate([*parts, np.stack([*highest, *means], axis=1)], axis=1)


def _other_keys(posteriorgram: Posteriorgram, onsets: Onsets, planes: Sequence[str]) -> Floats:
    """(N, 131) log-odds of other keys at the moment, how much louder they are, velocity and place.

    (N, 98) without a plane of velocities.
    """
    frame, keys = onsets.frame[:, None], onsets.key[:, None] + INTERVALS
    struck = plane_at(posteriorgram, "onset", frame, keys)
    reach = int(_frames(posteriorgram, np.array(PEAK_REACH)))
    for offset in (*range(-reach, 0), *range(1, reach + 1)):
        np.maximum(struck, plane_at(posteriorgram, "onset", frame + offset, keys), out=struck)
    after, before = (
        logit(plane_at(posteriorgram, "frame", frame + offset, keys))
        for offset in _frames(posteriorgram, np.array([3, -5]))
    )
    loudness: list[Floats] = []
    if "velocity" in planes:
        velocity = plane_at(posteriorgram, "velocity", onsets.frame, onsets.key)[:, None]
        loudness = [(plane_at(posteriorgram, "velocity", frame, keys) - velocity) * struck, velocity]
    place = onsets.key[:, None] / (KEYS / 2) - 1
    return np.concatenate([logit(struck), after, before, *loudness, place, place**2], axis=1)


def _same_key(onsets: Onsets) -> Floats:
    """(N, 12) the two neighbours of the key on either side, and the nearest probable ones; within `FAR`."""
    order = np.lexsort((onsets.time, onsets.key))
    key, time, prob = onsets.key[order], onsets.time[order], onsets.prob[order]
    odds, columns = logit(prob), np.zeros((len(key), 12), dtype=np.float32)
    for column, steps in ((0, 1), (4, 2)):
        gap, beside = np.full((2, len(key)), FAR), np.full((2, len(key)), logit(np.zeros(1))[0])
        same = np.flatnonzero((key[steps:] == key[:-steps]) & (time[steps:] - time[:-steps] < FAR))
        gap[0, same + steps] = gap[1, same] = time[same + steps] - time[same]
        beside[0, same + steps], beside[1, same] = odds[same], odds[same + steps]
        columns[:, column : column + 4] = np.stack([_log(gap[0]), beside[0], _log(gap[1]), beside[1]], 1)
    # One line of all keys, each far from the next.
    line = key * (float(np.ptp(time)) + 2 * FAR) + time if len(time) else time
    for column, least in ((8, 0.5), (10, 0.2)):
        probable = np.concatenate([[-np.inf], line[prob > least], [np.inf]])
        before = line - probable[np.searchsorted(probable, line - 1e-5) - 1]
        after = probable[np.searchsorted(probable, line + 1e-5)] - line
        columns[:, column], columns[:, column + 1] = _log(before), _log(after)
    result = np.empty_like(columns)
    result[order] = columns
    return result


def _log(seconds: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.log(np.clip(seconds, HOP, FAR)))


def _counts(onsets: Onsets) -> Floats:
    """(N, 60) notes expected around: of this key, its pitch class, its neighbours, and altogether.

    Onsets are in the order of their times, as in `_confidence`.
    """
    time, key, prob = onsets.time, onsets.key, onsets.prob.astype(np.float64)
    each = np.zeros((len(key), KEYS))
    each[np.arange(len(key)), key] = prob
    classes = np.stack([each[:, first::12].sum(axis=1) for first in range(12)], axis=1)
    running = np.cumsum(np.pad(each, ((0, 0), (6, 5))), axis=1)
    beside = running[:, 11:] - running[:, :-11]  # within five semitones
    sums = [np.pad(np.cumsum(part, axis=0), ((1, 0), (0, 0))) for part in (each, classes, beside)]
    total = np.concatenate([[0.0], np.cumsum(prob)])
    columns = []
    for seconds in COUNT_SECONDS:
        first, stop = _within(time, seconds)
        own, octaves, near = (
            (part[stop, at] - part[first, at] - prob).clip(min=0)
            for part, at in zip(sums, (key, key % 12, key), strict=True)
        )
        everything = (total[stop] - total[first] - prob).clip(min=0)
        columns += [np.log1p(x) for x in (own, octaves, everything, near)]
        columns += [octaves / (everything + 1), own / (everything + 1)]
    profiles = []
    for seconds in PROFILE_SECONDS:
        first, stop = _within(time, seconds)
        profile = sums[1][stop] - sums[1][first]
        profile[np.arange(len(key)), key % 12] -= prob
        profile = np.take_along_axis(profile, (key[:, None] + np.arange(12)) % 12, axis=1)
        profiles.append(profile / profile.sum(axis=1, keepdims=True).clip(min=1))
    return np.concatenate([np.stack(columns, axis=1), *profiles], axis=1).astype(np.float32)


def _within(time: NDArray[np.float64], seconds: float) -> tuple[Indices, Indices]:
    """First and one past the last of the sorted times within so many seconds of each."""
    return np.searchsorted(time, time - seconds), np.searchsorted(time, time + seconds, side="right")


def _confidence(posteriorgram: Posteriorgram, onsets: Onsets, planes: Sequence[str]) -> Floats:
    """(N, 2) how sure the acoustic model is around; where there are velocities, this one against others'."""
    prob = onsets.prob.astype(np.float64)
    unsure, sure, likely = (prob > 0.1) & (prob < 0.9), prob > 0.9, prob > 0.5
    first, stop = _within(onsets.time, LOCAL_SECONDS)

    def around(values: NDArray[np.generic]) -> NDArray[np.floating]:
        total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return np.asarray(total[stop] - total[first])

    columns = [np.log(0.05 + around(unsure) / around(sure).clip(min=1))]
    if "velocity" in planes:
        velocity = plane_at(posteriorgram, "velocity", onsets.frame, onsets.key)
        columns.append(velocity - around(velocity * likely) / around(likely).clip(min=1))
    return np.stack(columns, axis=1).astype(np.float32)


def _whole(onsets: Onsets) -> Floats:
    """(3,) how sure the acoustic model is of this recording."""
    prob = onsets.prob.astype(np.float64)
    unsure, sure, likely, possible = (prob > 0.1) & (prob < 0.9), prob > 0.9, prob > 0.5, prob > 0.05
    return np.array(
        [
            np.log(0.01 + unsure.mean() / max(1e-3, sure.mean())) if len(prob) else 0.0,
            logit(prob[likely]).mean() if likely.any() else 0.0,
            prob[possible].mean() if possible.any() else 0.0,
        ],
        dtype=np.float32,
    )
