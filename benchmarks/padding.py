"""What could "-2.7 and 21 %" of an RNN-NADE on the chorales, as one paper prints, be?

Is: the shipped LSTM-NADE of the JSB chorales scored in the ways that could have made those figures: over real
steps; over the zero-padded steps of random batches, padding counted as 0; in nats and in log10; with both
definitions of accuracy.
Is not: a score to compare models with: that one is over real steps, in nats (benchmarks.symbolic_models).
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.datasets.classic import read_classic
from symbolic.evaluation.accuracy import expected_accuracies
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior

CLAIMED = {"nats_or_what_a_step": -2.7, "accuracy": 0.21}


@dataclass(frozen=True)
class Scored:
    """One piece: sums over its steps."""

    steps: int
    log_prob: float  # nats
    acc12: float


def scored(prior: Prior, rolls: list[np.ndarray], samples: int, seed: int) -> list[Scored]:
    """Every piece by itself."""
    generator = torch.Generator().manual_seed(seed)
    pieces = []
    for roll in rolls:
        accuracy = expected_accuracies(prior, [roll], generator, samples=samples).acc12
        pieces.append(Scored(len(roll), log_likelihood(prior, [roll]).total, accuracy * len(roll)))
    return pieces


def padded_means(pieces: list[Scored], batch: int, epochs: int, seed: int) -> tuple[float, float, float]:
    """Mean over random batches of: the share of real steps, log-likelihood and ACC12 over all steps.

    Every batch is as long as its longest piece. A rest of fewer than `batch` pieces is left out, unless there
    are no more at all.
    """
    rng, means = np.random.default_rng(seed), []
    for _ in range(epochs):
        order = rng.permutation(len(pieces))
        for start in range(0, max(1, len(pieces) - batch + 1), batch):
            rows = [pieces[index] for index in order[start : start + batch]]
            size = len(rows) * max(piece.steps for piece in rows)
            sums = [
                sum(column) for column in zip(*((p.steps, p.log_prob, p.acc12) for p in rows), strict=True)
            ]
            means.append([total / size for total in sums])
    share, log_prob, acc12 = np.mean(means, axis=0)
    return float(share), float(log_prob), float(acc12)


def row_of(
    prior: Prior, split: str, rolls: list[np.ndarray], args: argparse.Namespace
) -> dict[str, str | float]:
    """All readings of one split."""
    pieces = scored(prior, rolls, args.samples, args.seed)
    steps = sum(piece.steps for piece in pieces)
    nats, acc12 = sum(p.log_prob for p in pieces) / steps, sum(p.acc12 for p in pieces) / steps
    share, padded_nats, padded_acc12 = padded_means(pieces, args.batch, args.epochs, args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    bay = expected_accuracies(prior, rolls, generator, samples=args.samples).bay
    row: dict[str, str | float] = {"split": split, "pieces": len(rolls), "real_share": share}
    row |= {"nats": nats, "nats_padded": padded_nats}
    row |= {"log10": nats / math.log(10), "log10_padded": padded_nats / math.log(10)}
    return row | {"acc12": acc12, "acc12_padded": padded_acc12, "bay": bay}


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("padding", __doc__)
    parser.add_argument("--prior", default="lstm-nade/jsb")
    parser.add_argument("--batch", type=int, default=128, help="pieces")
    parser.add_argument("--epochs", type=int, default=100, help="random orders of the pieces")
    parser.add_argument("--samples", type=int, default=20, help="draws a step")
    parser.add_argument("--seed", type=int, default=0)
    args = parsed(parser, argv)
    prior, data = load_prior(args.prior), read_classic("jsb")
    splits = {"train": data.train, "valid": data.valid, "test": data.test}
    rows = [row_of(prior, split, rolls, args) for split, rolls in splits.items()]
    for row in rows:
        print(row)
    names = ("prior", "batch", "epochs", "samples", "seed")
    settings = {name: getattr(args, name) for name in names} | {"claimed": CLAIMED}
    write_report(args.output, "What could -2.7 and 21 % of an RNN-NADE on the chorales be?", settings, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
