"""Drums in standard MIDI files: strokes on a kit, at the file's own beats.

Is: reading and writing them.
Is not: pitched notes (symbolic.midi) or kits as rolls (symbolic.datasets.drums).
"""

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symbolic.checks import one_of
from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.midi import Seconds, check_beats, parsed
from symbolic.midi_writing import (
    append_events,
    microseconds_a_quarter,
    one_note_a_stroke,
    until_struck_again,
)
from symbolic.tempo_map import TICKS

DRUMS = 9  # channel 10, counted from 0
STROKE = 0.125  # quarter notes that a written stroke lasts at most


@dataclass(frozen=True, eq=False)
class Strokes:
    """Strokes on a drum kit at the beats of their file, sorted by beat then pitch."""

    beat: NDArray[np.float64]  # (N,) quarter notes from the beginning
    pitch: NDArray[np.int64]  # (N,) 0..127: which drum
    velocity: NDArray[np.int64]  # (N,) 1..127
    tempo: float = 120.0  # quarter notes a minute; of a file that changes it the first


def read_drums(path: str | os.PathLike[str], part: Literal["drums", "all"] = "drums") -> Strokes:
    """Strokes of a MIDI file's drums: "drums" is channel 10; "all" is for files that hold nothing but drums.

    Of two strokes on one drum at a tick the louder stays. No stroke at all is an error.
    """
    one_of(part, ("drums", "all"), "read_drums(part)")
    score = parsed(path)
    columns = [track.notes.numpy() for track in score.tracks if part == "all" or track.is_drum]
    onset, length, pitch, velocity = (
        np.concatenate([[], *(c[name] for c in columns)]).astype(np.int64)
        for name in ("time", "duration", "pitch", "velocity")
    )
    kept = velocity > 0
    onset, _, pitch, velocity = one_note_a_stroke(
        onset[kept], (onset + length)[kept], pitch[kept], velocity[kept]
    )
    check_beats(onset, onset, score.ticks_per_quarter, path)
    if not len(onset):
        where = "on channel 10 " if part == "drums" else ""
        raise NotebeamError(str(path), f"no notes {where}".strip(), "the strokes of a drum kit")
    quarters = onset / score.ticks_per_quarter
    seconds_a_quarter = score.ticks_per_quarter * float(Seconds.of(score, path).lengths[0])
    return Strokes(quarters, pitch, velocity, 60 / seconds_a_quarter)


def write_drums(path: str | os.PathLike[str], strokes: Strokes) -> None:
    """Write strokes as a MIDI file of type 1: a track of the tempo, a track of drums on channel 10."""
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    head, drums = file.add_track("notebeam"), file.add_track("Drums")
    tempo = microseconds_a_quarter(strokes.tempo, "write_drums(strokes) tempo")
    head.append(mido.MetaMessage("set_tempo", tempo=tempo))
    head.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    onset = np.rint(strokes.beat * TICKS).astype(np.int64)
    lasting = np.full(len(onset), round(STROKE * TICKS))
    onset, offset, pitch, velocity = one_note_a_stroke(
        onset, onset + lasting, strokes.pitch, strokes.velocity
    )
    append_events(drums, onset, until_struck_again(onset, offset, pitch), pitch, velocity, channel=DRUMS)
    with replacing(path) as temporary:
        file.save(temporary)
