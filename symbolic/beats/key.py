"""The key signature of notes, by the profiles of Krumhansl and Kessler (1982)."""

import numpy as np

from symbolic.notes import Notes

# How well each semitone above the tonic fits a key, as listeners rated it.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
FLATTEST = -5  # of the twelve signatures written, the one with the most flats: -5..6
LONGEST = 2.0  # seconds of a note that count


def key_signature(notes: Notes) -> int | None:
    """Sharps (flats below 0), -5..6, of the key whose profile correlates best with the notes' lengths.

    A minor key has the signature of its relative major; None of no notes.
    """
    if not len(notes):
        return None
    lengths = np.minimum(notes.offset - notes.onset, LONGEST)
    weights = np.bincount(notes.pitch % 12, lengths, 12)
    fits = [
        (float(np.corrcoef(np.roll(profile, tonic), weights)[0, 1]) if weights.std() else 0.0, tonic + up)
        for profile, up in ((MAJOR, 0), (MINOR, 3))
        for tonic in range(12)
    ]
    major_tonic = max(fits)[1]
    # A fifth up is a sharp more: 7 semitones, and 7 * 7 = 49 is 1 in twelve.
    return (major_tonic * 7 - FLATTEST) % 12 + FLATTEST
