"""The command `transcribe INPUT... [options]`: inputs one by one or in processes, messages, exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symbolic.console import DONE, FAILED, INTERRUPTED, USAGE, ending_at_signals, is_out_of_memory, say
from transcribe.arguments import build_parser
from transcribe.report import End

if TYPE_CHECKING:  # torch takes seconds, and --help needs none of it
    from pathlib import Path

    from symbolic.errors import NotebeamError
    from transcribe.outputs import Job, Plan, Wanted
    from transcribe.pipeline import Transcriber
    from transcribe.progress import Progress
    from transcribe.report import Outcome, Report
    from transcribe.transcription import Transcription

PROGRAM = "transcribe"
# Options that are a field of the decoder's, by the field's name.
SETTINGS = {
    "--note-penalty": "note_penalty",
    "--temperature": "temperature",
    "--threshold": "threshold",
    "--beam-width": "width",
    "--candidates": "candidates",
}


@dataclass(frozen=True)
class Way:
    """How the inputs become jobs, and the jobs are done; None: as `outputs.plan` says, on this machine."""

    plan: Callable[[Sequence[Path], Wanted, Collection[Path]], Plan] | None = None
    outcomes: Callable[[Sequence[Job], argparse.Namespace, int], Iterator[Outcome]] | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Wrong usage leaves by `SystemExit(2)`, as argparse does."""
    parser = build_parser()
    return run(parser, parser.parse_args(argv), Way())


def run(parser: argparse.ArgumentParser, args: argparse.Namespace, way: Way) -> int:
    """Check the options, plan, do the inputs one way or another, and report."""
    if not args.inputs and args.manifest is None:
        parser.error("got no INPUT and no --manifest, expected at least one")
    if args.resume and args.report is None:
        parser.error("--resume: expected --report, the file that says what is done")
    if args.tempo is not None and (args.beats is not None or args.clock == "beats" or args.score is not None):
        parser.error(f"--tempo: got {args.tempo:g}, expected none: the beats make the file's tempo")
    if args.stop is not None and args.stop <= (args.start or 0.0):
        parser.error(f"--stop: got {args.stop:g} s, expected more than --start, {args.start or 0.0:g} s")
    with ending_at_signals(PROGRAM):
        try:
            return _run(args, way)
        except KeyboardInterrupt:
            _say("interrupted; files written so far are complete")
            return INTERRUPTED


def _run(args: argparse.Namespace, way: Way) -> int:
    import torch

    from symbolic.errors import NotebeamError
    from transcribe.manifest import read_manifest, shard_of
    from transcribe.musicxml import check_installed
    from transcribe.outputs import POSTERIORGRAM, Wanted, check_writable, plan
    from transcribe.report import Report, options_of

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    wanted = Wanted(
        midi=args.output,
        csv=args.csv,
        picture=args.picture,
        page=args.html,
        sound=args.sonify,
        posteriorgram=args.save_posteriorgram,
        score=args.score,
    )
    try:
        if args.score is not None:
            check_installed("--score")
        transcriber = transcriber_of(args)
        listed, notices = read_manifest(args.manifest) if args.manifest else ([], [])
        check_beats(args.beats, [*args.inputs, *listed])
        todo = (way.plan or plan)([*args.inputs, *listed], wanted, set(listed))
        wanted_jobs, failures = shard_of(todo.jobs, args.shard), shard_of(todo.failures, args.shard)
        report = None if args.report is None else Report(args.report, options_of(args))
        if report is not None:
            check_writable("--report", report.path)
        jobs = [job for job in wanted_jobs if not _is_done(job, report, args)]
        if jobs:
            transcriber.load(audio=any(job.source.suffix.lower() != POSTERIORGRAM for job in jobs))
    except (NotebeamError, OSError) as error:
        _say(str(error))
        return USAGE
    for notice in () if args.quiet else (*notices, *todo.notices):
        _say(notice)
    if len(jobs) < len(wanted_jobs) and not args.quiet:
        done, count = len(wanted_jobs) - len(jobs), len(wanted_jobs)
        _say(f"{done} of {count} inputs are done already and left as they are")
    ends = [_reported(_refused(failure), None, report, args) for failure in failures]
    ends += _all_done(jobs, transcriber, report, args, way)
    failed_count, count = ends.count(End.FAILED), len(wanted_jobs) + len(failures)
    if 0 < failed_count < count:
        _say(f"{failed_count} of {count} inputs failed, the others are written")
    return FAILED if {End.FAILED, End.DAMAGED} & set(ends) else DONE


def check_beats(beats: str | None, inputs: Sequence[Path]) -> None:
    """Refuse a file of beats that is none, or is not for one recording, before any work."""
    if beats in (None, "auto"):
        return
    from symbolic.errors import NotebeamError
    from symbolic.metre import read_beats_file

    assert beats is not None
    if len(inputs) > 1 or os.path.isdir(inputs[0]):
        raise NotebeamError(f"--beats {beats}", "several inputs", "one recording, or --beats auto")
    read_beats_file(beats)


def _is_done(job: Job, report: Report | None, args: argparse.Namespace) -> bool:
    """Whether an input is left as it is: its outputs are there, and with --resume the report agrees."""
    if args.resume and report is not None:
        return report.is_done(job)
    return args.skip_existing and job.is_done


def _refused(error: NotebeamError) -> Outcome:
    """An input that was not begun."""
    from transcribe.report import Outcome

    source = error.place.partition(": output ")[0]
    return Outcome(source=source, end=End.FAILED, errors=(str(error),))


def _all_done(
    jobs: Sequence[Job], transcriber: Transcriber, report: Report | None, args: argparse.Namespace, way: Way
) -> list[End]:
    """Do all inputs, here, in processes of their own or another way."""
    from transcribe.progress import Progress
    from transcribe.workers import outcomes

    progress = Progress(job.source for job in jobs)
    if way.outcomes is not None:
        found = way.outcomes(jobs, args, args.jobs)
    elif (args.jobs or 1) > 1 and len(jobs) > 1:
        found = outcomes(jobs, args, args.jobs)
    else:
        found = (transcribe_one(job, transcriber, args, bar=True) for job in jobs)
    return [_reported(outcome, progress, report, args) for outcome in found]


def transcriber_of(args: argparse.Namespace) -> Transcriber:
    """The transcriber; what the command does not say stays its default."""
    from dataclasses import fields, replace

    from symbolic.decoding.options import METHODS
    from symbolic.errors import NotebeamError
    from symbolic.priors.loading import priors_with_steps_of
    from transcribe.pipeline import Transcriber
    from transcribe.presets import METHOD, Choice, preset

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
    numbers = {}
    for flag, name in SETTINGS.items():
        value = getattr(args, flag[2:].replace("-", "_"))
        if value is None:
            continue
        having = [key for key, entry in METHODS.items() if name in {f.name for f in fields(entry.options)}]
        if method not in having:
            raise NotebeamError(flag, value, f"--decoder {' or '.join(having)}: {method} has no such setting")
        replace(decoder, **{name: value})  # refuses a bad one
        numbers[name] = value
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
        "decoder": Choice(method=method, weight=args.prior_weight, clock=args.clock, numbers=numbers),
        "frontend": args.frontend,
        "settings": args.settings,
        "onset_shift": None if args.onset_shift is None else args.onset_shift / 1000,
        "min_note": None if args.min_note is None else args.min_note / 1000,
    }
    if args.score is not None and args.beats is None and args.clock != "beats":
        options["beats"] = "auto"  # a score is written in beats
    options = {name: value for name, value in options.items() if value is not None}
    if args.prior == "none":
        options["prior"] = None
    return Transcriber(**options)


def transcribe_one(job: Job, transcriber: Transcriber, args: argparse.Namespace, *, bar: bool) -> Outcome:
    """Do one input and write its files; whatever goes wrong is one line, and costs this input alone."""
    from symbolic.errors import NotebeamError
    from transcribe.report import Outcome

    begin = time.monotonic()
    faults: list[NotebeamError] = []
    notices: list[str] = []
    try:
        result = _result(job, transcriber, args, faults.append, notices.append, bar=bar)
        _write(job, result, args, notices.append)
    except Exception as error:  # the next input may be good: a bug is one line, and a traceback with --debug
        if args.debug:
            traceback.print_exc()
        is_expected = isinstance(error, NotebeamError | OSError)
        line = str(error) if is_expected else _unexpected(error)
        line = line if str(job.source) in line else f"{job.source}: {line}"
        elapsed = time.monotonic() - begin
        return Outcome(source=str(job.source), end=End.FAILED, errors=(line,), elapsed=elapsed)
    notes, posteriorgram, beats = result.notes, result.posteriorgram, result.beats
    sure = notes.confidence
    return Outcome(
        source=str(job.source),
        end=End.DAMAGED if faults else End.WHOLE,
        output=str(job.midi),
        errors=tuple(f"{fault}; what is there is written" for fault in faults),
        notices=tuple(f"notice: {job.source}: {notice}" for notice in notices),
        seconds=posteriorgram.count * posteriorgram.hop,
        elapsed=time.monotonic() - begin,
        notes=len(notes),
        mean_confidence=None if sure is None or not len(sure) else float(sure.mean()),
        beats_a_bar=None if beats is None else beats.beats_a_bar,
        tempo_bpm=None if beats is None else beats.tempo,
    )


def _unexpected(error: Exception) -> str:
    if is_out_of_memory(error):
        return f"not enough memory ({str(error)[:100]})"
    return f"internal error, {type(error).__name__}: {str(error)[:200]} (--debug shows where)"


def _result(
    job: Job,
    transcriber: Transcriber,
    args: argparse.Namespace,
    damage: Callable[[NotebeamError], None],
    notice: Callable[[str], None],
    *,
    bar: bool,
) -> Transcription:
    """The notes of one input, with a bar on the way."""
    from tqdm import tqdm

    from symbolic.errors import NotebeamError, one_line

    silent = not bar or args.quiet or sys.stderr is None or not sys.stderr.isatty()
    with tqdm(
        total=1.0,
        desc=one_line(job.source.name),
        leave=False,
        disable=silent,
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}",
        file=sys.stderr,
    ) as shown:
        result = transcriber(job.source, None, lambda done: _advance(shown, done), damage, notice)
    if args.pedal and len(result.notes) and result.notes.key_offset is None:
        expected = "a posteriorgram that has one, decoded by strokes, for --pedal"
        raise NotebeamError(str(job.source), "no plane `held`", expected)
    return result


def _advance(bar: object, fraction: float) -> None:
    """Move a bar to a fraction 0..1."""
    bar.update(fraction - bar.n)  # type: ignore[attr-defined]


def _write(job: Job, result: Transcription, args: argparse.Namespace, notice: Callable[[str], None]) -> None:
    """Every file wanted, each whole or not at all, the MIDI file last."""
    from symbolic.hands import right_hand
    from symbolic.midi_writing import TEMPO
    from symbolic.notes import write_csv
    from transcribe.musicxml import write_score
    from transcribe.picture import save_picture

    for path in job.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
    if job.score is not None:  # first: it may be refused
        assert result.beats is not None
        write_score(job.score, result.notes, result.beats, f"{job.source}: --score")
    if job.csv is not None:
        write_csv(job.csv, result.notes)
    if job.picture is not None:
        save_picture(job.picture, result.posteriorgram, result.notes, job.source.name)
    if job.page is not None or job.sound is not None:
        _write_sound(job, result, notice)
    if job.posteriorgram is not None:
        result.posteriorgram.save(job.posteriorgram)
    right = right_hand(result.notes) if args.hands or result.beats is not None else None
    tempo = TEMPO if args.tempo is None else args.tempo
    result.notes.save(job.midi, tempo, pedal=args.pedal, beats=result.beats, right=right)


def _write_sound(job: Job, result: Transcription, notice: Callable[[str], None]) -> None:
    """The files for listening to the notes beside the recording."""
    from transcribe.outputs import POSTERIORGRAM
    from transcribe.page.page import write_page
    from transcribe.sonify import write_sound

    recording = None if job.source.suffix.lower() == POSTERIORGRAM else job.source
    if job.sound is not None:
        write_sound(job.sound, result.posteriorgram, result.notes, recording)
    if job.page is not None:
        beside = write_page(job.page, result.posteriorgram, result.notes, job.source.name, recording)
        if beside is not None:
            size = f"{beside.stat().st_size / 1e6:.1f} MB"
            notice(f"too long to be inside {job.page}; it lies beside it in {beside.name}, {size}")


def _reported(
    outcome: Outcome, progress: Progress | None, report: Report | None, args: argparse.Namespace
) -> End:
    """Say how an input ended, and write it to the report."""
    before, after = ("", "") if progress is None else progress.after(outcome.source)
    for line in (*outcome.notices, *outcome.errors):
        _say(line)
    if outcome.end is not End.FAILED and not args.quiet:
        _say(f"{before}{outcome.line}{after}")
    if report is not None:
        try:
            report.add(outcome)
        except OSError as error:
            _say(f"--report: {error}")
            return End.FAILED
    return outcome.end


def _say(line: str) -> None:
    say(PROGRAM, line)
