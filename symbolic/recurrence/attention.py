"""Attention over the last outputs of a recurrence: a window of the past, read again at every step.

Is: Bahdanau's additive attention, in a step form and a form for whole sequences.
Is not: the recurrence (recurrence.stacked), to which nothing is fed back: whole sequences stay parallel.

With o the outputs of the last A steps, the present one among them, score_a = v . tanh(W1 o_a + W2 o) and
y = W [o; sum_a softmax(score)_a o_a] (Bahdanau et al. 2015; the window as in Magenta's attention RNN, which
also feeds the sum back as an input).
"""

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Attention of `units` outputs over the last `window` of them.

    State: "window" (N, window, units), the newest last, and "filled" (N,), how many of them there are.
    """

    def __init__(self, units: int, window: int) -> None:
        super().__init__()
        self.units, self.window = units, window
        self.key = nn.Linear(units, units, bias=False)  # W1
        self.query = nn.Linear(units, units)  # W2
        self.score = nn.Linear(units, 1, bias=False)  # v
        self.mix = nn.Linear(2 * units, units)  # W

    def initial_state(self, n: int) -> dict[str, Tensor]:
        """An empty window."""
        like = self.mix.weight
        filled = torch.zeros(n, dtype=torch.long, device=like.device)
        return {"window": like.new_zeros(n, self.window, self.units), "filled": filled}

    def sequence(self, outputs: Tensor, window: Tensor, filled: Tensor) -> Tensor:
        """(B, T, units) of outputs (B, T, units), of which each sees itself and what came before it.

        window (B, A, units) and filled (B,): the outputs before the first of these.
        """
        steps = outputs.shape[1]
        every = torch.cat([window, outputs], 1)  # (B, A + T, units)
        keys = self.key(every).unfold(1, self.window, 1)[:, 1:].movedim(3, 2)  # (B, T, A, units)
        values = every.unfold(1, self.window, 1)[:, 1:]  # (B, T, units, A)
        score = self.score(torch.tanh(keys + self.query(outputs)[:, :, None]))[..., 0]  # (B, T, A)
        known = filled[:, None] + torch.arange(1, steps + 1, device=filled.device)  # (B, T)
        age = torch.arange(self.window - 1, -1, -1, device=filled.device)
        weight = score.masked_fill(age >= known[:, :, None], -torch.inf).softmax(2)
        read = (values @ weight[..., None])[..., 0]
        mixed: Tensor = self.mix(torch.cat([outputs, read], 2))
        return mixed

    def remember(self, outputs: Tensor, window: Tensor, filled: Tensor) -> dict[str, Tensor]:
        """State after outputs (B, T, units)."""
        kept = torch.cat([window, outputs], 1)[:, -self.window :]
        return {"window": kept, "filled": filled + outputs.shape[1]}
