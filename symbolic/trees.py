"""Boosted regression trees as tensors: numbers in, a sum of leaves out.

Is: the evaluation of trees that were grown elsewhere (symbolic.training.boosting).
Is not: their growth.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class TreeOptions:
    """Sizes of the trees."""

    count: int = 0  # M trees
    leaves: int = 20  # of each, at most
    depth: int = 8  # questions to a leaf, at most


class Trees(nn.Module):
    """M binary trees of J nodes; node 0 is the root, and a leaf leads to itself."""

    def __init__(self, options: TreeOptions) -> None:
        super().__init__()
        self.sizes = options
        shape = (options.count, 2 * options.leaves - 1)
        self.register_buffer("feature", torch.zeros(shape, dtype=torch.int16))
        self.register_buffer("limit", torch.zeros(shape))
        itself = torch.arange(shape[1], dtype=torch.int16).expand(shape)
        self.register_buffer("below", itself.clone())
        self.register_buffer("above", itself.clone())
        self.register_buffer("value", torch.zeros(shape))
        self.register_buffer("start", torch.zeros(1))

    feature: Tensor  # (M, J) number of the input that a node asks for
    limit: Tensor  # (M, J)
    below: Tensor  # (M, J) node that follows where the input is at most the limit
    above: Tensor  # (M, J) where it is more
    value: Tensor  # (M, J) of a leaf
    start: Tensor  # (1,) to which the leaves are added

    def forward(self, inputs: Tensor) -> Tensor:
        """(N,) sums of the leaves to which inputs (N, F) lead."""
        tree = torch.arange(len(self.feature), device=inputs.device)
        node = torch.zeros((len(inputs), len(tree)), dtype=torch.long, device=inputs.device)
        for _ in range(self.sizes.depth):
            value = inputs.gather(1, self.feature[tree, node].long())
            go_below = value <= self.limit[tree, node]
            node = torch.where(go_below, self.below[tree, node], self.above[tree, node]).long()
        return self.start + self.value[tree, node].sum(dim=1)
