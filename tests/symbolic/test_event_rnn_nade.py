"""Event RNN-NADE: what sets it apart from the RNN-NADE; the rest is in test_prior_protocol."""

import pytest
import torch
from oracles_priors import all_columns
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.priors.event_rnn_nade import EventRnnNade, EventRnnNadeOptions


def test_silence_counts_only_as_its_length() -> None:
    """Nothing in the state but the count changes at silent steps, and it stops at `gaps` - 1."""
    torch.manual_seed(0)
    prior = EventRnnNade(EventRnnNadeOptions(visible=3, units=4, hidden=4, gaps=3))
    begun = prior.advance(prior.initial_state(1), torch.tensor([[0.0, 1.0, 0.0]]))
    state = begun
    for expected in (1, 2, 2, 2):
        state = prior.advance(state, torch.zeros(1, 3))
        assert state["silent"].tolist() == [expected]
        assert_close(state["hidden"], begun["hidden"])


def test_the_hazard_is_the_probability_that_anything_is_struck() -> None:
    torch.manual_seed(1)
    prior = EventRnnNade(EventRnnNadeOptions(visible=4, units=4, hidden=4, gaps=5)).double()
    state = prior.advance(prior.initial_state(1), torch.tensor([[1.0, 0.0, 0.0, 1.0]], dtype=torch.float64))
    state = prior.advance(state, torch.zeros(1, 4, dtype=torch.float64))
    columns = all_columns(4)
    loud = prior.log_prob(state, columns[None])[0].exp()[columns.any(1)].sum()
    expected = torch.sigmoid(prior.hazard(state["hidden"][:, -1]))[0, 1]  # one silent step so far
    assert_close(loud, expected)


def test_a_prior_begins_at_given_frequencies() -> None:
    torch.manual_seed(0)
    prior = EventRnnNade(EventRnnNadeOptions(visible=88, units=5, hidden=4))
    prior.initialise_from_marginals(torch.full((88,), 0.002))
    zeros = torch.zeros(1, 1, 88)
    # All keys off: 0.998 ** 88, up to the drawn weights' effect.
    silence = prior.log_prob(prior.initial_state(1), zeros)[0, 0].exp()
    assert_close(silence, torch.tensor(0.998**88), rtol=0.1, atol=0)


def test_bad_gaps_are_refused() -> None:
    with pytest.raises(NotebeamError, match="EventRnnNadeOptions"):
        EventRnnNadeOptions(gaps=0)


def test_sampled_events_have_a_key_at_any_temperature() -> None:
    """However sure the NADE is of silence: an event is not silent, and drawing one ends."""
    torch.manual_seed(0)
    prior = EventRnnNade(EventRnnNadeOptions(visible=88, units=5, hidden=4))
    prior.initialise_from_marginals(torch.full((88,), 0.0005))
    with torch.no_grad():
        prior.hazard.bias.fill_(50.0)
    state = prior.initial_state(20)
    for temperature in (1.0, 0.1, 0.01):
        step = prior.sample(state, torch.Generator().manual_seed(1), temperature)
        assert (step.sum(1) >= 1).all()
