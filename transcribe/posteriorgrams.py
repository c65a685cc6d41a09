"""The posteriorgram to transcribe: out of its file, and a part of its time."""

from pathlib import Path

from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram


def read_posteriorgram(path: Path) -> Posteriorgram:
    """A posteriorgram's `.npz`, or what basic-pitch saved."""
    from acoustic.frontends.basic_pitch_output import is_basic_pitch, read_basic_pitch

    return read_basic_pitch(path) if is_basic_pitch(path) else Posteriorgram.load(path)


def between(posteriorgram: Posteriorgram, start: float, stop: float | None, place: str) -> Posteriorgram:
    """The frames with start <= time < stop, seconds, at their old times."""
    times = posteriorgram.times
    first = int(times.searchsorted(start - posteriorgram.hop / 2))
    last = posteriorgram.count if stop is None else int(times.searchsorted(stop - posteriorgram.hop / 2))
    if (first, last) == (0, posteriorgram.count):
        return posteriorgram
    if first >= last:
        end = "its end" if stop is None else f"{stop:g} s"
        found = f"{times[0]:.1f} to {times[-1]:.1f} s" if len(times) else "no frames"
        raise NotebeamError(place, found, f"frames between {start:g} s and {end}")
    return posteriorgram.part(first, last)
