"""The state of a prior: named tensors, one row a hypothesis."""

import torch
from torch import Tensor

# Each tensor has the number of hypotheses n as its leading size.
State = dict[str, Tensor]


def select(state: State, index: Tensor) -> State:
    """Hypotheses `index` (M,) of a state, in that order; an index may repeat."""
    return {name: values.index_select(0, index) for name, values in state.items()}


def where(chosen: Tensor, state: State, other: State) -> State:
    """Hypotheses of `state` where `chosen` (N,) bool, of `other` elsewhere."""
    return {
        name: torch.where(chosen.view(-1, *[1] * (values.dim() - 1)), values, other[name])
        for name, values in state.items()
    }


def hypotheses(state: State) -> int:
    """Number of hypotheses n."""
    return len(next(iter(state.values())))
