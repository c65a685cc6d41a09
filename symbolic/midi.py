"""Standard MIDI files: notes of one piano out of them and into them; strokes of a drum kit likewise.

Is: both directions, the tempo map, the pedal; drums (channel 10) on the file's own beats.
Is not: scores (bars, voices) or more than one instrument: the notes and pedals of all tracks are joined.
"""

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST

if TYPE_CHECKING:
    import mido

SUSTAIN = 64  # controller number
PEDAL_DOWN = 64  # controller value from which the dampers are lifted
TICKS = 480  # a quarter note
TICKS_PER_SECOND = 960  # at least, so that rounding to a tick is at most 0.52 ms
DRUMS = 9  # channel 10, counted from 0
STROKE = 0.125  # quarter notes that a written stroke of a drum lasts at most

Ticks = NDArray[np.int64]


def read_midi(
    path: str | os.PathLike[str],
    pedal: Literal["extend", "keys"] = "extend",
    tracks: Collection[str] | None = None,
) -> Notes:
    """Notes of a MIDI file, times in seconds by its tempo map.

    Args:
        path: the file.
        pedal: "extend": a note sounds until its key is released and the pedal is up (CC64 below 64);
            "keys": until its key is released. Either way at most until the key is struck again.
        tracks: names of the tracks to read, each of which must be there; None reads all. Their pedals
            act on all notes read, as on one piano. Drums and pitches that a piano lacks are left out.
    """
    score = _parse(path)
    chosen = [track for track in score.tracks if tracks is None or track.name in tracks]
    missing = sorted(set(tracks or ()) - {track.name for track in chosen})
    if missing:
        raise NotebeamError(f"{path}: tracks", [track.name for track in score.tracks], f"also {missing}")
    columns = [track.notes.numpy() for track in chosen if not track.is_drum]
    onset, length, pitch, velocity = (
        np.concatenate([[], *(c[name] for c in columns)]).astype(np.int64)
        for name in ("time", "duration", "pitch", "velocity")
    )
    kept = (pitch >= LOWEST) & (pitch <= HIGHEST) & (velocity > 0)
    onset, offset, pitch, velocity = onset[kept], (onset + length)[kept], pitch[kept], velocity[kept]
    onset, offset, pitch, velocity = _one_note_a_stroke(onset, offset, pitch, velocity)
    if pedal == "extend":
        controls = [track.controls.numpy() for track in chosen]
        offset = extended(offset, *_pedal_spans(controls, end=int(offset.max(initial=0))))
    offset = until_struck_again(onset, offset, pitch)
    seconds = _Seconds.of(score)
    return Notes.make(seconds.at(onset), seconds.at(offset), pitch, velocity, place=str(path))


def read_beats(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """(N,) seconds of a MIDI file's quarter notes by its tempo map, from 0 until its last note has ended."""
    score = _parse(path)
    end = max((note.end for track in score.tracks for note in track.notes), default=0)
    quarters = np.arange(-(-end // score.ticks_per_quarter) + 1) * score.ticks_per_quarter
    return _Seconds.of(score).at(quarters)


def extended(offset: Ticks, down: Ticks, up: Ticks) -> Ticks:
    """Offsets (N,) moved to the pedal's rise where they lie in a span [down, up) of pressed pedal.

    `down`, `up` are (S,) starts and ends of spans that do not overlap, in increasing order.
    """
    span = np.searchsorted(down, offset, side="right") - 1
    rise = np.append(up, np.iinfo(np.int64).min)[span]  # span -1: before the first, the number appended
    return np.asarray(np.maximum(offset, rise))


def until_struck_again(onset: Ticks, offset: Ticks, pitch: NDArray[np.int64]) -> Ticks:
    """Offsets (N,) cut at the next onset of the same pitch, but one tick after their own at least.

    No two notes may have the same onset and pitch.
    """
    order = np.lexsort((onset, pitch))
    same = pitch[order][1:] == pitch[order][:-1]
    following = np.full(len(onset), np.iinfo(np.int64).max)
    following[order[:-1][same]] = onset[order[1:][same]]
    return np.asarray(np.maximum(np.minimum(offset, following), onset + 1))


def _one_note_a_stroke(onset: Ticks, offset: Ticks, *others: NDArray[np.int64]) -> list[Ticks]:
    """Columns onset, offset, pitch, velocity without doubles: the louder stays, as long as the longer."""
    pitch, velocity = others
    order = np.lexsort((-velocity, pitch, onset))
    onset, offset, pitch, velocity = (column[order] for column in (onset, offset, pitch, velocity))
    first = np.ones(len(onset), dtype=np.bool_)
    first[1:] = (onset[1:] != onset[:-1]) | (pitch[1:] != pitch[:-1])
    if len(onset):
        offset = np.maximum.reduceat(offset, np.flatnonzero(first))
    return [onset[first], offset, pitch[first], velocity[first]]


def _parse(path: str | os.PathLike[str]) -> Any:
    """symusic's score in ticks."""
    # Imported here, as mido is below: importing `symbolic.midi` must stay light.
    import symusic

    data = Path(path).read_bytes()
    if data[:4] != b"MThd":
        raise NotebeamError(str(path), data[:4], "a MIDI file, which begins with b'MThd'")
    if len(data) < 14 or data[12] & 0x80 or data[12:14] == b"\0\0":
        raise NotebeamError(f"{path}: division", data[12:14], "ticks a quarter note (not SMPTE time)")
    try:
        return symusic.Score.from_midi(data)
    except Exception as error:  # symusic's C++ raises several kinds, all for damage
        raise NotebeamError(str(path), f"damage ({error})", "a whole MIDI file") from error


def _pedal_spans(controls: Sequence[dict[str, NDArray[Any]]], end: int) -> tuple[Ticks, Ticks]:
    """Spans [down, up) in ticks with the sustain pedal of any track down.

    An open one closes at `end` or with the last movement of the pedal, whichever is later.
    """
    changes: list[tuple[int, int]] = []
    for control in controls:
        sustain = control["number"] == SUSTAIN
        time = control["time"][sustain].astype(np.int64)
        order = np.argsort(time, kind="stable")
        end = max(end, int(time.max(initial=0)))
        time, down = time[order], (control["value"][sustain][order] >= PEDAL_DOWN).astype(np.int64)
        # Of several events at one tick the last one holds.
        final = np.append(time[1:] != time[:-1], [True])[: len(time)]
        time, down = time[final], down[final]
        change = np.diff(down, prepend=0)
        changes += zip(time[change != 0].tolist(), change[change != 0].tolist(), strict=True)
    changes.sort(key=lambda pair: (pair[0], -pair[1]))
    downs, ups, pressed = [], [], 0
    for time, change in changes:
        if pressed == 0:
            downs.append(time)
        pressed += change
        if pressed == 0:
            ups.append(time)
    if pressed:
        ups.append(end)
    return np.array(downs, dtype=np.int64), np.array(ups, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Seconds:
    """A tempo map: linear between its points, the last tempo for ever."""

    ticks: NDArray[np.float64]  # (P,) increasing, from 0
    seconds: NDArray[np.float64]  # (P,)
    lengths: NDArray[np.float64]  # (P,) seconds of a tick from that point on

    @staticmethod
    def of(score: Any) -> "_Seconds":
        """Integer microseconds a quarter note in double precision: symusic's own seconds are float32."""
        events = score.tempos.numpy()
        tempo = {0: 500_000.0}  # the standard's 120 a minute until a file says otherwise
        tempo |= dict(zip(events["time"].tolist(), events["mspq"].tolist(), strict=True))
        ticks = np.array(sorted(tempo), dtype=np.float64)
        lengths = np.array([tempo[int(tick)] for tick in ticks]) / 1e6 / score.ticks_per_quarter
        seconds = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * lengths[:-1])])
        return _Seconds(ticks, seconds, lengths)

    def at(self, tick: Ticks) -> NDArray[np.float64]:
        """(N,) seconds of ticks (N,)."""
        point = np.searchsorted(self.ticks, tick, side="right") - 1
        return np.asarray(self.seconds[point] + (tick - self.ticks[point]) * self.lengths[point])


def write_midi(path: str | os.PathLike[str], notes: Notes, tempo: float = 120.0) -> None:
    """Write notes as a MIDI file of type 1: a track of tempo and metre, a track of piano.

    Time 0 is second 0; what begins before it begins there. Sounding lengths are written as they are and
    no pedal (CC64), so that every player and reader gives the same notes back, within 0.6 ms.
    A note ends before its key is struck again; of two notes of a key at one tick the louder stays.

    Args:
        path: the file, replaced as a whole.
        notes: what to write.
        tempo: constant quarter notes a minute, 4..1000; only bars depend on it, not the times.
    """
    import mido

    microseconds = _tempo(tempo, "write_midi(tempo)")
    # The usual 480 are kept unless the tempo is so slow that a tick would be too coarse.
    ticks = TICKS * math.ceil(TICKS_PER_SECOND * microseconds / 1e6 / TICKS)
    file = mido.MidiFile(type=1, ticks_per_beat=ticks)
    head, piano = file.add_track("notebeam"), file.add_track("Piano")
    head.append(mido.MetaMessage("set_tempo", tempo=microseconds))
    head.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    piano.append(mido.Message("program_change", program=0))
    _append_notes(piano, notes, ticks * 1e6 / microseconds)
    with replacing(path) as temporary:
        file.save(temporary)


def _tempo(tempo: float, place: str) -> int:
    """Microseconds a quarter note."""
    import mido

    if not 4 <= tempo <= 1000:
        raise NotebeamError(place, tempo, "4..1000 quarter notes a minute")
    return int(mido.bpm2tempo(tempo))


def _append_notes(track: "mido.MidiTrack", notes: Notes, ticks_per_second: float) -> None:
    if (notes.offset <= 0).any():
        row = int(np.argmax(notes.offset <= 0))
        raise NotebeamError(f"write_midi: note {row} offset", float(notes.offset[row]), "seconds after 0")
    # Rounded, never cut off: int() would begin every note half a tick early on average.
    onset, offset = (
        np.rint(np.maximum(seconds, 0) * ticks_per_second).astype(np.int64)
        for seconds in (notes.onset, notes.offset)
    )
    onset, offset, pitch, velocity = _one_note_a_stroke(onset, offset, notes.pitch, notes.velocity)
    _append_events(track, onset, until_struck_again(onset, offset, pitch), pitch, velocity)


def _append_events(
    track: "mido.MidiTrack", onset: Ticks, offset: Ticks, pitch: Ticks, velocity: Ticks, channel: int = 0
) -> None:
    import mido

    # At one tick the offs come first: readers lose a note that is struck again before it is released.
    events = [(tick, "note_off", key, 0) for tick, key in zip(offset.tolist(), pitch.tolist(), strict=True)]
    columns = (onset.tolist(), pitch.tolist(), velocity.tolist())
    events += [(tick, "note_on", key, loud) for tick, key, loud in zip(*columns, strict=True)]
    now = 0
    for tick, kind, key, loud in sorted(
        events, key=lambda event: (event[0], event[1] == "note_on", event[2])
    ):
        track.append(mido.Message(kind, channel=channel, note=key, velocity=loud, time=tick - now))
        now = tick


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
    score = _parse(path)
    columns = [track.notes.numpy() for track in score.tracks if part == "all" or track.is_drum]
    onset, length, pitch, velocity = (
        np.concatenate([[], *(c[name] for c in columns)]).astype(np.int64)
        for name in ("time", "duration", "pitch", "velocity")
    )
    kept = velocity > 0
    onset, _, pitch, velocity = _one_note_a_stroke(
        onset[kept], (onset + length)[kept], pitch[kept], velocity[kept]
    )
    if not len(onset):
        where = "on channel 10 " if part == "drums" else ""
        raise NotebeamError(str(path), f"no notes {where}".strip(), "the strokes of a drum kit")
    quarters = onset / score.ticks_per_quarter
    seconds_a_quarter = score.ticks_per_quarter * float(_Seconds.of(score).lengths[0])
    return Strokes(quarters, pitch, velocity, 60 / seconds_a_quarter)


def write_drums(path: str | os.PathLike[str], strokes: Strokes) -> None:
    """Write strokes as a MIDI file of type 1: a track of the tempo, a track of drums on channel 10."""
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    head, drums = file.add_track("notebeam"), file.add_track("Drums")
    head.append(mido.MetaMessage("set_tempo", tempo=_tempo(strokes.tempo, "write_drums(strokes) tempo")))
    head.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    onset = np.rint(strokes.beat * TICKS).astype(np.int64)
    lasting = np.full(len(onset), round(STROKE * TICKS))
    onset, offset, pitch, velocity = _one_note_a_stroke(
        onset, onset + lasting, strokes.pitch, strokes.velocity
    )
    _append_events(drums, onset, until_struck_again(onset, offset, pitch), pitch, velocity, channel=DRUMS)
    with replacing(path) as temporary:
        file.save(temporary)
