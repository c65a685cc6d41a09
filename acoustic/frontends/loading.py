"""Front ends by name: what else than this package's networks may listen to a recording."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Protocol

import numpy.typing as npt

from acoustic.audio import DamagedRecording
from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram

CARDS = Path(__file__).parent  # NAME.json: the settings of a front end, as `transcribe --settings` reads them


class Frontend(Protocol):
    """What listens: to samples, or to a file; the posteriorgram's `model` is its name."""

    name: str

    def __call__(
        self, samples: npt.ArrayLike, *, rate: float, notice: Callable[[str], None] | None = None
    ) -> Posteriorgram:
        """Of samples (S,) or (S, channels), full scale 1, at `rate` samples a second."""
        ...

    def file(
        self,
        path: str | Path,
        start: float = 0.0,
        stop: float | None = None,
        progress: Callable[[float], None] | None = None,
        damage: Callable[[DamagedRecording], None] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Posteriorgram:
        """Of a recording between `start` and `stop` seconds, at the recording's times."""
        ...


def _basic_pitch(model: str | PathLike[str] | None) -> Frontend:
    from acoustic.frontends.basic_pitch import BasicPitch

    return BasicPitch(model)


# By name: makes the front end, from a file of weights or from the installed ones.
FRONTENDS: dict[str, Callable[[str | PathLike[str] | None], Frontend]] = {"basic-pitch": _basic_pitch}


def load_frontend(name: str, model: str | PathLike[str] | None = None) -> Frontend:
    """A front end by its name.

    Args:
        model: its file of weights; by default that of its installed package.

    Raises:
        NotebeamError: no front end of that name, or its package is not installed.
    """
    if name not in FRONTENDS:
        raise NotebeamError("frontend", name, f"one of {', '.join(FRONTENDS)}")
    return FRONTENDS[name](model)
