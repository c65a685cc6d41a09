"""ASAP: performances by pianists, with pedal.

Is: the performances as notes, with composer, title and a split by composition.
Is not: their scores, beats and downbeats.
"""

from dataclasses import dataclass
from pathlib import Path

from symbolic.datasets import data_file, unpacked
from symbolic.datasets.tables import read_table
from symbolic.midi import read_midi
from symbolic.notes import Notes


@dataclass(frozen=True)
class Performance:
    """One pianist playing one composition; offsets are extended by the pedal."""

    name: str  # the file's place in the set without suffix: unique
    composer: str
    title: str
    split: str  # no composition is in two
    notes: Notes
    path: Path  # the MIDI file


def read_asap(folder: Path | None = None) -> list[Performance]:
    """All performances, in the order of `metadata.csv` in `folder` (default: the data's `asap`)."""
    table = read_table(
        data_file(folder, "asap", "metadata.csv"), ("composer", "title", "folder", "midi", "split")
    )
    files = unpacked(data_file(folder, "asap", "performances.tar.xz"))
    return [
        Performance(
            name=row["midi"].removesuffix(".mid"),
            composer=row["composer"],
            title=row["title"],
            split=row["split"],
            notes=read_midi(files / row["midi"]),
            path=files / row["midi"],
        )
        for row in table
    ]
