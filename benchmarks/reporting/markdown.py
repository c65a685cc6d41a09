"""Tables as text.

Is: the one form that all tables of the README have, and the line below them.
Is not: what stands in them (benchmarks.tables, benchmarks.decoding_tables).
"""

from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]  # what `reporting.form.read_report` gives


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text cells."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rows_of(report: Report) -> list[dict[str, Any]]:
    """The rows of a report."""
    rows: list[dict[str, Any]] = report["rows"]
    return rows


def source(report: Report) -> str:
    """Where the figures come from, in one line."""
    return f"`{report['command']}`, commit {report['commit']}, {report['date']}, {report['machine']}."
