"""One input of the command: transcribed, its files written, whatever goes wrong told in one line.

Is not: which files those are (outputs), many inputs beside each other (workers, archive.actors).
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from symbolic.console import is_out_of_memory
from symbolic.files import CHANGED
from transcribe.report import End
from transcribe.stores import state_of

if TYPE_CHECKING:  # torch takes seconds, and --help needs none of it
    from pathlib import Path

    from symbolic.errors import NotebeamError
    from symbolic.metre import Beats
    from symbolic.notes import Notes
    from transcribe.outputs import Job
    from transcribe.pipeline import Transcriber
    from transcribe.report import Outcome
    from transcribe.transcription import Transcription


def transcribe_one(job: Job, transcriber: Transcriber, args: argparse.Namespace, *, bar: bool) -> Outcome:
    """Do one input and write its files; whatever goes wrong is one line, and costs this input alone."""
    from symbolic.errors import NotebeamError
    from transcribe.report import Outcome, beginning

    begin, state = time.monotonic(), state_of(job.source)
    faults: list[NotebeamError] = []
    notices: list[str] = []
    try:
        result = _result(job, transcriber, args, faults.append, notices.append, bar=bar)
        errors = [f"{fault}; what is there is written" for fault in faults]
        if transcriber.beats is not None and result.beats is None:  # which was told last
            score = "" if job.score is None else ", and there is no score"
            errors[-1] = f"{faults[-1]}; the notes are written without bars{score}"
        _write(job, result, args, errors.append, notices.append)
        if state_of(job.source) != state and not any(CHANGED in error for error in errors):
            changed = NotebeamError(str(job.source), f"a file that {CHANGED}", "one that stays as it is")
            errors.append(f"{changed}; what was read is written")
    except Exception as error:  # the next input may be good: a bug is one line, and a traceback with --debug
        if args.debug:
            traceback.print_exc()
        line = beginning(str(job.source), words_of(error))
        elapsed = time.monotonic() - begin
        return Outcome(source=str(job.source), end=End.FAILED, errors=(line,), elapsed=elapsed, state=state)
    notes, posteriorgram, beats = result.notes, result.posteriorgram, result.beats
    sure = notes.confidence
    return Outcome(
        source=str(job.source),
        end=End.DAMAGED if errors else End.WHOLE,
        output=str(job.midi),
        errors=tuple(errors),
        notices=tuple(f"notice: {job.source}: {notice}" for notice in notices),
        seconds=posteriorgram.count * posteriorgram.hop,
        elapsed=time.monotonic() - begin,
        notes=len(notes),
        mean_confidence=None if sure is None or not len(sure) else float(sure.mean()),
        beats_a_bar=None if beats is None else beats.beats_a_bar,
        tempo_bpm=None if beats is None else beats.tempo,
        state=state,
    )


def words_of(error: Exception) -> str:
    """What a user is told of an error, which may be a bug."""
    from symbolic.errors import NotebeamError

    if isinstance(error, NotebeamError | OSError):
        return str(error)
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


def _write(
    job: Job,
    result: Transcription,
    args: argparse.Namespace,
    fault: Callable[[str], None],
    notice: Callable[[str], None],
) -> None:
    """Every file wanted, each whole or not at all, the MIDI file last; a score may be impossible."""
    from symbolic.hands import right_hand
    from symbolic.midi_writing import TEMPO
    from symbolic.notes import write_csv
    from transcribe.picture import save_picture

    if job.score is not None:
        _write_score(job.score, result.notes, result.beats, f"{job.source}: --score", fault)
    if job.csv is not None:
        write_csv(job.csv, result.notes)
    if job.picture is not None:
        save_picture(job.picture, result.posteriorgram, result.notes, job.source.name)
    if job.page is not None or job.sound is not None:
        _write_sound(job, result, notice)
    if job.posteriorgram is not None:
        result.posteriorgram.save(job.posteriorgram)
    found = [result.notes, *result.alternatives]
    if len(found) < job.n_best:
        notice(f"{len(found)} of {job.n_best} transcriptions: the search ended with no more")
    for path in job.alternatives[len(found) - 1 :]:  # those of an earlier run would be taken for this one's
        path.unlink(missing_ok=True)
    tempo = TEMPO if args.tempo is None else args.tempo
    beats = _sayable(result.beats, job.source, fault)
    for path, notes in reversed(list(zip((job.midi, *job.alternatives), found, strict=False))):
        right = right_hand(notes) if args.hands or beats is not None else None
        notes.save(path, tempo, pedal=args.pedal, beats=beats, right=right)


def _sayable(beats: Beats | None, source: Path, fault: Callable[[str], None]) -> Beats | None:
    """The beats, where MIDI has room for them; that it has none is a fault, and the notes are written."""
    from symbolic.errors import NotebeamError
    from symbolic.tempo_map import tempo_of_beats

    try:
        if beats is not None:
            tempo_of_beats(beats)
    except NotebeamError as error:
        fault(f"{source}: {error}; the notes are written without bars")
        return None
    return beats


def _write_score(
    path: Path, notes: Notes, beats: Beats | None, place: str, fault: Callable[[str], None]
) -> None:
    """The score; that there is nothing to write is a fault, and the other files are written."""
    from symbolic.errors import NotebeamError
    from transcribe.musicxml import write_score

    if beats is None:  # which was told; a score of an earlier run would be taken for this one's
        path.unlink(missing_ok=True)
        return
    try:
        write_score(path, notes, beats, place)
    except NotebeamError as error:
        path.unlink(missing_ok=True)
        fault(f"{error}; the other files are written")


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
