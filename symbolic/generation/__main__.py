"""`python -m symbolic.generation -o OUT.mid`: music drawn from a prior.

Is: the command: from nothing, going on from a MIDI file, after fine-tuning on a folder of MIDI files.
Is not: the drawing (generation.sampling), the fine-tuning, the picture.
"""

from symbolic.console import end_at_signals, outcome

if __name__ == "__main__":  # before all other imports, which take seconds
    end_at_signals("symbolic.generation")

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from symbolic.commands import MODULE_HELP, import_models

if TYPE_CHECKING:  # torch takes seconds, and --help needs none of it
    from symbolic.generation.sampling import Given, Piece
    from symbolic.priors.base import Prior

DEFAULT_PRIOR = "event-rnn-nade/piano"
SECONDS = 30.0

EPILOG = """\
A prior of sounding keys (the classic sets) cannot strike a key again that sounds: a key that is on at several
steps in a row is one note.

examples:
  python -m symbolic.generation -o new.mid                                     half a minute of piano music
  python -m symbolic.generation --prior lstm-nade/jsb --tempo 90 -o chorale.mid --count 4
  python -m symbolic.generation --continue mine.mid --stop 20 --seconds 60 -o longer.mid --picture longer.png
  python -m symbolic.generation --finetune my_midi/ --continue mine.mid -o mine_longer.mid
"""


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m symbolic.generation",
        description="Music drawn from a prior, as MIDI.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT.mid",
        help="of several: OUT-1.mid, ...",
    )
    parser.add_argument("--picture", type=Path, metavar="OUT.png", help="piano rolls of the pieces")
    parser.add_argument(
        "--prior",
        default=DEFAULT_PRIOR,
        metavar="NAME",
        help=f"name such as lstm-nade/jsb, or a .safetensors file (default: {DEFAULT_PRIOR})",
    )
    parser.add_argument("--module", metavar="MODULE", help=MODULE_HELP)
    _add_drawing(parser.add_argument_group("drawing"))
    _add_given(parser.add_argument_group("going on from a file"))
    _add_finetuning(parser.add_argument_group("one's own music"))
    return parser


def _add_drawing(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--temperature", type=float, default=1.0, help="below 1 the likely becomes likelier")
    length = group.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="length in steps of the prior")
    length.add_argument("--seconds", type=float, help=f"length (default: {SECONDS:g})")
    group.add_argument("--count", type=int, default=1, metavar="N", help="pieces")
    group.add_argument("--seed", type=int, default=0, help="the same seed gives the same files")
    group.add_argument(
        "--tempo",
        type=float,
        metavar="BPM",
        help="quarter notes a minute, of priors that count in beats (default: as given, else 120)",
    )
    group.add_argument(
        "--hold",
        type=float,
        metavar="S",
        help="seconds a note sounds at most, of priors of strokes only (default: 0.5)",
    )


def _add_given(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--continue", dest="given", type=Path, metavar="IN.mid", help="what a piece begins with"
    )
    group.add_argument("--stop", type=float, metavar="S", help="only the file's first S seconds")
    group.add_argument(
        "--transpose",
        metavar="N|auto",
        help="semitones up before the prior reads it; auto: the likeliest key and octave (default: "
        "auto for priors that count in beats, else 0); the result is in the file's own key",
    )


def _add_finetuning(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--finetune",
        type=Path,
        metavar="FOLDER",
        help="train the prior a little on the MIDI there first",
    )
    group.add_argument(
        "--output-weights",
        type=Path,
        metavar="FILE.safetensors",
        help="where the fine-tuned prior goes (default: runs/finetuned/weights.safetensors)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.given is None and (args.stop is not None or args.transpose is not None):
        parser.error("--stop, --transpose: expected --continue IN.mid")
    if args.finetune is None and args.output_weights is not None:
        parser.error("--output-weights: expected --finetune FOLDER")
    return outcome(
        "symbolic.generation",
        lambda: _generate(args),
    )


def _generate(args: argparse.Namespace) -> None:
    if args.module:
        import_models(args.module)
    for line in _run(args):
        print(line)


def _run(args: argparse.Namespace) -> list[str]:
    """Everything that the arguments ask for; a line for each file."""
    from symbolic.checkpoints import check_weights_path
    from symbolic.errors import NotebeamError
    from symbolic.files import check_writable
    from symbolic.generation.sampling import SampleOptions, generate, pace, steps_in
    from symbolic.midi_writing import write_midi
    from symbolic.picture import check_picture
    from symbolic.priors.loading import load_prior
    from symbolic.priors.steps import HOLD

    # All that can be refused is refused before anything is trained or drawn.
    paths = _paths(args.output, args.count)
    for path in paths:
        check_writable(path)
        if args.given is not None and os.path.realpath(path) == os.path.realpath(args.given):
            raise NotebeamError("--output", str(path), "a name that is not the file's that is continued")
    if args.picture is not None:
        check_picture(args.picture, [*paths, *(path for path in (args.given, args.output_weights) if path)])
    if args.output_weights is not None:
        check_weights_path(args.output_weights, "--output-weights")
    prior = load_prior(args.prior)
    if args.hold is not None and prior.require_card().plane != "struck":
        raise NotebeamError("--hold", args.hold, f"none: {args.prior} says itself how long keys sound")
    given = None if args.given is None else _given(prior, args.given, args.stop, args.transpose)
    steps = args.steps
    if steps is None:
        seconds = SECONDS if args.seconds is None else args.seconds
        steps = steps_in(prior.require_card(), seconds, pace(prior.require_card(), given, args.tempo))
    options = SampleOptions(
        steps=steps,
        temperature=args.temperature,
        count=args.count,
        seed=args.seed,
        hold=HOLD if args.hold is None else args.hold,
    )
    if args.finetune is not None:
        prior = _finetuned(args)
    pieces = generate(prior, options, given, args.tempo)
    for path, piece in zip(paths, pieces, strict=True):
        write_midi(path, piece.notes, tempo=piece.tempo)
    if args.picture is not None:
        _draw(args.picture, paths, pieces)
    shift = "" if given is None or not given.semitones else f", transposed by {given.semitones:+d} semitones"
    return [
        f"{path}: {len(piece.notes)} notes, {piece.end:.1f} s, drawn from {piece.seam:.1f} s on{shift}"
        for path, piece in zip(paths, pieces, strict=True)
    ]


def _paths(output: Path, count: int) -> list[Path]:
    from symbolic.errors import NotebeamError
    from symbolic.generation.sampling import MOST_STEPS

    if output.suffix.lower() not in (".mid", ".midi"):
        raise NotebeamError("--output", str(output), "a path that ends in .mid")
    if not 1 <= count <= MOST_STEPS:
        raise NotebeamError("--count", count, f"a number of pieces, 1 to {MOST_STEPS}")
    if count == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{number}") for number in range(1, count + 1)]


def _given(prior: "Prior", path: Path, stop: float | None, transpose: str | None) -> "Given":
    from symbolic.estimators.ais import AisOptions
    from symbolic.evaluation.surprise import best_key, semitones_of
    from symbolic.generation.sampling import Given
    from symbolic.priors.steps import read_steps

    steps = read_steps(path, prior.require_card(), stop)
    semitones = semitones_of(transpose, prior.require_card())
    if semitones is None:
        semitones = best_key(prior, steps.roll, AisOptions())
    return Given(steps, semitones)


def _finetuned(args: argparse.Namespace) -> "Prior":
    from symbolic.generation.finetuning import FinetuneOptions, finetune

    return finetune(
        args.prior,
        args.finetune,
        args.output_weights or Path("runs") / "finetuned" / "weights.safetensors",
        FinetuneOptions(seed=args.seed),
        log=lambda line: print(line, file=sys.stderr, flush=True),
    )


def _draw(path: Path, paths: Sequence[Path], pieces: "Sequence[Piece]") -> None:
    from symbolic.generation.picture import Panel, save_rolls

    panels = [
        Panel(f"{file.name}: {len(piece.notes)} notes", piece.notes, piece.seam, piece.end)
        for file, piece in zip(paths, pieces, strict=True)
    ]
    save_rolls(path, panels)


if __name__ == "__main__":
    sys.exit(main())
