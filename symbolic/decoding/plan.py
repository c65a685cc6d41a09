"""What a beam search has to do for a batch of clips, known from the candidates alone.

Is: the steps that need a search, the runs of forced steps between them, and how many hypotheses can be left.
Is not: the search (decoding.beam).

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


@dataclass(frozen=True, eq=False)
class Past:
    """What a plan must know of the steps before it."""

    viable: Ints  # (B, n - 1) candidates at the last steps, newest last
    forced: Ints  # (B,) forced steps in a row at the end
    bound: Ints  # (B,) most hypotheses there are


@dataclass(frozen=True, eq=False)
class Plan:
    """Events of B clips, those with the most first: event e is searched in the first `going[e]` of them."""

    order: Ints  # (B,) place in the batch of each clip here
    searched: Ints  # (B, E + 1) step of each event; of the last run, and beyond, the clip's length
    going: list[int]  # (E + 1,) clips that are searched; the last event is none
    count: list[int]  # (E,) most candidates of these clips, the prior's own aside
    width: list[int]  # (E + 1,) most hypotheses before each event of the clips that have come so far
    past: Past  # of the steps to come, in the batch's order


def first_past(clips: int, hash_steps: int) -> Past:
    """Before the first step there is one hypothesis."""
    ones = np.ones(clips, dtype=np.int64)
    return Past(np.ones((clips, max(0, hash_steps - 1)), dtype=np.int64), 0 * ones, ones)


def make_plan(viable: Ints, lengths: Sequence[int], past: Past, options: DecodeOptions) -> Plan:
    """The plan of clips with viable (B, T) candidates a step, 1 at least, and lengths (B,) steps."""
    stop = np.asarray(lengths, dtype=np.int64)
    real = np.arange(viable.shape[1]) < stop[:, None]
    viable = np.where(real, viable + options.prior_notes, 1)
    forced = _forced(viable, past.forced)
    search = real & ((viable > 1) | ((options.hash_steps > 0) & (forced[:, 1:] == options.hash_steps)))
    count = search.sum(axis=1)
    order = np.argsort(-count, kind="stable")
    events = int(count.max(initial=0))
    # The searched steps of each clip first; a stable sort keeps them in order.
    step = np.argsort(~search[order], axis=1, kind="stable")[:, :events]
    has = np.arange(events) < count[order, None]
    choices = np.where(has, viable[order[:, None], step], 1)
    endings = _endings(viable, past.viable, options)[order[:, None], step]
    endings = np.where(has, endings, options.beam_width)
    bound = _bounds(past.bound[order], choices, endings, options.beam_width)
    going = [int(n) for n in has.sum(axis=0)] + [0]
    here = [len(order), *going]  # clips at each event, before some end
    last = np.empty_like(past.bound)
    last[order] = bound[:, -1]
    return Plan(
        order=order,
        searched=np.concatenate([np.where(has, step, stop[order, None]), stop[order, None]], axis=1),
        going=going,
        count=[int(choices[:n, event].max()) - options.prior_notes for event, n in enumerate(going[:-1])],
        width=[int(bound[:n, event].max(initial=1)) for event, n in enumerate(here[:-1])],
        past=Past(_last(viable, past.viable, stop), np.take_along_axis(forced, stop[:, None], 1)[:, 0], last),
    )


def _forced(viable: Ints, before: Ints) -> Ints:
    """(B, T + 1) forced steps in a row before each step and at the end; `before` (B,) of them at first."""
    place = np.arange(viable.shape[1] + 1)
    free = np.where(viable > 1, place[1:], 0)
    free = np.maximum.accumulate(np.concatenate([-before[:, None], free], axis=1), axis=1)
    # Steps since the last free one; before that since `before` steps before the first.
    return np.asarray(place - np.where(free > 0, free, -before[:, None]))


def _endings(viable: Ints, before: Ints, options: DecodeOptions) -> Ints:
    """(B, T) most hypotheses that merging leaves after each step, at most W."""
    if not options.hash_steps:
        return np.full(viable.shape, options.beam_width)
    window = options.hash_steps
    logs = np.log2(np.concatenate([np.ones((len(viable), 1)), before, viable], axis=1)).cumsum(axis=1)
    # The last n rows can be so many as the product of their choices.
    endings = np.exp2(np.minimum(logs[:, window:] - logs[:, :-window], 40)).round()
    return np.asarray(np.minimum(options.beam_width, endings * options.per_hash), dtype=np.int64)


def _bounds(first: Ints, choices: Ints, endings: Ints, width: int) -> Ints:
    """(B, E + 1) most hypotheses before each event and at the end, at most `width`; first (B,)."""
    bounds = [first]
    for event in range(choices.shape[1]):
        bounds.append(np.minimum(np.minimum(bounds[-1] * choices[:, event], endings[:, event]), width))
    return np.stack(bounds, axis=1)


def _last(viable: Ints, before: Ints, lengths: Ints) -> Ints:
    """(B, n - 1) candidates at each clip's last steps."""
    both = np.concatenate([before, viable], axis=1)
    return np.take_along_axis(both, lengths[:, None] + np.arange(before.shape[1]), axis=1)
