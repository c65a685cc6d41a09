"""The data of training: MIDI folders, both planes, real steps, and what is refused."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from symbolic.datasets import root
from symbolic.datasets.config import DataConfig
from symbolic.datasets.midi_folder import read_folder
from symbolic.datasets.splits import Splits, clock_of, frames_roll, read_splits
from symbolic.errors import NotebeamError
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.training.data import augmented_roll, step_mean
from symbolic.training.stream import ChunkStream

FOLDER = DataConfig(midi="somewhere", hop=0.5)


def write_scale(path: Path, first: int = 60, count: int = 4) -> None:
    """`count` quarter notes at 120 a minute, upwards from pitch `first`, the first after one quarter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onset = 0.5 * np.arange(1, count + 1)
    write_midi(path, Notes.make(onset, onset + 0.5, first + np.arange(count), [64] * count))


def test_a_folder_of_midi_files_is_split_by_file(tmp_path: Path) -> None:
    for index in range(5):
        write_scale(
            tmp_path / ("sub" if index % 2 else "") / f"{index}.{'mid' if index else 'MIDI'}", 60 + index
        )
    (tmp_path / "notes.txt").write_text("no music")
    assert read_folder(tmp_path, lambda path: path.name) == ["0.MIDI", "2.mid", "4.mid", "1.mid", "3.mid"]
    config = DataConfig(midi=str(tmp_path), hop=0.5, held_out=1 / 3)
    splits = read_splits(config)
    # Every third file, the first of all among them, is held out.
    assert [np.flatnonzero(roll[0])[0] + 21 for roll in splits.valid] == [60, 61]
    assert [frames_roll(notes, config)[0].argmax() + 21 for notes in splits.train] == [62, 64, 63]  # type: ignore[arg-type]
    assert not splits.test
    assert splits.valid[0].sum() == 4


def test_at_hop_0_a_step_is_a_part_of_a_beat(tmp_path: Path) -> None:
    for name in "ab":
        write_scale(tmp_path / f"{name}.mid")
    splits = read_splits(DataConfig(midi=str(tmp_path), hop=0.0, divisions=2))
    # One silent beat is left out; four notes of two steps each, and no silence after them.
    expected = np.zeros((8, 88), dtype=bool)
    expected[np.arange(8), 60 - 21 + np.arange(8) // 2] = True
    np.testing.assert_array_equal(splits.valid[0], expected)
    struck = read_splits(DataConfig(midi=str(tmp_path), hop=0.0, divisions=2, plane="struck"))
    np.testing.assert_array_equal(struck.valid[0][:7:2], expected[::2])
    assert not struck.valid[0][1::2].any()


def test_both_planes_lie_side_by_side_and_move_together() -> None:
    config = replace(FOLDER, plane="both", transpose=3)
    notes = Notes.make([0.0, 1.0], [1.0, 2.0], [21, 106], [64, 64])
    roll = frames_roll(notes, config)
    assert roll.shape[1] == 176
    np.testing.assert_array_equal(roll[:, :88], frames_roll(notes, replace(config, plane="active")))
    np.testing.assert_array_equal(roll[:, 88:], frames_roll(notes, replace(config, plane="struck")))
    roll[:, 88 + 85] = False  # as if struck before the piece begins: the planes have other outermost keys
    shifts = set()
    for seed in range(50):
        moved = augmented_roll(roll, config, np.random.default_rng(seed))
        shift = int(moved[0, :88].argmax())
        shifts.add(shift)
        # Key 0 may only rise, key 85 by two at most: in neither plane does a bit leave it.
        np.testing.assert_array_equal(moved[:, 88:], np.roll(roll[:, 88:], shift, axis=1))
        np.testing.assert_array_equal(moved[:, :88], np.roll(roll[:, :88], shift, axis=1))
    assert shifts == {0, 1, 2}


def test_real_steps_pass_the_stream_as_they_are() -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.normal(size=(length, 3)).astype(np.float32) for length in (5, 3)]
    config = DataConfig(set="motion")
    stream = ChunkStream(
        pieces, lambda piece, draw: augmented_roll(piece, config, draw), batch=2, chunk=9, seed=0
    )
    chunk = stream.next()
    found = sorted((chunk.rolls[row][chunk.mask[row]].numpy() for row in range(2)), key=len)
    np.testing.assert_array_equal(found[0], pieces[1])
    np.testing.assert_array_equal(found[1], pieces[0])
    # Numbers that are no probabilities have a plain mean; keys one that is neither 0 nor 1.
    np.testing.assert_allclose(step_mean(pieces, config), np.concatenate(pieces).mean(0), rtol=1e-5)
    np.testing.assert_allclose(step_mean([np.array([[True, False]] * 3)], config), [4 / 5, 1 / 5])


def test_a_folder_without_enough_music_is_named(tmp_path: Path) -> None:
    config = DataConfig(midi=str(tmp_path / "none"))
    with pytest.raises(NotebeamError, match=r"none: got 'no such folder', expected a folder of MIDI files"):
        read_splits(config)
    config = DataConfig(midi=str(tmp_path))
    with pytest.raises(NotebeamError, match=r": got 'no \.mid or \.midi file in it', expected a folder"):
        read_splits(config)
    write_scale(tmp_path / "one.mid")
    with pytest.raises(NotebeamError, match=r": train: got 'no pieces', expected at least one; 0.05 of the"):
        read_splits(config)
    (tmp_path / "one.mid").write_text("text")
    with pytest.raises(NotebeamError, match=r"none that can be read \(.*one\.mid: got b'text'"):
        read_splits(config)


def test_files_without_music_are_said_and_cost_themselves_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(4):
        write_scale(tmp_path / f"{index}.mid", 60 + index)
    config = DataConfig(midi=str(tmp_path), hop=0.0)
    clean = read_splits(config)
    assert not caplog.messages
    (tmp_path / "._0.mid").write_bytes(b"\0\5\x16\7" + bytes(99))  # as macOS leaves them
    (tmp_path / "0cut.mid").write_bytes((tmp_path / "0.mid").read_bytes()[:60])
    (tmp_path / "0page.mid").write_text("<html>404</html>")
    write_midi(tmp_path / "0rest.mid", Notes.empty())
    os.mkfifo(tmp_path / "0pipe.mid")
    found = read_splits(config)
    assert len(found.train) == len(clean.train) == 3
    for part in ("train", "valid"):
        for one, other in zip(getattr(found, part), getattr(clean, part), strict=True):
            np.testing.assert_array_equal(one, other)
    names = ("0pipe", "0cut", "0page", "0rest")
    hidden, *messages = caplog.messages
    assert hidden.endswith(": 1 hidden, passed over: ._0.mid") and len(messages) == len(names)
    for name, message in zip(names, messages, strict=True):
        assert f"{name}.mid: got" in message and message.endswith("; passed over")


def test_an_empty_piece_of_a_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    roll = np.ones((2, 88), dtype=bool)
    content = Splits([roll, roll[:0]], [roll], [])
    monkeypatch.setattr("symbolic.datasets.splits.read_classic", lambda name: content)
    with pytest.raises(NotebeamError, match=r"data jsb: train piece 1: got 'an empty piece', expected at"):
        read_splits(DataConfig(set="jsb"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"set": "jsb", "midi": "a"}, r"data: got .*, expected either a set or performances or a folder"),
        ({"performances": ("asap",), "hop": 0.0}, r"data\.hop: got 0\.0, expected a number >= 0\.001"),
        ({"midi": "a", "hop": 0.0, "stretch": 1.5}, r"data\.stretch: got 1\.5, expected 1 \(at beats"),
        ({"set": "motion", "transpose": 1}, r"data\.transpose: got 1, expected 0 \(motion has no keys\)"),
    ],
)
def test_data_that_contradicts_itself_is_refused(fields: dict[str, object], expected: str) -> None:
    with pytest.raises(NotebeamError, match=expected):
        DataConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.skipif(not (root() / "motion").is_dir(), reason="needs the motion capture (NOTEBEAM_DATA)")
def test_motion_capture_is_read_with_its_splits() -> None:
    splits = read_splits(DataConfig(set="motion"))
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [30, 5, 4]
    assert splits.valid[0].dtype == np.float32


def test_a_step_of_a_classic_set_is_its_own() -> None:
    found = {name: clock_of(DataConfig(set=name))["divisions"] for name in ("jsb", "nottingham", "musedata")}
    assert found == {"jsb": 1, "nottingham": 2, "musedata": 2}
