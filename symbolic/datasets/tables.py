"""Comma-separated tables that list the recordings or performances of a data set.

Is: rows as dictionaries, checked for the columns that a reader needs.
Is not: the note tables beside recordings (symbolic.notes).
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from symbolic.errors import NotebeamError


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table that has at least these columns, each filled in every row."""
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise NotebeamError(f"{path} line 1", reader.fieldnames, f"also the columns {', '.join(missing)}")
        rows = []
        for row in reader:
            empty = [column for column in columns if not row[column]]
            if empty:
                raise NotebeamError(f"{path} line {reader.line_num} {empty[0]}", row[empty[0]], "a value")
            rows.append(row)
    return rows
