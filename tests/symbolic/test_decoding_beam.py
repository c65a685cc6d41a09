"""The beam against the naive one: same rolls, same log-probabilities; its runs, schedules and confidence."""

from dataclasses import replace
from math import inf, log
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles_decoding import (
    PRUNED,
    TablePrior,
    as_greedy,
    every_roll,
    evidence,
    loud_prior,
    naive_beam,
    naive_nade,
    random_table,
    sparse_clips,
)

from symbolic.decoding import schedule, search
from symbolic.decoding.backtrace import trace
from symbolic.decoding.candidates import propose
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence, evidence_of, frames_clock
from symbolic.decoding.inputs import Clips
from symbolic.decoding.options import Beam
from symbolic.decoding.schedule import make_schedule
from symbolic.decoding.search import Search
from symbolic.estimators.prefixes import prefix_trees
from symbolic.priors.base import Prior

EXAMPLES = Path(__file__).parents[2] / "examples"


def assert_is_naive(clips: list[Evidence], prior: Prior, options: Beam) -> None:
    score = naive_nade(prior)
    for clip, found in zip(clips, decode_evidence(clips, prior, options), strict=True):
        expected = naive_beam(clip.prob, score, options)[: options.results]
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
    from acoustic.inference import load_acoustic
    from transcribe.presets import MODEL

    posteriorgram = load_acoustic(MODEL).file(EXAMPLES / "gymnopedie.flac", stop=8.0)
    for plane, floor in (("struck", 0.003), ("active", 0.05)):
        clip = evidence_of(posteriorgram, frames_clock(posteriorgram, 0.08), plane)
        assert (clip.prob > floor).sum() > 20
        options = replace(PRUNED, prior_weight=0.3, switchable=3, floor=floor, prune=8.0)
        assert_is_naive([clip], loud_prior(88), options)


def test_greedy_is_the_naive_beam_of_width_one() -> None:
    clips, prior = sparse_clips(2, (30, 17), keys=6), loud_prior(6)
    options = as_greedy(PRUNED)
    wide = replace(PRUNED, width=1, candidates=2**4, hash_steps=0, n_best=1)
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
    monkeypatch.setattr(search, "MAX_RUN", 4)
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
    options = Beam(width=8**3, candidates=8, switchable=3, prune=inf, hash_steps=0, floor=0.0, n_best=2)
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


def test_a_prior_adds_a_note_that_the_acoustics_rule_out() -> None:
    # After row 1 comes row 3, says the prior; acoustically key 0 alone, and key 1 next to nothing.
    chance = np.full((8, 8, 8), 1e-4)
    chance[..., 1], chance[:, 1, :], chance[:, 1, 3] = 1.0, 1e-4, 1.0
    table = np.log(chance / chance.sum(axis=2, keepdims=True))
    clip = evidence(np.array([[0.99, 0.001, 0.001], [0.99, 0.004, 0.001], [0.99, 0.0, 0.001]]))
    options = Beam(width=4, candidates=4, floor=0.01, n_best=1)
    plain = decode_evidence([clip], TablePrior(table), options)[0]
    joined = decode_evidence([clip], TablePrior(table), replace(options, prior_notes=1))[0]
    assert not plain.roll[:, 1].any()
    assert joined.roll[1].tolist() == [True, True, False]
    assert joined.costs[0] < plain.costs[0]
    acoustic = -log(0.99**3 * 0.996 * 0.999**4) - log(0.004 / 0.996) + log(1)
    assert -joined.acoustic_log_prob[0] == pytest.approx(acoustic, abs=1e-2)


def test_with_all_notes_of_the_prior_joined_a_wide_beam_is_exhaustive_over_one_more_key() -> None:
    table, prob = random_table(2, 11), np.array([[0.8, 0.004], [0.3, 0.002], [0.9, 0.003]])
    options = Beam(width=64, candidates=4, prune=inf, hash_steps=0, floor=0.01, n_best=1, prior_notes=1)
    found = decode_evidence([evidence(prob)], TablePrior(table), options)[0]
    # Key 1 may be on only beside the first candidate's key 0.
    every = every_roll(evidence(prob).prob, table, 1.0, 1.0, 0.0, 0.0)
    first = prob[:, 0] > 0.5
    allowed = [
        one for one in every if all(row[1] <= (row[0] == f) for row, f in zip(one[1], first, strict=True))
    ]
    np.testing.assert_array_equal(found.roll, allowed[0][1])
    assert found.costs[0] == pytest.approx(allowed[0][0], abs=1e-4)


def test_a_note_of_the_prior_costs_what_is_said_of_it() -> None:
    table = np.full((8, 8, 8), np.log(0.1 / 7))
    table[:, :, 5] = np.log(0.9)  # keys 0 and 2, of which the second has no acoustic probability
    clip = evidence(np.tile(np.array([0.99, 0.0, 0.0], dtype=np.float32), (4, 1)))
    options = Beam(width=4, prior_notes=1, prior_weight=10.0, note_penalty=0.3, n_best=4)
    for method in (options, as_greedy(options)):
        found = decode_evidence([clip], TablePrior(table), method)[0]
        assert found.roll[:, 2].all()
        assert found.prior_log_prob is not None
        notes = found.rolls.sum((1, 2))
        expected = -found.acoustic_log_prob - 10 * found.prior_log_prob + 0.3 * notes
        np.testing.assert_allclose(found.costs, expected, atol=1e-4)


def test_blocks_of_events_are_bounded_by_their_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(
        schedule, "prefix_trees", lambda rows: found.append(rows.numel()) or prefix_trees(rows)
    )
    monkeypatch.setattr(schedule, "MAX_NUMBERS", 6 * 6 * 10)
    generator = np.random.default_rng(18)
    # Few candidates first, then many.
    prob = np.where(generator.random((80, 6)) < np.linspace(0.2, 1, 80)[:, None], 0.5, 0.001)
    decode_evidence([evidence(prob)], loud_prior(6), PRUNED)
    assert len(found) > 5 and max(found) <= 6 * 6 * 10


def test_steps_are_searched_where_there_is_a_choice_and_once_what_is_hashed_lies_behind() -> None:
    generator = np.random.default_rng(13)
    viable = np.where(generator.random((3, 60)) < 0.2, generator.integers(2, 5, (3, 60)), 1)
    lengths = (60, 41, 0)
    schedule_ = make_schedule(viable, lengths, np.zeros(3, dtype=np.int64), hash_steps=4)
    for clip, length in enumerate(lengths):
        expected, forced = [], 0
        for step in range(length):
            forced = 0 if viable[clip, step] > 1 else forced + 1
            if viable[clip, step] > 1 or forced == 4:
                expected.append(step)
        place = schedule_.order.tolist().index(clip)
        searched = schedule_.searched[place].tolist()
        assert searched[: len(expected)] == expected
        assert set(searched[len(expected) :]) == {length}
        assert [place < going for going in schedule_.going].index(False) == len(expected)
        assert schedule_.forced[clip] == forced
    for event, count in enumerate(schedule_.count):
        rows = schedule_.order[: schedule_.going[event]], schedule_.searched[: schedule_.going[event], event]
        assert count == viable[rows].max()


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_schedule_in_blocks_is_the_schedule_of_the_whole(size: int) -> None:
    viable = np.where(np.random.default_rng(14).random((1, 80)) < 0.15, 2, 1)
    forced = np.zeros(1, dtype=np.int64)
    whole, found = make_schedule(viable, (80,), forced, hash_steps=5).searched[0, :-1].tolist(), []
    for start in range(0, 80, size):
        part = viable[:, start : start + size]
        schedule_ = make_schedule(part, (part.shape[1],), forced, hash_steps=5)
        forced = schedule_.forced
        found += [start + step for step in schedule_.searched[0, :-1].tolist()]
    assert found == whole


def test_a_batch_goes_on_where_it_stopped() -> None:
    # The later the clip, the more of its steps are searched.
    clips = [sparse_clips(15 + n, (60,), keys=6, doubt=doubt)[0] for n, doubt in enumerate((0.1, 0.5, 1.0))]
    prior = loud_prior(6)
    probs = torch.stack([torch.from_numpy(clip.prob) for clip in clips])
    options = replace(PRUNED, hash_steps=0)
    engine = Search(6, prior, options, torch.device("cpu"))
    with torch.inference_mode():
        searched, parts = engine.first(3), []
        for part in probs.split([57, 3], dim=1):  # type: ignore[no-untyped-call]
            found = propose(Clips(part, (part.shape[1],) * 3), options, 6)
            searched = engine.extend(searched, found, (part.shape[1],) * 3)
            parts.append((found, searched.pointers))
        cost = searched.hypotheses.cost
        every = torch.arange(cost.shape[1]).expand(3, -1)
        paths = trace([pointers for _, pointers in parts if pointers is not None], every)
        rolls = [found.chosen(path) for (found, _), path in zip(parts, paths, strict=True)]
    for number, clip in enumerate(clips):
        whole = decode_evidence([clip], prior, options)[0]
        count = len(whole.rolls)
        np.testing.assert_array_equal(torch.cat(rolls, 2)[number, :count], whole.rolls)
        np.testing.assert_allclose(cost[number, :count], whole.costs, atol=1e-4)
