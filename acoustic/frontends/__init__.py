"""Other systems' ears: what they hear, as posteriorgrams that the decoders take.

Is: front ends by name (`load_frontend`), saved outputs, note lists with confidences.
Is not: their models, which are installed with their own packages, or any way from probabilities to notes.
"""

from importlib import import_module
from typing import TYPE_CHECKING

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

_HOMES = {
    "FRONTENDS": "loading",
    "basic_pitch_posteriorgram": "basic_pitch_output",
    "load_frontend": "loading",
    "posteriorgram_of_notes": "note_lists",
}


def __getattr__(name: str) -> object:
    """A public name, from the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
