"""Tables of the speed of decoding (`benchmarks.decoding`)."""

from collections.abc import Mapping
from typing import Any

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, rows_of

Row = Mapping[str, Any]


def real() -> str:
    """Recordings."""
    rows = [
        [row["prior"], row["evidence"], str(row["clips"]), str(row["recording_seconds"])]
        + [f"{1000 * row['seconds_per_step']:.2f}", f"{row['real_time_factor']:.3f}"]
        for row in _rows("real")
    ]
    header = [
        "prior",
        "plane",
        "recordings together",
        "seconds of music",
        "ms a step",
        "real-time factor a recording",
    ]
    return markdown(header, rows) + "\n\n" + _source("real")


def naive() -> str:
    """Against the way published programs do it."""
    rows = [
        [str(row["candidates"]), str(row["hidden"]), f"{1000 * row['seconds_per_step']:.2f}"]
        + [f"{1000 * row['naive_seconds_per_step']:.0f}", f"{row['times_naive']:.0f}"]
        for row in _rows("naive")
    ]
    header = ["K", "NADE's hidden units", "ms a step", "one hypothesis at a time, ms", "times as fast"]
    return markdown(header, rows) + "\n\n" + _source("naive")


def grid() -> str:
    """Clips, widths, candidates."""
    rows = [row for row in _rows("grid") if row["hidden"] == 256]
    counts = sorted({row["candidates"] for row in rows})
    cells = {(row["clips"], row["beam_width"], row["candidates"]): row for row in rows}
    lines = [
        [str(clips), str(width), *(_cell(cells[clips, width, count]) for count in counts)]
        for clips, width in dict.fromkeys((row["clips"], row["beam_width"]) for row in rows)
    ]
    return markdown(["B", "W", *(f"K = {count}" for count in counts)], lines) + "\n\n" + _source("grid")


def growth() -> str:
    """Seconds as one size doubles."""
    lines = []
    for part in ("clips", "width", "candidates", "steps"):
        rows = _rows(f"growth in {part}")
        name = "beam_width" if part == "width" else part
        sizes = ", ".join(str(row[name]) for row in rows)
        lines.append(
            [part, sizes, ", ".join(f"{row['seconds']:.2f}" for row in rows), f"{rows[0]['exponent']:.2f}"]
        )
    header = ["", "sizes", "seconds", "exponent (1: linear)"]
    return markdown(header, lines) + "\n\n" + _source("growth in clips")


def priors() -> str:
    """Every shipped prior."""
    rows = [
        [row["prior"], f"{1000 * row['seconds_per_step']:.1f}", f"{row['real_time_factor']:.3f}"]
        for row in sorted(_rows("priors"), key=lambda row: float(row["seconds_per_step"]))
    ]
    header = ["prior", "ms a step of 8 clips", "real-time factor a clip"]
    return markdown(header, rows) + "\n\n" + _source("priors")


def memory() -> str:
    """An hour of music."""
    rows = [[row["way"], str(row["megabytes_added"])] for row in _rows("memory of an hour")]
    return markdown(["an hour", "MB more than before"], rows) + "\n\n" + _source("memory of an hour")


TABLES = {f"decoding_{table.__name__}": table for table in (real, naive, grid, growth, priors, memory)}


def _rows(part: str) -> list[Row]:
    rows = rows_of(read_report("decoding"))
    return [row for row in rows if row["part"] == part and row["device"] == "cpu"]


def _cell(row: Row) -> str:
    return f"{1000 * row['seconds_per_step']:.1f} ms, {100 * row['share_of_matrix_rate']:.0f} %"


def _source(part: str) -> str:
    """Where the rows come from, which need not be of one run."""
    row = _rows(part)[0]
    name = part.split()[0]
    command = f"python -m benchmarks.decoding --parts {name} --threads {row['threads']}"
    return f"`{command}`, commit {row['commit']}, {row['date']}, {row['machine']}."
