"""Music as symbols: notes, rolls, clocks, priors, decoding. Imports neither of the other packages.

Its public names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symbolic.clock import Clock, PianoRoll
    from symbolic.decoding.decode import decode
    from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
    from symbolic.decoding.results import Decoding
    from symbolic.decoding.streaming import Stream
    from symbolic.errors import NotebeamError
    from symbolic.midi import read_midi
    from symbolic.notes import Notes
    from symbolic.posteriorgram import Posteriorgram
    from symbolic.priors.base import Prior
    from symbolic.priors.loading import list_priors, load_prior, save_prior
    from symbolic.priors.registry import build_prior

__all__ = [
    "Beam",
    "build_prior",
    "Clock",
    "decode",
    "Decoding",
    "Greedy",
    "Hmm",
    "list_priors",
    "load_prior",
    "NotebeamError",
    "Notes",
    "PianoRoll",
    "Posteriorgram",
    "Prior",
    "read_midi",
    "save_prior",
    "Stream",
    "Threshold",
]

_HOMES = {
    "Clock": "clock",
    "PianoRoll": "clock",
    "decode": "decoding.decode",
    "Beam": "decoding.options",
    "Greedy": "decoding.options",
    "Hmm": "decoding.options",
    "Threshold": "decoding.options",
    "Decoding": "decoding.results",
    "Stream": "decoding.streaming",
    "NotebeamError": "errors",
    "read_midi": "midi",
    "Notes": "notes",
    "Posteriorgram": "posteriorgram",
    "Prior": "priors.base",
    "list_priors": "priors.loading",
    "load_prior": "priors.loading",
    "save_prior": "priors.loading",
    "build_prior": "priors.registry",
}


def __getattr__(name: str) -> object:
    """A public name, from the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
