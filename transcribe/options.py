"""Which settings, decoder options and ways to notes hold for one posteriorgram.

Is: what follows from the model that made the posteriorgram and from what the user gave.
Is not: the numbers themselves (presets, settings).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symbolic.decoding.options import Beam
from symbolic.posteriorgram import Posteriorgram
from transcribe.presets import FOREIGN, TRACK, Choice
from transcribe.settings import Settings, read_settings
from transcribe.tracking import TrackOptions

if TYPE_CHECKING:  # a posteriorgram of another system needs nothing of the audio side
    from acoustic.frontends.loading import Frontend
    from acoustic.inference import Listener

LONG = 1800.0  # seconds from which a recording is decoded in blocks, to bound the memory
LOOK_BACK = 500  # steps after which its rows are settled, many times what hypotheses differ over


def settings_of(
    posteriorgram: Posteriorgram,
    settings: Settings | None,
    frontend: str | None,
    loaded: Listener | Frontend | None,
) -> Settings | None:
    """What is known of the front end whose posteriorgram it is; None of this package's models.

    Args:
        settings: those that the user gave.
        frontend: the front end that listens; None: a model of this package.
        loaded: the one or the other, if it is loaded.

    Raises:
        NotebeamError: settings of another front end.
    """
    model = posteriorgram.model
    if settings is not None:
        settings.check(model, posteriorgram.source or "posteriorgram")
        return settings
    from acoustic.frontends.loading import CARDS, FRONTENDS
    from acoustic.loading import list_models

    model = model or frontend or ""
    if model in FRONTENDS:
        return read_settings(CARDS / f"{model}.json")
    is_ours = frontend is None and loaded is not None and loaded.name == model
    return None if is_ours or model in list_models() else FOREIGN


def decoder_options(
    decoder: object, settings: Settings | None, clock: str, *, prior: bool, joined: bool
) -> object:
    """Options of the decoder for posteriorgrams of a front end.

    Args:
        decoder: those that the user gave, or a `Choice`; None: the preset.
        settings: of the front end; None: of this package's acoustic models.
        clock: what the prior's steps are.
        prior: whether there is one.
        joined: whether it is a join (`symbolic.priors.evidence_join`).
    """
    choice = Choice(clock=clock) if decoder is None else decoder
    return choice.options(settings, prior=prior, joined=joined) if isinstance(choice, Choice) else choice


def in_blocks(options: object, posteriorgram: Posteriorgram) -> object:
    """Options for a posteriorgram: of a long one a beam settles its rows on the way, to bound the memory.

    It then gives the best roll alone, unless more were asked for: the others are the same but for the end.
    """
    if isinstance(options, Beam) and posteriorgram.count * posteriorgram.hop > LONG:
        return replace(options, look_back=options.look_back or LOOK_BACK, n_best=options.n_best or 1)
    return options


def track_options(
    track: TrackOptions | None,
    settings: Settings | None,
    *,
    min_note: float | None,
    shift: float,
) -> TrackOptions:
    """How notes are read off posteriorgrams of a front end, or of this package's models.

    Args:
        track: None: the preset, with the front end's numbers.
        min_note: seconds; None: what `track` says.
        shift: seconds added to every onset, on top of what `track` adds.
    """
    if track is None:
        track = TRACK if settings is None else settings.tracking(TRACK)
    if min_note is not None:
        track = replace(track, min_note=min_note)
    return replace(track, onset_shift=track.onset_shift + shift)


def onset_shift_of(settings: Settings | None, model: str, loaded: Listener | Frontend | None) -> float:
    """Seconds that a front end's onsets are late, or by the card of this package's model of that name."""
    if settings is not None:
        return settings.onset_shift
    if loaded is not None and loaded.name == model:
        return getattr(loaded, "onset_shift", 0.0)
    from acoustic.loading import read_card, weights_path

    return read_card(weights_path(model).with_suffix(".json")).onset_shift
