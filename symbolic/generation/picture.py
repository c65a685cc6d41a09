"""Pictures of generated music: piano rolls below or beside one another.

Is: one PNG of pieces, what was given in another colour than what was drawn.
Is not: how likely they are (evaluation.picture).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symbolic import picture
from symbolic.notes import Notes

GIVEN, DRAWN = "#8a94a3", "#c8442f"
PANEL_HEIGHT, MARGIN = 2.8, 0.6  # inches


@dataclass(frozen=True, eq=False)
class Panel:
    """One piece of a picture."""

    title: str
    notes: Notes
    seam: float  # seconds at which what was drawn begins
    end: float


def save_rolls(path: Path, panels: Sequence[Panel], columns: int = 1, dpi: int = picture.DPI) -> None:
    """Write the PNG, whole or not at all; all panels show the same pitches."""
    rows = -(-len(panels) // columns)
    figure = picture.new_figure(PANEL_HEIGHT * rows + MARGIN, dpi=dpi)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    pitches = np.concatenate([panel.notes.pitch for panel in panels])
    low, high = picture.pitch_range(pitches if len(pitches) else np.array([60]))
    for place, panel in zip(axes, panels, strict=False):
        start = float(panel.notes.onset.min(initial=panel.seam))
        picture.draw_keys(place, low, high)
        new = panel.notes.onset >= panel.seam - 1e-6
        picture.draw_notes(place, panel.notes, facecolor=[DRAWN if one else GIVEN for one in new])
        if start < panel.seam < panel.end:
            place.axvline(panel.seam, color="black", linewidth=0.8, linestyle="--")
        picture.time_axis(place, start, max(panel.end, start + 1.0))
        picture.pitch_axis(place, low, high)
        place.set_ylabel(place.get_ylabel() if place.get_subplotspec().is_first_col() else "")
        place.set_title(picture.plain(panel.title), fontsize=10)
    for place in axes[len(panels) :]:
        place.set_visible(False)
    figure.supxlabel("time (m:ss)", fontsize=8)
    picture.save_figure(figure, path)
