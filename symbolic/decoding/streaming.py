"""Beam search in blocks of steps, in bounded memory: for live input, and for long files.

Is: a stream that is fed steps and hands back rows once they are settled; a batch of clips in such blocks.
Is not: which rows are settled (decoding.window), or a search that sees whole clips at once (decoding.beam).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.clock import Clock
from symbolic.decoding.asking import check_clock, device_of, prior_to_ask
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Hypotheses, prob_of
from symbolic.decoding.window import Window
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior


@dataclass(frozen=True, eq=False)
class Settled:
    """Rows that stay as they are."""

    rows: Tensor  # (S, D) bool
    confidence: Tensor  # (S, D) 0..1 of their notes, by the hypotheses of the moment; 0 elsewhere


class Stream:
    """One clip of D keys, fed block by block; `prior` as `decode` takes it.

    A push costs its steps, and the steps that are not settled yet: blocks of some dozens are cheapest. Steps
    are those of `clock`, of which only kind and distance count; without it, `options.step` seconds apart.
    """

    def __init__(
        self, keys: int, prior: Prior | None, options: DecodeOptions, clock: Clock | None = None
    ) -> None:
        if not options.look_back:
            raise NotebeamError("DecodeOptions.look_back", 0, "an integer >= 1 for a stream")
        if options.method != "beam":
            raise NotebeamError("DecodeOptions.method", options.method, "'beam' for a stream")
        prior = prior_to_ask(prior, keys, options)
        if prior is not None:
            check_clock(prior, clock or Clock.frames(2, options.step))
        self.device = torch.device("cpu") if prior is None else device_of(prior)
        self.window = Window(1, keys, prior, options, self.device)
        self.keys = keys

    @torch.inference_mode()
    def push(self, prob: Tensor | NDArray[np.float32]) -> Settled:
        """The rows, maybe none, that the next steps prob (T, D) float32 0..1 settle.

        Raises:
            NotebeamError: `prob` is something else, or the prior leaves nothing possible.
        """
        block = prob_of(prob, "Stream.push(prob)", self.keys).to(self.device)
        goes_on = torch.zeros(1, dtype=torch.bool, device=self.device)
        view, fresh = self.window.hear(Batch(block[None], (len(block),)), goes_on)
        if view.cost[0, 0].isinf():
            stop = int(self.window.heard[0])
            place = f"Stream, steps {stop - len(block)} to {stop - 1}"
            raise NotebeamError(place, "no candidate of probability above 0", "at least one")
        return Settled(view.rolls[0, 0, fresh[0]], view.confidence[0, fresh[0]])

    @torch.inference_mode()
    def finish(self) -> Hypotheses:
        """The `n_best` endings (1, W, S, D), of all rows not handed out, with the costs of the whole clip."""
        view = self.window.view()
        rest = view.between(self.window.settled, self.window.heard)[0]
        count = min(view.place.shape[1], self.window.options.n_best)
        return Hypotheses(
            rolls=view.rolls[:, :count, rest],
            costs=view.cost[:, :count],
            prior_log_prob=None if self.window.search.prior is None else view.prior_log_prob[:, :count],
            confidence=view.confidence[:, rest],
        )


def stream_beam(batch: Batch, prior: Prior | None, options: DecodeOptions) -> Hypotheses:
    """What `decoding.beam.beam` finds, in blocks of `look_back` steps and bounded memory.

    Hypotheses of a clip differ in their last rows alone.
    """
    (clips, steps, keys), device = batch.prob.shape, batch.prob.device
    count = min(options.n_best, options.beam_width)
    rolls = torch.zeros((clips, count, steps, keys), dtype=torch.bool, device=device)
    costs = torch.full((clips, count), torch.inf, dtype=torch.float64, device=device)
    asked, held = torch.zeros_like(costs), torch.zeros_like(batch.prob)
    window, lengths = Window(clips, keys, prior, options, device), np.array(batch.lengths)
    for begin in range(0, steps, options.look_back):
        part = batch.steps(begin, begin + options.look_back)
        heard = np.clip(lengths - begin, 0, part.shape[1])
        ends = torch.from_numpy((heard > 0) & (lengths <= begin + part.shape[1])).to(device)
        view, fresh = window.hear(Batch(part, tuple(heard.tolist())), ends)
        place, fresh = slice(view.start, view.start + view.rolls.shape[2]), fresh[:, :, None]
        every = torch.arange(count, device=device).clamp(max=view.place.shape[1] - 1)
        # Only of a clip that ends the hypotheses may differ in what is settled.
        those = torch.where(ends[:, None, None, None], view.rolls[:, every], view.rolls[:, :1])
        rolls[:, :, place] = torch.where(fresh[:, None], those, rolls[:, :, place])
        held[:, place] = torch.where(fresh, view.confidence, held[:, place])
        known = view.cost[:, every].masked_fill(torch.arange(count, device=device) > every, torch.inf)
        costs = torch.where(ends[:, None], known, costs)
        asked = torch.where(ends[:, None], view.prior_log_prob[:, every], asked)
    return Hypotheses(rolls, costs, asked if prior is not None else None, held)
