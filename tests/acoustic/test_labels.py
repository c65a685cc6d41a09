"""Labels on the sound: clicks of known times, every assignment enumerated, and what must stay."""

from itertools import permutations

import numpy as np
import pytest

from acoustic import labels
from acoustic.audio import RATE_HZ
from acoustic.labels import SnapOptions, assigned, lateness, moved, rises, snapped
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import LOWEST, hertz


def played(notes: Notes, seconds: float) -> np.ndarray:
    """(S,) a decaying tone of six partials for each note, beginning exactly at its onset."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    audio = np.zeros(len(time))
    for onset, pitch, velocity in zip(notes.onset, notes.pitch, notes.velocity, strict=True):
        since = np.maximum(time - onset, 0)
        for partial in range(1, 7):
            tone = np.sin(2 * np.pi * partial * float(hertz(np.array(pitch))) * since)
            audio += (time >= onset) * tone * np.exp(-2 * since) / partial * velocity / 1000
    return audio.astype(np.float32)


def tune(seed: int = 0, count: int = 40) -> Notes:
    draw = np.random.default_rng(seed)
    onset = 0.3 + np.cumsum(draw.uniform(0.08, 0.3, count))
    return Notes.make(
        onset,
        onset + 0.5,
        draw.integers(40, 85, count),
        draw.integers(30, 110, count),
        key_offset=onset + 0.3,
    )


def test_notes_come_back_from_where_they_were_scattered_to() -> None:
    true = tune()
    audio = played(true, float(true.offset.max()) + 1)
    draw = np.random.default_rng(1)
    onset = true.onset - 0.03 + draw.normal(0, 0.02, len(true))
    late = Notes.make(onset, true.offset, true.pitch, true.velocity, key_offset=true.key_offset)
    found = snapped(late, audio)
    assert len(found) == len(true) and sorted(found.pitch) == sorted(true.pitch)
    order = np.lexsort((found.onset, found.pitch)), np.lexsort((true.onset, true.pitch))
    error = found.onset[order[0]] - true.onset[order[1]]
    assert abs(np.median(error)) < 0.008  # tones that begin at once are found 6 ms early
    assert np.quantile(np.abs(error), 0.9) < 0.015 < 0.025 < np.quantile(np.abs(onset - true.onset), 0.5)
    assert (found.offset > found.onset).all()


def test_right_labels_stay_where_they_are() -> None:
    true = tune(seed=2)
    found = snapped(true, played(true, float(true.offset.max()) + 1))
    assert np.quantile(np.abs(np.sort(found.onset) - true.onset), 0.9) < 0.012


def test_a_recording_late_as_a_whole_is_noticed_beyond_the_window() -> None:
    true = tune(seed=3)
    strength = rises(played(true.shifted(0.09), float(true.offset.max()) + 1))
    assert lateness(true, strength) == pytest.approx(0.09, abs=0.01)
    found = assigned(true, strength, SnapOptions(window=0.03))
    assert np.nanmedian(found - true.onset) == pytest.approx(0.09, abs=0.008)


def test_the_assignment_is_the_best_of_all() -> None:
    options = SnapOptions(window=0.1, spread=0.04, least=0.01)
    draw = np.random.default_rng(4)
    for _ in range(20):
        onset, times = np.sort(draw.uniform(0, 0.3, 3)), np.sort(draw.uniform(0, 0.3, 4))
        heights = draw.uniform(0.2, 1, 4)
        found = labels._one_key(onset, times, heights, options)
        near = np.abs(times - onset[:, None]) <= options.window
        usual = np.median([max(h) for row in near if len(h := heights[row])]) if near.any() else 1.0

        def worth(
            choice: tuple[int, ...], onset=onset, times=times, heights=heights, near=near, usual=usual
        ) -> float:
            total = 0.0
            for note, peak in enumerate(choice):
                if peak >= 4:
                    total -= 0.5 * (0.1 / 0.04) ** 2
                elif not near[note, peak] or heights[peak] < 0.01 * usual:
                    return -np.inf
                else:
                    distance = (times[peak] - onset[note]) / 0.04
                    total += min(heights[peak] / usual, 1.5) - 0.5 * distance**2
            return total

        best = max(permutations(range(7), 3), key=worth)  # peaks 4, 5 and 6: stay alone
        expected = [times[peak] if peak < 4 else np.nan for peak in best]
        assert found == pytest.approx(expected, nan_ok=True)


def test_a_note_without_a_rise_moves_with_its_neighbours() -> None:
    notes = Notes.make([1.0, 1.1, 1.2, 9.0], [2.0, 2.0, 2.0, 10.0], [60, 61, 62, 63], [64] * 4)
    onset = np.array([1.02, np.nan, 1.24, np.nan])
    found = moved(notes, onset, SnapOptions(neighbours=0.15))
    assert found.onset == pytest.approx([1.02, 1.13, 1.24, 9.03])


def test_nothing_to_hear_and_nothing_to_move() -> None:
    assert len(snapped(Notes.empty(), np.zeros(100, dtype=np.float32))) == 0
    true = tune()
    for samples in (np.zeros(0, dtype=np.float32), np.zeros(50_000, dtype=np.float32)):
        assert (snapped(true, samples).onset == true.onset).all()
    assert rises(np.zeros(RATE_HZ, dtype=np.float32)).shape[1] == 88


def test_rises_do_not_depend_on_chunks_or_level(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = played(tune(), 4.0)
    whole = rises(audio)
    assert whole.argmax(axis=0)[60 - LOWEST] >= 0 and len(whole) == pytest.approx(4.0 / 0.005, abs=2)
    monkeypatch.setattr(labels, "CHUNK", 77)
    assert rises(audio) == pytest.approx(whole, abs=1e-4)
    assert rises(audio * 0.01) == pytest.approx(whole, abs=1e-3)


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(NotebeamError, match="SnapOptions"):
        SnapOptions(window=0.0)
