"""Transcription at the steps of a prior that counts in beats: the clock, the key, and which strokes stay.

Is: beats of a recording, given or tracked; decoding in the key that the prior likes best; notes of its roll.
Is not: the tracker (symbolic.beats), the search (symbolic.decoding).
"""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from symbolic.beats.tracking import bars_of, track_beats
from symbolic.clock import Clock, PianoRoll
from symbolic.decoding.decode import decode
from symbolic.decoding.evidence import find_peaks
from symbolic.decoding.results import Decoding
from symbolic.errors import NotebeamError
from symbolic.estimators.ais import AisOptions
from symbolic.evaluation.surprise import best_key
from symbolic.metre import Beats, check_inside, read_beats_file
from symbolic.notes import Notes
from symbolic.pitch import KEYS
from symbolic.posteriorgram import PLANES, Posteriorgram
from symbolic.priors.base import Prior
from symbolic.priors.steps import steps_of
from transcribe.tracking import TrackOptions, runs, struck_notes

AUTO = "auto"  # beats that are tracked
ON_BEAT = 0.25  # of a step: what is struck so near to one is the prior's to decide
FAINT = 0.1  # probability of an onset from which a stroke that the prior wants is taken from the audio
OFF_BEAT = 0.6  # probability of an onset between the steps, of which the prior knows nothing
LONGEST_GAP = 4.0  # seconds from beat to beat, beyond the first and the last
# Of the key's estimate: RBM types need log Z of twelve transpositions.
KEY_ESTIMATE = AisOptions(temperatures=100, runs=8)

Flags = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


def beats_of(
    notes: Notes,
    given: Beats | str | PathLike[str],
    start: float,
    stop: float,
    place: str = "beats",
    *,
    is_part: bool = False,
    damage: Callable[[NotebeamError], None] | None = None,
) -> Beats | None:
    """Beats of a recording that goes from `start` to `stop` seconds.

    Args:
        notes: what was played, from which beats, bars and key are told.
        given: "auto", or beats, or their file, which may leave the bars to be found.
        place: what errors call the recording.
        is_part: there is more of the recording than that; beats of what is there are taken.
        damage: is told of too few notes to tell a beat, of which the result is None; None raises instead.

    Raises:
        NotebeamError: too few notes to tell a beat, a file of something else, beats outside the recording.
    """
    if isinstance(given, Beats):
        inside = _inside(given.times, start, stop, "beats", is_part=is_part)
        if inside.all():
            return given
        return replace(given, times=given.times[inside], downbeat=given.downbeat[inside])
    if str(given) == AUTO:
        try:
            return track_beats(notes)
        except NotebeamError as error:
            fault = NotebeamError(f"{place}: beats", error.value, error.expected)
            if damage is None:
                raise fault from error
            damage(fault)
            return None
    times, downbeat = read_beats_file(given)
    inside = _inside(times, start, stop, str(given), is_part=is_part)
    found = bars_of(times[inside], notes)
    return found if downbeat is None else replace(found, downbeat=downbeat[inside])


def _inside(
    times: NDArray[np.float64], start: float, stop: float, place: str, *, is_part: bool
) -> NDArray[np.bool_]:
    """(N,) which beats are of a recording or, if it is one, of a part of it, two at least."""
    inside = (times >= start) & (times <= stop)
    if is_part:
        if inside.sum() < 2:
            raise NotebeamError(place, f"{inside.sum()} beats from {start:g} to {stop:g} s", "two at least")
        return inside
    check_inside(times, start, stop, place)
    return np.ones(len(times), dtype=np.bool_)


def steps_of_beats(beats: Beats, divisions: int, start: float, stop: float) -> Clock:
    """Steps from before `start` to `stop` seconds; beyond the beats they go on at the tempo of the end."""
    times = beats.times
    before, after = (min(LONGEST_GAP, float(gap)) for gap in (times[1] - times[0], times[-1] - times[-2]))
    early = times[0] - before * np.arange(max(0, int(np.ceil((times[0] - start) / before))), 0, -1)
    late = times[-1] + after * np.arange(1, max(0, int(np.ceil((stop - times[-1]) / after))) + 2)
    return Clock.beats(np.concatenate([early, times, late]), divisions)


def decode_at_beats(
    posteriorgram: Posteriorgram, prior: Prior, options: object, beats: Beats, notes: Notes
) -> Decoding:
    """The decoding at the prior's steps, in the recording's own key.

    The prior hears the music shifted to the key, of twelve, in which the steps of `notes` are likeliest to
    it: the classic sets are all in C.
    """
    card = prior.require_card()
    times = posteriorgram.times
    divisions = int(card.clock["divisions"])  # of a quarter note; a beat of 6/8 is three eighths
    in_beat = divisions * 3 // 2 if beats.division == 3 and divisions % 2 == 0 else divisions
    clock = steps_of_beats(beats, in_beat, float(times[0]), float(times[-1]))
    shift = 0
    if len(notes):
        whole = clock.times[::divisions]
        shift = best_key(prior, steps_of(notes, card, whole).roll, KEY_ESTIMATE)
    found = decode(transposed(posteriorgram, shift), prior, options, clocks=clock)
    evidence = found.evidence
    return replace(
        found,
        rolls=shifted(found.rolls, -shift),
        confidence=shifted(found.confidence, -shift),
        evidence=replace(
            evidence,
            prob=shifted(evidence.prob, -shift),
            time=shifted(evidence.time[:], -shift),
            frame=shifted(evidence.frame, -shift),
        ),
    )


def transposed(posteriorgram: Posteriorgram, semitones: int) -> Posteriorgram:
    """The posteriorgram so many semitones higher; keys that leave the piano are lost."""
    planes: dict[str, Any] = {name: getattr(posteriorgram, name) for name in PLANES}
    moved: dict[str, Any] = {
        name: plane if plane is None else shifted(plane, semitones) for name, plane in planes.items()
    }
    return replace(posteriorgram, **moved)


def shifted(planes: npt.NDArray[Scalar], semitones: int) -> npt.NDArray[Scalar]:
    """Planes (..., 88) whose keys lie so many semitones higher; what enters at the edge is 0."""
    moved = np.roll(planes, semitones, axis=-1)
    if semitones:
        moved[..., slice(0, semitones) if semitones >= 0 else slice(semitones, None)] = 0
    return moved


def notes_at_beats(decoding: Decoding, posteriorgram: Posteriorgram, options: TrackOptions) -> Notes:
    """Notes of a roll of sounding keys at steps of beats, at the times at which they were struck.

    A stroke on a step stays if its key sounds there by the roll; between two steps, of which the prior knows
    nothing, if it is likely by itself. Keys that begin to sound without any stroke begin at the step.
    """
    if posteriorgram.onset is None:
        return runs_of(decoding, posteriorgram, options)
    roll, times = decoding.roll, decoding.clock.times
    peaks = find_peaks(posteriorgram.onset, posteriorgram.hop)
    seconds = np.interp(peaks.place, np.arange(posteriorgram.count), posteriorgram.times)
    step, near = _nearest(times, seconds)
    sounds = roll[step, peaks.key]
    kept = np.where(near, sounds & (peaks.value >= FAINT), peaks.value >= OFF_BEAT)
    key, onset, frame = peaks.key[kept], seconds[kept], peaks.frame[kept]
    silent_step, silent_key = _without_stroke(roll, step[kept], key)
    at = times[silent_step]
    place = ((at - posteriorgram.start) / posteriorgram.hop).round().astype(np.int64)
    place = place.clip(0, posteriorgram.count - 1)
    prob = np.concatenate([peaks.value[kept], decoding.confidence[silent_step, silent_key]])
    key, onset = np.concatenate([key, silent_key]), np.concatenate([onset, at])
    frame = np.concatenate([frame, place])
    order = np.lexsort((onset, key))
    return struck_notes(key[order], onset[order], frame[order], prob[order], posteriorgram, options)


def runs_of(decoding: Decoding, posteriorgram: Posteriorgram, options: TrackOptions) -> Notes:
    """Notes as exact as the steps, of a posteriorgram that knows no onsets."""
    return runs(PianoRoll(decoding.roll, decoding.clock), posteriorgram, options)


def _nearest(
    times: npt.NDArray[np.float64], seconds: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], Flags]:
    """(N,) nearest step of each time, and whether it is within ON_BEAT of a step's length."""
    edges = (times[1:] + times[:-1]) / 2
    step = np.searchsorted(edges, seconds)
    lengths = np.diff(times, append=2 * times[-1] - times[-2])
    return step, np.abs(seconds - times[step]) <= ON_BEAT * lengths[step]


def _without_stroke(
    roll: Flags, step: npt.NDArray[np.int64], key: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Steps and keys at which the roll (T, 88) begins to sound, and no stroke was near that step."""
    struck = np.zeros((len(roll) + 2, KEYS), dtype=np.bool_)
    struck[step + 1, key] = True
    near = struck[:-2] | struck[1:-1] | struck[2:]
    begins = roll & ~np.pad(roll, ((1, 0), (0, 0)))[:-1]
    found_step, found_key = np.nonzero(begins & ~near)
    return found_step, found_key
