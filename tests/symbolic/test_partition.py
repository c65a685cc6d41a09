"""Decoding with a prior that leaves out log Z: the beam needs it, and an estimate of it is enough."""

from itertools import product
from math import inf

import numpy as np
import pytest
import torch
from oracles_decoding import row_cost
from oracles_priors import all_columns, rbm_log_partition
from torch import Tensor
from torch.testing import assert_close

from symbolic.clock import Clock
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.options import Beam
from symbolic.errors import NotebeamError
from symbolic.estimators.rbm import Rbm, RbmOptions
from symbolic.priors.base import Prior
from symbolic.priors.partition import WithPartition
from symbolic.priors.rnn import RnnOptions, RnnPrior
from symbolic.state import State

KEYS, STEPS, HIDDEN = 3, 3, 8
ROWS = list(product((0, 1), repeat=KEYS))
EVERYTHING = Beam(width=8**STEPS, candidates=8, switchable=3, prune=inf, hash_steps=0, floor=0.0, n_best=3)


def rnn_rbm(seed: int) -> RnnPrior:
    """Small, random, float64; what was played moves log Z by several nats."""
    torch.manual_seed(seed)
    prior = RnnPrior(
        "rnn", RnnOptions(visible=KEYS, units=4), lambda d: Rbm(d, RbmOptions(hidden=HIDDEN))
    ).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return prior


def clip(seed: int) -> Evidence:
    prob = 1 / (1 + np.exp(-np.random.default_rng(seed).normal(size=(STEPS, KEYS))))
    time = np.broadcast_to(np.arange(STEPS)[:, None] * 0.04, prob.shape)
    frame = np.zeros(prob.shape, dtype=np.int32)
    return Evidence(prob.astype(np.float32), time, frame, Clock.frames(STEPS, 0.04))


def log_z_of(prior: RnnPrior, state: State) -> Tensor:
    """(N,) exact log Z after each past of a state."""
    visible_bias, hidden_bias = prior.estimator.split(prior.step_biases(state))  # type: ignore[attr-defined]
    weight = prior.estimator.weight.detach().numpy()  # type: ignore[attr-defined]
    pairs = zip(visible_bias.numpy(), hidden_bias.numpy(), strict=True)
    found = [rbm_log_partition(bv, bh, weight) for bv, bh in pairs]
    return torch.tensor(found, dtype=visible_bias.dtype)


class ExactZ(Prior):
    """The prior with log Z enumerated."""

    visible = KEYS

    def __init__(self, prior: RnnPrior) -> None:
        super().__init__()
        self.prior = prior

    def initial_state(self, n: int) -> State:
        return self.prior.initial_state(n)

    def advance(self, state: State, step: Tensor) -> State:
        return self.prior.advance(state, step)

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return self.prior.sample(state, generator, temperature)

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        return self.prior.log_prob(state, candidates) - log_z_of(self.prior, state)[:, None]


@torch.no_grad()
def every_roll(prior: RnnPrior, evidence: Evidence) -> dict[tuple[int, ...], float]:
    """Exact cost of every roll, given as row numbers."""
    columns, costs = all_columns(KEYS), {(): 0.0}
    states = {(): prior.initial_state(1)}
    for prob in evidence.prob:
        after, costs_after = {}, {}
        for past, state in states.items():
            log_prob = prior.log_prob(state, columns[None])[0] - log_z_of(prior, state)
            for number, row in enumerate(ROWS):
                local = row_cost(row, prob, 1.0, 0.0, 0.0)
                costs_after[(*past, number)] = costs[past] + local - float(log_prob[number])
                after[(*past, number)] = prior.advance(state, columns[number, None])
        states, costs = after, costs_after
    return costs


def numbers(roll: np.ndarray) -> tuple[int, ...]:
    return tuple(ROWS.index(tuple(row)) for row in roll.astype(int).tolist())


def test_a_beam_finds_the_best_roll_with_an_estimated_log_z_and_another_without_it() -> None:
    prior, evidence = rnn_rbm(0), clip(0)
    costs = every_roll(prior, evidence)
    prior = prior.float()  # as the decoder is
    best = min(costs, key=lambda roll: costs[roll])
    estimated = decode_evidence([evidence], prior, EVERYTHING)[0]
    assert numbers(estimated.roll) == best
    assert estimated.costs[0] == pytest.approx(costs[best], abs=0.3)
    for width in (2, 5):  # where something is cut, the same is cut
        options = Beam(width=width, candidates=8, switchable=3, prune=inf, floor=0.0)
        with_exact = decode_evidence([evidence], ExactZ(prior), options)[0]
        with_estimate = decode_evidence([evidence], prior, options)[0]
        np.testing.assert_array_equal(with_estimate.roll, with_exact.roll)
        np.testing.assert_allclose(with_estimate.costs, with_exact.costs, atol=0.3)
    prior.is_normalized = True  # a lie: log Z is left out
    without = decode_evidence([evidence], prior, EVERYTHING)[0]
    assert numbers(without.roll) != best
    assert costs[numbers(without.roll)] > costs[best] + 0.5


def test_a_past_has_one_log_z_in_any_company() -> None:
    prior = rnn_rbm(1)
    whole = WithPartition(prior, temperatures=200, runs=50)
    rolls = torch.tensor(np.random.default_rng(2).random((5, 6, KEYS)) < 0.5).double()
    mask = torch.arange(6)[None] < torch.tensor([6, 3, 0, 6, 5])[:, None]
    with torch.no_grad():
        parallel = whole.sequence_log_prob(rolls, mask)
        assert (parallel[~mask] == 0).all()
        state = whole.initial_state(1)
        for t in range(6):
            log_prob = whole.log_prob(state, all_columns(KEYS)[None])[0]
            exact = prior.log_prob(state, all_columns(KEYS)[None])[0] - log_z_of(prior, state)
            assert_close(log_prob, exact, atol=0.1, rtol=0)
            number = ROWS.index(tuple(rolls[3, t].int().tolist()))
            assert_close(log_prob[number], parallel[3, t])
            state = whole.advance(state, rolls[3, t, None])


def test_a_batch_is_each_clip_alone() -> None:
    prior, clips = rnn_rbm(3).float(), [clip(4), clip(5)]
    options = Beam(width=4, candidates=6, n_best=2)
    for one, found in zip(clips, decode_evidence(clips, prior, options), strict=True):
        alone = decode_evidence([one], prior, options)[0]
        np.testing.assert_array_equal(found.rolls, alone.rolls)
        np.testing.assert_allclose(found.costs, alone.costs)


def test_more_temperatures_and_runs_come_nearer() -> None:
    prior = rnn_rbm(6)
    state = prior.advance(prior.initial_state(16), all_columns(4)[:, :KEYS])
    errors = []
    with torch.no_grad():
        biases, exact = prior.step_biases(state), log_z_of(prior, state)
        for temperatures, runs in ((3, 2), (200, 50)):
            estimate = WithPartition(prior, temperatures=temperatures, runs=runs).log_partition(biases)
            errors.append((estimate - exact).abs().max())
    assert errors[1] < 0.1 < errors[0]


@pytest.mark.parametrize(("option", "value", "least"), [("temperatures", 0, 1), ("runs", 1, 2)])
def test_a_bad_option_is_refused_by_name(option: str, value: int, least: int) -> None:
    expected = rf"Beam\.partition_{option}: got {value}, expected an integer >= {least}"
    with pytest.raises(NotebeamError, match=expected):
        Beam(**{f"partition_{option}": value})  # type: ignore[arg-type]
