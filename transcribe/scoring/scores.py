"""Every score of a transcription, from notes or from files of notes."""

import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from symbolic.checks import brief, path_of, real
from symbolic.errors import NotebeamError
from symbolic.midi import read_midi
from symbolic.notes import Notes, read_csv, read_tsv
from transcribe.scoring.matching import (
    WIDE_TOLERANCE,
    frame_ratios,
    median_deviation,
    onset_ratios,
    velocity_ratios,
)

LONGEST = 1e6  # seconds of a grid of frames, 12 days
FORMATS = (".mid", ".midi", ".tsv", ".csv")  # of notes

Pedal = Literal["extend", "keys"]
NotesOrPath = Notes | str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of one recording, or means over several; all 0..1 but the deviation.

    `*_aligned`: the recording's median deviation is taken off the estimate first. `*_100ms`: an onset may be
    100 ms away instead of 50.
    """

    onset_precision: float
    onset_recall: float
    onset_f1: float
    onset_f1_aligned: float
    onset_f1_aligned_100ms: float
    onset_offset_f1: float
    onset_offset_velocity_f1: float
    frame_precision: float
    frame_recall: float
    frame_f1: float
    frame_accuracy: float  # TP / (TP + FP + FN)
    median_deviation: float  # seconds by which the estimate is late (`median_deviation`)


def score(
    reference: NotesOrPath,
    estimate: NotesOrPath,
    *,
    pedal: Pedal = "extend",
    duration: float | None = None,
) -> Scores:
    """Every score of one recording.

    Args:
        reference: what was played: notes, or the path of a MIDI file, of a table with tabs as `read_tsv`
            takes it, or of a CSV table as `transcribe --csv` writes it.
        estimate: what was transcribed, in any of these forms.
        pedal: where notes end, on both sides: "extend", where their sound does, the sustain pedal included;
            "keys", where their keys are released.
        duration: end of the grid of frames, seconds; None = the last offset of the two.

    Raises:
        NotebeamError: another kind of file, a damaged one, or "keys" of notes without releases of keys.

    >>> import notebeam as nb
    >>> played = nb.Notes.make(onset=[0.0, 1.0], offset=[0.5, 2.0], pitch=[60, 64], velocity=[64, 64])
    >>> nb.score(played, played.cut(0.0, 0.9)).onset_recall
    0.5
    """
    expected = f"seconds, 0 to {LONGEST:g}"
    if duration is not None and not 0 <= real(duration, "score(duration)", expected) <= LONGEST:
        raise NotebeamError("score(duration)", duration, expected)
    reference, estimate = read_notes(reference, pedal), read_notes(estimate, pedal)
    early = -min(0.0, reference.onset.min(initial=0.0), estimate.onset.min(initial=0.0))
    if early:  # mir_eval and the grid of frames begin at 0 s
        reference, estimate = reference.shifted(early), estimate.shifted(early)
        duration = None if duration is None else duration + early
    deviation = median_deviation(reference, estimate)
    aligned = estimate.onset - deviation
    onset = onset_ratios(reference, estimate)
    offset = onset_ratios(reference, estimate, offset_ratio=0.2)
    wide = onset_ratios(reference, estimate, onset=aligned, tolerance=WIDE_TOLERANCE)
    frame, accuracy = frame_ratios(reference, estimate, duration)
    return Scores(
        onset_precision=onset.precision,
        onset_recall=onset.recall,
        onset_f1=onset.f1,
        onset_f1_aligned=onset_ratios(reference, estimate, onset=aligned).f1,
        onset_f1_aligned_100ms=wide.f1,
        onset_offset_f1=offset.f1,
        onset_offset_velocity_f1=velocity_ratios(reference, estimate).f1,
        frame_precision=frame.precision,
        frame_recall=frame.recall,
        frame_f1=frame.f1,
        frame_accuracy=accuracy,
        median_deviation=deviation,
    )


def mean(scores: Sequence[Scores]) -> Scores:
    """Mean over recordings of every score."""
    if not scores:
        raise NotebeamError("mean(scores)", "no scores", "at least one recording's")
    return Scores(
        **dict(zip(Scores.__annotations__, np.mean([astuple(s) for s in scores], 0).tolist(), strict=True))
    )


def read_notes(notes: NotesOrPath, pedal: Pedal = "extend") -> Notes:
    """Notes as they are given, or of a file in one of `FORMATS`, ending as `pedal` says (see `score`)."""
    if not isinstance(pedal, str) or pedal not in ("extend", "keys"):
        raise NotebeamError("score(pedal)", brief(pedal), '"extend" or "keys"')
    place = "notes"
    if not isinstance(notes, Notes):
        path = Path(path_of(notes, "score", f"Notes, or the path of a file of {', '.join(FORMATS)}"))
        place = str(path)
        suffix = path.suffix.lower()
        if suffix in (".mid", ".midi"):
            return read_midi(path, pedal)
        if suffix not in FORMATS:
            raise NotebeamError(place, suffix or "a name without ending", f"a file of {', '.join(FORMATS)}")
        notes = read_tsv(path) if suffix == ".tsv" else read_csv(path)
    if pedal == "extend" or not len(notes):
        return notes
    if notes.key_offset is None:
        raise NotebeamError(place, "no releases of keys (key_offset)", "them, or sounding ends (extend)")
    return replace(notes, offset=notes.key_offset)
