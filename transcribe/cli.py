"""The command `transcribe INPUT... [options]`: one input after the other, files, messages, exit codes."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from symbolic.console import DONE, FAILED, INTERRUPTED, USAGE, ending_at_signals, say
from transcribe.arguments import build_parser

if TYPE_CHECKING:  # torch takes seconds, and --help needs none of it
    from symbolic.errors import NotebeamError
    from transcribe.outputs import Job
    from transcribe.pipeline import Transcriber, Transcription

PROGRAM = "transcribe"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Wrong usage leaves by `SystemExit(2)`, as argparse does."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.tempo is not None and (args.beats is not None or args.clock == "beats"):
        parser.error(f"--tempo: got {args.tempo:g}, expected none: the beats make the file's tempo")
    if args.stop is not None and args.stop <= (args.start or 0.0):
        parser.error(f"--stop: got {args.stop:g} s, expected more than --start, {args.start or 0.0:g} s")
    with ending_at_signals(PROGRAM):
        try:
            return _run(args)
        except KeyboardInterrupt:
            _say("interrupted; files written so far are complete")
            return INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    import torch

    from symbolic.errors import NotebeamError
    from transcribe.outputs import POSTERIORGRAM, Wanted, plan

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    wanted = Wanted(
        midi=args.output, csv=args.csv, picture=args.picture, posteriorgram=args.save_posteriorgram
    )
    try:
        transcriber = transcriber_of(args)
        check_beats(args)
        todo = plan(args.inputs, wanted)
        jobs = [job for job in todo.jobs if not (args.skip_existing and job.is_done)]
        if jobs:
            transcriber.load(audio=any(job.source.suffix.lower() != POSTERIORGRAM for job in jobs))
    except (NotebeamError, OSError) as error:
        _say(str(error))
        return USAGE
    for failure in todo.failures:
        _say(str(failure))
    for notice in () if args.quiet else todo.notices:
        _say(notice)
    if len(jobs) < len(todo.jobs) and not args.quiet:
        _say(f"{len(todo.jobs) - len(jobs)} of {len(todo.jobs)} inputs are done already and left as they are")
    ends = [_transcribe(job, transcriber, args) for job in jobs]
    failed, count = len(todo.failures) + ends.count(End.FAILED), len(todo.jobs) + len(todo.failures)
    if 0 < failed < count:
        _say(f"{failed} of {count} inputs failed, the others are written")
    return FAILED if failed or End.DAMAGED in ends else DONE


def check_beats(args: argparse.Namespace) -> None:
    """Refuse a file of beats that is none, before any work."""
    if args.beats in (None, "auto"):
        return
    from symbolic.errors import NotebeamError
    from symbolic.metre import read_beats_file

    if len(args.inputs) > 1 or args.inputs[0].is_dir():
        raise NotebeamError(f"--beats {args.beats}", "several inputs", "one recording, or --beats auto")
    read_beats_file(args.beats)


class End(Enum):
    """How an input ended: written, written as far as it goes, or not written."""

    WHOLE, DAMAGED, FAILED = range(3)


def transcriber_of(args: argparse.Namespace) -> Transcriber:
    """The transcriber; what the command does not say stays its default."""
    from dataclasses import replace

    from symbolic.decoding.options import METHODS, Beam
    from symbolic.errors import NotebeamError
    from symbolic.priors.loading import priors_with_steps_of
    from transcribe.pipeline import Transcriber
    from transcribe.presets import METHOD, TRACK, preset

    method = args.decoder or METHOD
    readers = [name for name, entry in METHODS.items() if entry.reads_prior]
    if method not in readers and args.prior not in (None, "none"):
        expected = f"none: {method} decides without a prior ({' and '.join(readers)} use one)"
        raise NotebeamError("--prior", args.prior, expected)
    if args.prior_weight and (args.prior == "none" or method not in readers):
        expected = f"a prior to weigh, and {' or '.join(readers)}"
        raise NotebeamError("--prior-weight", args.prior_weight, expected)
    if args.clock == "beats" and (method not in readers or args.prior in (None, "none")):
        got = f"--decoder {method}" if method not in readers else "no prior"
        fitting = ", ".join(priors_with_steps_of("beats"))
        raise NotebeamError("--clock beats", got, f"--decoder beam or greedy, and --prior, one of {fitting}")
    decoder = preset(method, prior=args.prior != "none", weight=args.prior_weight, clock=args.clock)
    for flag, field, value in (
        ("--beam-width", "width", args.beam_width),
        ("--candidates", "candidates", args.candidates),
    ):
        if value is None:
            continue
        if not isinstance(decoder, Beam):
            raise NotebeamError(flag, value, f"--decoder beam: {method} has no such setting")
        decoder = replace(decoder, **{field: value})
    options = {
        "model": args.model,
        "device": args.device,
        "bfloat16": args.bfloat16,
        "tuning": args.tuning,
        "start": args.start,
        "stop": args.stop,
        "prior": args.prior,
        "clock": args.clock,
        "beats": args.beats,
        "decoder": decoder,
        "onset_shift": None if args.onset_shift is None else args.onset_shift / 1000,
        "track": None if args.min_note is None else replace(TRACK, min_note=args.min_note / 1000),
    }
    options = {name: value for name, value in options.items() if value is not None}
    if args.prior == "none":
        options["prior"] = None
    return Transcriber(**options)


def _transcribe(job: Job, transcriber: Transcriber, args: argparse.Namespace) -> End:
    """Do one input and write its files; whatever goes wrong is one line, and costs this input alone."""
    from symbolic.errors import NotebeamError

    begin = time.monotonic()
    faults: list[NotebeamError] = []
    try:
        result = _result(job, transcriber, args, faults.append)
        _write(job, result, args.tempo, pedal=args.pedal)
    except Exception as error:  # the next input may be good: a bug is said, and shown with --debug
        if args.debug:
            traceback.print_exc()
        is_expected = isinstance(error, NotebeamError | OSError)
        line = str(error) if is_expected else _unexpected(error)
        _say(line if str(job.source) in line else f"{job.source}: {line}")
        return End.FAILED
    for fault in faults:
        _say(f"{fault}; what is there is written")
    if not args.quiet:
        _report(job, result, time.monotonic() - begin)
    return End.DAMAGED if faults else End.WHOLE


def _unexpected(error: Exception) -> str:
    if isinstance(error, MemoryError) or "alloc" in str(error):
        return f"not enough memory ({str(error)[:100]})"
    return f"internal error, {type(error).__name__}: {str(error)[:200]} (--debug shows where)"


def _result(
    job: Job, transcriber: Transcriber, args: argparse.Namespace, damage: Callable[[NotebeamError], None]
) -> Transcription:
    """The notes of one input, with a bar on the way."""
    from tqdm import tqdm

    from symbolic.errors import NotebeamError, one_line

    silent = args.quiet or sys.stderr is None or not sys.stderr.isatty()
    with tqdm(
        total=1.0,
        desc=one_line(job.source.name),
        leave=False,
        disable=silent,
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}",
        file=sys.stderr,
    ) as bar:
        result = transcriber(job.source, progress=lambda fraction: _advance(bar, fraction), damage=damage)
    if args.pedal and len(result.notes) and result.notes.key_offset is None:
        expected = "a posteriorgram that has one, decoded by strokes, for --pedal"
        raise NotebeamError(str(job.source), "no plane `held`", expected)
    return result


def _advance(bar: object, fraction: float) -> None:
    """Move a bar to a fraction 0..1."""
    bar.update(fraction - bar.n)  # type: ignore[attr-defined]


def _write(job: Job, result: Transcription, tempo: float | None, *, pedal: bool) -> None:
    """Every file wanted, each whole or not at all, the MIDI file last."""
    from symbolic.midi_writing import TEMPO
    from symbolic.notes import write_csv
    from transcribe.picture import save_picture

    for path in job.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
    if job.csv is not None:
        write_csv(job.csv, result.notes)
    if job.picture is not None:
        save_picture(job.picture, result.posteriorgram, result.notes, job.source.name)
    if job.posteriorgram is not None:
        result.posteriorgram.save(job.posteriorgram)
    result.notes.save(job.midi, TEMPO if tempo is None else tempo, pedal=pedal, beats=result.beats)


def _report(job: Job, result: Transcription, seconds: float) -> None:
    length = result.posteriorgram.count * result.posteriorgram.hop
    found = f"{len(result.notes)} notes" if len(result.notes) else "no notes found, an empty file"
    if result.beats is not None:
        found += f", {result.beats.beats_a_bar} beats a bar, {result.beats.tempo:.0f} a minute"
    _say(f"{job.source} -> {job.midi}: {found} ({length:.1f} s of music in {seconds:.1f} s)")


def _say(line: str) -> None:
    say(PROGRAM, line)
