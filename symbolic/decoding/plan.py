"""What a beam search has to do for a batch of clips, known from the candidates alone.

Is: the steps that need a search, and with them the runs of forced steps between.
Is not: the search (decoding.search), or the rows (decoding.rounds).

A step with a single candidate is forced: every hypothesis takes it, and nothing is compared. Only once n
forced steps in a row, as many as hypotheses are hashed over, lie behind, a search merges what has become
alike. So a clip is a row of events, each a run of forced steps (maybe none) and a step to be searched, and
at last a run alone. Clips go on together event by event, each at its own step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.decoding.options import DecodeOptions

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Plan:
    """Events of B clips, those with the most first: event e is searched in the first `going[e]` of them."""

    order: Ints  # (B,) place in the batch of each clip here
    searched: Ints  # (B, E + 1) step of each event; of the last run, and beyond, the clip's length
    alive: Bools  # (B, E) whether the clip has this event
    going: list[int]  # (E + 1,) clips that go on, all that have the event at least; the last event is none
    count: list[int]  # (E,) most candidates of these clips, the prior's own aside
    forced: Ints  # (B,) forced steps in a row at each clip's end, in the batch's order


def make_plan(
    viable: Ints, lengths: Sequence[int], forced: Ints, options: DecodeOptions, *, is_fixed: bool = False
) -> Plan:
    """The plan of clips with viable (B, T) candidates a step, 1 at least, and lengths (B,) steps.

    Args:
        viable, lengths: as said. options: how the search goes.
        forced: (B,) forced steps in a row that lie behind each clip.
        is_fixed: numbers of clips are to be few different ones: some go on though they are over.
    """
    stop = np.asarray(lengths, dtype=np.int64)
    real = np.arange(viable.shape[1]) < stop[:, None]
    viable = np.where(real, viable + options.prior_notes, 1)
    runs = _runs(viable, forced)
    merging = (options.hash_steps > 0) & (runs[:, 1:] == options.hash_steps)
    search = real & ((viable > 1) | merging)
    count = search.sum(axis=1)
    order = np.argsort(-count, kind="stable")
    events = int(count.max(initial=0))
    # The searched steps of each clip first; a stable sort keeps them in order.
    step = np.argsort(~search[order], axis=1, kind="stable")[:, :events]
    has = np.arange(events) < count[order, None]
    choices = np.where(has, viable[order[:, None], step], 1) - options.prior_notes
    last, going = stop[order, None], has.sum(axis=0).tolist()
    return Plan(
        order=order,
        searched=np.concatenate([np.where(has, step, last), last], axis=1),
        alive=has,
        going=[*(min(room(n), len(stop)) if is_fixed else n for n in going), 0],
        count=choices.max(axis=0, initial=1).tolist(),
        forced=np.take_along_axis(runs, stop[:, None], 1)[:, 0],
    )


def room(count: int) -> int:
    """The least number of at most three binary digits, and zeros, that is `count` or more: few, and near."""
    unit = 1 << max(0, (count - 1).bit_length() - 3)
    return -(-count // unit) * unit


def _runs(viable: Ints, before: Ints) -> Ints:
    """(B, T + 1) forced steps in a row before each step and at the end; `before` (B,) of them at first."""
    place = np.arange(viable.shape[1] + 1)
    free = np.where(viable > 1, place[1:], 0)
    free = np.maximum.accumulate(np.pad(free, ((0, 0), (1, 0))), axis=1)
    # Steps since the last with a choice; before any, those of the past as well.
    return np.asarray(place - np.where(free > 0, free, -before[:, None]))
