"""Standard MIDI files: notes of one piano out of them and into them.

Is: both directions, the tempo map, the pedal.
Is not: drums (symbolic.drums), scores (bars, voices) or more than one instrument: the notes and pedals of
all tracks are joined.
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
RINGING = 0.05  # seconds that a note sounds on, from which the pedal is held responsible
PEDAL_GAP = 0.03  # seconds without the pedal that are worth lifting it

Ticks = NDArray[np.int64]


def read_midi(
    path: str | os.PathLike[str],
    pedal: Literal["extend", "keys"] = "extend",
    tracks: Collection[str] | None = None,
) -> Notes:
    """Notes of a MIDI file, times in seconds by its tempo map.

    Args:
        path: the file.
        pedal: "extend": a note sounds until its key is released and the pedal is up (CC64 below 64), and
            `key_offset` tells the former; "keys": until its key is released. Either way at most until the
            key is struck again.
        tracks: names of the tracks to read, each of which must be there; None reads all. Their pedals
            act on all notes read, as on one piano. Drums and pitches that a piano lacks are left out.
    """
    score = parsed(path)
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
    onset, offset, pitch, velocity = one_note_a_stroke(onset, offset, pitch, velocity)
    sounding = released = until_struck_again(onset, offset, pitch)
    if pedal == "extend":
        controls = [track.controls.numpy() for track in chosen]
        rung = extended(offset, *_pedal_spans(controls, end=int(offset.max(initial=0))))
        sounding = until_struck_again(onset, rung, pitch)
    seconds = Seconds.of(score)
    ends = {"offset": seconds.at(sounding), "key_offset": seconds.at(released)}
    return Notes.make(seconds.at(onset), **ends, pitch=pitch, velocity=velocity, place=str(path))


def read_beats(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """(N,) seconds of a MIDI file's quarter notes by its tempo map, from 0 until its last note has ended."""
    score = parsed(path)
    end = max((note.end for track in score.tracks for note in track.notes), default=0)
    quarters = np.arange(-(-end // score.ticks_per_quarter) + 1) * score.ticks_per_quarter
    return Seconds.of(score).at(quarters)


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


def one_note_a_stroke(onset: Ticks, offset: Ticks, *others: NDArray[np.int64]) -> list[Ticks]:
    """Columns onset, offset, pitch, velocity without doubles: the louder stays, as long as the longer."""
    pitch, velocity = others
    order = np.lexsort((-velocity, pitch, onset))
    onset, offset, pitch, velocity = (column[order] for column in (onset, offset, pitch, velocity))
    first = np.ones(len(onset), dtype=np.bool_)
    first[1:] = (onset[1:] != onset[:-1]) | (pitch[1:] != pitch[:-1])
    if len(onset):
        offset = np.maximum.reduceat(offset, np.flatnonzero(first))
    return [onset[first], offset, pitch[first], velocity[first]]


def parsed(path: str | os.PathLike[str]) -> Any:
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
class Seconds:
    """A tempo map: linear between its points, the last tempo for ever."""

    ticks: NDArray[np.float64]  # (P,) increasing, from 0
    seconds: NDArray[np.float64]  # (P,)
    lengths: NDArray[np.float64]  # (P,) seconds of a tick from that point on

    @staticmethod
    def of(score: Any) -> "Seconds":
        """Integer microseconds a quarter note in double precision: symusic's own seconds are float32."""
        events = score.tempos.numpy()
        tempo = {0: 500_000.0}  # the standard's 120 a minute until a file says otherwise
        tempo |= dict(zip(events["time"].tolist(), events["mspq"].tolist(), strict=True))
        ticks = np.array(sorted(tempo), dtype=np.float64)
        lengths = np.array([tempo[int(tick)] for tick in ticks]) / 1e6 / score.ticks_per_quarter
        seconds = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * lengths[:-1])])
        return Seconds(ticks, seconds, lengths)

    def at(self, tick: Ticks) -> NDArray[np.float64]:
        """(N,) seconds of ticks (N,)."""
        point = np.searchsorted(self.ticks, tick, side="right") - 1
        return np.asarray(self.seconds[point] + (tick - self.ticks[point]) * self.lengths[point])


def write_midi(
    path: str | os.PathLike[str],
    notes: Notes,
    tempo: float = 120.0,
    *,
    pedal: bool = False,
    program: int = 0,
) -> None:
    """Write notes as a MIDI file of type 1: a track of tempo and metre, a track of piano.

    Time 0 is second 0; what begins before it begins there. Without `pedal` sounding lengths are written as
    they are and no pedal (CC64), so that every player and reader gives the same notes back, within 0.6 ms.
    With it notes last until their keys are released, and the pedal (see `pedal_spans`) lets them sound on.
    A note ends before its key is struck again; of two notes of a key at one tick the louder stays.

    Args:
        path: the file, replaced as a whole.
        notes: what to write.
        tempo: constant quarter notes a minute, 4..1000; only bars depend on it, not the times.
        pedal: write keys and pedal, of notes that know when their keys were released.
        program: General MIDI instrument, 0 (grand piano) to 127.

    Raises:
        NotebeamError: a bad tempo, a note that ends before 0, or a pedal wanted of notes without key offsets.
    """
    import mido

    if pedal and len(notes) and notes.key_offset is None:
        raise NotebeamError("write_midi: pedal", "notes without key offsets", "notes that have them")

    microseconds = microseconds_a_quarter(tempo, "write_midi(tempo)")
    # The usual 480 are kept unless the tempo is so slow that a tick would be too coarse.
    ticks = TICKS * math.ceil(TICKS_PER_SECOND * microseconds / 1e6 / TICKS)
    file = mido.MidiFile(type=1, ticks_per_beat=ticks)
    head, piano = file.add_track("notebeam"), file.add_track("Piano")
    head.append(mido.MetaMessage("set_tempo", tempo=microseconds))
    head.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    piano.append(mido.Message("program_change", program=program))
    _append_notes(piano, notes, ticks * 1e6 / microseconds, pedal=pedal)
    with replacing(path) as temporary:
        file.save(temporary)


def microseconds_a_quarter(tempo: float, place: str) -> int:
    """Microseconds a quarter note."""
    import mido

    if not 4 <= tempo <= 1000:
        raise NotebeamError(place, tempo, "4..1000 quarter notes a minute")
    return int(mido.bpm2tempo(tempo))


def _append_notes(track: "mido.MidiTrack", notes: Notes, ticks_per_second: float, *, pedal: bool) -> None:
    if (notes.offset <= 0).any():
        row = int(np.argmax(notes.offset <= 0))
        raise NotebeamError(f"write_midi: note {row} offset", float(notes.offset[row]), "seconds after 0")

    def ticks(seconds: NDArray[np.float64]) -> Ticks:
        # Rounded, never cut off: int() would begin every note half a tick early on average.
        return np.rint(np.maximum(seconds, 0) * ticks_per_second).astype(np.int64)

    stop, spans = notes.offset, None
    if pedal and notes.key_offset is not None:
        down, up = pedal_spans(notes)
        stop, spans = np.minimum(notes.key_offset, notes.offset), (ticks(down), ticks(up))
    columns = ticks(notes.onset), ticks(stop), notes.pitch, notes.velocity
    onset, offset, pitch, velocity = one_note_a_stroke(*columns)
    append_events(track, onset, until_struck_again(onset, offset, pitch), pitch, velocity, pedal=spans)


def pedal_spans(notes: Notes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Starts and ends (S,), seconds, of the stretches in which some note sounds on after its key's release.

    A pianist changes the pedal while the new keys are down, so that these stretches end where it went up.
    They give all sounding offsets back where notes and pedal agree, as those of a real performance do; a note
    that ended while another rang on by its pedal sounds as long as that one.
    """
    assert notes.key_offset is not None
    rings = notes.offset - notes.key_offset > RINGING
    order = np.argsort(notes.key_offset[rings])
    down, up = notes.key_offset[rings][order], np.maximum.accumulate(notes.offset[rings][order])
    begins = np.append(True, down[1:] > up[:-1] + PEDAL_GAP)[: len(down)]
    ends = np.append(begins[1:], True)[: len(down)]
    return down[begins], up[ends]


def append_events(
    track: "mido.MidiTrack",
    onset: Ticks,
    offset: Ticks,
    pitch: Ticks,
    velocity: Ticks,
    channel: int = 0,
    pedal: tuple[Ticks, Ticks] | None = None,
) -> None:
    import mido

    # In the order of one tick: the pedal catches keys released with it, and readers lose a note that is
    # struck again before it is released.
    events = [(tick, 1, ("note_off", "note", key, "velocity", 0))
              for tick, key in zip(offset.tolist(), pitch.tolist(), strict=True)]  # fmt: skip
    columns = (onset.tolist(), pitch.tolist(), velocity.tolist())
    events += [(tick, 3, ("note_on", "note", key, "velocity", loud))
               for tick, key, loud in zip(*columns, strict=True)]  # fmt: skip
    for order, value, ticks in zip((0, 2), (127, 0), pedal or (), strict=False):
        events += [
            (tick, order, ("control_change", "control", 64, "value", value)) for tick in ticks.tolist()
        ]
    now = 0
    for tick, _, (kind, what, number, how, value) in sorted(events):
        message = {what: number, how: value}
        track.append(mido.Message(kind, channel=channel, time=tick - now, **message))
        now = tick
