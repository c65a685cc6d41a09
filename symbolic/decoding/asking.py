"""Whom a search asks: the prior, if the options call for one and it fits the evidence.

Is: the checks of a prior against keys, options and clock; log Z put back where histories are compared.
Is not: how it is asked (priors.base).
"""

import torch

from symbolic.clock import Clock
from symbolic.decoding.options import DecodeOptions
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior
from symbolic.priors.partition import WithPartition

SEARCHES = ("greedy", "beam")  # the methods that ask a prior
HOP_TOLERANCE = 1e-6  # seconds between a prior's hop and a clock's


def prior_to_ask(prior: Prior | None, keys: int, options: DecodeOptions) -> Prior | None:
    """The prior if the method and its weight call for one; for a beam with log Z, or an estimate of it.

    Raises:
        NotebeamError: there is none, or it is for other keys or another plane, or not in float32.
    """
    if options.method not in SEARCHES or not options.prior_weight:
        return None
    if prior is None:
        raise NotebeamError("decode(prior)", None, "a prior, or DecodeOptions.prior_weight 0")
    if prior.visible != keys:
        place, got = "decode(prior)", f"a prior of {prior.visible} keys"
        raise NotebeamError(place, got, f"{keys}, as in the evidence")
    # A prior that was never saved has no card, and nothing is known of its steps.
    card = prior.card
    if card is not None and card.plane != options.plane:
        raise NotebeamError(
            "DecodeOptions.plane", options.plane, f"{card.plane!r}, as the prior {card.name!r}"
        )
    state = prior.initial_state(1)
    if not state:
        raise NotebeamError("decode(prior)", "a prior with an empty state", "one tensor in it at least")
    other = {values.dtype for values in state.values() if values.is_floating_point()} - {torch.float32}
    if other:
        got = f"a prior in {str(other.pop()).removeprefix('torch.')}"
        raise NotebeamError("decode(prior)", got, "float32")
    if options.method == "beam" and options.beam_width > 1 and not prior.is_normalized:
        return _with_partition(prior, options)
    return prior


def device_of(prior: Prior) -> torch.device:
    """Where the prior is."""
    return next(iter(prior.initial_state(1).values())).device


def _with_partition(prior: Prior, options: DecodeOptions) -> Prior:
    """The prior with log Z put back: it differs from history to history, and a beam compares histories."""
    try:
        return WithPartition(prior, temperatures=options.partition_temperatures, runs=options.partition_runs)
    except NotebeamError as error:
        expected = 'a normalised prior or an RBM type for a beam wider than 1; "greedy" does with any'
        raise NotebeamError("decode(prior)", "a prior that leaves out log Z", expected) from error


def check_clock(prior: Prior, clock: Clock) -> None:
    """Refuse steps of another kind or length than the prior has learnt."""
    card = prior.card
    if card is None:
        return
    name, wanted = card.name, card.clock
    if clock.kind != wanted["kind"]:
        raise NotebeamError("decode(clocks)", clock.kind, f"{wanted['kind']!r}, as the prior {name!r}")
    if clock.kind == "frames" and len(clock) > 1:
        hop = float(clock.times[1] - clock.times[0])
        if abs(hop - float(wanted["hop"])) > HOP_TOLERANCE:
            expected = f"{wanted['hop']} s, as the prior {name!r}"
            raise NotebeamError("DecodeOptions.step", round(hop, 6), expected)
