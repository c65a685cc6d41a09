"""RNADE: all numbers at once against the definition, its integral, its gradient, its samples."""

import numpy as np
import pytest
import torch
from oracles_sequences import rnade_log_prob as oracle_log_prob
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators.rnade import Rnade, RnadeOptions


def made(visible: int, n: int, seed: int, hidden: int = 4, components: int = 3) -> tuple[Rnade, Tensor]:
    """An RNADE of random parameters and n rows of biases (n, P), float64."""
    rnade = Rnade(visible, RnadeOptions(hidden=hidden, components=components, least_sd=0.1)).double()
    g = torch.Generator().manual_seed(seed)
    for parameter in rnade.parameters():
        parameter.data = torch.randn(parameter.shape, generator=g, dtype=torch.float64) * 0.5
    return rnade, torch.randn(n, rnade.biases, generator=g, dtype=torch.float64) * 0.7


@pytest.mark.parametrize(("visible", "hidden", "components"), [(5, 4, 3), (1, 2, 1), (3, 1, 2)])
def test_all_numbers_at_once_are_the_definition(visible: int, hidden: int, components: int) -> None:
    rnade, biases = made(visible, 6, visible, hidden, components)
    steps = torch.randn(6, visible, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    outputs, c = rnade.split(biases)
    weights = [p.detach().numpy() for p in (rnade.weight, rnade.out, rnade.scale)]
    expected = [
        oracle_log_prob(steps[i].numpy(), outputs[i].numpy(), c[i].numpy(), *weights, least_sd=0.1)
        for i in range(6)
    ]
    assert_close(rnade.log_prob(steps, biases), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("visible", [1, 2])
def test_the_density_integrates_to_one(visible: int) -> None:
    rnade, biases = made(visible, 1, seed=3)
    axis = torch.linspace(-15, 15, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * visible).view(-1, visible)
    log_prob = rnade.log_prob(grid, biases.expand(len(grid), -1)).detach()
    total = log_prob.exp().sum() * (axis[1] - axis[0]) ** visible
    assert_close(total.item(), 1.0, atol=1e-4, rtol=0)


def test_samples_have_the_density_s_moments() -> None:
    rnade, biases = made(2, 1, seed=4)
    axis = torch.linspace(-15, 15, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    prob = rnade.log_prob(grid, biases.expand(len(grid), -1)).exp().detach() * (axis[1] - axis[0]) ** 2
    mean = (prob[:, None] * grid).sum(0)
    covariance = (grid - mean).t() @ (prob[:, None] * (grid - mean))
    draws = rnade.sample(biases.expand(60_000, -1), torch.Generator().manual_seed(0))
    scatter = covariance.diagonal().sqrt()
    assert_close(draws.mean(0), mean, atol=0.03 * scatter.max().item(), rtol=0)
    assert_close(draws.t().cov(), covariance, atol=0.06 * scatter.max().item() ** 2, rtol=0)
    # And beyond moments: the share of draws in a quarter of the plane.
    inside = ((grid[:, 0] > mean[0]) & (grid[:, 1] > mean[1])).double()
    share = ((draws[:, 0] > mean[0]) & (draws[:, 1] > mean[1])).double().mean()
    assert_close(share, (prob * inside).sum(), atol=0.015, rtol=0)


def test_gradient_is_that_of_finite_differences() -> None:
    rnade, biases = made(3, 2, seed=5)
    steps = torch.randn(2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(rnade.log_prob, (steps.requires_grad_(), biases.requires_grad_()))


def test_gradients_stay_finite_where_data_repeat_exactly_or_lie_far_off() -> None:
    rnade, biases = made(3, 3, seed=6)
    outputs, _ = rnade.split(biases)
    outputs[:, 2] = -60.0  # standard deviations e^-60: only the floor is left
    steps = torch.stack([outputs[0, 1, :, 0], torch.full((3,), 1e3).double(), torch.zeros(3).double()])
    rows = biases.clone().requires_grad_()
    log_prob = rnade.log_prob(steps, rows)
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    for tensor in (rows, *rnade.parameters()):
        assert tensor.grad is not None and tensor.grad.isfinite().all()


def test_a_colder_sample_keeps_to_the_likeliest_component() -> None:
    rnade, biases = made(1, 1, seed=7, components=2)
    outputs, _ = rnade.split(biases)
    rnade.out.data.zero_()
    outputs[0, :, 0] = torch.tensor([[1.0, 0.0], [-5.0, 5.0], [0.0, 0.0]])
    draws = rnade.sample(biases.expand(20_000, -1), torch.Generator().manual_seed(1), temperature=0.25)
    low = draws[draws < 0]
    # Odds e^(1/0.25); variance (1 + 0.1^2) / 4.
    assert_close(len(low) / 20_000, 1 / (1 + np.exp(-4.0)), atol=0.005, rtol=0)
    assert_close(low.std().item(), float(np.sqrt(1.01 / 4)), atol=0.01, rtol=0)


def test_training_begins_at_the_data_s_mean() -> None:
    rnade = Rnade(3, RnadeOptions(hidden=4, components=5)).double()
    rnade.out.data.zero_()
    mean = torch.tensor([0.5, -1.0, 4.0], dtype=torch.float64)
    draws = rnade.sample(
        rnade.initialise_from_marginals(mean).expand(20_000, -1), torch.Generator().manual_seed(0)
    )
    assert_close(draws.mean(0), mean, atol=0.05, rtol=0)
    # Variance 1 within the components, and that of -1, -1/2, 0, 1/2, 1 between them.
    assert_close(draws.var(0), torch.full((3,), 1.5).double(), atol=0.08, rtol=0)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(NotebeamError, match=r"RnadeOptions\.components: got 0, expected an integer >= 1"):
        RnadeOptions(components=0)
    with pytest.raises(NotebeamError, match=r"RnadeOptions\.least_sd: got 0, expected a number > 0"):
        RnadeOptions(least_sd=0)
    rnade, biases = made(2, 1, seed=0)
    with pytest.raises(NotebeamError, match=r"temperature\): got 0, expected a number > 0"):
        rnade.sample(biases, torch.Generator(), 0)
