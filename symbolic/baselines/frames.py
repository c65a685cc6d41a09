"""Closed-form models of whole frames: 1-grams and 2-grams, with add-p or Gaussian smoothing.

Is: the four rows of Boulanger-Lewandowski et al. 2012, table 1, that count frames.
Is not: models of single keys (baselines.notes).

Add-p gives every frame at all the same small weight; "Gaussian" flips each key of a counted frame with one
probability. Their one parameter each is chosen on validation rolls. Nats throughout.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from symbolic.baselines.notes import previous
from symbolic.baselines.protocol import Roll, Steps

ROWS_AT_ONCE = 2000  # rows compared at a time: bounds the memory


def tuned(score: Callable[[float], float], low: float, high: float) -> float:
    """Parameter in low..high with the best score: golden section on its logarithm, to 0.1 %."""
    ratio = (np.sqrt(5) - 1) / 2
    left, right = np.log(low), np.log(high)
    inner = [right - ratio * (right - left), left + ratio * (right - left)]
    scores = [score(float(np.exp(place))) for place in inner]
    while right - left > 1e-3:
        if scores[0] > scores[1]:
            right, inner[1], scores[1] = inner[1], inner[0], scores[0]
            inner[0] = right - ratio * (right - left)
            scores[0] = score(float(np.exp(inner[0])))
        else:
            left, inner[0], scores[0] = inner[0], inner[1], scores[1]
            inner[1] = left + ratio * (right - left)
            scores[1] = score(float(np.exp(inner[1])))
    return float(np.exp((left + right) / 2))


def named(roll: Roll) -> list[bytes]:
    """One hashable name a frame."""
    return [row.tobytes() for row in np.packbits(roll, axis=1)]


def pairs(rolls: Sequence[Roll]) -> Iterator[tuple[bytes, bytes]]:
    """(frame before, frame) of every step."""
    for roll in rolls:
        yield from zip(named(previous(roll)), named(roll), strict=True)


class Followers:
    """Training frames, to be drawn: any of them, or one of those that followed a given frame."""

    def __init__(self, train: Sequence[Roll]) -> None:
        self.frames = np.concatenate(train)  # (N, D)
        before = [name for name, _ in pairs(train)]
        self.number = {name: number for number, name in enumerate(dict.fromkeys(before))}
        numbers = np.array([self.number[name] for name in before])
        self.order = numbers.argsort(kind="stable")  # training steps, those after the same frame together
        self.count = np.bincount(numbers)
        self.start = self.count.cumsum() - self.count

    def any(self, count: int, rng: np.random.Generator) -> Roll:
        """(count, D) training frames."""
        return np.asarray(self.frames[rng.integers(0, len(self.frames), count)])

    def after(self, rolls: Sequence[Roll], rng: np.random.Generator) -> tuple[Roll, NDArray[np.int64]]:
        """For every step a frame (all steps, D) that came after the same frame; how many did (all steps,).

        Where none did, it is any training frame.
        """
        number = np.array([self.number.get(before, -1) for before, _ in pairs(rolls)])
        count = np.where(number < 0, 0, self.count[number])
        place = self.start[number] + (rng.random(len(number)) * count).astype(np.int64)
        frames = np.where((count > 0)[:, None], self.frames[self.order[place]], self.any(len(number), rng))
        return frames, count


def _or_noise(frames: Roll, chance: Steps | float, rng: np.random.Generator) -> Roll:
    """Frames (N, D), each replaced by coins with a chance (N,)."""
    noise = rng.random(len(frames)) < chance
    return np.where(noise[:, None], rng.random(frames.shape, dtype=np.float32) < 0.5, frames)


class AddP:
    """1-gram of frames, (c(v) / n + l / 2**D) / (1 + l), with l chosen on `valid`."""

    def __init__(self, train: Sequence[Roll], valid: Sequence[Roll]) -> None:
        self.uniform = 2.0 ** -train[0].shape[1]
        self.followers = Followers(train)
        self.counts = Counter(name for roll in train for name in named(roll))
        self.total = sum(self.counts.values())
        self.weight = 1.0
        share = self._shares(valid)
        self.weight = tuned(lambda w: float(np.log((share + w * self.uniform) / (1 + w)).mean()), 1e-5, 1e3)
        self.settings = {"weight": self.weight}

    def _shares(self, rolls: Sequence[Roll]) -> Steps:
        return np.array([self.counts[name] / self.total for roll in rolls for name in named(roll)])

    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) nats."""
        return np.asarray(np.log((self._shares(rolls) + self.weight * self.uniform) / (1 + self.weight)))

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): a draw of every step."""
        for _ in range(count):
            yield self.noisy(self.followers.any(sum(map(len, rolls)), rng), rng)

    def noisy(self, frames: Roll, rng: np.random.Generator) -> Roll:
        """Training frames (N, D), replaced by coin tosses as often as their smoothing demands."""
        return _or_noise(frames, self.weight / (1 + self.weight), rng)


class BigramAddP:
    """2-gram of frames, (c(u, v) + m / 2**D) / (c(u) + m); after an unseen frame u the 1-gram."""

    def __init__(self, train: Sequence[Roll], valid: Sequence[Roll]) -> None:
        self.unigram = AddP(train, valid)
        self.counts = Counter(pairs(train))
        self.contexts = Counter(before for before, _ in pairs(train))
        table = self._lookup(valid)
        self.weight = tuned(lambda m: float(self._score(*table, m).mean()), 1e-3, 1e5)
        self.settings = {"weight": self.weight}

    def _lookup(self, rolls: Sequence[Roll]) -> tuple[Steps, Steps, Steps]:
        """c(u, v), c(u) and the 1-gram's log-probability, each (all steps,)."""
        both = np.array([self.counts[pair] for pair in pairs(rolls)], dtype=np.float64)
        before = np.array([self.contexts[before] for before, _ in pairs(rolls)], dtype=np.float64)
        return both, before, self.unigram.log_prob(rolls)

    def _score(self, both: Steps, before: Steps, single: Steps, m: float) -> Steps:
        counted = np.log((both + m * self.unigram.uniform) / (before + m))
        return np.where(before > 0, counted, single)

    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) nats."""
        return self._score(*self._lookup(rolls), self.weight)

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): a draw of every step."""
        for _ in range(count):
            frames, many = self.unigram.followers.after(rolls, rng)
            counted = _or_noise(frames, np.asarray(self.weight / (many + self.weight)), rng)
            yield np.where((many > 0)[:, None], counted, self.unigram.noisy(frames, rng))


class Kernel:
    """Mixture over training frames, each key of which is flipped with one probability: "Gaussian".

    With `order` 1 the frames are all of the training steps; with 2 those that followed the same frame, and
    all where it is unseen. Either way a step's probability depends on how many training frames lie at each
    distance 0..D from it: that histogram is counted once, and the flip probability then tuned on it.
    """

    def __init__(self, train: Sequence[Roll], valid: Sequence[Roll], order: int) -> None:
        self.keys, self.order = train[0].shape[1], order
        self.followers = Followers(train)
        self.all = _counted(np.concatenate(train))
        self.after: dict[bytes, tuple[Roll, Steps]] = {}
        if order == 2:
            followers: dict[bytes, list[NDArray[np.bool_]]] = defaultdict(list)
            for roll in train:
                for before, frame in zip(named(previous(roll)), roll, strict=True):
                    followers[before].append(frame)
            self.after = {before: _counted(np.stack(frames)) for before, frames in followers.items()}
        histogram = self._histogram(valid)
        self.flip = tuned(lambda e: float(self._score(histogram, e).mean()), 1e-5, 0.3)
        self.settings = {"flip": self.flip}

    def _histogram(self, rolls: Sequence[Roll]) -> NDArray[np.float64]:
        """(all steps, D + 1) number of training frames at each distance from each step."""
        steps = np.concatenate(rolls)
        if self.order == 1:
            return _distances(steps, *self.all)
        table = np.zeros((len(steps), self.keys + 1))
        rows: dict[bytes, list[int]] = defaultdict(list)
        for row, (before, _) in enumerate(pairs(rolls)):
            rows[before if before in self.after else b""].append(row)
        for before, group in rows.items():
            table[group] = _distances(steps[group], *self.after.get(before, self.all))
        return table

    def _score(self, histogram: NDArray[np.float64], flip: float) -> Steps:
        distance = np.arange(self.keys + 1)
        log_kernel = distance * np.log(flip) + (self.keys - distance) * np.log1p(-flip)
        with np.errstate(divide="ignore"):  # log 0: no frame at that distance
            terms = np.log(histogram) + log_kernel
        highest = terms.max(1)
        summed = np.log(np.exp(terms - highest[:, None]).sum(1)) + highest
        return np.asarray(summed - np.log(histogram.sum(1)))

    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) nats."""
        return self._score(self._histogram(rolls), self.flip)

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): for every step a training frame with some keys flipped."""
        for _ in range(count):
            if self.order == 1:
                frames = self.followers.any(sum(map(len, rolls)), rng)
            else:
                frames, _ = self.followers.after(rolls, rng)
            yield np.asarray(frames ^ (rng.random(frames.shape, dtype=np.float32) < self.flip))


def _counted(frames: Roll) -> tuple[Roll, Steps]:
    """Distinct frames (U, D) and how often each comes (U,)."""
    packed, counts = np.unique(np.packbits(frames, axis=1), axis=0, return_counts=True)
    return np.unpackbits(packed, axis=1, count=frames.shape[1]).astype(np.bool_), counts.astype(np.float64)


def _distances(steps: Roll, frames: Roll, counts: Steps) -> NDArray[np.float64]:
    """(N, D + 1) number of frames (U, D), counted (U,) times, at each Hamming distance from steps (N, D)."""
    keys = steps.shape[1]
    # Music repeats itself: each distinct step is compared once.
    distinct, row = np.unique(np.packbits(steps, axis=1), axis=0, return_inverse=True)
    mine = np.unpackbits(distinct, axis=1, count=keys)
    table = np.zeros((len(mine), keys + 1))
    other, size = frames.astype(np.float32), frames.sum(1)
    for start in range(0, len(mine), ROWS_AT_ONCE):
        block = mine[start : start + ROWS_AT_ONCE].astype(np.float32)
        # |a xor b| = |a| + |b| - 2 |a and b|: exact in float32, these are small integers.
        apart = (block.sum(1)[:, None] + size - 2 * (block @ other.T)).astype(np.int64)  # (n, U)
        cell = np.arange(len(block))[:, None] * (keys + 1) + apart
        weights = np.broadcast_to(counts, cell.shape).ravel()
        flat = np.bincount(cell.ravel(), weights=weights, minlength=len(block) * (keys + 1))
        table[start : start + len(block)] = flat.reshape(len(block), keys + 1)
    return np.asarray(table[row.ravel()])
