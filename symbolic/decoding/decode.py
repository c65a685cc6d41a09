"""Decode: from evidence to rolls, by any of the methods.

Is: the door (checks, batching, the result), and the registry of decoders.
Is not: a search (decoding.threshold, hmm, greedy, beam), nor the notes of a roll (transcribe.tracking).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.clock import Clock
from symbolic.decoding.beam import beam
from symbolic.decoding.cost import acoustic_log_prob
from symbolic.decoding.evidence import Evidence, evidence_of, frames_clock
from symbolic.decoding.greedy import greedy
from symbolic.decoding.hmm import hmm
from symbolic.decoding.options import DecodeOptions
from symbolic.decoding.protocol import Batch, Decoder, Hypotheses, check_prob, pad
from symbolic.decoding.streaming import stream_beam
from symbolic.decoding.threshold import threshold
from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.partition import WithPartition
from symbolic.priors.protocol import SymbolicPrior

DECODERS: dict[str, Decoder] = {"threshold": threshold, "hmm": hmm, "greedy": greedy, "beam": beam}
SEARCHES = ("greedy", "beam")  # the methods that ask a prior
HOP_TOLERANCE = 1e-6  # seconds between a prior's hop and a clock's


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
    prior: SymbolicPrior | None,
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
def decode_evidence(
    clips: Sequence[Evidence], prior: SymbolicPrior | None, options: DecodeOptions
) -> list[Decoding]:
    """`decode`, for evidence at the steps of a clock, from whatever source; the D of all clips is one."""
    if not clips:
        return []
    for index, clip in enumerate(clips):
        check_prob(torch.from_numpy(clip.prob), f"decode_evidence(clips)[{index}].prob")
    widths = sorted({clip.prob.shape[1] for clip in clips})
    if len(widths) > 1:
        raise NotebeamError("decode_evidence(clips)", f"clips of {widths} keys", "one number of keys")
    asked = _prior_to_ask(prior, clips, options)
    # Tensors go where the prior is.
    device = torch.device("cpu")
    if asked is not None:
        device = next(iter(asked.initial_state(1).values())).device
    order = sorted(range(len(clips)), key=lambda index: -len(clips[index].prob))
    batch = pad([torch.tensor(clips[index].prob, device=device) for index in order])
    in_blocks = options.method == "beam" and options.look_back > 0
    search = stream_beam if in_blocks else build_decoder(options.method)
    found = search(batch, asked, options)
    _check_found(found, batch, order, asked, options)
    acoustic = acoustic_log_prob(found.rolls, batch.prob, options.temperature)
    turn = {index: row for row, index in enumerate(order)}
    return [_decoding(clip, found, acoustic, turn[index]) for index, clip in enumerate(clips)]


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
    found: Hypotheses,
    batch: Batch,
    order: Sequence[int],
    prior: SymbolicPrior | None,
    options: DecodeOptions,
) -> None:
    """Refuse a prior that leaves a clip of `order` without any roll, and say at which step."""
    for row, index in enumerate(order):
        if found.costs[row, 0].isfinite():
            continue
        # The first step at which nothing is possible, by bisection: what is impossible stays so.
        low, high = 1, batch.lengths[row]
        while low < high:
            middle = (low + high) // 2
            part = build_decoder(options.method)(pad([batch.prob[row, :middle]]), prior, options)
            low, high = (middle + 1, high) if part.costs[0, 0].isfinite() else (low, middle)
        place = f"decode(prior): clip {index}, step {low - 1}"
        raise NotebeamError(place, "no candidate of probability above 0", "at least one")


def _prior_to_ask(
    prior: SymbolicPrior | None, clips: Sequence[Evidence], options: DecodeOptions
) -> SymbolicPrior | None:
    """The prior if the method and its weight call for one, checked against the clips and the options."""
    if options.method not in SEARCHES or not options.prior_weight:
        return None
    if prior is None:
        raise NotebeamError("decode(prior)", None, "a prior, or DecodeOptions.prior_weight 0")
    keys = clips[0].prob.shape[1]
    if prior.visible != keys:
        place, got = "decode(prior)", f"a prior of {prior.visible} keys"
        raise NotebeamError(place, got, f"{keys}, as in the evidence")
    # A prior that was never saved has no card, and nothing is known of its steps.
    card = getattr(prior, "card", None)
    if card is not None:
        if card.plane != options.plane:
            expected = f"{card.plane!r}, as the prior {card.name!r}"
            raise NotebeamError("DecodeOptions.plane", options.plane, expected)
        for clip in clips:
            _check_clock(card.name, card.clock, clip.clock)
    if options.method == "beam" and options.beam_width > 1 and not prior.is_normalized:
        return _with_partition(prior, options)
    return prior


def _with_partition(prior: SymbolicPrior, options: DecodeOptions) -> SymbolicPrior:
    """The prior with log Z put back: it differs from history to history, and a beam compares histories."""
    try:
        return WithPartition(prior, temperatures=options.partition_temperatures, runs=options.partition_runs)
    except NotebeamError as error:
        expected = 'a normalised prior or an RBM type for a beam wider than 1; "greedy" does with any'
        raise NotebeamError("decode(prior)", "a prior that leaves out log Z", expected) from error


def _check_clock(name: str, wanted: Mapping[str, str | int | float], clock: Clock) -> None:
    """Refuse steps of another kind or length than the prior has learnt."""
    if clock.kind != wanted["kind"]:
        raise NotebeamError("decode(clocks)", clock.kind, f"{wanted['kind']!r}, as the prior {name!r}")
    if clock.kind == "frames" and len(clock) > 1:
        hop = float(clock.times[1] - clock.times[0])
        if abs(hop - float(wanted["hop"])) > HOP_TOLERANCE:
            expected = f"{wanted['hop']} s, as the prior {name!r}"
            raise NotebeamError("DecodeOptions.step", round(hop, 6), expected)
