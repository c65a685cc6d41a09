"""Tables as Markdown, and the places between markers that they fill."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symbolic.errors import NotebeamError

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


def filled(text: str, tables: Mapping[str, Callable[[], str]], place: str) -> str:
    """The text with every `<!-- table: NAME -->` ... `<!-- end -->` made anew.

    Raises:
        NotebeamError: a table that there is not, or a marker without its end; `place` begins the message.
    """

    def table(match: re.Match[str]) -> str:
        if match[1] not in tables:
            raise NotebeamError(f"{place}: table", match[1], f"one of {', '.join(tables)}")
        if "<!-- table: " in match[2]:
            raise NotebeamError(f"{place}: table {match[1]}", "no end", "<!-- end --> before the next table")
        return f"<!-- table: {match[1]} -->\n\n{tables[match[1]]()}\n\n<!-- end -->"

    new, count = re.subn(r"<!-- table: (\S+) -->(.*?)<!-- end -->", table, text, flags=re.DOTALL)
    if count != text.count("<!-- table: "):
        raise NotebeamError(f"{place}: tables", "a marker without its end", "<!-- end --> after each table")
    return new
