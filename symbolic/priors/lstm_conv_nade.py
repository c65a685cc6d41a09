"""LSTM-ConvNADE: an LSTM over whole steps, and a NADE of the keys whose weights are shared across pitch.

Is: the model, as a keywise prior. It is this project's own.
Is not: the factorisation over keys (priors.keywise), the memory of past steps (recurrence.memory).

The biaxial nets run an LSTM for every key. Here one LSTM reads whole steps; what is the same for every key
comes from convolutions over pitch, of the keys chosen below and of the past as it lies in the memory: the
last steps, steps at fixed lags, decaying traces, and what followed where the music was like now. At key n

    h_n = relu(C1 * past + C2 * below + Wg u + place_n),  h'_n = relu(W h_n),  logit_n = V h'_n + b_n + B_n u
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.priors import cells
from symbolic.priors.keywise import KeywiseOptions, KeywisePrior, at_least, bit_log_prob
from symbolic.recurrence import biaxial
from symbolic.recurrence.biaxial import ALL, CLASSES, At
from symbolic.recurrence.memory import DECAYS, Memory, traces
from symbolic.recurrence.stacked import Stacked, drop
from symbolic.state import State

COUNTS = 8  # numbers of keys below with a class of their own; more count as the last
CHUNK_STEPS = 256  # steps at a time: bounds the memory


@dataclass(frozen=True, kw_only=True)
class LstmConvNadeOptions(KeywiseOptions):
    """Sizes of the LSTM and of the memory."""

    units: int = 200  # of the LSTM over whole steps
    layers: int = 1
    near: int = 2  # last steps that are read with the whole window
    lags: tuple[int, ...] = (3, 4, 6, 8, 12, 16, 24, 32)  # steps back that are read at each key
    heads: int = 2  # of the attention over the memory
    memory: int = 128  # steps
    second: int = 64  # units of the second layer up the keys
    share: float = 1.0  # of the keys silent now and lately that training looks at

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, units=1, layers=1, near=1, heads=0, memory=1, second=1)
        if not 0 < self.share <= 1:
            raise NotebeamError("options.share", self.share, "a number above 0, to 1")
        most = max(self.lags, default=1)
        if min(self.lags, default=1) < 1 or max(most, self.near) > self.memory:
            raise NotebeamError("options.lags", self.lags, f"steps back, 1..memory ({self.memory})")


class LstmConvNade(KeywisePrior):
    """LSTM over whole steps, memory, net up the keys."""

    renamed: ClassVar[Mapping[str, str]] = {
        f"told.{kind}": f"from_summary.{kind}" for kind in ("weight", "bias")
    }

    def __init__(self, options: LstmConvNadeOptions) -> None:
        super().__init__(options)
        self.options = options
        keys, hidden = self.high - self.low, options.hidden
        self.whole = Stacked("lstm", options.visible, options.units, options.layers, dropout=options.dropout)
        self.memory = Memory(options.visible, options.units, options.heads, options.memory)
        wide = options.planes * (options.near + len(DECAYS) + options.heads)
        seen = wide * (2 * options.window + 1) + 2 * CLASSES + options.planes * len(options.lags) * 3
        self.seen = nn.Linear(seen, hidden)
        self.from_summary = nn.Linear(options.units, hidden)
        self.below = nn.Linear(options.planes * 2 * options.window + CLASSES + COUNTS, hidden, bias=False)
        self.place = nn.Parameter(torch.zeros(keys, hidden))
        self.second = nn.Linear(hidden, options.second)
        self.head = nn.Linear(options.second, options.planes)
        self.direct = nn.Linear(options.units, keys * options.planes)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)

    @torch.no_grad()
    def set_constant_biases(self, biases: Tensor) -> None:
        self.head.bias.copy_(biases)

    def initial_state(self, n: int) -> State:
        return self.whole.initial_state(n) | self.memory.initial_state(n)

    def advance(self, state: State, step: Tensor) -> State:
        before = self.whole.output(state)
        return self.whole.step(step, state) | self.memory.remember(state, step[:, None], before[:, None])

    def past(self, state: State) -> Tensor:
        before = self.whole.output(state)
        unknown = before.new_zeros(len(before), 1, self.visible)  # the step to come: nothing looks at it
        return self._all_keys(self._past_features(state, unknown, before[:, None], unknown[:, :, 0] == 0))

    def chunk_past(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        before, after = self._summaries(state, rolls, generator)
        parts = []
        blocks = [
            slice(start, start + CHUNK_STEPS) for start in range(0, max(1, rolls.shape[1]), CHUNK_STEPS)
        ]
        for block in blocks:
            parts.append(
                self._all_keys(self._past_features(state, rolls[:, block], before[:, block], mask[:, block]))
            )
            state = after | self.memory.remember(state, rolls[:, block], before[:, block])
        # The blocks' steps come block by block, the result clip by clip.
        place = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
        place[mask] = torch.arange(int(mask.sum()), device=mask.device)
        found = torch.cat([place[:, block][mask[:, block]] for block in blocks])
        return torch.cat(parts)[found.argsort()], state

    def chunk_objective(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, State]:
        """The log-probability of the keys, or an unbiased estimate of it from `share` of the silent ones."""
        if self.options.share == 1 or rolls.shape[1] > CHUNK_STEPS:
            return self.chunk_log_prob(state, rolls, mask, generator)
        before, after = self._summaries(state, rolls, generator)
        features = self._past_features(state, rolls, before, mask)
        inside = self.inside(rolls[mask])
        # Every key that is on, or was in one of the last steps; of the others few have much to say.
        busy = inside[..., 0].bool() | features.near[:, : self.options.near * self.planes].any(1)
        drawn = torch.rand(busy.shape, generator=generator, device=busy.device) < self.options.share
        row, key = (busy | drawn).nonzero(as_tuple=True)
        at = (row, key)
        first = self._first(features, at)
        ones = torch.ones_like(self.from_summary(features.summary))[:, None]
        kept = drop(ones, self.options.dropout, generator)[:, 0]
        logits = self._up(first, self._below(inside, at), self._direct(features)[row, key], kept[row])
        bits = bit_log_prob(inside[row, key], logits)
        weight = torch.where(busy[row, key], 1.0, 1 / self.options.share).to(bits.dtype)
        total = bits.new_zeros(len(inside)).index_add(0, row, bits * weight)
        log_prob = torch.zeros(mask.shape, dtype=bits.dtype, device=bits.device).masked_scatter(mask, total)
        return log_prob, after | self.memory.remember(state, rolls, before)

    def _summaries(
        self, state: State, rolls: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, State]:
        """(B, T, units) the LSTM's output before each step, and its state after the last."""
        outputs, after = self.whole.sequence(rolls, state, generator)
        # Step t is judged by what came before it: the outputs one step late.
        before = torch.cat([self.whole.output(state)[:, None], outputs], 1)[:, :-1]
        return drop(before, self.options.dropout, generator), after

    def _past_features(self, state: State, steps: Tensor, before: Tensor, mask: Tensor) -> "PastFeatures":
        """What is known of the past before each of the M real ones among steps (B, T, visible)."""
        near = tuple(range(1, self.options.near + 1))
        lagged = self.memory.lagged(state, steps, near + self.options.lags)[mask]
        trace = traces(steps, state["traces"])[0][mask]
        wide = [lagged[:, : len(near)], trace]
        if self.options.heads:
            wide.append(self.memory.attend(state, steps, before)[mask])
        return PastFeatures(
            near=self._in_range(torch.cat(wide, 1)),
            far=self._in_range(lagged[:, len(near) :]),
            last=self._in_range(lagged[:, :1])[:, 0],
            trace=self._in_range(trace[:, -1:])[:, 0],
            summary=before[mask],
        )

    def _all_keys(self, features: "PastFeatures") -> Tensor:
        """(M, D', hidden + P) the first layer's input from the past, and the logits' direct part."""
        return torch.cat([self._first(features, ALL), self._direct(features)], 2)

    def _first(self, features: "PastFeatures", at: At) -> Tensor:
        """(..., hidden) the first layer's input from the past, at the given keys."""
        near = biaxial.vicinity(features.near, self.options.window, at)
        far = biaxial.vicinity(features.far, 1, at)
        classes = [biaxial.pitch_classes(features.last, at), biaxial.pitch_classes(features.trace, at)]
        summary_input = self.from_summary(features.summary)[:, None].expand(-1, self.high - self.low, -1)
        place = self.place.expand(len(summary_input), -1, -1)
        every: Tensor = self.seen(torch.cat([near, far, *classes], -1)) + summary_input[at] + place[at]
        return every

    def _direct(self, features: "PastFeatures") -> Tensor:
        """(M, D', P) the part of the logits that is each key's own: linear in the summary."""
        every: Tensor = self.direct(features.summary)
        return every.view(len(every), self.high - self.low, self.planes)

    def _below(self, inside: Tensor, at: At) -> Tensor:
        """(..., hidden) the first layer's input from the keys chosen below; inside (N, D', P)."""
        bits = inside.transpose(1, 2)
        number = (bits[:, 0].cumsum(1) - bits[:, 0]).long().clamp(max=COUNTS - 1)
        counts = F.one_hot(number[at], COUNTS).to(bits.dtype)
        near = biaxial.keys_below(bits, 2 * self.options.window, at)
        below: Tensor = self.below(torch.cat([near, biaxial.pitch_classes_below(bits[:, 0])[at], counts], -1))
        return below

    def _up(self, first: Tensor, below: Tensor, direct: Tensor, kept: Tensor | float) -> Tensor:
        """(..., P) logits from the parts of the first layer's input (..., hidden); kept is its dropout."""
        hidden = torch.relu(first + below) * kept
        logits: Tensor = self.head(torch.relu(self.second(hidden))) + direct
        return logits

    def _up_all(self, past: Tensor, below: Tensor, kept: Tensor | float = 1.0) -> Tensor:
        """The same from the past as one (..., hidden + P)."""
        return self._up(past[..., : self.options.hidden], below, past[..., self.options.hidden :], kept)

    def step_logits(self, inside: Tensor, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        kept = drop(past.new_ones(len(past), 1, self.options.hidden), self.options.dropout, generator)
        return self._up_all(past, self._below(inside, ALL), kept)

    def shared_logits(self, inside: Tensor, past: Tensor) -> Tensor:
        return cells.shared_logits(inside, past, self._below, self._up_all)

    def _in_range(self, frames: Tensor) -> Tensor:
        """(N, C * P, D') of frames (N, C, visible)."""
        count, channels = frames.shape[:2]
        every = frames.reshape(count, channels * self.planes, self.keys)
        return every[:, :, self.low : self.high]


@dataclass(frozen=True, eq=False)
class PastFeatures:
    """What is known of the past before each of M steps, in the range of keys D'."""

    near: Tensor  # (M, C, D') seen with the whole window: last steps first, traces, what attention read
    far: Tensor  # (M, F, D') steps at the lags
    last: Tensor  # (M, D') the last step's sounding keys
    trace: Tensor  # (M, D') the slowest trace of sounding keys
    summary: Tensor  # (M, units)
