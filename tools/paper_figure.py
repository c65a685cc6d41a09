"""Draws docs/figures/paper_experiment.png from the results there are: `python -m tools.paper_figure`."""

import json
from pathlib import Path
from typing import Any

from benchmarks.reporting.published import SET_TITLES
from symbolic import picture

TREE = Path(__file__).resolve().parent.parent
RESULTS = TREE / "benchmarks" / "results" / "paper_experiment.json"
PICTURE = TREE / "docs" / "figures" / "paper_experiment.png"
LEVELS = {"clean": "clean", "pink 10 dB": "10 dB", "pink 0 dB": "0 dB", "pink -10 dB": "-10 dB"}
CURVES = (
    ("threshold", "", "threshold", "0.6"),
    ("hmm tuned", "", "HMM, tuned", "tab:orange"),
    ("beam", "rnn-nade", "beam, RNN-NADE", "tab:green"),
    ("beam", "lstm-conv-nade+cache", "beam, LSTM-ConvNADE with cache", "tab:blue"),
)


def main() -> int:
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    found = {(row["set"], row["condition"], row["decoder"], row["prior"]): row for row in rows}
    figure = picture.new_figure(height=3.2, width=11.0)
    panels = figure.subplots(1, len(SET_TITLES), sharey=True)
    for panel, (name, title) in zip(panels, SET_TITLES.items(), strict=True):
        for decoder, prior, label, colour in CURVES:
            there = [level for level in LEVELS if (name, level, decoder, prior) in found]
            values = [100 * found[name, level, decoder, prior]["bay"] for level in there]
            panel.plot(
                [LEVELS[level] for level in there], values, "o-", color=colour, markersize=3, label=label
            )
        panel.set_title(title)
        panel.set_xlabel("signal above pink noise")
    panels[0].set_ylabel("frame accuracy, %")
    panels[0].legend(frameon=False, fontsize=7, loc="lower left")
    picture.save_figure(figure, PICTURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
