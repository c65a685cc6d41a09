"""MIDI: what is written, what is read, the pedal, damage."""

import os
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles_core import sounding_offset

from symbolic.errors import NotebeamError
from symbolic.midi import read_midi
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes

TICK = 1 / 960  # seconds: 480 ticks a quarter at the standard's 120 quarters a minute


def write_tracks(path: Path, *tracks: list[tuple[int, str, dict[str, Any]]], **header: Any) -> Path:
    """A MIDI file of events (absolute tick, type, values), in the order given at a tick."""
    file = mido.MidiFile(**({"type": 1, "ticks_per_beat": 480} | header))
    for events in tracks:
        track, now = file.add_track(), 0
        for tick, kind, values in sorted(events, key=lambda event: event[0]):
            message = mido.MetaMessage if kind in ("set_tempo", "track_name") else mido.Message
            track.append(message(kind, time=tick - now, **values))
            now = tick
    file.save(path)
    return path


def on(tick: int, pitch: int, velocity: int = 64) -> tuple[int, str, dict[str, Any]]:
    return tick, "note_on", {"note": pitch, "velocity": velocity}


def off(tick: int, pitch: int) -> tuple[int, str, dict[str, Any]]:
    return tick, "note_off", {"note": pitch}


def sustain(tick: int, value: int) -> tuple[int, str, dict[str, Any]]:
    return tick, "control_change", {"control": 64, "value": value}


def tempo(tick: int, microseconds: int) -> tuple[int, str, dict[str, Any]]:
    return tick, "set_tempo", {"tempo": microseconds}


def named(name: str) -> tuple[int, str, dict[str, Any]]:
    return 0, "track_name", {"name": name}


def absolute(path: Path, track: int = 1) -> list[tuple[int, mido.Message]]:
    now, events = 0, []
    for message in mido.MidiFile(path).tracks[track]:
        now += message.time
        events.append((now, message))
    return events


# Keys whose strokes are at least 3 ms apart and whose notes do not overlap come back as they were.
GAPS = st.tuples(st.floats(0.003, 2.0), st.floats(0.003, 3.0), st.integers(1, 127))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(21, 108), st.lists(GAPS, max_size=6), max_size=8),
    st.sampled_from([120.0, 97.0, 60.0, 200.0, 20.0]),
)
def test_notes_come_back_within_600_microseconds(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[int, Any], tempo: float
) -> None:
    rows = []
    for pitch, gaps in keys.items():
        now = 0.0
        for silence, length, velocity in gaps:
            rows.append((now + silence, now + silence + length, pitch, velocity))
            now += silence + length
    columns = np.array(rows).reshape(-1, 4).T
    notes = Notes.make(*columns)
    path = tmp_path_factory.getbasetemp() / "round.mid"
    write_midi(path, notes, tempo)
    for pedal in ("extend", "keys"):
        again = read_midi(path, pedal)  # type: ignore[arg-type]
        assert len(again) == len(notes)
        # Rounding may swap notes that began within a tick: compare key by key.
        for pitch in keys:
            before, after = notes.pitch == pitch, again.pitch == pitch
            assert np.abs(notes.onset[before] - again.onset[after]).max(initial=0) <= 0.0006
            assert np.abs(notes.offset[before] - again.offset[after]).max(initial=0) <= 0.0006
            assert (notes.velocity[before] == again.velocity[after]).all()


def test_the_file_is_of_type_1_with_a_constant_tempo_and_a_piano(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", Notes.make([0.5], [1.0], [60], [64]), tempo=100)
    file = mido.MidiFile(tmp_path / "a.mid")
    assert (file.type, len(file.tracks), file.ticks_per_beat) == (1, 2, 960)  # 480 would be 1.25 ms a tick
    kinds = {message.type: message for message in file.tracks[0]}
    assert kinds["set_tempo"].tempo == 600_000 and kinds["time_signature"].numerator == 4
    programs = [message.program for message in file.tracks[1] if message.type == "program_change"]
    assert programs == [0] and not any(message.type == "control_change" for message in file.tracks[1])
    write_midi(tmp_path / "b.mid", Notes.empty())
    assert mido.MidiFile(tmp_path / "b.mid").ticks_per_beat == 480
    assert len(read_midi(tmp_path / "b.mid")) == 0


def test_a_note_ends_before_its_key_is_struck_again_and_offs_come_first(tmp_path: Path) -> None:
    # The first C would last to 3 s; the E ends when the second C begins.
    notes = Notes.make([0.0, 0.5, 1.0], [3.0, 1.0, 2.0], [60, 64, 60], [10, 20, 30])
    write_midi(tmp_path / "a.mid", notes)
    played = [(t, m.type, m.note) for t, m in absolute(tmp_path / "a.mid") if m.type.startswith("note")]
    assert played == [
        (0, "note_on", 60),
        (480, "note_on", 64),
        (960, "note_off", 60),
        (960, "note_off", 64),
        (960, "note_on", 60),
        (1920, "note_off", 60),
    ]


def test_notes_too_far_apart_for_the_format_are_no_file(tmp_path: Path) -> None:
    far = Notes.make([0.0, 3e5], [1.0, 3e5 + 1], [60, 64], [64, 64])
    with pytest.raises(
        NotebeamError, match=r"write_midi: notes: got '.* ticks between two events', expected"
    ):
        far.save(tmp_path / "far.mid")
    assert not list(tmp_path.iterdir())


def test_times_are_rounded_and_no_note_has_zero_length(tmp_path: Path) -> None:
    # 0.0009 s is 0.864 ticks, 0.00105 s is 1.008: both round to 1.
    write_midi(tmp_path / "a.mid", Notes.make([0.0009], [0.00105], [60], [64]))
    played = [(t, m.type) for t, m in absolute(tmp_path / "a.mid") if m.type.startswith("note")]
    assert played == [(1, "note_on"), (2, "note_off")]


def test_of_two_strokes_at_a_tick_the_louder_stays_as_long_as_the_longer(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", Notes.make([1.0, 1.0], [2.0, 3.0], [60, 60], [90, 20]))
    notes = read_midi(tmp_path / "a.mid")
    assert (notes.offset.tolist(), notes.velocity.tolist()) == ([3.0], [90])


def test_what_begins_before_0_begins_at_0_and_what_ends_there_is_refused(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", Notes.make([-0.25], [1.0], [60], [64]))
    assert read_midi(tmp_path / "a.mid").onset.tolist() == [0.0]
    with pytest.raises(
        NotebeamError, match=r"write_midi: note 0 offset: got -0\.5, expected seconds after 0"
    ):
        write_midi(tmp_path / "b.mid", Notes.make([-1.0], [-0.5], [60], [64]))
    with pytest.raises(NotebeamError, match=r"write_midi\(tempo\): got 0"):
        write_midi(tmp_path / "b.mid", Notes.empty(), tempo=0)
    assert not (tmp_path / "b.mid").exists()


TAPS = st.lists(
    st.tuples(st.integers(1, 15), st.integers(0, 20), st.integers(60, 62)), min_size=1, max_size=10
)
PEDALS = st.lists(st.tuples(st.integers(0, 80), st.sampled_from([0, 1, 63, 64, 65, 127])), max_size=10)


@settings(max_examples=150, deadline=None)
@given(TAPS, PEDALS)
def test_the_pedal_extends_notes_as_the_slow_oracle_says(
    tmp_path_factory: pytest.TempPathFactory, taps: list[tuple[int, int, int]], pedals: list[tuple[int, int]]
) -> None:
    rows, free = [], dict.fromkeys((60, 61, 62), 0)
    for length, silence, pitch in taps:  # a key is struck when it is up
        onset = free[pitch] + silence
        rows.append((onset, onset + length, pitch))
        free[pitch] = onset + length
    pedals.sort(key=lambda event: event[0])
    # At a tick: pedal, offs, ons, as players write it.
    events = [sustain(tick, value) for tick, value in pedals]
    events += [off(offset, pitch) for _, offset, pitch in rows] + [
        on(onset, pitch) for onset, _, pitch in rows
    ]
    path = write_tracks(tmp_path_factory.getbasetemp() / "pedal.mid", events)
    notes = read_midi(path)
    found = zip(notes.onset / TICK, notes.pitch, notes.offset / TICK, strict=True)
    expected = sorted((row[0], row[2], sounding_offset(row, rows, pedals)) for row in rows)
    assert [(round(a), int(b), round(c)) for a, b, c in found] == expected
    keys = read_midi(path, pedal="keys")
    assert sorted(np.rint(keys.offset / TICK).tolist()) == sorted(row[1] for row in rows)


def test_half_a_pedal_counts_from_64(tmp_path: Path) -> None:
    events = [on(0, 60), off(100, 60), on(500, 72), off(600, 72)]
    for value, offset in ((63, 100), (64, 480)):
        path = write_tracks(tmp_path / "a.mid", [sustain(50, value), sustain(480, 0), *events])
        assert read_midi(path).offset[0] / TICK == pytest.approx(offset)


def test_the_pedal_of_one_track_holds_the_notes_of_all(tmp_path: Path) -> None:
    right = [named("right"), on(0, 72), off(100, 72)]
    left = [named("left"), on(0, 40), off(600, 40), sustain(50, 127), sustain(300, 0)]
    path = write_tracks(tmp_path / "a.mid", right, left)
    assert np.rint(read_midi(path).offset / TICK).tolist() == [600, 300]
    # Read alone, the right hand knows nothing of the left hand's pedal.
    assert np.rint(read_midi(path, tracks=["right"]).offset / TICK).tolist() == [100]
    with pytest.raises(
        NotebeamError, match=r"a\.mid: tracks: got \['right', 'left'\], expected also \['voice'\]"
    ):
        read_midi(path, tracks=["right", "voice"])


def test_a_tempo_map_is_followed(tmp_path: Path) -> None:
    # 480 ticks a quarter: 0.5 s a quarter, from tick 480 on 1 s, from tick 960 on 0.25 s.
    changes = [tempo(480, 1_000_000), tempo(960, 250_000)]
    notes = [on(240, 60), off(720, 60), on(960, 62), off(1440, 62)]
    found = read_midi(write_tracks(tmp_path / "a.mid", changes, notes))
    assert found.onset.tolist() == [0.25, 1.5] and found.offset.tolist() == [1.0, 1.75]


def test_other_divisions_and_type_0_are_read(tmp_path: Path) -> None:
    events = [tempo(0, 600_000), on(96, 60), (192, "note_on", {"note": 60, "velocity": 0})]
    found = read_midi(write_tracks(tmp_path / "a.mid", events, type=0, ticks_per_beat=96))
    assert found.onset.tolist() == [0.6] and found.offset.tolist() == [1.2]


def test_hours_keep_their_precision(tmp_path: Path) -> None:
    # 3 hours are 10,368,000 ticks; single precision would be wrong by half a millisecond.
    tick = 3 * 3600 * 960 + 1
    found = read_midi(write_tracks(tmp_path / "a.mid", [on(tick, 60), off(tick + 1, 60)]))
    assert found.onset[0] == pytest.approx(10800 + TICK, abs=1e-9)


def test_overlapping_strokes_of_a_key_end_each_other(tmp_path: Path) -> None:
    events = [on(0, 60, 50), on(100, 60, 70), off(200, 60), off(300, 60)]
    found = read_midi(write_tracks(tmp_path / "a.mid", events))
    assert np.rint(found.onset / TICK).tolist() == [0, 100]
    assert np.rint(found.offset / TICK).tolist() == [100, 300]


def test_drums_and_pitches_that_a_piano_lacks_are_left_out(tmp_path: Path) -> None:
    drum = [(t, kind, values | {"channel": 9}) for t, kind, values in (on(0, 36), off(9, 36))]
    events = [on(0, 20), off(9, 20), on(0, 109), off(9, 109), on(0, 21), off(9, 21)]
    assert read_midi(write_tracks(tmp_path / "a.mid", events, drum)).pitch.tolist() == [21]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"got b'', expected a MIDI file"),
        (b"RIFF1234WAVE", r"got b'RIFF', expected a MIDI file"),
        (b"MThd\0\0\0\6\0\1", r"division: got b'', expected ticks"),
        (b"MThd\0\0\0\6\0\1\0\1\xe7\x28MTrk\0\0\0\4\0\xff\x2f\0", r"division: .*not SMPTE"),
        (
            b"MThd\0\0\0\6\0\1\0\1\x01\xe0MTrk\0\0\1\0\0\xff\x2f\0",
            r"got 'damage .*expected a whole MIDI file",
        ),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.mid").write_bytes(content)
    with pytest.raises(NotebeamError, match=r"bad\.mid: " + message):
        read_midi(tmp_path / "bad.mid")


def test_damage_anywhere_gives_notes_or_one_line(tmp_path: Path) -> None:
    onset = np.arange(200) * 0.1
    write_midi(tmp_path / "good.mid", Notes.make(onset, onset + 0.3, 40 + np.arange(200) % 30, [64] * 200))
    whole, random, refused = (tmp_path / "good.mid").read_bytes(), np.random.default_rng(0), 0
    for trial in range(300):
        damaged = bytearray(whole)
        for _ in range(1 + trial % 4):
            damaged[random.integers(len(damaged))] = random.integers(256)
        if trial % 3 == 0:
            damaged = damaged[: random.integers(len(damaged))]
        (tmp_path / "bad.mid").write_bytes(damaged)
        try:
            read_midi(tmp_path / "bad.mid")
        except NotebeamError as error:
            assert "bad.mid" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused >= 100  # every cut is refused at least


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mid")
    for name, reason in (("missing", "no such file"), ("pipe", "a pipe")):
        with pytest.raises(NotebeamError, match=rf"{name}\.mid: got '{reason}', expected a MIDI file"):
            read_midi(tmp_path / f"{name}.mid")


def test_keys_and_pedal_give_the_sounding_notes_back(tmp_path: Path) -> None:
    """Legato pedalling: each chord's keys are down when the pedal changes, and go up under the new pedal."""
    onset, changes = np.arange(0.0, 4.0, 1.0), np.arange(1.05, 5.0, 1.0)
    notes = Notes.make(onset, changes, [60, 62, 64, 65], [64] * 4, key_offset=onset + 0.6)
    path = tmp_path / "pedal.mid"
    write_midi(path, notes, pedal=True)
    sounding, keys = read_midi(path), read_midi(path, pedal="keys")
    assert np.abs(sounding.offset - notes.offset).max() < 1e-3
    assert np.abs(keys.offset - (onset + 0.6)).max() < 1e-3
    assert sounding.key_offset is not None and np.array_equal(sounding.key_offset, keys.offset)
    moves = [(tick, m.value) for tick, m in absolute(path) if m.type == "control_change" and m.control == 64]
    assert [value for _, value in moves] == [127, 0] * 4


def test_the_pedal_catches_a_key_that_goes_up_with_it(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", Notes.make([0.0], [2.0], [60], [64], key_offset=[0.5]), pedal=True)
    kinds = [m.type for _, m in absolute(tmp_path / "a.mid")]
    assert kinds.index("control_change") < kinds.index("note_off")


def test_without_keys_there_is_no_pedal_to_write(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match="pedal: got .notes without key offsets"):
        write_midi(tmp_path / "a.mid", Notes.make([0.0], [2.0], [60], [64]), pedal=True)
    assert not list(tmp_path.iterdir())
