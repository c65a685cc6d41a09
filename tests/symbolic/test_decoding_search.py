"""The decoders against enumeration, and against each other, on clips small enough to enumerate."""

from dataclasses import replace
from math import inf, log

import numpy as np
import pytest
import torch
from oracles_decoding import (
    TablePrior,
    as_greedy,
    best_of_chain,
    every_roll,
    evidence,
    random_table,
    row_cost,
    slow_beam,
    table_log_prob,
)

from symbolic.decoding import candidates, cost
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.merging import survivors
from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
from symbolic.errors import NotebeamError
from symbolic.priors.registry import build_prior

KEYS = 3
EVERYTHING = Beam(width=8**4, candidates=8, switchable=3, prune=inf, hash_steps=0, floor=0.0, n_best=5)


def random_clips(seed: int, lengths: tuple[int, ...], keys: int = KEYS) -> list[Evidence]:
    generator = np.random.default_rng(seed)
    return [evidence(1 / (1 + np.exp(-generator.normal(scale=2.0, size=(steps, keys))))) for steps in lengths]


def numbers(roll: np.ndarray) -> list[int]:
    return [int(row @ (1 << np.arange(roll.shape[1]))) for row in roll.astype(int)]


@pytest.mark.parametrize(
    ("seed", "weight", "temperature", "penalty", "floor"),
    [(0, 1.0, 1.0, 0.0, 0.0), (1, 0.6, 2.0, 0.7, 0.0), (2, 2.0, 0.5, -0.5, 0.0), (3, 1.0, 1.0, 0.3, 0.3)],
)
def test_a_wide_beam_finds_the_enumerated_best_of_every_clip(
    seed: int, weight: float, temperature: float, penalty: float, floor: float
) -> None:
    table, clips = random_table(KEYS, seed), random_clips(seed, (2, 4, 3, 1))
    settings = {"temperature": temperature, "note_penalty": penalty, "floor": floor}
    options = replace(EVERYTHING, prior_weight=weight, **settings)
    decoded = decode_evidence(clips, TablePrior(table), options)
    for clip, found in zip(clips, decoded, strict=True):
        expected = every_roll(clip.prob, table, weight, temperature, penalty, floor)[:5]
        assert found.rolls.shape == (len(expected), len(clip.prob), KEYS)
        np.testing.assert_array_equal(found.rolls, [roll for _, roll in expected])
        np.testing.assert_allclose(found.costs, [cost for cost, _ in expected], atol=1e-4)


COSTS = {"prior_weight": 0.7, "note_penalty": 0.4, "temperature": 1.5}
METHODS = (Threshold(), Hmm(), Greedy(), Beam(width=4))


@pytest.mark.parametrize(
    "options",
    [Threshold(), Hmm(off_after_off=0.8, off_after_on=0.3, **COSTS), Greedy(**COSTS), Beam(**COSTS)],
)
def test_reported_costs_are_those_of_the_rolls(options: Threshold | Hmm | Greedy | Beam) -> None:
    table, clips = random_table(KEYS, 4), random_clips(4, (9, 5, 12))
    prior = TablePrior(table) if isinstance(options, Greedy | Beam) else None
    penalty, temperature = (0.0, 1.0) if isinstance(options, Threshold) else (0.4, 1.5)
    for clip, found in zip(clips, decode_evidence(clips, prior, options), strict=True):
        for n, roll in enumerate(found.rolls):
            acoustic = -sum(
                row_cost(tuple(r), p, temperature, 0.0, 0.0) for r, p in zip(roll, clip.prob, strict=True)
            )
            assert found.acoustic_log_prob[n] == pytest.approx(acoustic, abs=1e-4)
            past = 0.0
            if isinstance(options, Hmm):
                states = np.concatenate([np.zeros((1, KEYS), dtype=bool), roll])
                steps = {(0, 0): 0.8, (0, 1): 0.2, (1, 0): 0.3, (1, 1): 0.7}
                pairs = zip(states[:-1].ravel().tolist(), states[1:].ravel().tolist(), strict=True)
                past = sum(log(steps[pair]) for pair in pairs)
            elif prior is not None:
                past = table_log_prob(numbers(roll), table)
                rolls, mask = torch.tensor(roll)[None], torch.ones(1, len(roll), dtype=torch.bool)
                given = TablePrior(table).sequence_log_prob(rolls, mask).sum()
                assert float(given) == pytest.approx(past, abs=1e-4)
            assert found.prior_log_prob is None or found.prior_log_prob[n] == pytest.approx(past, abs=1e-4)
            assert (found.prior_log_prob is None) == isinstance(options, Threshold)
            assert found.costs[n] == pytest.approx(-acoustic - 0.7 * past + penalty * roll.sum(), abs=1e-4)
        assert (np.diff(found.costs) >= 0).all()


def test_width_one_is_greedy_when_it_sees_the_same_candidates() -> None:
    table, clips = random_table(4, 5), random_clips(5, (30, 17, 23), keys=4)
    for switchable in (2, 4):
        options = Beam(switchable=switchable, candidates=16, width=1)
        greedy = decode_evidence(clips, TablePrior(table), as_greedy(options))
        beam = decode_evidence(clips, TablePrior(table), options)
        wide = decode_evidence(clips, TablePrior(table), replace(options, width=64))
        for one, other in zip(greedy, beam, strict=True):
            np.testing.assert_array_equal(one.rolls, other.rolls)
            np.testing.assert_allclose(one.costs, other.costs)
            np.testing.assert_allclose(one.prior_log_prob, other.prior_log_prob)
        # Otherwise the clips would be too easy to tell the two apart.
        assert any(w.costs[0] < g.costs[0] - 0.1 for w, g in zip(wide, greedy, strict=True))


def test_greedy_takes_the_cheapest_row_after_the_rows_it_took() -> None:
    table, clips = random_table(KEYS, 6), random_clips(6, (12, 8))
    options = Greedy(prune=inf, floor=0.0, prior_weight=0.8)
    for clip, found in zip(clips, decode_evidence(clips, TablePrior(table), options), strict=True):
        past: list[int] = [0, 0]
        for prob in clip.prob:
            costs = []
            for i in range(2**KEYS):
                row = tuple(i >> d & 1 for d in range(KEYS))
                costs.append(row_cost(row, prob, 1.0, 0.0, 0.0) - 0.8 * table[past[-2], past[-1], i])
            past.append(int(np.argmin(costs)))
        assert numbers(found.roll) == past[2:]


@pytest.mark.parametrize("method", [Greedy, Beam])
def test_weight_zero_or_no_prior_is_the_acoustic_model_alone(method: type[Greedy | Beam]) -> None:
    clips, prior = random_clips(7, (40, 25), keys=12), TablePrior(random_table(KEYS, 7))
    for other, weight in ((None, 0.0), (prior, 0.0), (None, 1.0)):
        options = method(prior_weight=weight)
        for clip, found in zip(clips, decode_evidence(clips, other, options), strict=True):
            np.testing.assert_array_equal(found.roll, clip.prob > 0.5)
            assert found.prior_log_prob is None
    assert prior.calls == 0


def test_a_note_penalty_moves_the_threshold() -> None:
    # On costs -log p + 1, off -log(1 - p): on is cheaper where the logit is above 1, p above 0.7311.
    clip = evidence(np.array([[0.70, 0.73, 0.735, 0.9]]))
    options = Beam(prior_weight=0.0, note_penalty=1.0)
    found = decode_evidence([clip], None, options)[0]
    np.testing.assert_array_equal(found.roll, [[False, False, True, True]])


@pytest.mark.parametrize("options", [*METHODS[:3], Beam(width=4, candidates=6, hash_steps=3, n_best=3)])
def test_a_batch_is_each_clip_alone(options: Threshold | Hmm | Greedy | Beam) -> None:
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"visible": 6, "units": 8, "hidden": 5}).eval()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(4.0)
    clips = random_clips(8, (20, 31, 1, 26, 2), keys=6)
    reader = prior if isinstance(options, Greedy | Beam) else None
    together = decode_evidence(clips, reader, options)
    for clip, found in zip(clips, together, strict=True):
        alone = decode_evidence([clip], reader, options)[0]
        np.testing.assert_array_equal(found.rolls, alone.rolls)
        np.testing.assert_allclose(found.costs, alone.costs, atol=1e-4)
        assert found.roll.shape == clip.prob.shape


def test_a_beam_with_an_rnn_nade_reports_its_sequence_log_prob() -> None:
    torch.manual_seed(1)
    prior = build_prior("lstm-nade", {"visible": 6, "units": 8, "hidden": 5}).eval()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(4.0)
    for found in decode_evidence(random_clips(9, (14, 22), keys=6), prior, Beam(width=6)):
        rolls = torch.tensor(found.rolls, dtype=torch.float32)
        mask = torch.ones(rolls.shape[:2], dtype=torch.bool)
        expected = prior.sequence_log_prob(rolls, mask).detach().double().sum(dim=1)
        np.testing.assert_allclose(found.prior_log_prob, expected, atol=1e-3)
        assert len(found.rolls) == 6


def test_the_hmm_finds_the_enumerated_best_states() -> None:
    clips = random_clips(10, (9, 7))
    counted = Hmm(off_after_off=(0.9, 0.6, 0.7), off_after_on=(0.2, 0.3, 0.05))
    mixed = Hmm(off_after_off=0.9, off_after_on=(0.2, 0.3, 0.05))
    shared = Hmm(off_after_off=0.9, off_after_on=0.3)
    for chain, weight in ((shared, 1.0), (counted, 1.0), (counted, 2.5), (mixed, 1.0)):
        options = replace(chain, prior_weight=weight)
        for clip, found in zip(clips, decode_evidence(clips, None, options), strict=True):
            total = 0.0
            for key in range(KEYS):
                off_off, off_on = (
                    probs[key] if isinstance(probs, tuple) else probs
                    for probs in (chain.off_after_off, chain.off_after_on)
                )
                cost, states = best_of_chain(clip.prob[:, key], off_off, off_on, weight)
                assert tuple(found.roll[:, key].astype(int)) == states
                total += cost
            assert found.costs[0] == pytest.approx(total, abs=1e-4)


def test_the_hmm_without_weight_is_the_threshold() -> None:
    clips = random_clips(11, (50, 30))
    hmm = decode_evidence(clips, None, Hmm(prior_weight=0.0))
    threshold = decode_evidence(clips, None, Threshold())
    for one, other in zip(hmm, threshold, strict=True):
        np.testing.assert_array_equal(one.roll, other.roll)


def test_transitions_are_counted_from_silence_with_one_added() -> None:
    # Key 0: 0>0, 0>1, 1>1, 1>0 and in the second piece 0>1. Key 1 is never on: 0>0 five times.
    rolls = [np.array([[0, 0], [1, 0], [1, 0], [0, 0]], dtype=bool), np.array([[1, 0]], dtype=bool)]
    counted = Hmm.counted(rolls)
    assert counted.off_after_off == pytest.approx(((1 + 1) / (3 + 2), (5 + 1) / (5 + 2)))
    assert counted.off_after_on == pytest.approx(((1 + 1) / (2 + 2), 1 / 2))


def test_the_threshold_is_strict() -> None:
    clip = evidence(np.array([[0.25, 0.375, 0.5]]))
    for threshold, expected in ((0.25, [0, 1, 1]), (0.5, [0, 0, 0]), (0.0, [1, 1, 1])):
        found = decode_evidence([clip], None, Threshold(threshold=threshold))[0]
        np.testing.assert_array_equal(found.roll, [expected])


def test_keys_that_were_not_heard_are_never_on() -> None:
    table = np.full((8, 8, 8), -50.0)
    table[:, :, 7] = 0.0  # the prior insists on all three keys
    clip = evidence(np.array([[0.0, 0.2, 1.0]] * 3))
    for method in (Greedy, Beam):
        found = decode_evidence([clip], TablePrior(table), method(floor=0.0, prune=inf))[0]
        assert not found.roll[:, 0].any() and found.roll[:, 2].all()
        assert np.isfinite(found.costs[0])


def test_a_prior_can_overrule_a_saturated_probability() -> None:
    table = np.full((8, 8, 8), -np.inf)
    table[:, :, 0] = 0.0
    clip = evidence(np.array([[0.0, 0.2, 1.0]] * 3))
    for method in (Greedy, Beam):
        found = decode_evidence([clip], TablePrior(table), method(prune=inf))[0]
        assert not found.roll.any()
        # -log(1e-6) = 13.8 and -log(0.8) = 0.223 a step; 1 - 1e-6 is not exact in float32.
        assert found.costs[0] == pytest.approx(3 * (13.816 + 0.223), abs=0.2)


def test_merging_by_hash_keeps_the_cheapest_of_each_key() -> None:
    total = torch.tensor([[3.0, 1.0, 2.0, 0.5, 4.0, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]])
    keys = torch.tensor([[7, 7, -1, 9, 9, -1], [1, 1, 1, 1, 1, 1]])
    cost, kept = survivors(total, keys, width=4, per_hash=1)
    assert kept[0, :3].tolist() == [3, 1, 2]  # keys 9, 7, -1, and of the two of key -1 the first
    assert cost[0].tolist() == [0.5, 1.0, 2.0, inf]
    assert kept[1, :1].tolist() == [5] and cost[1].tolist() == [0.0, inf, inf, inf]
    cost, kept = survivors(total, keys, width=4, per_hash=2)
    assert kept[0].tolist() == [3, 1, 2, 5] and cost[0].tolist() == [0.5, 1.0, 2.0, 2.0]
    cost, kept = survivors(total, None, width=4, per_hash=1)
    assert kept[0].tolist() == [3, 1, 2, 5] and cost[1].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_merging_over_the_priors_memory_keeps_the_best_roll() -> None:
    # The prior knows two steps; hypotheses that share them have the same future.
    table, clips = random_table(2, 12), random_clips(12, (6, 5), keys=2)
    options = Beam(width=16, candidates=4, prune=inf, hash_steps=2, floor=0.0, n_best=16)
    for clip, found in zip(clips, decode_evidence(clips, TablePrior(table), options), strict=True):
        cost, roll = every_roll(clip.prob, table, 1.0, 1.0, 0.0, 0.0)[0]
        np.testing.assert_array_equal(found.roll, roll)
        assert found.costs[0] == pytest.approx(cost, abs=1e-4)
        last = [tuple(numbers(r)[-2:]) for r in found.rolls]
        assert len(set(last)) == len(last) == 16


@pytest.mark.parametrize(("hash_steps", "per_hash"), [(1, 2), (3, 1), (3, 2), (5, 1), (100, 1)])
def test_the_hashed_beam_ends_with_what_the_slow_one_ends_with(hash_steps: int, per_hash: int) -> None:
    table, clips = random_table(KEYS, 16), random_clips(16, (25, 14, 19))
    options = Beam(
        width=7, candidates=5, prune=inf, hash_steps=hash_steps, per_hash=per_hash, floor=0.0, n_best=7
    )
    for clip, found in zip(clips, decode_evidence(clips, TablePrior(table), options), strict=True):
        expected = slow_beam(clip.prob, table, 5, 7, hash_steps, per_hash)
        assert [numbers(roll) for roll in found.rolls] == [roll for _, roll in expected]
        np.testing.assert_allclose(found.costs, [cost for cost, _ in expected], atol=1e-4)


@pytest.mark.parametrize("options", METHODS)
def test_the_size_of_the_blocks_changes_nothing(
    options: Threshold | Hmm | Greedy | Beam, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior, clips = TablePrior(random_table(KEYS, 17)), random_clips(17, (25, 14))
    prior = prior if isinstance(options, Greedy | Beam) else None
    whole = decode_evidence(clips, prior, options)
    monkeypatch.setattr(candidates, "MAX_NUMBERS", 30)
    monkeypatch.setattr(cost, "SUM_BLOCK", 30)
    for one, other in zip(whole, decode_evidence(clips, prior, options), strict=True):
        np.testing.assert_array_equal(one.rolls, other.rolls)
        np.testing.assert_allclose(one.costs, other.costs)
        np.testing.assert_allclose(one.acoustic_log_prob, other.acoustic_log_prob)
        if one.prior_log_prob is not None:
            np.testing.assert_allclose(one.prior_log_prob, other.prior_log_prob)


def test_per_hash_bounds_the_rolls_with_one_ending() -> None:
    table, clip = random_table(2, 13), random_clips(13, (6,), keys=2)
    options = Beam(width=12, candidates=4, prune=inf, hash_steps=1, floor=0.0, n_best=12)
    for per_hash in (1, 2, 3):
        found = decode_evidence(clip, TablePrior(table), replace(options, per_hash=per_hash))[0]
        endings = [numbers(roll)[-1] for roll in found.rolls]
        assert [endings.count(i) for i in range(4)] == [per_hash] * 4


def test_equal_costs_go_to_the_row_the_acoustic_model_prefers_then_to_the_lowest_key() -> None:
    flat = np.zeros((8, 8, 8)) - log(8)
    # Two keys at one half: with either bit the cost is the same, and the cheapest row has neither on.
    clip = evidence(np.array([[0.5, 0.5, 0.25]]))
    for _ in range(2):
        found = decode_evidence([clip], TablePrior(flat), replace(EVERYTHING, width=8))[0]
        assert [numbers(roll) for roll in found.rolls[:4]] == [[0], [1], [2], [3]]


def test_a_prior_without_log_z_is_greedys_alone() -> None:
    prior = TablePrior(random_table(KEYS, 14) + 3.0)
    prior.is_normalized = False
    clips = random_clips(14, (4, 6))
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got .*log Z.*, expected .*normalised"):
        decode_evidence(clips, prior, Beam(width=2))
    greedy = decode_evidence(clips, prior, Greedy())
    beam = decode_evidence(clips, prior, Beam(width=1))
    for one, other in zip(greedy, beam, strict=True):
        np.testing.assert_array_equal(one.roll, other.roll)


def test_wrong_company_is_refused_by_name() -> None:
    clips, prior = random_clips(15, (3,)), TablePrior(random_table(2, 0))
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got 'a prior of 2 keys', expected 3"):
        decode_evidence(clips, prior, Beam())
    with pytest.raises(NotebeamError, match=r"Hmm\.off_after_on: got '2 keys', expected 1 or 3"):
        decode_evidence(clips, None, Hmm(off_after_on=(0.5, 0.5)))
    with pytest.raises(NotebeamError, match=r"decode_evidence\(clips\): got .*\[2, 3\]"):
        decode_evidence([*clips, *random_clips(0, (3,), keys=2)], None, Threshold())
    assert decode_evidence([], None, Beam()) == []
