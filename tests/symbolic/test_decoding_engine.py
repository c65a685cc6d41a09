"""The beam against the naive one: same rolls, same log-probabilities; its runs, streams and confidence."""

from dataclasses import replace
from math import inf, log
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles_decoding import (
    TablePrior,
    every_roll,
    evidence,
    loud_prior,
    naive_beam,
    naive_nade,
    random_table,
    sparse_clips,
)

from symbolic.clock import Clock
from symbolic.decoding import rounds, search
from symbolic.decoding.backtrace import trace
from symbolic.decoding.candidates import propose
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence, evidence_of, frames_clock
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.plan import make_plan
from symbolic.decoding.protocol import Batch
from symbolic.decoding.search import Search
from symbolic.decoding.streaming import Stream
from symbolic.decoding.window import Window
from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import prefix_trees
from symbolic.priors.registry import Prior, build_prior, load_prior

EXAMPLES = Path(__file__).parents[2] / "examples"
PRUNED = DecodeOptions(
    beam_width=5, candidates=6, switchable=4, prune=4.0, hash_steps=3, n_best=5, floor=0.05
)


def assert_is_naive(clips: list[Evidence], prior: Prior, options: DecodeOptions) -> None:
    score = naive_nade(prior)
    for clip, found in zip(clips, decode_evidence(clips, prior, options), strict=True):
        expected = naive_beam(clip.prob, score, options)[: options.n_best]
        assert [[tuple(map(int, row)) for row in roll] for roll in found.rolls] == [e[2] for e in expected]
        np.testing.assert_allclose(found.costs, [e[0] for e in expected], rtol=1e-6, atol=1e-4)
        assert found.prior_log_prob is not None
        np.testing.assert_allclose(found.prior_log_prob, [e[1] for e in expected], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("hash_steps", [0, 1, 3, 4])
@pytest.mark.parametrize("per_hash", [1, 2])
def test_the_beam_is_the_naive_one(hash_steps: int, per_hash: int) -> None:
    clips = sparse_clips(1, (40, 61, 1, 22), keys=6)
    options = replace(PRUNED, hash_steps=hash_steps, per_hash=per_hash)
    assert_is_naive(clips, loud_prior(6), options)


def test_the_beam_is_the_naive_one_on_a_real_recording() -> None:
    from acoustic.inference import load_listener
    from transcribe.presets import MODEL

    heard = load_listener(MODEL).posteriorgram(EXAMPLES / "gymnopedie.flac", stop=8.0)
    for plane, floor in (("struck", 0.003), ("active", 0.05)):
        clip = evidence_of(heard, frames_clock(heard, 0.08), plane)
        assert (clip.prob > floor).sum() > 20
        options = replace(PRUNED, prior_weight=0.3, switchable=3, floor=floor, prune=8.0)
        assert_is_naive([clip], loud_prior(88), options)


def test_greedy_is_the_naive_beam_of_width_one() -> None:
    clips, prior = sparse_clips(2, (30, 17), keys=6), loud_prior(6)
    options = replace(PRUNED, method="greedy")
    wide = replace(PRUNED, beam_width=1, candidates=2**4, hash_steps=0, n_best=1)
    for clip, found in zip(clips, decode_evidence(clips, prior, options), strict=True):
        (cost, _, roll), *_ = naive_beam(clip.prob, naive_nade(prior), wide)
        assert [tuple(map(int, row)) for row in found.roll] == roll
        assert found.costs[0] == pytest.approx(cost, abs=1e-3)


def test_clips_that_are_searched_at_different_steps_decode_as_alone() -> None:
    clips, prior = sparse_clips(3, (50, 80, 5, 33, 80), keys=6), loud_prior(6)
    for clip, found in zip(clips, decode_evidence(clips, prior, PRUNED), strict=True):
        alone = decode_evidence([clip], prior, PRUNED)[0]
        np.testing.assert_array_equal(found.rolls, alone.rolls)
        np.testing.assert_allclose(found.costs, alone.costs, atol=1e-4)
        np.testing.assert_allclose(found.confidence, alone.confidence, atol=1e-5)


def test_long_runs_are_played_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    clips, prior = sparse_clips(4, (120, 90), keys=6, doubt=0.03), loud_prior(6)
    whole = decode_evidence(clips, prior, PRUNED)
    monkeypatch.setattr(search, "RUN", 4)
    for one, other in zip(whole, decode_evidence(clips, prior, PRUNED), strict=True):
        np.testing.assert_array_equal(one.rolls, other.rolls)
        np.testing.assert_allclose(one.costs, other.costs, atol=1e-4)


def test_steps_without_doubt_need_no_search() -> None:
    table = random_table(3, 5)
    prior = TablePrior(table)
    prob = np.full((200, 3), 0.001)
    prob[[20, 150], 1] = 0.5
    decode_evidence([evidence(prob)], prior, replace(PRUNED, switchable=3))
    # One row a forced step, two where there is a choice; and the searches that merge.
    assert prior.rows < 2 * 200


def test_confidence_is_the_share_of_all_rolls_with_the_note() -> None:
    table = random_table(3, 6)
    prob = 1 / (1 + np.exp(-np.random.default_rng(6).normal(scale=2.0, size=(3, 3))))
    options = DecodeOptions(
        beam_width=8**3, candidates=8, switchable=3, prune=inf, hash_steps=0, floor=0.0, n_best=2
    )
    found = decode_evidence([evidence(prob)], TablePrior(table), options)[0]
    rolls = every_roll(evidence(prob).prob, table, 1.0, 1.0, 0.0, 0.0)
    weight = np.exp([-cost for cost, _ in rolls])
    share = sum(w * roll for w, (_, roll) in zip(weight, rolls, strict=True)) / weight.sum()
    np.testing.assert_allclose(found.confidence, np.where(rolls[0][1], share, 0), atol=1e-4)
    assert len(found.rolls) == 2 and 0 < found.confidence[found.roll].min() < 0.95


def test_the_best_paths_are_distinct() -> None:
    # Doubts at every step: merging leaves several.
    for found in decode_evidence(sparse_clips(7, (40, 25), keys=6, doubt=1.0), loud_prior(6), PRUNED):
        assert len({roll.tobytes() for roll in found.rolls}) == len(found.rolls) > 1
        assert found.prior_log_prob is not None
        total = -found.acoustic_log_prob - PRUNED.prior_weight * found.prior_log_prob
        np.testing.assert_allclose(found.costs, total, atol=1e-3)


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


def test_a_stream_settles_rows_in_time_and_forgets_them() -> None:
    (clip,), prior = sparse_clips(9, (300,), keys=6, doubt=1.0), loud_prior(6)
    options = replace(PRUNED, hash_steps=0, look_back=12)
    stream, rows = Stream(6, prior, options), []
    for start in range(0, 300, 7):
        with torch.inference_mode():
            done = stream.push(torch.from_numpy(clip.prob[start : start + 7]))
        rows.append(done.rows)
        settled = sum(map(len, rows))
        assert min(300, start + 7) - settled <= 12
        assert sum(track.steps for _, track in stream.window.parts) <= 12 + 7
        assert (done.confidence[~done.rows] == 0).all() and (done.confidence[done.rows] > 0).all()
    last = stream.finish()
    whole = torch.cat([*rows, last.rolls[0, 0]])
    assert whole.shape == (300, 6)
    # What was settled costs what the stream says.
    mask = torch.ones(1, 300, dtype=torch.bool)
    expected = prior.sequence_log_prob(whole[None].float(), mask).detach().sum()
    assert last.prior_log_prob is not None
    assert float(last.prior_log_prob[0, 0]) == pytest.approx(float(expected), abs=1e-2)


def test_a_clip_that_is_over_does_not_keep_the_others_steps() -> None:
    clips = sparse_clips(19, (300, 120, 9), keys=6, doubt=0.5)
    probs, lengths = torch.zeros(3, 300, 6), torch.tensor([300, 120, 9])
    for row, clip in enumerate(clips):
        probs[row, : len(clip.prob)] = torch.from_numpy(clip.prob)
    window = Window(3, 6, loud_prior(6), replace(PRUNED, look_back=15), torch.device("cpu"))
    for begin in range(0, 300, 15):
        heard = (lengths - begin).clamp(0, 15)
        batch = Batch(probs[:, begin : begin + 15], tuple(heard.tolist()))
        with torch.inference_mode():
            view = window.hear(batch, (heard > 0) & (lengths <= begin + 15))
        assert view.start + view.rolls.shape[2] == begin + 15
        assert sum(track.steps for _, track in window.parts) <= 30


def test_a_prior_adds_a_note_that_the_acoustics_rule_out() -> None:
    # After row 1 comes row 3, says the prior; the acoustics heard key 0 alone, and of key 1 next to nothing.
    chance = np.full((8, 8, 8), 1e-4)
    chance[..., 1], chance[:, 1, :], chance[:, 1, 3] = 1.0, 1e-4, 1.0
    table = np.log(chance / chance.sum(axis=2, keepdims=True))
    clip = evidence(np.array([[0.99, 0.001, 0.001], [0.99, 0.004, 0.001], [0.99, 0.0, 0.001]]))
    options = DecodeOptions(beam_width=4, candidates=4, floor=0.01, n_best=1)
    plain = decode_evidence([clip], TablePrior(table), options)[0]
    joined = decode_evidence([clip], TablePrior(table), replace(options, prior_notes=1))[0]
    assert not plain.roll[:, 1].any()
    assert joined.roll[1].tolist() == [True, True, False]
    assert joined.costs[0] < plain.costs[0]
    acoustic = -log(0.99**3 * 0.996 * 0.999**4) - log(0.004 / 0.996) + log(1)
    assert -joined.acoustic_log_prob[0] == pytest.approx(acoustic, abs=1e-2)


def test_with_all_notes_of_the_prior_joined_a_wide_beam_is_exhaustive_over_one_more_key() -> None:
    table, prob = random_table(2, 11), np.array([[0.8, 0.004], [0.3, 0.002], [0.9, 0.003]])
    options = DecodeOptions(
        beam_width=64, candidates=4, prune=inf, hash_steps=0, floor=0.01, n_best=1, prior_notes=1
    )
    found = decode_evidence([evidence(prob)], TablePrior(table), options)[0]
    # Key 1 may be on only beside the first candidate's key 0.
    every = every_roll(evidence(prob).prob, table, 1.0, 1.0, 0.0, 0.0)
    first = prob[:, 0] > 0.5
    allowed = [
        one for one in every if all(row[1] <= (row[0] == f) for row, f in zip(one[1], first, strict=True))
    ]
    np.testing.assert_array_equal(found.roll, allowed[0][1])
    assert found.costs[0] == pytest.approx(allowed[0][0], abs=1e-4)


@pytest.mark.parametrize(
    ("prob", "message"),
    [
        (np.full((4, 6), 1.5, dtype=np.float32), "got '1.5 at step 0, key 0', expected probabilities 0..1"),
        (np.full((4, 6), np.nan, dtype=np.float32), "got 'nan at step 0, key 0'"),
        (np.full((4, 6, 1), 0.5, dtype=np.float32), r"got 'shape \(4, 6, 1\)', expected \(T, 6\)"),
        (np.full((4, 5), 0.5, dtype=np.float32), r"got 'shape \(4, 5\)', expected \(T, 6\)"),
        (np.full((4, 6), 0.5), "got 'float64', expected float32"),
        (np.zeros((0, 6), dtype=np.float32), "got '0 steps', expected at least 1"),
    ],
)
def test_evidence_that_is_none_is_refused(prob: np.ndarray, message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        Stream(6, None, replace(PRUNED, look_back=5, prior_weight=0.0)).push(torch.from_numpy(prob))
    if prob.shape[1:] == (5,):
        return  # decode takes any number of keys that the prior has
    clip = Evidence(
        prob, np.zeros(prob.shape), np.zeros(prob.shape, dtype=np.int32), Clock.frames(len(prob), 0.04)
    )
    with pytest.raises(NotebeamError, match=r"decode_evidence\(clips\)\[1\]\.prob: got"):
        decode_evidence([sparse_clips(0, (3,), 6)[0], clip], None, replace(PRUNED, prior_weight=0.0))


def test_a_stream_names_the_steps_at_which_a_prior_rules_everything_out() -> None:
    table = random_table(3, 12)
    table[:, 5] = -inf  # nothing follows row 5
    prob = np.full((9, 3), 0.001)
    prob[6] = [0.9999, 0.0001, 0.9999]
    options = replace(PRUNED, prune=1.0, look_back=4)
    with pytest.raises(NotebeamError, match=r"Stream, steps 4 to 7: got 'no candidate of probability"):
        stream = Stream(3, TablePrior(table), options)
        for start in (0, 4):
            stream.push(evidence(prob).prob[start : start + 4])


@pytest.mark.parametrize(("method", "look_back"), [("beam", 0), ("beam", 4), ("greedy", 0)])
def test_a_prior_that_rules_everything_out_is_named_with_the_step(method: str, look_back: int) -> None:
    table = random_table(3, 12)
    table[:, 5] = -inf  # nothing follows row 5
    prob = np.full((9, 3), 0.001)
    prob[6] = [0.9999, 0.0001, 0.9999]
    options = replace(PRUNED, method=method, prune=1.0, look_back=look_back)
    with pytest.raises(NotebeamError, match=r"decode\(prior\): clip 1, step 7: got 'no candidate of prob"):
        decode_evidence([evidence(prob[:5]), evidence(prob)], TablePrior(table), options)


def test_a_stream_is_as_particular_about_its_prior_as_decode() -> None:
    options = replace(PRUNED, look_back=100)
    clip = sparse_clips(16, (60,), keys=6)[0]
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got 'a prior of 8 keys', expected 6"):
        Stream(6, loud_prior(8), options)
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got None, expected a prior"):
        Stream(6, None, options)
    with pytest.raises(NotebeamError, match=r"DecodeOptions\.method: got 'greedy', expected 'beam'"):
        Stream(6, loud_prior(6), replace(options, method="greedy"))
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got 'a prior in float64', expected float32"):
        Stream(6, loud_prior(6).double(), options)
    frames, notes = load_prior("event-rnn-nade/piano"), load_prior("lstm-nade/jsb")
    with pytest.raises(NotebeamError, match=r"DecodeOptions\.step: got 0\.01, expected 0\.04 s"):
        Stream(88, frames, replace(options, step=0.01))
    with pytest.raises(NotebeamError, match="got 'frames', expected 'beats', as the prior 'jsb'"):
        Stream(88, notes, replace(options, plane="active"))
    Stream(88, notes, replace(options, plane="active"), Clock(np.arange(9) / 2, "beats", last=0.5))
    # An RBM's log Z is put back, and a prior without weight is not asked.
    torch.manual_seed(3)
    rbm = build_prior("rnn-rbm", {"visible": 6, "units": 8, "hidden": 5}).eval()
    for prior, weight in ((rbm, 1.0), (loud_prior(6), 0.0)):
        settings = replace(options, prior_weight=weight)
        stream = Stream(6, prior, settings)
        rows = [stream.push(clip.prob[start : start + 20]).rows for start in (0, 20, 40)]
        last = stream.finish()
        whole = decode_evidence([clip], prior, replace(settings, look_back=0))[0]
        np.testing.assert_array_equal(torch.cat([*rows, last.rolls[0, 0]]), whole.roll)
        assert float(last.costs[0, 0]) == pytest.approx(whole.costs[0], abs=1e-3)


def test_a_stream_refuses_what_is_no_block() -> None:
    stream = Stream(6, loud_prior(6), replace(PRUNED, look_back=10))
    for block, message in (
        ([[0.5] * 6], "got 'a list', expected a tensor or an array"),
        (np.zeros((2, 6), dtype=object), "got 'object', expected float32"),
        (torch.zeros(2, 6, dtype=torch.float64), "got 'float64', expected float32"),
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


def test_a_note_of_the_prior_costs_what_is_said_of_it() -> None:
    table = np.full((8, 8, 8), np.log(0.1 / 7))
    table[:, :, 5] = np.log(0.9)  # keys 0 and 2, of which the second was not heard at all
    clip = evidence(np.tile(np.array([0.99, 0.0, 0.0], dtype=np.float32), (4, 1)))
    options = DecodeOptions(beam_width=4, prior_notes=1, prior_weight=10.0, note_penalty=0.3, n_best=4)
    for method in ("beam", "greedy"):
        found = decode_evidence([clip], TablePrior(table), replace(options, method=method))[0]
        assert found.roll[:, 2].all()
        assert found.prior_log_prob is not None
        notes = found.rolls.sum((1, 2))
        expected = -found.acoustic_log_prob - 10 * found.prior_log_prob + 0.3 * notes
        np.testing.assert_allclose(found.costs, expected, atol=1e-4)


def test_a_prior_that_says_nan_is_refused() -> None:
    table = random_table(3, 17)
    table[3] = np.nan
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got nan, expected log-probabilities"):
        decode_evidence(sparse_clips(17, (60,), keys=3, doubt=1.0), TablePrior(table), PRUNED)


def test_blocks_of_events_are_bounded_by_their_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(rounds, "prefix_trees", lambda rows: found.append(rows.numel()) or prefix_trees(rows))
    monkeypatch.setattr(rounds, "BLOCK", 6 * 6 * 10)
    generator = np.random.default_rng(18)
    # Few candidates first, then many.
    prob = np.where(generator.random((80, 6)) < np.linspace(0.2, 1, 80)[:, None], 0.5, 0.001)
    decode_evidence([evidence(prob)], loud_prior(6), PRUNED)
    assert len(found) > 5 and max(found) <= 6 * 6 * 10


def test_a_stream_needs_a_look_back() -> None:
    with pytest.raises(NotebeamError, match=r"DecodeOptions\.look_back: got 0, expected an integer >= 1"):
        Stream(6, None, PRUNED)


def test_steps_are_searched_where_there_is_a_choice_and_once_what_is_hashed_lies_behind() -> None:
    generator = np.random.default_rng(13)
    viable = np.where(generator.random((3, 60)) < 0.2, generator.integers(2, 5, (3, 60)), 1)
    lengths, options = (60, 41, 0), replace(PRUNED, hash_steps=4)
    plan = make_plan(viable, lengths, np.zeros(3, dtype=np.int64), options)
    for clip, length in enumerate(lengths):
        expected, forced = [], 0
        for step in range(length):
            forced = 0 if viable[clip, step] > 1 else forced + 1
            if viable[clip, step] > 1 or forced == 4:
                expected.append(step)
        place = plan.order.tolist().index(clip)
        searched = plan.searched[place].tolist()
        assert searched[: len(expected)] == expected
        assert set(searched[len(expected) :]) == {length}
        assert [place < going for going in plan.going].index(False) == len(expected)
        assert plan.forced[clip] == forced
    for event, count in enumerate(plan.count):
        rows = plan.order[: plan.going[event]], plan.searched[: plan.going[event], event]
        assert count == viable[rows].max()


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_plan_in_blocks_is_the_plan_of_the_whole(size: int) -> None:
    viable = np.where(np.random.default_rng(14).random((1, 80)) < 0.15, 2, 1)
    options, forced = replace(PRUNED, hash_steps=5), np.zeros(1, dtype=np.int64)
    whole, found = make_plan(viable, (80,), forced, options).searched[0, :-1].tolist(), []
    for start in range(0, 80, size):
        part = viable[:, start : start + size]
        plan = make_plan(part, (part.shape[1],), forced, options)
        forced = plan.forced
        found += [start + step for step in plan.searched[0, :-1].tolist()]
    assert found == whole


def test_a_batch_goes_on_where_it_stopped() -> None:
    # The later the clip, the more of its steps are searched.
    clips = [sparse_clips(15 + n, (60,), keys=6, doubt=doubt)[0] for n, doubt in enumerate((0.1, 0.5, 1.0))]
    prior = loud_prior(6)
    probs = torch.stack([torch.from_numpy(clip.prob) for clip in clips])
    options = replace(PRUNED, hash_steps=0)
    engine = Search(6, prior, options, torch.device("cpu"))
    with torch.inference_mode():
        beam, forced, parts = engine.first(3), np.zeros(3, dtype=np.int64), []
        for part in probs.split([57, 3], dim=1):  # type: ignore[no-untyped-call]
            found = propose(Batch(part, (part.shape[1],) * 3), options, 6)
            beam, forced, track = engine.extend(beam, forced, found, (part.shape[1],) * 3)
            parts.append((found, track))
        every = torch.arange(beam.cost.shape[1]).expand(3, -1)
        paths = trace([track for _, track in parts], every)
        rolls = [found.chosen(path) for (found, _), path in zip(parts, paths, strict=True)]
    for number, clip in enumerate(clips):
        whole = decode_evidence([clip], prior, options)[0]
        count = len(whole.rolls)
        np.testing.assert_array_equal(torch.cat(rolls, 2)[number, :count], whole.rolls)
        np.testing.assert_allclose(beam.cost[number, :count], whole.costs, atol=1e-4)
