"""Repetition: what a piece holds at the moments that resemble one, before it and after it.

Is: chords of probable onsets, how alike the chords around two of them are, and what the like moments hold.
Is not: other numbers about an onset (priors.surroundings).
"""

import numpy as np
from numpy.typing import NDArray

from symbolic.pitch import KEYS

CHORD = 0.3  # an onset as probable as this belongs to a chord
CHORD_GAP = 0.03  # seconds between successive onsets of a chord, at most
NEAR = 0.1  # seconds from a chord within which an onset counts as a part of it
SPAN = 4  # chords before and after that say whether two moments are alike
# Of the weights of alike moments, as powers of the first.
SHARPNESS, POWERS = 6.0, (1, 2, 5)
NEAR_CHORDS = 4096  # chords on either side that are searched: a quarter of an hour and more
BLOCK = 512  # chords compared at once
CONTEXTS = 16 * BLOCK  # chords whose surroundings are held at once, and those near them
LEAST = 1e-3  # probabilities are brought this far from 0 and 1 before their logit is taken
GAPS = np.arange(-2, 4)  # between chords around a moment: the first two before it, ..., the third after it

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def repetition(key: Indices, time: NDArray[np.float64], prob: Floats) -> Floats:
    """(N, 12) of onsets (N,): what alike moments hold of the key, how alike they are, and the rhythm.

    Three log-odds of the key, from wide to narrow; the best likeness; log of the number of chords; seconds
    from the onset to its chord; logs of the six gaps between the chords around.
    """
    chord_time, chords, place = chords_of(key, time, prob)
    parts, best = recall(chords)
    own = [part[place, key] for part in parts]
    odds = [logit(value) for value in own]
    gap = np.diff(chord_time, prepend=chord_time[0] - 1, append=chord_time[-1] + 1)
    gaps = np.pad(gap, SPAN, mode="edge")[(place + SPAN)[:, None] + GAPS]
    count = np.full(len(place), np.log1p(len(chords)))
    others = np.stack([*odds, best[place], count, np.abs(time - chord_time[place])], axis=1)
    return np.concatenate([others, np.log(gaps.clip(0.03, 5))], axis=1).astype(np.float32)


def chords_of(
    key: Indices, time: NDArray[np.float64], prob: Floats
) -> tuple[NDArray[np.float64], Floats, Indices]:
    """Times (n,) of chords, their probabilities (n, 88), and the chord (N,) nearest to each onset.

    Without a probable onset there is one empty chord at time 0.
    """
    probable = np.sort(time[prob >= CHORD])
    if not len(probable):
        return np.zeros(1), np.zeros((1, KEYS), np.float32), np.zeros(len(key), np.int64)
    number = np.concatenate([[0], np.cumsum(np.diff(probable) > CHORD_GAP)])
    moments = np.bincount(number, probable) / np.bincount(number)
    after = np.searchsorted(moments, time).clip(max=len(moments) - 1)
    before = (after - 1).clip(min=0)
    place = np.where(np.abs(time - moments[before]) < np.abs(moments[after] - time), before, after)
    near = np.abs(time - moments[place]) < NEAR
    chords = np.zeros((len(moments), KEYS), dtype=np.float32)
    np.maximum.at(chords, (place[near], key[near]), prob[near])
    return moments, chords, place


def recall(chords: Floats) -> tuple[list[Floats], Floats]:
    """What other moments with like chords before and after hold, (n, 88) a power; the best likeness (n,).

    Moments are weighted by exp(SHARPNESS * power * likeness); the likeness is the cosine of the `SPAN` chords
    before and after, the chord itself left out.
    """
    count, low = len(chords), 0
    results = [np.zeros_like(chords) for _ in POWERS]
    best = np.zeros(count, dtype=np.float32)
    for begin in range(0, count, BLOCK):
        end = min(begin + BLOCK, count)
        first, stop = max(0, begin - NEAR_CHORDS), min(count, end + NEAR_CHORDS)
        if begin % CONTEXTS == 0:
            low = first
            context = _contexts(chords, low, min(count, begin + CONTEXTS + NEAR_CHORDS))
        alike = context[begin - low : end - low] @ context[first - low : stop - low].T
        itself = (np.arange(end - begin), np.arange(begin, end) - first)
        alike[itself] = -1.0
        top = alike.max(axis=1, keepdims=True)
        best[begin:end] = top[:, 0]
        once = np.exp(SHARPNESS * (alike - top))
        once[itself] = 0.0
        for power, result in zip(POWERS, results, strict=True):
            weight = once if power == 1 else once**power
            result[begin:end] = weight @ chords[first:stop] / weight.sum(axis=1, keepdims=True).clip(min=1e-9)
    return results, best


def _contexts(chords: Floats, first: int, stop: int) -> Floats:
    """(n, 8 * 88) the chords before and after each of first..stop - 1, of length 1."""
    shifts = [shift for shift in range(-SPAN, SPAN + 1) if shift]
    context = np.zeros((stop - first, len(shifts), KEYS), dtype=np.float32)
    for place, shift in enumerate(shifts):
        low = min(max(first + shift, 0), len(chords))
        high = min(max(stop + shift, low), len(chords))
        context[low - shift - first : high - shift - first, place] = chords[low:high]
    result: Floats = context.reshape(stop - first, -1)
    for begin in range(0, len(result), BLOCK):
        part = result[begin : begin + BLOCK]
        part /= np.linalg.norm(part, axis=1, keepdims=True).clip(min=1e-3)
    return result


def logit(prob: NDArray[np.floating]) -> Floats:
    """Log-odds of probabilities, at most 7 either way."""
    prob = np.clip(prob, LEAST, 1 - LEAST)
    return np.asarray(np.log(prob / (1 - prob)), dtype=np.float32)
