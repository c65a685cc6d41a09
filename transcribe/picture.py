"""A picture of a transcription: what was heard, and the notes that were decided on over it.

Is: one PNG, the recording in rows like the lines of a score, so that a long one stays readable.
Is not: scores or sound.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from symbolic.files import replacing
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST, name
from symbolic.posteriorgram import Posteriorgram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_SECONDS = 20.0  # of a row, as long as MOST_ROWS hold the recording
MOST_ROWS = 24
WIDTH, ROW_HEIGHT, MARGIN = 16.0, 1.8, 0.9  # inches
DPI = 100
COLUMNS = 1500  # of the image in a row, about its pixels
NOTE, ONSET = "#d62728", "#1f3b73"


def save_picture(path: Path, posteriorgram: Posteriorgram, notes: Notes, title: str) -> None:
    """Write the PNG; the file appears whole or not at all."""
    # Figure alone, without pyplot: no window system, no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = row_edges(posteriorgram)
    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * (len(rows) - 1) + MARGIN), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows) - 1, 1, squeeze=False)[:, 0]
    low, high = pitch_range(posteriorgram, notes)
    for panel, start, stop in zip(panels, rows[:-1], rows[1:], strict=True):
        _draw_row(panel, posteriorgram, notes, (float(start), float(stop)), (low, high))
    # A name may hold a dollar sign, which would begin a formula.
    figure.suptitle(f"{title}: {len(notes)} notes".replace("$", r"\$"), fontsize=10)
    panels[-1].set_xlabel("time (m:ss); grey: probability that the key sounds, red: notes", fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def row_edges(posteriorgram: Posteriorgram) -> npt.NDArray[np.float64]:
    """Seconds at which the rows begin, and the last one ends."""
    begin = max(0.0, posteriorgram.start - posteriorgram.hop / 2)
    length = max(posteriorgram.hop * posteriorgram.count, 1.0)
    rows = min(MOST_ROWS, math.ceil(length / ROW_SECONDS))
    # One short row fills the width; several are all alike.
    seconds = length if rows == 1 else max(ROW_SECONDS, length / rows)
    return np.asarray(begin + seconds * np.arange(rows + 1), dtype=np.float64)


def pitch_range(posteriorgram: Posteriorgram, notes: Notes) -> tuple[int, int]:
    """Pitches to show: those heard or decided, with a margin, two octaves at least."""
    likely = np.flatnonzero((posteriorgram.frame > 0.5).any(axis=0)) + LOWEST
    pitches = np.concatenate([likely, notes.pitch, [60]])
    low, high = int(pitches.min()) - 2, int(pitches.max()) + 2
    more = max(0, 24 - (high - low))
    return max(LOWEST, low - more // 2), min(HIGHEST, high + more // 2)


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
    axes.set_xlim(start, stop)
    axes.set_ylim(pitches[0] - 0.5, pitches[1] + 0.5)
    octaves = [pitch for pitch in range(24, HIGHEST + 1, 12) if pitches[0] <= pitch <= pitches[1]]
    axes.set_yticks(octaves, [name(pitch) for pitch in octaves])
    seconds = _tick_step(stop - start)
    ticks = np.arange(math.ceil(start / seconds), math.floor(stop / seconds) + 1) * seconds
    axes.set_xticks(ticks, [_clock_face(tick) for tick in ticks])
    axes.tick_params(labelsize=7)


def _tick_step(seconds: float) -> float:
    """Seconds between ticks: a round number, at most 12 in a row."""
    return next((step for step in (0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 300) if seconds <= 12 * step), 600.0)


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(float(seconds), 1), 60)
    return f"{int(minutes)}:{rest:04.1f}" if rest % 1 else f"{int(minutes)}:{int(rest):02d}"
