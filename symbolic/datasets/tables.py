"""Comma-separated tables that list the recordings or performances of a data set.

Is: rows as dictionaries, checked for the columns that a reader needs.
Is not: the note tables beside recordings (symbolic.notes).
"""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from symbolic.errors import NotebeamError
from symbolic.files import read_text

EXPECTED = "a comma-separated table"


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table that has at least these columns, each filled in every row."""
    reader = csv.DictReader(io.StringIO(read_text(path, EXPECTED), newline=""))
    rows = []
    try:
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise NotebeamError(f"{path} line 1", reader.fieldnames, f"also the columns {', '.join(missing)}")
        for row in reader:
            empty = [column for column in columns if not row[column]]
            if empty:
                raise NotebeamError(f"{path} line {reader.line_num} {empty[0]}", row[empty[0]], "a value")
            rows.append(row)
    except csv.Error as error:
        raise NotebeamError(f"{path} line {reader.line_num}", str(error), EXPECTED) from error
    return rows


def number(row: dict[str, str], column: str, place: Path, least: float = -math.inf) -> float:
    """A finite number from a row of `read_table`, not below `least`; `place` is the table's file."""
    try:
        value = float(row[column])
        if not (math.isfinite(value) and value >= least):
            raise ValueError
    except ValueError as error:
        expected = "a finite number" + (f" from {least:g}" if least > -math.inf else "")
        raise NotebeamError(f"{place}: {column}", row[column], expected) from error
    return value
