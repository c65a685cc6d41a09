"""`python -m symbolic.training CONFIG.toml`: train a prior.

Several processes: `torchrun --nproc_per_node N -m symbolic.training -- CONFIG.toml --run FOLDER`; without the
`--` torchrun takes some of the options for its own.
"""

from symbolic.console import RESUMABLE, end_at_signals, outcome

if __name__ == "__main__":  # before all other imports, which take seconds
    end_at_signals("symbolic.training", RESUMABLE)

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(prog="python -m symbolic.training", description="Train a prior.")
    parser.add_argument("config", metavar="CONFIG.toml", help="what is trained, on what, how")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument(
        "--run",
        metavar="FOLDER",
        type=Path,
        help="of the checkpoint, the log and the config in full (default: runs/MODEL-NAME)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.safetensors",
        type=Path,
        help="of the weights; the card goes beside them (default: weights.safetensors in the run's folder)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    args = build_parser().parse_args(argv)
    return outcome("symbolic.training", lambda: _train(args), RESUMABLE)


def _train(args: argparse.Namespace) -> None:
    # Imported after parsing: torch takes seconds and --help needs none of it.
    from symbolic.datasets.splits import read_splits
    from symbolic.training.config import read_config
    from symbolic.training.loop import train
    from symbolic.training.processes import started

    config = read_config(args.config)
    folder = args.run or Path("runs") / f"{config.model}-{config.name}"
    with started() as processes:
        train(
            config,
            read_splits(config.data),
            folder,
            output=args.output or folder / "weights.safetensors",
            command=f"python -m symbolic.training {args.config}",
            resume=args.resume,
            log=lambda line: print(line, flush=True),
            processes=processes,
        )


if __name__ == "__main__":
    sys.exit(main())
