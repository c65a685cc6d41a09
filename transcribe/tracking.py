"""From a decoded roll to notes: onset, offset and velocity of each, read off the posteriorgram."""

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from symbolic.checks import Checked
from symbolic.clock import PianoRoll
from symbolic.decoding.results import Decoding
from symbolic.notes import Notes
from symbolic.pitch import KEYS, pitch_of
from symbolic.planes import let_go
from symbolic.posteriorgram import Posteriorgram

Floats = npt.NDArray[np.floating]
Times = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

UNKNOWN_VELOCITY = 64  # of a posteriorgram without velocities
_PROBABILITIES = ("frame_threshold", "held_threshold", "offset_threshold")
_SHIFTS = ("onset_shift", "offset_shift")


@dataclass(frozen=True, kw_only=True)
class TrackOptions(Checked):
    """How notes are read off; thresholds are probabilities, all the rest are seconds."""

    frame_threshold: float = 0.5  # a key sounds above this
    held_threshold: float = 0.5  # a key is down above this
    offset_threshold: float = 0.5  # a peak of the offset plane above this ends a note that is falling
    gap: float = 0.04  # a key silent for a shorter time than this still sounds
    lead: float = 0.1  # the frame plane may light up this much after the onset
    shortest: float = 0.03  # least length of a note whose key is not struck again sooner
    sounding: float = 0.0  # a key that is struck is to sound for so long, or it is no note
    min_note: float = 0.0  # shorter notes are dropped
    onset_shift: float = 0.0  # added to every onset
    offset_shift: float = 0.0  # added to every offset

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            if name in _PROBABILITIES:
                self._check_between(name, 0, 1, "a probability 0..1")
            elif name in _SHIFTS:
                self._check_between(name, -math.inf, math.inf, "finite seconds")
            else:
                self._check_between(name, 0, math.inf, "seconds >= 0")


def track_notes(decoding: Decoding, posteriorgram: Posteriorgram, options: TrackOptions) -> Notes:
    """Notes of the best hypothesis."""
    roll = np.asarray(decoding.roll)
    if decoding.plane == "active":
        return runs(PianoRoll(roll, decoding.clock), posteriorgram, options)
    evidence = decoding.evidence
    prob = evidence.prob if decoding.posterior is None else decoding.posterior
    # Key by key, in time: the order in which `struck_notes` looks for the next onset of the key.
    key, step = np.nonzero(roll.T)
    return struck_notes(
        key,
        evidence.time[step, key].astype(np.float64),  # of the strokes alone: a plane is 100 MB an hour
        evidence.frame[step, key].astype(np.int64),
        prob[step, key],
        posteriorgram,
        options,
    )


def struck_notes(
    key: Indices,
    onset: Times,
    frame: Indices,
    prob: Floats,
    posteriorgram: Posteriorgram,
    options: TrackOptions,
) -> Notes:
    """Notes of N strokes, sorted by key and then time.

    Args:
        key: (N,) 0..87.
        onset: (N,) seconds, refined to less than a frame.
        frame: (N,) frame of the posteriorgram at which the onset peaks.
        prob: (N,) probability that it was struck, the confidence of the note.
        posteriorgram: where the offsets and velocities are read.
        options: thresholds.
    """
    if options.sounding:
        # Other systems' onset planes have peaks that no sound follows; left out here, they cut no other note.
        keep = sounding_seconds(frame, key, posteriorgram, options) >= options.sounding - 1e-9
        key, onset, frame, prob = key[keep], onset[keep], frame[keep], prob[keep]
    offset = np.empty(len(key))
    released = None if posteriorgram.held is None else np.empty(len(key))
    for k in np.unique(key):
        rows = slice(*np.searchsorted(key, (k, k + 1)))
        offset[rows] = _ends(frame[rows], onset[rows], int(k), posteriorgram, options)
        if released is not None:
            released[rows] = _releases(frame[rows], onset[rows], int(k), posteriorgram, options)
        let_go(posteriorgram.frame)  # one file has all planes
    velocity = _velocities(posteriorgram, frame, key)
    return _finished(onset, offset, key, velocity, prob, options, released)


def runs(roll: PianoRoll, posteriorgram: Posteriorgram, options: TrackOptions) -> Notes:
    """Notes of a roll of sounding keys: its runs, as exact as its steps."""
    notes = roll.clock.notes_of(roll)
    first, stop = (
        ((times - posteriorgram.start) / posteriorgram.hop).round().astype(np.int64)
        for times in (notes.onset, notes.offset)
    )
    first = first.clip(0, max(0, posteriorgram.count - 1))
    stop = np.maximum(stop, first + 1).clip(0, posteriorgram.count)
    key = notes.pitch - pitch_of(0)
    # Means of stretches of the frame plane by differences of its running sum.
    total = np.pad(np.cumsum(posteriorgram.frame, axis=0, dtype=np.float64), ((1, 0), (0, 0)))
    confidence = (total[stop, key] - total[first, key]) / np.maximum(1, stop - first)
    velocity = _velocities(posteriorgram, first, key)
    return _finished(notes.onset, notes.offset, key, velocity, confidence.clip(0, 1), options)


def _ends(
    frame: Indices, onset: Times, key: int, posteriorgram: Posteriorgram, options: TrackOptions
) -> Times:
    """Offsets (N,) seconds of N strokes of one key, in time: silence or an offset peak."""
    level = posteriorgram.frame[:, key]
    first, end, lights = _stretches(frame, level, options.frame_threshold, posteriorgram.hop, options)
    if posteriorgram.offset is not None:
        peaks = _offset_peaks(posteriorgram.offset[:, key], level, options.offset_threshold)
        peaks = np.append(peaks, posteriorgram.count)
        peak = peaks[np.searchsorted(peaks, first, side="right")]
        end = np.where(peak < end, peak, end)
    return np.where(lights, end * posteriorgram.hop + posteriorgram.start, onset + options.shortest)


def sounding_seconds(
    frame: Indices, key: Indices, posteriorgram: Posteriorgram, options: TrackOptions
) -> Times:
    """(N,) seconds for which the frame plane follows N strokes, sorted by key, struck again or not.

    Of a stroke that still sounds at the end of the recording it is infinite.
    """
    result = np.zeros(len(key))
    for k in np.unique(key):
        rows = slice(*np.searchsorted(key, (k, k + 1)))
        level = posteriorgram.frame[:, k]
        first, end, lights = _stretches(
            frame[rows], level, options.frame_threshold, posteriorgram.hop, options
        )
        lit = np.where(end >= posteriorgram.count - 0.5, np.inf, (end - first) * posteriorgram.hop)
        result[rows] = np.where(lights, lit, 0.0)
    return result


def _releases(
    frame: Indices, onset: Times, key: int, posteriorgram: Posteriorgram, options: TrackOptions
) -> Times:
    """(N,) seconds at which the key of N strokes, in time, goes up."""
    assert posteriorgram.held is not None
    level = posteriorgram.held[:, key]
    _, end, lights = _stretches(frame, level, options.held_threshold, posteriorgram.hop, options)
    return np.where(lights, end * posteriorgram.hop + posteriorgram.start, onset + options.shortest)


def _stretches(
    frame: Indices, level: Floats, threshold: float, hop: float, options: TrackOptions
) -> tuple[Indices, Times, npt.NDArray[np.bool_]]:
    """Where N strokes of a key light up its level (T,), where that falls again, and whether it lit up at all.

    Both in frames, the end between two of them.
    """
    count = len(level)
    sounds = level >= threshold
    lit = np.append(np.flatnonzero(sounds), count)
    first = lit[np.searchsorted(lit, frame)]  # first frame that sounds
    lights = (first < count) & ((first - frame) * hop <= options.lead)
    first = np.minimum(first, count - 1)
    silences = np.append(_silences(sounds, max(1, round(options.gap / hop))), count)
    end = silences[np.searchsorted(silences, first, side="right")]
    return first, np.where(end < count, _crossings(level, end, threshold), count - 0.5), lights


def _silences(sounds: npt.NDArray[np.bool_], gap: int) -> Indices:
    """Frames, in order, at which `gap` silent frames begin; after the recording all is silent."""
    quiet = np.cumsum(np.concatenate([[False], ~sounds, np.ones(gap - 1, dtype=np.bool_)]))
    return np.flatnonzero(quiet[gap:] - quiet[:-gap] == gap)


def _crossings(level: Floats, end: Indices, threshold: float) -> Times:
    """Where, in frames between end - 1 (sounds) and end (silent), the level falls through the threshold."""
    after = level[np.minimum(end, len(level) - 1)].astype(np.float64)
    before = level[np.maximum(end - 1, 0)].astype(np.float64)
    fall = np.maximum(before - after, 1e-9)
    return np.asarray(end - 1 + np.clip((before - threshold) / fall, 0.0, 1.0))


def _offset_peaks(offset: Floats, level: Floats, threshold: float) -> Indices:
    """Frames of local maxima of the offset plane at which the key's level falls."""
    padded = np.pad(offset, 1)
    peak = (offset >= threshold) & (offset >= padded[:-2]) & (offset > padded[2:])
    around = np.pad(level, 1, mode="edge")
    return np.flatnonzero(peak & (around[2:] < around[:-2])).astype(np.int64)


def _velocities(posteriorgram: Posteriorgram, frame: Indices, key: Indices) -> Indices:
    """(N,) 1..127, read at the onsets' peaks."""
    if posteriorgram.velocity is None or not len(key):
        return np.full(len(key), UNKNOWN_VELOCITY)
    level = posteriorgram.velocity[frame, key].astype(np.float64)
    return np.rint(level * 127).clip(1, 127).astype(np.int64)


def _finished(
    onset: Times,
    offset: Times,
    key: Indices,
    velocity: Indices,
    prob: Floats,
    options: TrackOptions,
    released: Times | None = None,
) -> Notes:
    """Shifts, the key's next stroke, least length and `Notes`."""
    assert ((key >= 0) & (key < KEYS)).all()
    onset = np.maximum(0.0, onset + options.onset_shift)
    offset = np.maximum(offset + options.offset_shift, onset + options.shortest)
    order = np.lexsort((onset, key))
    again = key[order][1:] == key[order][:-1]
    following = np.append(np.where(again, onset[order][1:], np.inf), np.inf)[: len(order)]
    offset[order] = np.minimum(offset[order], following)
    # Two strokes may be shifted to the same moment; no note may have length zero.
    keep = (offset - onset >= options.min_note) & (offset > onset)
    if released is not None:
        least = np.minimum(onset + max(options.shortest, 1e-3), offset)
        released = np.clip(released + options.offset_shift, least, offset)[keep]
    return Notes.make(
        onset[keep],
        offset[keep],
        pitch_of(key[keep]),
        velocity[keep],
        np.asarray(prob)[keep],
        released,
        place="tracking",
    )
