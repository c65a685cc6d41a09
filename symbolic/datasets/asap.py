"""ASAP: performances by pianists, with pedal.

Is: the performances as notes, with composer, title and a split by composition; their beats.
Is not: their scores.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symbolic.datasets import data_file, unpacked
from symbolic.datasets.tables import read_table
from symbolic.errors import NotebeamError
from symbolic.files import read_text
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


@dataclass(frozen=True, eq=False)
class Annotation:
    """What ASAP says of each of the N beats of a performance."""

    times: NDArray[np.float64]  # (N,) seconds, increasing
    downbeat: NDArray[np.bool_]  # (N,) begins a bar
    thirds: NDArray[np.bool_]  # (N,) the beat is three thirds, as in 6/8
    fifths: NDArray[np.int64]  # (N,) sharps of the key signature, flats below 0


def read_annotation(performance: Performance) -> Annotation:
    """The beats that lie beside a performance.

    A line is a time, twice, and a label: `db` or `b`, then, where they change, time signature and sharps.
    Beats that are not later than all before them are left out.

    Raises:
        NotebeamError: no such file, no beats in it, or a line that is none.
    """
    path = performance.path.with_name(performance.path.stem + "_annotations.txt")
    rows: list[tuple[float, bool, bool, int]] = []
    thirds, fifths = False, 0
    for number, line in enumerate(read_text(path, "annotations").splitlines(), start=1):
        try:
            first, _, label = line.split("\t")
            kind, signature, key = [*label.split(","), "", ""][:3]
            if signature:
                upper = int(signature.split("/")[0])
                thirds = upper > 3 and upper % 3 == 0
            fifths = int(key) if key else fifths
            rows.append((float(first), kind == "db", thirds, fifths))
        except ValueError as error:
            raise NotebeamError(f"{path} line {number}", line, "a beat, as in 1.5 1.5 db,3/4,-2") from error
    if not rows:
        raise NotebeamError(str(path), "no beats", "a beat on each line, as in 1.5 1.5 db,3/4,-2")
    times, downbeat, is_thirds, sharps = (np.array(column) for column in zip(*rows, strict=True))
    # Later than all before it, not than the one before alone, which may be left out itself.
    later = times > np.maximum.accumulate(np.append(-1.0, times[:-1]))
    return Annotation(times[later], downbeat[later], is_thirds[later], sharps[later])
