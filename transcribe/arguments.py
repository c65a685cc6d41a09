"""The options of the `transcribe` command; one that is left out is None. Imports nothing heavy."""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from symbolic.decoding.options import METHODS

CLOCKS = ("frames", "beats")
DEVICES = ("auto", "cpu", "cuda", "mps")
FEW_WORKERS = 8  # threads or processes that are allowed on any machine

EPILOG = """\
exit codes: 0 everything written; 1 some input failed or is damaged, the others are written; 2 wrong usage;
129 hung up, 130 interrupted, 143 terminated

examples:
  transcribe nocturne.flac                         writes nocturne.mid beside it
  transcribe recordings/ -o midi/ --skip-existing  a whole folder, resumable
  transcribe song.mp3 --start 1:30 --stop 2:00 --picture song.png
  transcribe probabilities.npz --prior none        another system's posteriorgram
  transcribe waltz.wav --beats auto                bars, metre, key and hands for a score program
  transcribe waltz.wav --score waltz.musicxml      a score to edit and to print
"""


class Version(argparse.Action):
    """Prints the installed version; looked up only on request."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("notebeam")
        except PackageNotFoundError:
            found = "(not installed)"
        sys.stdout.write(f"transcribe, notebeam {found}\n")
        parser.exit()


def build_parser(
    program: str = "transcribe",
    description: str = "Recorded polyphonic music to notes: audio in, MIDI out.",
    epilog: str = EPILOG,
    *,
    one_machine: bool = True,
) -> argparse.ArgumentParser:
    """The command's parser; see the groups for what belongs together.

    one_machine: whether this machine's cores bound the jobs beside each other.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an option added later must not change what a script means
    )
    parser.add_argument(
        "inputs", nargs="*", type=_input, metavar="INPUT", help="audio, a posteriorgram (.npz) or a folder"
    )
    parser.add_argument("--manifest", type=Path, metavar="LIST", help="a file with an input on each line")
    _add_outputs(parser.add_argument_group("outputs (with several inputs every PATH is a folder)"))
    _add_models(parser.add_argument_group("models"))
    _add_notes(parser.add_argument_group("notes"))
    _add_running(parser.add_argument_group("running"), workers if one_machine else count)
    return parser


def _input(text: str) -> Path:
    if not text:  # an unset variable of a shell; as a path it is the working folder, with all that is in it
        raise argparse.ArgumentTypeError("got an empty name, expected a file or folder")
    return Path(text)


def _add_outputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-o", "--output", type=Path, metavar="PATH", help="MIDI (default: beside the input)")
    group.add_argument(
        "--beats", metavar="FILE|auto", help="bars in the MIDI: beats of a file, a line each, or tracked"
    )
    group.add_argument("--hands", action="store_true", help="a MIDI track for each hand, as with --beats")
    group.add_argument(
        "--score",
        type=Path,
        metavar="PATH",
        help="MusicXML on two staves, for a score program (tracks beats)",
    )
    group.add_argument(
        "--n-best", type=count, metavar="N", help="the N best transcriptions: a.mid, a.2.mid, a.3.mid, ..."
    )
    group.add_argument("--csv", type=Path, metavar="PATH", help="the notes as a table, with confidence")
    group.add_argument(
        "--picture", type=Path, metavar="PATH", help="PNG of the posteriorgram with the notes over it"
    )
    group.add_argument(
        "--html", type=Path, metavar="PATH", help="a page to see and hear the notes beside the recording"
    )
    group.add_argument("--sonify", type=Path, metavar="PATH", help="WAV: the recording left, the notes right")
    group.add_argument("--save-posteriorgram", type=Path, metavar="PATH", help="the posteriorgram, as .npz")
    group.add_argument("--skip-existing", action="store_true", help="skip inputs whose outputs exist")


def _add_models(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model", metavar="NAME|FILE", help="acoustic model (default: built in)")
    group.add_argument("--frontend", metavar="NAME", help="another system that listens: basic-pitch")
    group.add_argument(
        "--settings", type=Path, metavar="FILE", help="settings of the front end (default: its own)"
    )
    group.add_argument("--decoder", choices=tuple(METHODS), help="how notes are decided (default: beam)")
    group.add_argument("--prior", metavar="NAME|FILE|none", help="language model; none: acoustic model alone")
    group.add_argument("--prior-weight", type=number, metavar="W", help="factor on the prior, 0 or more")
    group.add_argument("--note-penalty", type=number, metavar="B", help="nats a note costs; below 0: rewards")
    group.add_argument("--temperature", type=number, metavar="T", help="above 1: trust the sound less")
    group.add_argument("--threshold", type=number, metavar="P", help="of --decoder threshold, 0 to 1")
    group.add_argument("--beam-width", type=count, metavar="N", help="hypotheses a step (default: 8)")
    group.add_argument("--candidates", type=count, metavar="K", help="rows of keys a step (default: 16)")
    group.add_argument(
        "--clock", choices=CLOCKS, default="frames", help="what the prior's steps are (default: frames)"
    )


def _add_notes(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--start", type=seconds, metavar="S", help="start time: seconds or m:ss")
    group.add_argument("--stop", type=seconds, metavar="S", help="stop time; times stay the recording's")
    group.add_argument("--tuning", type=number, metavar="HZ", help="tuning of A4 in Hz (default: estimated)")
    group.add_argument(
        "--onset-shift", type=shift, metavar="MS", help="added to every onset (default: the model's)"
    )
    group.add_argument("--min-note", type=milliseconds, metavar="MS", help="drop shorter notes (default: 0)")
    group.add_argument(
        "--pedal", action="store_true", help="write key releases and pedal (CC64), not sounding lengths"
    )
    group.add_argument(
        "--tempo", type=tempo, metavar="BPM", help="tempo of the MIDI file (default: 120); changes no times"
    )


def _add_running(group: argparse._ArgumentGroup, jobs: Callable[[str], int]) -> None:
    group.add_argument("--device", choices=DEVICES, help="where the models run (default: auto)")
    group.add_argument(
        "--bfloat16",
        action=argparse.BooleanOptionalAction,
        help="16-bit numbers, twice as fast (default: where the processor multiplies them)",
    )
    group.add_argument("--threads", type=workers, metavar="N", help="CPU threads of the acoustic model")
    group.add_argument("--jobs", type=jobs, metavar="N", help="inputs done beside each other (default: 1)")
    group.add_argument("--shard", type=shard, metavar="I/N", help="every N-th input only, from the I-th on")
    group.add_argument("--report", type=Path, metavar="FILE", help="add a line of JSON for each input")
    group.add_argument("--resume", action="store_true", help="skip what the report says is done")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("--debug", action="store_true", help="show where an input failed")
    group.add_argument("--version", action=Version, nargs=0, help="print the version and exit")


def _reader(wanted: str) -> Callable[[Callable[[str], float]], Callable[[str], float]]:
    """Turns a ValueError of a reader into argparse's one line, with what was expected."""

    def wrap(read: Callable[[str], float]) -> Callable[[str], float]:
        def value(text: str) -> float:
            try:
                return read(text)
            except ValueError:
                raise argparse.ArgumentTypeError(f"got {text!r}, expected {wanted}") from None

        return value

    return wrap


@_reader("seconds or m:ss, 0 or later, as in 90, 1:30 or 1:02:03.5")
def seconds(text: str) -> float:
    """Seconds, m:ss or h:mm:ss."""
    parts = [float(part) for part in text.split(":")]
    # "1:75" is a slip of the hand, not 2:15.
    if len(parts) > 3 or not all(0 <= part < 60 for part in parts[1:]) or any(p % 1 for p in parts[:-1]):
        raise ValueError
    return _within(sum(part * 60**power for power, part in enumerate(reversed(parts))), 0.0)


@_reader("a number")
def number(text: str) -> float:
    """A finite number; its range is its option's affair."""
    return _within(float(text), -math.inf)


@_reader("milliseconds, 0 or more")
def milliseconds(text: str) -> float:
    """Milliseconds, kept as such."""
    return _within(float(text), 0.0)


@_reader("milliseconds, from -1000 to 1000")
def shift(text: str) -> float:
    """Milliseconds, kept as such."""
    return _within(float(text), -1000.0, 1000.0)


@_reader("beats a minute, from 4 to 1000")
def tempo(text: str) -> float:
    """Beats a minute; MIDI's three bytes end below 3.6."""
    return _within(float(text), 4.0, 1000.0)


def count(text: str) -> int:
    """A whole number from 1."""
    try:
        value = int(text)
        _within(value, 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from 1") from None
    return value


def workers(text: str) -> int:
    """A number of threads or processes; more than a machine has cores for would only fill its memory."""
    value, most = count(text), max(FEW_WORKERS, 2 * (os.cpu_count() or 1))
    if value > most:
        expected = f"a whole number from 1 to {most} on this machine"
        raise argparse.ArgumentTypeError(f"got {text!r}, expected {expected}")
    return value


def shard(text: str) -> tuple[int, int]:
    """ "3/8" is (3, 8)."""
    try:
        number, total = map(int, text.split("/"))
        if not 1 <= number <= total:
            raise ValueError
    except ValueError:
        expected = "I/N with whole numbers, I from 1 to N, as in 1/4"
        raise argparse.ArgumentTypeError(f"got {text!r}, expected {expected}") from None
    return number, total


def _within(value: float, low: float, high: float = math.inf) -> float:
    if not (low <= value <= high and math.isfinite(value)):
        raise ValueError
    return value
