"""Products of a recurrence and an estimator: their equations, attention, and their options."""

import numpy as np
import pytest
import torch
from oracles_priors import all_columns, lstm_step
from oracles_priors import nade_log_prob as oracle_log_prob
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.priors.registry import build_prior
from symbolic.priors.rnn import RnnOptions, RnnPrior


def small_prior(model: str = "lstm-nade", visible: int = 6, **more: int) -> RnnPrior:
    """Random, float64, with weights large enough for the past and the keys below to matter."""
    torch.manual_seed(visible)
    prior = build_prior(model, {"visible": visible, "units": 5, "hidden": 4, **more}).double()
    assert isinstance(prior, RnnPrior)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return prior


def random_rolls(clips: int, steps: int, keys: int) -> Tensor:
    g = torch.Generator().manual_seed(steps)
    return (torch.rand(clips, steps, keys, generator=g) < 0.4).double()


def test_the_model_is_its_equations() -> None:
    prior, roll = small_prior(), random_rolls(1, 5, 6)
    heads, bias = (p.detach().numpy() for p in (prior.conditioner.weight, prior.conditioner.bias))
    weight, out = (p.detach().numpy() for p in prior.estimator.parameters())  # type: ignore[attr-defined]
    hidden, cell, expected = np.zeros(5), np.zeros(5), []
    for step in roll[0].numpy():
        b, c = np.split(heads @ hidden + bias, [6])
        expected.append(oracle_log_prob(step, b, c, weight, out))
        hidden, cell = lstm_step(step, hidden, cell, prior.recurrence.layers[0])  # type: ignore[arg-type]
    log_prob = prior.sequence_log_prob(roll, torch.ones(1, 5, dtype=torch.bool))
    assert_close(log_prob[0].detach(), torch.tensor(expected, dtype=torch.float64))


def test_a_prior_begins_at_given_frequencies() -> None:
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"visible": 3, "units": 5, "hidden": 4})
    prior.initialise_from_marginals(torch.tensor([0.1, 0.5, 0.01]))
    with torch.no_grad():
        columns = all_columns(3).float()
        prob = prior.log_prob(prior.initial_state(1), columns[None])[0].exp()
    # V starts at about 0.01, which moves a logit by 0.02 or so.
    assert_close(prob @ columns, torch.tensor([0.1, 0.5, 0.01]), rtol=0.05, atol=0)


def test_attention_is_its_equations_and_sees_no_more_than_its_window() -> None:
    prior, roll = small_prior("gru-nade", attention=3), random_rolls(1, 7, 6)
    attention = prior.attention
    assert attention is not None
    with torch.no_grad():
        outputs, _ = prior.recurrence.sequence(roll, prior.recurrence.initial_state(1))
        expected = [torch.zeros(5, dtype=torch.float64)]
        for t in range(6):
            seen = outputs[0, max(0, t - 2) : t + 1]
            score = torch.stack(
                [attention.score(torch.tanh(attention.key(o) + attention.query(seen[-1])))[0] for o in seen]
            )
            read = (score.softmax(0)[:, None] * seen).sum(0)
            expected.append(attention.mix(torch.cat([seen[-1], read])))
        biases, _ = prior.chunk_biases(prior.initial_state(1), roll, torch.ones(1, 7, dtype=torch.bool))
        assert_close(biases, prior.conditioner(torch.stack(expected)))


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("units", 0, "integer >= 1"),
        ("visible", 2.5, "integer >= 1"),
        ("dropout", 1.0, "below 1"),
        ("attention", -1, "integer >= 0"),
    ],
)
def test_a_bad_option_is_refused_by_name(option: str, value: float, expected: str) -> None:
    with pytest.raises(NotebeamError, match=rf"RnnOptions\.{option}: got {value}, expected .*{expected}"):
        RnnOptions(**{option: value})  # type: ignore[arg-type]


def test_a_bad_size_of_the_estimator_is_refused_with_the_model() -> None:
    message = r"rnn-nade options: NadeOptions\.hidden: got 0, expected an integer >= 1"
    with pytest.raises(NotebeamError, match=message):
        build_prior("rnn-nade", {"hidden": 0})
