"""Rows that many hypotheses share, and the tree of their prefixes.

Is: the rows of one step; their trees as index tensors, made for many steps at once.
Is not: a distribution (estimators.nade), or the choice of candidates (decoding.candidates).

A distribution that goes up the keys, with a hidden state that changes only above a key that is on, meets few
states in a list of rows: one for each distinct prefix, a set of the lowest on keys of some row. In
lexicographic order a row shares its prefixes with the row before it, so comparing neighbours finds the tree.
It depends on the rows alone: any number of hypotheses use the same.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

BITS = 22  # of a row in one number: a float32 holds one exactly, a float64 two


class Block(NamedTuple):
    """Successive nodes."""

    nodes: slice
    born: Tensor | None  # the nodes whose parents these are; None: not known on the host
    keys: slice  # that these nodes need


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The trees of B lists of K rows.

    Of the R nodes of all lists first come the roots, then those at which no row ends, then those at which one
    does; each by their highest key.
    """

    sets: Tensor  # (R, D) float32 0/1, the on keys that a node stands for; a root's are none
    clip: Tensor  # (R,) list of each node
    parent: Tensor  # (R,) node without the highest key; of a root, itself
    key: Tensor  # (R,) highest key; -1 of a root
    path: Tensor  # (B, K, M) the nodes of each row; a root in unused places
    reach: Tensor  # (R,) keys needed: below the next key on of any row, or all
    inner: int | None = None  # roots and nodes at which no row ends; None: nothing may hang on numbers here

    def blocks(self, size: int) -> Iterator["Block"]:
        """The nodes, and their children, in blocks of at most `size`."""
        if self.inner is None:
            for start, stop in _parts(0, len(self.key), size):
                yield Block(slice(start, stop), None, slice(0, self.sets.shape[1]))
            return
        key, reach, (parents, nodes) = self.key.tolist(), self.reach.tolist(), self._births
        for start, stop in _parts(0, self.inner, size) + _parts(self.inner, len(key), size):
            born = nodes[bisect_left(parents, start) : bisect_left(parents, stop)]
            yield Block(slice(start, stop), born, slice(max(0, key[start]), max(reach[start:stop])))

    @cached_property
    def _births(self) -> tuple[list[int], Tensor]:
        """Parents, rising, on the host, and their children (R,)."""
        parents, nodes = self.parent.sort(stable=True)
        return parents.tolist(), nodes

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those above, in their order."""
        return self.sets, self.clip, self.parent, self.key, self.path, self.reach

    @property
    def sizes(self) -> tuple[int, int]:
        """R and M."""
        return len(self.key), self.path.shape[2]

    def padded(self, nodes: int, ranks: int) -> "Prefixes":
        """With `nodes` nodes, the last of which are no row's, and `ranks` places a row; only shapes count."""
        more = nodes - len(self.key)
        return Prefixes(
            sets=F.pad(self.sets, (0, 0, 0, more)),
            clip=F.pad(self.clip, (0, more)),
            parent=F.pad(self.parent, (0, more)),
            key=F.pad(self.key, (0, more)),
            path=F.pad(self.path, (0, ranks - self.path.shape[2])),  # node 0 is a root
            reach=F.pad(self.reach, (0, more)),
        )

    def row_sums(self, own: Tensor, end: Tensor) -> Tensor:
        """(B, W, K) sums of own (R, W) over each row's nodes but the root, and of end (R, W) at its last."""
        own = own.masked_fill((self.key < 0)[:, None], 0.0)
        return (own[self.path].sum(2) + end[self.path.amax(2)]).transpose(1, 2)


def _parts(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """start..stop - 1 in about equal parts of at most `size`."""
    step = max(1, -(-(stop - start) // max(1, -(-(stop - start) // size))))
    return [(first, min(first + step, stop)) for first in range(start, stop, step)]


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Candidates of one step, alike for all hypotheses of a clip."""

    rows: Tensor  # (B, K, D) float32 0/1
    grow: Callable[[], Prefixes]  # called once, where trees are needed

    @cached_property
    def prefixes(self) -> Prefixes:
        """The trees of the rows."""
        return self.grow()


def share(rows: Tensor) -> SharedRows:
    """Rows (B, K, D) 0/1 of a single step."""
    return SharedRows(rows, lambda: prefix_trees(rows[None])[0])


def prefix_trees(rows: Tensor) -> list[Prefixes]:
    """Trees of rows (S, B, K, D) 0/1, one `Prefixes` a step; rows may repeat."""
    (steps, clips, count, keys), device = rows.shape, rows.device
    if not rows.numel():
        return []
    lists = rows.flatten(0, 1)  # (G, K, D), with G = S * B
    order = lexicographic_order(lists)  # (G, K)
    on = lists.gather(1, order[:, :, None].expand(-1, -1, keys)) > 0.5
    size = lists.sum(2).long().gather(1, order)  # (G, K) on keys
    row, key = on.flatten(0, 1).nonzero(as_tuple=True)  # (E,) every on bit, row by row
    rank = torch.arange(len(row), device=device) - (size.flatten().cumsum(0) - size.flatten())[row]
    # A bit makes a node where its row has left the row before.
    fresh = key >= first_difference(on).flatten()[row]
    row, rank, key = row[fresh], rank[fresh], key[fresh]
    # First the roots, which stand for lists, then the bits.
    roots = torch.arange(len(on), device=device)
    group = torch.cat([roots, row // count])  # (R,)
    highest = torch.cat([torch.full_like(roots, -1), key])
    # A bit that makes no node shares that of the latest row above that made one at its rank.
    ranks = max(1, int(size.max()))
    path = torch.zeros((len(on) * count, ranks), dtype=torch.long, device=device)
    path[row, rank] = torch.arange(len(roots), len(group), device=device)
    path = path.view(len(on), count, ranks).cummax(1).values
    unused = torch.arange(ranks, device=device) >= size[:, :, None]
    path = torch.where(unused, roots[:, None, None], path)
    above = torch.cat([roots[:, None, None].expand(-1, count, 1), path], 2).flatten(0, 1)
    parent = torch.cat([roots, above[row, rank]])
    is_end = torch.zeros_like(group, dtype=torch.bool)
    is_end[path.amax(2)] = True  # a row's later nodes have higher numbers
    reach = torch.zeros_like(group).scatter_reduce(0, parent, highest + 1, "amax")
    # At last step by step, and there as `Prefixes` says.
    step, kind = group // clips, torch.where(highest < 0, 0, torch.where(is_end, 2, 1))
    final = ((step * 3 + kind) * (keys + 1) + highest).sort(stable=True).indices
    place = torch.empty_like(final).scatter_(0, final, torch.arange(len(final), device=device))
    sets = on.flatten(0, 1)[row] & (torch.arange(keys, device=device) <= key[:, None])
    nodes = Prefixes(
        sets=torch.cat([torch.zeros_like(on[:, 0]), sets])[final].to(rows.dtype),
        clip=(group % clips)[final],
        parent=place[parent][final],
        key=highest[final],
        path=torch.empty_like(path).scatter_(1, order[:, :, None].expand_as(path), place[path]),
        reach=reach.masked_fill(is_end, keys)[final],
    )
    each, inner = (torch.bincount(those, minlength=steps) for those in (step, step[kind < 2]))
    return _by_step(nodes, each, inner, size.view(steps, -1))


def _by_step(nodes: Prefixes, each: Tensor, inner: Tensor, size: Tensor) -> list[Prefixes]:
    """The trees of each step out of those of all: (S,) nodes and inner ones of each, size (S, N) of rows."""
    stops, inside = each.cumsum(0).tolist(), inner.tolist()
    most = size.amax(1).clamp(min=1).tolist()
    paths = nodes.path.view(len(stops), -1, *nodes.path.shape[1:])
    return [
        Prefixes(
            sets=nodes.sets[start:stop],
            clip=nodes.clip[start:stop],
            parent=nodes.parent[start:stop] - start,
            key=nodes.key[start:stop],
            path=paths[step, :, :, : most[step]] - start,
            reach=nodes.reach[start:stop],
            inner=inside[step],
        )
        for step, (start, stop) in enumerate(zip([0, *stops], stops, strict=False))
    ]


def lexicographic_order(rows: Tensor) -> Tensor:
    """(G, K) indices that sort each list of rows (G, K, D) float32 0/1, the lowest key first; stable."""
    key = torch.arange(rows.shape[2], device=rows.device)
    words = F.one_hot(key // BITS).to(rows.dtype) * 2.0 ** (BITS - 1 - key % BITS)[:, None]  # (D, words)
    number = F.pad(rows @ words, (0, words.shape[1] % 2)).double()  # every sum is exact
    pairs = number[:, :, ::2] * 2.0**BITS + number[:, :, 1::2]
    order = torch.arange(rows.shape[1], device=rows.device).expand(rows.shape[:2])
    # Stable sorts, by the last keys first.
    for pair in reversed(range(pairs.shape[2])):
        order = order.gather(1, pairs[:, :, pair].gather(1, order).sort(dim=1, stable=True).indices)
    return order


def first_difference(on: Tensor) -> Tensor:
    """(G, K) lowest key at which each row (G, K, D) bool differs from the row before; of equal rows D."""
    differs = on.clone()
    differs[:, 1:] ^= on[:, :-1]
    first = differs.to(torch.uint8).argmax(2)
    first = torch.where(differs.any(2), first, on.shape[2])
    # The first row of a list shares nothing.
    first[:, :1] = 0
    return first
