"""What does each part of the acoustic model contribute?

Is: the small model trained a short time again and again, each time with one thing changed, how each scores
on the development recordings by plain thresholds, its probabilities scaled first (so that what changes is not
just how confident it is), and the difference to the unchanged one with its interval over compositions.
Variants that are there already (in runs/ablations) are only scored, broken ones go on: it may be interrupted.
Is not: the shipped models (benchmarks.acoustic_models), which train longer.
"""

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from acoustic.calibration import fit_scaling
from acoustic.network import PROBABILITIES
from acoustic.training.__main__ import train
from benchmarks.acoustic_models import SCORES, counts, scored
from benchmarks.calibration import doubtful, joined, scaled
from benchmarks.development import DevRecording, read_development
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from benchmarks.tuning import interval
from symbolic.config import read_toml

CONFIG = Path("acoustic/training/configs/piano-small.toml")
FOLDER = Path("runs/ablations")
Overrides = dict[str, dict[str, Any]]

# Each variant: sections of the config that differ.
VARIANTS: dict[str, Overrides] = {
    "as it is": {},
    "another seed": {"": {"seed": 12}},
    "features: the long window alone": {"features": {"windows": [4096]}},
    "features: one bin a semitone": {"features": {"bins_per_semitone": 1}},
    "harmonics: the fundamental alone": {"network": {"harmonics": [1]}},
    "receptive field: 0.14 s to a side": {"network": {"dilations": [1, 1, 1, 1, 1]}},
    "heads: onset alone": {
        "loop": {"frame_weight": 0.0, "offset_weight": 0.0, "held_weight": 0.0, "velocity_weight": 0.0}
    },
    "capacity: half the channels": {"network": {"channels": 16}},
    "data: no rendered performances": {"corpus": {"rendered_share": 0.0}},
    "data: rendered performances alone": {"corpus": {"rendered_share": 1.0, "velocities": ["rendered"]}},
    "augmentation: gain and noise alone": {"corpus": {"plain_chance": 1.0}},
    "loss: onsets weigh 1, not 2": {"loop": {"onset_weight": 1.0}},
    "loss: onsets weigh 5": {"loop": {"onset_weight": 5.0}},
    "features: the short window alone": {"features": {"windows": [1024]}},
    "harmonics: 0.5 to 4, not 8": {"network": {"harmonics": [0.5, 1, 2, 3, 4]}},
    "capacity: twice the channels": {"network": {"channels": 64}},
    "harmonics: gathered again in blocks 2 and 4": {"network": {"gathering": [1, 3], "gathered_channels": 8}},
    "harmonics: gathered again in every block": {
        "network": {"gathering": [0, 1, 2, 3, 4], "gathered_channels": 8}
    },
    "heads: an LSTM along time": {"network": {"recurrent": 16, "head_channels": 16}},
}


def table_of(overrides: Overrides, steps: int, *, renderings: bool = True) -> dict[str, Any]:
    """The config's table with a variant's changes; without renderings MAPS' pianos are all there is."""
    table = read_toml(CONFIG)
    table.setdefault("loop", {})["steps"] = steps
    base = {} if renderings else VARIANTS["data: no rendered performances"]
    for section, changes in (*base.items(), *overrides.items()):
        (table.setdefault(section, {}) if section else table).update(changes)
    return table


def weights_of(name: str, steps: int, *, renderings: bool) -> Path:
    """The variant's weights, trained unless they are there."""
    table = table_of(VARIANTS[name], steps, renderings=renderings)
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:8]
    folder = FOLDER / f"{re.sub(r'[^a-z0-9]+', '-', name)}-{digest}"
    path = folder / "piano-small.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        resume = (folder / "checkpoint.safetensors").exists()
        train(table, CONFIG, folder, resume=resume)
    return path


def calibrated(weights: Path) -> list[DevRecording]:
    """The development recordings, with scalings fitted on them."""
    recordings = read_development(str(weights), cached=True)
    pairs = [doubtful(item) for item in recordings]
    doubts = {head: joined([p[head] for p in pairs]) for head in PROBABILITIES}
    # A head that was not trained has no probabilities.
    scalings = {head: fit_scaling(prob, true) for head, (prob, true) in doubts.items() if len(prob)}
    return [replace(item, posteriorgram=scaled(item.posteriorgram, scalings)) for item in recordings]


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("ablations", __doc__)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument(
        "--no-renderings", action="store_true", help="train on MAPS' synthesised pianos alone, all variants"
    )
    args = parsed(parser, argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = {"config": str(CONFIG), "data": "maps/real-dev", **counts()}
    question = "What does each part of the acoustic model contribute?"
    base: list[float] = []
    for name in dict.fromkeys(["as it is", *args.variants]):
        weights = weights_of(name, args.steps, renderings=not args.no_renderings)
        average, each, compositions = scored(calibrated(weights))
        base = base or each
        difference = list(np.subtract(each, base))
        low, high = interval(difference, compositions)
        data = "MAPS" if args.no_renderings else "MAPS and renderings"
        row: dict[str, str | float] = {"variant": name, "steps": args.steps, "data": data}
        row |= {key: round(average[key], 4) for key in SCORES}
        row |= {"difference": round(float(np.mean(difference)), 4)}
        row |= {"difference_low": round(low, 4), "difference_high": round(high, 4)}
        print(row, flush=True)
        merge_report(args.output, question, settings, [row], ("variant", "steps", "data"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
