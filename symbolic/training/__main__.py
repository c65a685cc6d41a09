"""`python -m symbolic.training CONFIG.toml`: train a prior.

Several processes: `torchrun --nproc_per_node N -m symbolic.training CONFIG.toml` (training.processes).

Is: the command's arguments and its errors.
Is not: the run (training.loop).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(prog="python -m symbolic.training", description="Train a prior.")
    parser.add_argument("config", metavar="CONFIG.toml", help="what is trained, on what, how")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    # Two names, because torchrun takes --run for a short form of its own options.
    parser.add_argument(
        "--run",
        "--folder",
        dest="run",
        metavar="FOLDER",
        type=Path,
        help="of the checkpoint (default: runs/MODEL-NAME); under torchrun write --folder",
    )
    parser.add_argument(
        "--output",
        metavar="FILE.safetensors",
        type=Path,
        help="of the weights; the card goes beside them (default: weights.safetensors in the run's folder)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    args = build_parser().parse_args(argv)
    # Imported after parsing: torch takes seconds and --help needs none of it.
    from symbolic.errors import NotebeamError
    from symbolic.training.config import read_config
    from symbolic.training.data import read_splits
    from symbolic.training.loop import train
    from symbolic.training.processes import started

    try:
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
    except (NotebeamError, OSError) as error:
        print(f"symbolic.training: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("symbolic.training: interrupted; go on with --resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
