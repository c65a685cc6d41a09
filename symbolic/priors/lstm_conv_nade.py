"""LSTM-ConvNADE: an LSTM over whole steps, and a NADE of the keys whose weights are shared across pitch.

Is: the model, as a keywise prior. It is this project's own.
Is not: the factorisation over keys (priors.keywise), the memory of past steps (recurrence.memory).

The biaxial nets run an LSTM for every key. Here one LSTM hears whole steps; what is the same for every key
comes from convolutions over pitch, of the keys chosen below and of the past as it lies in the memory: the
last steps, steps at fixed lags, decaying traces, and what followed where the music was like now. At key n

    h_n = relu(C1 * past + C2 * below + Wg u + place_n),  h'_n = relu(W h_n),  logit_n = V h'_n + b_n + B_n u
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.priors.keywise import KeywiseOptions, KeywisePrior, at_least
from symbolic.priors.protocol import State
from symbolic.recurrence.biaxial import CLASSES, keys_below, pitch_classes, pitch_classes_below, vicinity
from symbolic.recurrence.memory import DECAYS, Memory, traces
from symbolic.recurrence.stacked import Stacked, drop

COUNTS = 8  # numbers of keys below that are told apart
BLOCK = 256  # steps at a time: bounds the memory


@dataclass(frozen=True, kw_only=True)
class LstmConvNadeOptions(KeywiseOptions):
    """Sizes of the LSTM and of the memory."""

    units: int = 200  # of the LSTM over whole steps
    layers: int = 1
    near: int = 2  # last steps that are seen with the whole window
    lags: tuple[int, ...] = (3, 4, 6, 8, 12, 16, 24, 32)  # steps back that are seen closely
    heads: int = 2  # of the attention over the memory
    memory: int = 128  # steps
    second: int = 64  # units of the second layer up the keys

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, units=1, layers=1, near=1, heads=0, memory=1, second=1)
        most = max(self.lags, default=1)
        if min(self.lags, default=1) < 1 or max(most, self.near) > self.memory:
            raise NotebeamError("options.lags", self.lags, f"steps back, 1..memory ({self.memory})")


class LstmConvNade(KeywisePrior):
    """LSTM over whole steps, memory, net up the keys."""

    def __init__(self, options: LstmConvNadeOptions) -> None:
        super().__init__(options)
        self.options = options
        keys, hidden = self.high - self.low, options.hidden
        self.whole = Stacked("lstm", options.visible, options.units, options.layers, dropout=options.dropout)
        self.memory = Memory(options.visible, options.units, options.heads, options.memory)
        wide = options.planes * (options.near + len(DECAYS) + options.heads)
        seen = wide * (2 * options.window + 1) + 2 * CLASSES + options.planes * len(options.lags) * 3
        self.seen = nn.Linear(seen, hidden)
        self.told = nn.Linear(options.units, hidden)
        self.below = nn.Linear(options.planes * 2 * options.window + CLASSES + COUNTS, hidden, bias=False)
        self.place = nn.Parameter(torch.zeros(keys, hidden))
        self.second = nn.Linear(hidden, options.second)
        self.head = nn.Linear(options.second, options.planes)
        self.direct = nn.Linear(options.units, keys * options.planes)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)

    @torch.no_grad()
    def set_bias(self, bias: Tensor) -> None:
        self.head.bias.copy_(bias)

    def initial_state(self, n: int) -> State:
        return self.whole.initial_state(n) | self.memory.initial_state(n)

    def advance(self, state: State, step: Tensor, context: Tensor | None = None) -> State:
        before = self.whole.output(state)
        return self.whole.step(step, state) | self.memory.remember(state, step[:, None], before[:, None])

    def past(self, state: State) -> Tensor:
        before = self.whole.output(state)
        unknown = before.new_zeros(len(before), 1, self.visible)  # the step to come: nothing looks at it
        return self._past(state, unknown, before[:, None], unknown[:, :, 0] == 0)

    def chunk_past(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        first = self.whole.output(state)[:, None]
        outputs, after = self.whole.sequence(rolls, state, generator)
        # Step t is judged by what was heard before it: the outputs one step late.
        before = drop(torch.cat([first, outputs], 1)[:, :-1], self.options.dropout, generator)
        parts = []
        for start in range(0, max(1, rolls.shape[1]), BLOCK):
            block = slice(start, start + BLOCK)
            parts.append(self._past(state, rolls[:, block], before[:, block], mask[:, block]))
            state = after | self.memory.remember(state, rolls[:, block], before[:, block])
        if len(parts) == 1:
            return parts[0], state
        # The blocks' steps come block by block; asked is clip by clip.
        place = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
        place[mask] = torch.arange(int(mask.sum()), device=mask.device)
        blocks = [slice(start, start + BLOCK) for start in range(0, mask.shape[1], BLOCK)]
        found = torch.cat([place[:, block][mask[:, block]] for block in blocks])
        return torch.cat(parts)[found.argsort()], state

    def _past(self, state: State, steps: Tensor, before: Tensor, mask: Tensor) -> Tensor:
        """(M, D', hidden + P) of the M real ones among steps (B, T, visible).

        The first layer's input from the past, then the logits' part that comes from the summary alone.
        """
        memory, window = self.memory, self.options.window
        lagged = memory.lagged(state, steps, tuple(range(1, self.options.near + 1)) + self.options.lags)[mask]
        trace = traces(steps, state["traces"])[0][mask]
        wide = [lagged[:, : self.options.near], trace]
        if self.options.heads:
            wide.append(memory.attend(state, steps, before)[mask])
        near = self._planes_in_range(torch.cat(wide, 1))
        far = self._planes_in_range(lagged[:, self.options.near :])
        seen = torch.cat(
            [
                vicinity(near, window),
                vicinity(far, 1),
                pitch_classes(self._planes_in_range(lagged[:, :1])[:, 0]),
                pitch_classes(self._planes_in_range(trace[:, -1:])[:, 0]),
            ],
            2,
        )
        summary = before[mask]
        hidden = self.seen(seen) + self.told(summary)[:, None] + self.place
        direct = self.direct(summary).unflatten(1, (self.high - self.low, self.planes))
        return torch.cat([hidden, direct], 2)

    def step_logits(self, inside: Tensor, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        bits = inside.transpose(1, 2)
        number = (bits[:, 0].cumsum(1) - bits[:, 0]).long().clamp(max=COUNTS - 1)
        counts = F.one_hot(number, COUNTS).to(bits.dtype)
        below = [keys_below(bits, 2 * self.options.window), pitch_classes_below(bits[:, 0]), counts]
        hidden = torch.relu(past[..., : self.options.hidden] + self.below(torch.cat(below, 2)))
        hidden = torch.relu(self.second(drop(hidden, self.options.dropout, generator)))
        logits: Tensor = self.head(hidden) + past[..., self.options.hidden :]
        return logits

    def _planes_in_range(self, frames: Tensor) -> Tensor:
        """(N, C * P, D') of frames (N, C, visible)."""
        count, channels = frames.shape[:2]
        every = frames.reshape(count, channels * self.planes, self.keys)
        return every[:, :, self.low : self.high]
