"""The beam of a batch of clips, and how it goes on over their next steps.

Is: one pass over the events of a plan, forced steps and searched ones.
Is not: the events (decoding.plan, rounds), a searched step (decoding.step), or the rolls that hypotheses
stand for (decoding.backtrace).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from symbolic.decoding.backtrace import Track
from symbolic.decoding.candidates import Candidates
from symbolic.decoding.joining import join
from symbolic.decoding.merging import latest, make_hashes
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.packing import pack, pack_beam, unpack, unpack_beam
from symbolic.decoding.plan import Ints, make_plan
from symbolic.decoding.recording import Recorded, recorder_on
from symbolic.decoding.rounds import Choice, Rounds, Run
from symbolic.decoding.step import Beam, Stepper
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior

RUN = 1024  # forced steps played at once, so that an hour of silence needs little memory


@contextmanager
def single_precision() -> Iterator[None]:
    """Layers over whole runs in float32 throughout: left to itself, cuDNN rounds their factors to TF32."""
    layers: Any = torch.backends.cudnn.rnn
    before = layers.fp32_precision
    layers.fp32_precision = "ieee"
    try:
        yield
    finally:
        layers.fp32_precision = before


class Search:
    """A beam search over D keys."""

    def __init__(self, keys: int, prior: Prior | None, options: DecodeOptions, device: torch.device) -> None:
        self.prior = prior
        self.options = options if prior is not None else replace(options, prior_notes=0)
        self.hashes = make_hashes(keys, options.hash_steps, device)
        self.stepper = Stepper(prior, self.options, self.hashes)
        # The prior's own notes make lists of other sizes at every step.
        some = self.options.record and not self.options.prior_notes and (prior is None or prior.is_recordable)
        record = recorder_on(device) if some else None
        self.recorded = None if record is None else Recorded(self._packed, record)
        self.nan = torch.zeros((), dtype=torch.bool, device=device)  # whether the prior said so

    def first(self, clips: int) -> Beam:
        """Before the first step: one hypothesis a clip, which has cost nothing."""
        device, steps = self.hashes.keys.device, self.options.hash_steps
        nothing = torch.zeros((clips, 1), dtype=torch.float64, device=device)
        recent = torch.zeros((clips, 1, max(0, steps - 1)), dtype=torch.long, device=device)
        state = {} if self.prior is None else self.prior.initial_state(clips)
        return Beam(nothing, nothing, recent, state)

    @single_precision()
    def extend(
        self, beam: Beam, forced: Ints, found: Candidates, lengths: tuple[int, ...]
    ) -> tuple[Beam, Ints, Track]:
        """The beam after the steps of `found`, of which clips have lengths (B,); cheapest first.

        forced (B,): forced steps in a row that lie behind each clip, here and in what is returned.
        """
        is_fixed = self.recorded is not None
        plan = make_plan(found.viable, lengths, forced, self.options, is_fixed=is_fixed)
        turns = Rounds(plan, found, self.hashes, is_fixed)
        order, searched = turns.order, torch.from_numpy(plan.searched)
        everyone = torch.arange(beam.cost.shape[1], device=order.device)
        beam = beam.take(order, everyone.expand(len(order), -1))
        if is_fixed:
            beam, _ = beam.widened(self.options.beam_width)
        track = Track(
            found.base.shape[1], order, searched.to(order.device), plan.going[:-1], self.options.beam_width
        )
        ended, choices, begin = [], turns.choices(), torch.zeros_like(searched[:, 0])
        for event, going in enumerate(plan.going):
            end = searched[: len(begin), event]
            for start in range(0, int((end - begin).amax()), RUN):
                run = turns.run(torch.minimum(begin + start, end), torch.minimum(begin + start + RUN, end))
                beam = self._play(beam, run)
            if going < len(begin):
                # A part that is empty would still hold on to the whole's memory.
                ended.append(beam.clips(slice(going, None)))
            if going:
                beam, choice = beam.clips(slice(going)), next(choices)
                beam, parent, number = self._choose(beam, choice, found.codes.shape[2])
                track.note(event, parent, number)
            begin = end[:going] + 1
        if self.nan:
            raise NotebeamError("decode(prior)", float("nan"), "log-probabilities")
        return _gathered(ended, track), plan.forced, track

    def _play(self, beam: Beam, run: Run) -> Beam:
        """The beam after forced steps."""
        cost, total, state = beam.cost + run.cost[:, None], beam.prior_log_prob, beam.state
        if self.prior is not None:
            width = cost.shape[1]
            rows, lengths = run.rows.repeat_interleave(width, 0), run.lengths.repeat_interleave(width)
            log_prob, state = self.prior.play(state, rows, lengths)
            self.nan |= log_prob.isnan().any()
            cost = cost - self.options.prior_weight * log_prob.view_as(cost)
            total = total + log_prob.view_as(cost)
        recent = latest(beam.recent, run.newest, run.lengths.to(cost.device))
        return Beam(cost, total, recent, state)

    def _packed(self, tensors: list[Tensor]) -> list[Tensor]:
        """`Stepper.whole` from `pack` to nan, parents, numbers and the rest, which is the beam."""
        names = () if self.prior is None else tuple(self.prior.initial_state(1))
        after, parent, number, nan = self.stepper.whole(*unpack(tensors, names))
        return [nan, parent, number, *pack_beam(after)]

    def _choose(self, beam: Beam, choice: Choice, numbers: int) -> tuple[Beam, Tensor, Tensor]:
        """The best of all hypotheses followed by all candidates, and of each (B, W) parent and candidate.

        Candidates of the acoustics have numbers below `numbers`.
        """
        if self.recorded is not None:
            nan, parent, number, *rest = self.recorded(pack(beam, choice))
            self.nan |= nan
            return unpack_beam(iter(rest), list(beam.state)), parent, number
        if self.options.prior_notes and self.prior is not None:
            choice = join(choice, numbers, self.prior, beam.state, self.options, self.hashes)
        pick, nan = self.stepper.pick(beam, choice)
        self.nan |= nan
        # Costs rise: places that merging leaves empty in every clip are the last ones.
        pick = pick.first(max(1, int(pick.cost.isfinite().sum(dim=1).amax())))
        return self.stepper.follow(beam, choice, pick), pick.parent, choice.number.gather(1, pick.chosen)


def _gathered(ended: Sequence[Beam], track: Track) -> Beam:
    """The beams of clips that ended event by event as one, in the batch's order; tells the track."""
    width = max(beam.cost.shape[1] for beam in ended)
    parts, places = zip(*(beam.widened(width) for beam in reversed(ended)), strict=True)
    whole = Beam(
        cost=torch.cat([part.cost for part in parts]),
        prior_log_prob=torch.cat([part.prior_log_prob for part in parts]),
        recent=torch.cat([part.recent for part in parts]),
        state={name: torch.cat([part.state[name] for part in parts]) for name in parts[0].state},
    )
    # The last run has added to the costs.
    cheapest = whole.cost.sort(dim=1, stable=True).indices[track.place]
    track.final = torch.cat(places)[track.place].gather(1, cheapest)
    return whole.take(track.place, cheapest)
