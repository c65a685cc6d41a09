"""Optimisers by name, and the rate at which they go.

Is: building them, the schedules.
Is not: the updates (training.run).
"""

import math
from collections.abc import Iterable

import torch

from symbolic.training.config import LoopConfig
from symbolic.training.hessian_free import HessianFree


def build_optimizer(loop: LoopConfig, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that a config names."""
    if loop.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=loop.learning_rate,
            momentum=loop.momentum,
            nesterov=loop.momentum > 0,
            weight_decay=loop.weight_decay,
        )
    if loop.optimizer == "hessian-free":
        return HessianFree(
            parameters, damping=loop.damping, structural=loop.structural, iterations=loop.iterations
        )
    return torch.optim.AdamW(parameters, lr=loop.learning_rate, weight_decay=loop.weight_decay)


def learning_rate_at(loop: LoopConfig, done: float, update: int) -> float:
    """Learning rate after the share `done` of a run, which are `update` updates."""
    rising = min(1.0, (update + 1) / loop.warmup) if loop.warmup else 1.0
    if loop.schedule == "cosine":
        return loop.learning_rate * rising * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
    if loop.schedule == "step":
        return loop.learning_rate * rising * (1.0 if done < 0.6 else 0.1 if done < 0.85 else 0.01)
    if loop.schedule == "exponential":
        return float(loop.learning_rate * rising * loop.decay ** (update / loop.decay_every))
    return loop.learning_rate * rising
