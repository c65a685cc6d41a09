"""The product: pipeline, command and scoring of whole transcriptions.

Its public names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transcribe.pipeline import Transcriber, Transcription, transcribe
    from transcribe.scoring import score

__all__ = [
    "score",
    "transcribe",
    "Transcriber",
    "Transcription",
]

_HOMES = {
    "score": "scoring",
    "Transcriber": "pipeline",
    "Transcription": "pipeline",
    "transcribe": "pipeline",
}


def __getattr__(name: str) -> object:
    """A public name, from the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
