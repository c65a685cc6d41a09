"""The product: pipeline, command and evaluation of whole transcriptions.

`from transcribe import Transcriber` loads torch; `import transcribe` alone loads nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transcribe.pipeline import (
        TranscribeOptions,
        Transcriber,
        Transcription,
        transcribe_posteriorgram,
    )
    from transcribe.tracking import TrackOptions

__all__ = ["TrackOptions", "TranscribeOptions", "Transcriber", "Transcription", "transcribe_posteriorgram"]


def __getattr__(name: str) -> object:
    """The public names, imported when first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from transcribe import pipeline

    return getattr(pipeline, name)
