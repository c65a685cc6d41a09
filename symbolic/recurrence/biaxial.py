"""The time axis of the biaxial nets: one LSTM with the same weights for every key, over what is near the key.

Is: what a key reads of a step (its vicinity, the pitch classes, its place), the LSTM over it for all keys.
Is not: the distribution of the next step, which goes up the keys (priors.biaxial, priors.tp_lstm_nade).

Source: Johnson 2015 (blog) and 2017, "Generating polyphonic music using tied parallel networks".
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.recurrence.stacked import Stacked
from symbolic.state import State

CLASSES = 12
BITS = 4  # of the step's number that a key reads where there is a beat: 16 steps


# Which keys of which steps: all of them (N, D, ...), or pairs (R,), (R,) and then (R, ...).
At = tuple[Tensor, Tensor] | tuple[slice, slice]
ALL: At = (slice(None), slice(None))


def vicinity(steps: Tensor, window: int, at: At = ALL) -> Tensor:
    """(N, D, P * (2 * window + 1)) the keys around each key, in each of P planes; steps (N, P, D)."""
    around = F.pad(steps, (window, window)).unfold(2, 2 * window + 1, 1)  # (N, P, D, 2 * window + 1)
    return around.transpose(1, 2)[at].flatten(-2)


def pitch_classes(step: Tensor, at: At = ALL) -> Tensor:
    """(N, D, 12) keys on of each pitch class, counted from each key's own; step (N, D)."""
    keys = step.shape[1]
    octaves = -(-keys // CLASSES)
    counts = F.pad(step, (0, octaves * CLASSES - keys)).view(-1, octaves, CLASSES).sum(1)  # (N, 12)
    key, offset = torch.arange(keys, device=step.device), torch.arange(CLASSES, device=step.device)
    place = (key[:, None] + offset) % CLASSES  # (D, 12)
    if isinstance(at[0], Tensor):
        return counts[at[0][:, None], place[at[1]]]
    return counts[:, place]


def keys_below(steps: Tensor, window: int, at: At = ALL) -> Tensor:
    """(N, D, P * window) the keys below each key, in each of P planes; steps (N, P, D)."""
    below = F.pad(steps, (window, 0)).unfold(2, window, 1)[:, :, :-1]  # (N, P, D, window)
    return below.transpose(1, 2)[at].flatten(-2)


def pitch_classes_below(step: Tensor) -> Tensor:
    """(N, D, 12) keys on below each key of each pitch class, counted from the key's own; step (N, D)."""
    keys = step.shape[1]
    key, offset = torch.arange(keys, device=step.device), torch.arange(CLASSES, device=step.device)
    own = F.one_hot(key % CLASSES, CLASSES).to(step.dtype)  # (D, 12)
    on = step[:, :, None] * own
    below = on.cumsum(1) - on  # (N, D, 12) by the lowest key's class
    return below.gather(2, ((key[:, None] + offset) % CLASSES).expand(len(step), -1, -1))


def beat_bits(number: Tensor) -> Tensor:
    """(N, 4) the last bits of a step's number (N,), as -1 and 1."""
    return ((number[:, None] >> torch.arange(BITS, device=number.device)) & 1) * 2.0 - 1


class TimeAxis(nn.Module):
    """LSTM layers whose weights all keys share.

    A key reads `planes` bits of itself and of `window` keys on either side, pitch classes, a learnt vector
    of its own, and with `beat` the place of the step in its bar of 16 steps. State: that of the layers, with
    the keys as a second size, and "number" (N,), steps so far; before the first step is a silent one.
    """

    def __init__(
        self,
        keys: int,
        planes: int,
        units: int,
        layers: int,
        *,
        window: int,
        place: int,
        beat: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.keys, self.planes, self.window, self.beat = keys, planes, window, beat
        self.place = nn.Parameter(torch.randn(keys, place) * 0.1)
        self.inputs = planes * (2 * window + 1) + CLASSES + place + (BITS if beat else 0)
        self.layers = Stacked("lstm", self.inputs, units, layers, dropout=dropout)

    def initial_state(self, n: int) -> State:
        """State after a silent step, the only one at which keys differ by their place alone."""
        like = self.place
        rows = self.layers.initial_state(self.keys)
        state = {name: values[None].expand(n, *values.shape) for name, values in rows.items()}
        state["number"] = torch.zeros(n, dtype=torch.long, device=like.device)
        after = self.step(like.new_zeros(n, self.planes * self.keys), state)
        return after | {"number": state["number"]}

    def output(self, state: State) -> Tensor:
        """(N, D, units) the last layer's units at every key."""
        return state["hidden"][:, :, -1]

    def step(self, step: Tensor, state: State) -> State:
        """State after a step (N, planes * D)."""
        rows = {name: state[name].flatten(0, 1) for name in self.layers.names}
        after = self.layers.step(self._inputs(step, state["number"]).flatten(0, 1), rows)
        return self._state(after, state["number"] + 1)

    def sequence(
        self, steps: Tensor, state: State, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Outputs (B, T, D, units) after each of steps (B, T, planes * D), and the state after the last."""
        clips, length = steps.shape[:2]
        number = state["number"][:, None] + torch.arange(length, device=steps.device)
        inputs = self._inputs(steps.flatten(0, 1), number.flatten()).view(
            clips, length, self.keys, self.inputs
        )
        rows = {name: state[name].flatten(0, 1) for name in self.layers.names}
        outputs, after = self.layers.sequence(inputs.transpose(1, 2).flatten(0, 1), rows, generator)
        every = outputs.view(clips, self.keys, length, self.layers.units).transpose(1, 2)
        return every, self._state(after, state["number"] + length)

    def _inputs(self, step: Tensor, number: Tensor) -> Tensor:
        """(N, D, inputs) what each key reads of steps (N, planes * D)."""
        bits = step.view(len(step), self.planes, self.keys)
        inputs = [
            vicinity(bits, self.window),
            pitch_classes(bits[:, 0]),
            self.place.expand(len(step), -1, -1),
        ]
        if self.beat:
            inputs.append(beat_bits(number).to(step.dtype)[:, None].expand(-1, self.keys, -1))
        return torch.cat(inputs, 2)

    def _state(self, rows: State, number: Tensor) -> State:
        """State of clips from that of their keys' rows."""
        clips = {
            name: values.view(len(number), self.keys, *values.shape[1:]) for name, values in rows.items()
        }
        return clips | {"number": number}
