"""Stacked RNN, GRU or LSTM layers over the steps of a roll: one step at a time, and whole sequences.

Is: torch's layers with dropout from a given generator, and a step form equal to them.
Is not: the distribution that its output conditions (estimators), or attention (recurrence.attention).
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from symbolic.state import State

Cell = Literal["rnn", "gru", "lstm"]
LAYERS: dict[Cell, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def drop(values: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Dropout whose mask is drawn once per sequence; values (B, T, U); no generator, no dropout.

    One mask for all steps (Gal and Ghahramani 2016) leaves the recurrence's memory of a unit whole.
    """
    if generator is None or rate == 0.0:
        return values
    shape = (values.shape[0], 1, values.shape[2])
    kept = torch.empty(shape, dtype=values.dtype, device=values.device)
    kept.bernoulli_(1.0 - rate, generator=generator)
    return values * (kept / (1.0 - rate))


class Stacked(nn.Module):
    """`layers` layers of `units` units on inputs of size `inputs`; the RNN's units are tanh.

    State: "hidden" (N, layers, units), and "cell" likewise for the LSTM; zeros before the first step.
    """

    def __init__(self, cell: Cell, inputs: int, units: int, layers: int = 1, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.cell, self.units, self.dropout = cell, units, dropout
        # In torch's order, whatever that of a state: one read from a file is sorted by name.
        self.names = ("hidden", "cell") if cell == "lstm" else ("hidden",)
        sizes = [inputs] + [units] * (layers - 1)
        # One module a layer, because the dropout inside a stacked one draws from the global generator.
        self.layers = nn.ModuleList(LAYERS[cell](size, units, batch_first=True) for size in sizes)

    def initial_state(self, n: int) -> State:
        """Zeros."""
        like: Tensor = next(self.parameters())
        return {name: like.new_zeros(n, len(self.layers), self.units) for name in self.names}

    def output(self, state: State) -> Tensor:
        """(N, units) the last layer's units."""
        return state["hidden"][:, -1]

    def sequence(
        self,
        inputs: Tensor,
        state: State,
        generator: torch.Generator | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Outputs (B, T, units) after each of inputs (B, T, inputs), and the state after the last.

        With lengths (B,), the state is that after so many inputs of each sequence (0 leaves it as it was),
        and outputs beyond mean nothing.
        """
        if inputs.shape[1] == 0:  # which torch's layers refuse
            return inputs.new_zeros(inputs.shape[0], 0, self.units), state
        after: list[tuple[Tensor, ...]] = []
        for index, layer in enumerate(self.layers):
            before = tuple(state[name][:, index] for name in self.names)
            inputs, last = _layer(layer, inputs, before, lengths)
            after.append(last)
            if index + 1 < len(self.layers):
                inputs = drop(inputs, self.dropout, generator)
        return inputs, _stacked(self.names, after)

    def step(self, inputs: Tensor, state: State) -> State:
        """State after one step of inputs (N, inputs).

        Not through the layers: their checks and copies cost more than the arithmetic of a few rows.
        """
        after: list[tuple[Tensor, ...]] = []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.RNNBase)
            weights = layer.all_weights[0]  # of the inputs, of the hidden, and the two biases
            hidden = state["hidden"][:, index]
            if self.cell == "lstm":
                last: tuple[Tensor, ...] = torch.lstm_cell(
                    inputs, (hidden, state["cell"][:, index]), *weights
                )
            elif self.cell == "gru":
                last = (torch.gru_cell(inputs, hidden, *weights),)
            else:
                last = (torch.rnn_tanh_cell(inputs, hidden, *weights),)
            after.append(last)
            inputs = last[0]
        return _stacked(self.names, after)


def _stacked(names: tuple[str, ...], layers: list[tuple[Tensor, ...]]) -> State:
    """Named state (N, layers, units) of each layer's tensors (N, units)."""
    if len(layers) == 1:
        return {name: values[:, None] for name, values in zip(names, layers[0], strict=True)}
    return {
        name: torch.stack(values, 1) for name, values in zip(names, zip(*layers, strict=True), strict=True)
    }


def _layer(
    layer: nn.Module, inputs: Tensor, before: tuple[Tensor, ...], lengths: Tensor | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Outputs (B, T, units) and last state, each (B, units), of one layer from its state before."""
    given = tuple(values[None].contiguous() for values in before)  # torch wants (1, B, units)
    start = given if len(given) > 1 else given[0]
    if lengths is None:
        outputs, last = layer(inputs, start)
        return outputs, tuple(values[0] for values in (last if len(given) > 1 else (last,)))
    # Packing refuses empty sequences: they are given one input, whose effect is taken back.
    packed = nn.utils.rnn.pack_padded_sequence(
        inputs, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
    )
    packed_outputs, last = layer(packed, start)
    outputs, _ = nn.utils.rnn.pad_packed_sequence(
        packed_outputs, batch_first=True, total_length=inputs.shape[1]
    )
    has_steps = (lengths > 0)[:, None].to(inputs.device)
    ended = last if len(given) > 1 else (last,)
    return outputs, tuple(
        torch.where(has_steps, values[0], old) for values, old in zip(ended, before, strict=True)
    )
