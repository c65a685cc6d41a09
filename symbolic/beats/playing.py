"""Written music as somebody might play it, for the networks of beats to learn from."""

import numpy as np

from symbolic.beats.excerpts import Piece
from symbolic.datasets.asap import Annotation
from symbolic.datasets.written import Score
from symbolic.notes import Notes

QUARTERS_A_MINUTE = (60.0, 110.0)
LEAD_IN = 1.0  # seconds of silence
UNEVEN = 0.01  # seconds: deviation of an onset
MELODY_AHEAD = 0.02  # seconds at most, of the highest voice
SHORTEST = 0.05  # seconds of a note


def play(score: Score, draw: np.random.Generator, tempo: float | None = None) -> Piece:
    """Notes and beats in seconds, at `tempo` quarters a minute or one that is drawn.

    The tempo is even; `excerpts.played_otherwise` makes it waver. The highest voice is louder and early;
    articulation, loudness and the pedal differ from piece to piece.
    """
    quarter = 60 / (draw.uniform(*QUARTERS_A_MINUTE) if tempo is None else tempo)
    count, first = len(score.onset), score.onset.min()
    melody = np.append(np.diff(score.onset) > 0, True)  # the last, so the highest, of a chord
    onset = LEAD_IN + (score.onset - first) * quarter
    onset = onset + draw.normal(0, UNEVEN, count) - melody * draw.uniform(0, MELODY_AHEAD)
    stop = LEAD_IN + (score.onset - first + score.duration * draw.uniform(0.7, 1.0)) * quarter
    stop = stop + draw.choice([0.0, draw.uniform(0, 0.6)])  # a pedal's
    velocity = draw.uniform(50, 75) + draw.normal(0, 6, count) + melody * draw.uniform(0, 14)
    notes = Notes.make(
        np.maximum(onset, 0),
        np.maximum(stop, onset + SHORTEST),
        score.pitch,
        velocity.round().clip(1, 127).astype(int),
        place=score.name,
    )
    beats = LEAD_IN + (score.beats - first) * quarter
    return Piece(notes, Annotation(beats, score.downbeat, score.thirds, score.fifths))
