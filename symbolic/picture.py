"""What all pictures of notes in time share: figure, rows like the lines of a score, axes, notes as bars.

Is: matplotlib without pyplot (no window system, no global state), imported when a picture is made.
Is not: a picture of anything (evaluation.picture, transcribe.picture, ...).
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.files import check_writable, replacing
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST, name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure

ROW_SECONDS = 20.0  # of a row, as long as MOST_ROWS hold everything
MOST_ROWS = 24
WIDTH, DPI = 16.0, 100  # inches, dots an inch


def new_figure(height: float, width: float = WIDTH, dpi: int = DPI) -> Figure:
    """Empty figure, sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_picture(path: Path, others: Iterable[Path]) -> None:
    """Refuse, before the work, `--picture` of another format, of the command's other files, or nowhere."""
    if path.suffix.lower() != ".png":
        raise NotebeamError("--picture", str(path), "a path that ends in .png")
    if os.path.realpath(path) in {os.path.realpath(other) for other in others}:
        raise NotebeamError("--picture", str(path), "a name that no other file of the command has")
    check_writable(path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, which appears whole or not at all."""
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box stands there
        figure.savefig(temporary, format="png")


def plain(text: str) -> str:
    """Text for a figure: a name may hold bytes that are no text, or a dollar sign, which begins a formula."""
    return text.encode("utf-8", "replace").decode().replace("$", r"\$")


def row_edges(begin: float, length: float) -> NDArray[np.float64]:
    """Seconds at which the rows of a picture of `length` seconds begin, and the last one ends."""
    rows = min(MOST_ROWS, math.ceil(length / ROW_SECONDS))
    # One short row fills the width; several are all alike.
    seconds = length if rows == 1 else max(ROW_SECONDS, length / rows)
    return np.asarray(begin + seconds * np.arange(rows + 1), dtype=np.float64)


def pitch_range(pitches: NDArray[np.int64]) -> tuple[int, int]:
    """Pitches to show: those given, with a margin, two octaves at least."""
    low, high = int(pitches.min()) - 2, int(pitches.max()) + 2
    more = max(0, 24 - (high - low))
    return max(LOWEST, low - more // 2), min(HIGHEST, high + more // 2)


def pitch_axis(axes: Axes, low: int, high: int) -> None:
    """Pitches upwards, a tick at every C."""
    axes.set_ylim(low - 0.5, high + 0.5)
    octaves = [pitch for pitch in range(24, HIGHEST + 1, 12) if low <= pitch <= high]
    axes.set_yticks(octaves, [name(pitch) for pitch in octaves])
    axes.set_ylabel("pitch", fontsize=8)
    axes.tick_params(labelsize=7)


def time_axis(axes: Axes, start: float, stop: float) -> None:
    """Seconds to the right, ticks at round times."""
    axes.set_xlim(start, stop)
    seconds = _tick_step(stop - start)
    ticks = np.arange(math.ceil(start / seconds), math.floor(stop / seconds) + 1) * seconds
    axes.set_xticks(ticks, [_clock_face(tick) for tick in ticks])
    axes.tick_params(labelsize=7)


def draw_notes(axes: Axes, notes: Notes, **looks: Any) -> PatchCollection:
    """Notes as bars, a key high; `looks` are those of a collection of patches (facecolor, array, cmap)."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    columns = zip(notes.onset, notes.offset, notes.pitch, strict=True)
    bars = [Rectangle((on, pitch - 0.5), off - on, 1.0) for on, off, pitch in columns]
    collection = PatchCollection(bars)
    collection.set(**{"linewidth": 0.3, "edgecolor": "white", **looks})
    axes.add_collection(collection)
    return collection


def draw_keys(axes: Axes, low: int, high: int) -> None:
    """The black keys as pale stripes, the lower edge of every C as a line."""
    for pitch in range(low, high + 1):
        if "#" in name(pitch):
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f3f3f3", linewidth=0, zorder=0)
        elif pitch % 12 == 0:
            axes.axhline(pitch - 0.5, color="#d9d9d9", linewidth=0.6, zorder=0)


def _tick_step(seconds: float) -> float:
    """Seconds between ticks: a round number, at most 12 in a row."""
    return next((step for step in (0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 300) if seconds <= 12 * step), 600.0)


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(float(seconds), 1), 60)
    return f"{int(minutes)}:{rest:04.1f}" if rest % 1 else f"{int(minutes)}:{int(rest):02d}"
