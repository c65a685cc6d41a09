"""Tables of the paper's experiment (`benchmarks.paper_experiment`)."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, rows_of, source
from benchmarks.reporting.published import FRAME_ACCURACIES, SET_TITLES

Row = Mapping[str, Any]
CONDITIONS = ("clean", "pink 10 dB", "pink 0 dB", "pink -10 dB", "white 0 dB", "room")
BEST = "lstm-conv-nade+cache"


def paper_matched() -> str:
    """Every decoder where the HMM is as good as the paper's."""
    sets = _by_set("matched")
    header = ["Bay's accuracy %, ACC12 %", *(SET_TITLES[name] for name in sets)]
    keys = dict.fromkeys((row["decoder"], row["prior"]) for rows in sets.values() for row in rows)
    lines = [
        [
            f"{decoder}, {prior}" if prior else decoder,
            *(_both(rows, decoder, prior) for rows in sets.values()),
        ]
        for decoder, prior in keys
    ]
    return markdown(header, lines) + "\n\n" + _source("matched")


def paper_gains() -> str:
    """The beam with the best prior over the HMM, beside the paper's gain."""
    header = ["", "noise", "HMM, ours / paper", "beam with our best prior", "**gain**, points"]
    header += ["95 % interval", "paper's gain", "gain by ACC12", "95 % interval"]
    lines = []
    for name, rows in _by_set("matched").items():
        hmm, beam = _hmm(rows), _found(rows, "beam", BEST)
        paper = FRAME_ACCURACIES[name]
        lines.append(
            [
                SET_TITLES[name],
                beam["heard"],
                f"{_percent(hmm['bay'])} / {_percent(paper['hmm'])}",
                _percent(beam["bay"]),
                f"**{100 * beam['gain_bay']:+.1f}**",
                _interval(beam, "bay"),
                f"{100 * (paper['prior'] - paper['hmm']):+.1f}",
                f"{100 * beam['gain_acc12']:+.1f}",
                _interval(beam, "acc12"),
            ]
        )
    return markdown(header, lines) + "\n\n" + _source("matched")


def paper_curve() -> str:
    """HMM, beam and gain over kinds and levels of noise."""
    header = ["accuracy %: HMM, beam (gain, 95 % interval)", *SET_TITLES.values()]
    conditions = {condition: _by_set(condition) for condition in CONDITIONS}
    lines = [
        [condition, *(_curve_cell(sets.get(name)) for name in SET_TITLES)]
        for condition, sets in conditions.items()
        if sets
    ]
    return markdown(header, lines) + "\n\n" + _source(*CONDITIONS)


def _curve_cell(rows: list[Row] | None) -> str:
    if rows is None:
        return ""
    hmm, beam = _hmm(rows), _found(rows, "beam", BEST)
    gain = f"**{100 * beam['gain_bay']:+.1f}**, {_interval(beam, 'bay')}"
    return f"{_percent(hmm['bay'])}, {_percent(beam['bay'])} ({gain})"


def _both(rows: list[Row], decoder: str, prior: str) -> str:
    if (decoder, prior) not in [(row["decoder"], row["prior"]) for row in rows]:
        return ""
    row = _found(rows, decoder, prior)
    return f"{_percent(row['bay'])}, {_percent(row['acc12'])}"


def _by_set(condition: str) -> dict[str, list[Row]]:
    """Rows of one condition, set by set, in the paper's order."""
    rows = [row for row in rows_of(read_report("paper_experiment")) if row["condition"] == condition]
    found = {name: [row for row in rows if row["set"] == name] for name in SET_TITLES}
    return {name: rows for name, rows in found.items() if rows}


def _found(rows: list[Row], decoder: str, prior: str) -> Row:
    return next(row for row in rows if (row["decoder"], row["prior"]) == (decoder, prior))


def _hmm(rows: list[Row]) -> Row:
    """The HMM that was better on the validation pieces."""
    return max((row for row in rows if row["decoder"].startswith("hmm")), key=lambda row: row["valid_bay"])


def _interval(row: Row, accuracy: str) -> str:
    low, high = row[f"gain_{accuracy}_low"], row[f"gain_{accuracy}_high"]
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _source(*conditions: str) -> str:
    report = read_report("paper_experiment")
    return source(report, [row for row in rows_of(report) if row["condition"] in conditions])


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table for table in (paper_gains, paper_matched, paper_curve)
}
