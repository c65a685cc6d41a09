"""RTRBM and LSTM-RTRBM: the hidden mean field of an RBM carries the past, alone or beside an LSTM.

Is: both models, for RBMs of 0/1 and of real steps.
Is not: the recursion (recurrence.rtrbm), the RBM (estimators.rbm, gaussian_rbm), training, or files.

    bh_t = bh + W1 r_{t-1} + W_L l_{t-1}     bv_t = bv + W2 r_{t-1}     r_t = s(W v_t + bh_t)

with W that of the RBM, r_0 learned and l_t = LSTM(v_t, l_{t-1}). The RTRBM has no l (Boulanger-Lewandowski et
al. 2012, section 3); the LSTM-RTRBM as published has no W2 (Lyu, Wu and Zhu 2015). Where asked, l speaks to
the visible units too: bv_t = bv + W2 r_{t-1} + W_V l_{t-1}, which is our own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.protocol import Estimator
from symbolic.pitch import KEYS
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.recurrence.rtrbm import hidden_mean, hidden_means, one_late
from symbolic.recurrence.stacked import Stacked, drop
from symbolic.state import State


@dataclass(frozen=True, kw_only=True)
class RtrbmOptions:
    """What an RTRBM has beyond its RBM."""

    visible: int = KEYS  # D
    hidden_to_visible: bool = True  # W2: the past sets the visible biases too
    dropout: float = 0.0  # of r, where it is handed on; 0..1

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True)
class LstmRtrbmOptions:
    """What an LSTM-RTRBM has beyond its RBM."""

    visible: int = KEYS  # D
    units: int = 100  # of the LSTM
    hidden_to_visible: bool = False  # W2; published without
    memory_to_visible: bool = False  # W_V: the LSTM sets the visible biases too; published without
    dropout: float = 0.0  # of r and l, where they are handed on; 0..1

    def __post_init__(self) -> None:
        _check(self)
        if not isinstance(self.units, int) or self.units < 1:
            raise NotebeamError("LstmRtrbmOptions.units", self.units, "an integer >= 1")


def _check(options: RtrbmOptions | LstmRtrbmOptions) -> None:
    name = type(options).__name__
    if not isinstance(options.visible, int) or options.visible < 1:
        raise NotebeamError(f"{name}.visible", options.visible, "an integer >= 1")
    if not 0 <= options.dropout < 1:
        raise NotebeamError(f"{name}.dropout", options.dropout, "a number in 0..1, below 1")


class RbmType(Estimator, Protocol):
    """An estimator with a hidden layer: s(bh + v W) is its mean given v."""

    weight: nn.Parameter  # (D, H)

    def split(self, biases: Tensor) -> tuple[Tensor, Tensor]:
        """bv (N, D) and bh (N, H) of biases (N, P)."""
        ...

    def hidden_offset(self) -> Tensor:
        """(H,) what bh has beyond the hidden part of the biases."""
        ...


class Rtrbm(RecurrentPrior):
    """RTRBM, or with LstmRtrbmOptions the LSTM-RTRBM.

    State: "mean" (N, H) r_{t-1}, and the LSTM's "hidden" and "cell".
    """

    estimator: RbmType

    def __init__(
        self, options: RtrbmOptions | LstmRtrbmOptions, make_estimator: Callable[[int], RbmType]
    ) -> None:
        super().__init__()
        self.options, self.visible = options, options.visible
        self.use(make_estimator(options.visible))
        hidden = self.estimator.biases - self.visible
        self.visible_bias = nn.Parameter(torch.zeros(self.visible))  # bv
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))  # bh
        self.first = nn.Parameter(torch.zeros(hidden))  # logits of r_0, which stays a mean
        self.to_hidden = nn.Parameter(torch.randn(hidden, hidden) * 0.01)  # W1
        self.to_visible = (  # W2
            nn.Parameter(torch.randn(self.visible, hidden) * 0.01) if options.hidden_to_visible else None
        )
        self.memory: Stacked | None = None
        self.memory_to_visible: nn.Parameter | None = None
        if isinstance(options, LstmRtrbmOptions):
            self.memory = Stacked("lstm", self.visible, options.units)
            self.from_memory = nn.Parameter(torch.randn(hidden, options.units) * 0.01)  # W_L
            if options.memory_to_visible:
                self.memory_to_visible = nn.Parameter(torch.randn(self.visible, options.units) * 0.01)  # W_V

    @torch.no_grad()
    def set_constant_biases(self, biases: Tensor) -> None:
        self.visible_bias.copy_(biases[: self.visible])
        self.hidden_bias.copy_(biases[self.visible :])

    def initial_state(self, n: int) -> State:
        state = {"mean": torch.sigmoid(self.first).expand(n, -1)}
        return state | (self.memory.initial_state(n) if self.memory is not None else {})

    def advance(self, state: State, step: Tensor) -> State:
        _, hidden_bias = self.estimator.split(self.step_biases(state))
        after = {"mean": hidden_mean(step, hidden_bias, self.estimator.weight)}
        return after | (self.memory.step(step, _memory_part(state)) if self.memory is not None else {})

    def step_biases(self, state: State) -> Tensor:
        return torch.cat(self._biases(state), 1)

    def chunk_biases(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        dropout, mean = self.options.dropout, state["mean"]
        past: Tensor | None = None  # (B, T, U) l_{t-1}
        after: State = {}
        if self.memory is not None:
            outputs, after = self.memory.sequence(rolls, _memory_part(state), generator)
            past = drop(one_late(self.memory.output(state), outputs), dropout, generator)
        visible, hidden = self._told(past)
        told = hidden.expand(*rolls.shape[:2], -1)
        # One mask a sequence for all that r is handed to.
        kept = drop(torch.ones_like(mean)[:, None], dropout, generator)[:, 0]
        heard = rolls @ self.estimator.weight + self.estimator.hidden_offset() + told
        means = hidden_means(heard, self.to_hidden, mean, kept)
        before = (one_late(mean, means) * kept[:, None])[mask]  # (M, H) r_{t-1} of the real steps
        shown = visible.expand(*rolls.shape[:2], -1)
        biases = torch.cat(self._from_means(before, shown[mask], told[mask]), 1)
        return biases, after | {"mean": means[:, -1] if rolls.shape[1] else mean}

    def _biases(self, state: State) -> tuple[Tensor, Tensor]:
        """bv_t (N, D) and bh_t (N, H) of the next step."""
        past = None if self.memory is None else self.memory.output(state)
        count = len(state["mean"])
        visible, hidden = (told.expand(count, -1) for told in self._told(past))
        return self._from_means(state["mean"], visible, hidden)

    def _told(self, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the biases have without r: bv + W_V l (..., D) and bh + W_L l (..., H) after l (..., U)."""
        visible: Tensor = self.visible_bias
        hidden: Tensor = self.hidden_bias
        if past is not None:
            hidden = hidden + past @ self.from_memory.t()
            if self.memory_to_visible is not None:
                visible = visible + past @ self.memory_to_visible.t()
        return visible, hidden

    def _from_means(self, mean: Tensor, visible: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """bv_t (N, D) and bh_t (N, H) after r_{t-1} (N, H), what they have without it being given."""
        if self.to_visible is not None:
            visible = visible + mean @ self.to_visible.t()
        return visible, hidden + mean @ self.to_hidden.t()


def _memory_part(state: State) -> State:
    """The LSTM's part of a state."""
    return {name: values for name, values in state.items() if name != "mean"}
