"""Recorded polyphonic music to notes, with a musical language model: the public names, lazily loaded.

import notebeam as nb

result = nb.transcribe("nocturne.flac")
result.notes.save("nocturne.mid")
"""

from importlib import import_module
from typing import TYPE_CHECKING

from symbolic.lazy import lazy_names

if TYPE_CHECKING:
    from acoustic import load_acoustic
    from symbolic import (
        Beam,
        Clock,
        Decoding,
        Greedy,
        Hmm,
        NotebeamError,
        Notes,
        PianoRoll,
        Posteriorgram,
        Prior,
        Stream,
        Threshold,
        build_prior,
        decode,
        list_priors,
        load_prior,
        read_midi,
        save_prior,
    )
    from transcribe import Transcriber, Transcription, score, transcribe

__all__ = [
    "transcribe",
    "Transcriber",
    "Transcription",
    "Notes",
    "read_midi",
    "Clock",
    "PianoRoll",
    "Posteriorgram",
    "decode",
    "Decoding",
    "Stream",
    "Threshold",
    "Hmm",
    "Greedy",
    "Beam",
    "Prior",
    "load_prior",
    "list_priors",
    "save_prior",
    "build_prior",
    "load_acoustic",
    "score",
    "NotebeamError",
]

_PACKAGES = tuple(map(import_module, ("symbolic", "acoustic", "transcribe")))
_find, _names = lazy_names(
    __name__, {name: package.__name__ for package in _PACKAGES for name in package.__all__}
)


def __getattr__(name: str) -> object:
    """A public name, from the package that has it."""
    return import_module("importlib.metadata").version("notebeam") if name == "__version__" else _find(name)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
