"""Other systems' ears: what they hear, as posteriorgrams that the decoders take.

Is: front ends by name (`load_frontend`), saved outputs, note lists with confidences.
Is not: their models, which are installed with their own packages, or any way from probabilities to notes.
"""

from typing import TYPE_CHECKING

from symbolic.lazy import lazy_names

if TYPE_CHECKING:
    from acoustic.frontends.basic_pitch_output import basic_pitch_posteriorgram
    from acoustic.frontends.loading import FRONTENDS, load_frontend
    from acoustic.frontends.note_lists import posteriorgram_of_notes

__all__ = [
    "FRONTENDS",
    "basic_pitch_posteriorgram",
    "load_frontend",
    "posteriorgram_of_notes",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FRONTENDS": "acoustic.frontends.loading",
        "basic_pitch_posteriorgram": "acoustic.frontends.basic_pitch_output",
        "load_frontend": "acoustic.frontends.loading",
        "posteriorgram_of_notes": "acoustic.frontends.note_lists",
    },
)
