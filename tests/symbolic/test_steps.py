"""Music as steps of a prior: MIDI files to rolls, rolls to notes."""

from pathlib import Path

import mido
import numpy as np
import pytest

from symbolic.datasets.config import DataConfig
from symbolic.datasets.splits import frames_roll
from symbolic.errors import NotebeamError
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.priors.base import PriorCard
from symbolic.priors.steps import clock_for, notes_of_steps, read_steps, steps_of, transposed


def card(plane: str = "active", hop: float = 0.0, divisions: int = 1, visible: int = 0) -> PriorCard:
    return PriorCard(
        name="x",
        model="lstm-nade",
        options={},
        visible=visible or (176 if plane == "both" else 88),
        clock={"kind": "frames", "hop": hop} if hop else {"kind": "beats", "divisions": divisions},
        plane=plane,
        data="",
        licence="",
        command="",
    )


def random_roll(steps: int, seed: int = 0) -> np.ndarray:
    roll = np.random.default_rng(seed).random((steps, 88)) < 0.05
    roll[0, 40] = roll[-1, 41] = True  # a roll from a file begins and ends with a note
    return roll


@pytest.mark.parametrize("divisions", [1, 4])
@pytest.mark.parametrize("plane", ["active", "both"])
def test_a_roll_of_beats_comes_back_from_its_midi_file(tmp_path: Path, plane: str, divisions: int) -> None:
    roll = random_roll(30)
    if plane == "both":
        begins = roll & ~np.pad(roll, ((1, 0), (0, 0)))[:-1]
        roll = np.concatenate([roll, roll & (begins | random_roll(30, 1))], axis=1)
    described = card(plane, divisions=divisions)
    clock = clock_for(described, 30, tempo=77.0)
    write_midi(tmp_path / "a.mid", notes_of_steps(roll, clock, described), tempo=77.0)
    steps = read_steps(tmp_path / "a.mid", described)
    assert (steps.roll == roll).all()
    assert np.abs(steps.clock.times - clock.times).max() < 1e-3
    assert (steps.first == [np.abs(clock.times - t).argmin() for t in steps.notes.onset]).all()


def test_beats_are_those_of_the_tempo_map(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=100)
    track = file.add_track()
    for kind, values in (
        ("set_tempo", {"tempo": 1_000_000, "time": 0}),
        ("note_on", {"note": 60, "time": 0}),
        ("set_tempo", {"tempo": 250_000, "time": 200}),  # after two beats of a second
        ("note_off", {"note": 60, "time": 100}),
    ):
        track.append((mido.MetaMessage if kind == "set_tempo" else mido.Message)(kind, **values))
    file.save(tmp_path / "a.mid")
    steps = read_steps(tmp_path / "a.mid", card(divisions=2))
    assert steps.clock.times == pytest.approx([0, 0.5, 1, 1.5, 2, 2.125])
    assert steps.clock.end == pytest.approx(2.25)
    assert steps.roll[:, 39].all()


def test_a_step_of_beats_holds_what_sounds_there() -> None:
    # Beats every second: on the beat; a little late; off the beat and over the next; between two beats.
    notes = Notes.make([0.0, 1.05, 2.5, 3.2], [1.0, 2.0, 3.4, 3.9], [60, 61, 62, 63], [64] * 4)
    steps = steps_of(notes, card(), np.arange(6.0))
    assert [np.flatnonzero(row).tolist() for row in steps.roll] == [[39], [40], [], [41]]
    assert steps.first.tolist() == [0, 1, 3, -1]


def test_a_piece_begins_at_its_first_note() -> None:
    notes = Notes.make([7.98, 9.0], [9.0, 10.0], [60, 61], [64] * 2)  # 20 ms early
    steps = steps_of(notes, card(), np.arange(12.0))
    assert steps.clock.times.tolist() == [8.0, 9.0]


@pytest.mark.parametrize("plane", ["active", "struck"])
def test_frames_are_those_of_training(plane: str) -> None:
    rng = np.random.default_rng(0)
    onset = np.sort(rng.uniform(3, 9, 60))
    notes = Notes.make(onset, onset + rng.uniform(0.05, 1, 60), rng.integers(21, 109, 60), [64] * 60)
    steps = steps_of(notes, card(plane, hop=0.04))
    config = DataConfig(performances=("asap",), hop=0.04, plane=plane)  # type: ignore[arg-type]
    assert (steps.roll == frames_roll(notes, config)).all()
    assert np.abs(steps.clock.times[steps.first] - notes.onset).max() <= 0.02 + 1e-9


def test_struck_keys_last_until_struck_again_or_let_go() -> None:
    roll = np.zeros((100, 88), dtype=bool)
    roll[[0, 5, 50], 10] = roll[7, 12] = True
    described = card("struck", hop=0.04)
    notes = notes_of_steps(roll, clock_for(described, 100, 120), described, hold=1.0)
    assert notes.onset == pytest.approx([0.0, 0.2, 0.28, 2.0])
    assert notes.offset == pytest.approx([0.2, 1.2, 1.28, 3.0])
    assert notes.pitch.tolist() == [31, 31, 33, 31]


def test_transposition_keeps_to_the_piano() -> None:
    roll = np.zeros((2, 176), dtype=bool)
    roll[0, [3, 85]] = roll[1, 88 + 3] = True
    higher = transposed(roll, 2)
    assert higher is not None
    assert np.argwhere(higher).tolist() == [[0, 5], [0, 87], [1, 93]]
    assert transposed(roll, 3) is None
    assert transposed(roll, -4) is None


def test_a_file_without_notes_is_one_line(tmp_path: Path) -> None:
    write_midi(tmp_path / "empty.mid", Notes.empty())
    with pytest.raises(NotebeamError, match=r"empty\.mid: got 'no notes', expected a MIDI file with notes"):
        read_steps(tmp_path / "empty.mid", card())
    write_midi(tmp_path / "late.mid", Notes.make([5.0], [6.0], [60], [64]))
    with pytest.raises(NotebeamError, match=r"not drums, before 2 s"):
        read_steps(tmp_path / "late.mid", card(), stop=2.0)


def test_a_prior_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match=r"lstm-nade/x: got '49 numbers a step"):
        read_steps(tmp_path / "any.mid", card(visible=49))
