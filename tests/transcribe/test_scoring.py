"""Scores by hand, and mir_eval on the whole as the oracle of the key-by-key form."""

import time
import tracemalloc
from dataclasses import asdict

import mir_eval
import numpy as np
import pytest

from symbolic.notes import Notes
from symbolic.pitch import hertz
from transcribe import scoring
from transcribe.scoring import matching


def notes(*rows: tuple[float, float, int, int]) -> Notes:
    """Rows (onset s, offset s, pitch, velocity)."""
    onset, offset, pitch, velocity = zip(*rows, strict=True)
    return Notes.make(np.array(onset), np.array(offset), np.array(pitch), np.array(velocity))


def random_notes(count: int, seconds: float, seed: int, jitter: float = 0.0) -> tuple[Notes, Notes]:
    """A reference and an estimate: onsets, offsets moved, a tenth of the rows another key."""
    random = np.random.default_rng(seed)
    onset = np.sort(random.uniform(0.2, seconds, count))
    length = random.uniform(0.05, 1.5, count)
    pitch = random.integers(40, 80, count)
    velocity = random.integers(20, 110, count)
    moved = random.normal(0, jitter, (2, count))
    other = np.where(random.random(count) < 0.1, random.integers(40, 80, count), pitch)
    estimated = np.clip(velocity + random.normal(0, 15, count), 1, 127).astype(np.int64)
    start = onset + moved[0]
    return (
        Notes.make(onset, onset + length, pitch, velocity),
        Notes.make(start, np.maximum(onset + length + moved[1], start + 0.01), other, estimated),
    )


REFERENCE = notes((1.0, 2.0, 60, 40), (1.0, 2.0, 64, 60), (3.0, 3.5, 60, 80), (4.0, 4.1, 72, 100))


def test_a_perfect_estimate_scores_one_everywhere() -> None:
    scores = asdict(scoring.score(REFERENCE, REFERENCE))
    assert scores.pop("median_deviation") == 0.0
    assert scores == pytest.approx(dict.fromkeys(scores, 1.0))


@pytest.mark.parametrize(
    ("reference", "estimate"),
    [(REFERENCE, Notes.empty()), (Notes.empty(), REFERENCE), (Notes.empty(), Notes.empty())],
)
def test_an_empty_side_scores_zero(reference: Notes, estimate: Notes) -> None:
    scores = asdict(scoring.score(reference, estimate))
    assert scores == dict.fromkeys(scores, 0.0)


def test_onsets_by_hand() -> None:
    # 60 found 40 ms late, 64 missed, the second 60 is 60 ms late (wrong), 72 found, 73 and 21 are invented:
    # 2 right of 5 estimated and 4 played.
    estimate = notes(
        (1.04, 2.0, 60, 40), (3.06, 3.5, 60, 80), (4.0, 4.1, 72, 100), (4.0, 4.1, 73, 100), (0.5, 0.6, 21, 9)
    )
    scores = scoring.score(REFERENCE, estimate)
    assert scores.onset_precision == 2 / 5
    assert scores.onset_recall == 2 / 4
    assert scores.onset_f1 == pytest.approx(4 / 9)  # 2 * 2 right of 5 + 4
    # Deviations 40, 60 and 0 ms: the median is 40 ms, after which all three are within 50 ms.
    assert scores.median_deviation == pytest.approx(0.04)
    assert scores.onset_f1_aligned == pytest.approx(6 / 9)


def test_a_shift_of_all_onsets_costs_the_plain_score_and_not_the_aligned_one() -> None:
    scores = scoring.score(REFERENCE, REFERENCE.shifted(0.07))
    assert scores.onset_f1 == 0.0
    assert scores.onset_f1_aligned == 1.0
    assert scores.median_deviation == pytest.approx(0.07)


def test_notes_before_0_s_are_scored_as_any_others() -> None:
    estimate = REFERENCE.shifted(0.03)
    moved = scoring.score(REFERENCE.shifted(-5.0), estimate.shifted(-5.0))
    assert asdict(moved) == pytest.approx(asdict(scoring.score(REFERENCE, estimate)), abs=0.01)
    assert scoring.score(REFERENCE, REFERENCE.shifted(-5.0)).frame_f1 < 0.5


def test_a_hundred_milliseconds_tell_whether_a_note_was_heard() -> None:
    # Deviations 0, 0, 0 and +80 ms: the median is 0, so the last is out at 50 ms and in at 100 ms.
    estimate = notes((1.0, 2.0, 60, 40), (1.0, 2.0, 64, 60), (3.0, 3.5, 60, 80), (4.08, 4.2, 72, 100))
    scores = scoring.score(REFERENCE, estimate)
    assert scores.onset_f1_aligned == 3 / 4
    assert scores.onset_f1_aligned_100ms == 1.0


def test_offsets_within_a_fifth_of_the_length_or_50_ms() -> None:
    # Lengths 1, 1, 0.5, 0.1 s allow 0.2, 0.2, 0.1, 0.05 s; the errors are 0.19, 0.21, 0.09, 0.04.
    estimate = notes((1.0, 2.19, 60, 40), (1.0, 1.79, 64, 60), (3.0, 3.59, 60, 80), (4.0, 4.14, 72, 100))
    scores = scoring.score(REFERENCE, estimate)
    assert scores.onset_f1 == 1.0
    assert scores.onset_offset_f1 == 3 / 4


def test_velocities_are_right_up_to_a_line() -> None:
    # Half of every velocity: mir_eval's regression forgives scale, so all are right.
    half = notes((1.0, 2.0, 60, 20), (1.0, 2.0, 64, 30), (3.0, 3.5, 60, 40), (4.0, 4.1, 72, 50))
    assert scoring.score(REFERENCE, half).onset_offset_velocity_f1 == 1.0
    # Loud where the player was soft, in no order: the best line is flat and misses the outer two by 0.5.
    mixed = notes((1.0, 2.0, 60, 70), (1.0, 2.0, 64, 30), (3.0, 3.5, 60, 30), (4.0, 4.1, 72, 70))
    assert scoring.score(REFERENCE, mixed).onset_offset_velocity_f1 < 1.0


def test_frames_by_hand() -> None:
    # Played: 60 at 0, 10, ..., 90 ms (10 frames). Heard: 60 at 50..140 ms (10) and 61 at 0..40 ms (5).
    # TP 5, FP 10, FN 5.
    reference = notes((0.0, 0.1, 60, 64))
    estimate = notes((0.05, 0.15, 60, 64), (0.0, 0.05, 61, 64))
    scores = scoring.score(reference, estimate)
    assert scores.frame_precision == pytest.approx(5 / 15)
    assert scores.frame_recall == pytest.approx(5 / 10)
    assert scores.frame_f1 == pytest.approx(0.4)  # 2 * (1/3 * 1/2) / (1/3 + 1/2)
    assert scores.frame_accuracy == pytest.approx(5 / 20)


def test_the_grid_ends_where_it_is_told() -> None:
    # The first 50 ms of 60, both ends counted: 0, 10, ..., 50 ms. All six are estimated, nothing is invented.
    reference, estimate = notes((0.0, 0.1, 60, 64)), notes((0.0, 0.06, 60, 64))
    assert scoring.score(reference, estimate, duration=0.05).frame_f1 == 1.0
    assert scoring.score(reference, estimate).frame_recall == pytest.approx(6 / 10)


def test_pooled_frames_equal_mir_eval_frame_by_frame() -> None:
    reference, estimate = random_notes(80, 6.0, seed=1, jitter=0.03)
    grid = np.arange(0.0, 8.0, matching.GRID)

    def listed(side: Notes) -> list[np.ndarray]:
        # +1e-7: the same half-open intervals, safe from the last bit of the grid's times.
        return [
            hertz(np.unique(side.pitch[(side.onset <= at + 1e-7) & (at + 1e-7 < side.offset)])) for at in grid
        ]

    precision, recall, accuracy, *_ = mir_eval.multipitch.metrics(
        grid, listed(reference), grid, listed(estimate)
    )
    ratios, pooled = matching.frame_ratios(reference, estimate)
    assert 0.5 < precision < 1.0
    assert (ratios.precision, ratios.recall, pooled) == pytest.approx((precision, recall, accuracy))


def test_velocities_equal_mir_eval_on_the_whole() -> None:
    for seed in range(5):
        reference, estimate = random_notes(250, 40.0, seed=seed, jitter=0.02)
        sides = [
            (np.stack([n.onset, n.offset], 1), hertz(n.pitch), n.velocity.astype(float))
            for n in (reference, estimate)
        ]
        wanted = mir_eval.transcription_velocity.precision_recall_f1_overlap(*sides[0], *sides[1])[:3]
        assert 0.02 < wanted[2] < 0.9
        assert matching.velocity_ratios(reference, estimate) == pytest.approx(wanted)


def test_an_hour_and_twelve_days_are_scored_in_little_memory() -> None:
    tracemalloc.start()
    played, heard = random_notes(6000, 3600.0, seed=3, jitter=0.01)
    assert 0.1 < scoring.score(played, heard).onset_f1 < 1.0
    far = notes((0.0, 1.0, 60, 64), (1e6, 1e6 + 9, 60, 70))
    assert scoring.score(notes((0.0, 1.0, 60, 64)), far).frame_precision == pytest.approx(0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize("offset_ratio", [None, 0.2])
def test_key_by_key_equals_mir_eval_on_the_whole(offset_ratio: float | None) -> None:
    reference, estimate = random_notes(300, 20.0, seed=2, jitter=0.04)
    precision, recall, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        np.stack([reference.onset, reference.offset], 1),
        hertz(reference.pitch),
        np.stack([estimate.onset, estimate.offset], 1),
        hertz(estimate.pitch),
        offset_ratio=offset_ratio,
    )
    assert 0.1 < f1 < 0.95
    found = matching.onset_ratios(reference, estimate, offset_ratio=offset_ratio)
    assert found == pytest.approx((precision, recall, f1))


def test_four_minutes_with_four_thousand_notes_take_seconds() -> None:
    reference, estimate = random_notes(4000, 240.0, seed=3, jitter=0.03)
    begin = time.process_time()
    scores = scoring.score(reference, estimate)
    assert time.process_time() - begin < 10.0  # about 2 s; room for a busy machine
    assert 0.5 < scores.onset_f1 < 0.95
