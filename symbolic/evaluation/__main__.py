"""`python -m symbolic.evaluation [PRIOR] WHAT`: what a prior makes of a data set, of MIDI, or a folder of it.

Is: the command, its tables and its JSON.
Is not: the scores (evaluation.likelihood, evaluation.accuracy, evaluation.surprise), or the picture.
"""

from symbolic.console import end_at_signals, outcome

if __name__ == "__main__":  # before all other imports, which take seconds
    end_at_signals("symbolic.evaluation")

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from symbolic.commands import MODULE_HELP, import_models
from symbolic.datasets.config import CLASSIC, PERFORMANCES

if TYPE_CHECKING:  # torch takes seconds, and --help needs none of it
    from symbolic.estimators.ais import AisOptions
    from symbolic.evaluation.likelihood import Likelihood
    from symbolic.evaluation.surprise import Judgement

SETS = CLASSIC + PERFORMANCES
DEFAULT_PRIOR = "event-rnn-nade/piano"  # for a MIDI file: any piano music, in any key
SHOWN = 5  # notes in the table

EPILOG = """\
examples:
  python -m symbolic.evaluation lstm-nade/jsb jsb               likelihood and accuracies on a test set
  python -m symbolic.evaluation song.mid --picture song.png     where the music surprised the piano prior
  python -m symbolic.evaluation lstm-nade/jsb chorale.mid       on the file's beats, in the likeliest key
  python -m symbolic.evaluation lstm-nade/jsb chorales/         log-likelihood of a folder of MIDI files
"""


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m symbolic.evaluation",
        usage="%(prog)s [options] [PRIOR] DATASET | FILE.mid | FOLDER",
        description="Log-likelihood of music under a prior: a data set's, with accuracies, or that of MIDI.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "prior",
        metavar="PRIOR",
        nargs="?",
        help=f"name such as lstm-nade/jsb, or a .safetensors file (of a MIDI file: {DEFAULT_PRIOR})",
    )
    parser.add_argument(
        "what",
        metavar="DATASET | FILE.mid | FOLDER",
        help=f"a MIDI file, a folder of them, or one of {', '.join(SETS)}",
    )
    parser.add_argument("--prior", dest="named", metavar="PRIOR", help="the same, as an option")
    parser.add_argument("--module", metavar="MODULE", help=MODULE_HELP)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    data = parser.add_argument_group("data sets")
    data.add_argument("--split", choices=("train", "valid", "test"), default="test")
    data.add_argument(
        "--samples", type=int, default=20, help="draws a step for the accuracies; 0 leaves them out"
    )
    file = parser.add_argument_group("MIDI files")
    file.add_argument(
        "--picture", type=Path, metavar="OUT.png", help="the notes, and where they surprised the prior"
    )
    file.add_argument(
        "--transpose",
        metavar="N|auto",
        help="semitones up before the prior reads it; auto: the likeliest key and octave (default: auto for "
        "priors that count in beats, whose sets are all in C, else 0)",
    )
    rbm = parser.add_argument_group("priors that leave out log Z (RBM types): how it is estimated")
    rbm.add_argument("--ais-runs", type=int, default=100, metavar="N", help="chains a step")
    rbm.add_argument("--ais-temperatures", type=int, default=200, metavar="N", help="of each chain")
    rbm.add_argument("--ais-steps", type=int, default=0, metavar="N", help="steps judged of a set; 0: all")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = build_parser()
    # Intermixed: options may stand between PRIOR and what is judged.
    args = parser.parse_intermixed_args(argv)
    if args.prior and args.named:
        parser.error(f"--prior {args.named}: {args.prior} is given already")
    prior = args.prior or args.named
    if args.what in SETS:
        if not prior:
            parser.error(f"{args.what}: expected a prior before it")
        if args.picture or args.transpose:
            parser.error("--picture, --transpose: expected a MIDI file")
    return outcome("symbolic.evaluation", lambda: _evaluate(args))


def _evaluate(args: argparse.Namespace) -> None:
    # Imported after parsing: torch takes seconds and --help needs none of it.
    from symbolic.errors import NotebeamError
    from symbolic.estimators.ais import AisOptions

    if args.module:
        import_models(args.module)
    prior = args.prior or args.named
    ais = AisOptions(
        temperatures=args.ais_temperatures, runs=args.ais_runs, steps=args.ais_steps, seed=args.seed
    )
    if args.what in SETS:
        row = scores(prior, args.what, args.split, samples=args.samples, seed=args.seed, ais=ais)
        print(json.dumps(row) if args.json else table(row))
        return
    prior, path = prior or DEFAULT_PRIOR, Path(args.what)
    if path.is_dir():
        if args.picture:
            raise NotebeamError("--picture", str(path), "one MIDI file")
        row = folder_scores(prior, path, args.transpose, ais)
        print(json.dumps(row) if args.json else table(row))
        return
    judgement = judged(prior, path, args.transpose, ais, args.picture)
    row = summary(prior, path, judgement)
    print(json.dumps(row | lists(judgement)) if args.json else table(row | most_surprising(judgement)))


def table(row: dict[str, str | int | float]) -> str:
    """Names and values in two columns."""
    width = max(map(len, row))
    return "\n".join(
        f"{name:{width}}  {value:.4f}" if isinstance(value, float) else f"{name:{width}}  {value}"
        for name, value in row.items()
    )


def scores(
    name: str, dataset: str, split: str, *, samples: int, seed: int, ais: "AisOptions | None" = None
) -> dict[str, str | int | float]:
    """One row: the prior's scores on a split of a set."""
    import torch

    from symbolic.datasets.config import DataConfig
    from symbolic.datasets.splits import frames_roll, read_splits
    from symbolic.errors import NotebeamError
    from symbolic.evaluation.accuracy import expected_accuracies
    from symbolic.evaluation.likelihood import log_likelihood
    from symbolic.notes import Notes
    from symbolic.priors.loading import load_prior

    if samples < 0:
        raise NotebeamError("--samples", samples, "an integer >= 0")
    prior = load_prior(name)
    card = prior.require_card()
    hop = card.clock.get("hop")
    if dataset in PERFORMANCES and not isinstance(hop, float):
        raise NotebeamError(f"{name}: clock", card.clock, f"frames, which {dataset} is judged in")
    config = DataConfig(set=dataset) if dataset in CLASSIC else DataConfig(performances=(dataset,))
    if isinstance(hop, float) and dataset in PERFORMANCES:
        config = replace(config, hop=hop, plane="struck" if card.plane == "struck" else "active")
    pieces = getattr(read_splits(config), split)
    rolls = [frames_roll(piece, config) if isinstance(piece, Notes) else piece for piece in pieces]
    if not rolls:
        raise NotebeamError("--split", split, f"a split that {dataset} has")
    row: dict[str, str | int | float] = {"prior": name, "dataset": dataset, "split": split}
    row |= {"pieces": len(rolls), **likelihood_row(log_likelihood(prior, rolls, ais))}
    if samples:
        accuracies = expected_accuracies(prior, rolls, torch.Generator().manual_seed(seed), samples=samples)
        row |= {"samples": samples, "seed": seed, "acc12": accuracies.acc12, "bay": accuracies.bay}
    return row


def likelihood_row(likelihood: "Likelihood") -> dict[str, str | int | float]:
    """The columns of a likelihood; with its standard error where log Z is estimated."""
    row: dict[str, str | int | float] = {
        "steps": likelihood.steps,
        "log_likelihood_nats_per_step": likelihood.per_step,
    }
    if likelihood.ais is not None:
        row |= {
            "standard_error": likelihood.standard_error,
            "standard_error_of_a_step": likelihood.spread,
            "ais_runs": likelihood.ais.runs,
            "ais_temperatures": likelihood.ais.temperatures,
        }
    return row


def folder_scores(
    name: str, folder: Path, transpose: str | None, ais: "AisOptions"
) -> dict[str, str | int | float]:
    """One row: the prior's likelihood of all MIDI files in a folder."""
    from symbolic.datasets.midi_folder import read_folder
    from symbolic.errors import NotebeamError
    from symbolic.evaluation.likelihood import log_likelihood
    from symbolic.evaluation.surprise import best_key, semitones_of
    from symbolic.priors.loading import load_prior
    from symbolic.priors.steps import Roll, read_steps, transposed

    prior = load_prior(name)
    wanted = semitones_of(transpose, prior.require_card())

    def read(path: Path) -> Roll:
        roll = read_steps(path, prior.require_card()).roll
        semitones = best_key(prior, roll, ais) if wanted is None else wanted
        moved = transposed(roll, semitones)
        if moved is None:
            raise NotebeamError(
                str(path), f"{semitones:+d} semitones", "a shift that keeps all notes on the piano"
            )
        return moved

    rolls = read_folder(folder, read)
    return {
        "prior": name,
        "folder": str(folder),
        "files": len(rolls),
        **likelihood_row(log_likelihood(prior, rolls, ais)),
    }


def judged(
    name: str, path: Path, transpose: str | None, ais: "AisOptions", picture: Path | None
) -> "Judgement":
    """A MIDI file judged by a prior; the picture, if one is requested, is written."""
    from symbolic.evaluation.picture import save_surprise
    from symbolic.evaluation.surprise import judge, semitones_of
    from symbolic.priors.loading import load_prior
    from symbolic.priors.steps import read_steps

    prior = load_prior(name)
    steps = read_steps(path, prior.require_card())
    judgement = judge(prior, steps, semitones_of(transpose, prior.require_card()), ais)
    if picture is not None:
        title = f"{path.name} to {name}: {judgement.scores.per_step:.3f} nats a step"
        save_surprise(picture, judgement, title)
    return judgement


def summary(name: str, path: Path, judgement: "Judgement") -> dict[str, str | int | float]:
    """One row: a MIDI file's scores."""
    steps, found = judgement.steps, judgement.scores
    row: dict[str, str | int | float] = {
        "prior": name,
        "file": str(path),
        "seconds": float(steps.clock.end - steps.clock.times[0]),
        "notes": len(steps.notes),
        "notes_between_steps": int((steps.first < 0).sum()),
        "steps": len(steps.roll),
        "transposed_semitones": judgement.semitones,
        "log_likelihood_nats_per_step": found.per_step,
    }
    if found.standard_error.any():
        row["standard_error"] = found.error_of_mean
        row["standard_error_of_a_step"] = float(found.standard_error.mean())
    return row


def most_surprising(judgement: "Judgement") -> dict[str, str | int | float]:
    """The notes that the prior expected least, for the table."""
    import numpy as np

    from symbolic.pitch import name

    notes = judgement.steps.notes
    order = np.argsort(-np.nan_to_num(judgement.notes, nan=-1.0), kind="stable")[:SHOWN]
    lines = [
        f"{notes.onset[i]:.2f} s {name(int(notes.pitch[i]))} {judgement.notes[i]:.2f} nats"
        for i in order.tolist()
        if not np.isnan(judgement.notes[i])
    ]
    return {"most_surprising_notes": ", ".join(lines) or "none"}


def lists(judgement: "Judgement") -> dict[str, list[object]]:
    """Every step and every note, for JSON; null: the note lies between the steps."""
    notes = judgement.steps.notes
    return {
        "step_seconds": judgement.steps.clock.times.round(4).tolist(),
        "step_log_prob_nats": judgement.scores.log_prob.round(4).tolist(),
        "note_seconds": notes.onset.round(4).tolist(),
        "note_pitch": notes.pitch.tolist(),
        "note_surprise_nats": [None if nats != nats else round(nats, 4) for nats in judgement.notes.tolist()],
    }


if __name__ == "__main__":
    sys.exit(main())
