"""Keys of candidates that have the same keys below them: their logits are computed once.

Is: which keys of which rows of a list differ in what lies below, and the logits of all rows from theirs.
Is not: a net up the keys (priors.biaxial, priors.tp_lstm_nade, priors.lstm_conv_nade).

In lexicographic order a row has the same keys below it as the row before up to their first difference, and
the key of that difference itself. Only above does it stand for itself.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from symbolic.estimators.prefixes import first_difference, lexicographic_order
from symbolic.recurrence.biaxial import At

PAST_AT_ONCE = 1 << 20  # numbers of the past for the cells evaluated at once


def first_own_key(inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lists of rows (B, K, D', P) 0/1 in lexicographic order.

    Returns the order (B, K), the rows (B * K, D', P), and the key (B * K,) from which each stands for itself:
    0 of a list's first, beyond D' - 1 of one that never does.
    """
    clips, count, _, planes = inside.shape
    order = lexicographic_order(inside.flatten(2))
    clip = torch.arange(clips, device=order.device)[:, None]
    rows = inside[clip, order]
    begins = first_difference(rows.flatten(2) > 0.5) // planes + 1
    begins[:, :1] = 0
    return order, rows.flatten(0, 1), begins.flatten()


def shared_logits(
    inside: Tensor,
    past: Tensor,
    below: Callable[[Tensor, At], Tensor],
    up: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """(B, W, K, D', P) logits of rows (B, K, D', P) after each past (B, W, D', U), for a net without memory.

    Args:
        inside, past: the rows of each clip, and the features of every key under each of its hypotheses.
        below: (E, H) what the keys below say to key `at[1]` of row `at[0]`, out of rows (N, D', P).
        up: (E, W, P) logits from the past (E, W, U) and that (E, 1, H).
    """
    (clips, count, keys, planes), width = inside.shape, past.shape[1]
    order, rows, begins = first_own_key(inside)
    own = torch.arange(keys, device=begins.device) >= begins[:, None]
    row, key = own.nonzero(as_tuple=True)  # (E,) the cells that stand for themselves, row by row
    # The others have what the latest row before them has that does.
    cell = torch.zeros_like(own, dtype=torch.long)
    cell[own] = torch.arange(len(row), device=row.device)
    cell = cell.view(clips, count, keys).cummax(1).values
    below_input, clip = below(rows, (row, key)), row // count
    found, size = past.new_empty(len(row), width, planes), max(1, PAST_AT_ONCE // (width * past.shape[3]))
    for start in range(0, len(row), size):
        part = slice(start, start + size)
        found[part] = up(past[clip[part], :, key[part]], below_input[part, None])
    back = cell.gather(1, order.argsort(1)[:, :, None].expand_as(cell))
    return found[back].permute(0, 3, 1, 2, 4)
