"""Draws docs/figures/calibration.png from the results there are: `python -m tools.calibration_figure`."""

import json
from pathlib import Path

from symbolic import picture

TREE = Path(__file__).resolve().parent.parent
RESULTS = TREE / "benchmarks" / "results" / "calibration.json"
PICTURE = TREE / "docs" / "figures" / "calibration.png"
MODEL = "piano"
HEADS = ("onset", "frame", "offset", "held")
STAGES = (("before", "as the network outputs them", "o--"), ("after", "calibrated", "o-"))


def main() -> int:
    rows = [row for row in json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if row["model"] == MODEL]
    figure = picture.new_figure(height=3.2, width=11.0)
    panels = figure.subplots(1, len(HEADS), sharey=True)
    for panel, head in zip(panels, HEADS, strict=True):
        panel.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        for part, label, style in STAGES:
            bins = [row for row in rows if row["head"] == head and row["part"] == part]
            panel.plot(
                [row["predicted"] for row in bins],
                [row["observed"] for row in bins],
                style,
                markersize=3,
                label=label,
            )
        panel.set(title=head, xlabel="predicted probability", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    panels[0].set_ylabel("observed frequency")
    panels[0].legend(frameon=False, fontsize=7, loc="upper left")
    picture.save_figure(figure, PICTURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
