"""Which notes and frames of two transcriptions are the same, by mir_eval, and the ratios that follow."""

from typing import NamedTuple

import mir_eval
import numpy as np
import numpy.typing as npt

from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST, hertz

TOLERANCE = 0.05  # seconds
WIDE_TOLERANCE = 0.1  # seconds: was the note detected at all
VELOCITY_TOLERANCE = 0.1  # of the reference's range
GRID = 0.01  # seconds between the frames of the frame scores


class Ratios(NamedTuple):
    """Precision, recall and their harmonic mean, each 0..1."""

    precision: float
    recall: float
    f1: float


def median_deviation(reference: Notes, estimate: Notes) -> float:
    """Median of estimated - reference onset over the notes matched within 100 ms, seconds; 0 without any.

    A microphone far from the piano, or a label made from MIDI, is late as a whole; this is by how much.
    """
    pairs = matched(reference, estimate, estimate.onset, tolerance=WIDE_TOLERANCE)
    if not len(pairs):
        return 0.0
    return float(np.median(estimate.onset[pairs[:, 1]] - reference.onset[pairs[:, 0]]))


def aligned_onset(reference: Notes, estimate: Notes) -> npt.NDArray[np.float64]:
    """(N,) the estimate's onsets, seconds, its median deviation removed."""
    return estimate.onset - median_deviation(reference, estimate)


def onset_ratios(
    reference: Notes,
    estimate: Notes,
    *,
    onset: npt.NDArray[np.float64] | None = None,
    tolerance: float = TOLERANCE,
    offset_ratio: float | None = None,
) -> Ratios:
    """Ratios of notes found; `onset` (N,) s replaces the estimate's; `offset_ratio` None ignores offsets."""
    onset = estimate.onset if onset is None else onset
    pairs = matched(reference, estimate, onset, tolerance=tolerance, offset_ratio=offset_ratio)
    return _ratios(len(pairs), len(reference), len(estimate))


def velocity_ratios(reference: Notes, estimate: Notes) -> Ratios:
    """Ratios of notes found with onset, offset and velocity right.

    As `mir_eval.transcription_velocity`, whose matrices of all notes by all notes an hour of music does not
    fit into: a line through the velocities of all matched notes, then those within a tenth of the range.
    """
    pairs = matched(reference, estimate, estimate.onset, tolerance=TOLERANCE, offset_ratio=0.2)
    if not len(pairs):
        return Ratios(0.0, 0.0, 0.0)
    played = (reference.velocity - reference.velocity.min()) / max(1, np.ptp(reference.velocity))
    true, found = played[pairs[:, 0]], estimate.velocity[pairs[:, 1]].astype(np.float64)
    line = np.stack([found, np.ones(len(found))], axis=1)
    fitted = line @ np.linalg.lstsq(line, true, rcond=None)[0]
    right = int((np.abs(fitted - true) < VELOCITY_TOLERANCE).sum())
    return _ratios(right, len(reference), len(estimate))


def frame_ratios(reference: Notes, estimate: Notes, duration: float | None = None) -> tuple[Ratios, float]:
    """Pooled ratios and accuracy TP / (TP + FP + FN) of the keys that sound at 0, 10, 20, ... ms.

    `mir_eval.multipitch.metrics` on the same grid gives the same numbers, frame by frame in Python.
    """
    if duration is None:
        duration = float(max(reference.offset.max(initial=0.0), estimate.offset.max(initial=0.0)))
    frames = int(np.ceil(duration / GRID)) + 1
    true, estimated = _stretches(reference, frames), _stretches(estimate, frames)
    # Between two edges nothing changes: what sounds there is counted at once.
    edges = np.unique(np.concatenate([*true, *estimated]))
    lengths, played, heard = np.diff(edges), _sounds(true, edges[:-1]), _sounds(estimated, edges[:-1])
    counts = [np.array([lengths[which].sum()]) for which in (played & heard, played, heard)]
    if not counts[1].any() or not counts[2].any():  # mir_eval warns here and answers 0 as well
        return Ratios(0.0, 0.0, 0.0), 0.0
    precision, recall, accuracy = mir_eval.multipitch.compute_accuracy(*counts)
    f1 = mir_eval.util.f_measure(precision, recall)
    return Ratios(float(precision), float(recall), float(f1)), float(accuracy)


def matched(
    reference: Notes,
    estimate: Notes,
    onset: npt.NDArray[np.float64],
    *,
    tolerance: float,
    offset_ratio: float | None = None,
) -> npt.NDArray[np.int64]:
    """Largest set of pairs (reference row, estimate row) that may be called the same note -> (N, 2).

    Notes of different keys are never within 50 cents, so the graph falls apart by key, and the union of the
    keys' maximum matchings is a maximum matching. One key at a time keeps mir_eval's matrices small.
    """
    pairs: list[tuple[int, int]] = []
    true, estimated = _intervals(reference, reference.onset), _intervals(estimate, onset)
    for pitch in np.intersect1d(reference.pitch, estimate.pitch):
        rows, columns = np.flatnonzero(reference.pitch == pitch), np.flatnonzero(estimate.pitch == pitch)
        found = mir_eval.transcription.match_notes(
            true[rows],
            hertz(reference.pitch[rows]),
            estimated[columns],
            hertz(estimate.pitch[columns]),
            onset_tolerance=tolerance,
            offset_ratio=offset_ratio,
        )
        pairs += [(int(rows[i]), int(columns[j])) for i, j in found]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _intervals(notes: Notes, onset: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, 2) seconds, mir_eval's form."""
    return np.stack([onset, notes.offset], axis=1)


def _ratios(pairs: int, reference: int, estimate: int) -> Ratios:
    if not reference or not estimate:
        return Ratios(0.0, 0.0, 0.0)
    precision, recall = pairs / estimate, pairs / reference
    return Ratios(precision, recall, float(mir_eval.util.f_measure(precision, recall)))


def _stretches(notes: Notes, frames: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(N,) first frame of each note, and the one after its last; key after key on one line.

    A key sounds at frame * GRID where onset <= time < offset.
    """
    inside = (notes.pitch >= LOWEST) & (notes.pitch <= HIGHEST)
    before = (notes.pitch[inside] - LOWEST) * (frames + 1)
    # Rounded first: 0.29 / 0.01 is 28.999..., and its ceiling must be 29.
    first, stop = (
        np.ceil(np.round(times[inside] / GRID, 6)).astype(np.int64).clip(0, frames)
        for times in (notes.onset, notes.offset)
    )
    return before + first, before + stop


def _sounds(
    stretches: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], frame: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """(M,) whether more stretches have begun than ended."""
    begun, ended = (np.searchsorted(np.sort(edges), frame, side="right") for edges in stretches)
    return np.asarray(begun > ended)
