"""What do the seed, the updates, the width and transposition bring to LSTM-ConvNADE?

Is: the config of a classic set trained again and again, each time with one thing changed: nats a step of the
test split and of validation. Variants that are there already (in --run) are only measured, broken ones go on:
it may be interrupted, and two may run side by side on variants of their own. The seeds as one are the mean of
their probabilities (priors.ensemble).
Is not: the shipped weights beside all other models (benchmarks.symbolic_models).

    python -m benchmarks.symbolic_ablations --sets piano_midi --variants "seed 1" "seed 2"
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from benchmarks.lib.training_queue import CONFIGS, only_one, train_in, trained_in
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from benchmarks.reporting.published import SETS
from symbolic.datasets.classic import ClassicName, read_classic
from symbolic.datasets.splits import read_splits
from symbolic.errors import NotebeamError
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.priors.base import Prior
from symbolic.priors.ensemble import Ensemble
from symbolic.priors.loading import load_prior
from symbolic.training.config import TrainingConfig, read_config

MODEL = "lstm-conv-nade"
PLAIN, LONGER = "seed 0", "twice the updates"
SEEDS = (PLAIN, "seed 1", "seed 2")
TOGETHER = "seeds 0, 1 and 2 as one"
SHIPPED = dict.fromkeys(SETS, PLAIN) | {"piano_midi": LONGER}  # whose weights are not trained again
# Updates, where the config has minutes (how many differs from machine to machine), or as many as `LONGER`.
UPDATES = {"nottingham": 2500, "jsb": 1000, "piano_midi": 2200}
QUESTION = "What do the seed, the updates, the width and transposition bring to LSTM-ConvNADE?"
SETTINGS = {"likelihood": "pooled over all steps of the test split, step 0 counts, natural log"}


def seeded(seed: int) -> Callable[[TrainingConfig], TrainingConfig]:
    """The config with another seed: of weights, draws and order."""
    return lambda config: replace(config, seed=seed)


def scheduled(factor: float) -> Callable[[TrainingConfig], TrainingConfig]:
    """The config with a schedule so many times as long."""
    return lambda config: replace(config, loop=replace(config.loop, steps=round(factor * config.loop.steps)))


def half_width(config: TrainingConfig) -> TrainingConfig:
    """The config with half the units in every layer."""
    halves = {name: config.options[name] // 2 for name in ("units", "hidden", "second")}
    return replace(config, options=config.options | halves)


def untransposed(config: TrainingConfig) -> TrainingConfig:
    """The config without transposition; the pieces in their own keys alone."""
    return replace(config, data=replace(config.data, transpose=0))


VARIANTS: dict[str, Callable[[TrainingConfig], TrainingConfig]] = {
    PLAIN: lambda config: config,
    "seed 1": seeded(1),
    "seed 2": seeded(2),
    "half the updates": scheduled(0.5),
    LONGER: scheduled(2),
    "half the width": half_width,
    "no transposition": untransposed,
}


def config_of(dataset: str, variant: str) -> TrainingConfig:
    """The config of a set with one thing changed, its length in updates.

    Raises:
        NotebeamError: the change changes nothing there.
    """
    path = CONFIGS / f"{MODEL}-{dataset}.toml"
    config = read_config(path)
    if dataset in UPDATES:
        config = replace(config, loop=replace(config.loop, steps=UPDATES[dataset], minutes=0.0))
    changed = VARIANTS[variant](config)
    if changed == config and variant != PLAIN:
        raise NotebeamError("--variants", variant, f"a change of {os.path.relpath(path)}")
    return changed


def usual(dataset: str) -> list[str]:
    """The variants that there are of a set: where nothing is transposed, not the one without."""
    transposed = read_config(CONFIGS / f"{MODEL}-{dataset}.toml").data.transpose
    return [name for name in VARIANTS if transposed or VARIANTS[name] is not untransposed] + [TOGETHER]


def weights_of(dataset: str, variant: str, run: Path) -> Path:
    """The variant's weights, trained unless they are there."""
    folder, config = run / f"{dataset}-{variant.replace(' ', '-')}", config_of(dataset, variant)
    with only_one(folder):
        if (weights := trained_in(folder)) is not None:
            return weights
        splits, command = read_splits(config.data), "python -m benchmarks.symbolic_ablations"
        return train_in(folder, config, splits, command=command, log=lambda line: print(line, flush=True))


def prior_of(dataset: str, variant: str, run: Path) -> Prior:
    """The variant's prior, trained unless it is there."""
    if variant == TOGETHER:
        return Ensemble([prior_of(dataset, seed, run) for seed in SEEDS])
    shipped = variant == SHIPPED[dataset]
    return load_prior(f"{MODEL}/{dataset}" if shipped else weights_of(dataset, variant, run))


def row_of(dataset: str, variant: str, run: Path) -> dict[str, str | int | float]:
    """The row of a variant."""
    prior = prior_of(dataset, variant, run)
    scores = dict(prior.require_card().scores)  # the training measured them
    if not scores:
        data = read_classic(cast(ClassicName, dataset))
        scores["test_nats_per_step"] = log_likelihood(prior, data.test).per_step
    row: dict[str, str | int | float] = {
        "set": dataset,
        "variant": variant,
        "log_likelihood_nats_per_step": scores["test_nats_per_step"],
        "parameters": sum(parameter.numel() for parameter in prior.parameters()),
    }
    if "minutes" in scores:
        kept = scores["best_step"] if "best_step" in scores else scores["best_update"]
        row |= {"best_step": kept, "minutes": scores["minutes"]}
        row["valid_nats_per_step"] = scores["valid_nats_per_step"]  # of a large set of a part of it
    return row


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = benchmark_parser("symbolic_ablations", __doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument(
        "--variants", nargs="+", choices=[*VARIANTS, TOGETHER], help="(default: all that there are)"
    )
    parser.add_argument(
        "--run", type=Path, default=Path("runs/symbolic_ablations"), metavar="FOLDER", help="of the trainings"
    )
    args = parsed(parser, argv)
    try:
        for dataset in args.sets:
            for variant in args.variants or usual(dataset):
                row = row_of(dataset, variant, args.run)
                print(row, flush=True)
                merge_report(args.output, QUESTION, SETTINGS, [row], ("set", "variant"))
    except NotebeamError as error:
        print(f"benchmarks.symbolic_ablations: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
