"""How well does every symbolic model predict the classic sets, and how well did it in the literature?

Is: one row or all, from counting to the trained priors: log-likelihood on the test split (exact, or with AIS
and its spread), expected accuracies, what training cost, beside the published figure.
Is not: what a prior is worth in transcription (benchmarks.tuning).

    python -m benchmarks.symbolic_models --list
    python -m benchmarks.symbolic_models --rows mlp lstm-nade --sets jsb
    python -m benchmarks.symbolic_models --train        # all rows, training whatever has no weights yet
    python -m benchmarks.symbolic_models --train --queue benchmarks/queues/classic.toml --slice 10

A training may be interrupted at any moment: the same command goes on from its last checkpoint.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch

from benchmarks.lib.training_queue import (
    CONFIGS,
    SliceEnded,
    finished_rows,
    only_one,
    read_queue,
    row_file,
    train_rows,
)
from benchmarks.reporting.form import benchmark_parser, check_committed, merge_report, origin
from benchmarks.reporting.published import SETS, SOURCES, TITLES, published
from symbolic.baselines.protocol import drawn_accuracies
from symbolic.baselines.table import BASELINES, CLOSED_FORM
from symbolic.datasets.classic import ClassicName, ClassicSet, read_classic
from symbolic.errors import NotebeamError
from symbolic.estimators.ais import AisOptions
from symbolic.evaluation.accuracy import Roll, expected_accuracies
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.priors.base import Prior
from symbolic.priors.ensemble import JOINED
from symbolic.priors.loading import load_prior, read_card, weights_folder
from symbolic.priors.piece_cache import SUFFIX
from symbolic.training.config import read_config

CACHED = ("lstm-nade", "biaxial", "lstm-conv-nade")  # rows that have another with a cache over the piece
ENSEMBLE = ("lstm-conv-nade", "biaxial")  # rows that have another as one prior
Values = dict[str, str | int | float]
Cell = tuple[str, str]  # row and set

QUESTION = (
    "How well does every symbolic model predict the classic sets, and how well did it in the literature?"
)
SETTINGS: dict[str, Any] = {
    "likelihood": "pooled over all steps of the test split, step 0 counts, natural log",
    "accuracies": "expected over draws of every step given the true steps before it",
    "sources": SOURCES,
}


@dataclass(frozen=True)
class Options:
    """How the rows are measured."""

    samples: int  # draws a step for the accuracies
    accuracy_steps: int  # at most about so many, of pieces evenly spread over the test split; 0: all
    seed: int  # of fits, draws and chains
    ais: AisOptions


def row_of(model: str, name: str) -> Cell | None:
    """Row and set of a prior: "rnn-nade", "jsb-hf" is the row rnn-nade-hf on jsb; None: of no classic set."""
    for dataset in SETS:
        if name == dataset or name.startswith(f"{dataset}-"):
            return model + name.removeprefix(dataset), dataset
    return None


def weights(folder: Path) -> dict[Cell, Path]:
    """Weights of every trained row and set: those that are shipped, else those of a run in `folder`.

    Rows with a cache have those of the row without, and "+cache" behind them, as `load_prior` takes it; an
    ensemble those of its members, with "+" between them.
    """
    found: dict[Cell, Path] = {}
    paths = [*sorted(folder.glob("*/weights.safetensors")), *sorted(weights_folder().glob("*/*.safetensors"))]
    for path in paths:
        card = read_card(path.with_suffix(".json"))
        row = row_of(card.model, card.name)
        if row:
            found[row] = path  # what is shipped comes last, and counts
            if row[0] in CACHED:
                found[row[0] + SUFFIX, row[1]] = Path(f"{path}{SUFFIX}")
    for dataset in SETS:
        members = [str(found[row, dataset]) for row in ENSEMBLE if (row, dataset) in found]
        if len(members) == len(ENSEMBLE):
            for suffix in ("", SUFFIX):
                found[JOINED.join(ENSEMBLE) + suffix, dataset] = Path(JOINED.join(members) + suffix)
    return found


def configs() -> dict[Cell, Path]:
    """Config of every row and set that can be trained."""
    read = {path: read_config(path) for path in sorted(CONFIGS.glob("*.toml"))}
    rows = {path: row_of(config.model, config.name) for path, config in read.items()}
    return {row: path for path, row in rows.items() if row}


def simple_row(row: str, data: ClassicSet, options: Options) -> Values:
    """Figures of a baseline, fitted now."""
    begun = time.process_time()
    model = BASELINES[row](data, options.seed)
    minutes = (time.process_time() - begun) / 60
    judged = thinned(data.test, options.accuracy_steps)
    accuracies = drawn_accuracies(model, judged, options.seed, samples=options.samples)
    steps = model.log_prob(data.test)
    values: Values = {
        "kind": "closed form" if row in CLOSED_FORM else "fitted",
        "log_likelihood_nats_per_step": float(steps.mean()),
        "steps": len(steps),
        "steps_judged": len(steps),
        "acc12": accuracies.acc12,
        "bay": accuracies.bay,
        "accuracy_steps": sum(map(len, judged)),
        "minutes": round(minutes, 2),
        "seed": options.seed,
    }
    error = getattr(model, "standard_error", 0.0)
    if error:
        values["standard_error"] = error
    plain = ("temperatures", "runs")  # of an estimate, as in the rows of trained priors
    settings = model.settings.items()
    return values | {name if name in plain else f"chosen_{name}": value for name, value in settings}


def trained_row(prior: Prior, data: ClassicSet, options: Options) -> Values:
    """Figures of a trained prior."""
    likelihood = log_likelihood(prior, data.test, options.ais)
    judged = thinned(data.test, options.accuracy_steps)
    generator = torch.Generator().manual_seed(options.seed)
    accuracies = expected_accuracies(prior, judged, generator, samples=options.samples)
    values: Values = {
        "kind": "trained",
        "log_likelihood_nats_per_step": likelihood.per_step,
        "steps": sum(map(len, data.test)),
        "steps_judged": likelihood.steps,
        "acc12": accuracies.acc12,
        "bay": accuracies.bay,
        "accuracy_steps": sum(map(len, judged)),
        "parameters": sum(parameter.numel() for parameter in prior.parameters()),
        "training_command": prior.require_card().command,
        "data": prior.require_card().data,
    }
    if likelihood.ais:
        values |= {
            "standard_error": likelihood.standard_error,
            "log_z_spread": likelihood.spread,
            "temperatures": likelihood.ais.temperatures,
            "runs": likelihood.ais.runs,
        }
    # What the card says of the training: minutes, the update that was kept, the seed where it is noted.
    return values | {
        name: value for name, value in prior.require_card().scores.items() if not name.startswith("test")
    }


def thinned(rolls: Sequence[Roll], steps: int) -> Sequence[Roll]:
    """About so many steps at most, of rolls evenly spread over those given; 0: all."""
    return rolls[:: max(1, round(sum(map(len, rolls)) / steps))] if steps else rolls


def beside_published(row: str, dataset: str, log_likelihood_nats: float) -> Values:
    """The figure to stand beside ours, and whether ours is within 5 % of it or better."""
    figures = published(row, dataset)
    if not figures:
        return {}
    first = figures[0]
    values: Values = {
        "published_nats_per_step": first.log_likelihood,
        "published_source": first.source,
        "within_5_percent_or_better": log_likelihood_nats >= first.log_likelihood * 1.05,
    }
    if first.acc12 is not None:
        values["published_acc12"] = first.acc12
    for other in figures[1:]:
        values[f"published_nats_per_step_{other.source}"] = other.log_likelihood
    return values


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = benchmark_parser("symbolic_models", __doc__)
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="rows (default: all that there are)")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--list", action="store_true", help="name the rows and what each has, and stop")
    parser.add_argument(
        "--train", action="store_true", help="first train rows that have a config and no weights"
    )
    parser.add_argument(
        "--queue",
        type=Path,
        metavar="FILE.toml",
        help="these rows alone; without --train only those that are finished",
    )
    parser.add_argument(
        "--run", type=Path, default=Path("runs"), metavar="FOLDER", help="of the trainings (default: runs)"
    )
    parser.add_argument(
        "--slice",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="stop training after so long, exit code 3; the same command goes on (0: no limit)",
    )
    parser.add_argument("--samples", type=int, default=20, help="draws a step for the accuracies")
    parser.add_argument("--accuracy-steps", type=int, default=0, help="at most; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ais-temperatures", type=int, default=1000, help="of annealed importance sampling")
    parser.add_argument("--ais-runs", type=int, default=100, help="chains a step")
    parser.add_argument("--ais-steps", type=int, default=1000, help="judged where log Z is estimated; 0: all")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    args = build_parser().parse_args(argv)
    try:
        if args.list:
            return _list(args)
        return _run(args)
    except (NotebeamError, OSError) as error:
        print(f"benchmarks.symbolic_models: {error}", file=sys.stderr)
        return 1
    except SliceEnded:
        print("the slice is over; the same command goes on", flush=True)
        return 3
    except KeyboardInterrupt:
        print("benchmarks.symbolic_models: interrupted; the same command goes on", file=sys.stderr)
        return 130


def _list(args: argparse.Namespace) -> int:
    ready, trainable = weights(args.run), configs()
    for row in _known(ready, trainable):
        states = [f"{dataset}: {_state((row, dataset), ready, trainable)}" for dataset in SETS]
        print(f"{row:18} {'fitted when run' if row in BASELINES else ', '.join(states)}")
    return 0


def _run(args: argparse.Namespace) -> int:
    ready, trainable = weights(args.run), configs()
    known = _known(ready, trainable)
    for row in args.rows or ():
        if row not in known:
            raise NotebeamError("--rows", row, f"some of {', '.join(known)}")
    check_committed(args.output)
    if args.queue and not args.train:
        if rows := finished_rows(read_queue(args.queue), args.run):
            _write(args.output, rows)
        return 0
    cells = [(row, dataset) for dataset in args.sets for row in args.rows or known]
    ais = AisOptions(
        temperatures=args.ais_temperatures, runs=args.ais_runs, steps=args.ais_steps, seed=args.seed
    )
    options = Options(args.samples, args.accuracy_steps, args.seed, ais)
    failures: list[str] = []
    if args.train:
        untrained = [trainable[cell] for cell in cells if cell in trainable and cell not in ready]
        queue = read_queue(args.queue) if args.queue else untrained
        failures = _train(queue, args, options)
        if args.queue:
            return 1 if failures else 0
        measured = {cell for cell, path in trainable.items() if row_file(path, args.run).is_file()}
        cells = [cell for cell in cells if cell not in measured]
    for row, dataset in cells:
        if row in BASELINES:
            values = simple_row(row, _data(dataset), options)
        elif (row, dataset) in ready:
            values = trained_row(load_prior(ready[row, dataset]), _data(dataset), options)
        else:
            if args.rows:
                print(f"{row} on {dataset}: {_state((row, dataset), ready, trainable)}", file=sys.stderr)
            continue
        _write(args.output, [_full_row((row, dataset), values, options)])
    return 1 if failures else 0


def _train(queue: Sequence[Path], args: argparse.Namespace, options: Options) -> list[str]:
    """Train and measure the rows of a queue, the finished ones among the results at once; what went wrong."""

    def measure(path: Path) -> Values:
        prior = load_prior(path)
        cell = row_of(prior.require_card().model, prior.require_card().name)
        if cell is None:
            raise NotebeamError(
                str(path), prior.require_card().name, f"the name of a set ({', '.join(SETS)})"
            )
        return _full_row(cell, trained_row(prior, _data(cell[1]), options), options) | origin()

    with only_one(args.run):
        # Of earlier calls, which may have been killed between the row and the results.
        if rows := finished_rows(queue, args.run):
            _write(args.output, rows)
        return train_rows(
            queue,
            args.run,
            measure=measure,
            finished=lambda row: _write(args.output, [row]),
            log=lambda line: print(line, flush=True),
            minutes=args.slice,
        )


@lru_cache(maxsize=1)
def _data(dataset: str) -> ClassicSet:
    return read_classic(cast(ClassicName, dataset))


def _known(*found: Mapping[Cell, Path]) -> list[str]:
    """Names of all rows, in the table's order."""
    return list(dict.fromkeys([*TITLES, *BASELINES, *(row for cells in found for row, _ in cells)]))


def _state(cell: Cell, ready: Mapping[Cell, Path], trainable: Mapping[Cell, Path]) -> str:
    if cell in ready:
        return str(ready[cell])
    return "to be trained (--train)" if cell in trainable else "no config"


def _full_row(cell: Cell, values: Values, options: Options) -> Values:
    """A row of the table, with the published figure beside ours."""
    row, dataset = cell
    values = {"row": row, "set": dataset, "samples": options.samples, **values}
    return values | beside_published(row, dataset, cast(float, values["log_likelihood_nats_per_step"]))


def _write(output: Path, rows: Sequence[Values]) -> None:
    """Print rows, and put them among the results at once: an interruption loses the next one only."""
    for row in rows:
        shown = {
            name: float(f"{value:.5g}") if isinstance(value, float) else value for name, value in row.items()
        }
        print(shown, flush=True)
    merge_report(output, QUESTION, SETTINGS, rows, ("row", "set"))


if __name__ == "__main__":
    sys.exit(main())
