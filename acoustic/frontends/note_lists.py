"""Note lists with confidences, as systems like MT3 give them, which put out notes and no probabilities."""

import math

import numpy as np
import numpy.typing as npt

from symbolic.checks import of_type, real
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import KEYS, LOWEST
from symbolic.posteriorgram import LATEST, Posteriorgram

HOP = 0.01  # seconds
HOPS = (1e-3, 0.1)  # seconds, the shortest and the longest
SHORTEST = 0.06  # seconds that a note sounds at least: an onset that no sound follows is not believed
CONFIDENCE = 0.9  # of notes that come without one


def posteriorgram_of_notes(
    notes: Notes, *, hop: float = HOP, duration: float = 0.0, source: str = "", model: str = ""
) -> Posteriorgram:
    """A posteriorgram in which each note is an onset as likely as its confidence, and then sounds.

    Of two onsets of a key within three frames only the likelier one may be found again. A note sounds for 60
    ms at least.

    Args:
        notes: with `confidence`, 0..1; without, each has 0.9.
        hop: seconds between frames, 0.001 to 0.1; onsets are kept more exactly than that.
        duration: of the recording, seconds; 0: until the last offset.

    Raises:
        NotebeamError: a hop or a duration that is none, no Notes, or notes before 0 s.

    >>> import notebeam as nb
    >>> notes = nb.Notes.make([0.503], [1.0], [60], [80], confidence=[0.7])
    >>> p = posteriorgram_of_notes(notes)
    >>> float(p.onset.max().round(2)), float(p.frame[75, 39])
    (0.7, 1.0)
    """
    of_type(notes, Notes, "posteriorgram_of_notes(notes)", "Notes: Notes.make(...), or read_midi of a file")
    expected = f"seconds from {HOPS[0]:g} to {HOPS[1]:g}"
    if not HOPS[0] <= real(hop, "posteriorgram_of_notes(hop)", expected) <= HOPS[1]:
        raise NotebeamError("posteriorgram_of_notes(hop)", hop, expected)
    expected = f"seconds from 0 to {LATEST:g}"
    if not 0 <= real(duration, "posteriorgram_of_notes(duration)", expected) <= LATEST:
        raise NotebeamError("posteriorgram_of_notes(duration)", duration, expected)
    if len(notes) and notes.onset[0] < 0:
        raise NotebeamError("posteriorgram_of_notes(notes)", float(notes.onset[0]), "onsets from 0 s")
    end = max(duration, float(notes.offset.max(initial=0.0)))
    count = int(end / hop) + 2 + math.ceil(SHORTEST / hop)
    frame, onset, velocity = np.zeros((3, count, KEYS), dtype=np.float32)
    key = notes.pitch - LOWEST
    confidence = np.full(len(notes), CONFIDENCE) if notes.confidence is None else notes.confidence
    first = np.rint(notes.onset / hop).astype(np.int64)
    _strike(onset, first, key, confidence, notes.onset / hop - first)
    last = np.maximum(first + math.ceil(SHORTEST / hop), np.rint(notes.offset / hop).astype(np.int64))
    for start, stop, k in zip(first, last, key, strict=True):
        frame[start:stop, k] = 1.0
    order = np.argsort(confidence, kind="stable")  # of two at one place the likelier one stays
    velocity[first[order], key[order]] = notes.velocity[order] / 127
    return Posteriorgram(frame, onset, None, velocity, hop=hop, duration=end, source=source, model=model)


def _strike(
    onset: npt.NDArray[np.float32],
    frame: npt.NDArray[np.int64],
    key: npt.NDArray[np.int64],
    value: npt.NDArray[np.floating],
    rest: npt.NDArray[np.float64],
) -> None:
    """Put peaks into a plane (T, 88), whose centre of mass is `rest` (-0.5..0.5) frames after `frame`."""
    beside = frame + np.where(rest < 0, -1, 1)
    share = value * np.abs(rest) / (1 - np.abs(rest))
    inside = (beside >= 0) & (beside < len(onset))
    np.maximum.at(onset, (frame, key), value.astype(np.float32))
    np.maximum.at(onset, (beside[inside], key[inside]), share[inside].astype(np.float32))
