"""Offsets, velocities and lengths of notes on planes drawn by hand."""

import time
from dataclasses import replace

import numpy as np
import pytest
from oracles_transcribe import assert_same_notes, ideal, notes

from symbolic.clock import Clock, PianoRoll
from symbolic.decoding.decode import decode
from symbolic.decoding.options import Beam
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe.tracking import TrackOptions, runs, struck_notes, track_notes

HOP = 0.02
KEY = 39  # C4, MIDI 60


def planes(frame: list[float], *, offset: list[float] | None = None) -> Posteriorgram:
    """One key's frame plane and offset plane, 20 ms a frame; all other keys are silent."""

    def plane(level: list[float]) -> np.ndarray:
        whole = np.zeros((len(level), 88), dtype=np.float32)
        whole[:, KEY] = level
        return whole

    return Posteriorgram(
        plane(frame),
        None,
        None if offset is None else plane(offset),
        None,
        hop=HOP,
        duration=len(frame) * HOP,
    )


def tracked(
    posteriorgram: Posteriorgram, frames: list[int], options: TrackOptions | None = None, onset: float = 0.0
) -> Notes:
    """Notes of strokes of the one key at `frames`, each `onset` seconds after its frame's centre."""
    at = np.array(frames)
    return struck_notes(
        np.full(len(at), KEY),
        at * HOP + onset,
        at,
        np.full(len(at), 0.8),
        posteriorgram,
        options or TrackOptions(),
    )


def test_a_note_ends_where_its_level_falls_through_the_threshold() -> None:
    # 0.9 at frame 4, 0.1 at frame 5: 0.5 lies half way, at frame 4.5.
    found = tracked(planes([0.0, 0.9, 0.9, 0.9, 0.9, 0.1, 0.0, 0.0, 0.0]), [1])
    assert found.onset.tolist() == [pytest.approx(0.02)]
    assert found.offset.tolist() == [pytest.approx(4.5 * HOP)]


def test_a_gap_shorter_than_two_frames_is_bridged_and_a_longer_one_is_not() -> None:
    one = tracked(planes([0.9, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1]), [0])
    two = tracked(planes([0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1]), [0])
    assert one.offset.tolist() == [pytest.approx(4.5 * HOP)]
    # One silent frame is enough where the recording ends.
    assert tracked(planes([0.9, 0.9, 0.1]), [0]).offset.tolist() == [pytest.approx(1.5 * HOP)]
    assert two.offset.tolist() == [pytest.approx(1.5 * HOP)]


def test_the_next_stroke_of_the_key_ends_a_note() -> None:
    found = tracked(planes([0.9] * 10 + [0.0] * 5), [0, 4], onset=0.003)
    assert found.onset.tolist() == pytest.approx([0.003, 0.083])
    assert found.offset.tolist() == pytest.approx([0.083, 9.5 * HOP - 0.5 * HOP + HOP * (0.9 - 0.5) / 0.9])


def test_an_offset_peak_ends_a_note_only_while_it_falls() -> None:
    level = [0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.55, 0.52, 0.0, 0.0]
    falling = [0.0] * 5 + [0.9] + [0.0] * 5
    level_still = [0.0] * 2 + [0.9] + [0.0] * 8
    assert tracked(planes(level, offset=falling), [0]).offset.tolist() == [pytest.approx(5 * HOP)]
    assert tracked(planes(level, offset=level_still), [0]).offset[0] > 8 * HOP


def test_the_frame_plane_may_light_up_late() -> None:
    # Struck at 0, seen to sound from 60 ms: within the lead, so the note lasts to the end of the light.
    late = planes([0.0, 0.1, 0.2, 0.9, 0.9, 0.9, 0.1, 0.0, 0.0])
    assert tracked(late, [0]).offset.tolist() == [pytest.approx(5.5 * HOP)]
    assert tracked(late, [0], TrackOptions(lead=0.04)).offset.tolist() == [pytest.approx(0.03)]


def test_keys_go_up_before_their_notes_end() -> None:
    sounding = planes([0.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.0, 0.0])
    held = planes([0.0, 0.9, 0.9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0]).frame
    found = tracked(replace(sounding, held=held), [1])
    assert found.offset.tolist() == [pytest.approx(5.5 * HOP)]
    assert found.key_offset is not None and found.key_offset.tolist() == [pytest.approx(2.5 * HOP)]
    # A key is never held beyond its note, and 30 ms at least.
    long = tracked(replace(sounding, held=np.ones_like(held)), [1])
    short = tracked(replace(sounding, held=np.zeros_like(held)), [1])
    assert long.key_offset is not None and long.key_offset.tolist() == long.offset.tolist()
    assert short.key_offset is not None and short.key_offset.tolist() == [pytest.approx(HOP + 0.03)]
    assert tracked(sounding, [1]).key_offset is None


def test_a_note_that_never_sounds_gets_the_least_length() -> None:
    assert tracked(planes([0.0] * 8), [2]).offset.tolist() == [pytest.approx(0.04 + 0.03)]


def test_a_note_held_past_the_end_ends_with_the_recording() -> None:
    # 5 frames, centres 0..80 ms: the last one ends half a hop later.
    assert tracked(planes([0.9] * 5), [0]).offset.tolist() == [pytest.approx(0.09)]


def test_strokes_in_one_place_never_make_a_note_of_no_length() -> None:
    found = tracked(planes([0.9] * 6 + [0.0] * 4), [1, 1])
    assert len(found) == 1


def test_min_note_drops_ghosts_and_shift_moves_onsets() -> None:
    # 20 + 10 ms of light, and 80 ms after it.
    level = [0.9, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1]
    found = tracked(planes(level), [0, 4], TrackOptions(min_note=0.05))
    assert found.onset.tolist() == pytest.approx([0.08])
    moved = tracked(planes(level), [0, 4], TrackOptions(onset_shift=-0.01))
    assert moved.onset.tolist() == pytest.approx([0.0, 0.07])  # time 0 is where the recording begins


def test_velocity_is_read_at_the_peak_and_64_where_there_is_none() -> None:
    played = notes((0.1, 0.5, 60, 33), (0.5, 0.9, 60, 101), (0.2, 0.6, 72, 127))
    posteriorgram = ideal(played)
    key = played.pitch - 21
    order = np.lexsort((played.onset, key))
    at = (played.onset, np.round(played.onset / HOP).astype(int), np.full(3, 0.9))
    found = struck_notes(key[order], *(column[order] for column in at), posteriorgram, TrackOptions())
    assert_same_notes(found, played, seconds=HOP)
    assert tracked(planes([0.9] * 4), [0]).velocity.tolist() == [64]


def test_confidence_is_the_onsets_probability() -> None:
    confidence = tracked(planes([0.9] * 4), [0]).confidence
    assert confidence is not None
    assert confidence.tolist() == pytest.approx([0.8])


def test_confidence_is_the_posterior_of_a_prior_that_sees_the_piece() -> None:
    given = ideal(notes((0.5, 0.9, 60, 80), (1.0, 1.5, 64, 80)))
    decoding = decode(given, None, Beam())
    assert decoding.roll.sum() == 2
    posterior = np.where(decoding.roll, np.float32(0.75), np.float32(0.25))
    found = track_notes(replace(decoding, posterior=posterior), given, TrackOptions())
    assert_same_notes(found, track_notes(decoding, given, TrackOptions()), seconds=0.0)
    assert found.confidence is not None and (found.confidence == 0.75).all()


def test_runs_of_sounding_steps_are_notes() -> None:
    played = notes((0.2, 0.6, 60, 50), (0.4, 1.0, 64, 90), (2.0, 2.6, 60, 20))
    exact = ideal(played)
    posteriorgram = replace(exact, frame=exact.frame / 3)
    clock = Clock.frames(70, 0.04)
    active = np.zeros((70, 88), dtype=np.bool_)
    active[5:15, KEY] = True  # 0.2 .. 0.6 s
    active[10:25, KEY + 4] = True  # 0.4 .. 1.0 s
    active[50:65, KEY] = True  # 2.0 .. 2.6 s
    found = runs(PianoRoll(active, clock), posteriorgram, TrackOptions())
    assert_same_notes(found, played, seconds=1e-9)
    assert found.confidence is not None
    assert found.confidence.tolist() == pytest.approx([0.3, 0.3, 0.3], abs=1e-6)


def test_an_hour_of_36000_notes_takes_seconds() -> None:
    random = np.random.default_rng(0)
    level = random.random((180_000, 88), dtype=np.float32)
    posteriorgram = Posteriorgram(level, None, level, None, hop=HOP, duration=3600.0)
    key = np.sort(random.integers(0, 88, 36_000))
    frame = random.integers(0, 180_000, 36_000)
    frame = frame[np.lexsort((frame, key))]
    begin = time.process_time()
    found = struck_notes(key, frame * HOP, frame, np.full(36_000, 0.9), posteriorgram, TrackOptions())
    assert time.process_time() - begin < 6.0  # about 1 s; room for a busy machine
    assert len(found) > 35_000


@pytest.mark.parametrize(
    ("name", "value"),
    [("frame_threshold", 1.5), ("gap", -0.1), ("min_note", float("nan")), ("onset_shift", np.inf)],
)
def test_options_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(NotebeamError, match=rf"TrackOptions\.{name}: got .*, expected"):
        TrackOptions(**{name: value})
