"""Whether a prior's own methods give what the class `Prior` asks for, tried once before a search or a run.

Is not: a check at each step, or of the numbers themselves.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from symbolic.checks import brief, of_type, whole
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior
from symbolic.state import State

# Sizes tried, unlike each other and 1, which a wrong shape would hide behind.
HYPOTHESES, CANDIDATES = 2, 3
VISIBLE = "the number of keys, D"


@torch.no_grad()
def check_methods(prior: Prior) -> None:
    """Refuse a prior whose state or log-probabilities have other shapes than they must.

    Raises:
        NotebeamError: names the method, the shape it gave and the shape expected.
    """
    name = type(prior).__name__
    visible = whole(getattr(prior, "visible", None), f"{name}.visible", VISIBLE)
    state = checked_state(prior)
    device = next(iter(state.values())).device
    rows = torch.zeros(HYPOTHESES, CANDIDATES, visible, device=device)
    found = prior.log_prob(state, rows)
    if not isinstance(found, Tensor) or found.shape != rows.shape[:2]:
        expected = f"({HYPOTHESES}, {CANDIDATES}), one number for each of candidates {tuple(rows.shape)}"
        raise NotebeamError(f"{name}.log_prob", brief(found), expected)
    after = prior.advance(state, rows[:, 0])
    if _shapes(after) != (shapes := _shapes(state)):
        raise NotebeamError(f"{name}.advance", _shapes(after), f"{shapes}, as of initial_state({HYPOTHESES})")


def checked_state(prior: Prior) -> State:
    """The state of `HYPOTHESES` hypotheses.

    Raises:
        NotebeamError: it is empty, or something else than tensors with a row for each.
    """
    place = f"{type(prior).__name__}.initial_state({HYPOTHESES})"
    state = of_type(prior.initial_state(HYPOTHESES), dict, place, "a dict of tensors by name")
    if not state:
        raise NotebeamError("decode(prior)", "a prior with an empty state", "one tensor in it at least")
    for name, values in state.items():
        if not isinstance(values, Tensor) or values.shape[:1] != (HYPOTHESES,):
            raise NotebeamError(f"{place}: {name}", brief(values), f"a tensor of {HYPOTHESES} rows")
    return state


def _shapes(state: object) -> object:
    """What is in a state, as a message shows it."""
    if not isinstance(state, Mapping):
        return brief(state)
    return {name: tuple(getattr(values, "shape", ())) for name, values in state.items()}
