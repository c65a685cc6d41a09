"""Keywise priors whose past is a time axis tied across keys: what the biaxial nets share.

Is: state and past of such a prior.
Is not: the time axis itself (recurrence.biaxial), the nets up the keys (priors.biaxial, priors.tp_lstm_nade).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from symbolic.priors.keywise import KeywiseOptions, KeywisePrior, at_least
from symbolic.recurrence.biaxial import TimeAxis
from symbolic.recurrence.stacked import drop
from symbolic.state import State


@dataclass(frozen=True, kw_only=True)
class PitchSharedOptions(KeywiseOptions):
    """Sizes of the time axis."""

    units: int = 128  # of each time layer
    layers: int = 1
    place: int = 8  # numbers learnt for each key
    beat: bool = False  # whether a step's place among 16 is an input

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, units=1, layers=1, place=1)


class PitchSharedPrior(KeywisePrior):
    """The past of a key is the time axis' output there, and the key's own learnt numbers."""

    def __init__(self, options: PitchSharedOptions) -> None:
        super().__init__(options)
        self.options = options
        self.past_units = options.units + options.place
        self.time = TimeAxis(
            self.high - self.low,
            options.planes,
            options.units,
            options.layers,
            window=options.window,
            place=options.place,
            beat=options.beat,
            dropout=options.dropout,
        )

    def initial_state(self, n: int) -> State:
        return self.time.initial_state(n)

    def advance(self, state: State, step: Tensor) -> State:
        return self.time.step(self.inside(step).transpose(1, 2).flatten(1), state)

    def past(self, state: State) -> Tensor:
        outputs = self.time.output(state)
        return torch.cat([outputs, self.time.place.expand(len(outputs), -1, -1)], 2)

    def chunk_past(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        clips, length = mask.shape
        inside = self.inside(rolls.flatten(0, 1)).transpose(1, 2)
        inputs = inside.reshape(clips, length, self.planes * (self.high - self.low))
        outputs, after = self.time.sequence(inputs, state, generator)
        # Step t depends on what came before it: the outputs one step late.
        past = torch.cat([self.time.output(state)[:, None], outputs], 1)[:, :-1]
        known = drop(past.flatten(2), self.options.dropout, generator).view_as(past)[mask]
        return torch.cat([known, self.time.place.expand(len(known), -1, -1)], 2), after
