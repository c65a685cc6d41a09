"""Models by name: what listens and the prior, on a device, refused where they do not fit."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING

import torch

from symbolic.devices import device_named
from symbolic.dynamics.model import load_dynamics, weights_path
from symbolic.errors import NotebeamError, renamed
from symbolic.notes import Notes
from symbolic.pitch import pitch_at
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior, priors_with_steps_of
from transcribe.presets import DYNAMICS, JOINS, MODEL, PRIOR, Choice

if TYPE_CHECKING:  # the audio side is imported where audio is read: a posteriorgram needs none of it
    from acoustic.frontends.loading import Frontend
    from acoustic.inference import Listener

DEVICES = ("auto", "cpu", "cuda", "mps")


def load_listener(
    model: str | PathLike[str],
    frontend: str | None,
    device: str,
    *,
    bfloat16: bool | None,
    tuning: float | None,
) -> Listener | Frontend:
    """The acoustic model, or the front end of that name; the preset of `model` is then its own weights.

    tuning: Hz of A4; None: estimated.
    """
    if frontend is not None:
        from acoustic.frontends.loading import load_frontend

        return load_frontend(frontend, None if model == MODEL else model)
    from acoustic.inference import load_acoustic

    cents = None if tuning is None else 100 * float(pitch_at(tuning) - 69)
    with renamed({"acoustic model": "Transcriber.model", "device": "Transcriber.device"}):
        return load_acoustic(model, device_named(device), bfloat16=bfloat16, cents=cents)


def check_model(model: str | PathLike[str]) -> None:
    """Refuse the name of no acoustic model, also where none is needed."""
    from acoustic.loading import known_weights

    with renamed({"acoustic model": "Transcriber.model"}):
        known_weights(fspath(model))


def fitting_prior(model: str, planes: int, decoder: object, clock: str) -> str:
    """Name of the prior for an acoustic model: the join that was fitted to it, else the built-in prior.

    Numbers that somebody chose for the search are meant for a prior of notes alone, and a join reads as many
    planes as it was fitted to.
    """
    free = decoder is None or (isinstance(decoder, Choice) and decoder.weight is None)
    join = JOINS.get(model)
    if join is None or not free or clock != "frames" or planes < join.planes:
        return PRIOR
    return join.name


def load_fitting_prior(prior: Prior | str | PathLike[str], clock: str, device: str) -> Prior:
    """The prior, by name on the device; an object is left where it is.

    Raises:
        NotebeamError: no such prior, or one whose steps are not those of the clock.
    """
    if not isinstance(prior, Prior):
        place = device_named(device, "Transcriber.device")
        # The search adds costs in float64, which mps does not have.
        with renamed({"load_prior": "Transcriber.prior"}):
            prior = load_prior(prior, torch.device("cpu") if place.type == "mps" else place)
    card = prior.card
    if card is not None and card.clock["kind"] != clock:
        fitting = ", ".join(priors_with_steps_of(clock))
        got = f"{card.full_name}, with steps of {card.clock['kind']}"
        raise NotebeamError("Transcriber.prior", got, f"a prior with steps of {clock} ({fitting})")
    if card is None and clock == "beats":
        raise NotebeamError("Transcriber.prior", "a prior without a card", "its divisions of the beat")
    return prior


def with_dynamics(notes: Notes, model: str) -> Notes:
    """The notes, their velocities corrected if that was learnt for the acoustic model of this name."""
    return load_dynamics(weights_path(model)).corrected(notes) if model in DYNAMICS else notes
