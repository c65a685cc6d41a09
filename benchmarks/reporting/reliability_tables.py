"""The table of damaged inputs (`benchmarks.reliability`)."""

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


TABLES = {"reliability": damaged}
