"""MAPS: recorded piano with the notes that were played.

Is: the list of recordings, each with its audio file and its table of notes.
Is not: reading either (acoustic.audio, symbolic.notes.read_tsv).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from symbolic.datasets import data_file
from symbolic.datasets.tables import number, read_table
from symbolic.errors import NotebeamError

Part = Literal["real-dev", "synth"]
SUFFIX: dict[str, str] = {"real-dev": ".flac", "synth": ".opus"}


@dataclass(frozen=True)
class Recording:
    """One recording; compositions repeat, and are what a split must keep apart."""

    name: str
    composition: str
    instrument: str
    seconds: float
    audio: Path
    table: Path  # tab-separated notes


def read_maps(part: Part, folder: Path | None = None) -> list[Recording]:
    """Recordings of one part, in the order of `recordings.csv` in `folder` (default: the data's `maps`)."""
    if part not in get_args(Part):
        raise NotebeamError("read_maps(part)", part, f"one of {', '.join(get_args(Part))}")
    path = data_file(folder, "maps", "recordings.csv")
    columns = ("set", "name", "composition", "instrument", "seconds")
    return [
        Recording(
            name=row["name"],
            composition=row["composition"],
            instrument=row["instrument"],
            seconds=number(row, "seconds", path, 0),
            audio=data_file(path.parent / part, "maps", row["name"] + SUFFIX[part]),
            table=data_file(path.parent / part, "maps", row["name"] + ".tsv"),
        )
        for row in read_table(path, columns)
        if row["set"] == part
    ]
