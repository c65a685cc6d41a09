"""Growth of boosted trees (Friedman 2001), by scikit-learn's histograms, into tensors (symbolic.trees)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symbolic.trees import Trees


@dataclass(frozen=True)
class Growth:
    """How trees are grown, one after the other on what those before leave."""

    rate: float = 0.12  # at which a tree counts
    leaf_size: int = 60  # examples, at least
    inputs: float = 0.3  # share of the inputs that a node may ask for
    seed: int = 0


def grow(trees: Trees, inputs: Tensor, target: Tensor, growth: Growth) -> None:
    """Fill the trees in.

    Args:
        trees: whose sizes bound what is grown.
        inputs: (N, F).
        target: (N,) bool, of which the log-odds are learnt; else numbers, whose mean is.
    """
    from sklearn.ensemble import (  # slow to import: only fitting needs it
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    kind = HistGradientBoostingClassifier if target.dtype == torch.bool else HistGradientBoostingRegressor
    model: Any = kind(
        learning_rate=growth.rate,
        max_iter=trees.sizes.count,
        max_leaf_nodes=trees.sizes.leaves,
        max_depth=trees.sizes.depth,
        min_samples_leaf=growth.leaf_size,
        l2_regularization=5.0,
        max_features=growth.inputs,
        max_bins=64,
        early_stopping=False,
        random_state=growth.seed,
    )
    model.fit(inputs.numpy().astype(np.float32), target.numpy())
    trees.start.fill_(float(np.ravel(model._baseline_prediction)[0]))
    for number, (tree,) in enumerate(model._predictors):
        nodes = tree.nodes
        place, count = torch.arange(len(nodes)), len(nodes)
        leaf = torch.from_numpy(nodes["is_leaf"].astype(bool))
        for name, column in (("below", "left"), ("above", "right")):
            following = torch.from_numpy(nodes[column].astype(np.int64))
            getattr(trees, name)[number, :count] = torch.where(leaf, place, following).short()
        trees.feature[number, :count] = torch.from_numpy(nodes["feature_idx"].astype(np.int16))
        trees.limit[number, :count] = torch.from_numpy(nodes["num_threshold"].astype(np.float32))
        trees.value[number, :count] = torch.from_numpy(nodes["value"].astype(np.float32))
