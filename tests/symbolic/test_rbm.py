"""RBM: free energy, conditionals, chains and contrastive divergence against sums over all states."""

import numpy as np
import pytest
import torch
from oracles_priors import all_columns, rbm_energy
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators.rbm import (
    Rbm,
    RbmOptions,
    contrastive_divergence,
    free_energy,
    gibbs_chain,
    hidden_prob,
    rbm_sample,
    visible_prob,
)


def random_rbm(n: int, keys: int, hidden: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """visible_bias (n, keys), hidden_bias (n, hidden), weight (keys, hidden), float64."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((n, keys), (n, hidden), (keys, hidden))
    visible_bias, hidden_bias, weight = (torch.randn(*s, generator=g, dtype=torch.float64) for s in shapes)
    return visible_bias, hidden_bias, weight


def joint(visible_bias: Tensor, hidden_bias: Tensor, weight: Tensor, temperature: float = 1.0) -> Tensor:
    """(2**D, 2**H) P(v, h), one energy at a time."""
    parameters = (visible_bias.numpy(), hidden_bias.numpy(), weight.numpy())
    table = [
        [-rbm_energy(v.numpy(), h.numpy(), *parameters) / temperature for h in all_columns(weight.shape[1])]
        for v in all_columns(weight.shape[0])
    ]
    weights = torch.tensor(table, dtype=torch.float64).exp()
    return weights / weights.sum()


def frequencies(samples: Tensor) -> Tensor:
    """(2**D,) share of each column among samples (N, D), in the order of all_columns."""
    keys = samples.shape[1]
    place = 2.0 ** torch.arange(keys - 1, -1, -1, dtype=samples.dtype)
    return torch.bincount((samples @ place).long(), minlength=2**keys) / len(samples)


def test_free_energy_sums_out_the_hidden_units() -> None:
    visible_bias, hidden_bias, weight = random_rbm(6, 5, 4, seed=0)
    steps = all_columns(5)[[0, 31, 7, 12, 20, 1]]
    expected = []
    for step, bv, bh in zip(steps.numpy(), visible_bias.numpy(), hidden_bias.numpy(), strict=True):
        terms = [np.exp(-rbm_energy(step, h, bv, bh, weight.numpy())) for h in all_columns(4).numpy()]
        expected.append(-np.log(sum(terms)))
    got = free_energy(steps, visible_bias, hidden_bias, weight)
    assert_close(got, torch.tensor(expected, dtype=torch.float64))


def test_conditionals_are_those_of_the_joint_distribution() -> None:
    visible_bias, hidden_bias, weight = random_rbm(1, 3, 4, seed=1)
    prob = joint(visible_bias[0], hidden_bias[0], weight)
    given_step = prob / prob.sum(1, keepdim=True) @ all_columns(4)
    given_hidden = (prob / prob.sum(0)).t() @ all_columns(3)
    assert_close(hidden_prob(all_columns(3), hidden_bias.expand(8, -1), weight), given_step)
    assert_close(visible_prob(all_columns(4), visible_bias.expand(16, -1), weight), given_hidden)


def test_one_gibbs_step_is_the_transition_of_the_enumerated_chain() -> None:
    visible_bias, hidden_bias, weight = random_rbm(1, 3, 3, seed=2)
    prob, draws = joint(visible_bias[0], hidden_bias[0], weight), 40_000
    # P(v'|v) = sum_h P(v'|h) P(h|v)
    transition = (prob / prob.sum(1, keepdim=True)) @ (prob / prob.sum(0)).t()
    start = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64).expand(draws, -1)
    many = visible_bias.expand(draws, -1), hidden_bias.expand(draws, -1), weight
    for count, expected in ((1, transition[5]), (2, (transition @ transition)[5])):
        seen = frequencies(gibbs_chain(start, *many, torch.Generator().manual_seed(3), count))
        assert ((seen - expected).abs() < 5 * (expected * (1 - expected) / draws).sqrt()).all()


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_samples_come_as_often_as_they_are_probable(temperature: float) -> None:
    visible_bias, hidden_bias, weight = random_rbm(1, 4, 3, seed=4)
    draws = 40_000
    many = visible_bias.expand(draws, -1), hidden_bias.expand(draws, -1), weight
    seen = frequencies(rbm_sample(*many, torch.Generator().manual_seed(1), 60, temperature))
    prob = joint(visible_bias[0], hidden_bias[0], weight, temperature).sum(1)
    # Five standard deviations of a binomial share.
    assert ((seen - prob).abs() < 5 * (prob * (1 - prob) / draws).sqrt() + 1e-9).all()


def test_the_gradient_of_contrastive_divergence_is_the_formula() -> None:
    visible_bias, hidden_bias, weight = (p.requires_grad_() for p in random_rbm(7, 5, 3, seed=5))
    step = all_columns(5)[:7]
    arguments = (step, visible_bias, hidden_bias, weight)
    contrastive_divergence(*arguments, torch.Generator().manual_seed(6), 4).sum().backward()
    with torch.no_grad():
        other = gibbs_chain(*arguments, torch.Generator().manual_seed(6), 4)
        assert not torch.equal(other, step)
        near, far = (torch.sigmoid(hidden_bias + v @ weight) for v in (step, other))
        # d(F(v*) - F(v)): what is raised, hence the signs.
        assert_close(visible_bias.grad, step - other)
        assert_close(hidden_bias.grad, near - far)
        assert_close(weight.grad, step.t() @ near - other.t() @ far)


def test_long_chains_have_the_gradient_of_the_likelihood_in_the_mean() -> None:
    visible_bias, hidden_bias, weight = (p.requires_grad_() for p in random_rbm(1, 4, 3, seed=7))
    columns, draws = all_columns(4), 40_000
    step = columns[6:7]
    every = visible_bias.expand(16, -1), hidden_bias.expand(16, -1), weight
    log_z = torch.logsumexp(-free_energy(columns, *every), 0)
    log_prob = -free_energy(step, visible_bias, hidden_bias, weight).sum() - log_z
    exact = torch.autograd.grad(log_prob, (visible_bias, hidden_bias, weight))
    many = visible_bias.expand(draws, -1), hidden_bias.expand(draws, -1), weight
    objective = contrastive_divergence(step.expand(draws, -1), *many, torch.Generator().manual_seed(8), 60)
    estimate = torch.autograd.grad(objective.mean(), (visible_bias, hidden_bias, weight))
    for got, expected in zip(estimate, exact, strict=True):
        # Each is a mean of 40,000 numbers in -1..1: five standard deviations are at most 0.025.
        assert (got - expected).abs().max() < 0.025
        assert expected.abs().max() > 0.1


def test_the_prediction_is_the_visible_mean_given_the_hidden_units() -> None:
    torch.manual_seed(0)
    rbm = Rbm(4, RbmOptions(hidden=3)).double()
    visible_bias, hidden_bias, weight = random_rbm(1, 4, 3, seed=9)
    rbm.weight.data.copy_(weight)
    draws = 20_000
    biases = torch.cat([visible_bias, hidden_bias], 1).expand(draws, -1)
    step = all_columns(4)[9].expand(draws, -1)
    mean = rbm.mean(biases, torch.Generator().manual_seed(0), start=step, gibbs=1)
    possible = visible_prob(all_columns(3), visible_bias.expand(8, -1), weight)
    assert (mean[:, None] - possible).abs().amax(2).amin(1).max() < 1e-12
    hidden = joint(visible_bias[0], hidden_bias[0], weight)[9]
    assert_close(mean.mean(0), hidden / hidden.sum() @ possible, atol=0.02, rtol=0)


def test_the_estimator_splits_its_biases_visible_first() -> None:
    rbm = Rbm(3, RbmOptions(hidden=2, sample_gibbs=40)).double()
    visible_bias, hidden_bias, weight = random_rbm(8, 3, 2, seed=10)
    rbm.weight.data.copy_(weight)
    biases = torch.cat([visible_bias, hidden_bias], 1)
    assert rbm.biases == biases.shape[1] and not rbm.is_normalized
    assert_close(
        rbm.log_prob(all_columns(3), biases).detach(),
        -free_energy(all_columns(3), visible_bias, hidden_bias, weight),
    )
    chance = frequencies(rbm.sample(biases[:1].expand(40_000, -1), torch.Generator().manual_seed(0)))
    prob = joint(visible_bias[0], hidden_bias[0], weight).sum(1)
    assert ((chance - prob).abs() < 5 * (prob * (1 - prob) / 40_000).sqrt()).all()


def test_training_begins_at_the_frequencies() -> None:
    rbm = Rbm(3, RbmOptions(hidden=2, sample_gibbs=2))
    mean = torch.tensor([0.1, 0.5, 0.01])
    biases = rbm.initialise_from_marginals(mean).expand(40_000, -1)
    # W starts at about 0.01, which moves a logit by 0.02 or so.
    assert_close(rbm.sample(biases, torch.Generator().manual_seed(0)).mean(0), mean, atol=0.015, rtol=0)


@pytest.mark.parametrize("option", ["hidden", "gibbs", "sample_gibbs"])
def test_a_bad_option_is_refused_by_name(option: str) -> None:
    with pytest.raises(NotebeamError, match=rf"RbmOptions\.{option}: got 0, expected an integer >= 1"):
        RbmOptions(**{option: 0})


def test_temperature_zero_is_refused() -> None:
    with pytest.raises(NotebeamError, match=r"temperature\): got 0\.0, expected a number > 0"):
        rbm_sample(*random_rbm(1, 3, 2, seed=0), torch.Generator(), 5, 0.0)
