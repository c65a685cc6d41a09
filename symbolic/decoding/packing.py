"""Hypotheses and candidates as a list of tensors, and back: what a recording takes and gives.

Is: the order of that list.
Is not: what is done with them (decoding.step), or a recording (decoding.recording).
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from symbolic.decoding.rounds import Choice
from symbolic.decoding.step import Beam
from symbolic.estimators.prefixes import Prefixes, SharedRows


def pack(beam: Beam, choice: Choice) -> list[Tensor]:
    """All tensors of both."""
    told = [choice.cost, choice.newest, choice.prob, choice.number, choice.alive, choice.shared.rows]
    return [*pack_beam(beam), *told, *choice.shared.prefixes.tensors]


def unpack(values: Sequence[Tensor], names: Sequence[str]) -> tuple[Beam, Choice]:
    """What `pack` took, with a state of these names; the trees may hang on shapes alone."""
    rest = iter(values)
    beam = unpack_beam(rest, names)
    cost, newest, prob, number, alive, rows, sets, clip, parent, key, path, reach = rest
    trees = Prefixes(sets, clip, parent, key, path, reach)
    return beam, Choice(SharedRows(rows, lambda: trees), cost, newest, prob, number, alive)


def pack_beam(beam: Beam) -> list[Tensor]:
    """All its tensors."""
    return [beam.cost, beam.prior_log_prob, beam.recent, *(beam.state[name] for name in sorted(beam.state))]


def unpack_beam(values: Iterator[Tensor], names: Sequence[str]) -> Beam:
    """What `pack_beam` took, with a state of these names."""
    cost, total, recent = (next(values) for _ in range(3))
    return Beam(cost, total, recent, {name: next(values) for name in sorted(names)})
