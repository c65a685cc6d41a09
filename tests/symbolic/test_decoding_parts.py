"""Evidence, candidates and options, each against something slower and more obvious."""

from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest
import torch
from oracles_decoding import TablePrior, every_candidate, nearest_step, peaks_of, random_table

from symbolic.clock import Clock
from symbolic.decoding.candidates import propose
from symbolic.decoding.cost import continuation_costs
from symbolic.decoding.decode import decode, decode_evidence
from symbolic.decoding.evidence import evidence_of, find_peaks, frames_clock, struck_evidence
from symbolic.decoding.options import DecodeOptions, Transitions
from symbolic.decoding.protocol import pad
from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import PriorCard


def heard(frames: int, seed: int = 0, *, onset: bool = True, start: float = 0.0) -> Posteriorgram:
    """Noise with plateaus and silence, 20 ms a frame."""
    generator = np.random.default_rng(seed)
    # Few levels, so that equal neighbours, which a float network rarely gives, happen all the time.
    planes = [(generator.integers(0, 5, size=(frames, 88)) / 4).astype(np.float32) for _ in range(2)]
    return Posteriorgram(
        planes[0], planes[1] if onset else None, None, None, hop=0.02, start=start, source="noise.wav"
    )


def test_peaks_are_those_found_frame_by_frame() -> None:
    for seed, frames in ((0, 60), (1, 1), (2, 2), (3, 7), (4, 0)):
        planes = heard(frames, seed).frame[:, :11]
        peaks = find_peaks(planes)
        found = sorted(zip(peaks.key, peaks.frame, peaks.value, peaks.place, strict=True))
        expected = [(key, *peak) for key in range(11) for peak in peaks_of(planes[:, key])]
        np.testing.assert_allclose(
            np.array(found).reshape(-1, 4), np.array(expected).reshape(-1, 4), atol=1e-9
        )


def test_a_plateau_has_its_peak_at_its_centre() -> None:
    line = np.array([0.0, 0.1, 0.8, 0.8, 0.8, 0.2, 0.0, 0.0, 0.5, 0.5, 0.0], dtype=np.float32)
    peaks = find_peaks(line[:, None])
    assert peaks.frame.tolist() == [3, 8] and peaks.value.tolist() == pytest.approx([0.8, 0.5])
    # (0.1*1 + 0.8*(2+3+4) + 0.2*5) / 2.7 and, over frames 5..11, (0.2*5 + 0.5*(8+9)) / 1.2
    assert peaks.place.tolist() == pytest.approx([8.3 / 2.7, 9.5 / 1.2])


@pytest.mark.parametrize("kind", ["frames", "beats"])
def test_every_step_gets_its_largest_peak(kind: str) -> None:
    clip = heard(110, seed=5, start=0.013)
    clock = frames_clock(clip, 0.05) if kind == "frames" else Clock.beats([0.0, 0.31, 0.9, 1.2, 1.69], 3)
    evidence = evidence_of(clip, clock, "struck")
    assert evidence.prob.shape == (len(clock), 88) and evidence.prob.dtype == np.float32
    taken = 0
    for key in range(88):
        best: dict[int, tuple[float, float, int]] = {}
        for frame, value, place in peaks_of(clip.onset[:, key]):
            seconds = 0.013 + 0.02 * place
            step = nearest_step(seconds, np.append(clock.times, clock.end))
            if step < len(clock) and (step not in best or value > best[step][0]):
                best[step] = (value, seconds, frame)
        for step, time in enumerate(clock.times):
            value, seconds, frame = best.get(step, (0.0, time, nearest_step(time, clip.times)))
            assert evidence.prob[step, key] == pytest.approx(value)
            assert evidence.time[step, key] == pytest.approx(seconds)
            assert evidence.frame[step, key] == frame
        taken += len(best)
    assert taken > 88


@pytest.mark.parametrize("step", [0.02, 0.04, 0.05, 0.007])
def test_a_step_sounds_as_the_frames_nearest_to_it_do_on_average(step: float) -> None:
    clip = heard(57, seed=6, start=0.2)
    clock = frames_clock(clip, step)
    evidence = evidence_of(clip, clock, "active")
    nearest = [nearest_step(time, clock.times) for time in clip.times]
    for row, time in enumerate(clock.times):
        frames = [f for f, s in enumerate(nearest) if s == row] or [nearest_step(time, clip.times)]
        np.testing.assert_allclose(evidence.prob[row], clip.frame[frames].mean(axis=0), atol=1e-6)
        assert (evidence.time[row] == time).all()


def test_the_clock_of_a_clip_reaches_its_last_frame() -> None:
    assert frames_clock(heard(101, start=0.5), 0.04).times[[0, -1]].tolist() == pytest.approx([0.5, 2.5])
    assert [len(frames_clock(heard(n), 0.04)) for n in (0, 1, 2, 3, 4)] == [0, 1, 2, 2, 3]


def test_an_hour_of_onsets_fits_in_little_memory() -> None:
    import tracemalloc

    onset = np.zeros((180_000, 88), dtype=np.float32)
    onset[::50] = 0.9
    tracemalloc.start()
    clock = Clock.frames(90_000, 0.04)
    evidence = struck_evidence(onset, 0.02 * np.arange(180_000), clock)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = evidence.prob.nbytes + evidence.time.nbytes + evidence.frame.nbytes
    assert (evidence.prob > 0).sum() == 3600 * 88
    assert peak - kept < 120e6  # bytes


@pytest.mark.parametrize(
    "options",
    [
        DecodeOptions(switchable=4, prune=inf, floor=0.0),
        DecodeOptions(switchable=5, prune=2.5, floor=0.2, temperature=1.7, note_penalty=0.4),
        DecodeOptions(switchable=0),
        DecodeOptions(switchable=9, prune=inf, note_penalty=-1.0),
        DecodeOptions(switchable=5, prune=6.0, note_penalty=-1.0, prior_weight=0.0),
        DecodeOptions(switchable=5, note_penalty=-1.0, centre=0.2, temperature=0.6),
    ],
)
def test_candidates_are_the_ranked_subsets_of_the_ambiguous_keys(options: DecodeOptions) -> None:
    generator = np.random.default_rng(0)
    probs = [generator.uniform(0.01, 0.99, size=(steps, 6)).astype(np.float32) for steps in (7, 4)]
    batch = pad([torch.tensor(prob) for prob in probs])
    for count in (64, 5):
        found = propose(batch, options, count)
        every = torch.arange(found.codes.shape[2]).expand(2, 7, -1).transpose(1, 2)
        rows, viable = found.chosen(every).transpose(1, 2), np.ones((2, 7), dtype=int)
        for clip, prob in enumerate(probs):
            for step, p in enumerate(prob):
                expected = every_candidate(p, options)[:count]
                cost = found.cost[clip, step]
                assert int(cost.isfinite().sum()) == len(expected)
                viable[clip, step] = len(expected)
                np.testing.assert_allclose(cost[: len(expected)], [c for c, _ in expected], atol=1e-4)
                assert [tuple(map(int, row)) for row in rows[clip, step, : len(expected)]] == [
                    row for _, row in expected
                ]
        np.testing.assert_array_equal(found.viable, viable)
        np.testing.assert_array_equal(found.base, rows[:, :, 0])


def test_a_step_past_the_end_of_a_clip_is_silent_and_free() -> None:
    batch = pad([torch.full((3, 2), 0.6), torch.full((1, 2), 0.6)])
    found = propose(batch, DecodeOptions(note_penalty=-9.0), 4)
    assert found.cost[1, 1:, 0].tolist() == [0.0, 0.0] and found.cost[1, 1:, 1:].isinf().all()
    assert not found.base[1, 1:].any() and found.base[0].all()


def test_continuation_costs_add_the_three_parts() -> None:
    cost, local = torch.tensor([[1.0, inf]]).double(), torch.tensor([[0.5, inf]])
    prior = torch.tensor([[[-2.0, -1.0], [-3.0, -inf]]])
    assert continuation_costs(cost, local, prior, 2.0).tolist() == [[[5.5, inf], [inf, inf]]]
    assert continuation_costs(cost, local, None, 0.0).tolist() == [[[1.5, inf], [inf, inf]]]


def test_posteriorgrams_of_unequal_length_decode_to_their_own_clocks() -> None:
    clips = [heard(30, 1), heard(50, 2), heard(1, 3)]
    for plane in ("struck", "active"):
        options = DecodeOptions(method="threshold", plane=plane, threshold=0.6)
        for clip, found in zip(clips, decode(clips, None, options), strict=True):
            evidence = evidence_of(clip, frames_clock(clip, 0.04), plane)
            np.testing.assert_array_equal(found.roll, evidence.prob > 0.6)
            np.testing.assert_array_equal(found.confidence, np.where(found.roll, evidence.prob, 0))
            np.testing.assert_array_equal(found.clock.times, frames_clock(clip, 0.04).times)


def test_a_posteriorgram_without_onsets_cannot_be_struck() -> None:
    with pytest.raises(NotebeamError, match=r"posteriorgram of noise\.wav: got 'no onset plane', expected"):
        decode([heard(5, onset=False)], None, DecodeOptions(method="threshold"))


def test_clocks_are_one_for_each_posteriorgram() -> None:
    clip, options = heard(20), DecodeOptions(method="threshold")
    with pytest.raises(NotebeamError, match=r"decode\(clocks\): got '0 clocks', expected 1, one"):
        decode([clip], None, options, clocks=[])
    beats = Clock.beats([0.0, 0.1, 0.25, 0.4], 2)
    assert decode([clip], None, options, clocks=[beats])[0].roll.shape == (7, 88)


def test_a_prior_is_asked_only_about_steps_like_those_it_learnt() -> None:
    prior = TablePrior(random_table(2, 0))
    clip = evidence_of(heard(20), Clock.frames(10, 0.04), "struck")
    clip = replace(clip, prob=clip.prob[:, :2], time=clip.time[:, :2], frame=clip.frame[:, :2])
    learnt: dict[str, Any] = {"name": "tiny", "model": "table", "options": {}, "visible": 2}
    learnt |= {"data": "", "licence": "", "command": ""}
    prior.card = PriorCard(**learnt, clock={"kind": "frames", "hop": 0.04}, plane="struck")
    assert decode_evidence([clip], prior, DecodeOptions())[0].roll.shape == (10, 2)
    with pytest.raises(NotebeamError, match=r"DecodeOptions\.plane: got 'active', expected 'struck', as the"):
        decode_evidence([clip], prior, DecodeOptions(plane="active"))
    prior.card = PriorCard(**learnt, clock={"kind": "frames", "hop": 0.05}, plane="struck")
    with pytest.raises(
        NotebeamError, match=r"DecodeOptions\.step: got 0\.04, expected 0\.05 s, as the prior"
    ):
        decode_evidence([clip], prior, DecodeOptions())
    prior.card = PriorCard(**learnt, clock={"kind": "beats", "divisions": 4}, plane="struck")
    with pytest.raises(
        NotebeamError, match=r"decode\(clocks\): got 'frames', expected 'beats', as the prior"
    ):
        decode_evidence([clip], prior, DecodeOptions())


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("method", "viterbi", "one of threshold, hmm, greedy, beam"),
        ("plane", "onset", "one of struck, active"),
        ("step", 0.0, "> 0"),
        ("step", nan, "> 0"),
        ("step", None, "a number"),
        ("prior_weight", "1", "a number"),
        ("look_back", -1, ">= 0"),
        ("prior_notes", 1.5, ">= 0"),
        ("threshold", 1.5, "probability"),
        ("floor", -0.1, "probability"),
        ("prior_weight", -1.0, ">= 0"),
        ("prior_weight", inf, "finite"),
        ("note_penalty", nan, "finite"),
        ("centre", 1.0, "below 1"),
        ("temperature", 0.0, "> 0"),
        ("beam_width", 0, ">= 1"),
        ("beam_width", 2.0, "integer"),
        ("candidates", 0, ">= 1"),
        ("switchable", 13, r"0\.\.12"),
        ("switchable", -1, r"0\.\.12"),
        ("prune", -1.0, ">= 0"),
        ("hash_steps", -1, ">= 0"),
        ("per_hash", True, ">= 1"),
        ("n_best", 0, ">= 1"),
        ("transitions", None, "Transitions"),
    ],
)
def test_a_bad_option_is_refused_by_name(name: str, value: object, expected: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(NotebeamError, match=rf"^DecodeOptions\.{name}: got .*, expected .*{expected}"):
        DecodeOptions(**given)


def test_bad_transitions_are_refused_by_name() -> None:
    with pytest.raises(NotebeamError, match=r"Transitions\.off_after_off: got \(1\.0,\), expected"):
        Transitions.tuned(1.0, 0.5)
    with pytest.raises(NotebeamError, match=r"Transitions\.off_after_on: got .*, expected one number"):
        Transitions(off_after_on=(0.5, 0.5))
    with pytest.raises(NotebeamError, match=r"Transitions\.off_after_on: got .*, expected 1 numbers"):
        Transitions(form="counted", off_after_off=(0.5,), off_after_on=(0.5, 0.5))
    with pytest.raises(NotebeamError, match=r"Transitions\.form: got 'guessed'"):
        Transitions(form="guessed")
    with pytest.raises(NotebeamError, match=r"Transitions\.counted\(rolls\): got \[\(1, 2\), \(1, 3\)\]"):
        Transitions.counted([np.zeros((1, 2), dtype=bool), np.zeros((1, 3), dtype=bool)])
