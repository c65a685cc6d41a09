"""Event RNN-NADE: an RNN-NADE whose past moves on only when something is struck.

Its steps are those of a frames clock; both its forms, stepwise and parallel, are exact.

At a step of 40 ms four in five are silent, and a recurrence that counts them forgets the music between. Here
u is the LSTM's output after the last event (a step with a bit on) and s the number of silent steps since:

    P(step is silent) = sigmoid(-z_s),  z = Z u                     a hazard for each s, shared by all keys
    P(v)              = sigmoid(z_s) NADE(v; b, c) / (1 - NADE(silence; b, c))

with b, c linear in u and in an embedding of s. The LSTM reads each event together with the s before it. All
next steps together have probability one: this is a renewal process in discrete time whose marks are chords.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.nade import nade_log_prob, nade_prefix_log_prob, nade_sample
from symbolic.estimators.prefixes import SharedRows
from symbolic.pitch import KEYS
from symbolic.priors.base import Prior
from symbolic.recurrence.stacked import Stacked, drop
from symbolic.state import State


@dataclass(frozen=True, kw_only=True)
class EventRnnNadeOptions:
    """Sizes of an event RNN-NADE, and its dropout in training."""

    visible: int = KEYS  # D
    units: int = 256  # of each LSTM layer
    layers: int = 1
    hidden: int = 128  # H of the NADE
    dropout: float = 0.0  # of the LSTM layers' outputs; 0..1
    gaps: int = 64  # silent steps with a class of their own; more count as that many
    gap_units: int = 16  # of the embedding that the LSTM reads

    def __post_init__(self) -> None:
        for name in ("visible", "units", "layers", "hidden", "gaps", "gap_units"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise NotebeamError(f"EventRnnNadeOptions.{name}", value, "an integer >= 1")
        if not 0 <= self.dropout < 1:
            raise NotebeamError("EventRnnNadeOptions.dropout", self.dropout, "a number in 0..1, below 1")


LEAST_SILENCE = -6.0  # log-probability of a silent step, with which training begins at least


class EventRnnNade(Prior):
    """LSTM over events, hazard of the next, NADE of its keys."""

    is_recordable = True

    def __init__(self, options: EventRnnNadeOptions) -> None:
        super().__init__()
        self.options, self.visible = options, options.visible
        inputs = options.visible + options.gap_units
        self.recurrence = Stacked("lstm", inputs, options.units, options.layers, dropout=options.dropout)
        self.gap_input = nn.Embedding(options.gaps, options.gap_units)
        self.hazard = nn.Linear(options.units, options.gaps)
        # b and c, stacked so that one product gives both; their change with the silence so far.
        self.conditioner = nn.Linear(options.units, options.visible + options.hidden)
        self.gap_bias = nn.Embedding(options.gaps, options.visible + options.hidden)
        self.weight = nn.Parameter(torch.randn(options.visible, options.hidden) * 0.01)  # W
        self.out = nn.Parameter(torch.randn(options.visible, options.hidden) * 0.01)  # V
        nn.init.zeros_(self.gap_bias.weight)

    @torch.no_grad()
    def initialise_from_marginals(self, mean: Tensor) -> None:
        # Of silence if keys were independent, which in dense music would be next to nothing.
        none = torch.log1p(-mean).sum().clamp(LEAST_SILENCE, -1e-6)
        loud = -torch.expm1(none)
        self.hazard.bias.fill_(loud.log() - none)
        self.conditioner.bias[: self.visible] = torch.logit((mean / loud).clamp(max=0.5))

    def initial_state(self, n: int) -> State:
        state = self.recurrence.initial_state(n)
        return state | {"silent": state["hidden"].new_zeros(n, dtype=torch.long)}

    def advance(self, state: State, step: Tensor) -> State:
        loud = step.any(dim=1)
        silent = self._capped(torch.where(loud, 0, state["silent"] + 1))
        recurrent_input = torch.cat([step, self.gap_input(state["silent"])], dim=1)
        after = self.recurrence.step(recurrent_input, _own(state))
        moved = loud[:, None, None]
        return {name: torch.where(moved, after[name], state[name]) for name in after} | {"silent": silent}

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        past, silent = state["hidden"][:, -1], state["silent"]
        hazard = self._hazard(past, silent)
        result = F.logsigmoid(-hazard)[:, None].repeat(1, candidates.shape[1])
        loud = candidates.any(dim=2)
        row, place = loud.nonzero(as_tuple=True)
        if len(row):
            result[row, place] = self._event_log_prob(candidates[row, place], past, silent, hazard, row)
        return result

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        past, silent = state["hidden"][:, -1], state["silent"]
        clips = len(shared.rows)
        hazard = self._hazard(past, silent).view(clips, -1, 1)
        key_bias, hidden_bias = self._biases(past, silent)
        any_key = self._log_prob_of_any(key_bias, hidden_bias).view(clips, -1, 1)
        biases = key_bias.view(clips, -1, self.visible), hidden_bias.view(clips, -1, self.options.hidden)
        marked = nade_prefix_log_prob(shared.prefixes, *biases, self.weight, self.out)
        loud = shared.rows.any(dim=2)[:, None]
        return torch.where(loud, marked - any_key + F.logsigmoid(hazard), F.logsigmoid(-hazard))

    def play(self, state: State, rows: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        # Every hypothesis has its own end, where its state is taken.
        mask = (torch.arange(rows.shape[1]) < lengths[:, None]).to(rows.device)
        log_prob, after = self.chunk_log_prob(state, rows, mask)
        return log_prob.sum(1), after

    @torch.no_grad()
    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """As in `Prior`; the temperature divides the hazard's logit and those of the keys."""
        past, silent = state["hidden"][:, -1], state["silent"]
        chance = torch.sigmoid(self._hazard(past, silent) / temperature)
        loud = (
            torch.rand(chance.shape, generator=generator, device=chance.device, dtype=chance.dtype) < chance
        )
        step = past.new_zeros(len(past), self.visible)
        if loud.any():
            biases = self._biases(past[loud], silent[loud])
            step[loud] = nade_sample(
                *biases, self.weight, self.out, generator, temperature, at_least_one=True
            )
        return step

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        # The LSTM runs over the events alone, each clip's packed to the left.
        loud = rolls.any(dim=2) & mask  # (B, T)
        number = loud.cumsum(1) - loud.long()  # (B, T) events before each step
        before, silent = self._silences(loud, mask, state["silent"])
        row, step = loud.nonzero(as_tuple=True)
        counts = loud.sum(dim=1)
        events = rolls.new_zeros(len(rolls), max(1, int(counts.max())), self.visible + self.options.gap_units)
        recurrent_input = torch.cat([rolls[row, step], self.gap_input(before[row, step])], dim=1)
        events = events.index_put((row, number[row, step]), recurrent_input)
        outputs, after = self.recurrence.sequence(events, _own(state), generator, lengths=counts)
        pasts = torch.cat([state["hidden"][:, -1:], outputs], dim=1)  # (B, events + 1, units)
        pasts = drop(pasts, self.options.dropout, generator)
        # The hazard of every step, from one product an event rather than a step.
        hazards = self.hazard(pasts)
        hazard = hazards[torch.arange(len(rolls), device=rolls.device)[:, None], number, before]
        log_prob = torch.where(mask, F.logsigmoid(-hazard), 0.0)
        if len(row):
            past = pasts[row, number[row, step]]
            gap = before[row, step]
            each = torch.arange(len(row), device=rolls.device)
            found = self._event_log_prob(rolls[row, step], past, gap, hazard[row, step], each)
            log_prob = log_prob.index_put((row, step), found)
        return log_prob, after | {"silent": silent}

    def _silences(self, loud: Tensor, mask: Tensor, silent: Tensor) -> tuple[Tensor, Tensor]:
        """Silent steps since the last event: before each step (B, T), at the end (B,); from `silent` (B,)."""
        steps = torch.arange(loud.shape[1], device=loud.device)
        latest = torch.where(loud, steps, -1).cummax(dim=1).values  # the last event up to each step, or -1
        # After each step; before the chunk's first event the count goes on from the chunk before.
        since = torch.where(latest < 0, silent[:, None] + steps + 1, steps - latest)
        count = self._capped(torch.cat([silent[:, None], since], dim=1))  # (B, T + 1)
        return count[:, :-1], count.gather(1, mask.sum(dim=1, keepdim=True))[:, 0]

    def _capped(self, silent: Tensor) -> Tensor:
        return silent.clamp(max=self.options.gaps - 1)

    def _hazard(self, past: Tensor, silent: Tensor) -> Tensor:
        """(N,) logit of an event at the next step."""
        every: Tensor = self.hazard(past)
        return every.gather(1, silent[:, None])[:, 0]

    def _biases(self, past: Tensor, silent: Tensor) -> tuple[Tensor, Tensor]:
        """(N, D) and (N, H) biases of the NADE after the past (N, units) and `silent` (N,) steps."""
        both = self.conditioner(past) + self.gap_bias(silent)
        return both[:, : self.visible], both[:, self.visible :]

    def _event_log_prob(
        self, column: Tensor, past: Tensor, silent: Tensor, hazard: Tensor, row: Tensor
    ) -> Tensor:
        """(M,) log-probability of events (M, D), each after the past `row` (M,) of the N given."""
        key_bias, hidden_bias = self._biases(past, silent)
        any_key = self._log_prob_of_any(key_bias, hidden_bias)
        marked = nade_log_prob(column, key_bias[row], hidden_bias[row], self.weight, self.out)
        return marked + (F.logsigmoid(hazard) - any_key)[row]

    def _log_prob_of_any(self, key_bias: Tensor, hidden_bias: Tensor) -> Tensor:
        """(N,) log P(some key is on) of the NADE."""
        # log P(silence): every key off, so the hidden vector is that of no key.
        none = -F.softplus(key_bias + torch.sigmoid(hidden_bias) @ self.out.t()).sum(dim=1)
        # log(1 - e^x) with its argument kept below 0.
        return torch.log(-torch.expm1(none.clamp(max=-1e-6)))


def _own(state: State) -> State:
    """The LSTM's part of a state."""
    return {"hidden": state["hidden"], "cell": state["cell"]}
