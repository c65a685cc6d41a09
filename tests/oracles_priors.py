"""Slow, obvious versions of the priors' maths, in float64, one column and one key at a time.

Shares no code with the package.
"""

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def all_columns(keys: int) -> Tensor:
    """(2**keys, keys) every column, float64."""
    return torch.tensor(list(product((0.0, 1.0), repeat=keys)), dtype=torch.float64)


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))


def nade_log_prob(
    column: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    weight: NDArray[np.float64],
    out: NDArray[np.float64],
) -> float:
    """Log-probability of one column (D,) by the definition, key after key."""
    total, activation = 0.0, c.copy()
    for key in range(len(column)):
        on = sigmoid(b[key] + out[key] @ sigmoid(activation))
        total += np.log(on) if column[key] else np.log(1.0 - on)
        activation = activation + column[key] * weight[key]
    return float(total)


def rbm_energy(
    column: NDArray[np.float64],
    hidden: NDArray[np.float64],
    visible_bias: NDArray[np.float64],
    hidden_bias: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> float:
    """Energy of one column (D,) and hidden vector (H,): -bv.v - bh.h - v W h."""
    total = 0.0
    for d, v in enumerate(column):
        total -= visible_bias[d] * v
        for j, h in enumerate(hidden):
            total -= v * weight[d, j] * h
    return total - float(hidden_bias @ hidden)


def rbm_log_partition(
    visible_bias: NDArray[np.float64], hidden_bias: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """log Z of one RBM with 0/1 visible units, its 2**H hidden vectors enumerated, the visible summed out."""
    hidden = all_columns(len(hidden_bias)).numpy()
    terms = hidden @ hidden_bias + np.logaddexp(0.0, visible_bias + hidden @ weight.T).sum(1)
    return float(np.logaddexp.reduce(terms))


def lstm_step(
    x: NDArray[np.float64], hidden: NDArray[np.float64], cell: NDArray[np.float64], layer: torch.nn.LSTM
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One step of one layer for one sequence, by the equations in torch.nn.LSTM's documentation."""
    w_x, w_h, b_x, b_h = _layer_weights(layer)
    i, f, g, o = np.split(w_x @ x + b_x + w_h @ hidden + b_h, 4)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def rnn_step(
    x: NDArray[np.float64], hidden: NDArray[np.float64], layer: torch.nn.RNNBase
) -> NDArray[np.float64]:
    """One step of one tanh layer for one sequence, by the equations in torch.nn.RNN's documentation."""
    w_x, w_h, b_x, b_h = _layer_weights(layer)
    return np.tanh(w_x @ x + b_x + w_h @ hidden + b_h)


def gru_step(
    x: NDArray[np.float64], hidden: NDArray[np.float64], layer: torch.nn.RNNBase
) -> NDArray[np.float64]:
    """One step of one layer for one sequence, by the equations in torch.nn.GRU's documentation."""
    w_x, w_h, b_x, b_h = _layer_weights(layer)
    (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(w_x @ x + b_x, 3), np.split(w_h @ hidden + b_h, 3)
    z = sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * hidden


def _layer_weights(layer: torch.nn.RNNBase) -> list[NDArray[np.float64]]:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return [getattr(layer, name).detach().double().numpy() for name in names]


def rtrbm_biases(
    roll: NDArray[np.float64],
    named: dict[str, NDArray[np.float64]],
    memory: torch.nn.LSTM | None,
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """bv_t and bh_t of every step of one roll (T, D), one unit at a time where the past speaks.

    named: W (D, H), bv, bh, r0, W1 (H, H), and W2 (D, H), WL (H, U), WV (D, U) where the model has them.
    """
    units = 0 if memory is None else memory.hidden_size
    r, hidden, cell, found = named["r0"], np.zeros(units), np.zeros(units), []
    for step in roll:
        bv, bh = named["bv"].copy(), named["bh"].copy()
        for j in range(len(bh)):
            bh[j] += sum(named["W1"][j, i] * r[i] for i in range(len(r)))
            bh[j] += sum(named["WL"][j, i] * hidden[i] for i in range(units))
        if "W2" in named:
            for d in range(len(bv)):
                bv[d] += sum(named["W2"][d, i] * r[i] for i in range(len(r)))
        if "WV" in named:
            for d in range(len(bv)):
                bv[d] += sum(named["WV"][d, i] * hidden[i] for i in range(units))
        found.append((bv, bh))
        r = sigmoid(step @ named["W"] + bh)
        if memory is not None:
            hidden, cell = lstm_step(step, hidden, cell, memory)
    return found


def accuracy_2012(estimate: set[int], reference: set[int]) -> float:
    """TP / max(size of either); 1 where both are empty: the accuracy of the 2012 tables, for one step."""
    if not estimate and not reference:
        return 1.0
    return len(estimate & reference) / max(len(estimate), len(reference))


def accuracy_bay(estimates: list[set[int]], references: list[set[int]]) -> float:
    """Sum of TP / sum of (TP + FP + FN) over steps (Bay et al. 2009)."""
    hits = sum(len(e & r) for e, r in zip(estimates, references, strict=True))
    union = sum(len(e | r) for e, r in zip(estimates, references, strict=True))
    return hits / union if union else 1.0
