"""Asking a prior on behalf of many hypotheses that share their candidates: what a search needs of it.

Is: the scores of rows that hypotheses share, and steps that are forced on them, for any `SymbolicPrior`.
Is not: the specialised forms of a prior or an estimator, which come first where there are some.

A prior may offer `shared_log_prob(state, shared) -> (B, W, K)` and `play(state, rolls, lengths) ->
(log_prob (N,), state)`; both must equal what follows here. One whose `shared_log_prob` and `advance` read no
number back from the device says so by `is_recordable`: what they do then depends on shapes alone.
"""

import torch
from torch import Tensor

from symbolic.estimators.prefixes import SharedRows, share
from symbolic.priors.protocol import State, SymbolicPrior


def shared_log_prob(prior: SymbolicPrior, state: State, shared: SharedRows) -> Tensor:
    """(B, W, K) nats of each clip's K rows after each of its W hypotheses; state of B * W, clip by clip."""
    special = getattr(prior, "shared_log_prob", None)
    if special is not None:
        found: Tensor = special(state, shared)
        return found
    clips, count, keys = shared.rows.shape
    width = hypotheses(state) // max(1, clips)
    rows = shared.rows[:, None].expand(-1, width, -1, -1).reshape(clips * width, count, keys)
    return prior.log_prob(state, rows).view(clips, width, count)


def is_recordable(prior: SymbolicPrior | None) -> bool:
    """Whether a step with this prior, or none, does the same operations on any numbers of the same shapes."""
    return prior is None or bool(getattr(prior, "is_recordable", False))


def play(prior: SymbolicPrior, state: State, rolls: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
    """Steps that a hypothesis has no choice in.

    Args:
        prior: the prior. state: of N hypotheses.
        rolls: (N, S, D) 0/1, the steps that follow.
        lengths: (N,) how many of them each hypothesis plays; on the host.

    Returns:
        (N,) the log-probability of all steps played, nats; the state after them.
    """
    special = getattr(prior, "play", None)
    if special is not None:
        found: tuple[Tensor, State] = special(state, rolls, lengths)
        return found
    return play_stepwise(prior, state, rolls, lengths)


def play_stepwise(prior: SymbolicPrior, state: State, rolls: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
    """`play`, one step at a time."""
    total = torch.zeros(len(rolls), dtype=rolls.dtype, device=rolls.device)
    for step in range(rolls.shape[1]):
        playing = (lengths > step).to(rolls.device)
        log_prob = shared_log_prob(prior, state, share(rolls[:, step, None]))[:, 0, 0]
        total = total + torch.where(playing, log_prob, 0.0)
        after = prior.advance(state, rolls[:, step])
        state = {
            name: torch.where(playing.view(-1, *[1] * (values.dim() - 1)), values, state[name])
            for name, values in after.items()
        }
    return total, state


def hypotheses(state: State) -> int:
    """How many a state is of."""
    return len(next(iter(state.values())))
