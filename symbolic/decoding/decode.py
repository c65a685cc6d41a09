"""Decode: from evidence to rolls, by any of the methods: the decoders, and the registry of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from symbolic.checks import brief, of_type
from symbolic.clock import Clock
from symbolic.decoding.candidates import blocks
from symbolic.decoding.cost import LEAST, acoustic_log_prob, local_cost
from symbolic.decoding.evidence import Evidence, Plane, evidence_of, frames_clock
from symbolic.decoding.hmm import hmm
from symbolic.decoding.inputs import (
    Clips,
    check_steps,
    checked_clips,
    checked_prior,
    device_of,
    fitted,
    plane_of,
    weighed,
)
from symbolic.decoding.options import METHODS, Beam, Greedy, Hmm, Method, Scoring, Threshold, method_of
from symbolic.decoding.results import BestRolls, Decoding, check_possible, decoding_of
from symbolic.decoding.streaming import View, Window
from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior

# Finds the rolls of a batch. `prior` is None or fits D, plane and steps, and is where the clips are.
Decoder = Callable[[Clips, Prior | None, Any], BestRolls]


def threshold(clips: Clips, prior: object, options: Threshold) -> BestRolls:
    """Bits above the threshold; reads no prior."""
    rolls = clips.prob > options.threshold
    # A padded step is silent for certain and costs nothing.
    costs = torch.zeros(len(rolls), dtype=torch.float64, device=rolls.device)
    for start, stop in blocks(rolls.shape[1], rolls[:, :1].numel()):
        part = local_cost(rolls[:, start:stop], clips.prob[:, start:stop], Scoring())
        costs += part.sum(dim=1, dtype=torch.float64)
    return BestRolls(rolls[:, None], costs[:, None], -costs[:, None])


def beam(clips: Clips, prior: Prior | None, options: Beam) -> BestRolls:
    """The cheapest rolls found for every clip, in blocks of `look_back` steps, or in one.

    In several blocks, hypotheses of a clip differ in their last rows alone.
    """
    (size, steps, keys), device = clips.prob.shape, clips.prob.device
    window, lengths = Window(size, keys, prior, options, device), np.array(clips.lengths)
    block = options.look_back or steps
    result: BestRolls | None = None
    for begin in range(0, steps, block):
        part = clips.part(begin, min(steps, begin + block))
        ends = torch.from_numpy((lengths > begin) & (lengths <= begin + block)).to(device)
        view, settled = window.push(part, ends)
        if block >= steps:
            # All at once: nothing need be put together.
            count = view.rolls.shape[1]
            costs, log_prob = view.cost[:, :count], view.prior_log_prob[:, :count]
            result = BestRolls(view.rolls, costs, costs, log_prob, view.confidence)
        else:
            result = _joined(result or _empty(clips, options.results), view, settled, ends)
    assert result is not None
    least = LEAST if window.search.options.prior_notes else 0.0
    return replace(
        result,
        acoustic_log_prob=acoustic_log_prob(result.rolls, clips.prob, options.temperature, least=least),
        prior_log_prob=None if prior is None else result.prior_log_prob,
        impossible_at=window.impossible_at,
        is_nan=window.searched.hypotheses.is_nan,
    )


def _empty(clips: Clips, count: int) -> BestRolls:
    """A result of `count` hypotheses, to be filled in."""
    (size, steps, keys), device = clips.prob.shape, clips.prob.device
    rolls = torch.zeros((size, count, steps, keys), dtype=torch.bool, device=device)
    costs = torch.full((size, count), torch.inf, dtype=torch.float64, device=device)
    return BestRolls(rolls, costs, costs, torch.zeros_like(costs), torch.zeros_like(clips.prob))


def _joined(result: BestRolls, view: View, settled: Tensor, ends: Tensor) -> BestRolls:
    """The result with what is settled (B, S) of a view; of clips that end (B,), all there is to know."""
    assert result.prior_log_prob is not None and result.confidence is not None
    rolls, confidence, count = result.rolls, result.confidence, result.costs.shape[1]
    at, fresh = slice(view.start, view.start + view.rolls.shape[2]), settled[:, :, None]
    every = torch.arange(count, device=ends.device).clamp(max=view.rolls.shape[1] - 1)
    # Only of a clip that ends the hypotheses may differ in what is settled.
    rows = torch.where(ends[:, None, None, None], view.rolls[:, every], view.rolls[:, :1])
    rolls[:, :, at] = torch.where(fresh[:, None], rows, rolls[:, :, at])
    confidence[:, at] = torch.where(fresh, view.confidence, confidence[:, at])
    known = view.cost[:, every].masked_fill(torch.arange(count, device=ends.device) > every, torch.inf)
    return replace(
        result,
        costs=torch.where(ends[:, None], known, result.costs),
        prior_log_prob=torch.where(ends[:, None], view.prior_log_prob[:, every], result.prior_log_prob),
    )


def greedy(clips: Clips, prior: Prior | None, options: Greedy) -> BestRolls:
    """One roll a clip, of equal rows the one that the acoustic model prefers: a beam of width 1."""
    return replace(beam(clips, prior, options.as_beam()), confidence=None)


DECODERS: dict[type[Any], Decoder] = {Threshold: threshold, Hmm: hmm, Greedy: greedy, Beam: beam}


def register_decoder(name: str, options: type[Any], decoder: Decoder, *, reads_prior: bool = True) -> None:
    """Add a decoder: `decode` calls it for options of that class.

    Args:
        name: what it is called in METHODS.
        options: the class of its options, best a frozen dataclass.
        decoder: finds the rolls of a batch of clips.
        reads_prior: whether `decode` takes a prior along with these options.

    Raises:
        NotebeamError: the name or the class is taken.
    """
    if name in METHODS or options in DECODERS:
        raise NotebeamError(
            "register_decoder", f"{name} for {options.__name__}", "a name and a class not yet there"
        )
    METHODS[name] = Method(options, reads_prior)
    DECODERS[options] = decoder


@overload
def decode(
    posteriorgrams: Posteriorgram,
    prior: "Prior | str | PathLike[str] | None" = None,
    options: object = None,
    *,
    clocks: Clock | None = None,
) -> Decoding: ...


@overload
def decode(
    posteriorgrams: Sequence[Posteriorgram],
    prior: "Prior | str | PathLike[str] | None" = None,
    options: object = None,
    *,
    clocks: Sequence[Clock] | None = None,
) -> list[Decoding]: ...


def decode(
    posteriorgrams: Posteriorgram | Sequence[Posteriorgram],
    prior: "Prior | str | PathLike[str] | None" = None,
    options: object = None,
    *,
    clocks: Clock | Sequence[Clock] | None = None,
) -> Decoding | list[Decoding]:
    """Rolls of one clip, or of a list of clips of any lengths.

    A bit means what it means to the prior: that a key is struck at a step, or sounds. Without a prior, it is
    struck where the posteriorgram has an onset plane.

    Args:
        posteriorgrams: one, or a list.
        prior: a prior, its name or file; None: the acoustic model alone, as with a `prior_weight` of 0.
        options: `Threshold`, `Hmm`, `Greedy` or `Beam` (default), the first two of which take no prior.
        clocks: steps of each clip; by default frames as far apart as the prior's card says, else 40 ms.

    Returns:
        One decoding a clip, in the order given; of one clip, its decoding.

    Raises:
        NotebeamError: what does not fit: an unknown prior, one of other steps or planes, something that is
            no posteriorgram, a prior that leaves nothing possible.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> onset = np.zeros((50, 88), dtype=np.float32)
    >>> onset[20, 39] = 0.9  # middle C after 0.4 s, at frames of 20 ms
    >>> best = nb.decode(nb.Posteriorgram(frame=onset, onset=onset, hop=0.02))
    >>> best.roll.nonzero(), best.plane
    ((array([10]), array([39])), 'struck')
    """
    if isinstance(posteriorgrams, Posteriorgram):
        one = None if clocks is None else [clocks]
        return decode([posteriorgrams], prior, options, clocks=one)[0]  # type: ignore[arg-type]
    options = Beam() if options is None else options
    clips = _checked(posteriorgrams)
    prior, card = checked_prior(prior), None
    if prior is not None:
        _check_reads_prior(options)
        card = prior.card
    if clocks is None:
        if card is not None and card.clock["kind"] != "frames":
            kind = card.clock["kind"]
            raise NotebeamError("decode(clocks)", None, f"clocks of {kind}, as the prior {card.name!r}")
        hop = {} if card is None else {"step": float(card.clock["hop"])}
        clocks = [frames_clock(clip, **hop) for clip in clips]
    elif not isinstance(clocks, list | tuple) or len(clocks) != len(clips):
        got = f"{len(clocks)} clocks" if isinstance(clocks, list | tuple) else brief(clocks)
        raise NotebeamError("decode(clocks)", got, f"{len(clips)}, one for each posteriorgram")
    for clock in clocks:
        of_type(clock, Clock, "decode(clocks)", "a Clock, or a list of them for a list of posteriorgrams")
    plane = plane_of(prior)
    evidence = [
        evidence_of(clip, clock, plane or _plane(clip)) for clip, clock in zip(clips, clocks, strict=True)
    ]
    prior = weighed(prior, options)
    if prior is None:
        return decode_evidence(evidence, prior, options)
    with torch.inference_mode():
        prior = prior.conditioned_on(clips, evidence)
    found = decode_evidence(evidence, prior, options)
    with torch.inference_mode():
        posterior = prior.posterior()
    if posterior is None:
        return found
    return [
        replace(one, posterior=posterior[row, : len(one.evidence.prob)].cpu().numpy())
        for row, one in enumerate(found)
    ]


@torch.inference_mode()
def decode_evidence(clips: Sequence[Evidence], prior: Prior | None, options: object) -> list[Decoding]:
    """`decode`, for evidence at the steps of any clock, from whatever source; the D of all clips is one."""
    method_of(options)
    if prior is None and isinstance(options, Beam | Greedy):
        options = replace(options, prior_weight=0.0)
    if prior is not None:
        _check_reads_prior(options)
    if not clips:
        return []
    prior = weighed(prior, options)
    batch = checked_clips(clips, device_of(prior))  # tensors go where the prior is
    if prior is not None:
        prior = fitted(prior, batch.prob.shape[2], options)
        for clip in clips:
            check_steps(prior, clip.clock, clip.plane)
    best = DECODERS[type(options)](batch, prior, options)
    check_possible(best.is_nan, best.impossible_at, "decode(prior): clip {clip}, step {step}")
    return [decoding_of(best, row, clip) for row, clip in enumerate(clips)]


def _checked(posteriorgrams: Sequence[Posteriorgram]) -> list[Posteriorgram]:
    """The clips, none of them empty or of another type."""
    made = "a Posteriorgram: Posteriorgram(frame=..., onset=..., hop=...)"
    if not isinstance(posteriorgrams, Sequence) or isinstance(posteriorgrams, str):
        raise NotebeamError(
            "decode(posteriorgrams)", f"a {type(posteriorgrams).__name__}", f"{made}, or a list"
        )
    for index, clip in enumerate(posteriorgrams):
        if not isinstance(clip, Posteriorgram):
            raise NotebeamError(f"decode(posteriorgrams)[{index}]", f"a {type(clip).__name__}", made)
        if not clip.count:
            raise NotebeamError(clip.place, "0 frames", "at least 1")
    return list(posteriorgrams)


def _check_reads_prior(options: object) -> None:
    if not method_of(options).reads_prior:
        name = type(options).__name__
        raise NotebeamError("decode(prior)", "a prior", f"None: {name} decides without one")


def _plane(posteriorgram: Posteriorgram) -> Plane:
    return "active" if posteriorgram.onset is None else "struck"
