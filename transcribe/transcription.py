"""What `transcribe` finds: the notes of a recording, and what they were made from."""

from dataclasses import dataclass

from symbolic.checks import of_type
from symbolic.decoding.results import Decoding
from symbolic.metre import Beats
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram


@dataclass(frozen=True, eq=False)
class Transcription:
    """Notes, and what they were made from.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> p = nb.Posteriorgram(frame=np.zeros((50, 88)), hop=0.02)
    >>> found = nb.Transcriber(prior=None).transcribe_posteriorgram(p)
    >>> len(found.notes), found.posteriorgram.count, found.decoding.plane
    (0, 50, 'active')
    """

    notes: Notes
    posteriorgram: Posteriorgram
    decoding: Decoding
    beats: Beats | None = None  # if they were asked for

    def __post_init__(self) -> None:
        of_type(self.notes, Notes, "Transcription.notes", "Notes")
        of_type(self.posteriorgram, Posteriorgram, "Transcription.posteriorgram", "a Posteriorgram")
        of_type(self.decoding, Decoding, "Transcription.decoding", "a Decoding")
