"""Decode: from evidence to rolls, by any of the methods.

Is: the door (checks, batching, the result), and the registry of decoders.
Is not: a search (decoding.threshold, hmm, greedy, beam), nor the notes of a roll (transcribe.tracking).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.clock import Clock
from symbolic.decoding.asking import check_clock, device_of, prior_to_ask
from symbolic.decoding.beam import beam
from symbolic.decoding.cost import acoustic_log_prob
from symbolic.decoding.evidence import Evidence, evidence_of, frames_clock
from symbolic.decoding.greedy import greedy
from symbolic.decoding.hmm import hmm
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Decoder, Hypotheses, pad, prob_of
from symbolic.decoding.streaming import stream_beam
from symbolic.decoding.threshold import threshold
from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior

DECODERS: dict[str, Decoder] = {"threshold": threshold, "hmm": hmm, "greedy": greedy, "beam": beam}


@dataclass(frozen=True, eq=False)
class Decoding:
    """Rolls found for one clip, best first."""

    rolls: NDArray[np.bool_]  # (W, T, D)
    costs: NDArray[np.float64]  # (W,) nats, rising
    acoustic_log_prob: NDArray[np.float64]  # (W,) log P_a, tempered, nats
    # (W,) log P_s, nats; None if nothing was asked of a prior. Of RBM types "greedy", and a beam of width 1,
    # leave out log Z: the number then says nothing by itself. A wider beam estimates log Z.
    prior_log_prob: NDArray[np.float64] | None
    # (T, D) 0..1 of the best roll's notes, 0 elsewhere. "beam": the share of the final hypotheses'
    # probability that lies on those with the note; the other methods: the probability that was heard.
    confidence: NDArray[np.float32]
    evidence: Evidence

    @property
    def roll(self) -> NDArray[np.bool_]:
        """(T, D) the best roll."""
        return np.asarray(self.rolls[0])

    @property
    def clock(self) -> Clock:
        """Times of the roll's steps."""
        return self.evidence.clock


def build_decoder(method: str) -> Decoder:
    """The decoder of that name."""
    if method not in DECODERS:
        raise NotebeamError("build_decoder(method)", method, f"one of {', '.join(DECODERS)}")
    return DECODERS[method]


def decode(
    posteriorgrams: Sequence[Posteriorgram],
    prior: Prior | None,
    options: DecodeOptions,
    *,
    clocks: Sequence[Clock] | None = None,
) -> list[Decoding]:
    """Rolls of a batch of clips of any lengths.

    Args:
        posteriorgrams: one a clip.
        prior: language model for "greedy" and "beam"; not asked, and may be None, where prior_weight is 0.
        options: the method and its settings.
        clocks: steps of each clip; without them the clips' frames, `options.step` seconds apart.

    Returns:
        One decoding a clip, in the order given.
    """
    if clocks is not None and len(clocks) != len(posteriorgrams):
        expected = f"{len(posteriorgrams)}, one for each posteriorgram"
        raise NotebeamError("decode(clocks)", f"{len(clocks)} clocks", expected)
    for heard in posteriorgrams:
        if not heard.count:
            raise NotebeamError(f"posteriorgram of {heard.source}", "0 frames", "at least 1")
    if clocks is None:
        clocks = [frames_clock(heard, options.step) for heard in posteriorgrams]
    pairs = zip(posteriorgrams, clocks, strict=True)
    clips = [evidence_of(heard, clock, options.plane) for heard, clock in pairs]
    return decode_evidence(clips, prior, options)


@torch.inference_mode()
def decode_evidence(clips: Sequence[Evidence], prior: Prior | None, options: DecodeOptions) -> list[Decoding]:
    """`decode`, for evidence at the steps of a clock, from whatever source; the D of all clips is one."""
    if not clips:
        return []
    probs = [_checked(clip, f"decode_evidence(clips)[{index}]") for index, clip in enumerate(clips)]
    widths = sorted({clip.prob.shape[1] for clip in clips})
    if len(widths) > 1:
        raise NotebeamError("decode_evidence(clips)", f"clips of {widths} keys", "one number of keys")
    asked = prior_to_ask(prior, widths[0], options)
    if asked is not None:
        for clip in clips:
            check_clock(asked, clip.clock)
    # Tensors go where the prior is.
    device = torch.device("cpu") if asked is None else device_of(asked)
    order = sorted(range(len(clips)), key=lambda index: -len(clips[index].prob))
    batch = pad([probs[index].to(device) for index in order])
    in_blocks = options.method == "beam" and options.look_back > 0
    search = stream_beam if in_blocks else build_decoder(options.method)
    found = search(batch, asked, options)
    _check_found(found, batch, order, lambda part: search(part, asked, options))
    acoustic = acoustic_log_prob(found.rolls, batch.prob, options)
    turn = {index: row for row, index in enumerate(order)}
    return [_decoding(clip, found, acoustic, turn[index]) for index, clip in enumerate(clips)]


def _checked(clip: Evidence, place: str) -> Tensor:
    """Probabilities (T, D) of evidence whose parts fit each other."""
    prob = prob_of(clip.prob, f"{place}.prob")
    for name, shape in (("time", clip.time.shape), ("frame", clip.frame.shape)):
        if shape != clip.prob.shape:
            raise NotebeamError(f"{place}.{name}", f"shape {shape}", f"{clip.prob.shape}, as prob")
    if len(clip.clock) != len(prob):
        raise NotebeamError(f"{place}.clock", f"{len(clip.clock)} steps", f"{len(prob)}, as prob")
    return prob


def _decoding(clip: Evidence, found: Hypotheses, acoustic: Tensor, row: int) -> Decoding:
    """The clip's own steps and hypotheses out of a batch's; at least the best one."""
    count = max(1, int(found.costs[row].isfinite().sum()))
    prior = None if found.prior_log_prob is None else found.prior_log_prob[row, :count].cpu().numpy()
    rolls = found.rolls[row, :count, : len(clip.prob)].cpu().numpy()
    costs = found.costs[row, :count].cpu().numpy()
    if found.confidence is None:
        confidence = np.where(rolls[0], clip.prob, np.float32(0))
    else:
        confidence = found.confidence[row, : len(clip.prob)].cpu().numpy()
    return Decoding(rolls, costs, acoustic[row, :count].cpu().numpy(), prior, confidence, clip)


def _check_found(
    found: Hypotheses, batch: Batch, order: Sequence[int], search: Callable[[Batch], Hypotheses]
) -> None:
    """Refuse a prior that leaves a clip of `order` without any roll, and say at which step."""
    for row, index in enumerate(order):
        if found.costs[row, 0].isfinite():
            continue
        # The first step at which nothing is possible, by bisection: what is impossible stays so.
        low, high = 1, batch.lengths[row]
        while low < high:
            middle = (low + high) // 2
            part = search(pad([batch.prob[row, :middle]]))
            low, high = (middle + 1, high) if part.costs[0, 0].isfinite() else (low, middle)
        place = f"decode(prior): clip {index}, step {low - 1}"
        raise NotebeamError(place, "no candidate of probability above 0", "at least one")
