"""The beam search fed block by block: whole clips as one block, long files in several, and live input.

A row is settled when all hypotheses agree on it, or when `look_back` steps have come after it: then the
cheapest hypothesis decides, and those that disagree are given up. Where all divergences are shorter than
that, the rows are those of a search over the whole clip. At a clip's end all its rows are settled.
"""

from dataclasses import dataclass, replace
from math import isfinite
from os import PathLike
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.checks import real
from symbolic.clock import Clock
from symbolic.decoding.backtrace import BackPointers, trace
from symbolic.decoding.candidates import Candidates, propose
from symbolic.decoding.cost import LEAST, acoustic_log_prob
from symbolic.decoding.evidence import STEP, Evidence
from symbolic.decoding.inputs import (
    Clips,
    checked_prior,
    checked_prob,
    device_of,
    fitted,
    plane_of,
    weighed,
)
from symbolic.decoding.options import Beam
from symbolic.decoding.results import BestRolls, Decoding, check_possible, decoding_of
from symbolic.decoding.search import Search
from symbolic.errors import NotebeamError
from symbolic.pitch import KEYS
from symbolic.priors.base import Prior


@dataclass(frozen=True, eq=False)
class View:
    """The last S steps of B clips as n hypotheses have them, each clip's cheapest first."""

    start: int  # how many steps came before
    place: Tensor  # (B, n) of each in the search
    cost: Tensor  # (B, n) nats, of the whole clip; +inf: no such hypothesis
    prior_log_prob: Tensor  # (B, n) nats
    prob: Tensor  # (B, S, D) 0..1 of each key
    rolls: Tensor  # (B, m, S, D) bool, of as many as are in the result
    agrees: Tensor  # (B, n, S) bool, the row is that of the cheapest
    confidence: Tensor  # (B, S, D) of the notes of the first

    def steps(self) -> Tensor:
        """(S,) which steps these are."""
        return self.start + torch.arange(self.rolls.shape[2], device=self.rolls.device)

    def between(self, start: Tensor, stop: Tensor) -> Tensor:
        """(B, S) bool: steps start..stop - 1, each (B,)."""
        return (self.steps() >= start[:, None]) & (self.steps() < stop[:, None])


class Window:
    """The steps of B clips that are not settled yet; `prior` is None or ready for D keys and the device."""

    def __init__(
        self, clips: int, keys: int, prior: Prior | None, options: Beam, device: torch.device
    ) -> None:
        self.options, self.keys = options, keys
        self.search = Search(keys, prior, options, device)
        self.searched = self.search.first(clips)
        self.parts: list[
            tuple[Candidates, BackPointers]
        ] = []  # of steps that are not settled, and a few before
        self.start = 0  # steps before these parts
        # Of each clip, steps so far, and steps that are settled.
        self.length, self.settled = torch.zeros(2, clips, dtype=torch.long, device=device)
        self.over = torch.zeros(clips, dtype=torch.bool, device=device)
        self.impossible_at = self.searched.impossible_at  # (B,) as in `BestRolls`

    def push(self, block: Clips, ends: Tensor) -> tuple[View, Tensor]:
        """The view after the next steps, and (B, S) bool which of it is settled now.

        ends (B,) bool: the clip ends with them, so all that was open of it is settled.
        """
        candidates = propose(block, self.options, self.options.candidates)
        self.searched = self.search.extend(self.searched, candidates, block.lengths)
        assert self.searched.pointers is not None
        first = self.start + sum(pointers.steps for _, pointers in self.parts)
        lost = (self.searched.impossible_at >= 0) & (self.impossible_at < 0)
        self.impossible_at = torch.where(lost, first + self.searched.impossible_at, self.impossible_at)
        self.parts.append((candidates, self.searched.pointers))
        self.length = self.length + torch.tensor(block.lengths, device=self.length.device)
        self.over = self.over | ends
        view = self.view()
        cost, count = agreed(view, (self.length - self.options.look_back).clamp(min=0))
        these = self.searched.hypotheses
        none = torch.full_like(these.cost, torch.inf)
        these = replace(these, cost=none.scatter(1, view.place, cost))
        self.searched = replace(self.searched, hypotheses=these)
        before, self.settled = self.settled, torch.where(self.over, self.length, count)
        # A clip that is over asks for nothing more.
        least = int(torch.where(self.over, self.length.amax(), self.settled).amin())
        while self.parts and self.start + self.parts[0][1].steps <= least:
            self.start += self.parts.pop(0)[1].steps
        return view, view.between(before, self.settled)

    def view(self) -> View:
        """What is open, and maybe a few steps before."""
        these = self.searched.hypotheses
        count = max(1, int(these.cost.isfinite().sum(dim=1).amax()))
        cost, place = (part[:, :count] for part in these.cost.sort(dim=1, stable=True))
        share = torch.softmax(-cost, dim=1).float()  # of each hypothesis, whose probability is exp(-cost)
        steps, results = sum(pointers.steps for _, pointers in self.parts), min(count, self.options.results)
        (clips, _), device = cost.shape, cost.device
        rolls = torch.empty((clips, results, steps, self.keys), dtype=torch.bool, device=device)
        agrees = torch.empty((clips, count, steps), dtype=torch.bool, device=device)
        confidence = torch.empty((clips, steps, self.keys), device=device)
        first, paths = 0, trace([pointers for _, pointers in self.parts], place)
        for (candidates, pointers), path in zip(self.parts, paths, strict=True):
            for start, rows in candidates.chosen_blocks(path):
                at = slice(first + start, first + start + rows.shape[2])
                rolls[:, :, at] = rows[:, :results]
                agrees[:, :, at] = (rows == rows[:, :1]).all(dim=3)
                held = torch.einsum("bw,bwsd->bsd", share, rows.float())
                confidence[:, at] = held.clamp(max=1.0) * rows[:, 0]
            first += pointers.steps
        probs = [candidates.prob for candidates, _ in self.parts] or [confidence]
        return View(
            start=self.start,
            place=place,
            cost=cost,
            prior_log_prob=these.prior_log_prob.gather(1, place),
            prob=probs[0] if len(probs) == 1 else torch.cat(probs, dim=1),
            rolls=rolls,
            agrees=agrees,
            confidence=confidence,
        )


def agreed(view: View, late: Tensor) -> tuple[Tensor, Tensor]:
    """Who stays, and what is settled thereby; steps before late (B,) wait no longer.

    Returns costs (B, n), now +inf where a hypothesis disagrees with the cheapest about a step that is late,
    and how many steps (B,) all the others agree on.
    """
    given_up = (~view.agrees & (view.steps() < late[:, None])[:, None]).any(dim=2)
    cost = view.cost.masked_fill(given_up, torch.inf)
    same = (view.agrees | cost.isinf()[:, :, None]).all(dim=1)
    return cost, view.start + same.long().cumprod(1).sum(1)


class Stream:
    """Beam search over one clip that is pushed block by block, in bounded memory.

    Blocks are key probabilities (S, D) at the steps of the prior's card (without a prior, or a card, at steps
    of 40 ms), for the plane that its bits mean. A push costs its steps, and the steps that are not settled
    yet: blocks of some dozens are cheapest. Leaving the `with` block ends the clip: `rest` is the last
    `Decoding`.

    Args:
        prior: a prior, its name or file; None: the acoustic model alone.
        options: `Beam` with `look_back` of 1 at least.
        start: seconds, time of the first step; of a prior with steps of beats, beats.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> with nb.Stream(None, nb.Beam(look_back=2)) as stream:
    ...     rows = [stream.push(np.full((3, 88), 0.9)).roll for block in range(2)]
    >>> sum(map(len, rows)) + len(stream.rest.roll)
    6
    """

    def __init__(
        self,
        prior: "Prior | str | PathLike[str] | None",
        options: Beam,
        *,
        start: float = 0.0,
    ) -> None:
        if not isinstance(options, Beam):
            raise NotebeamError("Stream(options)", f"a {type(options).__name__}", "a Beam")
        if not options.look_back:
            raise NotebeamError("Beam.look_back", 0, "an integer >= 1 for a stream")
        prior = checked_prior(prior)
        self.card, self.plane = None if prior is None else prior.card, plane_of(prior) or "struck"
        self.start = real(start, "Stream(start)", "finite seconds, or beats")
        if not isfinite(self.start):
            raise NotebeamError("Stream(start)", start, "finite seconds, or beats")
        self.keys, self.device = KEYS if prior is None else prior.visible, device_of(prior)
        self.options = options if prior is not None else replace(options, prior_weight=0.0)
        prior = weighed(prior, self.options)
        self.prior = None if prior is None else fitted(prior, self.keys, self.options)
        self.window: Window | None = Window(1, self.keys, self.prior, self.options, self.device)
        self.acoustic_log_prob = 0.0  # nats, of the settled rows
        self.rest: Decoding | None = None

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.window is not None:
            self.finish()
        self.window = None

    @torch.inference_mode()
    def push(self, prob: Tensor | NDArray[np.floating]) -> Decoding:
        """The rows, maybe none, that the next steps prob (S, D) 0..1 settle.

        Costs and log-probabilities are those of the cheapest hypothesis, over all steps pushed so far.

        Raises:
            NotebeamError: `prob` is something else, the prior leaves nothing possible, or the clip has ended.
        """
        if self.window is None:
            raise NotebeamError(
                "Stream.push", "a block after the clip's end", "a new Stream for another clip"
            )
        block = checked_prob(prob, "Stream.push(prob)", self.keys).to(self.device, copy=True)  # as it is now
        goes_on, before = torch.zeros(1, dtype=torch.bool, device=self.device), self.window.settled
        view, settled = self.window.push(Clips(block[None], (len(block),)), goes_on)
        is_nan = self.window.searched.hypotheses.is_nan
        check_possible(is_nan, self.window.impossible_at, "Stream, step {step}")
        result = self._decoding(view, settled, before, count=1)
        self.acoustic_log_prob += float(self._acoustic(view, settled, 1)[0, 0])
        return result

    @torch.inference_mode()
    def finish(self) -> Decoding:
        """Ends the clip: its endings (`Beam.n_best` of them), with the costs of the whole clip.

        The rolls are of the rows that no push has settled.
        """
        if self.window is None:
            raise NotebeamError("Stream.finish", "a second end", "one, by `finish` or the `with` block")
        view, settled = self.window.view(), self.window.settled
        rows = view.between(settled, self.window.length)
        self.rest = self._decoding(view, rows, settled, count=view.rolls.shape[1])
        self.window = None
        return self.rest

    def _decoding(self, view: View, rows: Tensor, before: Tensor, *, count: int) -> Decoding:
        """The `count` best hypotheses' rows (1, S) bool of a view, from step `before` (1,) on."""
        assert self.window is not None
        acoustic = self._acoustic(view, view.between(before, self.window.length), count)
        part, prob = rows[0], view.prob[0, rows[0]].cpu().numpy()
        best = BestRolls(
            rolls=view.rolls[:, :count, part],
            costs=view.cost[:, :count],
            acoustic_log_prob=self.acoustic_log_prob + acoustic,
            prior_log_prob=None if self.prior is None else view.prior_log_prob[:, :count],
            confidence=view.confidence[:, part],
        )
        clock = self._clock(int(before[0]), len(prob))
        time = np.broadcast_to(clock.times[:, None], prob.shape)
        frame = np.zeros(prob.shape, dtype=np.int32)  # there is no posteriorgram
        return decoding_of(best, 0, Evidence(prob, time, frame, clock, self.plane))

    def _acoustic(self, view: View, rows: Tensor, count: int) -> Tensor:
        """(1, count) log P_a of rows (1, S) bool of a view, nats."""
        assert self.window is not None
        options = self.window.search.options
        least = LEAST if options.prior_notes else 0.0
        rolls, prob = view.rolls[:, :count, rows[0]], view.prob[:, rows[0]]
        return acoustic_log_prob(rolls, prob, options.temperature, least=least)

    def _clock(self, first: int, count: int) -> Clock:
        """Steps first..first + count - 1, as the prior's card has them."""
        if self.card is None or self.card.clock["kind"] == "frames":
            hop = STEP if self.card is None else float(self.card.clock["hop"])
            return Clock.frames(count, hop, self.start + first * hop)
        length = 1 / float(self.card.clock["divisions"])
        times = self.start + length * np.arange(first, first + count, dtype=np.float64)
        return Clock(times, "beats", last=length)
