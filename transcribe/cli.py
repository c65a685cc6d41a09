"""The command `transcribe INPUT... [options]`: inputs one by one or in processes, messages, exit codes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symbolic.console import DONE, FAILED, INTERRUPTED, USAGE, ending_at_signals, say
from transcribe.arguments import build_parser
from transcribe.report import End

if TYPE_CHECKING:  # torch takes seconds, and --help needs none of it
    from pathlib import Path

    from symbolic.errors import NotebeamError
    from transcribe.outputs import Job, Plan, Wanted
    from transcribe.pipeline import Transcriber
    from transcribe.progress import Progress
    from transcribe.report import Outcome, Report

PROGRAM = "transcribe"


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
    from symbolic.files import check_writable
    from transcribe.flags import named_by_flags, option_files, transcriber_of
    from transcribe.manifest import read_manifest, shard_of
    from transcribe.musicxml import check_installed
    from transcribe.outputs import POSTERIORGRAM, Wanted, check_apart, plan
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
        n_best=args.n_best or 1,
    )
    try:
        check_here(args, way)
        if args.score is not None:
            check_installed("--score")
        transcriber = transcriber_of(args)
        listed, notices = read_manifest(args.manifest) if args.manifest else ([], [])
        check_beats(args.beats, [*args.inputs, *listed])
        todo = (way.plan or plan)([*args.inputs, *listed], wanted, set(listed))
        wanted_jobs, failures = shard_of(todo.jobs, args.shard), shard_of(todo.failures, args.shard)
        check_apart(wanted_jobs, args.report, option_files(args))
        report = None if args.report is None else Report(args.report, options_of(args))
        if report is not None:
            check_writable(report.path, f"--report: output {report.path}")
        jobs = [job for job in wanted_jobs if not _is_done(job, report, args)]
        if jobs:
            with named_by_flags(args):
                transcriber.load(audio=any(job.source.suffix.lower() != POSTERIORGRAM for job in jobs))
    except (NotebeamError, OSError) as error:
        _say(str(error))
        return USAGE
    for notice in () if args.quiet else (*notices, *todo.notices):
        _say(notice)
    if args.shard is not None and not wanted_jobs and not failures and not args.quiet:
        number, total = args.shard
        _say(f"--shard {number}/{total}: none of the {len(todo.jobs) + len(todo.failures)} inputs is its own")
    if len(jobs) < len(wanted_jobs) and not args.quiet:
        done, count = len(wanted_jobs) - len(jobs), len(wanted_jobs)
        _say(f"{done} of {count} inputs are done already and left as they are")
    ends = [_reported(_refused(failure), None, report, args) for failure in failures]
    try:
        ends += _all_done(jobs, transcriber, report, args, way)
    except NotebeamError as error:  # there is nothing that does them
        _say(str(error))
        return USAGE
    failed_count, count = ends.count(End.FAILED), len(wanted_jobs) + len(failures)
    if 0 < failed_count < count:
        _say(f"{failed_count} of {count} inputs failed, the others are written")
    return FAILED if {End.FAILED, End.DAMAGED} & set(ends) else DONE


def check_here(args: argparse.Namespace, way: Way) -> None:
    """Refuse URIs where only paths can be, which would become folders of that name: `s3:`."""
    from symbolic.errors import NotebeamError
    from transcribe.stores import uri_of

    paths = {"--report": args.report}
    if way.plan is None:
        paths |= {"-o": args.output, "--csv": args.csv, "--picture": args.picture, "--html": args.html}
        paths |= {"--sonify": args.sonify, "--score": args.score}
        paths |= {"--save-posteriorgram": args.save_posteriorgram}
    for flag, path in paths.items():
        if path is not None and (uri := uri_of(path)) is not None:
            more = " (python -m transcribe.archive writes to stores)" if flag != "--report" else ""
            raise NotebeamError(f"{flag} {uri}", "a URI", f"a path of this machine{more}")


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
    from transcribe.single import transcribe_one
    from transcribe.workers import outcomes

    progress = Progress(job.source for job in jobs)
    if way.outcomes is not None:
        found = way.outcomes(jobs, args, args.jobs)
    elif (args.jobs or 1) > 1 and len(jobs) > 1:
        found = outcomes(jobs, args, args.jobs)
    else:
        found = (transcribe_one(job, transcriber, args, bar=True) for job in jobs)
    return [_reported(outcome, progress, report, args) for outcome in found]


def _reported(
    outcome: Outcome, progress: Progress | None, report: Report | None, args: argparse.Namespace
) -> End:
    """Say how an input ended, and write it to the report."""
    before, after = ("", "") if progress is None else progress.after(outcome.source)
    for line in (*(() if args.quiet else outcome.notices), *outcome.errors):
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
