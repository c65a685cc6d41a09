"""LSTM over the steps of a roll, in two forms: one step at a time, and whole sequences.

Is: stacked torch.nn.LSTM layers with dropout from a given generator, and a step form equal to them.
Is not: the distribution that its output conditions (estimators), or the state of a prior (priors).
"""

import torch
from torch import Tensor, nn


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


class Lstm(nn.Module):
    """`layers` LSTM layers of `units` units on inputs of size `inputs`.

    State: hidden and cell, each (N, layers, units); zeros before the first step.
    """

    def __init__(self, inputs: int, units: int, layers: int = 1, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.units, self.dropout = units, dropout
        sizes = [inputs] + [units] * (layers - 1)
        # One nn.LSTM a layer, because the dropout inside a stacked one draws from the global generator.
        self.layers = nn.ModuleList(nn.LSTM(size, units, batch_first=True) for size in sizes)

    def initial_state(self, n: int) -> tuple[Tensor, Tensor]:
        """Zeros, two of (n, layers, units)."""
        like: Tensor = next(self.parameters())
        zeros = like.new_zeros(n, len(self.layers), self.units)
        return zeros, zeros.clone()

    def sequence(
        self,
        inputs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        generator: torch.Generator | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (B, T, units) after each of inputs (B, T, inputs), and the last hidden and cell.

        With lengths (B,), the last hidden and cell are those after that many inputs of each sequence (0
        leaves them as they were), and outputs beyond mean nothing.
        """
        if inputs.shape[1] == 0:  # which nn.LSTM refuses
            return inputs.new_zeros(inputs.shape[0], 0, self.units), hidden, cell
        hiddens, cells = [], []
        for index, layer in enumerate(self.layers):
            # torch wants (layers, B, units), contiguous
            before = (hidden[None, :, index].contiguous(), cell[None, :, index].contiguous())
            inputs, last_hidden, last_cell = _layer(layer, inputs, before, lengths)
            hiddens.append(last_hidden)
            cells.append(last_cell)
            if index + 1 < len(self.layers):
                inputs = drop(inputs, self.dropout, generator)
        return inputs, torch.stack(hiddens, 1), torch.stack(cells, 1)

    def step(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden and cell (N, layers, units) after one step of inputs (N, inputs).

        Not through nn.LSTM: its checks and copies cost more than the arithmetic of a few rows.
        """
        hiddens, cells = [], []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.LSTM)
            weights = layer.all_weights[0]  # of the inputs, of the hidden, and the two biases
            inputs, last_cell = torch.lstm_cell(inputs, (hidden[:, index], cell[:, index]), *weights)
            hiddens.append(inputs)
            cells.append(last_cell)
        if len(hiddens) == 1:
            return hiddens[0][:, None], cells[0][:, None]
        return torch.stack(hiddens, 1), torch.stack(cells, 1)


def _layer(
    layer: nn.Module, inputs: Tensor, before: tuple[Tensor, Tensor], lengths: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs (B, T, units), last hidden and cell (B, units) of one layer; before: two of (1, B, units)."""
    if lengths is None:
        outputs, (hidden, cell) = layer(inputs, before)
        return outputs, hidden[0], cell[0]
    # Packing refuses empty sequences: they are given one input, whose effect is taken back.
    packed = nn.utils.rnn.pack_padded_sequence(
        inputs, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
    )
    packed_outputs, (hidden, cell) = layer(packed, before)
    outputs, _ = nn.utils.rnn.pad_packed_sequence(
        packed_outputs, batch_first=True, total_length=inputs.shape[1]
    )
    some = (lengths > 0)[:, None]
    return outputs, torch.where(some, hidden[0], before[0][0]), torch.where(some, cell[0], before[1][0])
