"""Contrastive divergence with random chains: it meets modes that chains from the data never see."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators.rbm import Rbm, RbmOptions, free_energy, scattered

KEYS = 12


def far_mode(random_chains: float) -> Rbm:
    """An RBM of one hidden unit that is on where all keys are: energy 0 of silence, -60 of all keys."""
    rbm = Rbm(KEYS, RbmOptions(hidden=1, gibbs=3, random_chains=random_chains)).double()
    with torch.no_grad():
        rbm.weight.fill_(15.0)
    return rbm


def gradient_at_silence(rbm: Rbm) -> Tensor:
    """(D, 1) of the weight, where all data are silence."""
    # bv = -5 a key and bh = -60: -E of all keys with the unit on is 12 (15 - 5) - 60 = 60.
    biases = torch.tensor([-5.0] * KEYS + [-60.0], dtype=torch.float64).expand(400, -1)
    objective = rbm.objective(
        torch.zeros(400, KEYS, dtype=torch.float64), biases, torch.Generator().manual_seed(0)
    )
    (gradient,) = torch.autograd.grad(objective.mean(), rbm.weight)
    return gradient


def test_a_mode_far_from_the_data_is_raised_by_random_chains_alone() -> None:
    assert gradient_at_silence(far_mode(0.0)).abs().max() < 1e-6
    # Of the 20 % of chains that begin at random, those with more than four keys (60 / 15) fall into the mode:
    # about two thirds. Each lowers the weights by 1.
    gradient = gradient_at_silence(far_mode(0.2))
    assert ((gradient > -0.2) & (gradient < -0.08)).all()


def test_at_the_data_its_value_is_the_difference_of_free_energies() -> None:
    rbm = Rbm(3, RbmOptions(hidden=2, gibbs=1, random_chains=1.0)).double()
    with torch.no_grad():
        rbm.weight.zero_()  # a chain then ends at the keys' own biases, wherever it begins
    biases = torch.tensor([[50.0, -50.0, 50.0, 0.3, 0.1]], dtype=torch.float64)
    step = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    other = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    energies = [free_energy(v, *rbm.split(biases), rbm.weight) for v in (other, step)]
    assert_close(rbm.objective(step, biases, torch.Generator().manual_seed(0)), energies[0] - energies[1])


def test_a_share_of_the_steps_is_replaced_by_ones_of_every_density() -> None:
    step = torch.full((4000, 40), 0.5)  # a value that no drawn step has
    found = scattered(step, 0.25, torch.Generator().manual_seed(0))
    drawn = (found != 0.5).all(1)
    assert torch.equal(found[~drawn], step[~drawn])
    # Five standard deviations of a binomial share, and of the mean and variance of a uniform density.
    assert abs(drawn.double().mean() - 0.25) < 0.035
    density = found[drawn].mean(1)
    assert abs(density.mean() - 0.5) < 0.05 and 0.25 < density.std() < 0.33


@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_a_share_beyond_one_is_refused_by_name(value: float) -> None:
    with pytest.raises(NotebeamError, match=rf"random_chains: got {value}, expected a share in 0..1"):
        RbmOptions(random_chains=value)
