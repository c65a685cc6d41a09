"""Biaxial LSTM: along time one LSTM for all keys, then one up the keys (BALSTM).

Is: the net up the keys, as a `TiedPrior`.
Is not: the time axis (recurrence.biaxial).

Source: Johnson 2015 (blog), Johnson 2017. Ours differs in that keys have a learnt vector in place of their
number, that the step before the first is silent, and that an LSTM over whole steps may be added.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.priors.tied import TiedOptions, TiedPrior
from symbolic.recurrence.stacked import Stacked, drop


class Biaxial(TiedPrior):
    """LSTM up the keys, which reads at each what the time axis says of it, and the bits of the key below."""

    def __init__(self, options: TiedOptions) -> None:
        super().__init__(options)
        self.note = Stacked("lstm", self.past_units + options.planes, options.hidden)
        self.head = nn.Linear(options.hidden, options.planes)

    @torch.no_grad()
    def set_bias(self, bias: Tensor) -> None:
        self.head.bias.copy_(bias)

    def step_logits(self, inside: Tensor, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        below = F.pad(inside, (0, 0, 1, 0))[:, :-1]
        outputs, _ = self.note.sequence(torch.cat([past, below], 2), self.note.initial_state(len(past)))
        logits: Tensor = self.head(drop(outputs, self.options.dropout, generator))
        return logits

    def sample_inside(self, past: Tensor, generator: torch.Generator, temperature: float) -> Tensor:
        state, drawn = self.note.initial_state(len(past)), []
        below = past.new_zeros(len(past), self.options.planes)
        for key in range(past.shape[1]):  # each key's chance hangs on the draw before
            state = self.note.step(torch.cat([past[:, key], below], 1), state)
            prob = torch.sigmoid(self.head(self.note.output(state)) / temperature)
            below = torch.bernoulli(prob, generator=generator)
            below = below * below[:, :1]  # only what sounds is struck
            drawn.append(below)
        return torch.stack(drawn, 1)
