"""Several priors as one: a step's probability is the mean of theirs.

Is: `Ensemble`, a prior around others; `load_prior("lstm-conv-nade/jsb+biaxial/jsb")` makes one.
Is not: a mixture inside one prior (baselines.mixtures), or weights that are learnt.

    P(v) = (1 / K) sum_k P_k(v)

Each part is normalised, so their mean is. Priors that err apart gain most: two nets, or two seeds of one.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import SharedRows
from symbolic.priors.base import Prior, PriorCard
from symbolic.state import State

JOINED = "+"  # between the names of members


class Ensemble(Prior):
    """The mean of several priors' probabilities.

    Raises:
        NotebeamError: fewer than two; one without log Z, or that reads the evidence; steps of several kinds.

    >>> import notebeam as nb
    >>> import torch
    >>> both = nb.load_prior("lstm-conv-nade/jsb+biaxial/jsb")
    >>> rolls, mask = torch.zeros(1, 2, 88), torch.ones(1, 2, dtype=torch.bool)
    >>> each = torch.stack([prior.sequence_log_prob(rolls, mask) for prior in both.priors])
    >>> bool(torch.allclose(both.sequence_log_prob(rolls, mask).exp(), each.exp().mean(0)))
    True
    """

    def __init__(self, priors: Sequence[Prior]) -> None:
        super().__init__()
        if len(priors) < 2:
            raise NotebeamError("Ensemble(priors)", len(priors), "priors, at least 2")
        for prior in priors:
            if not prior.is_normalized or (prior.card is not None and prior.card.acoustic_model):
                expected = "normalised priors that read notes alone"
                raise NotebeamError("Ensemble(priors)", _name(prior), expected)
            if _steps(prior) != _steps(priors[0]):
                expected = f"steps like those of {_name(priors[0])}: {_steps(priors[0])}"
                raise NotebeamError(f"Ensemble(priors): {_name(prior)}", _steps(prior), expected)
        self.priors = nn.ModuleList(priors)
        self.visible = priors[0].visible
        self.is_recordable = all(prior.is_recordable for prior in priors)
        cards = [prior.card for prior in priors if prior.card is not None]
        self.card = _joined(cards) if len(cards) == len(priors) else None

    def initial_state(self, n: int) -> State:
        return _merged([prior.initial_state(n) for prior in self._members()])

    def advance(self, state: State, step: Tensor) -> State:
        return _merged([prior.advance(own, step) for prior, own in self._each(state)])

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        return _log_mean([prior.log_prob(own, candidates) for prior, own in self._each(state)])

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        return _log_mean([prior.shared_log_prob(own, shared) for prior, own in self._each(state)])

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        judged = [prior.chunk_log_prob(own, rolls, mask, generator) for prior, own in self._each(state)]
        return _log_mean([log_prob for log_prob, _ in judged]), _merged([after for _, after in judged])

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        each = [prior.sample(own, generator, temperature) for prior, own in self._each(state)]
        return _one_of(each, generator)

    def draws(self, state: State, generator: torch.Generator, count: int) -> Tensor:
        return _one_of([prior.draws(own, generator, count) for prior, own in self._each(state)], generator)

    def _members(self) -> list[Prior]:
        return cast("list[Prior]", list(self.priors))

    def _each(self, state: State) -> list[tuple[Prior, State]]:
        """Each prior, and its own part of the state."""
        own: list[State] = [{} for _ in self.priors]
        for name, values in state.items():
            index, _, rest = name.partition(".")
            own[int(index)][rest] = values
        return list(zip(self._members(), own, strict=True))


def _merged(states: Sequence[State]) -> State:
    return {f"{index}.{name}": values for index, own in enumerate(states) for name, values in own.items()}


def _one_of(drawn: list[Tensor], generator: torch.Generator) -> Tensor:
    """(N, D) each row from one of those drawn (N, D), by chance."""
    every = torch.stack(drawn)
    size = every.shape[1]
    chosen = torch.randint(len(every), (size,), generator=generator, device=generator.device)
    return every[chosen.to(every.device), torch.arange(size, device=every.device)]


def _log_mean(log_prob: list[Tensor]) -> Tensor:
    return torch.stack(log_prob).logsumexp(0) - math.log(len(log_prob))


def _name(prior: Prior) -> str:
    return prior.card.full_name if prior.card else type(prior).__name__


def _steps(prior: Prior) -> str:
    """What a step of the prior is, in words."""
    steps = f"{prior.visible} numbers"
    if prior.card is None:
        return steps
    clock = ", ".join(f"{name} {value}" for name, value in prior.card.clock.items())
    return f"{steps}, {prior.card.plane}, {clock}"


def _joined(cards: Sequence[PriorCard]) -> PriorCard:
    """The card of the whole: names, data and licences of all, each once."""
    between = {"model": JOINED, "name": JOINED, "data": "; ", "licence": "; ", "command": "; "}
    together: dict[str, Any] = {
        field: mark.join(dict.fromkeys(getattr(card, field) for card in cards))
        for field, mark in between.items()
    }
    return replace(cards[0], **together, options={}, scores={})
