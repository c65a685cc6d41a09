"""Music as symbols: notes, rolls, clocks, priors, decoding. Imports neither of the other packages.

Its public names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from symbolic.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Clock": "symbolic.clock",
        "PianoRoll": "symbolic.clock",
        "decode": "symbolic.decoding.decode",
        "Beam": "symbolic.decoding.options",
        "Greedy": "symbolic.decoding.options",
        "Hmm": "symbolic.decoding.options",
        "Threshold": "symbolic.decoding.options",
        "Decoding": "symbolic.decoding.results",
        "Stream": "symbolic.decoding.streaming",
        "NotebeamError": "symbolic.errors",
        "read_midi": "symbolic.midi",
        "Notes": "symbolic.notes",
        "Posteriorgram": "symbolic.posteriorgram",
        "Prior": "symbolic.priors.base",
        "list_priors": "symbolic.priors.loading",
        "load_prior": "symbolic.priors.loading",
        "save_prior": "symbolic.priors.loading",
        "build_prior": "symbolic.priors.registry",
    },
)
