"""Stacked layers: the sequence form, the step form and the equations agree."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles_priors import gru_step, lstm_step, rnn_step
from torch import nn
from torch.testing import assert_close

from symbolic.recurrence.stacked import Cell, Stacked, drop

CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")


def small(cell: Cell, layers: int) -> Stacked:
    torch.manual_seed(layers)
    return Stacked(cell, 5, 4, layers).double()


def random_inputs(clips: int, steps: int) -> torch.Tensor:
    return torch.randn(clips, steps, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def oracle_outputs(stacked: Stacked, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, units) of one sequence (T, inputs), by each cell's equations."""
    for layer in stacked.layers:
        assert isinstance(layer, nn.RNNBase)
        h, c, outputs = np.zeros(4), np.zeros(4), []
        for row in x:
            if stacked.cell == "lstm":
                h, c = lstm_step(row, h, c, layer)  # type: ignore[arg-type]
            else:
                h = (gru_step if stacked.cell == "gru" else rnn_step)(row, h, layer)
            outputs.append(h)
        x = np.stack(outputs)
    return x


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
def test_steps_and_sequence_are_the_equations(cell: Cell, layers: int) -> None:
    stacked, x = small(cell, layers), random_inputs(2, 6)
    outputs, last = stacked.sequence(x, stacked.initial_state(2))
    state = stacked.initial_state(2)
    for t in range(6):
        state = stacked.step(x[:, t], state)
        assert_close(stacked.output(state), outputs[:, t])
    assert set(state) == set(last) == ({"hidden", "cell"} if cell == "lstm" else {"hidden"})
    for name, values in state.items():
        assert_close(values, last[name])
    for clip in range(2):
        expected = oracle_outputs(stacked, x[clip].numpy())
        assert_close(outputs[clip].detach(), torch.from_numpy(expected))


@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_in_two_chunks_is_the_sequence(cell: Cell) -> None:
    stacked, x = small(cell, 2), random_inputs(3, 7)
    whole, _ = stacked.sequence(x, stacked.initial_state(3))
    first, state = stacked.sequence(x[:, :4], stacked.initial_state(3))
    second, _ = stacked.sequence(x[:, 4:], state)
    assert_close(torch.cat([first, second], 1), whole)


@pytest.mark.parametrize("cell", CELLS)
def test_lengths_end_each_sequence_where_it_ends(cell: Cell) -> None:
    stacked, x = small(cell, 2), random_inputs(3, 5)
    before = {name: torch.randn_like(values) for name, values in stacked.initial_state(3).items()}
    _, after = stacked.sequence(x, before, lengths=torch.tensor([5, 0, 2]))
    for clip, length in enumerate((5, 0, 2)):
        _, alone = stacked.sequence(
            x[clip, None, :length], {name: values[clip, None] for name, values in before.items()}
        )
        for name, values in alone.items():
            assert_close(after[name][clip], values[0])


def test_dropout_needs_a_generator_and_keeps_one_mask_for_all_steps() -> None:
    values = torch.ones(40, 3, 50)
    assert drop(values, 0.5, None) is values
    dropped = drop(values, 0.25, torch.Generator().manual_seed(0))
    assert (dropped == dropped[:, :1]).all()
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    # 2000 draws: the kept share is within five standard deviations of 3/4.
    assert abs((dropped[:, 0] > 0).float().mean().item() - 0.75) < 5 * (0.75 * 0.25 / 2000) ** 0.5
