"""Streams: the rolls of whole clips, in bounded memory; and what streams and decoders refuse."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
import torch
from oracles_decoding import (
    PRUNED,
    TablePrior,
    as_greedy,
    evidence,
    loud_prior,
    random_table,
    sparse_clips,
)

from symbolic.clock import Clock
from symbolic.decoding.cost import acoustic_log_prob
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.inputs import Clips
from symbolic.decoding.options import Beam, Greedy
from symbolic.decoding.streaming import Stream, Window
from symbolic.errors import NotebeamError
from symbolic.priors.loading import load_prior
from symbolic.priors.registry import build_prior


@pytest.mark.parametrize("look_back", [40, 200])
def test_a_stream_that_looks_back_far_enough_finds_what_the_whole_clip_does(look_back: int) -> None:
    clips, prior = sparse_clips(8, (150, 97, 160, 40, 12, 41), keys=6), loud_prior(6)
    whole = decode_evidence(clips, prior, PRUNED)
    streamed = decode_evidence(clips, prior, replace(PRUNED, look_back=look_back))
    for one, other in zip(whole, streamed, strict=True):
        np.testing.assert_array_equal(one.rolls, other.rolls)
        np.testing.assert_allclose(one.costs, other.costs, atol=1e-4)
        assert one.prior_log_prob is not None and other.prior_log_prob is not None
        np.testing.assert_allclose(one.prior_log_prob, other.prior_log_prob, atol=1e-4)


@pytest.mark.parametrize("look_back", [3, 11, 64])
def test_blocks_of_many_clips_are_those_of_each_clip(look_back: int) -> None:
    # The last clip leaves fewer hypotheses than are asked for.
    clips = [*sparse_clips(20, (70, 41, 12, 66, 5), keys=6, doubt=0.7), evidence(np.full((30, 6), 0.001))]
    options, prior = replace(PRUNED, look_back=look_back, hash_steps=6), loud_prior(6)
    together = decode_evidence(clips, prior, options)
    assert {len(found.rolls) for found in together} > {1}
    for clip, found in zip(clips, together, strict=True):
        alone = decode_evidence([clip], prior, options)[0]
        np.testing.assert_array_equal(found.rolls, alone.rolls)
        np.testing.assert_allclose(found.costs, alone.costs, atol=1e-4)
        np.testing.assert_allclose(found.confidence, alone.confidence, atol=1e-4)
        # The cost of every roll is that of its log-probabilities.
        rolls = torch.from_numpy(found.rolls).float()
        expected = prior.sequence_log_prob(rolls, torch.ones(rolls.shape[:2], dtype=torch.bool)).sum(1)
        np.testing.assert_allclose(found.prior_log_prob, expected.detach(), atol=1e-3)  # type: ignore[arg-type]
        np.testing.assert_allclose(
            found.costs, -found.acoustic_log_prob - expected.detach().numpy(), atol=1e-3
        )


def test_what_a_short_look_back_makes_impossible_is_named_with_its_step() -> None:
    # Key 0 stays as it was at first, and keys 0 and 1 never sound together. On is likelier for key 0, and key
    # 1 comes when all is settled.
    chance = np.zeros((4, 4, 4))
    chance[:, 0, 0], chance[:, 0, 2], chance[:, 1, 1], chance[:, 2, 0] = 0.5, 0.5, 1.0, 1.0
    chance[0, 0, :3] = 0.3, 0.4, 0.3  # as before the first step, or where nothing sounded for long
    chance[0, 0, 3], chance[0, 1, 1] = 0.0, 1.0
    with np.errstate(divide="ignore"):
        table = np.log(chance)
    prob = np.full((12, 2), 0.0001)
    prob[:, 0], prob[8] = 0.7, (0.0001, 0.9999)
    options = replace(PRUNED, floor=0.0, prune=8.0, switchable=2)
    assert decode_evidence([evidence(prob)], TablePrior(table), options)[0].roll[8, 1]
    with pytest.raises(NotebeamError, match=r"decode\(prior\): clip 0, step 8: got 'no candidate of prob"):
        decode_evidence([evidence(prob)], TablePrior(table), replace(options, look_back=4))


def test_a_stream_settles_rows_in_time_and_forgets_them() -> None:
    (clip,), prior = sparse_clips(9, (300,), keys=6, doubt=1.0), loud_prior(6)
    options = replace(PRUNED, hash_steps=0, look_back=12)
    stream, rows = Stream(prior, options), []
    for start in range(0, 300, 7):
        with torch.inference_mode():
            done = stream.push(torch.from_numpy(clip.prob[start : start + 7]))
        rows.append(done.roll)
        settled = sum(map(len, rows))
        assert min(300, start + 7) - settled <= 12
        assert stream.window is not None
        assert sum(pointers.steps for _, pointers in stream.window.parts) <= 12 + 7
        assert (done.confidence[~done.roll] == 0).all() and (done.confidence[done.roll] > 0).all()
        np.testing.assert_allclose(done.clock.times, 0.04 * np.arange(settled - len(done.roll), settled))
        np.testing.assert_array_equal(done.evidence.prob, clip.prob[settled - len(done.roll) : settled])
    last = stream.finish()
    whole = torch.from_numpy(np.concatenate([*rows, last.roll]))
    assert whole.shape == (300, 6)
    # What was settled costs what the stream says.
    mask = torch.ones(1, 300, dtype=torch.bool)
    expected = prior.sequence_log_prob(whole[None].float(), mask).detach().sum()
    assert last.prior_log_prob is not None
    assert last.prior_log_prob[0] == pytest.approx(float(expected), abs=1e-2)
    acoustic = acoustic_log_prob(whole[None, None], torch.from_numpy(clip.prob)[None])
    assert last.acoustic_log_prob[0] == pytest.approx(float(acoustic), abs=1e-2)
    assert last.costs[0] == pytest.approx(-float(acoustic) - float(expected), abs=1e-2)


def test_a_clip_that_is_over_does_not_keep_the_others_steps() -> None:
    clips = sparse_clips(19, (300, 120, 9), keys=6, doubt=0.5)
    probs, lengths = torch.zeros(3, 300, 6), torch.tensor([300, 120, 9])
    for row, clip in enumerate(clips):
        probs[row, : len(clip.prob)] = torch.from_numpy(clip.prob)
    window = Window(3, 6, loud_prior(6), replace(PRUNED, look_back=15), torch.device("cpu"))
    for begin in range(0, 300, 15):
        left = (lengths - begin).clamp(0, 15)
        block = Clips(probs[:, begin : begin + 15], tuple(left.tolist()))
        with torch.inference_mode():
            view, _ = window.push(block, (left > 0) & (lengths <= begin + 15))
        assert view.start + view.rolls.shape[2] == begin + 15
        assert sum(pointers.steps for _, pointers in window.parts) <= 30


@pytest.mark.parametrize(
    ("prob", "message"),
    [
        (np.full((4, 6), 1.5, dtype=np.float32), "got '1.5 at step 0, key 0', expected probabilities 0..1"),
        (np.full((4, 6), np.nan, dtype=np.float32), "got 'nan at step 0, key 0'"),
        (np.full((4, 6, 1), 0.5, dtype=np.float32), r"got 'shape \(4, 6, 1\)', expected \(T, 6\)"),
        (np.full((4, 5), 0.5, dtype=np.float32), r"got 'shape \(4, 5\)', expected \(T, 6\)"),
        (np.full((4, 6), 1), "got 'int64', expected probabilities as float32"),
        (np.zeros((0, 6), dtype=np.float32), "got '0 steps', expected at least 1"),
    ],
)
def test_evidence_that_is_none_is_refused(prob: np.ndarray, message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        Stream(loud_prior(6), replace(PRUNED, look_back=5, prior_weight=0.0)).push(torch.from_numpy(prob))
    if prob.shape[1:] == (5,):
        return  # decode takes any number of keys that the prior has
    clip = Evidence(
        prob, np.zeros(prob.shape), np.zeros(prob.shape, dtype=np.int32), Clock.frames(len(prob), 0.04)
    )
    with pytest.raises(NotebeamError, match=r"decode_evidence\(clips\)\[1\]\.prob: got"):
        decode_evidence([sparse_clips(0, (3,), 6)[0], clip], None, replace(PRUNED, prior_weight=0.0))


def test_what_rounding_adds_to_a_probability_is_taken_off() -> None:
    rows = []
    for ones in (1.0, 1.0000001):
        stream = Stream(None, replace(PRUNED, look_back=3, prior_weight=0.0))
        stream.push(np.full((4, 88), ones, dtype=np.float64))
        rows.append(stream.finish().acoustic_log_prob)
    np.testing.assert_array_equal(*rows)


def test_a_stream_names_the_step_at_which_a_prior_rules_everything_out() -> None:
    table = random_table(3, 12)
    table[:, 5] = -inf  # nothing follows row 5
    prob = np.full((9, 3), 0.001)
    prob[6] = [0.9999, 0.0001, 0.9999]
    options = replace(PRUNED, prune=1.0, look_back=4)
    with pytest.raises(NotebeamError, match=r"Stream, step 7: got 'no candidate of probability"):
        stream = Stream(TablePrior(table), options)
        for start in (0, 4):
            stream.push(evidence(prob).prob[start : start + 4])


RULED_OUT = replace(PRUNED, prune=1.0)


@pytest.mark.parametrize(
    "options",
    [RULED_OUT, replace(RULED_OUT, look_back=4), as_greedy(RULED_OUT), replace(RULED_OUT, hash_steps=0)],
)
def test_a_prior_that_rules_everything_out_is_named_with_the_step(options: Beam | Greedy) -> None:
    table = random_table(3, 12)
    table[:, 5] = -inf  # nothing follows row 5
    prob = np.full((9, 3), 0.001)
    prob[6] = [0.9999, 0.0001, 0.9999]
    with pytest.raises(NotebeamError, match=r"decode\(prior\): clip 1, step 7: got 'no candidate of prob"):
        decode_evidence([evidence(prob[:5]), evidence(prob)], TablePrior(table), options)


def test_a_stream_is_as_particular_about_its_prior_as_decode() -> None:
    options = replace(PRUNED, look_back=100)
    clip = sparse_clips(16, (60,), keys=6)[0]
    with pytest.raises(NotebeamError, match=r"Stream\(options\): got 'a Greedy', expected a Beam"):
        Stream(loud_prior(6), as_greedy(options))  # type: ignore[arg-type]
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got 'a prior in float64', expected float32"):
        Stream(loud_prior(6).double(), options)
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got 'a int', expected a Prior"):
        Stream(6, options)  # type: ignore[arg-type]
    # An RBM's log Z is put back, and a prior without weight is not called.
    torch.manual_seed(3)
    rbm = build_prior("rnn-rbm", {"visible": 6, "units": 8, "hidden": 5}).eval()
    for prior, weight in ((rbm, 1.0), (loud_prior(6), 0.0)):
        settings = replace(options, prior_weight=weight)
        with Stream(prior, settings) as stream:
            rows = [stream.push(clip.prob[start : start + 20]).roll for start in (0, 20, 40)]
        last = stream.rest
        assert last is not None
        whole = decode_evidence([clip], prior, replace(settings, look_back=0))[0]
        np.testing.assert_array_equal(np.concatenate([*rows, last.roll]), whole.roll)
        assert last.costs[0] == pytest.approx(whole.costs[0], abs=1e-3)
        assert last.acoustic_log_prob[0] == pytest.approx(whole.acoustic_log_prob[0], abs=1e-3)


def test_a_stream_has_the_steps_and_the_plane_of_its_priors_card() -> None:
    options = replace(PRUNED, look_back=5)
    quiet = np.full((20, 88), 0.001, dtype=np.float32)
    for prior, plane, start, times in (
        ("event-rnn-nade/piano", "struck", 1.5, 1.5 + 0.04 * np.arange(20)),
        (load_prior("lstm-nade/jsb"), "active", 8.0, 8.0 + np.arange(20)),
        (None, "struck", 0.0, 0.04 * np.arange(20)),
    ):
        with Stream(prior, options, start=start) as stream:
            done = stream.push(quiet)
        assert stream.rest is not None and done.plane == stream.rest.plane == plane
        np.testing.assert_allclose(np.concatenate([done.clock.times, stream.rest.clock.times]), times)


def test_a_stream_ends_once() -> None:
    with Stream(None, replace(PRUNED, look_back=5)) as stream:
        pass
    assert stream.rest is not None and stream.rest.roll.shape == (0, 88)
    with pytest.raises(NotebeamError, match=r"Stream\.push: got \"a block after the clip's end\", expected"):
        stream.push(np.zeros((1, 88), dtype=np.float32))
    with pytest.raises(NotebeamError, match=r"Stream\.finish: got 'a second end'"):
        stream.finish()


def test_an_error_in_the_block_of_a_stream_is_not_followed_by_another() -> None:
    with pytest.raises(RuntimeError, match="mine"), Stream(None, replace(PRUNED, look_back=5)) as stream:
        raise RuntimeError("mine")
    assert stream.rest is None


def test_a_stream_refuses_what_is_no_block() -> None:
    stream = Stream(loud_prior(6), replace(PRUNED, look_back=10))
    for block, message in (
        ([[0.5] * 6], "got 'a list', expected a tensor or an array"),
        (np.zeros((2, 6), dtype=object), "got 'object', expected probabilities as float32"),
        (torch.zeros(2, 5), r"got 'shape \(2, 5\)', expected \(T, 6\)"),
    ):
        with pytest.raises(NotebeamError, match=rf"Stream\.push\(prob\): {message}"):
            stream.push(block)  # type: ignore[arg-type]


def test_evidence_must_fit_itself() -> None:
    clip = sparse_clips(18, (30,), keys=6)[0]
    for part, message in (
        ({"clock": Clock.frames(3, 0.02)}, r"\.clock: got '3 steps', expected 30, as prob"),
        ({"time": clip.time[:4]}, r"\.time: got 'shape \(4, 6\)', expected \(30, 6\), as prob"),
        ({"frame": clip.frame[:, :4]}, r"\.frame: got 'shape \(30, 4\)', expected \(30, 6\), as prob"),
    ):
        with pytest.raises(NotebeamError, match=rf"decode_evidence\(clips\)\[0\]{message}"):
            decode_evidence([replace(clip, **part)], loud_prior(6), PRUNED)


def test_a_prior_that_says_nan_is_refused() -> None:
    table = random_table(3, 17)
    table[3] = np.nan
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got nan, expected log-probabilities"):
        decode_evidence(sparse_clips(17, (60,), keys=3, doubt=1.0), TablePrior(table), PRUNED)


def test_a_stream_needs_a_look_back() -> None:
    with pytest.raises(NotebeamError, match=r"Beam\.look_back: got 0, expected an integer >= 1"):
        Stream(None, PRUNED)
