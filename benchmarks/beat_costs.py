"""Which costs of the searches for beats and bars are best on ASAP's validation compositions?

Is: one cost after the other tried at several values, the best kept (symbolic.beats.search.Costs); the first
four by the F-measure of beats, the others by that of downbeats at the beats found with those.
Is not: a score of the tracker (benchmarks.beats, on test compositions).

    python -m benchmarks.beat_costs
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.beats import f_measure
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.beats.bars import beat_features, read_bars
from symbolic.beats.chords import Chords, chords_of
from symbolic.beats.network import Readings
from symbolic.beats.search import Costs, find_beats, find_downbeats
from symbolic.beats.tracker import shipped_tracker
from symbolic.datasets.asap import Annotation, read_annotation, read_asap

BY_BEATS: Mapping[str, Sequence[float]] = {
    "tempo_change": (0.5, 1.0, 1.5, 2.0, 3.0),
    "beat": (0.25, 0.5, 0.75, 1.0),
    "silent_beat": (2.0, 3.0, 4.0, 5.0),
    "tempo": (0.3, 0.5, 0.7, 0.9, 1.2),
}
BY_DOWNBEATS: Mapping[str, Sequence[float]] = {
    "bar_change": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0),  # below, bars of any length follow each other
    "bar": (0.0, 0.05, 0.1, 0.2, 0.4),
}


@dataclass(frozen=True, eq=False)
class Item:
    """The beginning of a performance as the networks read it."""

    chords: Chords
    readings: Readings
    beats: NDArray[np.float64]  # annotated, in seconds
    downbeats: NDArray[np.float64]


def item_of(chords: Chords, truth: Annotation, seconds: float) -> Item:
    """What is known and read of `seconds` of a performance."""
    inside = truth.times < seconds
    readings = shipped_tracker().read(chords)
    return Item(chords, readings, truth.times[inside], truth.times[inside & truth.downbeat])


def beat_score(items: Sequence[Item], costs: Costs) -> float:
    """Mean F-measure of beats."""
    return float(np.mean([f_measure(item.beats, find_beats(item.readings, costs)) for item in items]))


class Downbeats:
    """The mean F-measure of downbeats at beats that are found once."""

    def __init__(self, items: Sequence[Item], costs: Costs) -> None:
        networks = shipped_tracker().bars
        self.truth = [item.downbeats for item in items]
        self.times = [find_beats(item.readings, costs) for item in items]
        self.read = [
            read_bars(networks, beat_features(times, item.chords, item.readings))
            for times, item in zip(self.times, items, strict=True)
        ]

    def score(self, costs: Costs) -> float:
        """With these costs of bars."""
        found = (
            f_measure(truth, times[find_downbeats(*read, costs)])
            for truth, times, read in zip(self.truth, self.times, self.read, strict=True)
        )
        return float(np.mean(list(found)))


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("beat_costs", __doc__)
    parser.add_argument("--seconds", type=float, default=100.0, help="of each performance (default: 100)")
    parser.add_argument("--rounds", type=int, default=1, help="over all costs (default: 1)")
    args = parsed(parser, argv)
    items = [
        item_of(chords_of(one.notes.cut(0.0, args.seconds)), read_annotation(one), args.seconds)
        for one in read_asap()
        if one.split == "valid"
    ]
    costs = Costs()
    rows: list[dict[str, str | int | float]] = []

    def best(name: str, values: Sequence[float], score: Callable[[Costs], float]) -> Costs:
        tried = [(score(replace(costs, **{name: value})), value) for value in values]
        highest, value = max(tried)
        print(name, [(value, round(score, 4)) for score, value in tried], flush=True)
        rows.append({"cost": name, "best": value, "f1": round(highest, 4)})
        return replace(costs, **{name: value})

    for _ in range(args.rounds):
        for name, values in BY_BEATS.items():
            costs = best(name, values, lambda some: beat_score(items, some))
        downbeats = Downbeats(items, costs)
        for name, values in BY_DOWNBEATS.items():
            costs = best(name, values, downbeats.score)
    print(costs)
    settings = {"data": f"ASAP, {len(items)} performances of its validation compositions"}
    settings |= {"seconds": args.seconds, "found": str(asdict(costs))}
    write_report(args.output, "Which costs of the searches are best on validation?", settings, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
