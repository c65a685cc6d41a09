"""Beam search the way the published programs do it: one clip, and one hypothesis at a time.

Is: the reference that `benchmarks.decoding` is timed against: the same candidates, the same rule for those
that end alike, the same answer.
Is not: the decoder (symbolic.decoding), or the oracle of its tests, which is slower still.

A hypothesis' candidates are scored together, by the NADE's own recursion over the keys; that is as far as
the published programs go.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.decoding.candidates import propose
from symbolic.decoding.inputs import pad
from symbolic.decoding.options import Beam
from symbolic.estimators.nade import Nade
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.state import State


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One way to have got here."""

    cost: float
    state: State
    rows: tuple[bytes, ...]


@torch.inference_mode()
def naive_beam(prob: NDArray[np.float32], prior: RecurrentPrior, options: Beam) -> float:
    """Cost of the best roll of a clip (T, D)."""
    batch = pad([torch.from_numpy(prob)])
    found = propose(batch, options, options.candidates)
    every = torch.arange(found.codes.shape[2]).expand(1, len(prob), -1).transpose(1, 2)
    rows = found.chosen(every)[0].transpose(0, 1).float()  # (T, K, D)
    beam, forced = [Hypothesis(0.0, prior.initial_state(1), ())], 0
    for step in range(len(prob)):
        count = int(found.viable[0, step])
        candidates, local = rows[step, :count], found.cost[0, step, :count].tolist()
        names = [row.numpy().tobytes() for row in candidates.bool()]
        forced = forced + 1 if count == 1 else 0
        merges = count > 1 or (options.hash_steps > 0 and forced == options.hash_steps)
        following = []
        for hypothesis in beam:
            prior_log_prob = nade_scores(prior, hypothesis.state, candidates).tolist()
            for number in range(count):
                cost = hypothesis.cost + local[number] - options.prior_weight * prior_log_prob[number]
                following.append((cost, number, hypothesis))
        if merges:
            following = _kept(following, names, options)
        beam = [
            Hypothesis(
                cost, prior.advance(parent.state, candidates[number, None]), (*parent.rows, names[number])
            )
            for cost, number, parent in following
        ]
    return min(hypothesis.cost for hypothesis in beam)


def nade_scores(prior: RecurrentPrior, state: State, candidates: Tensor) -> Tensor:
    """(K,) log-probability of candidates (K, D) after one hypothesis, key by key."""
    estimator = prior.estimator
    assert isinstance(estimator, Nade)
    key_bias, activation = estimator.split(prior.step_biases(state))
    activation = activation.expand(len(candidates), -1)
    total = torch.zeros(len(candidates))
    for key in range(candidates.shape[1]):
        logit = key_bias[0, key] + torch.sigmoid(activation) @ estimator.out[key]
        total += torch.nn.functional.logsigmoid(torch.where(candidates[:, key] > 0, logit, -logit))
        activation = activation + candidates[:, key, None] * estimator.weight[key]
    return total


def _kept(
    following: list[tuple[float, int, Hypothesis]], names: list[bytes], options: Beam
) -> list[tuple[float, int, Hypothesis]]:
    """The cheapest, of those with the same last rows only some."""
    kept: list[tuple[float, int, Hypothesis]] = []
    endings: dict[tuple[bytes, ...], int] = {}
    for one in sorted(following, key=lambda one: one[0]):
        ending = (*one[2].rows, names[one[1]])[-options.hash_steps :]
        endings[ending] = endings.get(ending, 0) + 1
        if endings[ending] <= options.per_hash:
            kept.append(one)
        if len(kept) == options.width:
            break
    return kept
