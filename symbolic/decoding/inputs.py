"""What a search reads: clips as one padded batch, and a prior that is checked against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.checks import of_type, whole
from symbolic.clock import Clock
from symbolic.decoding.evidence import Evidence, Plane
from symbolic.decoding.options import Beam, Proposals
from symbolic.errors import NotebeamError
from symbolic.planes import ROUNDING
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.loading import load_prior
from symbolic.priors.methods import VISIBLE, check_methods, checked_state
from symbolic.priors.partition import WithPartition

HOP_TOLERANCE = 1e-6  # seconds between a prior's hop and a clock's


@dataclass(frozen=True, eq=False)
class Clips:
    """Key probabilities of B clips of any lengths."""

    prob: Tensor  # (B, T, D) float32 0..1; 0 past a clip's end
    lengths: tuple[int, ...]  # (B,) steps

    def part(self, start: int, stop: int) -> "Clips":
        """Steps start..stop - 1; a clip that is over has 0 of them."""
        lengths = tuple(min(max(length - start, 0), stop - start) for length in self.lengths)
        return Clips(self.prob[:, start:stop], lengths)


def pad(probs: Sequence[Tensor]) -> Clips:
    """Clips of probabilities (T, D) as one batch."""
    lengths = tuple(len(prob) for prob in probs)
    if len(probs) == 1:  # as it is: an hour need not be there twice
        return Clips(probs[0][None], lengths)
    return Clips(torch.nn.utils.rnn.pad_sequence(list(probs), batch_first=True), lengths)


def checked_prob(values: Tensor | NDArray[np.float32], place: str, keys: int | None = None) -> Tensor:
    """(T, D) probabilities of at least one step as float32, D being `keys` if given; of the same memory,
    where that can be.

    Raises:
        NotebeamError: `values` are something else.
    """
    if not isinstance(values, Tensor | np.ndarray):
        raise NotebeamError(place, f"a {type(values).__name__}", "a tensor or an array")
    kind = str(values.dtype).removeprefix("torch.")
    if kind not in ("float16", "bfloat16", "float32", "float64"):
        raise NotebeamError(place, kind, "probabilities as float32")
    if isinstance(values, Tensor):
        prob = values.detach()
    else:
        prob = torch.from_numpy(np.require(values, requirements=["C", "W"]))
    wanted = "D" if keys is None else str(keys)
    if prob.dim() != 2 or not prob.shape[1] or prob.shape[1] != (keys or prob.shape[1]):
        raise NotebeamError(place, f"shape {tuple(prob.shape)}", f"(T, {wanted}), a row a step")
    if not len(prob):
        raise NotebeamError(place, "0 steps", "at least 1")
    # NaN is on neither side of a comparison.
    wrong = ~((prob >= -ROUNDING) & (prob <= 1 + ROUNDING))
    if wrong.any():
        step, key = (int(index) for index in wrong.nonzero()[0])
        value = f"{float(prob[step, key]):g} at step {step}, key {key}"
        raise NotebeamError(place, value, "probabilities 0..1")
    # A copy only where rounding has left 0..1.
    prob = prob.float()
    return prob.clamp(0, 1) if prob.min() < 0 or prob.max() > 1 else prob


def checked_clips(clips: Sequence[Evidence], device: torch.device) -> Clips:
    """Evidence of which every part fits the others, all of one D, as a batch on the device."""
    probs = []
    for index, clip in enumerate(clips):
        place = f"decode_evidence(clips)[{index}]"
        probs.append(checked_prob(clip.prob, f"{place}.prob").to(device))
        for name, shape in (("time", clip.time.shape), ("frame", clip.frame.shape)):
            if shape != clip.prob.shape:
                raise NotebeamError(f"{place}.{name}", f"shape {shape}", f"{clip.prob.shape}, as prob")
        if len(clip.clock) != len(clip.prob):
            raise NotebeamError(f"{place}.clock", f"{len(clip.clock)} steps", f"{len(clip.prob)}, as prob")
    widths = sorted({prob.shape[1] for prob in probs})
    if len(widths) > 1:
        raise NotebeamError("decode_evidence(clips)", f"clips of {widths} keys", "one number of keys")
    return pad(probs)


def checked_prior(prior: "Prior | str | PathLike[str] | None") -> Prior | None:
    """The prior itself, or the one of that name or file.

    Raises:
        NotebeamError: none of these, one without `visible` or with another card, or dropout in training mode.
    """
    if isinstance(prior, str | PathLike):
        return load_prior(prior)
    if prior is not None and not isinstance(prior, Prior):
        raise NotebeamError(
            "decode(prior)", f"a {type(prior).__name__}", "a Prior, its name or file, or None"
        )
    if prior is not None:
        name = type(prior).__name__
        whole(getattr(prior, "visible", None), f"{name}.visible", VISIBLE)
        of_type(prior.card, (PriorCard, type(None)), f"{name}.card", "a PriorCard, or None")
    if prior is not None and any(_draws(module) for module in prior.modules()):
        got = f"a {type(prior).__name__} in training mode, which decides by chance"
        raise NotebeamError("decode(prior)", got, "prior.eval()")
    return prior


def _draws(module: torch.nn.Module) -> bool:
    """Whether what a module of a prior of one's own gives depends on chance, or on the batch."""
    kinds = torch.nn.modules.dropout._DropoutNd | torch.nn.modules.batchnorm._BatchNorm
    with_dropout = isinstance(module, torch.nn.RNNBase | torch.nn.MultiheadAttention) and module.dropout > 0
    return module.training and (isinstance(module, kinds) or with_dropout)


def plane_of(prior: Prior | None) -> Plane | None:
    """What a bit means to the prior; None: unknown.

    Raises:
        NotebeamError: its rows are neither strokes nor sounding keys.
    """
    card = None if prior is None else prior.card
    if card is None:
        return None
    if card.plane == "struck":
        return "struck"
    if card.plane == "active":
        return "active"
    raise NotebeamError("decode(prior)", f"{card.name!r} of plane {card.plane!r}", "struck or active")


def device_of(prior: Prior | None) -> torch.device:
    """Where the prior is, by its state; without a prior the CPU.

    Raises:
        NotebeamError: it has no state, or none of tensors.
    """
    if prior is None:
        return torch.device("cpu")
    return next(iter(checked_state(prior).values())).device


def weighed(prior: Prior | None, options: object) -> Prior | None:
    """The prior, or None if the options give it no weight."""
    return None if isinstance(options, Proposals) and not options.prior_weight else prior


def fitted(prior: Prior, keys: int, options: object) -> Prior:
    """The prior, ready for a search over so many keys; for a beam with log Z, or an estimate of it.

    Raises:
        NotebeamError: it is for other keys, is not in float32, or gives shapes that no prior does.
    """
    if prior.visible != keys:
        place, got = "decode(prior)", f"a prior of {prior.visible} keys"
        raise NotebeamError(place, got, f"{keys}, as in the evidence")
    state = checked_state(prior)
    other = {values.dtype for values in state.values() if values.is_floating_point()} - {torch.float32}
    if other:
        got = f"a prior in {str(other.pop()).removeprefix('torch.')}"
        raise NotebeamError("decode(prior)", got, "float32")
    check_methods(prior)
    if isinstance(options, Beam) and options.width > 1 and not prior.is_normalized:
        return _with_partition(prior, options)
    return prior


def _with_partition(prior: Prior, options: Beam) -> Prior:
    """The prior with log Z put back: it differs from history to history, and a beam compares histories."""
    try:
        return WithPartition(prior, temperatures=options.partition_temperatures, runs=options.partition_runs)
    except NotebeamError as error:
        expected = "a normalised prior or an RBM type for a beam wider than 1; Greedy does with any"
        raise NotebeamError("decode(prior)", "a prior that leaves out log Z", expected) from error


def check_steps(prior: Prior, clock: Clock, plane: Plane) -> None:
    """Refuse steps of another kind, distance or plane than the prior has learnt."""
    card = prior.card
    if card is None:
        return
    wanted, name = card.clock, f"as the prior {card.name!r}"
    if plane_of(prior) != plane:
        raise NotebeamError("decode(prior)", f"evidence of plane {plane!r}", f"{card.plane!r}, {name}")
    if clock.kind != wanted["kind"]:
        raise NotebeamError("decode(clocks)", f"steps of {clock.kind}", f"{wanted['kind']}, {name}")
    if clock.kind == "frames" and len(clock) > 1:
        hops = np.diff(clock.times)
        hop = float(hops[np.abs(hops - float(wanted["hop"])).argmax()])
        if abs(hop - float(wanted["hop"])) > HOP_TOLERANCE:
            raise NotebeamError("decode(clocks)", f"steps of {hop:.6g} s", f"{wanted['hop']} s, {name}")
