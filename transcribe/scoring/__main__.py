"""The command `python -m transcribe.scoring REFERENCE ESTIMATE`: scores of files, or of folders of files."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from symbolic.console import is_out_of_memory, outcome, say
from symbolic.errors import NotebeamError, one_line
from symbolic.folders import walk
from transcribe.scoring import FORMATS, Scores, mean, read_notes, score

PROGRAM = "scoring"
SHOWN = {  # columns of the table
    "onset_precision": "onset P",
    "onset_recall": "onset R",
    "onset_f1": "onset F",
    "onset_f1_aligned": "aligned F",
    "onset_offset_f1": "+ offset F",
    "onset_offset_velocity_f1": "+ velocity F",
    "frame_f1": "frame F",
    "frame_accuracy": "frame acc.",
    "median_deviation": "deviation s",
}


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m transcribe.scoring",
        description="Scores of transcriptions against their references, by mir_eval: onsets within 50 ms, "
        "offsets within 50 ms or 20 % of the length, velocities within 0.1 after regression, "
        "frames of 10 ms.",
    )
    formats = f"file ({', '.join(FORMATS)}) or folder"
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help=f"what was played: {formats}")
    parser.add_argument(
        "estimate", type=Path, metavar="ESTIMATE", help=f"what was transcribed: {formats} with the same names"
    )
    parser.add_argument(
        "--pedal",
        choices=("extend", "keys"),
        default="extend",
        help="where notes end: with their sound, the sustain pedal included (extend, default), "
        "or with their keys (keys)",
    )
    parser.add_argument("--json", action="store_true", help="print every score as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; exit code 1 if something was not scored."""
    args = build_parser().parse_args(argv)
    ends: list[int] = []
    return outcome(PROGRAM, lambda: ends.append(_run(args))) or ends[0]


def _run(args: argparse.Namespace) -> int:
    scores: dict[str, Scores] = {}
    try:
        pairs, failures = paired(args.reference, args.estimate)
    except NotebeamError as error:
        pairs, failures = {}, [str(error)]
    for name, (reference, estimate) in pairs.items():
        try:
            scores[name] = score(reference, estimate, pedal=args.pedal)
            if not scores[name].onset_recall and not len(read_notes(reference, args.pedal)):
                say(PROGRAM, f"notice: {reference}: no notes of a piano (drums are none); its scores are 0")
        except (NotebeamError, OSError) as error:
            failures.append(str(error))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            failures.append(f"{estimate}: not enough memory to compare it with {reference}")
    for failure in failures:
        say(PROGRAM, failure)
    if scores:
        print(as_json(scores, args.pedal) if args.json else as_table(scores, args.pedal), flush=True)
    if scores and failures:
        say(PROGRAM, f"{len(failures)} not scored, the mean is without them")
    return 1 if failures else 0


def paired(reference: Path, estimate: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Files that belong together, by name, and a line for each that has no partner.

    Raises:
        NotebeamError: a file beside a folder, no such file, two files of one name.
    """
    for path in (reference, estimate):
        if not path.exists():
            raise NotebeamError(str(path), "no such file", "a file or a folder")
    if reference.is_dir() != estimate.is_dir():
        raise NotebeamError(f"{reference}, {estimate}", "a file and a folder", "two files or two folders")
    if not reference.is_dir():
        return {estimate.name: (reference, estimate)}, []
    failures: list[str] = []
    references, estimates = (_by_name(folder, failures.append) for folder in (reference, estimate))
    if not references:
        raise NotebeamError(str(reference), "no notes in it", f"files of {', '.join(FORMATS)}")
    failures += [
        f"{references[name]}: no estimate named {name} in {estimate}"
        for name in references.keys() - estimates.keys()
    ]
    failures += [
        f"{estimates[name]}: no reference named {name} in {reference}"
        for name in estimates.keys() - references.keys()
    ]
    return {name: (path, estimates[name]) for name, path in references.items() if name in estimates}, sorted(
        failures
    )


def _by_name(folder: Path, fault: Callable[[str], None]) -> dict[str, Path]:
    """Files of notes in a folder and its subfolders, by their place in it without the ending."""
    files: dict[str, Path] = {}
    found = walk(folder, lambda path: path.suffix.lower() in FORMATS, kind="a file of notes")
    for failure in found.failures:
        fault(str(failure))
    for path in found.files:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in files:
            raise NotebeamError(str(path), f"beside {files[name].name}", "one file of each name")
        files[name] = path
    return files


def as_json(scores: Mapping[str, Scores], pedal: str) -> str:
    """Every score of every file, and the means."""
    files = [{"file": name, **asdict(values)} for name, values in scores.items()]
    return json.dumps({"pedal": pedal, "files": files, "mean": asdict(mean(list(scores.values())))}, indent=1)


def as_table(scores: Mapping[str, Scores], pedal: str) -> str:
    """The main scores, a line for each file, and the means."""
    rows = {one_line(name): values for name, values in scores.items()}
    if len(scores) > 1:
        rows["mean"] = mean(list(scores.values()))
    width = max(len(name) for name in (*rows, "file"))
    lines = ["  ".join([f"{'file':{width}}", *SHOWN.values()])]
    for name, values in rows.items():
        numbers = asdict(values)
        cells = (f"{numbers[key]:{len(title)}.3f}" for key, title in SHOWN.items())
        lines.append("  ".join([f"{name:{width}}", *cells]))
    ends = {"extend": "with their sound (sustain pedal included)", "keys": "with their keys (pedal ignored)"}
    count = f"{len(scores)} recording" + "s" * (len(scores) > 1)
    return "\n".join([*lines, f"{count}; notes end {ends[pedal]}"])


if __name__ == "__main__":
    sys.exit(main())
