"""The recursion of the RTRBM: the mean field of the hidden units carries the past.

Is: r_t = s(W v_t + bh_t) with bh_t = c_t + W1 r_{t-1} over the steps of sequences, as functions of tensors.
Is not: the model around it (priors.rtrbm), or the RBM whose W it shares (estimators.rbm, gaussian_rbm).

Source: Sutskever, Hinton and Taylor 2008; Boulanger-Lewandowski et al. 2012, section 3.
"""

import torch
from torch import Tensor


def hidden_mean(step: Tensor, hidden_bias: Tensor, weight: Tensor) -> Tensor:
    """r (N, H) after steps (N, D) that met hidden_bias bh_t (N, H); weight W (D, H)."""
    return torch.sigmoid(torch.addmm(hidden_bias, step, weight))


def hidden_means(drive: Tensor, recurrent: Tensor, first: Tensor, kept: Tensor | None = None) -> Tensor:
    """r_1 .. r_T (B, T, H): r_t = s(drive_t + W1 (kept * r_{t-1})).

    Args:
        drive: (B, T, H) W v_t + c_t, all of the input that is no recursion.
        recurrent: (H, H) W1.
        first: (B, H) r_0.
        kept: (B, H) factors of dropout on what is handed on; None: 1.
    """
    weight, means, mean = recurrent.t(), [], first
    # One small product a step: all that cannot be done for every step at once.
    for now in drive.unbind(1):
        mean = torch.sigmoid(torch.addmm(now, mean if kept is None else mean * kept, weight))
        means.append(mean)
    return torch.stack(means, 1) if means else drive


def one_late(first: Tensor, values: Tensor) -> Tensor:
    """(B, T, U) of values (B, T, U) the one before: step t is judged by what was known before it."""
    return torch.cat([first[:, None], values], 1)[:, :-1]
