"""Clocks: the times of steps, the nearest step, notes to rolls and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles_core import nearest_step, sounding_cells

from symbolic.clock import Clock, PianoRoll, filled_roll
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import KEYS


def test_frames_are_a_hop_apart() -> None:
    clock = Clock.frames(3, 0.5, start=1.0)
    assert clock.times.tolist() == [1.0, 1.5, 2.0] and clock.end == 2.5
    assert Clock.frames(1, 0.5).end == 0.5


def test_beats_are_divided_evenly_up_to_the_last() -> None:
    clock = Clock.beats([0.0, 1.0, 3.0], divisions=2)
    assert clock.times.tolist() == [0.0, 0.5, 1.0, 2.0, 3.0] and clock.end == 4.0
    assert Clock.beats([2.0], 4).times.tolist() == [2.0]
    assert Clock.beats([], 4).times.tolist() == []


def test_an_onset_step_takes_what_follows_within_the_window_of_its_first() -> None:
    clock = Clock.onsets([0.04, 1.0, 0.0, 0.06, 1.0, 0.05], window=0.05)
    assert clock.times.tolist() == [0.0, 0.06, 1.0]
    # 0.05 is nearer to 0.06, but belongs to the step that began at 0.
    assert [clock.step_of(t) for t in (0.0, 0.04, 0.05, 0.055, 0.5, 0.54)] == [0, 0, 0, 1, 1, 2]


def test_ties_go_to_the_earlier_step_and_times_outside_to_the_ends() -> None:
    clock = Clock.frames(4, 1.0)
    assert [clock.step_of(t) for t in (0.5, 0.50001, 1.5, -7.0, 99.0)] == [0, 1, 1, 0, 3]


@given(st.lists(st.integers(0, 60), min_size=2, unique=True), st.integers(-10, 70))
def test_the_step_is_the_nearest(times: list[int], second: int) -> None:
    times.sort()
    clock = Clock(np.array(times, dtype=np.float64), "beats")
    assert clock.step_of(second) == nearest_step([float(t) for t in times], second)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clock.frames(-1, 0.1), r"frames\(count\): got -1"),
        (lambda: Clock.frames(5, 0.0), r"frames\(hop\): got 0\.0, expected seconds > 0"),
        (lambda: Clock.frames(5, float("nan")), r"frames\(hop\): got nan"),
        (lambda: Clock.beats([0, 1], 0), r"beats\(divisions\): got 0"),
        (lambda: Clock.beats([1, 0], 1), r"beats\(beats\): got \[1, 0\], expected finite increasing"),
        (lambda: Clock.onsets([0], -1), r"onsets\(window\): got -1"),
        (lambda: Clock.frames(0, 0.1).step_of(0), r"step_of: .*without steps"),
        (lambda: Clock(np.array([0.0, np.nan]), "beats"), r"Clock\.times"),
    ],
)
def test_bad_clocks_are_refused_by_name(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(NotebeamError, match=message):
        make()


def test_notes_outside_the_clock_are_left_out_and_half_a_step_around_it_is_inside() -> None:
    clock = Clock.frames(3, 1.0)
    onset = [-0.6, -0.4, 2.5, 2.6]
    struck = clock.struck_roll(Notes.make(onset, [9, 9, 9, 9], [30, 31, 32, 33], [64] * 4))
    assert [tuple(cell) for cell in np.argwhere(struck)] == [(0, 31 - 21), (2, 32 - 21)]


def test_a_note_struck_before_the_clock_sounds_without_a_stroke() -> None:
    roll = Clock.frames(3, 1.0).active_roll(Notes.make([-5.0], [2.0], [60], [64]))
    assert roll.active[:, 60 - 21].tolist() == [True, True, False]
    assert roll.struck is not None and not roll.struck.any()


def test_a_short_note_sounds_at_its_own_step() -> None:
    roll = Clock.frames(3, 1.0).active_roll(Notes.make([1.1], [1.2], [60], [64]))
    assert roll.active[:, 60 - 21].tolist() == [False, True, False]


def test_a_key_struck_again_ends_the_note_before() -> None:
    # The long note would sound to 4, but the second stroke at 1 ends at 2.
    clock = Clock.frames(5, 1.0)
    roll = clock.active_roll(Notes.make([0.0, 1.0], [4.0, 2.0], [60, 60], [64, 64]))
    assert roll.active[:, 39].tolist() == [True, True, False, False, False]
    notes = clock.notes_of(roll)
    assert (notes.onset.tolist(), notes.offset.tolist()) == ([0.0, 1.0], [1.0, 2.0])


def test_the_last_step_lasts_one_more_interval() -> None:
    clock = Clock.beats([0.0, 1.0, 3.0], 1)
    notes = clock.notes_of(PianoRoll(np.ones((3, 88), dtype=bool), clock))
    assert len(notes) == 88 and set(notes.offset.tolist()) == {5.0}


TIMES = st.integers(-2, 40)
LENGTHS = st.integers(1, 20)


@given(st.lists(st.tuples(TIMES, LENGTHS, st.integers(60, 62)), max_size=12))
def test_rolls_agree_with_the_slow_oracle(rows: list[tuple[int, int, int]]) -> None:
    # Quarters of a step: ties and sums are exact in floating point.
    listed = [(t / 4, (t + length) / 4, pitch) for t, length, pitch in rows]
    clock = Clock.frames(10, 1.0)
    edges = [*clock.times.tolist(), clock.end]
    listed = [row for row in listed if -0.5 <= row[0] <= 9.5]  # inside; the rest has tests of its own
    onset, offset, pitch = (list(column) for column in zip(*listed, strict=True)) if listed else ([], [], [])
    roll = clock.active_roll(Notes.make(onset, offset, pitch, [64] * len(listed)))
    assert {(int(t), int(d) + 21) for t, d in np.argwhere(roll.active)} == sounding_cells(listed, edges)
    strokes = {(nearest_step(edges, row[0]), row[2]) for row in listed}
    assert roll.struck is not None
    assert {(int(t), int(d) + 21) for t, d in np.argwhere(roll.struck)} == strokes


CLOCKS = [Clock.frames(9, 0.04, 0.3), Clock.beats([0.1, 0.7, 1.2], 4), Clock.onsets(np.arange(9) ** 1.5, 0.2)]


@given(st.integers(0, 2**32 - 1), st.sampled_from(CLOCKS))
def test_a_roll_becomes_notes_and_the_same_roll_again(seed: int, clock: Clock) -> None:
    random = np.random.default_rng(seed)
    active = random.random((9, 88)) < 0.6
    silent_before = ~np.vstack([np.zeros((1, 88), dtype=bool), active[:-1]])
    struck = active & (silent_before | (random.random((9, 88)) < 0.3))
    notes = clock.notes_of(PianoRoll(active, clock, struck))
    again = clock.active_roll(notes)
    assert len(notes) == struck.sum()
    assert (again.active == active).all()
    assert again.struck is not None and (again.struck == struck).all()


def test_a_roll_without_strokes_joins_them() -> None:
    clock = Clock.frames(4, 1.0)
    active = np.zeros((4, 88), dtype=bool)
    active[[0, 1, 3], 5] = True
    notes = clock.notes_of(PianoRoll(active, clock))
    assert (notes.onset.tolist(), notes.offset.tolist()) == ([0.0, 3.0], [2.0, 4.0])
    assert notes.pitch.tolist() == [26, 26]


def test_rolls_of_other_shapes_and_strokes_of_silent_keys_are_refused() -> None:
    clock = Clock.frames(2, 1.0)
    with pytest.raises(
        NotebeamError, match=r"PianoRoll\.active: got 'bool \(2, 87\)', expected bool \(2, 88\)"
    ):
        PianoRoll(np.zeros((2, 87), dtype=bool), clock)
    with pytest.raises(NotebeamError, match=r"PianoRoll\.active: got 'float64 "):
        PianoRoll(np.zeros((2, 88)), clock)  # type: ignore[arg-type]
    struck = np.zeros((2, 88), dtype=bool)
    struck[1, 3] = True
    with pytest.raises(NotebeamError, match=r"PianoRoll\.struck step 1 key 3"):
        PianoRoll(np.zeros((2, 88), dtype=bool), clock, struck)
    with pytest.raises(NotebeamError, match=r"notes_of\(roll\) steps: got 2, expected 3"):
        Clock.frames(3, 1.0).notes_of(PianoRoll(np.zeros((2, 88), dtype=bool), clock))


@given(st.lists(st.tuples(st.integers(-3, 9), st.integers(-3, 12), st.integers(0, 3))), st.integers(0, 8))
def test_stretches_fill_the_steps_between_their_ends(rows: list[tuple[int, int, int]], steps: int) -> None:
    expected = np.zeros((steps, KEYS), dtype=bool)
    for first, stop, key in rows:
        for step in range(max(first, 0), min(stop, steps)):
            expected[step, key] = True
    first, stop, key = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    assert (filled_roll(first, stop, key, steps) == expected).all()
