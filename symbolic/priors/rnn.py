"""A vector recurrence with any estimator: RNN-Bernoulli, RNN-RBM, RNN-NADE, LSTM-NADE, ...

u_t summarises the steps up to t; the estimator's biases for the step after it are linear in u_t: for the NADE
b_t = b + Wub u_{t-1} and c_t = c + Wuc u_{t-1} (Boulanger-Lewandowski et al. 2012, section 5), for the RBM
bv_t and bh_t likewise (section 4). Before the first step u is zero.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.protocol import Estimator
from symbolic.pitch import KEYS
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.recurrence.attention import Attention
from symbolic.recurrence.stacked import Cell, Stacked, drop
from symbolic.state import State


@dataclass(frozen=True, kw_only=True)
class RnnOptions:
    """Sizes of the recurrence, and its dropout in training."""

    visible: int = KEYS  # D
    units: int = 256  # of each layer
    layers: int = 1
    dropout: float = 0.0  # of the layers' outputs; 0..1
    attention: int = 0  # past outputs, the present one among them, that are read again; 0: none

    def __post_init__(self) -> None:
        for name in ("visible", "units", "layers"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise NotebeamError(f"RnnOptions.{name}", value, "an integer >= 1")
        if not isinstance(self.attention, int) or self.attention < 0:
            raise NotebeamError("RnnOptions.attention", self.attention, "an integer >= 0")
        if not 0 <= self.dropout < 1:
            raise NotebeamError("RnnOptions.dropout", self.dropout, "a number in 0..1, below 1")


class RnnPrior(RecurrentPrior):
    """Recurrence, linear map to the biases, estimator."""

    def __init__(self, cell: Cell, options: RnnOptions, make_estimator: Callable[[int], Estimator]) -> None:
        super().__init__()
        self.options, self.visible = options, options.visible
        self.recurrence = Stacked(
            cell, options.visible, options.units, options.layers, dropout=options.dropout
        )
        self.attention = Attention(options.units, options.attention) if options.attention else None
        self.use(make_estimator(options.visible))
        self.conditioner = nn.Linear(options.units, self.estimator.biases)

    @torch.no_grad()
    def set_constant_biases(self, biases: Tensor) -> None:
        self.conditioner.bias.copy_(biases)

    def initial_state(self, n: int) -> State:
        return self.recurrence.initial_state(n) | (self.attention.initial_state(n) if self.attention else {})

    def advance(self, state: State, step: Tensor) -> State:
        after = self.recurrence.step(step, self._own(state))
        return after | self._remembered(state, self.recurrence.output(after)[:, None])

    def step_biases(self, state: State) -> Tensor:
        past = self.recurrence.output(state)
        if self.attention is not None:
            past = self._before(state)
        biases: Tensor = self.conditioner(past)
        return biases

    def chunk_biases(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        outputs, after = self.recurrence.sequence(rolls, self._own(state), generator)
        first = self.recurrence.output(state)[:, None]
        read = outputs
        if self.attention is not None:
            first = self._before(state)[:, None]
            read = self.attention.sequence(outputs, state["window"], state["filled"])
        # Step t depends on what came before it: the outputs one step late.
        past = drop(torch.cat([first, read], 1)[:, :-1], self.options.dropout, generator)
        # Only real steps reach the estimator, which is most of the work outside the recurrence.
        return self.conditioner(past[mask]), after | self._remembered(state, outputs)

    def play(self, state: State, rows: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        if self.attention is not None:
            return super().play(state, rows, lengths)
        # Every hypothesis has its own end, where its state is taken.
        ragged = bool((lengths < rows.shape[1]).any())
        outputs, after = self.recurrence.sequence(rows, state, lengths=lengths if ragged else None)
        past = torch.cat([self.recurrence.output(state)[:, None], outputs], 1)[:, :-1]
        # The real steps are counted on the host: nothing waits for the device.
        real = (torch.arange(rows.shape[1]) < lengths[:, None]).nonzero(as_tuple=True)
        row, step = (index.to(rows.device) for index in real)
        each = self.estimator.log_prob(rows[row, step], self.conditioner(past[row, step]))
        return each.new_zeros(len(rows)).index_add(0, row, each), after

    def _own(self, state: State) -> State:
        """The recurrence's part of a state."""
        return {name: values for name, values in state.items() if name in ("hidden", "cell")}

    def _remembered(self, state: State, outputs: Tensor) -> State:
        if self.attention is None:
            return {}
        return self.attention.remember(outputs, state["window"], state["filled"])

    def _before(self, state: State) -> Tensor:
        """(N, units) what attention reads at the end of its window; zeros where there is no past yet."""
        assert self.attention is not None
        window, filled = state["window"], state["filled"]
        # The present output is the window's last: taken out, and given as a sequence of one.
        earlier = torch.cat([torch.zeros_like(window[:, :1]), window[:, :-1]], 1)
        read = self.attention.sequence(window[:, -1:], earlier, (filled - 1).clamp(min=0))[:, 0]
        return torch.where(filled[:, None] > 0, read, 0.0)
