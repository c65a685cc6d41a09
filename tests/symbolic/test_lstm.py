"""LSTM: the sequence form, the step form and the equations agree."""

import numpy as np
import pytest
import torch
from oracles_priors import lstm_step
from torch.testing import assert_close

from symbolic.recurrence.lstm import Lstm, drop


def small_lstm(layers: int) -> Lstm:
    torch.manual_seed(layers)
    return Lstm(5, 4, layers).double()


@pytest.mark.parametrize("layers", [1, 3])
def test_steps_and_sequence_are_the_equations(layers: int) -> None:
    lstm = small_lstm(layers)
    x = torch.randn(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    outputs, last_hidden, last_cell = lstm.sequence(x, *lstm.initial_state(2))
    hidden, cell = lstm.initial_state(2)
    for t in range(6):
        hidden, cell = lstm.step(x[:, t], hidden, cell)
        assert_close(hidden[:, -1], outputs[:, t])
    assert_close(hidden, last_hidden)
    assert_close(cell, last_cell)
    for clip in range(2):
        h, c = np.zeros((layers, 4)), np.zeros((layers, 4))
        for t in range(6):
            below = x[clip, t].numpy()
            for index, layer in enumerate(lstm.layers):
                h[index], c[index] = lstm_step(below, h[index], c[index], layer)  # type: ignore[arg-type]
                below = h[index]
            assert_close(outputs[clip, t].detach(), torch.from_numpy(h[-1].copy()))


def test_a_sequence_in_two_chunks_is_the_sequence() -> None:
    lstm = small_lstm(2)
    x = torch.randn(3, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    whole, _, _ = lstm.sequence(x, *lstm.initial_state(3))
    first, hidden, cell = lstm.sequence(x[:, :4], *lstm.initial_state(3))
    second, _, _ = lstm.sequence(x[:, 4:], hidden, cell)
    assert_close(torch.cat([first, second], 1), whole)


def test_dropout_needs_a_generator_and_keeps_one_mask_for_all_steps() -> None:
    values = torch.ones(40, 3, 50)
    assert drop(values, 0.5, None) is values
    dropped = drop(values, 0.25, torch.Generator().manual_seed(0))
    assert (dropped == dropped[:, :1]).all()
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    # 2000 draws: the kept share is within five standard deviations of 3/4.
    assert abs((dropped[:, 0] > 0).float().mean().item() - 0.75) < 5 * (0.75 * 0.25 / 2000) ** 0.5
