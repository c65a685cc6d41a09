"""Hands: the search against enumeration, features by hand, and two tracks that keep every note."""

from itertools import product
from pathlib import Path

import mido
import numpy as np
import pytest

from symbolic.errors import NotebeamError
from symbolic.hands import COSTS, WEIGHTS, Chord, after, at_rest, divide, features, right_hand
from symbolic.metre import Beats
from symbolic.midi import read_midi
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes

# Costs of what only the last chord of a hand tells: with them the search is exact.
LAST_CHORD_ONLY = np.array([0.0 if name in ("home", "holds") else 1.0 for name in COSTS])


def random_chords(seed: int, count: int = 6) -> list[Chord]:
    draw = np.random.default_rng(seed)
    chords = []
    for index in range(count):
        size = int(draw.integers(1, 5))
        pitch = np.sort(draw.choice(np.arange(40, 80), size, replace=False)).astype(float)
        time = 0.3 * index
        chords.append(Chord(pitch, time + draw.uniform(0.1, 0.9, size), time))
    return chords


def cost_of(chords: list[Chord], divisions: tuple[int, ...], weights: np.ndarray) -> float:
    hands, cost = at_rest(chords[0].time), 0.0
    for index, (chord, division) in enumerate(zip(chords, divisions, strict=True)):
        cost += float(features(chord, hands)[0, division] @ weights)
        hands = after(hands, np.array([0]), np.array([division]), chord, index)
    return cost


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_search_finds_the_cheapest_of_all_divisions(seed: int) -> None:
    chords, draw = random_chords(seed), np.random.default_rng(100 + seed)
    weights = LAST_CHORD_ONLY * draw.uniform(0, 2, len(COSTS))
    every = product(*(range(len(chord.pitch) + 1) for chord in chords))
    best = min(every, key=lambda divisions: cost_of(chords, divisions, weights))
    found = divide(chords, weights, width=1000)
    assert cost_of(chords, tuple(found), weights) == pytest.approx(cost_of(chords, best, weights))


def test_features_of_a_division_are_what_their_names_say() -> None:
    hands = at_rest(0.0)
    first = Chord(np.array([48.0, 72.0]), np.array([0.2, 1.0]), 0.0)
    hands = after(hands, np.array([0]), np.array([1]), first, 0)
    # Half a second later, over the c'' that is held: c and e in the left hand, or in neither.
    second = Chord(np.array([36.0, 52.0]), np.array([1.0, 1.0]), 0.5)
    row = dict(zip(COSTS, features(second, hands)[0, 2], strict=True))
    assert row["pitch"] == pytest.approx(-(24 + 8) / 12)
    assert row["right"] == 0
    assert (row["span"], row["stretch"]) == (pytest.approx(9 / 12), pytest.approx(4 / 12))
    assert row["move"] == pytest.approx(4 / 12 * 0.5)  # 44 instead of 48, half a second ago: a half squared
    assert row["leap"] == pytest.approx(4 / 12 * 2**-0.5)  # 36 to 52
    assert (row["left rests"], row["right rests"]) == (0, 1)
    assert row["right interrupted"] == pytest.approx(0.5)
    assert row["holds"] == 0  # the hand that holds does not strike
    other = dict(zip(COSTS, features(second, hands)[0, 0], strict=True))
    assert other["holds"] == pytest.approx((1.0 - 0.5 - 0.05) / 0.5)
    assert other["pitch"] == -row["pitch"]
    # The right hand goes below the c that the left one has just played.
    assert other["cross"] == pytest.approx(12 / 12 * 2**-0.5)


def test_a_melody_that_goes_low_stays_in_its_hand() -> None:
    # A scale from c'' down to a, over a bass that goes on: a split at middle C cuts it.
    onset = 0.25 * np.arange(16)
    melody = [72, 71, 69, 67, 65, 64, 62, 60, 59, 57, 59, 60, 62, 64, 65, 67]
    bass = [36, 43] * 8
    notes = Notes.make([*onset, *onset], [*(onset + 0.24)] * 2, [*melody, *bass], [64] * 32)
    right = right_hand(notes)
    assert right.tolist() == (notes.pitch > 50).tolist()


def test_every_cost_is_fitted_and_no_notes_need_no_hands() -> None:
    assert np.isfinite(WEIGHTS).all() and (WEIGHTS != 0).all()
    assert right_hand(Notes.empty()).tolist() == []


def overlapping_notes() -> Notes:
    """Both hands on the same keys, with pedal."""
    draw = np.random.default_rng(0)
    onset = 0.01 * np.sort(draw.choice(2000, 200, replace=False))
    key_offset = onset + draw.uniform(0.03, 0.6, 200)
    offset = key_offset + draw.choice([0.0, 0.4], 200)
    pitch, velocity = draw.integers(50, 70, 200), draw.integers(1, 128, 200)
    return Notes.make(onset, offset, pitch, velocity, key_offset=key_offset)


@pytest.mark.parametrize("with_beats", [False, True])
@pytest.mark.parametrize("pedal", [False, True])
def test_two_tracks_hold_the_same_notes_as_one(tmp_path: Path, with_beats: bool, pedal: bool) -> None:
    notes = overlapping_notes()
    beats = Beats(0.7 + 0.55 * np.arange(36), np.arange(36) % 3 == 0) if with_beats else None
    right = np.random.default_rng(1).random(len(notes)) < 0.5
    write_midi(tmp_path / "one.mid", notes, pedal=pedal, beats=beats)
    write_midi(tmp_path / "two.mid", notes, pedal=pedal, beats=beats, right=right)
    one, two = read_midi(tmp_path / "one.mid"), read_midi(tmp_path / "two.mid")
    for name in ("onset", "pitch", "velocity"):
        assert getattr(one, name).tolist() == getattr(two, name).tolist(), name
    # A key that the other hand strikes goes up a tick earlier.
    early = one.key_offset - two.key_offset
    assert early.min() > -1e-9 and 0 < early.max() < 1.2e-3
    assert np.abs(two.onset - notes.onset).max() < 1e-3
    hand = read_midi(tmp_path / "two.mid", tracks=("Right hand",))
    assert np.abs(hand.onset - notes.onset[right]).max() < 1e-3
    assert hand.pitch.tolist() == notes.pitch[right].tolist()
    file = mido.MidiFile(tmp_path / "two.mid")
    assert [track.name for track in file.tracks] == ["notebeam", "Right hand", "Left hand"]
    # In whatever order a program joins the tracks at a tick, each key goes up before it goes down again.
    for tracks in (file.tracks[1:], file.tracks[:0:-1]):
        down: set[int] = set()
        for message in mido.merge_tracks(tracks):
            if message.type == "note_on":
                assert message.note not in down
                down.add(message.note)
            elif message.type == "note_off":
                down.remove(message.note)


def test_hands_of_other_notes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        NotebeamError, match=r"write_midi: right: got 'bool \(3,\)', expected a hand for each of 200"
    ):
        write_midi(tmp_path / "a.mid", overlapping_notes(), right=np.ones(3, dtype=np.bool_))
    assert not list(tmp_path.iterdir())
