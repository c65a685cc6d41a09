"""`python -m symbolic.beats.training -o FOLDER`: train a network of beats on ASAP's training performances.

With `--written` on chorales and chamber music of music21's corpus too, played by a program (pip install
music21 partitura).
"""

import argparse
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from symbolic.beats.excerpts import Piece
from symbolic.beats.learning import CHECKPOINT, Learning, LearningOptions
from symbolic.beats.network import member
from symbolic.beats.playing import play
from symbolic.card import Card, save_network
from symbolic.checkpoints import write_json
from symbolic.console import RESUMABLE, outcome
from symbolic.datasets.asap import read_annotation, read_asap
from symbolic.datasets.written import read_written
from symbolic.runlog import begin_log

LICENCE = "CC BY-NC-SA 4.0, as ASAP, on which they were trained"
COMMAND = "python -m symbolic.beats.training -o FOLDER"
ASAP = "ASAP, performances of its training compositions"
WRITTEN = "chorales and chamber music of music21's corpus, played by a program"
BY_RULE = "accompanied melodies made by rule"
CHANGES = "transposed, stretched, notes lost and shifted"
SEED = 0  # of how written music is played


def pieces(split: str) -> list[Piece]:
    """Performances of a split, with their beats."""
    return [Piece(p.notes, read_annotation(p)) for p in read_asap() if p.split == split]


def material(*, written: bool) -> list[Piece]:
    """What is trained on: performances of ASAP and, if wanted, written music, played.

    Raises:
        NotebeamError: music21 is not installed.
    """
    scores = read_written() if written else []
    draws = np.random.default_rng(SEED).spawn(len(scores))
    return pieces("train") + [play(score, draw) for score, draw in zip(scores, draws, strict=True)]


def described(*, written: bool = False, by_rule: bool = False) -> str:
    """What is trained on as cards describe it: ASAP, and more."""
    more = [name for name, is_there in ((WRITTEN, written), (BY_RULE, by_rule)) if is_there]
    return f"{', and '.join([ASAP, *more])}; {CHANGES}"


def card_of(
    name: str,
    module: str,
    training: Mapping[str, Any],
    row: Mapping[str, float],
    losses: Sequence[str],
    *,
    by_rule: bool = False,
) -> Card:
    """Of weights that another command here trained; of `row`, the `losses` are of validation pieces."""
    return Card(
        name=name,
        options={"channels": float(training["channels"])},
        data=described(by_rule=by_rule),
        licence=LICENCE,
        command=f"python -m symbolic.beats.{module} -o FOLDER",
        training={key: float(value) for key, value in training.items()},
        scores={f"valid_{key}" if key in losses else key: value for key, value in row.items()},
    )


def run(module: str, doc: str | None, argv: Sequence[str] | None, train: Callable[..., None]) -> int:
    """A command that trains, by `train(folder, pieces, validation pieces)`; the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m symbolic.beats.{module}", description=doc)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the run")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return outcome(f"symbolic.beats.{module}", lambda: train(args.output, pieces("train"), pieces("valid")))


def train(folder: Path, options: LearningOptions, *, resume: bool) -> None:
    """Train. In `folder` lie the weights that were best on the validation compositions, their card, the
    checkpoint, the config in full (config.json) and a log of validations (log.jsonl).

    Raises:
        NotebeamError: nothing to resume from, or of another run.
    """
    learning = Learning(options, material(written=options.written), pieces("valid"))
    name = member("written" if options.written else "piano", options.seed)
    if resume:
        learning.resume(folder / CHECKPOINT)
    flag = " --written" if options.written else ""
    write_json(folder / "config.json", asdict(options))
    begin_log(folder, learning.progress.step)

    def keep(scores: Mapping[str, float]) -> None:
        figures = {
            key if key == "training" else f"valid_{key}": round(value, 4) for key, value in scores.items()
        }
        progress = learning.progress
        figures |= {"best_step": progress.step, "processor_minutes": round(progress.minutes, 1)}
        card = Card(
            name=name,
            options={key: float(value) for key, value in options.shape.items()},
            data=described(written=options.written),
            licence=LICENCE,
            command=f"{COMMAND}{flag} --seed {options.seed} --steps {progress.step}",
            training={key: float(value) for key, value in asdict(options).items()},
            scores=figures,
        )
        save_network(learning.averaged, card, folder / f"{name}.safetensors", half=True)

    learning.run(folder, keep)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    default = LearningOptions()
    parser = argparse.ArgumentParser(prog="python -m symbolic.beats.training", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the run")
    parser.add_argument("--steps", type=int, default=default.steps, help=f"(default: {default.steps})")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--written", action="store_true", help="learn from music21's corpus too")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def work() -> None:
        options = LearningOptions(steps=args.steps, seed=args.seed, written=args.written)
        train(args.output, options, resume=args.resume)

    return outcome("symbolic.beats.training", work, RESUMABLE)


if __name__ == "__main__":
    raise SystemExit(main())
