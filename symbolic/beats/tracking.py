"""Beats, bars, metre and key of notes: the networks, the two searches, and the key's profiles."""

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.chords import Chords, chords_of
from symbolic.beats.division import division_of
from symbolic.beats.key import key_signature
from symbolic.beats.network import Readings
from symbolic.beats.search import COSTS, Costs, find_beats
from symbolic.beats.tracker import Tracker, shipped_tracker
from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.notes import Notes

FEWEST = 8  # chords: of fewer no beat can be told


def track_beats(notes: Notes, tracker: Tracker | None = None, costs: Costs = COSTS) -> Beats:
    """Beats, bars and key signature of a performance.

    Args:
        notes: any piano music, played in any tempo.
        tracker: by default the networks that come with the package.
        costs: of the searches.

    Raises:
        NotebeamError: too few notes to tell a beat.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> from symbolic.beats.tracking import track_beats
    >>> onset = np.arange(64) * 0.25
    >>> pitch, velocity = np.tile([48, 64, 67, 72], 16), np.tile([80, 60, 60, 60], 16)
    >>> len(track_beats(nb.Notes.make(onset, onset + 0.2, pitch, velocity))) > 8
    True
    """
    chords = chords_of(notes)
    if len(chords.time) < FEWEST:
        got = f"{len(chords.time)} moments at which notes begin"
        raise NotebeamError("beats", got, f"{FEWEST} at least, or beats that are given")
    tracker = tracker or shipped_tracker()
    readings = tracker.read(chords)
    times = find_beats(readings, costs)
    return _with_bars(times, chords, readings, key_signature(notes), tracker, costs)


def bars_of(
    times: NDArray[np.float64], notes: Notes, tracker: Tracker | None = None, costs: Costs = COSTS
) -> Beats:
    """Bars and key signature of a performance whose beats (N,), in seconds, are given."""
    chords = chords_of(notes)
    if not len(chords.time):
        return Beats(times, np.arange(len(times)) % 4 == 0)
    tracker = tracker or shipped_tracker()
    return _with_bars(times, chords, tracker.read(chords), key_signature(notes), tracker, costs)


def _with_bars(
    times: NDArray[np.float64],
    chords: Chords,
    readings: Readings,
    fifths: int | None,
    tracker: Tracker,
    costs: Costs,
) -> Beats:
    downbeat = tracker.downbeats(times, chords, readings, costs)
    return Beats(times, downbeat, division=division_of(times, chords.time), fifths=fifths)
