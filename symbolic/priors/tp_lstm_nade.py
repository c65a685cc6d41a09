"""TP-LSTM-NADE: along time one LSTM for all keys, then a NADE whose weights all keys share.

The hidden vector of key n is h_n = sigmoid(bh_n + W x_n), its logit bv_n + V h_n; bh_n and bv_n are linear in
the time axis's output for the key and x_n the keys already chosen below it: a window, and the pitch classes.
Source: Johnson 2017, section 4 (tied parallel LSTM-NADE). Window and key vector are ours.
"""

import torch
from torch import Tensor, nn

from symbolic.priors import cells
from symbolic.priors.shared_across_pitch import PitchSharedOptions, PitchSharedPrior
from symbolic.recurrence.biaxial import ALL, CLASSES, At, keys_below, pitch_classes_below
from symbolic.recurrence.stacked import drop


class TpLstmNade(PitchSharedPrior):
    """Tied NADE: a key reads the keys chosen below it, relative to itself."""

    def __init__(self, options: PitchSharedOptions) -> None:
        super().__init__(options)
        self.chosen = nn.Linear(options.planes * options.window + CLASSES, options.hidden, bias=False)  # W
        self.hidden_bias = nn.Linear(self.past_units, options.hidden)  # bh
        self.key_bias = nn.Linear(self.past_units, options.planes)  # bv
        self.out = nn.Linear(options.hidden, options.planes, bias=False)  # V

    @torch.no_grad()
    def set_constant_biases(self, biases: Tensor) -> None:
        self.key_bias.bias.copy_(biases)

    def step_logits(self, inside: Tensor, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        biases = self._biases(past)
        kept = drop(torch.ones_like(biases[..., : self.options.hidden]), self.options.dropout, generator)
        return self._up(biases, self._below(inside, ALL), kept)

    def shared_logits(self, inside: Tensor, past: Tensor) -> Tensor:
        return cells.shared_logits(inside, self._biases(past), self._below, self._up)

    def _biases(self, past: Tensor) -> Tensor:
        """(..., hidden + P) bh and bv of keys of which past (..., U) is known."""
        return torch.cat([self.hidden_bias(past), self.key_bias(past)], -1)

    def _below(self, inside: Tensor, at: At) -> Tensor:
        """(..., hidden) W x at the given keys; inside (N, D', P)."""
        bits = inside.transpose(1, 2)
        near = keys_below(bits, self.options.window, at)
        below: Tensor = self.chosen(torch.cat([near, pitch_classes_below(bits[:, 0])[at]], -1))
        return below

    def _up(self, biases: Tensor, below: Tensor, kept: Tensor | float = 1.0) -> Tensor:
        """(..., P) logits from bh and bv (..., hidden + P) and W x (..., hidden); kept is its dropout."""
        hidden_bias, key_bias = biases[..., : self.options.hidden], biases[..., self.options.hidden :]
        logits: Tensor = key_bias + self.out(torch.sigmoid(hidden_bias + below) * kept)
        return logits
