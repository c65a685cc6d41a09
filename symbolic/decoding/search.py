"""The search: hypotheses of a batch of clips, taken over the events of their next steps.

A hypothesis is a cost, a state of the prior and its last rows. Where the acoustic model leaves a choice,
every hypothesis is followed by every candidate; of those with the same last n rows the best m stay (they
would score what follows nearly alike), and of these the W cheapest. Ties go to the cheaper parent, then to
the candidate the acoustic model prefers.
Source: Sigtia et al. 2016 (hashed beam); hash over the last n frames as in Ycart et al. 2019.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symbolic.decoding.backtrace import BackPointers
from symbolic.decoding.candidates import Candidates
from symbolic.decoding.cuda_graphs import (
    ReplayedStep,
    capture_on,
    pack,
    pack_hypotheses,
    unpack,
    unpack_hypotheses,
)
from symbolic.decoding.merging import latest, make_hashes
from symbolic.decoding.options import Beam
from symbolic.decoding.schedule import Choice, Events, ForcedRun, Ints, make_schedule
from symbolic.decoding.step import Hypotheses, Step, with_prior_notes
from symbolic.priors.base import Prior
from symbolic.process_wide import ProcessWide
from symbolic.state import select

MAX_RUN = 1024  # forced steps played at once, so that an hour of silence needs little memory


@dataclass(frozen=True, eq=False)
class Searched:
    """Hypotheses of B clips after a block of steps, cheapest first, and all that belongs to them."""

    hypotheses: Hypotheses
    forced: Ints  # (B,) forced steps in a row that lie behind each clip
    pointers: BackPointers | None  # the way back over the block; None before the first
    impossible_at: Tensor  # (B,) step of the block at which nothing was possible; -1: there is none


@contextmanager
def single_precision() -> Iterator[None]:
    """Layers over whole runs in float32 throughout: left to itself, cuDNN rounds their factors to TF32."""
    with _PRECISION.changed():
        yield


def _precision() -> str:
    layers: Any = torch.backends.cudnn.rnn
    return str(layers.fp32_precision)


def _set_precision(precision: str) -> None:
    layers: Any = torch.backends.cudnn.rnn
    layers.fp32_precision = precision


_PRECISION = ProcessWide(_precision, _set_precision, "ieee", of_threads=False)


class Search:
    """A beam search over D keys."""

    def __init__(self, keys: int, prior: Prior | None, options: Beam, device: torch.device) -> None:
        self.prior = prior
        self.options = options if prior is not None else replace(options, prior_notes=0)
        self.hashes = make_hashes(keys, options.hash_steps, device)
        self.step = Step(prior, self.options, self.hashes)
        # The prior's own notes make lists of other sizes at every step.
        replays = (
            self.options.cuda_graphs
            and not self.options.prior_notes
            and (prior is None or prior.is_recordable)
        )
        capture = capture_on(device) if replays else None
        self.replayed = None if capture is None else ReplayedStep(self._packed, capture)

    def first(self, clips: int) -> Searched:
        """Before the first step: one hypothesis a clip, which has cost nothing."""
        device, steps = self.hashes.keys.device, self.options.hash_steps
        zero = torch.zeros((clips, 1), dtype=torch.float64, device=device)
        recent = torch.zeros((clips, 1, max(0, steps - 1)), dtype=torch.long, device=device)
        is_nan = torch.zeros(clips, dtype=torch.bool, device=device)
        state = {} if self.prior is None else self.prior.initial_state(clips)
        none = torch.full((clips,), -1, dtype=torch.long, device=device)
        return Searched(
            Hypotheses(zero, zero, recent, is_nan, state), np.zeros(clips, dtype=np.int64), None, none
        )

    @single_precision()
    def extend(self, before: Searched, candidates: Candidates, lengths: Sequence[int]) -> Searched:
        """What there is after the steps of `candidates`, of which clips have lengths (B,)."""
        few_shapes = self.replayed is not None
        schedule = make_schedule(
            candidates.viable,
            lengths,
            before.forced,
            hash_steps=self.options.hash_steps,
            prior_notes=self.options.prior_notes,
            few_shapes=few_shapes,
        )
        events = Events(schedule, candidates, self.hashes, few_shapes)
        order, searched = events.order, torch.from_numpy(schedule.searched)
        every = torch.arange(before.hypotheses.cost.shape[1], device=order.device)
        these = before.hypotheses.take(order, every.expand(len(order), -1))
        if few_shapes:
            these, _ = these.widened(self.options.width)
        pointers = BackPointers(
            candidates.base.shape[1],
            order,
            searched.to(order.device),
            schedule.going[:-1],
            self.options.width,
        )
        ended, choices, begin = [], events.choices(), torch.zeros_like(searched[:, 0])
        for event, going in enumerate(schedule.going):
            end = searched[: len(begin), event]
            for start in range(0, int((end - begin).amax()), MAX_RUN):
                run = events.run(
                    torch.minimum(begin + start, end), torch.minimum(begin + start + MAX_RUN, end)
                )
                these = self._play(these, run)
            if going < len(begin):
                # A part that is empty would still hold on to the whole's memory.
                ended.append(these.clips(slice(going, None)))
            if going:
                these, choice = these.clips(slice(going)), next(choices)
                these, parent, number = self._choose(these, choice, candidates.codes.shape[2])
                pointers.note(event, parent, number, these.cost)
            begin = end[:going] + 1
        after = Searched(_gathered(ended, pointers), schedule.forced, pointers, before.impossible_at)
        return self._judged(before, after, candidates)

    def _play(self, these: Hypotheses, run: ForcedRun) -> Hypotheses:
        """The hypotheses after forced steps."""
        cost, total = these.cost + run.cost[:, None], these.prior_log_prob
        is_nan, state = these.is_nan, these.state
        if self.prior is not None:
            width = cost.shape[1]
            rows, lengths = run.rows.repeat_interleave(width, 0), run.lengths.repeat_interleave(width)
            log_prob, state = self.prior.play(state, rows, lengths)
            log_prob = log_prob.view_as(cost)
            is_nan = is_nan | log_prob.isnan().any(1)
            cost = cost - self.options.prior_weight * log_prob
            total = total + log_prob
        recent = latest(these.recent, run.newest, run.lengths.to(cost.device))
        return Hypotheses(cost, total, recent, is_nan, state)

    def _choose(self, these: Hypotheses, choice: Choice, numbers: int) -> tuple[Hypotheses, Tensor, Tensor]:
        """The best of all hypotheses followed by all candidates, and of each (B, W) parent and candidate.

        Candidates of the acoustic model have numbers below `numbers`.
        """
        if self.replayed is not None:
            parent, number, *rest = self.replayed(pack(these, choice))
            return unpack_hypotheses(iter(rest), list(these.state)), parent, number
        if self.options.prior_notes and self.prior is not None:
            choice = with_prior_notes(choice, numbers, self.prior, these.state, self.options, self.hashes)
        pick = self.step.pick(these, choice)
        # Costs rise: places that merging leaves empty in every clip are the last ones.
        pick = pick.first(max(1, int(pick.cost.isfinite().sum(dim=1).amax())))
        return self.step.follow(these, choice, pick), pick.parent, choice.number.gather(1, pick.chosen)

    def _packed(self, tensors: list[Tensor]) -> list[Tensor]:
        """`Step.whole` from `pack` to parents, numbers and the rest, which is the hypotheses."""
        names = () if self.prior is None else tuple(self.prior.initial_state(1))
        after, parent, number = self.step.whole(*unpack(tensors, names))
        return [parent, number, *pack_hypotheses(after)]

    def _judged(self, before: Searched, after: Searched, candidates: Candidates) -> Searched:
        """After a block: at which step of it a clip has become impossible, if one has."""
        was_possible = before.hypotheses.cost.amin(1).isfinite()
        lost = (after.hypotheses.cost[:, 0].isinf() & was_possible).nonzero()[:, 0].tolist()
        if not lost:
            return after
        impossible_at = after.impossible_at.clone()
        for clip in lost:
            impossible_at[clip] = self._impossible_step(before, after, candidates, clip)
        return replace(after, impossible_at=impossible_at)

    def _impossible_step(self, before: Searched, after: Searched, candidates: Candidates, clip: int) -> int:
        """The first step at which no hypothesis of the clip was possible any more.

        All were lost between two events. The forced rows between are scored again, after every hypothesis
        there was at the first of them; if one gets through, nothing was possible at the second.
        """
        pointers, prior = after.pointers, self.prior
        assert pointers is not None and prior is not None
        place = int(pointers.place[clip])
        event = int(pointers.least[:, place].isfinite().long().cumprod(0).sum())
        stop = int(pointers.searched[place, event])
        paths, origin = pointers.back_from(event)
        rows = candidates.clip(clip).chosen(paths[clip : clip + 1])[0].float()  # (W, T, D)
        width = before.hypotheses.cost.shape[1]
        state = select(before.hypotheses.state, clip * width + origin[clip].clamp(max=width - 1))
        possible = before.hypotheses.cost[clip, origin[clip].clamp(max=width - 1)].isfinite()
        for start in range(0, stop, MAX_RUN):
            part = rows[:, start : min(stop, start + MAX_RUN)]
            mask = torch.ones(part.shape[:2], dtype=torch.bool, device=part.device)
            log_prob, state = prior.chunk_log_prob(state, part, mask)
            lost = ~possible[:, None] | (log_prob.isinf().cumsum(1) > 0)  # (W, S)
            possible = ~lost[:, -1]
            if not possible.any():
                return start + int(lost.all(0).long().argmax())
        return stop


def _gathered(ended: Sequence[Hypotheses], pointers: BackPointers) -> Hypotheses:
    """The hypotheses of clips that ended event by event, in the batch's order; completes the pointers."""
    width = max(these.cost.shape[1] for these in ended)
    parts, places = zip(*(these.widened(width) for these in reversed(ended)), strict=True)
    whole = Hypotheses(
        cost=torch.cat([part.cost for part in parts]),
        prior_log_prob=torch.cat([part.prior_log_prob for part in parts]),
        recent=torch.cat([part.recent for part in parts]),
        is_nan=torch.cat([part.is_nan for part in parts]),
        state={name: torch.cat([part.state[name] for part in parts]) for name in parts[0].state},
    )
    # The last run has added to the costs.
    cheapest = whole.cost.sort(dim=1, stable=True).indices[pointers.place]
    pointers.final = torch.cat(places)[pointers.place].gather(1, cheapest)
    return whole.take(pointers.place, cheapest)
