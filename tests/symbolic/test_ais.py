"""Annealed importance sampling against exact sums, the honesty of its spread, the likelihood it completes."""

import math

import numpy as np
import pytest
import torch
from oracles_priors import all_columns, rbm_log_partition
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators import ais
from symbolic.estimators.ais import AisOptions, ais_log_partition, mean_field_logits
from symbolic.estimators.rbm import Rbm, RbmOptions
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.priors.rnn import RnnOptions, RnnPrior


def random_rbm(
    n: int, keys: int, hidden: int, seed: int, scale: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """weight (keys, hidden), visible_bias (n, keys), hidden_bias (n, hidden), float64."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((keys, hidden), (n, keys), (n, hidden))
    weight, visible_bias, hidden_bias = (torch.randn(*s, generator=g, dtype=torch.float64) for s in shapes)
    return weight * scale, visible_bias - 1, hidden_bias


def exact(weight: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Tensor:
    """(N,) log Z, one RBM after the other."""
    pairs = zip(visible_bias.numpy(), hidden_bias.numpy(), strict=True)
    return torch.tensor([rbm_log_partition(bv, bh, weight.numpy()) for bv, bh in pairs], dtype=torch.float64)


def zeros(keys: int) -> Tensor:
    return torch.zeros(keys, dtype=torch.float64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("keys", "hidden"), [(30, 10), (10, 20), (7, 10)])
def test_the_estimate_is_within_a_tenth_of_a_nat(keys: int, hidden: int) -> None:
    weight, visible_bias, hidden_bias = random_rbm(4, keys, hidden, seed=keys, scale=0.7)
    if hidden <= 10:
        expected = exact(weight, visible_bias, hidden_bias)
    else:  # the two layers change places: Z is the same, and the smaller one is enumerated
        expected = exact(weight.t(), hidden_bias, visible_bias)
    log_z, error = ais_log_partition(
        weight, visible_bias, hidden_bias, zeros(keys), generator(), temperatures=500, runs=100
    )
    assert (log_z - expected).abs().max() < 0.1
    assert ((log_z - expected).abs() < 5 * error).all() and (error > 0).all()


def test_the_spread_is_that_of_repeated_estimates_and_z_is_unbiased() -> None:
    weight, visible_bias, hidden_bias = random_rbm(1, 7, 10, seed=1)
    repeats, exact_log_z = 400, exact(weight, visible_bias, hidden_bias)
    errors = []
    for temperatures in (10, 40):
        log_z, error = ais_log_partition(
            weight,
            visible_bias.expand(repeats, -1),
            hidden_bias.expand(repeats, -1),
            zeros(7),
            generator(),
            temperatures=temperatures,
            runs=50,
        )
        # A standard deviation of 400 numbers is known to 3.5 %; the errors' own mean is a little low.
        assert 0.85 < log_z.std() / error.square().mean().sqrt() < 1.25
        ratio = (log_z - exact_log_z).exp()
        assert abs(ratio.mean() - 1) < 4 * ratio.std() / repeats**0.5
        errors.append(error.mean())
    assert errors[1] < 0.6 * errors[0]  # four times the temperatures: half the error


def test_without_weights_any_number_of_temperatures_is_exact() -> None:
    # Z is then a product over units: prod(1 + e^bv) prod(1 + e^bh), and the base may have the same keys.
    visible_bias, hidden_bias = torch.tensor([[0.3, -2.0], [1.0, 4.0]]), torch.tensor([[1.0], [-3.0]])
    expected = torch.log1p(visible_bias.exp()).sum(1) + torch.log1p(hidden_bias.exp()).sum(1)
    log_z, error = ais_log_partition(
        torch.zeros(2, 1), visible_bias, hidden_bias, visible_bias, generator(), temperatures=3, runs=4
    )
    assert_close(log_z.float(), expected)
    assert error.max() < 1e-6


def test_a_base_near_the_rbm_has_the_smaller_error() -> None:
    weight, visible_bias, hidden_bias = random_rbm(3, 12, 6, seed=2, scale=0.1)
    visible_bias = visible_bias - 3
    far, near = (
        ais_log_partition(weight, visible_bias, hidden_bias, base, generator(), temperatures=20, runs=200)
        for base in (zeros(12), visible_bias)
    )
    expected = exact(weight, visible_bias, hidden_bias)
    for log_z, error in (far, near):
        assert ((log_z - expected).abs() < 4 * error).all()
    assert (near[1] < far[1] / 2).all()


def test_the_mean_field_base_is_a_fixed_point_and_nearer_than_the_visible_bias() -> None:
    weight, visible_bias, hidden_bias = random_rbm(3, 12, 6, seed=6, scale=0.3)
    start = torch.sigmoid(visible_bias)
    base = mean_field_logits(weight, visible_bias, hidden_bias, start, sweeps=200)
    hidden = torch.sigmoid(hidden_bias + torch.sigmoid(base) @ weight)
    assert_close(base, visible_bias + hidden @ weight.t())
    expected = exact(weight, visible_bias, hidden_bias)
    errors = []
    for logits in (visible_bias, base):
        log_z, error = ais_log_partition(
            weight, visible_bias, hidden_bias, logits, generator(), temperatures=30, runs=200
        )
        assert ((log_z - expected).abs() < 4 * error).all()
        errors.append(error)
    assert (errors[1] < errors[0]).all()


@pytest.mark.parametrize("block", [1 << 20, 60])
def test_shared_noise_gives_each_state_its_estimate_whatever_the_company(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ais, "NUMBERS_AT_ONCE", block)  # 60: six chains at a time, fewer than runs
    weight, visible_bias, hidden_bias = random_rbm(5, 6, 4, seed=3)
    settings = {"temperatures": 20, "runs": 8}
    together, _ = ais_log_partition(
        weight, visible_bias, hidden_bias, zeros(6), generator(4), noise="shared", **settings
    )
    for i in (0, 3, 4):
        alone, _ = ais_log_partition(
            weight,
            visible_bias[i, None],
            hidden_bias[i, None],
            zeros(6),
            generator(4),
            noise="shared",
            **settings,
        )
        assert_close(alone[0], together[i])
    own, _ = ais_log_partition(
        weight,
        visible_bias[:1].expand(2, -1),
        hidden_bias[:1].expand(2, -1),
        zeros(6),
        generator(4),
        **settings,
    )
    assert own[0] != own[1]


@pytest.mark.parametrize("block", [500, 70])  # 50 chains at a time, or 7: less than the runs of one state
def test_small_blocks_estimate_the_same(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ais, "NUMBERS_AT_ONCE", block)
    weight, visible_bias, hidden_bias = random_rbm(7, 6, 4, seed=5)
    log_z, error = ais_log_partition(
        weight, visible_bias, hidden_bias, zeros(6), generator(), temperatures=40, runs=20
    )
    assert ((log_z - exact(weight, visible_bias, hidden_bias)).abs() < 5 * error).all()


def rbm_prior(seed: int = 0) -> RnnPrior:
    """A small RNN-RBM whose past matters."""
    torch.manual_seed(seed)
    prior = RnnPrior("rnn", RnnOptions(visible=5, units=4), lambda d: Rbm(d, RbmOptions(hidden=6)))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return prior


@torch.no_grad()
def exact_likelihoods(prior: RnnPrior, rolls: list[np.ndarray]) -> list[float]:
    """log p of every step, all 32 columns enumerated, shortest roll first."""
    found, columns = [], all_columns(5).float()
    for roll in sorted(rolls, key=len):
        state = prior.initial_state(1)
        for step in torch.from_numpy(roll).float():
            log_z = prior.log_prob(state, columns[None]).logsumexp(1)
            found.append(float(prior.log_prob(state, step[None, None])[0, 0] - log_z))
            state = prior.advance(state, step[None])
    return found


def some_rolls() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((length, 5)) < 0.4 for length in (9, 4, 14)]


def test_the_likelihood_of_an_rbm_type_is_minus_f_minus_the_estimated_log_z() -> None:
    prior, rolls = rbm_prior(), some_rolls()
    expected, options = exact_likelihoods(prior, rolls), AisOptions(temperatures=200, runs=50)
    likelihood = log_likelihood(prior, rolls, options)
    assert likelihood.steps == 27 and likelihood.ais == options
    assert 0 < likelihood.standard_error < likelihood.spread < 0.2
    assert abs(likelihood.per_step - sum(expected) / 27) < 4 * likelihood.standard_error
    assert likelihood == log_likelihood(prior, rolls, options)
    assert likelihood != log_likelihood(prior, rolls, options, torch.Generator().manual_seed(5))


def test_a_mean_field_base_gives_the_likelihood_a_smaller_spread() -> None:
    prior, rolls = rbm_prior(), some_rolls()
    expected = sum(exact_likelihoods(prior, rolls)) / 27
    plain, near = (
        log_likelihood(prior, rolls, AisOptions(temperatures=100, runs=50, base=base))
        for base in ("marginals", "mean-field")
    )
    assert near.spread < plain.spread
    assert abs(near.per_step - expected) < 4 * near.standard_error


def test_some_steps_can_stand_for_all() -> None:
    prior, rolls = rbm_prior(), some_rolls()
    expected = exact_likelihoods(prior, rolls)
    likelihood = log_likelihood(prior, rolls, AisOptions(temperatures=300, runs=100, steps=9))
    assert likelihood.steps == 9
    chosen = expected[::3]  # evenly spread: every third of 27
    assert math.isclose(likelihood.per_step, sum(chosen) / 9, abs_tol=0.05)
    # What judging 9 of 27 adds to the error: sd / sqrt(9) * sqrt(1 - 9/27).
    assert math.isclose(likelihood.standard_error, np.std(chosen, ddof=1) / 3 * (2 / 3) ** 0.5, rel_tol=0.05)
    assert log_likelihood(prior, rolls, AisOptions(temperatures=5, runs=2, steps=99)).steps == 27
    with pytest.raises(NotebeamError, match=r"AisOptions\.steps: got 1, expected 2 or more"):
        log_likelihood(prior, rolls, AisOptions(temperatures=5, runs=2, steps=1))
    assert log_likelihood(prior, [rolls[0][:1]], AisOptions(temperatures=5, runs=2, steps=1)).steps == 1


def test_an_rbm_type_without_options_is_refused() -> None:
    with pytest.raises(NotebeamError, match=r"log_likelihood\(prior\): got .*log Z.*, expected .*AisOptions"):
        log_likelihood(rbm_prior(), some_rolls())


@pytest.mark.parametrize(("option", "value"), [("temperatures", 0), ("runs", 1), ("steps", -1)])
def test_a_bad_number_is_refused_by_name(option: str, value: int) -> None:
    with pytest.raises(NotebeamError, match=rf"AisOptions\.{option}: got {value}, expected an integer >="):
        AisOptions(**{option: value})


def test_an_unknown_base_is_refused_by_name() -> None:
    with pytest.raises(NotebeamError, match=r"AisOptions\.base: got 'data', expected \"marginals\" or"):
        AisOptions(base="data")  # type: ignore[arg-type]
