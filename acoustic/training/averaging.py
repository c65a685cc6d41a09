"""The weighted mean of two networks' weights, one of which began with the other.

Is: a command, `python -m acoustic.training.averaging BEFORE AFTER -o FILE.safetensors`.
Is not: the mean over the steps of one training (`loop.ema` of its config), or of predictions.

What a network learns in a further stage on other recordings it pays for on the old ones. Between the two lies
one that has most of both (Wortsman et al. 2022, Robust fine-tuning of zero-shot models).
"""

import argparse
from dataclasses import replace
from pathlib import Path

from acoustic.loading import ModelCard, known_weights, load_network, save_network
from acoustic.network import HarmonicNet
from acoustic.training.starting import began_as
from symbolic.checkpoints import check_weights_path
from symbolic.console import outcome
from symbolic.errors import NotebeamError

SHARE = 0.5


def averaged(before: str | Path, after: str | Path, share: float = SHARE) -> tuple[HarmonicNet, ModelCard]:
    """The network whose every weight is (1 - share) times that of `before` plus share times that of `after`.

    Its card is that of `after`, without what was measured on it: scalings and scores.

    Raises:
        NotebeamError: a share outside 0..1, no such weights, or two networks of different shapes.
    """
    if not 0 <= share <= 1:
        raise NotebeamError("share", share, "a number from 0 to 1")
    (first, first_card), (network, card) = load_network(before), load_network(after)
    for name in ("features", "network"):
        if getattr(first_card, name) != getattr(card, name):
            raise NotebeamError(f"{name} of {after}", getattr(card, name), f"those of {before}")
    others = first.state_dict()
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_((1 - share) * others[name] + share * tensor)
    origin = {
        "share": share,
        "before": began_as(known_weights(before)),
        "after": began_as(known_weights(after)),
    }
    command = f"python -m acoustic.training.averaging {before} {after} --share {share:g}"
    return network, replace(card, training=origin, command=command, scalings={}, scores={})


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m acoustic.training.averaging",
        description="Average the weights of two acoustic models.",
    )
    parser.add_argument("before", metavar="BEFORE", help="name or file of weights")
    parser.add_argument("after", metavar="AFTER", help="those of a stage that began with them")
    parser.add_argument("--share", type=float, default=SHARE, help="of the latter (default: %(default)s)")
    parser.add_argument(
        "-o", "--output", metavar="FILE.safetensors", type=Path, required=True, help="the card goes beside it"
    )
    args = parser.parse_args(argv)
    return outcome("acoustic.training.averaging", lambda: _write(args))


def _write(args: argparse.Namespace) -> None:
    check_weights_path(args.output, "--output")
    save_network(args.output, *averaged(args.before, args.after, args.share))


if __name__ == "__main__":
    raise SystemExit(main())
