"""Notes out of standard MIDI files: the tempo map, the pedal; the notes and pedals of all tracks are joined.

Is not: drums (symbolic.drums), or writing (symbolic.midi_writing).
"""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from symbolic.checks import of_type, one_of
from symbolic.errors import NotebeamError
from symbolic.files import read_bytes
from symbolic.midi_mending import all_tracks, closed, is_whole, mended
from symbolic.midi_writing import Ticks, one_note_a_stroke, until_struck_again
from symbolic.notes import Notes, check_times
from symbolic.pitch import HIGHEST, LOWEST

SUSTAIN = 64  # controller number
PEDAL_DOWN = 64  # controller value from which the dampers are lifted
MOST_BEATS = 1_000_000
MOST_BEATS_APART = 100_000  # of a strike from the one before


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

    >>> import notebeam as nb
    >>> nb.Notes.make(onset=[0.0], offset=[1.0], pitch=[60], velocity=[64]).save("one.mid")
    >>> nb.read_midi("one.mid").pitch.tolist()
    [60]
    """
    one_of(pedal, ("extend", "keys"), "read_midi(pedal)")
    if isinstance(tracks, str):
        raise NotebeamError("read_midi(tracks)", tracks, f"a collection of names: [{tracks!r}]")
    place, expected = "read_midi(tracks)", "a collection of names"
    names = () if tracks is None else tuple(of_type(tracks, Collection, place, expected))
    wanted = {of_type(name, str, place, expected) for name in names}
    score = parsed(path)
    chosen = [track for track in score.tracks if tracks is None or track.name in wanted]
    missing = sorted(wanted - {track.name for track in chosen})
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
    seconds = Seconds.of(score, path)
    check_times(seconds.at(onset), seconds.at(np.maximum(sounding, released)), path)
    ends = {"offset": seconds.at(sounding), "key_offset": seconds.at(released)}
    return Notes.make(seconds.at(onset), **ends, pitch=pitch, velocity=velocity, place=str(path))


def read_beats(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """(N,) seconds of a MIDI file's quarter notes by its tempo map, from 0 until its last note has ended."""
    score = parsed(path)
    columns = [track.notes.numpy() for track in score.tracks]
    onset, length = (
        np.concatenate([[], *(c[name] for c in columns)]).astype(np.int64) for name in ("time", "duration")
    )
    check_beats(onset, onset + length, score.ticks_per_quarter, path)
    end = int((onset + length).max(initial=0))
    quarters = np.arange(-(-end // score.ticks_per_quarter) + 1) * score.ticks_per_quarter
    return Seconds.of(score, path).at(quarters)


def check_beats(onset: Ticks, offset: Ticks, quarter: int, path: str | os.PathLike[str]) -> None:
    """Refuse beats far beyond all other music, as `check_times` in beats; `quarter` is a beat's ticks."""
    beats = int(offset.max(initial=0)) // quarter
    apart = int(np.diff(np.sort(onset), prepend=0).max(initial=0)) // quarter
    for count, most, what in ((apart, MOST_BEATS_APART, " without a strike"), (beats, MOST_BEATS, "")):
        if count > most:
            expected = f"{most} at most: a broken time in the file"
            raise NotebeamError(f"{path}: times", f"{count} quarter notes{what}", expected)


def extended(offset: Ticks, down: Ticks, up: Ticks) -> Ticks:
    """Offsets (N,) moved to the pedal's rise where they lie in a span [down, up) of pressed pedal.

    `down`, `up` are (S,) starts and ends of spans that do not overlap, in increasing order.
    """
    span = np.searchsorted(down, offset, side="right") - 1
    rise = np.append(up, np.iinfo(np.int64).min)[span]  # span -1: before the first, the number appended
    return np.asarray(np.maximum(offset, rise))


def parsed(path: str | os.PathLike[str]) -> Any:
    """symusic's score in ticks."""
    # Imported here, as mido is below: importing `symbolic.midi` must stay light.
    import symusic

    expected = "a MIDI file, which begins with b'MThd'"
    data = read_bytes(path, expected)
    if data[:4] != b"MThd":
        raise NotebeamError(str(path), data[:4], expected)
    if len(data) < 14 or data[12] & 0x80 or data[12:14] == b"\0\0":
        raise NotebeamError(f"{path}: division", data[12:14], "ticks a quarter note (not SMPTE time)")
    counted = all_tracks(data)
    if counted is None:
        raise NotebeamError(str(path), "several files joined to one", "one MIDI file")
    data = counted
    if data[8:10] == b"\0\2" and data[10:12] > b"\0\1":
        expected = "0 or 1: the tracks of format 2 are pieces of their own"
        raise NotebeamError(f"{path}: format", 2, expected)
    score: Any = None
    if (copy := closed(data)) is not None:
        with suppress(Exception):  # damage is named by the reader of the file itself, below
            score = symusic.Score.from_midi(copy[0])
        if score is not None and is_whole(score, copy[1]):
            return score
    try:
        data, strikes = mended(data)
        score = symusic.Score.from_midi(data)
    except Exception as error:  # symusic's C++ raises several kinds, all for damage
        raise NotebeamError(str(path), f"damage ({error})", "a whole MIDI file") from error
    if (found := sum(len(track.notes) for track in score.tracks)) < strikes:
        raise NotebeamError(str(path), f"damage ({found} of {strikes} notes)", "a whole MIDI file")
    return score


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
    def of(score: Any, path: str | os.PathLike[str]) -> "Seconds":
        """Integer microseconds a quarter note in double precision: symusic's own seconds are float32."""
        events = score.tempos.numpy()
        if (events["mspq"] <= 0).any():
            raise NotebeamError(f"{path}: tempo", 0, "microseconds a quarter note, from 1")
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
