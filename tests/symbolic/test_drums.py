"""Drums: MIDI to strokes to rolls and back, kits, and what is refused."""

from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbolic.datasets.drums import GENERAL_KIT, Kit, Piece, drum_roll, found_kit, read_drum_rolls, strokes_of
from symbolic.drums import Strokes, read_drums, write_drums
from symbolic.errors import NotebeamError
from symbolic.midi import read_midi


def write_channel(
    path: Path, strokes: list[tuple[int, int, int]], channel: int = 9, tempo: int = 500_000
) -> Path:
    """A MIDI file of strokes (absolute tick of 96 a quarter, pitch, velocity), 10 ticks long each."""
    file = mido.MidiFile(type=1, ticks_per_beat=96)
    track = file.add_track("x")
    track.append(mido.MetaMessage("set_tempo", tempo=tempo))
    events: list[tuple[int, str, int, int]] = []
    for tick, pitch, velocity in strokes:
        events += [(tick, "note_on", pitch, velocity), (tick + 10, "note_off", pitch, 0)]
    now = 0
    for tick, kind, pitch, velocity in sorted(events):
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    file.save(path)
    return path


ROLLS = st.integers(1, 3).flatmap(
    lambda bars: st.lists(
        st.tuples(st.integers(0, 16 * bars - 1), st.integers(0, 9)), min_size=1, max_size=40
    )
)


@settings(max_examples=40, deadline=None)
@given(ROLLS, st.sampled_from([120.0, 93.0, 61.0]))
def test_a_roll_comes_back_from_its_midi_file(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[int, int]], tempo: float
) -> None:
    roll = np.zeros((-(-(max(step for step, _ in cells) + 1) // 16) * 16, 10), dtype=np.bool_)
    for step, piece in cells:
        roll[step, piece] = True
    path = tmp_path_factory.mktemp("drums") / "a.mid"
    write_drums(path, strokes_of(roll, tempo=tempo))
    drums = read_drums(path)
    np.testing.assert_array_equal(drum_roll(drums), roll)
    assert drums.tempo == pytest.approx(tempo, rel=1e-5)
    assert len(drums.beat) == roll.sum()


def test_strokes_are_sorted_by_beat_then_pitch() -> None:
    strokes = strokes_of(np.ones((2, 10), dtype=np.bool_))
    assert strokes.beat.tolist() == [0.0] * 10 + [0.25] * 10
    assert strokes.pitch.tolist() == [36, 38, 42, 43, 46, 47, 49, 50, 51, 56] * 2


def test_strokes_are_on_channel_ten_and_no_piano_hears_them(tmp_path: Path) -> None:
    roll = np.eye(16, 10, dtype=np.bool_)
    write_drums(tmp_path / "a.mid", strokes_of(roll))
    messages = [m for track in mido.MidiFile(tmp_path / "a.mid").tracks for m in track if not m.is_meta]
    assert {message.channel for message in messages} == {9} and len(messages) == 20
    assert len(read_midi(tmp_path / "a.mid")) == 0


def test_a_file_is_read_on_its_own_beats_whatever_its_tempo(tmp_path: Path) -> None:
    path = write_channel(tmp_path / "a.mid", [(0, 36, 100), (96, 38, 90), (120, 42, 80)], tempo=750_000)
    drums = read_drums(path)
    assert drums.beat.tolist() == [0.0, 1.0, 1.25] and drums.tempo == pytest.approx(80)
    assert drums.pitch.tolist() == [36, 38, 42] and drums.velocity.tolist() == [100, 90, 80]
    roll = drum_roll(drums)
    assert roll.shape == (16, 10)
    assert np.argwhere(roll).tolist() == [[0, 0], [4, 1], [5, 2]]


def test_pitches_of_a_piece_are_one_and_strokes_go_to_the_nearest_step() -> None:
    # 35 and 36 are kicks. Steps of 1/4: 0.12 is nearer 0, 0.125 is between and earlier, 0.13 is nearer 1.
    beat = np.array([0.12, 0.125, 0.13, 4.0])
    roll = drum_roll(Strokes(beat, np.array([35, 38, 42, 36]), np.full(4, 64)))
    assert roll.shape == (32, 10)
    assert np.argwhere(roll).tolist() == [[0, 0], [0, 1], [1, 2], [16, 0]]
    triplets = drum_roll(Strokes(np.array([1 / 3]), np.array([36]), np.array([64])), divisions=3)
    assert triplets.shape == (12, 10) and triplets[1, 0]


def test_a_kit_can_be_the_pitches_that_are_found(tmp_path: Path) -> None:
    write_channel(tmp_path / "b.mid", [(0, 90, 64)])
    write_channel(tmp_path / "a.MID", [(0, 12, 64), (24, 90, 64)])
    rolls, kit = read_drum_rolls(tmp_path, kit=None)
    assert [piece.pitches for piece in kit.pieces] == [(12,), (90,)]
    assert [np.argwhere(roll).tolist() for roll in rolls] == [[[0, 0], [1, 1]], [[0, 1]]]
    assert found_kit([strokes_of(rolls[0], kit)]) == kit
    # The usual kit has neither pitch: rolls of rests.
    assert not read_drum_rolls(tmp_path)[0][0].any()


def test_drums_on_another_channel_are_read_when_all_is_asked_for(tmp_path: Path) -> None:
    path = write_channel(tmp_path / "a.mid", [(0, 36, 64)], channel=0)
    with pytest.raises(NotebeamError, match=r"a\.mid: got 'no notes on channel 10', expected the strokes"):
        read_drums(path)
    assert read_drums(path, part="all").pitch.tolist() == [36]


def bad(call: Any, message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        call()


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    bad(lambda: Kit((Piece("a", (1, 2)), Piece("b", (2,)))), r"Kit\.pieces: got 'pitches \[2\] twice'")
    bad(lambda: Kit((Piece("a", (128,)),)), r"Kit\.pieces: got \[128\], expected at least one piece")
    bad(
        lambda: strokes_of(np.zeros((4, 3), dtype=np.bool_)), r"strokes_of\(roll\): got \(4, 3\), .*\(T, 10\)"
    )
    bad(lambda: drum_roll(Strokes(*[np.zeros(0)] * 3), divisions=0), r"divisions: got 0")
    bad(lambda: read_drum_rolls(tmp_path), r"got 'no \.mid or \.midi file in it'")
    strokes = strokes_of(np.ones((1, 10), dtype=np.bool_), tempo=1.0)
    bad(lambda: write_drums(tmp_path / "a.mid", strokes), r"write_drums\(strokes\) tempo: got 1\.0")


def test_a_stroke_beyond_all_music_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    for name, ticks, quarter in (("far", 0x0FFFFFFF, 1), ("long", 60_000 * 480, 480)):
        file = mido.MidiFile(ticks_per_beat=quarter)
        for _ in range(2):
            file.add_track().append(mido.Message("note_on", channel=9, note=36, velocity=9, time=ticks))
        file.save(tmp_path / f"{name}.mid")
    line = r"far\.mid: times: got '268435455 quarter notes without a strike'"
    bad(lambda: read_drum_rolls([tmp_path / "far.mid"]), line)
    assert len(read_drum_rolls([tmp_path / "long.mid"])[0][0]) == 4 * 60_004  # in whole bars


def test_files_without_drums_in_a_folder_cost_themselves_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_drums(tmp_path / "a.mid", Strokes(np.array([0.0]), np.array([36]), np.array([90])))
    (tmp_path / "b.mid").write_text("<html>")
    rolls, _ = read_drum_rolls(tmp_path)
    assert len(rolls) == 1
    assert len(caplog.messages) == 1 and "b.mid: got" in caplog.messages[0]


def test_the_general_kit_holds_every_pitch_of_general_midi_but_none_twice() -> None:
    columns = GENERAL_KIT.columns()
    assert (columns[35:82] >= 0).all() and (columns[:22] == -1).all() and (columns[82:] == -1).all()
    assert [piece.name for piece in GENERAL_KIT.pieces if 38 in piece.pitches] == ["snare"]
