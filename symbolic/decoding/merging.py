"""Which hypotheses stay: the cheapest, and of those that end alike only a few; as functions of tensors.

Source: Sigtia et al. 2016 (hashed beam); hash over the last n frames as in Ycart et al. 2019.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Hashes:
    """Random odd multipliers; sums of products wrap at 2**64, alike on every device."""

    keys: Tensor  # (D,) int64
    ages: Tensor  # (n,) int64, newest row first; n = 0: no merging

    def of_rows(self, rows: Tensor) -> Tensor:
        """(...) int64 of rows (..., D) 0/1."""
        return (rows.long() * self.keys).sum(dim=-1)

    def of_pasts(self, recent: Tensor, newest: Tensor) -> Tensor | None:
        """(B, W * K) int64 of pasts (B, W, n - 1) each followed by rows (B, K); None if nothing is merged."""
        if not len(self.ages):
            return None
        past = (recent * self.ages[1:]).sum(dim=-1)
        return (past[:, :, None] + newest[:, None, :] * self.ages[0]).flatten(1)


def make_hashes(keys: int, hash_steps: int, device: torch.device) -> Hashes:
    """The same multipliers in every run and on every device."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(-(1 << 62), 1 << 62, (keys + hash_steps,), generator=generator) * 2 + 1
    return Hashes(drawn[:keys].to(device), drawn[keys:].to(device))


def survivors(
    total: Tensor, keys: Tensor | None, width: int, per_hash: int, most: int | None = None
) -> tuple[Tensor, Tensor]:
    """The `width` cheapest of total (B, N) nats, at most `per_hash` of each key (B, N), N >= width.

    most: how often one key may be there, if that is known.

    Returns costs (B, W), rising, +inf where the keys leave too few, and indices (B, W). Of equals the first
    stays.
    """
    cost, order = total.sort(dim=1, stable=True)
    if keys is None:
        return cost[:, :width], order[:, :width]
    if most is not None:
        # No more need be looked at: among so many there are `width` to keep.
        cost, order = cost[:, : width * most], order[:, : width * most]
    # Sorted by key, and within a key still by cost, a hypothesis' rank is its distance from its key's first.
    keys, by_key = keys.gather(1, order).sort(dim=1, stable=True)
    place = torch.arange(keys.shape[1], device=keys.device)
    fresh = torch.ones_like(keys, dtype=torch.bool)
    fresh[:, 1:] = keys[:, 1:] != keys[:, :-1]
    rank = place - torch.where(fresh, place, 0).cummax(dim=1).values
    # Back in the order of cost; the merged ones go last.
    merged = torch.empty_like(fresh).scatter_(1, by_key, rank >= per_hash)
    kept = merged.to(torch.uint8).sort(dim=1, stable=True).indices[:, :width]
    return cost.masked_fill(merged, torch.inf).gather(1, kept), order.gather(1, kept)


def latest(recent: Tensor, newest: Tensor, lengths: Tensor) -> Tensor:
    """(B, W, n) hashes, newest first, after `lengths` (B,) rows followed recent (B, W, n).

    newest (B, n): hashes of the last n of those rows, newest first; of fewer, those come first.
    """
    place = torch.arange(recent.shape[2], device=recent.device)
    older = (place - lengths[:, None]).clamp(min=0)[:, None].expand_as(recent)
    fresh = (place < lengths[:, None])[:, None]
    return torch.where(fresh, newest[:, None], recent.gather(2, older))
