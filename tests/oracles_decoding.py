"""Slow, obvious versions of the decoders, in float64, and a prior small enough to enumerate.

Shares no code with symbolic.decoding.
"""

from itertools import product
from math import exp, inf, log

import numpy as np
import torch
from torch import Tensor

from symbolic.priors.protocol import State


def all_rows(keys: int) -> list[tuple[int, ...]]:
    """Every row of that many keys; row number i has key d on where bit d of i is set."""
    return [tuple(i >> d & 1 for d in range(keys)) for i in range(2**keys)]


def random_table(keys: int, seed: int) -> np.ndarray:
    """(R, R, R) float64, R = 2**keys: log-probability of a row after [row two ago, row one ago]."""
    scores = np.random.default_rng(seed).normal(scale=2.0, size=(2**keys,) * 3)
    return scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))


class TablePrior:
    """Each row depends on the two rows before it by a table; before the first step both are silent."""

    is_normalized = True

    def __init__(self, table: np.ndarray) -> None:
        self.table = torch.tensor(table)
        self.visible = int(table.shape[0]).bit_length() - 1
        self.asked = 0  # calls of log_prob

    def number(self, rows: Tensor) -> Tensor:
        """(...) row numbers of rows (..., D)."""
        return (rows.long() << torch.arange(self.visible)).sum(dim=-1)

    def initial_state(self, n: int) -> State:
        return {"older": torch.zeros(n, dtype=torch.long), "newer": torch.zeros(n, dtype=torch.long)}

    def advance(self, state: State, step: Tensor, context: Tensor | None = None) -> State:
        assert step.shape == (len(state["newer"]), self.visible)
        return {"older": state["newer"], "newer": self.number(step)}

    def log_prob(self, state: State, candidates: Tensor, context: Tensor | None = None) -> Tensor:
        assert candidates.shape[::2] == (len(state["newer"]), self.visible)
        self.asked += 1
        return self.table[state["older"][:, None], state["newer"][:, None], self.number(candidates)].float()

    def sample(
        self,
        state: State,
        generator: torch.Generator,
        temperature: float = 1.0,
        context: Tensor | None = None,
    ) -> Tensor:
        raise NotImplementedError

    def sequence_log_prob(self, rolls: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        number = self.number(rolls)
        past = torch.cat([torch.zeros_like(number[:, :2]), number], dim=1)
        return self.table[past[:, :-2], past[:, 1:-1], number] * mask


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
            near = [f for f in range(centre - 3, centre + 4) if 0 <= f < len(values)]
            weight = sum(values[f] for f in near)
            found.append((centre, values[t], sum(f * values[f] for f in near) / weight))
        t = end + 1
    return found


def nearest_step(seconds: float, times: np.ndarray) -> int:
    """Index of the nearest time, the earlier of two that are equally near but for rounding."""
    distances = [abs(seconds - float(time)) for time in times]
    return next(i for i, distance in enumerate(distances) if distance < min(distances) + 1e-9)
