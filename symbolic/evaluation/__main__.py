"""`python -m symbolic.evaluation [PRIOR] WHAT`: what a prior makes of a data set, or of MIDI files.

Is: the command, its tables and its JSON.
Is not: the scores (evaluation.likelihood, accuracy, surprise, folder), or the picture.
"""

from symbolic.console import DONE, FAILED, end_at_signals, outcome, say

if __name__ == "__main__":  # before all other imports, which take seconds
    end_at_signals("symbolic.evaluation")

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from symbolic.commands import MODULE_HELP, import_models
from symbolic.config import MOST_SEED
from symbolic.datasets.config import CLASSIC, PERFORMANCES

PROGRAM = "symbolic.evaluation"
Row = dict[str, str | int | float]
SETS = CLASSIC + PERFORMANCES
DEFAULT_PRIOR = "event-rnn-nade/piano"  # for a MIDI file: any piano music, in any key
SAMPLES = 20  # a step, for the accuracies of a set

EPILOG = """\
examples:
  python -m symbolic.evaluation lstm-nade/jsb jsb               likelihood and accuracies on a test set
  python -m symbolic.evaluation song.mid --picture song.png     where the music surprised the piano prior
  python -m symbolic.evaluation lstm-nade/jsb chorale.mid       on the file's beats, in the likeliest key
  python -m symbolic.evaluation lstm-nade/jsb chorales/ --each  a folder of MIDI files: each, and all together
"""


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m symbolic.evaluation",
        usage="%(prog)s [options] [PRIOR] DATASET | FILE.mid | FOLDER",
        description="Log-likelihood of music under a prior: of a data set, with accuracies, a MIDI file or a "
        "folder of them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "prior",
        metavar="PRIOR",
        nargs="?",
        help=f"name such as lstm-nade/jsb, or a .safetensors file (of MIDI files: {DEFAULT_PRIOR})",
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
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="draws a step for the accuracies; 0 leaves them out (default: 20 of a data set, 0 of a folder)",
    )
    data = parser.add_argument_group("data sets")
    data.add_argument("--split", choices=("train", "valid", "test"), default="test")
    file = parser.add_argument_group("MIDI files")
    file.add_argument(
        "--picture", type=Path, metavar="OUT.png", help="the notes, and where they surprised the prior"
    )
    file.add_argument("--each", action="store_true", help="of a folder, a line for each file, too")
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
    is_folder = Path(args.what).is_dir() and args.what not in SETS
    if args.samples is not None and args.samples < 0:
        parser.error(f"--samples {args.samples}: expected an integer >= 0")
    if not 0 <= args.seed <= MOST_SEED:
        parser.error(f"--seed {args.seed}: expected an integer 0..{MOST_SEED}")
    if args.each and not is_folder:
        parser.error("--each: expected a folder of MIDI files")
    if args.picture and is_folder:
        parser.error("--picture: expected a MIDI file, not a folder")
    if args.samples is not None and not is_folder and args.what not in SETS:
        parser.error("--samples: expected a data set or a folder of MIDI files")
    ends: list[int] = []
    return outcome(PROGRAM, lambda: ends.append(_evaluate(args))) or ends[0]


def _evaluate(args: argparse.Namespace) -> int:
    """The exit code: 1 where some files of a folder have no scores."""
    # Imported after parsing: torch takes seconds and --help needs none of it.
    from symbolic.estimators.ais import AisOptions
    from symbolic.evaluation.rows import folder_scores, judged, lists, most_surprising, scores, summary
    from symbolic.picture import check_picture

    if args.module:
        import_models(args.module)
    prior = args.prior or args.named
    ais = AisOptions(
        temperatures=args.ais_temperatures, runs=args.ais_runs, steps=args.ais_steps, seed=args.seed
    )
    samples, what = args.samples, Path(args.what)
    if args.what in SETS:
        samples = SAMPLES if samples is None else samples
        row = scores(prior, args.what, args.split, samples=samples, seed=args.seed, ais=ais)
        print(json.dumps(row) if args.json else table(row))
        return DONE
    if what.is_dir():
        row, each, failures = folder_scores(
            prior or DEFAULT_PRIOR, what, args.transpose, ais, samples=samples or 0, seed=args.seed
        )
        if args.json:
            print(json.dumps(row | {"each": each} if args.each else row))
        else:
            print(*([lines(each)] if args.each else []), table(row), sep="\n", flush=True)
        for failure in failures:
            say(PROGRAM, str(failure))
        if failures:
            say(PROGRAM, f"{len(failures)} without scores; the figures above are without them")
        return FAILED if failures else DONE
    if args.picture is not None:
        check_picture(args.picture, [what])
    judgement = judged(prior or DEFAULT_PRIOR, what, args.transpose, ais, args.picture)
    row = summary(prior or DEFAULT_PRIOR, what, judgement)
    print(json.dumps(row | lists(judgement)) if args.json else table(row | most_surprising(judgement)))
    return DONE


def lines(each: Sequence[Row]) -> str:
    """A table with a line a file."""
    width = max(len(str(row["file"])) for row in each)
    rows = [f"{'file':{width}}  {'notes':>7}  {'steps':>7}  semitones  nats a step"]
    rows += [
        f"{row['file']:{width}}  {row['notes']:7}  {row['steps']:7}  {row['transposed_semitones']:9}  "
        f"{row['log_likelihood_nats_per_step']:11.4f}"
        for row in each
    ]
    return "\n".join([*rows, ""])


def table(row: Row) -> str:
    """Names and values in two columns."""
    width = max(map(len, row))
    return "\n".join(
        f"{name:{width}}  {value:.4f}" if isinstance(value, float) else f"{name:{width}}  {value}"
        for name, value in row.items()
    )


if __name__ == "__main__":
    sys.exit(main())
