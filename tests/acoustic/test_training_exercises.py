"""Exercises: what the drawn notes must be like to train on."""

import numpy as np
import pytest

from acoustic.training import renderings
from acoustic.training.exercises import CLOSEST, exercise
from symbolic.notes import Notes


@pytest.fixture(scope="module")
def pieces() -> list[Notes]:
    return [exercise(30.0, np.random.default_rng((7, number))) for number in range(40)]


def test_exercises_lie_within_their_seconds_and_reach_both_ends_of_the_keyboard(pieces: list[Notes]) -> None:
    for notes in pieces:
        assert len(notes) > 60 and notes.onset[0] >= 0 and notes.onset[-1] < 30
    pitch = np.concatenate([notes.pitch for notes in pieces])
    assert (pitch < 38).mean() > 0.05 and (pitch > 86).mean() > 0.05


def test_a_key_is_released_before_it_is_struck_again_and_the_pedal_prolongs(pieces: list[Notes]) -> None:
    prolonged = 0.0
    for notes in pieces:
        assert notes.key_offset is not None
        assert (notes.offset >= notes.key_offset).all()
        prolonged += float((notes.offset > notes.key_offset + 0.05).mean()) / len(pieces)
        for key in np.unique(notes.pitch):
            own = notes.pitch == key
            assert (np.diff(notes.onset[own]) > CLOSEST).all()
            assert (notes.offset[own][:-1] <= notes.onset[own][1:]).all()
    assert 0.2 < prolonged < 0.8


def test_the_same_draw_is_the_same_exercise_and_renderings_play_it() -> None:
    options = renderings.RenderOptions(
        asap=0, pop909=0, exercises=3, seconds=5.0, pianos=("splendid",), modelled_chance=0.0
    )
    first, second = renderings.plan(options), renderings.plan(options)
    assert [item.name for item in first] == [f"exercise-{number:03d}-splendid" for number in range(3)]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.notes.onset, other.notes.onset)
        assert len(np.unique(one.notes.velocity)) > 5  # drawn, as for files that were not played
    assert len(first[0].notes) != len(first[1].notes)
