"""Recorded polyphonic music to notes, with a musical language model: the public names, lazily loaded.

import notebeam as nb

result = nb.transcribe("nocturne.flac")
result.notes.save("nocturne.mid")
"""

from importlib import import_module
from typing import TYPE_CHECKING

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


def __getattr__(name: str) -> object:
    """A public name, from the package that has it."""
    if name == "__version__":
        return import_module("importlib.metadata").version("notebeam")
    for package in map(import_module, ("symbolic", "acoustic", "transcribe")):
        if name in __all__ and name in package.__all__:
            return getattr(package, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
