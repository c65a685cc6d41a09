"""A picture of where a piece surprised a prior: its notes, and below them the surprise of every step.

Is: one PNG, in rows like the lines of a score, so that a long piece stays readable.
Is not: the scores (evaluation.surprise).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symbolic import picture
from symbolic.evaluation.surprise import Judgement, StepScores
from symbolic.priors.steps import Steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT, CURVE_HEIGHT, MARGIN = 2.6, 0.8, 0.9  # inches
COLOURS = ("#b9c6d6", "#5f87b3", "#f0a830", "#cf1f2e")  # of a note, from expected to surprising
MOST = 8.0  # nats at which the last colour is reached: 1 in 3000
CURVE, LEFT_OUT = "#44546a", "#e2e2e2"


def save_surprise(path: Path, judgement: Judgement, title: str) -> None:
    """Write the PNG, whole or not at all."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    steps, scores = judgement.steps, judgement.scores
    colours = ScalarMappable(Normalize(0, MOST), LinearSegmentedColormap.from_list("surprise", COLOURS))
    begin = float(steps.clock.times[0])
    rows = picture.row_edges(begin, max(steps.clock.end - begin, 1.0))
    count = len(rows) - 1
    figure = picture.new_figure((ROW_HEIGHT + CURVE_HEIGHT) * count + MARGIN)
    panels = figure.subplots(2 * count, 1, squeeze=False, height_ratios=[ROW_HEIGHT, CURVE_HEIGHT] * count)[
        :, 0
    ]
    low, high = picture.pitch_range(steps.notes.pitch)
    faces = [LEFT_OUT if np.isnan(nats) else colours.to_rgba(nats) for nats in judgement.notes]
    # The very largest steps may leave the panel, or they alone would be seen.
    top = float(np.quantile(-scores.log_prob, 0.998)) * 1.1 + 0.1
    for row, (start, stop) in enumerate(zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True)):
        roll, curve = panels[2 * row], panels[2 * row + 1]
        picture.draw_keys(roll, low, high)
        picture.draw_notes(roll, steps.notes, facecolor=faces)
        picture.pitch_axis(roll, low, high)
        picture.time_axis(roll, start, stop)
        roll.tick_params(labelbottom=False)
        _draw_curve(curve, steps, scores, top)
        picture.time_axis(curve, start, stop)
    panels[-1].set_xlabel("time (m:ss)", fontsize=8)
    panels[1].set_ylabel("nats a step", fontsize=7)
    bar = figure.colorbar(colours, ax=list(panels), aspect=40 * count, pad=0.01, fraction=0.02, extend="max")
    bar.set_label("surprise of a note given the rest, nats", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(picture.plain(title), fontsize=10)
    picture.save_figure(figure, path)


def _draw_curve(axes: Axes, steps: Steps, scores: StepScores, top: float) -> None:
    edges = np.append(steps.clock.times, steps.clock.end)
    surprise = -scores.log_prob
    axes.stairs(surprise, edges, fill=True, color=CURVE, alpha=0.85, linewidth=0)
    if scores.standard_error.any():
        # Of an estimate: one standard error to either side.
        low, high = surprise - scores.standard_error, surprise + scores.standard_error
        axes.stairs(high, edges, baseline=low, fill=True, color="#cf1f2e", alpha=0.5, linewidth=0)
    axes.axhline(surprise.mean(), color="black", linewidth=0.6, linestyle=":")
    axes.set_ylim(0, top)
    axes.spines[["top", "right"]].set_visible(False)
