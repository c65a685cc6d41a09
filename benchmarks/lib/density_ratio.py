"""A prior less what the acoustic model has already learnt of music: a density ratio.

An acoustic model that sees seconds of sound learns which notes follow which in its training labels: an
internal prior. Where that counts beside the prior of notes, music is counted twice. So the log-probability of
a prior trained on exactly those labels is subtracted (McDermott, Sak, Variani 2019, for speech).
"""

import torch
from torch import Tensor

from symbolic.estimators.prefixes import SharedRows
from symbolic.priors.base import Prior
from symbolic.state import State


class DensityRatio(Prior):
    """log P(prior) - share log P(internal), of two priors of the same steps.

    It is no distribution, and a search does not ask for its log Z: the ratio is taken as it is.
    """

    def __init__(self, prior: Prior, internal: Prior, share: float) -> None:
        super().__init__()
        self.prior, self.internal, self.share = prior, internal, share
        self.visible, self.card = prior.visible, prior.card

    def initial_state(self, n: int) -> State:
        return _joined(self.prior.initial_state(n), self.internal.initial_state(n))

    def advance(self, state: State, step: Tensor) -> State:
        prior, internal = _parts(state)
        return _joined(self.prior.advance(prior, step), self.internal.advance(internal, step))

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        prior, internal = _parts(state)
        return self.prior.log_prob(prior, candidates) - self.share * self.internal.log_prob(
            internal, candidates
        )

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        prior, internal = _parts(state)
        return self.prior.shared_log_prob(prior, shared) - self.share * self.internal.shared_log_prob(
            internal, shared
        )

    def play(self, state: State, rows: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        prior, internal = _parts(state)
        ours, after = self.prior.play(prior, rows, lengths)
        theirs, internal_after = self.internal.play(internal, rows, lengths)
        return ours - self.share * theirs, _joined(after, internal_after)

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        raise NotImplementedError("a ratio of densities is no distribution")


OWN, OTHER = "prior.", "internal."


def _joined(prior: State, internal: State) -> State:
    return {OWN + name: each for name, each in prior.items()} | {
        OTHER + name: each for name, each in internal.items()
    }


def _parts(state: State) -> tuple[State, State]:
    own, other = (
        {name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)}
        for prefix in (OWN, OTHER)
    )
    return own, other
