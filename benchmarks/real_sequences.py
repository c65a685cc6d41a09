"""Do priors predict bouncing balls and motion capture as well as in the literature?

Is: the squared error one step ahead of seven priors beside the published figures, of copying the step before,
and of a linear map of it.
Is not: music (benchmarks.symbolic_models).

    python -m benchmarks.real_sequences                        # what has weights, in `runs` or shipped
    python -m benchmarks.real_sequences --train                # and train what has none
    python -m benchmarks.real_sequences --rows rtrbm-bouncing-balls
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.lib.training_queue import CONFIGS
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.datasets.balls import read_balls
from symbolic.datasets.motion import RealSet, read_motion
from symbolic.evaluation.prediction import PredictionError, PredictionOptions, error_of, prediction_error
from symbolic.priors.loading import load_prior, weights_folder
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.training.__main__ import main as train
from symbolic.training.config import TrainingConfig, read_config

QUESTION = "Do priors predict bouncing balls and motion capture as well as in the literature?"
ROWS = (
    "rtrbm-bouncing-balls",
    "rnn-rbm-bouncing-balls",
    "gaussian-rtrbm-motion",
    "rnn-gaussian-rbm-motion",
    "gaussian-rtrbm-motion-lyu",
    "gaussian-lstm-rtrbm-motion",
    "gaussian-lstm-rtrbm-motion-visible",
)
# Squared error a frame (Boulanger-Lewandowski et al. 2012, section 6); a dimension (Lyu, Wu and Zhu 2015).
PUBLISHED: dict[str, dict[str, float]] = {
    "rtrbm-bouncing-balls": {"published_per_frame": 2.11},
    "rnn-rbm-bouncing-balls": {"published_per_frame": 0.96},
    "gaussian-rtrbm-motion": {"published_per_frame": 20.1},
    "rnn-gaussian-rbm-motion": {"published_per_frame": 16.2},
    "gaussian-rtrbm-motion-lyu": {"published_per_dimension": 0.32},
    "gaussian-lstm-rtrbm-motion": {"published_per_dimension": 0.13},
    "gaussian-lstm-rtrbm-motion-visible": {},  # ours
}
SETTINGS = {
    "error": "sum over the numbers of a frame of (truth - prediction)^2, mean over all test frames t >= 1",
    "unit": "balls: brightness 0..1; motion: the file's numbers, each of deviation about 1 over the set",
    "prediction": "visible mean after 50 Gibbs steps from the frame before; and the mean of 20 such chains",
    "splits": "balls: 1000, 100, 200 sequences drawn with seed 0; motion: 30, 5, 4 sequences of the file",
    "chosen_by": "the validation split; the test split is read once",
}
Values = dict[str, str | int | float]


def copied(batch: Tensor, mask: Tensor) -> Tensor:
    """The step before, as a prediction."""
    return batch[:, :-1][mask[:, 1:]]


def linear_error(data: RealSet) -> PredictionError:
    """Error of the linear map of the step before that is best on the training sequences."""
    before, after = (np.concatenate([s[part] for s in data.train]) for part in (slice(-1), slice(1, None)))
    # A little of the identity: pixels that are always dark leave the normal equations singular.
    inputs = np.concatenate([before, np.ones((len(before), 1), dtype=np.float32)], 1).astype(np.float64)
    square = inputs.T @ inputs + 1e-3 * np.eye(inputs.shape[1])
    weights = torch.from_numpy(np.linalg.solve(square, inputs.T @ after)).float()
    return error_of(lambda batch, mask: copied(batch, mask) @ weights[:-1] + weights[-1], data.test)


def simple_rows(name: str, data: RealSet) -> list[Values]:
    """What needs no prior."""
    found = {"copy of the frame before": error_of(copied, data.test), "linear": linear_error(data)}
    return [{"row": row, "set": name, **_errors(error)} for row, error in found.items()]


def trained_row(row: str, name: str, prior: RecurrentPrior, test: Sequence[NDArray[np.float32]]) -> Values:
    """Errors of a trained prior beside the published ones."""
    begun = time.process_time()
    values: Values = {"row": row, "set": name, **_errors(prediction_error(prior, test))}
    averaged = prediction_error(prior, test, PredictionOptions(draws=20))
    return {
        **values,
        "squared_error_per_frame_mean_of_20": averaged.per_step,
        **PUBLISHED[row],
        "parameters": sum(parameter.numel() for parameter in prior.parameters()),
        "training_minutes": prior.require_card().scores["minutes"],
        "seconds": round(time.process_time() - begun, 1),
        "training_command": prior.require_card().command,
    }


def _errors(error: PredictionError) -> Values:
    return {
        "squared_error_per_frame": error.per_step,
        "squared_error_per_dimension": error.per_dimension,
        "frames": error.steps,
    }


def weights_of(config: TrainingConfig, runs: Path) -> Path | None:
    """Weights of a config: those of a run, else those that are shipped, else None."""
    places = (
        runs / f"{config.model}-{config.name}" / "weights.safetensors",
        weights_folder() / config.model / f"{config.name}.safetensors",
    )
    return next((path for path in places if path.is_file()), None)


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("real_sequences", __doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--train", action="store_true", help="train the rows that have no weights")
    parser.add_argument(
        "--run", type=Path, default=Path("runs"), metavar="FOLDER", help="of the trainings (default: runs)"
    )
    args = parsed(parser, argv)
    sets = {"bouncing-balls": read_balls(), "motion": read_motion()}
    rows = [row for name, data in sets.items() for row in simple_rows(name, data)]
    for row in args.rows:
        path = CONFIGS / f"{row}.toml"
        config = read_config(path)
        weights = weights_of(config, args.run)
        if weights is None and args.train:
            folder = args.run / f"{config.model}-{config.name}"
            # As it would be typed here: the card keeps the command, and names no folder of this machine.
            if code := train([os.path.relpath(path), "--run", str(folder)]):
                return code
            weights = weights_of(config, args.run)
        if weights is None:
            print(f"{row}: no weights; --train trains them")
            continue
        prior = cast(RecurrentPrior, load_prior(weights))
        rows.append(trained_row(row, config.data.set, prior, sets[config.data.set].test))
    for values in rows:
        print(values)
    write_report(args.output, QUESTION, SETTINGS, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
