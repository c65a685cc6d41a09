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


def source(report: Report, rows: Sequence[Mapping[str, Any]] | None = None) -> str:
    """Where the figures come from, in one line.

    Rows that carry a commit of their own (all of the report's, or those given) need not be of one run: then
    every commit is named, and the options of the last run are not.
    """
    own = [row for row in (rows_of(report) if rows is None else rows) if "commit" in row]
    commits, dates, machines = (
        ", ".join(dict.fromkeys(each[name] for each in own or [report]))
        for name in ("commit", "date", "machine")
    )
    command = " ".join(report["command"].split()[:3]) if own else report["command"]
    return f"`{command}`, commit {commits}, {dates}, {machines}."


def points(row: Mapping[str, Any], name: str) -> str:
    """A gain in points of F with its interval, of the cells `name`, `name`_low and `name`_high."""
    gain, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{gain:+.2f} ({low:+.2f} to {high:+.2f})"


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
