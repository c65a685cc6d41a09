"""Evidence, candidates and options, each against something slower and more obvious."""

from dataclasses import dataclass, replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest
import torch
from oracles_decoding import TablePrior, every_candidate, nearest_step, peaks_of, random_table

from symbolic.clock import Clock
from symbolic.decoding import decode as decode_module
from symbolic.decoding import options as options_module
from symbolic.decoding.candidates import propose
from symbolic.decoding.cost import acoustic_log_prob, continuation_costs
from symbolic.decoding.decode import DECODERS, decode, decode_evidence, register_decoder
from symbolic.decoding.evidence import evidence_of, find_peaks, frames_clock, struck_evidence
from symbolic.decoding.inputs import Clips, pad
from symbolic.decoding.options import METHODS, Beam, Greedy, Hmm, Threshold
from symbolic.decoding.results import BestRolls
from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior, PriorCard


def random_clip(frames: int, seed: int = 0, *, onset: bool = True, start: float = 0.0) -> Posteriorgram:
    """Noise with plateaus and silence, 20 ms a frame."""
    generator = np.random.default_rng(seed)
    # Few levels, so that equal neighbours, which a float network rarely gives, happen all the time.
    planes = [(generator.integers(0, 5, size=(frames, 88)) / 4).astype(np.float32) for _ in range(2)]
    return Posteriorgram(
        planes[0], planes[1] if onset else None, None, None, hop=0.02, start=start, source="noise.wav"
    )


def test_peaks_are_those_found_frame_by_frame() -> None:
    for seed, frames in ((0, 60), (1, 1), (2, 2), (3, 7), (4, 0)):
        planes = random_clip(frames, seed).frame[:, :11]
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
    # (0.1*1 + 0.8*(2+3+4) + 0.2*5) / 2.7 and, over frames 6..11, as it rises again before, (0.5*(8+9)) / 1.0
    assert peaks.place.tolist() == pytest.approx([8.3 / 2.7, 8.5])


@pytest.mark.parametrize(
    ("hop", "apart"), [(0.05, 3), (0.05, 2), (0.032, 3), (0.0464, 3), (0.02, 4), (0.01, 8)]
)
def test_strokes_that_lie_apart_keep_their_times_at_any_hop(hop: float, apart: int) -> None:
    onset = np.zeros((40, 88), dtype=np.float32)
    onset[[10, 10 + apart], 39] = 0.95, 0.6
    sound = np.zeros_like(onset)
    sound[10:30, 39] = 0.9
    clip = Posteriorgram(frame=sound, onset=onset, hop=hop)
    evidence = evidence_of(clip, frames_clock(clip), "struck")
    step = np.flatnonzero(evidence.prob[:, 39])
    assert evidence.time[step, 39].tolist() == pytest.approx([10 * hop, (10 + apart) * hop])


@pytest.mark.parametrize("kind", ["frames", "beats"])
def test_every_step_gets_its_largest_peak(kind: str) -> None:
    clip = random_clip(110, seed=5, start=0.013)
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
    clip = random_clip(57, seed=6, start=0.2)
    clock = frames_clock(clip, step)
    evidence = evidence_of(clip, clock, "active")
    nearest = [nearest_step(time, clock.times) for time in clip.times]
    for row, time in enumerate(clock.times):
        frames = [f for f, s in enumerate(nearest) if s == row] or [nearest_step(time, clip.times)]
        np.testing.assert_allclose(evidence.prob[row], clip.frame[frames].mean(axis=0), atol=1e-6)
        assert (evidence.time[row] == time).all()


def test_the_clock_of_a_clip_reaches_its_last_frame() -> None:
    assert frames_clock(random_clip(101, start=0.5), 0.04).times[[0, -1]].tolist() == pytest.approx(
        [0.5, 2.5]
    )
    assert [len(frames_clock(random_clip(n), 0.04)) for n in (0, 1, 2, 3, 4)] == [0, 1, 2, 2, 3]


def test_an_hour_of_onsets_fits_in_little_memory() -> None:
    import tracemalloc

    onset = np.zeros((180_000, 88), dtype=np.float32)
    onset[::50] = 0.9
    tracemalloc.start()
    clock = Clock.frames(90_000, 0.04)
    evidence = struck_evidence(onset, 0.02 * np.arange(180_000), clock)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = evidence.prob.nbytes + evidence.frame.nbytes
    assert (evidence.prob > 0).sum() == 3600 * 88
    assert peak - kept < 120e6  # bytes


@pytest.mark.parametrize(
    "options",
    [
        Beam(switchable=4, prune=inf, floor=0.0),
        Beam(switchable=5, prune=2.5, floor=0.2, temperature=1.7, note_penalty=0.4),
        Beam(switchable=0),
        Beam(switchable=9, prune=inf, note_penalty=-1.0),
        Beam(switchable=5, prune=6.0, note_penalty=-1.0, prior_weight=0.0),
        Beam(switchable=5, note_penalty=-1.0, centre=0.2, temperature=0.6),
    ],
)
def test_candidates_are_the_ranked_subsets_of_the_ambiguous_keys(options: Beam) -> None:
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
    found = propose(batch, Beam(note_penalty=-9.0), 4)
    assert found.cost[1, 1:, 0].tolist() == [0.0, 0.0] and found.cost[1, 1:, 1:].isinf().all()
    assert not found.base[1, 1:].any() and found.base[0].all()


def test_continuation_costs_add_the_three_parts() -> None:
    cost, local = torch.tensor([[1.0, inf]]).double(), torch.tensor([[0.5, inf]])
    prior = torch.tensor([[[-2.0, -1.0], [-3.0, -inf]]])
    assert continuation_costs(cost, local, prior, 2.0).tolist() == [[[5.5, inf], [inf, inf]]]
    assert continuation_costs(cost, local, None, 0.0).tolist() == [[[1.5, inf], [inf, inf]]]


def test_posteriorgrams_of_unequal_length_decode_to_their_own_clocks() -> None:
    clips = [random_clip(30, 1), random_clip(50, 2), random_clip(1, 3)]
    for plane in ("struck", "active"):
        given = clips if plane == "struck" else [replace(clip, onset=None) for clip in clips]
        for clip, found in zip(clips, decode(given, None, Threshold(threshold=0.6)), strict=True):
            assert found.plane == plane
            evidence = evidence_of(clip, frames_clock(clip, 0.04), plane)
            np.testing.assert_array_equal(found.roll, evidence.prob > 0.6)
            np.testing.assert_array_equal(found.confidence, np.where(found.roll, evidence.prob, 0))
            np.testing.assert_array_equal(found.clock.times, frames_clock(clip, 0.04).times)


def test_a_posteriorgram_without_onsets_cannot_be_struck() -> None:
    with pytest.raises(NotebeamError, match=r"posteriorgram of noise\.wav: got 'no onset plane', expected"):
        decode(random_clip(5, onset=False), "event-rnn-nade/piano", Beam())


def test_clocks_are_one_for_each_posteriorgram() -> None:
    clip, options = random_clip(20), Threshold()
    with pytest.raises(NotebeamError, match=r"decode\(clocks\): got '0 clocks', expected 1, one"):
        decode([clip], None, options, clocks=[])
    beats = Clock.beats([0.0, 0.1, 0.25, 0.4], 2)
    with pytest.raises(NotebeamError, match=r"decode\(clocks\): got 'Clock.*', expected 1, one"):
        decode([clip], None, options, clocks=beats)  # type: ignore[call-overload]
    assert decode([clip], None, options, clocks=[beats])[0].roll.shape == (7, 88)
    assert decode(clip, None, options, clocks=beats).roll.shape == (7, 88)


def test_a_prior_is_asked_only_about_steps_like_those_it_learnt() -> None:
    prior = TablePrior(random_table(2, 0))
    clip = evidence_of(random_clip(20), Clock.frames(10, 0.04), "struck")
    clip = replace(clip, prob=clip.prob[:, :2], time=clip.time[:, :2], frame=clip.frame[:, :2])
    learnt: dict[str, Any] = {"name": "tiny", "model": "table", "options": {}, "visible": 2}
    learnt |= {"data": "", "licence": "", "command": ""}
    prior.card = PriorCard(**learnt, clock={"kind": "frames", "hop": 0.04}, plane="struck")
    assert decode_evidence([clip], prior, Beam())[0].roll.shape == (10, 2)
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got .*'active'.*, expected 'struck', as the"):
        decode_evidence([replace(clip, plane="active")], prior, Beam())
    prior.card = PriorCard(**learnt, clock={"kind": "frames", "hop": 0.05}, plane="struck")
    with pytest.raises(
        NotebeamError, match=r"decode\(clocks\): got 'steps of 0\.04 s', expected 0\.05 s, as the prior"
    ):
        decode_evidence([clip], prior, Beam())
    prior.card = PriorCard(**learnt, clock={"kind": "beats", "divisions": 4}, plane="struck")
    with pytest.raises(
        NotebeamError, match=r"decode\(clocks\): got 'steps of frames', expected beats, as the prior"
    ):
        decode_evidence([clip], prior, Beam())


@pytest.mark.parametrize(
    ("options", "name", "value", "expected"),
    [
        (Beam, "prior_weight", "1", r"a number 0\.\.1000000"),
        (Beam, "look_back", -1, ">= 0"),
        (Beam, "prior_notes", 1.5, r"0\.\.88"),
        (Threshold, "threshold", 1.5, "probability"),
        (Threshold, "threshold", nan, "probability"),
        (Hmm, "floor", -0.1, "probability"),
        (Greedy, "prior_weight", -1.0, r"0\.\.1000000"),
        (Hmm, "prior_weight", inf, r"0\.\.1000000"),
        (Hmm, "prior_weight", 1e7, r"0\.\.1000000"),
        (Beam, "note_penalty", nan, r"-10000000\.\.10000000"),
        (Beam, "note_penalty", -1e39, r"-10000000\.\.10000000"),
        (Beam, "centre", 1.0, "below 1"),
        (Beam, "temperature", 0.0, r"1e-06\.\.1000000"),
        (Beam, "temperature", None, r"1e-06\.\.1000000"),
        (Beam, "width", 0, r"1\.\.4096"),
        (Beam, "width", 5000, r"1\.\.4096"),
        (Beam, "width", 2.0, "integer"),
        (Beam, "candidates", 0, r"1\.\.4096"),
        (Beam, "candidates", 100_000, r"1\.\.4096"),
        (Beam, "switchable", 13, r"0\.\.12"),
        (Greedy, "switchable", -1, r"0\.\.12"),
        (Beam, "prune", -1.0, ">= 0"),
        (Beam, "hash_steps", -1, ">= 0"),
        (Beam, "per_hash", True, ">= 1"),
        (Beam, "n_best", 0, ">= 1"),
        (Beam, "n_best", 9, r"1\.\.8, the width at most"),
        (Beam, "partition_temperatures", 0, ">= 1"),
        (Beam, "partition_runs", 1, ">= 2"),
        (Greedy, "cuda_graphs", 1, "True or False"),
        (Hmm, "off_after_off", 1.0, "above 0 and below 1"),
        (Hmm, "off_after_on", (), "above 0 and below 1"),
        (Hmm, "off_after_on", (0.5, "a"), "above 0 and below 1"),
    ],
)
def test_a_bad_option_is_refused_by_name(options: type[Any], name: str, value: object, expected: str) -> None:
    match = rf"^{options.__name__}\.{name}: got .*, expected .*{expected}"
    with pytest.raises(NotebeamError, match=match):
        options(**{name: value})


@pytest.mark.parametrize(
    ("options", "name"), [(Threshold, "width"), (Hmm, "candidates"), (Greedy, "width"), (Beam, "threshold")]
)
def test_a_field_that_a_method_does_not_read_is_a_type_error(options: type[Any], name: str) -> None:
    with pytest.raises(TypeError, match=name):
        options(**{name: 1})


def test_bad_transitions_are_refused_by_name() -> None:
    with pytest.raises(NotebeamError, match=r"Hmm\.off_after_on: got .*, expected as many numbers"):
        Hmm(off_after_off=(0.5,), off_after_on=(0.5, 0.5))
    with pytest.raises(NotebeamError, match=r"Hmm\.counted\(rolls\): got \['bool \(1, 2\)', 'bool"):
        Hmm.counted([np.zeros((1, 2), dtype=bool), np.zeros((1, 3), dtype=bool)])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([np.zeros((5, 88))],), r"decode\(posteriorgrams\)\[0\]: got 'a ndarray', expected a Posteriorgram"),
        ((np.zeros((5, 88)),), r"decode\(posteriorgrams\): got 'a ndarray', expected a Posteriorgram"),
        (("a.npz",), r"decode\(posteriorgrams\): got 'a str', expected a Posteriorgram"),
        ((random_clip(5), "no-such-prior"), r"load_prior: got 'no-such-prior', expected a prior's name"),
        ((random_clip(5), 3), r"decode\(prior\): got 'a int', expected a Prior, its name"),
        ((random_clip(5), None, "beam"), r"decode\(options\): got 'beam', expected options: Threshold, Hmm"),
        (
            (random_clip(5), TablePrior(random_table(2, 0)), Hmm()),
            r"decode\(prior\): got 'a prior', expected None",
        ),
        (
            (random_clip(5), "lstm-nade/jsb"),
            r"decode\(clocks\): got None, expected clocks of beats, as the prior",
        ),
        ((random_clip(0),), r"posteriorgram of noise\.wav: got '0 frames', expected at least 1"),
        (
            (replace(random_clip(0), source=""),),
            r"^posteriorgram: got '0 frames', expected at least 1",
        ),
    ],
)
def test_a_wrong_argument_says_what_was_expected(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        decode(*given)


def test_one_clip_is_the_list_of_one_and_arrays_may_be_tensors() -> None:
    clip = random_clip(40, 3)
    tensors = Posteriorgram(
        frame=torch.tensor(clip.frame).double(), onset=torch.tensor(clip.onset), hop=0.02, start=0.0
    )
    (one,), single, other = decode([clip]), decode(clip), decode(tensors)
    for found in (single, other):
        np.testing.assert_array_equal(one.rolls, found.rolls)
        np.testing.assert_array_equal(one.costs, found.costs)


def test_a_prior_sets_plane_and_steps() -> None:
    found = decode(random_clip(60), "event-rnn-nade/piano", Beam(prior_weight=0.1))
    assert found.plane == "struck" and np.diff(found.clock.times)[0] == pytest.approx(0.04)
    assert found.prior_log_prob is not None
    beats = Clock.beats([0.0, 0.5, 1.0], 1)
    assert decode(random_clip(60), "lstm-nade/jsb", Beam(), clocks=beats).plane == "active"


def test_a_registered_decoder_is_called_for_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options_module, "METHODS", dict(METHODS))
    monkeypatch.setattr(decode_module, "METHODS", options_module.METHODS)
    monkeypatch.setattr(decode_module, "DECODERS", dict(DECODERS))

    @dataclass(frozen=True)
    class Loudest:
        keys: int

    def loudest(clips: Clips, prior: Prior | None, options: Loudest) -> BestRolls:
        rolls = clips.prob >= clips.prob.topk(options.keys, dim=2).values[..., -1:]
        none = torch.zeros(len(rolls), 1, dtype=torch.float64)
        return BestRolls(rolls[:, None], none, acoustic_log_prob(rolls[:, None], clips.prob))

    register_decoder("loudest", Loudest, loudest, reads_prior=False)
    prob = np.tile(np.linspace(0, 1, 88, dtype=np.float32), (4, 1))
    found = decode(Posteriorgram(frame=prob, hop=0.04), None, Loudest(keys=3))
    assert found.roll.sum(1).tolist() == [3] * 4 and found.roll[:, -3:].all()
    with pytest.raises(NotebeamError, match=r"register_decoder: got 'loudest for Loudest'"):
        register_decoder("loudest", Loudest, loudest)


def test_times_of_peaks_are_told_for_any_index() -> None:
    clip = random_clip(110, seed=5, start=0.013)
    evidence = evidence_of(clip, frames_clock(clip, 0.05), "struck")
    whole = evidence.time[:]
    assert whole.shape == evidence.time.shape == evidence.prob.shape
    peaks = find_peaks(clip.onset)
    assert set(whole[evidence.prob > 0]) <= set(np.interp(peaks.place, np.arange(110), clip.times))
    steps = np.broadcast_to(evidence.clock.times[:, None], whole.shape)
    assert (whole[evidence.prob == 0] == steps[evidence.prob == 0]).all()
    where = np.nonzero(evidence.prob > 0.5)
    for at in (where, np.s_[3], np.s_[2:9, 5], (4, 7), (np.empty(0, int), np.empty(0, int))):
        np.testing.assert_array_equal(evidence.time[at], whole[at])
