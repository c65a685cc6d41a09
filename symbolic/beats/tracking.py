"""Beats, bars, metre and key of notes: the networks, the two searches, and the key's profiles."""

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.chords import chords_of
from symbolic.beats.key import key_signature
from symbolic.beats.network import Readings
from symbolic.beats.search import COSTS, Costs, find_beats, find_downbeats
from symbolic.beats.tempo import Tracker, shipped_tracker
from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.notes import Notes

FEWEST = 8  # chords: of fewer no beat can be told
NEAR = 0.1  # seconds from a given beat to the chord that tells whether it begins a bar


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
    readings = (tracker or shipped_tracker()).read(chords)
    return beats_of_readings(readings, key_signature(notes), costs)


def beats_of_readings(readings: Readings, fifths: int | None, costs: Costs = COSTS) -> Beats:
    """Beats and bars from the networks' answers, of music with a key signature of so many sharps."""
    return _with_bars(find_beats(readings, costs), readings, fifths, costs)


def bars_of(
    times: NDArray[np.float64], notes: Notes, tracker: Tracker | None = None, costs: Costs = COSTS
) -> Beats:
    """Bars and key signature of a performance whose beats (N,), in seconds, are given."""
    chords = chords_of(notes)
    if not len(chords.time):
        return Beats(times, np.arange(len(times)) % 4 == 0)
    readings = (tracker or shipped_tracker()).read(chords)
    return _with_bars(times, readings, key_signature(notes), costs)


def _with_bars(times: NDArray[np.float64], readings: Readings, fifths: int | None, costs: Costs) -> Beats:
    place = np.searchsorted(readings.time, times).clip(1, max(1, len(readings.time) - 1))
    before = (place - 1).clip(0)
    place = place.clip(max=len(readings.time) - 1)
    is_before = times - readings.time[before] <= readings.time[place] - times
    chord = np.where(is_before, before, place)
    near = np.abs(readings.time[chord] - times) <= NEAR
    # A beat without a chord says nothing of its own.
    log_odds = np.where(near, readings.downbeat[chord], 0.0).astype(np.float32)
    downbeat = find_downbeats(log_odds, readings.bar[chord], costs)
    return Beats(times, downbeat, division=3 if readings.thirds.mean() > 0 else 2, fifths=fifths)
