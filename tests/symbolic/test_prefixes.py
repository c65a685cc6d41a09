"""Prefix trees against the sets of prefixes, one row at a time."""

import pytest
import torch
from torch import Tensor

from symbolic.estimators.prefixes import first_difference, lexicographic_order, prefix_trees


def prefixes_of(row: Tensor) -> set[tuple[int, ...]]:
    """The lowest on keys of a row, for every number of them."""
    on = row.nonzero()[:, 0].tolist()
    return {tuple(on[:count]) for count in range(len(on) + 1)}


@pytest.mark.parametrize(("steps", "clips", "count", "keys"), [(3, 4, 9, 6), (2, 1, 1, 5), (1, 5, 8, 88)])
def test_a_tree_has_a_node_for_each_prefix(steps: int, clips: int, count: int, keys: int) -> None:
    g = torch.Generator().manual_seed(keys)
    rows = (torch.rand(steps, clips, count, keys, generator=g) < 0.3).float()
    rows[:, :, count // 2] = rows[:, :, 0]
    for step, tree in enumerate(prefix_trees(rows)):
        for clip in range(clips):
            nodes = [tuple(on.nonzero()[:, 0].tolist()) for on in tree.sets[tree.clip == clip]]
            assert len(set(nodes)) == len(nodes)
            assert set(nodes) == set().union(*(prefixes_of(row) for row in rows[step, clip]))
            for number, row in enumerate(rows[step, clip]):
                path = {tuple(tree.sets[node].nonzero()[:, 0].tolist()) for node in tree.path[clip, number]}
                assert path | {()} == prefixes_of(row)
        for node, parent in enumerate(tree.parent.tolist()):
            own = tree.sets[node].nonzero()[:, 0].tolist()
            assert tree.sets[parent].nonzero()[:, 0].tolist() == own[:-1]
            assert int(tree.key[node]) == (own[-1] if own else -1)
        ends = {int(tree.path[clip, number].max()) for clip in range(clips) for number in range(count)}
        kinds = [0 if key < 0 else 1 + (node in ends) for node, key in enumerate(tree.key.tolist())]
        assert kinds == sorted(kinds) and kinds.index(2) == tree.inner
        for kind in (0, 1, 2):
            assert (tree.key[torch.tensor(kinds) == kind].diff() >= 0).all()
        for node, reach in enumerate(tree.reach.tolist()):
            own = [int(tree.key[child]) + 1 for child in (tree.parent == node).nonzero() if child != node]
            assert reach == (keys if node in ends else max(own))
        found, seen = [], []
        for nodes, born, needed in tree.blocks(2):
            assert nodes.stop - nodes.start <= 2
            assert all(nodes.start <= int(tree.parent[child]) < nodes.stop for child in born)
            assert needed.start == max(0, int(tree.key[nodes].min()))
            assert needed.stop == int(tree.reach[nodes].max())
            found += born.tolist()
            seen += range(nodes.start, nodes.stop)
        assert sorted(found) == seen == list(range(len(tree.key)))


def test_rows_are_sorted_by_their_lowest_keys() -> None:
    g = torch.Generator().manual_seed(0)
    rows = (torch.rand(2, 40, 88, generator=g) < 0.02).float()
    order = lexicographic_order(rows)
    for clip in range(2):
        found = [tuple(row) for row in rows[clip, order[clip]].tolist()]
        assert found == sorted(found)
    on = rows.gather(1, order[:, :, None].expand_as(rows)) > 0.5
    differs = first_difference(on)
    for clip in range(2):
        for number in range(1, 40):
            pair = on[clip, number] != on[clip, number - 1]
            assert int(differs[clip, number]) == (int(pair.nonzero()[0, 0]) if pair.any() else 88)


def test_no_rows_have_no_trees() -> None:
    assert prefix_trees(torch.zeros(0, 2, 3, 4)) == []
