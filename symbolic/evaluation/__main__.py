"""`python -m symbolic.evaluation PRIOR DATASET`: likelihood and accuracies of a prior on a set.

Is: the command, its table and its JSON.
Is not: the scores (evaluation.likelihood, evaluation.accuracy).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from symbolic.training.config import CLASSIC, PERFORMANCES

SETS = CLASSIC + PERFORMANCES


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m symbolic.evaluation", description="Log-likelihood and accuracies of a prior."
    )
    parser.add_argument("prior", metavar="PRIOR", help="name such as lstm-nade/jsb, or a .safetensors file")
    parser.add_argument("dataset", metavar="DATASET", choices=SETS, help=", ".join(SETS))
    parser.add_argument("--split", choices=("train", "valid", "test"), default="test")
    parser.add_argument(
        "--samples", type=int, default=20, help="draws a step for the accuracies; 0 leaves them out"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    args = build_parser().parse_args(argv)
    # Imported after parsing: torch takes seconds and --help needs none of it.
    from symbolic.errors import NotebeamError

    try:
        row = scores(args.prior, args.dataset, args.split, samples=args.samples, seed=args.seed)
    except (NotebeamError, OSError) as error:
        print(f"symbolic.evaluation: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(row))
    else:
        width = max(map(len, row))
        for name, value in row.items():
            print(f"{name:{width}}  {value:.4f}" if isinstance(value, float) else f"{name:{width}}  {value}")
    return 0


def scores(name: str, dataset: str, split: str, *, samples: int, seed: int) -> dict[str, str | int | float]:
    """One row: the prior's scores on a split of a set."""
    import torch

    from symbolic.errors import NotebeamError
    from symbolic.evaluation.accuracy import expected_accuracies
    from symbolic.evaluation.likelihood import log_likelihood
    from symbolic.notes import Notes
    from symbolic.priors.registry import load_prior
    from symbolic.training.config import DataConfig
    from symbolic.training.data import frames_roll, read_splits

    if samples < 0:
        raise NotebeamError("--samples", samples, "an integer >= 0")
    prior = load_prior(name)
    hop = prior.card.clock.get("hop")
    if dataset in PERFORMANCES and not isinstance(hop, float):
        raise NotebeamError(f"{name}: clock", prior.card.clock, f"frames, which {dataset} is judged in")
    config = DataConfig(set=dataset) if dataset in CLASSIC else DataConfig(performances=(dataset,))
    if isinstance(hop, float) and dataset in PERFORMANCES:
        config = replace(config, hop=hop, plane="struck" if prior.card.plane == "struck" else "active")
    pieces = getattr(read_splits(config), split)
    rolls = [frames_roll(piece, config) if isinstance(piece, Notes) else piece for piece in pieces]
    if not rolls:
        raise NotebeamError("--split", split, f"a split that {dataset} has")
    likelihood = log_likelihood(prior, rolls)
    row: dict[str, str | int | float] = {"prior": name, "dataset": dataset, "split": split}
    row |= {
        "pieces": len(rolls),
        "steps": likelihood.steps,
        "log_likelihood_nats_per_step": likelihood.per_step,
    }
    if samples:
        accuracies = expected_accuracies(prior, rolls, torch.Generator().manual_seed(seed), samples=samples)
        row |= {"samples": samples, "seed": seed, "acc12": accuracies.acc12, "bay": accuracies.bay}
    return row


if __name__ == "__main__":
    sys.exit(main())
