"""A picture of a transcription: the posteriorgram, with the decoded notes over it.

Is: one PNG, the recording in rows like the lines of a score, so that a long one stays readable.
Is not: scores or sound.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from symbolic import picture
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST
from symbolic.posteriorgram import Posteriorgram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT, MARGIN = 1.8, 0.9  # inches
COLUMNS = 1500  # of the image in a row, about its pixels
NOTE, ONSET = "#d62728", "#1f3b73"


def save_picture(path: Path, posteriorgram: Posteriorgram, notes: Notes, title: str) -> None:
    """Write the PNG; the file appears whole or not at all."""
    rows = row_edges(posteriorgram)
    figure = picture.new_figure(ROW_HEIGHT * (len(rows) - 1) + MARGIN)
    panels = figure.subplots(len(rows) - 1, 1, squeeze=False)[:, 0]
    low, high = pitch_range(posteriorgram, notes)
    for panel, start, stop in zip(panels, rows[:-1], rows[1:], strict=True):
        _draw_row(panel, posteriorgram, notes, (float(start), float(stop)), (low, high))
    figure.suptitle(picture.plain(f"{title}: {len(notes)} notes"), fontsize=10)
    panels[-1].set_xlabel("time (m:ss); grey: probability that the key sounds, red: notes", fontsize=8)
    picture.save_figure(figure, path)


def row_edges(posteriorgram: Posteriorgram) -> npt.NDArray[np.float64]:
    """Seconds at which the rows begin, and the last one ends."""
    begin = max(0.0, posteriorgram.start - posteriorgram.hop / 2)
    length = max(posteriorgram.hop * posteriorgram.count, 1.0)
    return picture.row_edges(begin, length)


def pitch_range(posteriorgram: Posteriorgram, notes: Notes) -> tuple[int, int]:
    """Pitches to show: those likely in the posteriorgram or decoded, with a margin, two octaves at least."""
    likely = np.flatnonzero((posteriorgram.frame > 0.5).any(axis=0)) + LOWEST
    pitches = np.concatenate([likely, notes.pitch, [60]])
    return picture.pitch_range(pitches)


def row_image(posteriorgram: Posteriorgram, start: float, stop: float) -> npt.NDArray[np.float32]:
    """(88, columns) largest probability of each key in each column of a row's image."""
    first, last = (round((edge - posteriorgram.start) / posteriorgram.hop) for edge in (start, stop))
    frames = np.arange(first, max(last, first + 1))
    inside = (frames >= 0) & (frames < posteriorgram.count)
    level = np.zeros((len(frames), posteriorgram.frame.shape[1]), dtype=np.float32)
    level[inside] = posteriorgram.frame[frames[inside]]
    # The largest, not the mean: a short note must not fade where a column holds many frames.
    columns = min(COLUMNS, len(frames))
    edges = np.linspace(0, len(frames), columns, endpoint=False).astype(np.int64)
    return np.asarray(np.maximum.reduceat(level, edges, axis=0).T)


def _draw_row(
    axes: Axes,
    posteriorgram: Posteriorgram,
    notes: Notes,
    span: tuple[float, float],
    pitches: tuple[int, int],
) -> None:
    start, stop = span
    axes.imshow(
        row_image(posteriorgram, start, stop),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(start, stop, LOWEST - 0.5, HIGHEST + 0.5),
        cmap="Greys",
        vmin=0.0,
        vmax=1.0,
    )
    here = (notes.onset < stop) & (notes.offset > start)
    onset, offset, pitch = notes.onset[here], notes.offset[here], notes.pitch[here]
    axes.hlines(pitch, onset, offset, colors=NOTE, linewidth=1.6, alpha=0.8)
    axes.vlines(onset, pitch - 0.6, pitch + 0.6, colors=ONSET, linewidth=0.9)
    picture.time_axis(axes, start, stop)
    picture.pitch_axis(axes, *pitches)
