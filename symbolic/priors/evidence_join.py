"""A join: a prior that sees the evidence and the rest of the piece, and judges every onset by both.

The input-output form of an RNN-NADE (Boulanger-Lewandowski, Bengio, Vincent 2013) without the dependence on
the steps before: given what surrounds them (priors.surroundings) keys are independent, and small networks and
boosted trees, whose log-odds are averaged, are shared by all keys and steps. Its log-probability of a step
is the join's over the acoustic model's,

    log P_s(v) = log P(v | evidence of the whole piece) - log P_a(v),

so that a search with weight 1 and no penalty finds the roll of the join, and P_a is not counted twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior, StepEvidence
from symbolic.priors.surroundings import PLANES, Onsets, number_count, surroundings
from symbolic.state import State
from symbolic.trees import TreeOptions, Trees

FLOOR = 0.01  # of a system that is sure of silence; the probability of what may have been struck
STEP_BLOCK = 8192  # steps whose log-odds are made at once
CERTAIN, IMPOSSIBLE = 1 - 1e-6, 1e-6  # as in the cost of the search
REACH = 5.0  # standard deviations beyond which an input is cut off


@dataclass(frozen=True, kw_only=True)
class EvidenceJoinOptions:
    """Sizes of the networks."""

    visible: int = 88
    planes: int = len(PLANES)  # that it looks at, beside the frame plane: the first so many of `PLANES`
    floor: float = FLOOR  # less probable onsets stay as the acoustic model has them
    inputs: int = number_count(len(PLANES))  # numbers of an onset's surroundings, as many as `planes` give
    hidden: int = 128
    networks: int = 1  # whose log-odds are averaged
    dropout: float = 0.2
    trees: int = 0  # which count as much as all networks together
    leaves: int = 20
    depth: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.floor < 1:
            raise NotebeamError("EvidenceJoinOptions.floor", self.floor, "a probability between 0 and 1")
        if not 1 <= self.planes <= len(PLANES):
            raise NotebeamError("EvidenceJoinOptions.planes", self.planes, f"1 to {len(PLANES)}")
        if self.inputs != number_count(self.planes):
            expected = f"{number_count(self.planes)}, those of {self.planes} planes"
            raise NotebeamError("EvidenceJoinOptions.inputs", self.inputs, expected)


class EvidenceJoin(Prior):
    """Says nothing until it is `conditioned_on` the evidence."""

    def __init__(self, options: EvidenceJoinOptions) -> None:
        super().__init__()
        self.visible, self.inputs = options.visible, options.inputs
        self.planes, self.floor = options.planes, options.floor
        self.register_buffer("mean", torch.zeros(options.inputs))
        self.register_buffer("spread", torch.ones(options.inputs))
        self.networks = nn.ModuleList(_network(options) for _ in range(options.networks))
        sizes = TreeOptions(count=options.trees, leaves=options.leaves, depth=options.depth)
        self.trees = Trees(sizes) if options.trees else None
        self.trust = nn.Parameter(torch.ones(options.networks))  # in the acoustic model's own log-odds

    mean: Tensor
    spread: Tensor

    def logits(self, inputs: Tensor) -> Tensor:
        """(networks, N) log-odds, by each network, that onsets with surroundings (N, F) were played."""
        scaled = ((inputs - self.mean) / self.spread).clamp(-REACH, REACH)
        own = torch.stack([network(scaled)[:, 0] for network in self.networks])
        return own + self.trust[:, None] * inputs[:, 0]

    def judge(self, inputs: Tensor) -> Tensor:
        """(N,) log-odds that onsets with surroundings (N, F) were played."""
        logits = self.logits(inputs).mean(dim=0)
        return logits if self.trees is None else (logits + self.trees(inputs)) / 2

    def conditioned_on(
        self, posteriorgrams: Sequence[Posteriorgram], steps: Sequence[StepEvidence]
    ) -> "ConditionedJoin":
        """The same prior, knowing the evidence of each clip.

        Raises:
            NotebeamError: a posteriorgram of another acoustic model than this was fitted to, or one that
                lacks what it reads.
        """
        longest = max((len(part.prob) for part in steps), default=0)
        joined = torch.zeros((len(steps), longest, self.visible))
        for clip, (posteriorgram, part) in enumerate(zip(posteriorgrams, steps, strict=True)):
            self._check_model(posteriorgram)
            for at in _blocks(part):
                joined[clip, at] = _log_odds(part, at)
            (row, key), onsets = candidates(part, self.floor)
            for places, numbers in surroundings(posteriorgram, onsets, self.planes):
                logits = self.judge(torch.from_numpy(numbers).to(self.mean))
                joined[clip, row[places], key[places]] = logits.cpu()
        conditioned = _conditioned(joined.to(self.mean.device), steps)
        conditioned.card = self.card
        return conditioned

    def _check_model(self, posteriorgram: Posteriorgram) -> None:
        wanted = "" if self.card is None else self.card.acoustic_model
        if posteriorgram.model != wanted and posteriorgram.model and wanted:
            expected = f"{wanted!r}, whose mistakes the prior has learnt, or another prior"
            raise NotebeamError(posteriorgram.place, f"acoustic model {posteriorgram.model!r}", expected)

    def initial_state(self, n: int) -> State:
        """Refused: without evidence there is nothing to say.

        Raises:
            NotebeamError: always.
        """
        raise NotebeamError("a prior that sees the evidence", "steps alone", "posteriorgrams, as in `decode`")

    def advance(self, state: State, step: Tensor) -> State:
        return self.initial_state(0)

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        raise NotImplementedError  # there is no state to call it with

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        raise NotImplementedError


def _network(options: EvidenceJoinOptions) -> nn.Sequential:
    """A network that at first leaves everything to the acoustic model's own log-odds."""
    hidden, drop = options.hidden, options.dropout
    last = nn.Linear(hidden, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Dropout(drop / 2), nn.Linear(options.inputs, hidden), nn.GELU(), nn.Dropout(drop),
        nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(drop), last,
    )  # fmt: skip


class ConditionedJoin(Prior):
    """The join of B clips; at first hypothesis n is of clip n."""

    is_recordable = True

    def __init__(self, gain: Tensor, silence: Tensor, chance: Tensor) -> None:
        super().__init__()
        self.visible = gain.shape[2]
        self.register_buffer("gain", gain)
        self.register_buffer("silence", silence)
        self.register_buffer("chance", chance)

    gain: Tensor  # (B, T, D) nats that an on bit adds
    silence: Tensor  # (B, T) nats of a step without any
    chance: Tensor  # (B, T, D) probability of each bit

    def initial_state(self, n: int) -> State:
        number = torch.arange(n, device=self.gain.device)
        return {"clip": number.clamp(max=len(self.gain) - 1), "step": torch.zeros_like(number)}

    def advance(self, state: State, step: Tensor) -> State:
        return {"clip": state["clip"], "step": state["step"] + 1}

    def _at(self, state: State) -> tuple[Tensor, Tensor]:
        return state["clip"], state["step"].clamp(max=self.gain.shape[1] - 1)

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        at = self._at(state)
        return (candidates * self.gain[at][:, None]).sum(dim=2) + self.silence[at][:, None]

    def posterior(self) -> Tensor:
        return self.chance

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """From the join itself, the acoustic model included."""
        logits = self.chance[self._at(state)].logit(eps=IMPOSSIBLE)
        return torch.bernoulli((logits / temperature).sigmoid(), generator=generator)

    def play(self, state: State, rows: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """All forced steps at once."""
        steps = torch.arange(rows.shape[1], device=rows.device)
        at = (state["step"][:, None] + steps).clamp(max=self.gain.shape[1] - 1)
        clip = state["clip"][:, None]
        each = (rows * self.gain[clip, at]).sum(dim=2) + self.silence[clip, at]
        lengths = lengths.to(rows.device)
        total = (each * (steps < lengths[:, None])).sum(dim=1)
        return total, {"clip": state["clip"], "step": state["step"] + lengths}


def _conditioned(joined: Tensor, steps: Sequence[StepEvidence]) -> ConditionedJoin:
    """Of log-odds (B, T, D), which become probabilities where they are: hours are not there twice."""
    gain, silence, softplus = (
        torch.zeros_like(joined),
        torch.zeros_like(joined[:, :, 0]),
        nn.functional.softplus,
    )
    for clip, part in enumerate(steps):
        for at in _blocks(part):
            before, after = _log_odds(part, at).to(joined.device), joined[clip, at]
            gain[clip, at] = after - before
            silence[clip, at] = (softplus(before) - softplus(after)).sum(dim=1)
    return ConditionedJoin(gain, silence, joined.sigmoid_())


def _blocks(steps: StepEvidence) -> list[slice]:
    count = len(steps.prob)
    return [slice(first, min(first + STEP_BLOCK, count)) for first in range(0, count, STEP_BLOCK)]


def _log_odds(steps: StepEvidence, at: slice) -> Tensor:
    """(S, D) of the acoustic model."""
    return torch.from_numpy(steps.prob[at]).clamp(IMPOSSIBLE, CERTAIN).logit()


def candidates(steps: StepEvidence, floor: float = FLOOR) -> tuple[tuple[NDArray[np.intp], ...], Onsets]:
    """Steps and keys (N,) of the onsets that are judged, and the onsets."""
    where = np.nonzero(steps.prob >= floor)
    return where, Onsets(
        where[1], steps.frame[where].astype(np.int64), np.asarray(steps.time[where]), steps.prob[where]
    )
