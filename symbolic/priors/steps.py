"""Music as a prior's steps, and back: notes to a roll by the card's clock, a roll to notes.

Is: MIDI files read for a prior, transposition, the clock of further steps, notes of sampled rolls.
Is not: any model, or clocks as such (symbolic.clock).

A step of frames is filled as in training, by the nearest step. A step of beats holds what sounds there, as in
the classic sets: a note that comes and goes between two of them leaves no trace.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symbolic.clock import MADE_VELOCITY, Clock, PianoRoll, filled_roll
from symbolic.errors import NotebeamError
from symbolic.midi import read_beats, read_midi
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, KEYS, LOWEST, key_of, pitch_of
from symbolic.priors.base import PriorCard

Roll = NDArray[np.bool_]  # (T, visible)
EARLY = 0.1  # of a step of beats: what begins so much later at most still counts as on the beat
ROUNDING = 1e-3  # seconds; a tick of a file is at most about that
HOLD = 0.5  # seconds that a key sounds at most of which only the stroke is known


@dataclass(frozen=True, eq=False)
class Steps:
    """Notes, and the steps that a prior makes of them."""

    notes: Notes
    clock: Clock  # T steps
    roll: Roll  # (T, visible)
    first: NDArray[np.int64]  # (N,) step at which each note begins; -1: it lies between the steps


def read_steps(path: str | os.PathLike[str], card: PriorCard, stop: float | None = None) -> Steps:
    """The notes of a MIDI file, up to `stop` seconds, as steps of a prior; no note at all is an error.

    Beats are the file's own quarter notes. Frames count the pedal as sound, as the performances do from which
    such priors learn; beats do not, as scores do not.
    """
    planes_of(card)
    beaten = card.clock["kind"] == "beats"
    notes = read_midi(path, pedal="keys" if beaten else "extend")
    if stop is not None:
        # Files round their times: what is struck at `stop` must not slip in as a note of no length.
        notes = notes.cut(-np.inf, stop - ROUNDING)
    if not len(notes):
        where = f"from {LOWEST} to {HIGHEST}, not drums" + ("" if stop is None else f", before {stop:g} s")
        raise NotebeamError(str(path), "no notes", f"a MIDI file with notes of a piano ({where})")
    return steps_of(notes, card, read_beats(path) if beaten else ())


def steps_of(notes: Notes, card: PriorCard, beats: ArrayLike = ()) -> Steps:
    """Notes (one at least) as steps of a prior, from the first note to the end of the last.

    beats: (M,) seconds of the beats, for a card that counts in them; from before the first note to after the
    last.
    """
    planes = planes_of(card)
    if card.clock["kind"] == "beats":
        clock = _beaten(notes, beats, int(card.clock.get("divisions", 1)))
        first, active, struck = _sampled(notes, clock)
    else:
        hop, start = float(card.clock["hop"]), float(notes.onset[0])
        clock = Clock.frames(int(np.ceil((notes.offset.max() - start) / hop)) + 1, hop, start)
        first, sounding = clock.steps_of(notes.onset), clock.active_roll(notes)
        assert sounding.struck is not None
        active, struck = sounding.active, sounding.struck
    if planes == 2:
        return Steps(notes, clock, np.concatenate([active, struck], 1), first)
    return Steps(notes, clock, struck if card.plane == "struck" else active, first)


def planes_of(card: PriorCard) -> int:
    """How many bits of a step a key has: 1, or 2 (sounding, struck). A prior of anything else is refused."""
    planes = 2 if card.plane == "both" else 1
    if card.visible != planes * KEYS or card.plane == "values" or card.clock["kind"] == "steps":
        got = f"{card.visible} numbers a step ({card.plane})"
        raise NotebeamError(f"prior {card.full_name}", got, f"a prior of the {KEYS} keys of a piano")
    return planes


def transposed(roll: Roll, semitones: int) -> Roll | None:
    """The roll so many semitones higher; None where a key would leave the piano."""
    planes = roll.reshape(len(roll), -1, KEYS)
    keys = np.flatnonzero(planes.any((0, 1)))
    if len(keys) and not 0 <= keys[0] + semitones <= keys[-1] + semitones < KEYS:
        return None
    return np.roll(planes, semitones, axis=2).reshape(roll.shape)


def clock_for(card: PriorCard, count: int, tempo: float, start: float = 0.0) -> Clock:
    """`count` steps of a prior from `start` seconds on; `tempo`, quarter notes a minute, is that of beats."""
    if card.clock["kind"] != "beats":
        return Clock.frames(count, float(card.clock["hop"]), start)
    length = 60 / tempo / float(card.clock.get("divisions", 1))
    return Clock(start + length * np.arange(count, dtype=np.float64), "beats", last=length)


def notes_of_steps(roll: Roll, clock: Clock, card: PriorCard, hold: float = HOLD) -> Notes:
    """Notes of a roll (T, visible).

    Of sounding keys: a key that is on at consecutive steps is one note, since one plane cannot tell a key
    held from a key struck again. Of struck keys: a note lasts until its key is struck again, `hold` seconds
    at most.
    """
    if planes_of(card) == 2:
        active, struck = roll[:, :KEYS], roll[:, KEYS:]
        return clock.notes_of(PianoRoll(active | struck, clock, struck))  # not every model joins the two
    if card.plane != "struck":
        return clock.notes_of(PianoRoll(roll, clock))
    key, step = np.nonzero(roll.T)
    onset = clock.times[step]
    following = np.append(np.where(key[1:] == key[:-1], onset[1:], np.inf), [np.inf])[: len(key)]
    velocity = np.full(len(key), MADE_VELOCITY)
    return Notes.make(onset, np.minimum(onset + hold, following), pitch_of(key), velocity, place="roll")


def _beaten(notes: Notes, beats: ArrayLike, divisions: int) -> Clock:
    """Steps from the first that can hold the first note to the last before the end of the last note.

    No note is struck after them, not even one that is over before a step could look at it.
    """
    clock = Clock.beats(beats, divisions)
    begin = min(int(np.searchsorted(_samples(clock), notes.onset[0])), len(clock) - 1)
    seen = int(np.searchsorted(_samples(clock), notes.offset.max()))
    end = max(begin + 1, seen, int(np.searchsorted(clock.times, notes.onset[-1], side="right")))
    times = np.append(clock.times, clock.end)
    return Clock(times[begin:end], "beats", last=float(times[end] - times[end - 1]))


def _samples(clock: Clock) -> NDArray[np.float64]:
    """(T,) seconds at which a step of beats looks at what sounds."""
    lengths = np.diff(clock.times, append=clock.end)
    return np.asarray(clock.times + EARLY * lengths, dtype=np.float64)


def _sampled(notes: Notes, clock: Clock) -> tuple[NDArray[np.int64], Roll, Roll]:
    """First step of each note (-1: between two), and the planes of what sounds and of what is new."""
    samples = _samples(clock)
    first, stop = np.searchsorted(samples, notes.onset), np.searchsorted(samples, notes.offset)
    key, seen = key_of(notes.pitch), first < stop
    struck = np.zeros((len(clock), KEYS), dtype=np.bool_)
    struck[first[seen], key[seen]] = True
    return np.where(seen, first, -1), filled_roll(first, stop, key, len(clock)), struck
