"""The beam of a batch of clips, and how it goes on over their next steps.

Is: the hypotheses (costs, the prior's states, last rows), and one pass over the events of a plan.
Is not: the events (decoding.plan, rounds), which hypotheses stay (decoding.merging), or their rolls
(decoding.backtrace).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from symbolic.decoding.backtrace import Track
from symbolic.decoding.candidates import Candidates
from symbolic.decoding.cost import continuation_costs
from symbolic.decoding.joining import join
from symbolic.decoding.merging import latest, make_hashes, survivors
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.plan import Ints, make_plan
from symbolic.decoding.rounds import Choice, Rounds, Run
from symbolic.errors import NotebeamError
from symbolic.priors.protocol import State, SymbolicPrior, select
from symbolic.priors.sharing import play, shared_log_prob

RUN = 1024  # forced steps played at once, so that an hour of silence needs little memory


@dataclass(frozen=True, eq=False)
class Beam:
    """W hypotheses of each of B clips."""

    cost: Tensor  # (B, W) float64 nats; +inf: no such hypothesis
    prior_log_prob: Tensor  # (B, W) float64 nats; 0 without a prior
    recent: Tensor  # (B, W, n - 1) int64 hashes of the last rows, newest first
    state: State  # of B * W hypotheses, clip by clip; nothing without a prior

    def take(self, clip: Tensor, place: Tensor) -> "Beam":
        """Hypotheses place (B', W') of clips (B',)."""
        row = clip[:, None]
        return Beam(
            cost=self.cost[row, place],
            prior_log_prob=self.prior_log_prob[row, place],
            recent=self.recent[row, place],
            state=select(self.state, (row * self.cost.shape[1] + place).flatten()),
        )

    def clips(self, part: slice) -> "Beam":
        """Those clips alone."""
        start, stop, _ = part.indices(len(self.cost))
        width = self.cost.shape[1]
        state = {name: values[start * width : stop * width] for name, values in self.state.items()}
        return Beam(self.cost[part], self.prior_log_prob[part], self.recent[part], state)


class Search:
    """A beam search over D keys."""

    def __init__(
        self, keys: int, prior: SymbolicPrior | None, options: DecodeOptions, device: torch.device
    ) -> None:
        self.prior = prior
        self.options = options if prior is not None else replace(options, prior_notes=0)
        self.hashes = make_hashes(keys, options.hash_steps, device)
        self.nan = torch.zeros((), dtype=torch.bool, device=device)  # whether the prior said so

    def first(self, clips: int) -> Beam:
        """Before the first step: one hypothesis a clip, which has cost nothing."""
        device, steps = self.hashes.keys.device, self.options.hash_steps
        nothing = torch.zeros((clips, 1), dtype=torch.float64, device=device)
        recent = torch.zeros((clips, 1, max(0, steps - 1)), dtype=torch.long, device=device)
        state = {} if self.prior is None else self.prior.initial_state(clips)
        return Beam(nothing, nothing, recent, state)

    def extend(
        self, beam: Beam, forced: Ints, found: Candidates, lengths: tuple[int, ...]
    ) -> tuple[Beam, Ints, Track]:
        """The beam after the steps of `found`, of which clips have lengths (B,); cheapest first.

        forced (B,): forced steps in a row that lie behind each clip, here and in what is returned.
        """
        plan = make_plan(found.viable, lengths, forced, self.options)
        turns = Rounds(plan, found, self.hashes)
        order, searched = turns.order, torch.from_numpy(plan.searched)
        everyone = torch.arange(beam.cost.shape[1], device=order.device)
        beam = beam.take(order, everyone.expand(len(order), -1))
        track = Track(
            found.base.shape[1], order, searched.to(order.device), plan.going[:-1], self.options.beam_width
        )
        ended, choices, begin = [], turns.choices(), torch.zeros_like(searched[:, 0])
        for event, going in enumerate(plan.going):
            end = searched[: len(begin), event]
            for start in range(0, int((end - begin).max()), RUN):
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
            log_prob, state = play(self.prior, state, rows, lengths)
            self.nan |= log_prob.isnan().any()
            cost = cost - self.options.prior_weight * log_prob.view_as(cost)
            total = total + log_prob.view_as(cost)
        recent = latest(beam.recent, run.newest, run.lengths.to(cost.device))
        return Beam(cost, total, recent, state)

    def _choose(self, beam: Beam, choice: Choice, numbers: int) -> tuple[Beam, Tensor, Tensor]:
        """The best of all hypotheses followed by all candidates, and of each (B, W) parent and candidate.

        Candidates of the acoustics have numbers below `numbers`.
        """
        number = torch.arange(choice.cost.shape[1], device=beam.cost.device).expand_as(choice.cost)
        asked = None
        if self.prior is not None:
            if self.options.prior_notes:
                choice, added = join(choice, self.prior, beam.state, self.options, self.hashes)
                number = torch.cat([number, numbers + added], 1)
            asked = shared_log_prob(self.prior, beam.state, choice.shared)
            self.nan |= asked.isnan().any()
        total = continuation_costs(beam.cost, choice.cost, asked, self.options.prior_weight).flatten(1)
        hashes = self.hashes.of_pasts(beam.recent, choice.newest)
        width = min(self.options.beam_width, total.shape[1])
        # The candidates after one hypothesis all differ, so no ending is there more often than hypotheses.
        cost, kept = survivors(total, hashes, width, self.options.per_hash, most=beam.cost.shape[1])
        # Costs rise: places that merging leaves empty in every clip are the last ones.
        most = max(1, int(cost.isfinite().sum(dim=1).amax()))
        cost, kept = cost[:, :most], kept[:, :most]
        parent, chosen = kept // number.shape[1], kept % number.shape[1]
        number = number.gather(1, chosen)
        clip = torch.arange(len(cost), device=cost.device)
        after = beam.take(clip, parent)
        newest = choice.newest.gather(1, chosen)[:, :, None]
        recent = torch.cat([newest, after.recent], 2)[:, :, : after.recent.shape[2]]
        if self.prior is None or asked is None:
            return Beam(cost, after.prior_log_prob, recent, {}), parent, number
        played = choice.shared.rows[clip[:, None], chosen].flatten(0, 1)
        after = Beam(
            cost=cost,
            prior_log_prob=after.prior_log_prob + asked.flatten(1).gather(1, kept),
            recent=recent,
            state=self.prior.advance(after.state, played),
        )
        return after, parent, number


def _gathered(ended: Sequence[Beam], track: Track) -> Beam:
    """The beams of clips that ended event by event as one, in the batch's order; tells the track."""
    width = max(beam.cost.shape[1] for beam in ended)
    parts, places = zip(*(_widened(beam, width) for beam in reversed(ended)), strict=True)
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


def _widened(beam: Beam, width: int) -> tuple[Beam, Tensor]:
    """The beam with empty places up to `width` hypotheses; the place (B, W) of each, if empty the last."""
    clips, count = beam.cost.shape
    every = torch.arange(width, device=beam.cost.device).expand(clips, -1)
    place = every.clamp(max=count - 1)
    wide = beam.take(torch.arange(clips, device=every.device), place)
    cost = wide.cost.masked_fill(every >= count, torch.inf)
    return Beam(cost, wide.prior_log_prob, wide.recent, wide.state), place
