"""Independent keys: probabilities that sum to one, samples, temperature."""

import numpy as np
import pytest
import torch
from oracles_priors import all_columns, sigmoid
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators.bernoulli import Bernoulli, BernoulliOptions, bernoulli_log_prob, bernoulli_sample

LOGIT = torch.tensor([[-2.0, 0.5, 3.0, -40.0, 800.0]], dtype=torch.float64)


def test_all_columns_together_have_probability_one() -> None:
    columns = all_columns(5)
    total = bernoulli_log_prob(columns, LOGIT.expand(len(columns), -1)).exp().sum()
    assert_close(total, torch.tensor(1.0, dtype=torch.float64))


def test_keys_are_independent() -> None:
    on, column = sigmoid(LOGIT[0, :3].numpy()), torch.tensor([[0.0, 1.0, 1.0]], dtype=torch.float64)
    expected = np.log(1 - on[0]) + np.log(on[1]) + np.log(on[2])
    assert bernoulli_log_prob(column, LOGIT[:, :3]).item() == pytest.approx(expected)


def test_samples_come_as_often_as_they_are_probable_at_a_temperature() -> None:
    draws, temperature = 40_000, 0.5
    seen = bernoulli_sample(LOGIT.expand(draws, -1), torch.Generator().manual_seed(0), temperature).mean(0)
    prob = torch.tensor([1 / (1 + np.exp(-z / 0.5)) for z in LOGIT[0].tolist()], dtype=torch.float64)
    # Five standard deviations of a binomial share.
    assert ((seen - prob).abs() <= 5 * (prob * (1 - prob) / draws).sqrt()).all()


def test_training_begins_at_the_frequencies_and_raises_the_log_probability() -> None:
    keys = Bernoulli(3, BernoulliOptions())
    biases = keys.initialise_from_marginals(torch.tensor([0.1, 0.5, 0.01]))[None]
    one = torch.tensor([[1.0, 0.0, 0.0]])
    expected = torch.tensor([0.1 * 0.5 * 0.99]).log()
    assert_close(keys.log_prob(one, biases), expected)
    assert_close(keys.objective(one, biases, torch.Generator()), expected)


def test_temperature_zero_is_refused() -> None:
    with pytest.raises(NotebeamError, match=r"temperature\): got 0\.0, expected a number > 0"):
        bernoulli_sample(LOGIT, torch.Generator(), 0.0)
