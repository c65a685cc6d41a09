"""The product: pipeline, command and scoring of whole transcriptions.

Its public names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from symbolic.lazy import lazy_names

if TYPE_CHECKING:
    from transcribe.pipeline import Transcriber, transcribe
    from transcribe.scoring import score
    from transcribe.transcription import Transcription

__all__ = [
    "score",
    "transcribe",
    "Transcriber",
    "Transcription",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "score": "transcribe.scoring",
        "Transcriber": "transcribe.pipeline",
        "Transcription": "transcribe.transcription",
        "transcribe": "transcribe.pipeline",
    },
)
