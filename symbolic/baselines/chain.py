"""GMM + HMM: a hidden Markov model whose states are the components of a mixture over frames.

Is: the exact likelihood by the forward algorithm, predictions, the fit by EM (Baum-Welch).
Is not: the mixture itself (baselines.mixtures).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from symbolic.baselines.mixtures import (
    Mixture,
    component_log_prob,
    components_of,
    drawn,
    fit_mixture,
    frames_of,
    to_numpy,
)
from symbolic.baselines.protocol import Roll, Steps, thinned

SIZES = (64, 256, 512)  # numbers of states from which validation chooses
ITERATIONS = 15  # of EM at most; it ends where validation no longer gains 0.001 nats
CHUNK = 200  # steps at most of a training sequence: more of them side by side
MOST_STEPS = 60_000  # of training, from pieces evenly spread over the split
VALID_STEPS = 20_000  # likewise, of those that choose
MOVE_COUNT = 1.0  # moves that every state has made before the data, to states as common as they are


class Packed:
    """Steps of many rolls, ordered by time: at each time those rolls that still go on, longest first."""

    def __init__(self, lengths: Sequence[int]) -> None:
        order = np.argsort([-length for length in lengths], kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(lengths))
        self.live = [int((np.array(lengths) > t).sum()) for t in range(max(lengths, default=0))]
        self.first = np.cumsum([0, *self.live])  # (T + 1,) place of each time's first step
        places = [self.first[:length] + rank[roll] for roll, length in enumerate(lengths)]
        self.place = torch.from_numpy(np.concatenate(places))  # (all steps,) of every roll's steps in turn

    def pack(self, values: Tensor) -> Tensor:
        """Values (all steps, ...) of one roll after the other, ordered by time."""
        packed = torch.empty_like(values)
        packed[self.place] = values
        return packed

    def at(self, t: int) -> slice:
        """Steps at time t."""
        return slice(int(self.first[t]), int(self.first[t + 1]))


def forward(emission: Tensor, packed: Packed, start: Tensor, move: Tensor) -> tuple[Tensor, Tensor]:
    """Probability of every state (N, K) before and after each step is observed.

    emission (N, K) log-probability of the steps, packed; start (K,); move (K, K) from row to column.
    """
    before, after = torch.empty_like(emission), torch.empty_like(emission)
    state = start.repeat(packed.live[0], 1)
    for t, live in enumerate(packed.live):
        before[packed.at(t)] = state[:live]
        after[packed.at(t)] = torch.softmax(state[:live].log() + emission[packed.at(t)], 1)
        state = after[packed.at(t)] @ move
    return before, after


def smoothed(before: Tensor, after: Tensor, packed: Packed, move: Tensor) -> tuple[Tensor, Tensor]:
    """Probability of every state (N, K) given the whole roll, and the expected number of moves (K, K)."""
    given_all, moves = after.clone(), torch.zeros_like(move)
    for t in range(len(packed.live) - 2, -1, -1):
        here, later = packed.at(t), packed.at(t + 1)
        going = slice(here.start, here.start + packed.live[t + 1])  # those that have a step t + 1
        # P(z_t | all) = P(z_t | up to t) sum_z' P(z' | z_t) P(z' | all) / P(z' | up to t).
        ratio = given_all[later] / before[later]
        given_all[going] = after[going] * (ratio @ move.t())
        moves += after[going].t() @ ratio
    return given_all, moves * move


class HiddenMarkov:
    """Start (K,), moves (K, K) and components (K, D) of the states."""

    def __init__(self, start: Tensor, move: Tensor, on: Tensor, iterations: int) -> None:
        self.start, self.move, self.on = start, move, on
        self.settings = {"components": len(start), "iterations": iterations}

    def _predicted(self, rolls: Sequence[Roll]) -> tuple[Tensor, Tensor]:
        """Each (all steps, K): probability of the states before each step, log-probability of the step."""
        packed = Packed([len(roll) for roll in rolls])
        emission = component_log_prob(frames_of(rolls), self.on)
        before, _ = forward(packed.pack(emission), packed, self.start, self.move)
        return before[packed.place], emission

    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) nats."""
        before, emission = self._predicted(rolls)
        return to_numpy((before.log() + emission).logsumexp(1))

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): a draw of every step."""
        return drawn(self._predicted(rolls)[0], self.on, rng, count)


def fit_hidden_markov(
    train: Sequence[Roll], valid: Sequence[Roll], seed: int, sizes: Sequence[int] = SIZES
) -> HiddenMarkov:
    """The model, of as many states as predict the validation rolls best, begun at a mixture of as many."""
    watched = thinned(valid, VALID_STEPS)
    mixtures = [fit_mixture(train, watched, seed, (size,)) for size in sizes]
    fitted = [fit_moves(mixture, thinned(train, MOST_STEPS), watched) for mixture in mixtures]
    return max(fitted, key=lambda model: model.log_prob(watched).mean())


def fit_moves(mixture: Mixture, pieces: Sequence[Roll], valid: Sequence[Roll]) -> HiddenMarkov:
    """Baum-Welch from the mixture's components, to where validation gains no more."""
    rolls = [piece[start : start + CHUNK] for piece in pieces for start in range(0, len(piece), CHUNK)]
    begins = torch.tensor([start == 0 for piece in pieces for start in range(0, len(piece), CHUNK)])
    packed = Packed([len(roll) for roll in rolls])
    firsts = packed.place[np.cumsum([0, *(len(roll) for roll in rolls[:-1])])][begins]
    frames = packed.pack(frames_of(rolls))
    start, on = mixture.weight, mixture.on
    move = mixture.weight.repeat(len(start), 1)
    best = HiddenMarkov(start, move, on, 0)
    score = best.log_prob(valid).mean()
    for iteration in range(1, ITERATIONS + 1):
        # A chunk inside a piece begins like a piece: wrong for its first steps, and only in the fit.
        before, after = forward(component_log_prob(frames, on), packed, start, move)
        given_all, moves = smoothed(before, after, packed, move)
        weight, on = components_of(given_all, frames, torch.ones(len(frames)))
        move = (moves + MOVE_COUNT * weight) / (moves.sum(1, keepdim=True) + MOVE_COUNT)
        start = (given_all[firsts].sum(0) + MOVE_COUNT * weight) / (len(firsts) + MOVE_COUNT)
        model = HiddenMarkov(start, move, on, iteration)
        found = model.log_prob(valid).mean()
        if found < score + 1e-3:
            return model if found > score else best
        best, score = model, found
    return best
