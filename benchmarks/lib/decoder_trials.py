"""Decoders tuned on validation pieces and counted on test pieces, piece by piece.

Is: the settings tried for each decoder, the choice among them, and accuracies with paired intervals.
Is not: the evidence (lib.classic_audio), or the order of the experiment (benchmarks.paper_experiment).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
from symbolic.evaluation.accuracy import Tally
from symbolic.priors.base import Prior

Roll = npt.NDArray[np.bool_]  # (T, D)
Options = Threshold | Hmm | Greedy | Beam
FLOOR = 0.001  # probability below which a key is never on
WIDTH, CANDIDATES = 4, 32  # of the beam
PARTITION_TEMPERATURES = 20  # of the estimate of log Z in a beam
RESAMPLES = 2000
# A prior charges about so many nats for a note, times its weight; the note penalty gives them back.
NOTE_NATS = 3.0


@dataclass(frozen=True)
class Pieces:
    """One split as the acoustic model hears it."""

    evidence: Sequence[Evidence]
    rolls: Sequence[Roll]


@dataclass(frozen=True)
class Counts:
    """What accuracies are made of, piece by piece."""

    hits: npt.NDArray[np.int64]  # (P,)
    union: npt.NDArray[np.int64]  # (P,)
    acc12_sum: npt.NDArray[np.float64]  # (P,) over the steps
    steps: npt.NDArray[np.int64]  # (P,)

    def bay(self, pieces: npt.NDArray[np.int64] | slice = slice(None)) -> npt.NDArray[np.float64]:
        """Bay's accuracy of some pieces (..., P), pooled over them."""
        union = self.union[pieces].sum(-1)
        return np.asarray(self.hits[pieces].sum(-1) / np.maximum(union, 1))

    def acc12(self, pieces: npt.NDArray[np.int64] | slice = slice(None)) -> npt.NDArray[np.float64]:
        """The accuracy of the 2012 tables of some pieces (..., P): its mean over their steps."""
        return np.asarray(self.acc12_sum[pieces].sum(-1) / self.steps[pieces].sum(-1))


@dataclass(frozen=True)
class Choice:
    """The settings that are best on the validation pieces."""

    options: Options
    valid_bay: float


def count(rolls: Sequence[Roll], true: Sequence[Roll]) -> Counts:
    """Of decoded rolls against the true ones."""
    tallies = []
    for roll, truth in zip(rolls, true, strict=True):
        tally = Tally()
        tally.add(torch.tensor(roll).float(), torch.tensor(truth).float())
        tallies.append(tally)
    return Counts(
        hits=np.array([tally.hits for tally in tallies]),
        union=np.array([tally.union for tally in tallies]),
        acc12_sum=np.array([tally.acc12_sum for tally in tallies]),
        steps=np.array([tally.steps for tally in tallies]),
    )


def decoded(pieces: Pieces, prior: Prior | None, options: Options) -> Counts:
    """The decoder's rolls, counted."""
    decodings = decode_evidence(pieces.evidence, prior, options)
    return count([decoding.roll for decoding in decodings], pieces.rolls)


def best_of(pieces: Pieces, prior: Prior | None, tried: Iterable[Options]) -> Choice:
    """The settings with the best accuracy (Bay's), of equals the first."""
    choices = [Choice(options, float(decoded(pieces, prior, options).bay())) for options in tried]
    return max(choices, key=lambda choice: choice.valid_bay)


def gain(
    ours: Counts, theirs: Counts, accuracy: Callable[..., npt.NDArray[np.float64]], seed: int = 0
) -> tuple[float, float, float]:
    """Difference of an accuracy (`Counts.bay` or `Counts.acc12`), and its paired 95 % bootstrap interval.

    Pieces are drawn with replacement, the same for both.
    """
    size = len(ours.steps)
    drawn = np.random.default_rng(seed).integers(0, size, (RESAMPLES, size))
    low, high = np.percentile(accuracy(ours, drawn) - accuracy(theirs, drawn), [2.5, 97.5])
    return float(accuracy(ours) - accuracy(theirs)), float(low), float(high)


THRESHOLDS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7)
PENALTIES = tuple(float(penalty) for penalty in range(-6, 1))  # nats


def thresholds() -> list[Options]:
    """Thresholds."""
    return [Threshold(threshold=threshold) for threshold in THRESHOLDS]


def tuned_chains() -> list[Options]:
    """One chain for all keys: two probabilities, the note penalty and the temperature."""
    grid = product((0.6, 0.8, 0.9, 0.95, 0.98), (0.05, 0.15, 0.3, 0.6), PENALTIES, (1.0, 2.0))
    return [
        Hmm(off_after_off=off, off_after_on=on, note_penalty=penalty, temperature=heat, floor=FLOOR)
        for off, on, penalty, heat in grid
    ]


def counted_chains(train: Sequence[Roll]) -> list[Options]:
    """Each key's transitions in the training pieces: weight, note penalty and temperature."""
    chain = Hmm.counted(train, floor=FLOOR)
    grid = product((0.25, 0.5, 0.75, 1.0, 1.5), PENALTIES, (1.0, 2.0))
    return [
        replace(chain, prior_weight=weight, note_penalty=penalty, temperature=heat)
        for weight, penalty, heat in grid
    ]


@dataclass(frozen=True)
class Point:
    """What is tuned of a search: prior weight, temperature of the evidence, and `balance`, the note penalty
    beyond what the prior charges, in nats."""

    weight: float
    balance: float
    temperature: float = 1.0

    @classmethod
    def of(cls, options: Options) -> "Point":
        """Of a search's options."""
        assert isinstance(options, Greedy | Beam)
        balance = options.note_penalty + NOTE_NATS * options.prior_weight
        return cls(options.prior_weight, balance, options.temperature)

    def search(self, method: type[Greedy] | type[Beam], centre: float) -> Greedy | Beam:
        """The options of such a search."""
        shared: dict[str, Any] = {
            "prior_weight": round(self.weight, 3),
            "note_penalty": round(self.balance - NOTE_NATS * self.weight, 3),
            "temperature": self.temperature,
            "centre": centre,
            "floor": FLOOR,
        }
        if method is Greedy:
            return Greedy(**shared)  # k = 7, all 128 sets of keys
        return Beam(
            width=WIDTH,
            candidates=CANDIDATES,
            n_best=1,
            partition_temperatures=PARTITION_TEMPERATURES,
            **shared,
        )


GRID = [Point(*values) for values in product((0.125, 0.25, 0.5, 1.0), (-0.7, 0.1, 0.9))]


def around(point: Point) -> list[Point]:
    """A step from this point in each direction; evidence half as sure goes with half the prior."""
    weight, balance, temperature = point.weight, point.balance, point.temperature
    return [
        Point(0.7 * weight, balance, temperature),
        *(Point(weight, balance + change, temperature) for change in (-0.4, 0.4)),
        *(
            Point(share * weight, balance + change, 2 * temperature)
            for share in (0.5, 1.0)
            for change in (0.0, 0.4)
        ),
    ]


def tuned_search(
    pieces: Pieces, prior: Prior, method: type[Greedy] | type[Beam], centre: float, start: Choice | None
) -> Choice:
    """The settings of a search: the best of a grid, or the choice of another search, and of those around."""
    points = GRID if start is None else [Point.of(start.options)]
    first = best_of(pieces, prior, [point.search(method, centre) for point in points])
    near = around(Point.of(first.options))
    second = best_of(pieces, prior, [point.search(method, centre) for point in near])
    return max(first, second, key=lambda choice: choice.valid_bay)


def shown(options: Options) -> dict[str, float]:
    """The settings that were chosen, as a row's cells; those of each key are left out."""
    names = (
        "threshold",
        "prior_weight",
        "note_penalty",
        "temperature",
        "off_after_off",
        "off_after_on",
        "centre",
    )
    there = {field.name for field in fields(options)}
    values = {name: getattr(options, name) for name in names if name in there}
    return {name: value for name, value in values.items() if not isinstance(value, tuple)}
