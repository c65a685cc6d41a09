"""What `transcribe` finds: the notes of a recording, and what they were made from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from symbolic.checks import of_type
from symbolic.decoding.options import Beam
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
    alternatives: tuple[Notes, ...] = ()  # of the next best hypotheses, where `Beam.n_best` asks for them

    def __post_init__(self) -> None:
        of_type(self.notes, Notes, "Transcription.notes", "Notes")
        of_type(self.posteriorgram, Posteriorgram, "Transcription.posteriorgram", "a Posteriorgram")
        of_type(self.decoding, Decoding, "Transcription.decoding", "a Decoding")


def asked_for(decoding: Decoding, options: object) -> Iterator[Decoding]:
    """The decoding and, if the options say how many hypotheses are wanted, one for each that is next best."""
    yield decoding
    count = options.n_best or 1 if isinstance(options, Beam) else 1
    for row in range(1, min(count, len(decoding.rolls))):
        yield replace(decoding, rolls=decoding.rolls[row : row + 1])
