"""What a decoder, a sampler and an evaluator need of a language model of music.

Is: the protocol every prior satisfies, its state, and the card that travels with its weights.
Is not: any model (priors.recurrent), nor loading and saving (priors.registry).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

# Named tensors, each with the number of hypotheses n as its leading size.
State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class PriorCard:
    """What is known about a prior's weights; lies as JSON beside them."""

    name: str  # "jsb", as in load_prior("lstm-nade/jsb")
    model: str  # key of registry.PRIORS
    options: Mapping[str, int | float]  # what build_prior takes
    visible: int  # D
    clock: Mapping[
        str, str | int | float
    ]  # {"kind": "frames", "hop": s} or {"kind": "beats", "divisions": n}
    # A bit means: the key was "struck" at the step, or is "active" (sounds); "both": first the active bits,
    # then the struck ones. "values": the steps are real numbers.
    plane: str
    data: str
    licence: str
    command: str
    scores: Mapping[str, float] = field(default_factory=dict)


class SymbolicPrior(Protocol):
    """A distribution over each step of a roll given the steps before it."""

    visible: int  # D
    card: PriorCard

    @property
    def is_normalized(self) -> bool:
        """True: log_prob is a log-probability; False: it leaves out log Z."""
        ...

    def initial_state(self, n: int) -> State:
        """State of n hypotheses before their first step."""
        ...

    def advance(self, state: State, step: Tensor, context: Tensor | None = None) -> State:
        """State after `step` (N, D) 0/1 was played."""
        ...

    def log_prob(self, state: State, candidates: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, K) log-probability, nats, of candidates (N, K, D) 0/1 as the next step."""
        ...

    def sample(
        self,
        state: State,
        generator: torch.Generator,
        temperature: float = 1.0,
        context: Tensor | None = None,
    ) -> Tensor:
        """(N, D) 0/1 next steps drawn from the prior, one for each hypothesis."""
        ...

    def sequence_log_prob(self, rolls: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, T) log-probability, nats, of each step of rolls (B, T, D) given those before; 0 off the mask.

        mask (B, T) bool is True at the steps that are music: a clip's steps first, then padding.
        """
        ...


def select(state: State, index: Tensor) -> State:
    """Hypotheses `index` (M,) of a state, in that order; an index may repeat."""
    return {name: values.index_select(0, index) for name, values in state.items()}
