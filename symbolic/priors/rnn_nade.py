"""RNN-NADE: an LSTM sets the biases of a NADE of the next step.

Is: the model, as a `SymbolicPrior`, exact in both its stepwise and its parallel form.
Is not: the maths of the NADE (estimators.nade) or of the LSTM (recurrence.lstm), training, or files.

With u_{t-1} the LSTM's output after step t - 1: b_t = b + Wub u_{t-1}, c_t = c + Wuc u_{t-1}; W and V are
shared by all steps (Boulanger-Lewandowski et al. 2012, section 5). Before the first step u is zero.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.nade import nade_log_prob, nade_sample
from symbolic.pitch import KEYS
from symbolic.priors.protocol import PriorCard, State
from symbolic.recurrence.lstm import Lstm, drop


@dataclass(frozen=True, kw_only=True)
class RnnNadeOptions:
    """Sizes of an RNN-NADE, and its dropout in training."""

    visible: int = KEYS  # D
    units: int = 256  # of each LSTM layer
    layers: int = 1
    hidden: int = 128  # H of the NADE
    dropout: float = 0.0  # of the LSTM layers' outputs; 0..1

    def __post_init__(self) -> None:
        for name in ("visible", "units", "layers", "hidden"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise NotebeamError(f"RnnNadeOptions.{name}", value, "an integer >= 1")
        if not 0 <= self.dropout < 1:
            raise NotebeamError("RnnNadeOptions.dropout", self.dropout, "a number in 0..1, below 1")


class RnnNade(nn.Module):
    """LSTM recurrence, NADE estimator; `card` is set by whoever trains or loads it."""

    is_normalized = True
    card: PriorCard

    def __init__(self, options: RnnNadeOptions) -> None:
        super().__init__()
        self.options, self.visible = options, options.visible
        self.recurrence = Lstm(options.visible, options.units, options.layers, dropout=options.dropout)
        # b and c (bias), Wub and Wuc (weight), stacked so that one product gives b_t and c_t.
        self.conditioner = nn.Linear(options.units, options.visible + options.hidden)
        self.weight = nn.Parameter(torch.randn(options.visible, options.hidden) * 0.01)  # W
        self.out = nn.Parameter(torch.randn(options.visible, options.hidden) * 0.01)  # V

    @torch.no_grad()
    def begin_at(self, on: Tensor) -> None:
        """Set the key biases b to the logits of frequencies `on` (D,): where training had better begin.

        Exact while W, V and the conditioner's weights are about zero, as they are before training.
        """
        self.conditioner.bias[: self.visible] = torch.logit(on)

    def initial_state(self, n: int) -> State:
        hidden, cell = self.recurrence.initial_state(n)
        return {"hidden": hidden, "cell": cell}

    def advance(self, state: State, step: Tensor, context: Tensor | None = None) -> State:
        hidden, cell = self.recurrence.step(step, state["hidden"], state["cell"])
        return {"hidden": hidden, "cell": cell}

    def log_prob(self, state: State, candidates: Tensor, context: Tensor | None = None) -> Tensor:
        n, k, keys = candidates.shape
        key_bias, hidden_bias = self._biases(state["hidden"][:, -1])
        flat = nade_log_prob(
            candidates.reshape(n * k, keys),
            key_bias.repeat_interleave(k, 0),
            hidden_bias.repeat_interleave(k, 0),
            self.weight,
            self.out,
        )
        return flat.view(n, k)

    @torch.no_grad()
    def sample(
        self,
        state: State,
        generator: torch.Generator,
        temperature: float = 1.0,
        context: Tensor | None = None,
    ) -> Tensor:
        key_bias, hidden_bias = self._biases(state["hidden"][:, -1])
        return nade_sample(key_bias, hidden_bias, self.weight, self.out, generator, temperature)

    def sequence_log_prob(self, rolls: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        return self.chunk_log_prob(self.initial_state(rolls.shape[0]), rolls, mask)[0]

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """`sequence_log_prob` of a clip's next steps: from a state, and with the state after them.

        A clip whose padding begins inside the chunk ends there: its state afterwards means nothing.
        With a generator, dropout is on.
        """
        outputs, hidden, cell = self.recurrence.sequence(rolls, state["hidden"], state["cell"], generator)
        # Step t is judged by what was heard before it: the outputs one step late.
        past = torch.cat([state["hidden"][:, -1:], outputs], 1)[:, :-1]
        past = drop(past, self.options.dropout, generator)
        # Only real steps reach the NADE, which is most of the work outside the recurrence.
        key_bias, hidden_bias = self._biases(past[mask])
        flat = nade_log_prob(rolls[mask], key_bias, hidden_bias, self.weight, self.out)
        log_prob = torch.zeros(mask.shape, dtype=flat.dtype, device=flat.device).masked_scatter(mask, flat)
        return log_prob, {"hidden": hidden, "cell": cell}

    def _biases(self, past: Tensor) -> tuple[Tensor, Tensor]:
        """(N, D) and (N, H) biases of the NADE after the past (N, units)."""
        both = self.conditioner(past)
        return both[:, : self.visible], both[:, self.visible :]
