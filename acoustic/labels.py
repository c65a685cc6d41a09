"""Labels moved onto the sound: each note to the rise of its own key's partials that fits best.

Is: how strongly every key rises at every moment, and the assignment of notes to these rises, for all notes of
a key together, so that no two notes share one.
Is not: transcription: no note is added, dropped or moved by more than a window.

Labels from the MIDI that drove a player piano are late and uneven against its sound, most on soft notes;
those of synthesised recordings are exact, and this makes them worse (`python -m benchmarks.labels`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acoustic.audio import RATE_HZ, Samples
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import KEYS, LOWEST

Floats = npt.NDArray[np.float64]

WINDOW, HOP = 1024, 80  # samples: 64 and 5 ms
HOP_SECONDS = HOP / RATE_HZ
RISE = 3  # hops over which a level's rise is taken
HARMONICS = 6
HIGHEST_HZ = 5000.0
CHUNK = 4000  # frames at a time
LOUDEST_DB = 60.0  # of the compressed levels, above which they grow as logarithms
# Of the peak of the rise after the moment that a note's level reaches a tenth of its peak; measured by
# `python -m benchmarks.labels` on renderings, where that moment is known.
LATE_SECONDS = -0.0015
SHORTEST = 0.02  # seconds that a note lasts at least


@dataclass(frozen=True, kw_only=True)
class SnapOptions:
    """How far notes may move, and what a rise is worth against it."""

    window: float = 0.08  # seconds either way, after the recording's own lateness
    spread: float = 0.04  # seconds; a distance d costs (d / spread)**2 / 2 of a usual rise
    least: float = 0.35  # of the key's usual rise at its notes: smaller peaks are none
    neighbours: float = 0.5  # seconds around a note without a peak, whose notes' median move it takes

    def __post_init__(self) -> None:
        if min(self.window, self.spread, self.least, self.neighbours) <= 0:
            raise NotebeamError("SnapOptions", self, "numbers above 0")


def rises(samples: Samples) -> npt.NDArray[np.float32]:
    """(T, 88) how much the levels of each key's partials rise, at `HOP_SECONDS`, frame 0 at time 0."""
    if not len(samples):
        return np.zeros((0, KEYS), dtype=np.float32)
    padded = np.pad(samples, (WINDOW // 2 + RISE * HOP, WINDOW // 2))
    frames = 1 + (len(padded) - WINDOW) // HOP
    level = float(np.sqrt(np.mean(np.square(samples), dtype=np.float64))) or 1.0
    comb, taper = _comb(), torch.hann_window(WINDOW)
    parts = []
    for first in range(0, frames - RISE, CHUNK):
        count = min(CHUNK, frames - RISE - first)
        piece = padded[first * HOP : (first + count + RISE - 1) * HOP + WINDOW]
        audio = torch.from_numpy(np.ascontiguousarray(piece, dtype=np.float32)) / level
        spectrum = torch.stft(audio, WINDOW, HOP, window=taper, center=False, return_complex=True).abs()
        log_level = torch.log1p(spectrum * (10 ** (LOUDEST_DB / 20) / WINDOW))
        parts.append(comb.T @ (log_level[:, RISE:] - log_level[:, :-RISE]).clamp(min=0))
    return np.asarray(torch.cat(parts, dim=1).T.numpy() if parts else np.zeros((0, KEYS)), dtype=np.float32)


def _comb() -> Tensor:
    """(lines, 88) weights of each key's partials, the first the heaviest, 1 in all."""
    from librosa import fft_frequencies, midi_to_hz  # slow to import: only training needs it

    lines = torch.from_numpy(fft_frequencies(sr=RATE_HZ, n_fft=WINDOW)).float()
    comb = torch.zeros(len(lines), KEYS)
    pitch = torch.from_numpy(midi_to_hz(np.arange(KEYS) + LOWEST)).float()
    for harmonic in range(1, HARMONICS + 1):
        place = harmonic * pitch
        weight = (1 - (lines[:, None] - place).abs() / (RATE_HZ / WINDOW)).clamp(min=0)
        comb += weight * (place < HIGHEST_HZ) / harmonic**0.5
    return comb / comb.sum(dim=0)


def snapped(notes: Notes, samples: Samples, options: SnapOptions | None = None) -> Notes:
    """The notes at the times of their sounds: onsets moved, offsets kept, as many notes as before.

    Args:
        notes: seconds from the first of `samples`.
        samples: (S,) of the recording at `RATE_HZ`.
    """
    options = options or SnapOptions()
    if not len(notes):
        return notes
    return moved(notes, assigned(notes, rises(samples), options), options)


def assigned(notes: Notes, strength: npt.NDArray[np.float32], options: SnapOptions) -> Floats:
    """(N,) seconds at which each note's key rises, nan where no rise is found; `strength` (T, 88)."""
    late = lateness(notes, strength)
    found = np.full(len(notes), np.nan)
    for pitch in np.unique(notes.pitch):
        rows = np.flatnonzero(notes.pitch == pitch)
        times, heights = _peaks(strength[:, pitch - LOWEST])
        found[rows] = _one_key(notes.onset[rows] + late, times, heights, options)
    return found


def lateness(notes: Notes, strength: npt.NDArray[np.float32], widest: float = 0.1) -> float:
    """Seconds by which the sounds come after the labels, for the recording as a whole, up to `widest`."""
    shifts = np.arange(-round(widest / HOP_SECONDS), round(widest / HOP_SECONDS) + 1)
    frame = np.round((notes.onset + LATE_SECONDS) / HOP_SECONDS).astype(int)
    if not len(strength):
        return 0.0
    # The first of equals: a recording without any rise is not late.
    shifts = shifts[np.argsort(np.abs(shifts), kind="stable")]
    total = [
        strength[(frame + shift).clip(0, len(strength) - 1), notes.pitch - LOWEST].sum() for shift in shifts
    ]
    return float(shifts[int(np.argmax(total))] * HOP_SECONDS)


def _peaks(strength: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """(P,) times in seconds, and (P,) heights, of one key's local maxima."""
    if len(strength) < 3:
        return np.zeros(0), np.zeros(0)
    left, middle, right = (strength[a : len(strength) - 2 + a].astype(np.float64) for a in range(3))
    place = np.flatnonzero((middle > left) & (middle >= right) & (middle > 0))
    left, middle, right = left[place], middle[place], right[place]
    bend = np.minimum(left - 2 * middle + right, -1e-9)
    top = 0.5 * (left - right) / bend  # of a parabola, -0.5 to 0.5
    return (place + 1 + top.clip(-0.5, 0.5)) * HOP_SECONDS - LATE_SECONDS, middle


def _one_key(onset: Floats, times: Floats, heights: Floats, options: SnapOptions) -> Floats:
    """(N,) the times of the peaks that the notes of one key are given, nan for none."""
    from scipy.optimize import linear_sum_assignment

    result = np.full(len(onset), np.nan)
    if not len(times):
        return result
    near = np.abs(times - onset[:, None]) <= options.window  # (N, P)
    # The usual height of a note's rise: the median of the highest peak in each window.
    highest = np.where(near, heights, 0).max(axis=1)
    usual = float(np.median(highest[highest > 0])) if (highest > 0).any() else 1.0
    worth = np.minimum(heights / usual, 1.5) - 0.5 * ((times - onset[:, None]) / options.spread) ** 2
    near &= heights >= options.least * usual
    columns = np.flatnonzero(near.any(axis=0))
    if not len(columns):
        return result
    # Every note may also stay without a peak, at a worth of nothing below the far end of its window.
    alone = -0.5 * (options.window / options.spread) ** 2
    table = np.where(near, worth, -1e6)[:, columns]
    table = np.concatenate([table, np.full((len(onset), len(onset)), alone)], axis=1)
    rows, chosen = linear_sum_assignment(table, maximize=True)
    taken = chosen < len(columns)
    result[rows[taken]] = times[columns[chosen[taken]]]
    return result


def moved(notes: Notes, onset: Floats, options: SnapOptions) -> Notes:
    """Notes with new onsets (N,); where that is nan, moved as much as those around."""
    shift = onset - notes.onset
    known = np.flatnonzero(np.isfinite(shift))
    typical = float(np.median(shift[known])) if len(known) else 0.0
    for row in np.flatnonzero(~np.isfinite(shift)):
        lowest, highest = np.searchsorted(
            notes.onset[known], notes.onset[row] + np.array([-1, 1]) * options.neighbours
        )
        around = shift[known[lowest:highest]]
        shift[row] = np.median(around) if len(around) else typical
    start = np.maximum(notes.onset + shift, 0.0)
    key_offset = None if notes.key_offset is None else np.maximum(notes.key_offset, start + SHORTEST)
    offset = np.maximum(notes.offset, start + SHORTEST)
    return Notes.make(
        start, offset, notes.pitch, notes.velocity, confidence=notes.confidence, key_offset=key_offset
    )
