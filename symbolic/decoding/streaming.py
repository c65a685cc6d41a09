"""Beam search over a clip that comes in blocks, in bounded memory: for long files, and for live input.

Is: a stream that is fed steps and hands back rows once they are settled; whole clips by such a stream.
Is not: the search (decoding.search), or one that sees whole clips at once (decoding.beam).

A row is settled when all hypotheses agree on it, or when `look_back` steps have come after it: then the
cheapest hypothesis decides, and those that disagree are given up. Where all divergences are shorter than
that, the rows are those of a search over the whole clip.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.clock import Clock
from symbolic.decoding.asking import check_clock, device_of, prior_to_ask
from symbolic.decoding.backtrace import Track, trace
from symbolic.decoding.beam import confidence
from symbolic.decoding.candidates import Candidates, propose
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Hypotheses, prob_of
from symbolic.decoding.search import Search
from symbolic.errors import NotebeamError
from symbolic.priors.protocol import SymbolicPrior


@dataclass(frozen=True, eq=False)
class Settled:
    """Rows that stay as they are."""

    rows: Tensor  # (S, D) bool
    confidence: Tensor  # (S, D) 0..1 of their notes, by the hypotheses of the moment; 0 elsewhere


class Window:
    """The steps of one clip that are not settled yet; `prior` is None or ready for D keys and the device."""

    def __init__(
        self, keys: int, prior: SymbolicPrior | None, options: DecodeOptions, device: torch.device
    ) -> None:
        self.keys, self.options = keys, options
        self.search = Search(keys, prior, options, device)
        self.beam, self.forced = self.search.first(1), np.zeros(1, dtype=np.int64)
        self.parts: list[tuple[Candidates, Track]] = []  # of steps that are not settled, and a few before
        self.settled = 0  # steps of `parts` that were handed out

    def hear(self, prob: Tensor) -> Settled | None:
        """The rows, maybe none, that the next steps prob (T, D) settle; None: no roll of them is possible."""
        found = propose(Batch(prob[None], (len(prob),)), self.options, self.options.candidates)
        self.beam, self.forced, track = self.search.extend(self.beam, self.forced, found, (len(prob),))
        self.parts.append((found, track))
        if not self.beam.cost.isfinite().any():
            return None
        at, rolls, held = self._open()
        same = (rolls == rolls[0]).all(dim=2)  # (n, T')
        late = max(0, rolls.shape[1] - self.options.look_back)
        with_best = same[:, :late].all(dim=1)
        cost = torch.full_like(self.beam.cost, torch.inf)
        cost[0, at[with_best]] = self.beam.cost[0, at[with_best]]
        self.beam = replace(self.beam, cost=cost)
        count = int(same[with_best].all(dim=0).long().cumprod(0).sum())
        done = Settled(rolls[0, self.settled : count], held[self.settled : count])
        while self.parts and self.parts[0][1].steps <= count:
            count -= self.parts.pop(0)[1].steps
        self.settled = count
        return done

    def finish(self) -> Hypotheses:
        """The `n_best` endings (1, W, S, D), of all rows not handed out, with the costs of the whole clip."""
        at, rolls, held = self._open()
        at = at[: self.options.n_best]
        return Hypotheses(
            rolls=rolls[None, : len(at), self.settled :],
            costs=self.beam.cost[:, at],
            prior_log_prob=None if self.search.prior is None else self.beam.prior_log_prob[:, at],
            confidence=held[None, self.settled :],
        )

    def _open(self) -> tuple[Tensor, Tensor, Tensor]:
        """Hypotheses (n,), cheapest first, their rolls (n, T', D) in `parts`, confidence (T', D)"""
        cost = self.beam.cost
        at = cost[0].isfinite().nonzero()[:, 0]
        paths = trace([track for _, track in self.parts], at[None])
        pairs = [(found, path) for (found, _), path in zip(self.parts, paths, strict=True)]
        nothing = torch.zeros((len(at), 0, self.keys), dtype=torch.bool, device=cost.device)
        rolls = torch.cat([nothing, *(found.chosen(path)[0] for found, path in pairs)], 1)
        held = [confidence(found, path, cost[:, at])[0] for found, path in pairs]
        return at, rolls, torch.cat([nothing[0].float(), *held])


class Stream:
    """One clip of D keys, fed block by block; `prior` as `decode` takes it.

    A push costs its steps, and the steps that are not settled yet: blocks of some dozens are cheapest. Steps
    are those of `clock`, of which only kind and distance count; without it, `options.step` seconds apart.
    """

    def __init__(
        self, keys: int, prior: SymbolicPrior | None, options: DecodeOptions, clock: Clock | None = None
    ) -> None:
        if not options.look_back:
            raise NotebeamError("DecodeOptions.look_back", 0, "an integer >= 1 for a stream")
        if options.method != "beam":
            raise NotebeamError("DecodeOptions.method", options.method, "'beam' for a stream")
        prior = prior_to_ask(prior, keys, options)
        if prior is not None:
            check_clock(prior, clock or Clock.frames(2, options.step))
        self.device = torch.device("cpu") if prior is None else device_of(prior)
        self.window = Window(keys, prior, options, self.device)
        self.heard = 0  # steps so far

    @torch.inference_mode()
    def push(self, prob: Tensor | NDArray[np.float32]) -> Settled:
        """The rows, maybe none, that the next steps prob (T, D) float32 0..1 settle.

        Raises:
            NotebeamError: `prob` is something else, or the prior leaves nothing possible.
        """
        block = prob_of(prob, "Stream.push(prob)", self.window.keys).to(self.device)
        done = self.window.hear(block)
        if done is None:
            place = f"Stream, steps {self.heard} to {self.heard + len(block) - 1}"
            raise NotebeamError(place, "no candidate of probability above 0", "at least one")
        self.heard += len(block)
        return done

    @torch.inference_mode()
    def finish(self) -> Hypotheses:
        """The `n_best` endings (1, W, S, D), of all rows not handed out, with the costs of the whole clip."""
        return self.window.finish()


def stream_beam(batch: Batch, prior: SymbolicPrior | None, options: DecodeOptions) -> Hypotheses:
    """What `decoding.beam.beam` finds, clip by clip in blocks of `look_back` steps, in bounded memory.

    Hypotheses of a clip differ in their last rows alone.
    """
    count = min(options.n_best, options.beam_width)
    shape = (len(batch.lengths), count, *batch.prob.shape[1:])
    rolls = torch.zeros(shape, dtype=torch.bool, device=batch.prob.device)
    costs = torch.full(shape[:2], torch.inf, dtype=torch.float64, device=batch.prob.device)
    asked, held = torch.zeros_like(costs), torch.zeros_like(batch.prob)
    for clip, length in enumerate(batch.lengths):
        window, stop = Window(shape[3], prior, options, batch.prob.device), 0
        for begin in range(0, length, options.look_back):
            done = window.hear(batch.prob[clip, begin : min(length, begin + options.look_back)])
            if done is None:
                break  # the clip's costs say so
            start, stop = stop, stop + len(done.rows)
            rolls[clip, :, start:stop], held[clip, start:stop] = done.rows, done.confidence
        else:
            last = window.finish()
            found = last.costs.shape[1]
            rolls[clip, :found, stop:length], costs[clip, :found] = last.rolls[0], last.costs[0]
            if last.prior_log_prob is not None:
                asked[clip, :found] = last.prior_log_prob[0]
            if last.confidence is not None:
                held[clip, stop:length] = last.confidence[0]
    return Hypotheses(rolls, costs, asked if prior is not None else None, held)
