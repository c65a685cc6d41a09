"""Standard MIDI files out of notes: a track of tempo and metre, a track of piano, or one for each hand."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from symbolic.checks import brief, of_type, real, whole
from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.metre import Beats
from symbolic.tempo_map import TempoMap, constant_tempo, tempo_of_beats

if TYPE_CHECKING:
    import mido

TEMPO = 120.0  # quarter notes a minute
RINGING = 0.05  # seconds that a note sounds on, from which the pedal is held responsible
PEDAL_GAP = 0.03  # seconds without the pedal that are worth lifting it

Ticks = NDArray[np.int64]
LONGEST_WAIT = 0x0FFFFFFF  # ticks between two events: a number of four bytes of seven bits


class Columns(Protocol):
    """What is written of `symbolic.notes.Notes`."""

    @property
    def onset(self) -> NDArray[np.float64]: ...
    @property
    def offset(self) -> NDArray[np.float64]: ...
    @property
    def pitch(self) -> NDArray[np.int64]: ...
    @property
    def velocity(self) -> NDArray[np.int64]: ...
    @property
    def key_offset(self) -> NDArray[np.float64] | None: ...
    def __len__(self) -> int: ...


def write_midi(
    path: str | os.PathLike[str],
    notes: Columns,
    tempo: float = TEMPO,
    *,
    pedal: bool = False,
    program: int = 0,
    beats: Beats | None = None,
    right: NDArray[np.bool_] | None = None,
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
        beats: the file's beats and bars, and its key; instead of a constant tempo. They change no times.
        right: (N,) the right hand plays the note: two tracks, "Right hand" and "Left hand", on one channel.

    Raises:
        NotebeamError: a bad tempo, beats or notes too far apart for MIDI, a note that ends before 0, a pedal
            wanted of notes without key offsets, or hands of other notes.
    """
    import mido

    if of_type(pedal, bool, "write_midi: pedal", "True or False") and len(notes) and notes.key_offset is None:
        raise NotebeamError("write_midi: pedal", "notes without key offsets", "notes that have them")
    program_number = "a General MIDI program 0..127"
    if not 0 <= whole(program, "write_midi(program)", program_number) <= 127:
        raise NotebeamError("write_midi(program)", program, program_number)
    hands = right is None or (isinstance(right, np.ndarray) and right.dtype == np.bool_)
    if not hands or (right is not None and right.shape != notes.onset.shape):
        raise NotebeamError("write_midi: right", brief(right), f"a hand for each of {len(notes)} notes")
    of_type(beats, (Beats, type(None)), "write_midi: beats", "Beats, or None")
    if beats is None:
        tempi = constant_tempo(microseconds_a_quarter(tempo, "write_midi(tempo)"))
    else:
        tempi = tempo_of_beats(beats)
    file = mido.MidiFile(type=1, ticks_per_beat=tempi.ticks_a_quarter)
    tempi.append_to(file.add_track("notebeam"))
    names = ("Piano",) if right is None else ("Right hand", "Left hand")
    tracks = [file.add_track(name) for name in names]
    for track in tracks:
        track.append(mido.Message("program_change", program=program))
    is_left = np.zeros(len(notes), dtype=np.int64) if right is None else (~right).astype(np.int64)
    _append_notes(tracks, notes, is_left, tempi, pedal=pedal)
    with replacing(path) as temporary:
        file.save(temporary)


def microseconds_a_quarter(tempo: float, place: str) -> int:
    """Microseconds a quarter note."""
    import mido

    expected = "4..1000 quarter notes a minute"
    if not 4 <= real(tempo, place, expected) <= 1000:
        raise NotebeamError(place, tempo, expected)
    return int(mido.bpm2tempo(tempo))


def _append_notes(
    tracks: Sequence["mido.MidiTrack"], notes: Columns, of_track: Ticks, tempi: TempoMap, *, pedal: bool
) -> None:
    """Write each note into the track (N,) that it is of; the pedal into all, since all are one piano."""
    if (notes.offset <= 0).any():
        row = int(np.argmax(notes.offset <= 0))
        raise NotebeamError(f"write_midi: note {row} offset", float(notes.offset[row]), "seconds after 0")
    ticks, stop, spans = tempi.ticks_at, notes.offset, None
    if pedal and notes.key_offset is not None:
        down, up = pedal_spans(notes)
        stop, spans = np.minimum(notes.key_offset, notes.offset), (ticks(down), ticks(up))
    columns = ticks(notes.onset), ticks(stop), notes.pitch, notes.velocity, of_track
    onset, offset, pitch, velocity, of_track = one_note_a_stroke(*columns)
    offset = _apart(onset, until_struck_again(onset, offset, pitch), pitch, of_track)
    for index, track in enumerate(tracks):
        own = of_track == index
        append_events(track, onset[own], offset[own], pitch[own], velocity[own], pedal=spans)


def _apart(onset: Ticks, offset: Ticks, pitch: NDArray[np.int64], of_track: Ticks) -> Ticks:
    """Offsets (N,), a tick earlier where another track strikes the key just then.

    At one tick a program may play the tracks in any order, and end the new note with the old one.
    """
    order = np.lexsort((onset, pitch))
    now, then = order[:-1], order[1:]
    handed = (pitch[now] == pitch[then]) & (offset[now] == onset[then]) & (of_track[now] != of_track[then])
    offset = offset.copy()
    offset[now[handed]] = np.maximum(offset[now[handed]] - 1, onset[now[handed]] + 1)
    return offset


def pedal_spans(notes: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
        if tick - now > LONGEST_WAIT:
            got = f"{tick - now} ticks between two events"
            raise NotebeamError("write_midi: notes", got, f"{LONGEST_WAIT} at most, some three days")
        track.append(mido.Message(kind, channel=channel, time=tick - now, **message))
        now = tick


def until_struck_again(onset: Ticks, offset: Ticks, pitch: NDArray[np.int64]) -> Ticks:
    """Offsets (N,) cut at the next onset of the same pitch, but one tick after their own at least.

    No two notes may have the same onset and pitch.
    """
    order = np.lexsort((onset, pitch))
    same = pitch[order][1:] == pitch[order][:-1]
    following = np.full(len(onset), np.iinfo(np.int64).max)
    following[order[:-1][same]] = onset[order[1:][same]]
    return np.asarray(np.maximum(np.minimum(offset, following), onset + 1))


def one_note_a_stroke(onset: Ticks, offset: Ticks, *columns: NDArray[np.int64]) -> list[Ticks]:
    """Columns onset, offset, pitch, velocity, ... without doubles: the louder stays, as long as the other."""
    order = np.lexsort((-columns[1], columns[0], onset))
    onset, offset, *others = (column[order] for column in (onset, offset, *columns))
    pitch = others[0]
    first = np.ones(len(onset), dtype=np.bool_)
    first[1:] = (onset[1:] != onset[:-1]) | (pitch[1:] != pitch[:-1])
    if len(onset):
        offset = np.maximum.reduceat(offset, np.flatnonzero(first))
    return [onset[first], offset, *(column[first] for column in others)]
