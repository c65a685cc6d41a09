"""The tables of damaged inputs (`benchmarks.reliability`) and of heavy ones (`benchmarks.load`)."""

from typing import Any

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, rows_of, source


def damaged() -> str:
    """Every reader: inputs, and how they ended."""
    report = read_report("reliability")
    counts = ("inputs", "clean", "refused", "anything_else")
    rows = [[row["reader"], *(f"{row[name]:,}" for name in counts)] for row in rows_of(report)]
    totals = [f"{sum(row[name] for row in rows_of(report)):,}" for name in counts]
    header = ["reader", "damaged inputs", "read", "refused in one line", "anything else"]
    return markdown(header, [*rows, ["all", *totals]]) + "\n\n" + source(report)


BUSY = 1.0  # load of the machine from which on times say nothing


def load() -> str:
    """Every heavy input: memory, and time where no other program ran."""
    report = read_report("load")
    header = ["input", "music", "wall time", "real-time factor", "peak memory"]
    rows = [
        [
            row["case"],
            f"{row['audio_seconds'] / 60:.0f} min",
            *(
                ("", "")
                if row["load_before"] > BUSY
                else (f"{row['wall_seconds']:.0f} s", f"{row['wall_seconds'] / row['audio_seconds']:.3f}")
            ),
            _memory(row),
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def _memory(row: dict[str, Any]) -> str:
    peak = f"{row['peak_memory_mb']} MB"
    return peak if row["files"] == 1 else f"{peak} ({row['early_memory_mb']} MB after the first tenth)"


TABLES = {"reliability": damaged, "load": load}
