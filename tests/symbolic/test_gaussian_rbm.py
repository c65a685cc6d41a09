"""Gaussian RBM: free energy against its definition, contrastive divergence against the exact gradient."""

import numpy as np
import pytest
import torch
from oracles_sequences import gaussian_rbm_energy, gaussian_rbm_moments
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators.gaussian_rbm import GaussianRbm, GaussianRbmOptions, gaussian_free_energy

D, H = 2, 3


def made(seed: int, gibbs: int = 15) -> tuple[GaussianRbm, Tensor]:
    """An RBM of random weights and one row of biases (1, P), float64."""
    rbm = GaussianRbm(D, GaussianRbmOptions(hidden=H, gibbs=gibbs, sample_gibbs=40)).double()
    g = torch.Generator().manual_seed(seed)
    rbm.weight.data = torch.randn(D, H, generator=g, dtype=torch.float64)
    return rbm, torch.randn(1, D + H, generator=g, dtype=torch.float64)


def arrays(rbm: GaussianRbm, biases: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """bv (D,), bh (H,), W (D, H)."""
    return biases[0, :D].numpy(), biases[0, D:].numpy(), rbm.weight.detach().numpy()


def test_free_energy_sums_out_the_hidden_units() -> None:
    rbm, biases = made(0)
    steps = torch.randn(5, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    bv, bh, weight = arrays(rbm, biases)
    codes = [np.array([(code >> j) & 1 for j in range(H)]) for code in range(2**H)]
    for step in steps:
        joint = [-gaussian_rbm_energy(step.numpy(), h, bv, bh, weight) for h in codes]
        assert_close(rbm.log_prob(step[None], biases)[0].item(), float(np.logaddexp.reduce(joint)))


def test_the_density_integrates_to_z() -> None:
    rbm, biases = made(2)
    axis = torch.linspace(-12, 12, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    total = rbm.log_prob(grid, biases.expand(len(grid), -1)).logsumexp(0) + 2 * (axis[1] - axis[0]).log()
    log_z, _, _ = gaussian_rbm_moments(*arrays(rbm, biases))
    assert_close(total.item(), log_z, atol=1e-6, rtol=0)


def test_contrastive_divergence_from_far_is_the_gradient_of_the_likelihood() -> None:
    # v* after 40 steps is about a sample of the model, so the gradient is that of log p on average.
    rbm, biases = made(3, gibbs=40)
    data = torch.randn(1, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    draws, step = 20_000, 1e-5
    shared = biases.clone().requires_grad_()
    many = shared.expand(draws, -1)
    rbm.objective(data.expand(draws, -1), many, torch.Generator().manual_seed(5)).mean().backward()
    bv, bh, weight = arrays(rbm, biases)

    def log_likelihood(flat: np.ndarray) -> float:
        b, c, w = flat[:D], flat[D : D + H], flat[D + H :].reshape(D, H)
        joint = [
            -gaussian_rbm_energy(data[0].numpy(), np.array([(code >> j) & 1 for j in range(H)]), b, c, w)
            for code in range(2**H)
        ]
        return float(np.logaddexp.reduce(joint)) - gaussian_rbm_moments(b, c, w)[0]

    flat = np.concatenate([bv, bh, weight.ravel()])
    slopes = []
    for index in range(len(flat)):
        change = np.eye(len(flat))[index] * step
        slopes.append((log_likelihood(flat + change) - log_likelihood(flat - change)) / (2 * step))
    assert rbm.weight.grad is not None and shared.grad is not None
    found = torch.cat([shared.grad[0], rbm.weight.grad.flatten()])
    # Statistics of 20,000 samples with moments of a few units scatter by about 0.02.
    assert_close(found, torch.tensor(slopes, dtype=torch.float64), atol=0.1, rtol=0)
    assert max(abs(slope) for slope in slopes) > 1


def test_no_gradient_passes_through_the_gibbs_steps() -> None:
    rbm, biases = made(6, gibbs=1)
    data = torch.randn(4, D, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    rows = biases.expand(4, -1).clone().requires_grad_()
    rbm.objective(data, rows, torch.Generator().manual_seed(8)).sum().backward()
    bv, bh = rbm.split(rows.detach())
    g = torch.Generator().manual_seed(8)
    weight = rbm.weight.detach()
    hidden = (torch.rand(4, H, generator=g, dtype=torch.float64) < torch.sigmoid(bh + data @ weight)).double()
    far = bv + hidden @ weight.t() + torch.randn(4, D, generator=g, dtype=torch.float64)
    # d(F(v*) - F(v)): for bv (bv - v*) - (bv - v), for bh the hidden probabilities, for W v times these.
    on, off = torch.sigmoid(bh + data @ weight), torch.sigmoid(bh + far @ weight)
    assert rows.grad is not None and rbm.weight.grad is not None
    assert_close(rows.grad, torch.cat([data - far, on - off], 1))
    assert_close(rbm.weight.grad, data.t() @ on - far.t() @ off)


def test_samples_have_the_moments_of_the_mixture() -> None:
    rbm, biases = made(9)
    draws = rbm.sample(biases.expand(40_000, -1), torch.Generator().manual_seed(0))
    _, mean, covariance = gaussian_rbm_moments(*arrays(rbm, biases))
    assert_close(draws.mean(0), torch.tensor(mean), atol=0.05, rtol=0)
    assert_close(draws.t().cov(), torch.tensor(covariance), atol=0.1, rtol=0)


def test_a_colder_sample_is_a_sample_of_the_divided_energy() -> None:
    # Without weights the energy is |v - bv|^2/2 - bh'h: at temperature 1/4 the deviation is 1/2.
    rbm, biases = made(10)
    rbm.weight.data.zero_()
    draws = rbm.sample(biases.expand(20_000, -1), torch.Generator().manual_seed(1), temperature=0.25)
    assert_close(draws.mean(0), biases[0, :D], atol=0.02, rtol=0)
    assert_close(draws.std(0), torch.full((D,), 0.5, dtype=torch.float64), atol=0.02, rtol=0)


def test_the_mean_is_the_model_s_mean_from_far_and_the_start_s_neighbour_from_near() -> None:
    rbm, biases = made(11)
    many = biases.expand(40_000, -1)
    _, mean, _ = gaussian_rbm_moments(*arrays(rbm, biases))
    far = rbm.mean(many, torch.Generator().manual_seed(2), start=torch.full((40_000, D), 3.0).double())
    assert_close(far.mean(0), torch.tensor(mean), atol=0.05, rtol=0)
    start = torch.tensor([[1.0, -2.0]], dtype=torch.float64).expand(40_000, -1)
    near = rbm.mean(many, torch.Generator().manual_seed(3), start=start, gibbs=1)
    weight = rbm.weight.detach()
    on = torch.sigmoid(biases[:, D:] + start[:1] @ weight)
    assert_close(near.mean(0), (biases[:, :D] + on @ weight.t())[0], atol=0.05, rtol=0)


def test_training_begins_at_the_data_s_mean() -> None:
    rbm, _ = made(12)
    rbm.weight.data.zero_()
    mean = torch.tensor([0.5, -1.0], dtype=torch.float64)
    draws = rbm.sample(
        rbm.initialise_from_marginals(mean).expand(20_000, -1), torch.Generator().manual_seed(0)
    )
    assert_close(draws.mean(0), mean, atol=0.05, rtol=0)


def test_biases_are_batched_row_by_row() -> None:
    rbm, _ = made(13)
    g = torch.Generator().manual_seed(0)
    steps, rows = torch.randn(4, D, generator=g).double(), torch.randn(4, D + H, generator=g).double()
    alone = [rbm.log_prob(steps[i : i + 1], rows[i : i + 1])[0] for i in range(4)]
    assert_close(rbm.log_prob(steps, rows), torch.stack(alone))
    assert gaussian_free_energy(steps, *rbm.split(rows), rbm.weight).shape == (4,)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(NotebeamError, match=r"GaussianRbmOptions\.gibbs: got 0, expected an integer >= 1"):
        GaussianRbmOptions(gibbs=0)
    rbm, biases = made(0)
    with pytest.raises(NotebeamError, match=r"temperature\): got 0, expected a number > 0"):
        rbm.sample(biases, torch.Generator(), 0)
