"""RNN-NADE: exact, and the same number by every way of asking."""

import numpy as np
import pytest
import torch
from oracles_priors import all_columns, lstm_step
from oracles_priors import nade_log_prob as oracle_log_prob
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.priors.rnn_nade import RnnNade, RnnNadeOptions


def small_prior(visible: int = 6, layers: int = 2) -> RnnNade:
    """Random, float64, with weights large enough for the past and the keys below to matter."""
    torch.manual_seed(visible)
    prior = RnnNade(RnnNadeOptions(visible=visible, units=5, layers=layers, hidden=4)).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return prior


def random_rolls(clips: int, steps: int, keys: int) -> Tensor:
    g = torch.Generator().manual_seed(steps)
    return (torch.rand(clips, steps, keys, generator=g) < 0.4).double()


def test_the_model_is_its_equations() -> None:
    prior, roll = small_prior(layers=1), random_rolls(1, 5, 6)
    heads, bias = (p.detach().numpy() for p in (prior.conditioner.weight, prior.conditioner.bias))
    weight, out = prior.weight.detach().numpy(), prior.out.detach().numpy()
    hidden, cell, expected = np.zeros(5), np.zeros(5), []
    for step in roll[0].numpy():
        b, c = np.split(heads @ hidden + bias, [6])
        expected.append(oracle_log_prob(step, b, c, weight, out))
        hidden, cell = lstm_step(step, hidden, cell, prior.recurrence.layers[0])  # type: ignore[arg-type]
    log_prob = prior.sequence_log_prob(roll, torch.ones(1, 5, dtype=torch.bool))
    assert_close(log_prob[0].detach(), torch.tensor(expected, dtype=torch.float64))


def test_a_prior_begins_at_given_frequencies() -> None:
    torch.manual_seed(0)
    prior = RnnNade(RnnNadeOptions(visible=3, units=5, hidden=4))
    prior.begin_at(torch.tensor([0.1, 0.5, 0.01]))
    with torch.no_grad():
        columns = all_columns(3).float()
        prob = prior.log_prob(prior.initial_state(1), columns[None])[0].exp()
    # V starts at about 0.01, which moves a logit by 0.02 or so.
    assert_close(prob @ columns, torch.tensor([0.1, 0.5, 0.01]), rtol=0.05, atol=0)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [("units", 0, "integer >= 1"), ("hidden", 2.5, "integer >= 1"), ("dropout", 1.0, "below 1")],
)
def test_a_bad_option_is_refused_by_name(option: str, value: float, expected: str) -> None:
    with pytest.raises(NotebeamError, match=rf"RnnNadeOptions\.{option}: got {value}, expected .*{expected}"):
        RnnNadeOptions(**{option: value})  # type: ignore[arg-type]
