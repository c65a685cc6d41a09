"""Slow, obvious versions of the decoders, in float64, and a prior small enough to enumerate.

Shares no code with symbolic.decoding but its types.
"""

from collections.abc import Callable
from dataclasses import fields
from itertools import product
from math import exp, inf, isfinite, log
from typing import Any

import numpy as np
import torch
from oracles_priors import nade_log_prob
from torch import Tensor

from symbolic.clock import Clock
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.options import Beam, Greedy, Proposals
from symbolic.priors.base import Prior
from symbolic.priors.registry import build_prior
from symbolic.state import State

# A search that prunes, merges and keeps few, so that every part of it has something to do.
PRUNED = Beam(width=5, candidates=6, switchable=4, prune=4.0, hash_steps=3, floor=0.05)


def all_rows(keys: int) -> list[tuple[int, ...]]:
    """Every row of that many keys; row number i has key d on where bit d of i is set."""
    return [tuple(i >> d & 1 for d in range(keys)) for i in range(2**keys)]


def random_table(keys: int, seed: int) -> np.ndarray:
    """(R, R, R) float64, R = 2**keys: log-probability of a row after [row two ago, row one ago]."""
    scores = np.random.default_rng(seed).normal(scale=2.0, size=(2**keys,) * 3)
    return scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))


class TablePrior(Prior):
    """Each row depends on the two rows before it by a table; before the first step both are silent."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        self.table = torch.tensor(table)
        self.visible = int(table.shape[0]).bit_length() - 1
        self.calls, self.rows = 0, 0  # of log_prob, and the candidates scored

    def number(self, rows: Tensor) -> Tensor:
        """(...) row numbers of rows (..., D)."""
        return (rows.long() << torch.arange(self.visible)).sum(dim=-1)

    def initial_state(self, n: int) -> State:
        return {"older": torch.zeros(n, dtype=torch.long), "newer": torch.zeros(n, dtype=torch.long)}

    def advance(self, state: State, step: Tensor) -> State:
        assert step.shape == (len(state["newer"]), self.visible)
        return {"older": state["newer"], "newer": self.number(step)}

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        assert candidates.shape[::2] == (len(state["newer"]), self.visible)
        self.calls, self.rows = self.calls + 1, self.rows + candidates.shape[0] * candidates.shape[1]
        return self.table[state["older"][:, None], state["newer"][:, None], self.number(candidates)].float()

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        raise NotImplementedError

    def sequence_log_prob(self, rolls: Tensor, mask: Tensor) -> Tensor:
        number = self.number(rolls)
        past = torch.cat([torch.zeros_like(number[:, :2]), number], dim=1)
        return self.table[past[:, :-2], past[:, 1:-1], number] * mask


def evidence(prob: np.ndarray) -> Evidence:
    """Evidence of (T, D) probabilities, 40 ms a step."""
    clock = Clock.frames(len(prob), 0.04)
    time = np.broadcast_to(clock.times[:, None], prob.shape)
    return Evidence(prob.astype(np.float32), time, np.zeros(prob.shape, dtype=np.int32), clock)


def sparse_clips(seed: int, lengths: tuple[int, ...], keys: int, doubt: float = 0.3) -> list[Evidence]:
    """Most steps leave no doubt, some a little; where doubts lie differs from clip to clip."""
    generator = np.random.default_rng(seed)
    found = []
    for steps in lengths:
        prob = np.where(generator.random((steps, keys)) < 0.2, 0.999, 0.001)
        unsure = (generator.random((steps, 1)) < doubt) & (generator.random((steps, keys)) < 0.6)
        found.append(evidence(np.where(unsure, generator.uniform(0.1, 0.9, (steps, keys)), prob)))
    return found


def loud_prior(keys: int, seed: int = 0) -> Prior:
    """An LSTM-NADE whose weights are large enough for the past to matter."""
    torch.manual_seed(seed)
    prior = build_prior("lstm-nade", {"visible": keys, "units": 8, "hidden": 5}).eval()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(4.0)
    return prior


def as_greedy(options: Beam) -> Greedy:
    """The greedy search with the candidates and costs of a beam."""
    return Greedy(**{field.name: getattr(options, field.name) for field in fields(Proposals)})


def row_cost(
    row: tuple[int, ...], prob: np.ndarray, temperature: float, penalty: float, floor: float
) -> float:
    """-log P_a + beta notes of a row, key by key; inf if a key below the floor is on."""
    total = 0.0
    for bit, p in zip(row, prob.astype(np.float64), strict=True):
        if bit and p < floor:
            return inf
        tempered = 1 / (1 + exp(-log(p / (1 - p)) / temperature)) if p > 0 else 0.0
        total += -log(tempered) + penalty if bit else -log(1 - tempered)
    return total


def table_log_prob(roll: list[int], table: np.ndarray) -> float:
    """log P_s of a roll given as row numbers."""
    past = [0, 0, *roll]
    return sum(float(table[past[t], past[t + 1], past[t + 2]]) for t in range(len(roll)))


def every_roll(
    prob: np.ndarray, table: np.ndarray, weight: float, temperature: float, penalty: float, floor: float
) -> list[tuple[float, np.ndarray]]:
    """Cost and roll (T, D) of every roll there is, cheapest first."""
    steps, keys = prob.shape
    rows = all_rows(keys)
    local = [[row_cost(row, p, temperature, penalty, floor) for row in rows] for p in prob]
    found = []
    for roll in product(range(len(rows)), repeat=steps):
        cost = sum(local[t][i] for t, i in enumerate(roll)) - weight * table_log_prob(list(roll), table)
        found.append((cost, roll))
    found.sort(key=lambda pair: pair[0])
    return [
        (cost, np.array([rows[i] for i in roll], dtype=bool).reshape(steps, keys)) for cost, roll in found
    ]


def every_candidate(prob: np.ndarray, options: Proposals) -> list[tuple[float, tuple[int, ...]]]:
    """Cost and row of every subset of the k most ambiguous keys, in the order of rank."""
    share = options.note_penalty
    if options.prior_weight:
        share = log(options.centre / (1 - options.centre)) / options.temperature
    gain = [
        log(p / (1 - p)) / options.temperature - share if p >= options.floor and p > 0 else -inf
        for p in prob.astype(float)
    ]
    ambiguous = sorted(range(len(prob)), key=lambda d: (abs(gain[d]), d))[: options.switchable]
    found = []
    for bits in product((0, 1), repeat=len(ambiguous)):
        row = [int(g > 0) for g in gain]
        for key, bit in zip(ambiguous, bits, strict=True):
            row[key] ^= bit
        settings = options.temperature, options.floor
        rank = row_cost(tuple(row), prob, settings[0], share, settings[1])
        cost = row_cost(tuple(row), prob, settings[0], options.note_penalty, settings[1])
        found.append((rank, cost, tuple(row)))
    first = min(found)[0]
    return [pair[1:] for pair in sorted(found) if isfinite(pair[0]) and pair[0] - first <= options.prune]


def slow_beam(
    prob: np.ndarray, table: np.ndarray, rows: int, width: int, hash_steps: int, per_hash: int
) -> list[tuple[float, list[int]]]:
    """Cost and roll (row numbers) of what a hashed beam ends with; it tries the `rows` best rows a step."""
    keys = prob.shape[1]
    beam: list[tuple[float, list[int]]] = [(0.0, [])]
    for p in prob:
        local = sorted((row_cost(row, p, 1.0, 0.0, 0.0), i) for i, row in enumerate(all_rows(keys)))[:rows]
        following = []
        for cost, roll in beam:
            past = [0, 0, *roll]
            following += [(cost + c - float(table[past[-2], past[-1], i]), [*roll, i]) for c, i in local]
        beam, kept = [], {}
        for cost, roll in sorted(following):
            ending = tuple(roll[-hash_steps:])
            kept[ending] = kept.get(ending, 0) + 1
            if kept[ending] <= per_hash and len(beam) < width:
                beam.append((cost, roll))
    return beam


Row = tuple[int, ...]


def naive_beam(
    prob: np.ndarray, score: Callable[[list[Row], Row], float], options: Beam
) -> list[tuple[float, float, list[Row]]]:
    """Cost, log P_s and roll of what a beam ends with, one hypothesis and one candidate at a time.

    score(past, row) is the prior's log-probability. Hypotheses are compared at the steps with more than one
    candidate, and once as many steps without a choice as are hashed lie behind.
    """
    beam: list[tuple[float, float, list[Row]]] = [(0.0, 0.0, [])]
    forced = 0
    for p in prob:
        rows = every_candidate(p, options)[: options.candidates]
        forced = forced + 1 if len(rows) == 1 else 0
        following = []
        for cost, total, roll in beam:
            for local, row in rows:
                prior_log_prob = score(roll, row)
                following.append(
                    (
                        cost + local - options.prior_weight * prior_log_prob,
                        total + prior_log_prob,
                        [*roll, row],
                    )
                )
        if len(rows) == 1 and not (options.hash_steps and forced == options.hash_steps):
            beam = following
            continue
        beam, kept = [], {}
        for cost, total, roll in sorted(following, key=lambda one: one[0]):
            ending = tuple(roll[-options.hash_steps :]) if options.hash_steps else tuple(roll)
            kept[ending] = kept.get(ending, 0) + 1
            if kept[ending] <= options.per_hash and len(beam) < options.width:
                beam.append((cost, total, roll))
    return sorted(beam, key=lambda one: one[0])


def naive_nade(prior: Any) -> Callable[[list[Row], Row], float]:
    """`score` of a recurrence times a NADE: its past read again for every row, the NADE key by key."""

    def score(past: list[Row], row: Row) -> float:
        key = tuple(past)
        if key not in biases:
            state = prior.initial_state(1)
            for one in past:
                state = prior.advance(state, torch.tensor([one], dtype=torch.float32))
            biases[key] = prior.step_biases(state)[0].detach().double().numpy()
        both, keys = biases[key], prior.visible
        return nade_log_prob(np.array(row, dtype=float), both[:keys], both[keys:], weight, out)

    weight = prior.estimator.weight.detach().double().numpy()
    out = prior.estimator.out.detach().double().numpy()
    biases: dict[tuple[Row, ...], np.ndarray] = {}
    return score


def best_of_chain(
    prob: np.ndarray, off_off: float, off_on: float, weight: float
) -> tuple[float, tuple[int, ...]]:
    """Cheapest states of one key (T,) under a two-state chain that begins off, of all 2**T."""
    best = (inf, ())
    for states in product((0, 1), repeat=len(prob)):
        cost, before = 0.0, 0
        for p, now in zip(prob.astype(np.float64), states, strict=True):
            off = off_on if before else off_off
            cost -= log(p if now else 1 - p) + weight * log(1 - off if now else off)
            before = now
        best = min(best, (cost, states))
    return best


def peaks_of(line: np.ndarray) -> list[tuple[int, float, float]]:
    """(frame, value, centroid in frames) of each peak of a line (F,), frame by frame."""
    values, found, t = [float(v) for v in line], [], 0
    while t < len(values):
        end = t
        while end + 1 < len(values) and values[end + 1] == values[t]:
            end += 1
        before, after = values[max(0, t - 2) : t], values[end + 1 : end + 3]
        if values[t] > 0 and all(v < values[t] for v in before) and all(v <= values[t] for v in after):
            centre = (t + end) // 2
            first = last = centre
            while first > max(0, centre - 3) and values[first - 1] <= values[first]:
                first -= 1
            while last < min(len(values) - 1, centre + 3) and values[last + 1] <= values[last]:
                last += 1
            near = range(first, last + 1)
            weight = sum(values[f] for f in near)
            found.append((centre, values[t], sum(f * values[f] for f in near) / weight))
        t = end + 1
    return found


def nearest_step(seconds: float, times: np.ndarray) -> int:
    """Index of the nearest time, the earlier of two that are equally near but for rounding."""
    distances = [abs(seconds - float(time)) for time in times]
    return next(i for i, distance in enumerate(distances) if distance < min(distances) + 1e-9)
