"""Biaxial LSTM: along time one LSTM for all keys, then one up the keys (BALSTM).

The time axis is that of recurrence.biaxial.

Source: Johnson 2015 (blog), Johnson 2017. Ours differs in that keys have a learnt vector in place of their
number, that the step before the first is silent, and that an LSTM over whole steps may be added.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.priors.cells import first_own_key
from symbolic.priors.shared_across_pitch import PitchSharedOptions, PitchSharedPrior
from symbolic.recurrence.stacked import Stacked, drop
from symbolic.state import select


class Biaxial(PitchSharedPrior):
    """LSTM up the keys, which reads at each the time axis's output, and the bits of the key below."""

    def __init__(self, options: PitchSharedOptions) -> None:
        super().__init__(options)
        self.note = Stacked("lstm", self.past_units + options.planes, options.hidden)
        self.head = nn.Linear(options.hidden, options.planes)

    @torch.no_grad()
    def set_constant_biases(self, biases: Tensor) -> None:
        self.head.bias.copy_(biases)

    def step_logits(self, inside: Tensor, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        below = F.pad(inside, (0, 0, 1, 0))[:, :-1]
        outputs, _ = self.note.sequence(torch.cat([past, below], 2), self.note.initial_state(len(past)))
        logits: Tensor = self.head(drop(outputs, self.options.dropout, generator))
        return logits

    def shared_logits(self, inside: Tensor, past: Tensor) -> Tensor:
        # At a key the LSTM has met as many pasts as there are rows that stand for themselves by then.
        (clips, count, keys, planes), width = inside.shape, past.shape[1]
        order, rows, begins = first_own_key(inside)
        clip = torch.arange(clips, device=order.device).repeat_interleave(count)
        below = F.pad(rows, (0, 0, 1, 0))[:, :-1]
        each = torch.arange(width, device=clip.device)
        state, owner, found = self.note.initial_state(clips * width), clip, []
        for start, stop in pairwise(sorted({0, keys, *begins.clamp(max=keys).tolist()})):
            alive = begins <= start
            node = alive.nonzero()[:, 0]
            state = select(state, (owner[node, None] * width + each).flatten())
            below_input = below[node, None, start:stop].expand(-1, width, -1, -1)
            inputs = torch.cat([past[clip[node], :, start:stop], below_input], 3)
            outputs, state = self.note.sequence(inputs.flatten(0, 1), state)
            owner = alive.cumsum(0) - 1
            found.append(self.head(outputs).view(len(node), width, stop - start, planes)[owner])
        logits = torch.cat(found, 2).view(clips, count, width, keys, planes)
        back = order.argsort(1)
        return logits[torch.arange(clips, device=back.device)[:, None], back].transpose(1, 2)

    def sample_inside(
        self, past: Tensor, generator: torch.Generator, temperature: float, count: int
    ) -> Tensor:
        size, planes = len(past), self.options.planes
        state, drawn = self.note.initial_state(size), []
        below, owner = past.new_zeros(size, planes), torch.arange(size * count, device=past.device) // count
        whose = torch.arange(size, device=past.device)  # past of each row
        value = 1 << torch.arange(planes, device=past.device)
        for key in range(past.shape[1]):  # each key's chance hangs on the draw before
            state = self.note.step(torch.cat([past[whose, key], below], 1), state)
            prob = torch.sigmoid(self.head(self.note.output(state)) / temperature)
            bits = torch.bernoulli(prob[owner], generator=generator)
            bits = bits * bits[:, :1]  # only what sounds is struck
            drawn.append(bits)
            # As in KeywisePrior.sample_inside: draws that are alike so far share a row.
            code = (owner << planes) + (bits.long() * value).sum(1)
            different, owner = torch.unique(code, return_inverse=True)
            state, whose = select(state, different >> planes), whose[different >> planes]
            below = (different[:, None] // value % 2).to(past)
        return torch.stack(drawn, 1)
