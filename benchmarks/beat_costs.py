"""Which costs of the searches for beats and bars are best on ASAP's validation compositions?

Is: one cost after the other tried at several values, the best kept (symbolic.beats.search.Costs); the first
four by the F-measure of beats, the others by that of downbeats.
Is not: a score of the tracker (benchmarks.beats, on test compositions).

    python -m benchmarks.beat_costs --tempo FOLDER/tempo.safetensors
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from benchmarks.beats import f_measure
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.beats.chords import chords_of
from symbolic.beats.network import Readings, load_network
from symbolic.beats.search import Costs
from symbolic.beats.tempo import Tracker, load_tempo_network
from symbolic.beats.tracking import beats_of_readings
from symbolic.datasets.asap import Annotation, read_annotation, read_asap

BY_BEATS: Mapping[str, Sequence[float]] = {
    "tempo_change": (0.75, 1.0, 1.5, 2.0, 3.0, 4.0),
    "beat": (0.0, 0.5, 1.0, 1.5),
    "silent_beat": (1.5, 2.0, 3.0, 4.0),
    "tempo": (0.0, 0.15, 0.3, 0.5, 0.7, 1.0),
}
BY_DOWNBEATS: Mapping[str, Sequence[float]] = {
    "bar_change": (0.1, 0.25, 0.5, 1.0, 2.0),
    "bar": (0.0, 0.05, 0.1, 0.2, 0.4),
}
Item = tuple[Readings, Annotation]


def scores(items: Sequence[Item], costs: Costs, seconds: float) -> tuple[float, float]:
    """Mean F-measures of beats and of downbeats."""
    beats, downbeats = [], []
    for readings, truth in items:
        found, inside = beats_of_readings(readings, None, costs), truth.times < seconds
        beats.append(f_measure(truth.times[inside], found.times))
        downbeats.append(f_measure(truth.times[inside & truth.downbeat], found.times[found.downbeat]))
    return float(np.mean(beats)), float(np.mean(downbeats))


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("beat_costs", __doc__)
    parser.add_argument("--weights", type=Path, help="of beats (default: those that come with the tracker)")
    parser.add_argument("--tempo", type=Path, help="weights of tempo (default: likewise)")
    parser.add_argument("--seconds", type=float, default=100.0, help="of each performance (default: 100)")
    parser.add_argument("--rounds", type=int, default=1, help="over all costs (default: 1)")
    args = parsed(parser, argv)
    tracker = Tracker(load_network(args.weights), load_tempo_network(args.tempo))
    items = [
        (tracker.read(chords_of(one.notes.cut(0.0, args.seconds))), read_annotation(one))
        for one in read_asap()
        if one.split == "valid"
    ]
    costs = Costs()
    rows: list[dict[str, str | int | float]] = []
    for _ in range(args.rounds):
        for which, grid in enumerate((BY_BEATS, BY_DOWNBEATS)):
            for name, values in grid.items():
                tried = []
                for value in values:
                    found = scores(items, replace(costs, **{name: value}), args.seconds)
                    tried.append((found[which], value, found))
                _, value, (beat, downbeat) = max(tried)
                costs = replace(costs, **{name: value})
                rows.append({"cost": name, "best": value, "beat_f1": round(beat, 4)})
                rows[-1]["downbeat_f1"] = round(downbeat, 4)
                print(name, [(value, round(score, 4)) for score, value, _ in tried], flush=True)
    print(costs)
    settings = {"data": f"ASAP, {len(items)} performances of its validation compositions"}
    settings |= {"seconds": args.seconds, "found": str(asdict(costs))}
    write_report(args.output, "Which costs of the searches are best on validation?", settings, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
