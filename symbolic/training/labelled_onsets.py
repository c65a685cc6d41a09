"""Onsets that an acoustic model thought possible, labelled by the notes that were played.

Is: a folder of posteriorgrams and notes as a join learns from them, and which recordings are held out.
Is not: the fit (training.join), or the making of the posteriorgrams (acoustic.training.posteriorgrams): this
package knows no audio.

The folder holds NAME.npz, posteriorgrams, NAME.tsv, the notes, and `recordings.csv` with the columns name,
composition and instrument, by which recordings are held out, and corpus, if known, for the card.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.datasets.tables import read_table
from symbolic.decoding.evidence import evidence_of, frames_clock
from symbolic.errors import NotebeamError
from symbolic.notes import Notes, read_tsv
from symbolic.pitch import LOWEST
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.evidence_join import FLOOR, candidates
from symbolic.priors.surroundings import PLANES, Onsets, number_count, planes_of, surroundings

STEP = 0.04  # seconds
TOLERANCE = 0.06  # seconds between a note and the onset that is its own
WIDE = 0.1  # seconds within which a recording's deviation is looked for
LIST = "recordings.csv"
DESCRIBED = ("name", "composition", "instrument")  # of its columns, those that must be there


@dataclass(frozen=True, eq=False)
class Judged:
    """Onsets of one recording, and which of them are notes."""

    inputs: Tensor  # (N, F) float16
    struck: Tensor  # (N,) 0/1
    notes: int  # that were played
    planes: int = len(PLANES)  # that were looked at, the first so many of `PLANES`
    model: str = ""  # whose posteriorgram it is; "": unknown
    name: str = ""
    composition: str = ""
    instrument: str = ""
    corpus: str = ""  # "": not known


def judged(posteriorgram: Posteriorgram, notes: Notes, floor: float = FLOOR, **described: str) -> Judged:
    """The onsets of a probability of `floor` or more, labelled."""
    _, onsets = candidates(evidence_of(posteriorgram, frames_clock(posteriorgram, STEP), "struck"), floor)
    planes = planes_of(posteriorgram)
    inputs = torch.zeros((len(onsets.key), number_count(planes)), dtype=torch.float16)
    for places, numbers in surroundings(posteriorgram, onsets, planes):
        inputs[torch.from_numpy(places)] = torch.from_numpy(numbers).half()
    struck = torch.from_numpy(labels(onsets, notes))
    return Judged(inputs, struck, len(notes), planes, posteriorgram.model, **described)


def labels(onsets: Onsets, notes: Notes) -> NDArray[np.float32]:
    """(N,) 1 for the onset of each note (`own_onsets`)."""
    result = np.zeros(len(onsets.key), dtype=np.float32)
    own = own_onsets(onsets, notes)
    result[own[own >= 0]] = 1.0
    return result


def own_onsets(onsets: Onsets, notes: Notes) -> NDArray[np.int64]:
    """(M,) the most probable onset within 60 ms of each note, the deviation taken off; -1: none."""
    late = deviation(onsets, notes)
    order, line = _line(onsets.key, onsets.time - late)
    back, wanted = _line(notes.pitch - LOWEST, notes.onset)
    first = np.searchsorted(line, wanted - TOLERANCE)
    stop = np.searchsorted(line, wanted + TOLERANCE, side="right")
    prob = np.append(onsets.prob[order], -1.0)
    best = first.copy()
    for ahead in range(1, int((stop - first).max(initial=0))):
        at = np.minimum(first + ahead, len(prob) - 1)
        best = np.where((at < stop) & (prob[at] > prob[best]), at, best)
    result = np.full(len(notes), -1)
    found = first < stop
    result[back[found]] = order[best[found]]
    return result


def deviation(onsets: Onsets, notes: Notes) -> float:
    """Median distance in seconds from notes to the likely onsets within 100 ms of them; 0 without any."""
    likely = onsets.prob > 0.5
    _, line = _line(onsets.key[likely], onsets.time[likely])
    _, wanted = _line(notes.pitch - LOWEST, notes.onset)
    if not len(line):
        return 0.0
    after = np.searchsorted(line, wanted).clip(max=len(line) - 1)
    distances = np.stack([line[after] - wanted, line[(after - 1).clip(min=0)] - wanted])
    nearest = distances[np.abs(distances).argmin(axis=0), np.arange(len(wanted))]
    near = nearest[np.abs(nearest) <= WIDE]
    return float(np.median(near)) if len(near) else 0.0


def _line(key: NDArray[np.int64], time: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Order by key and time, and all moments in that order on one line, keys a day apart."""
    order = np.lexsort((time, key))
    return order, np.asarray(key[order] * 86_400.0 + time[order])


def recordings(folder: Path) -> Iterator[tuple[Posteriorgram, Notes, Mapping[str, str]]]:
    """Every posteriorgram of the list that is there, with its notes, and its row of the list.

    Raises:
        NotebeamError: no list, or none of it is there.
    """
    rows, count = read_table(folder / LIST, DESCRIBED), 0
    for row in rows:
        path = folder / f"{row['name']}.npz"
        if path.exists():
            count += 1
            yield Posteriorgram.load(path), read_tsv(path.with_suffix(".tsv")), row
    if not count:
        raise NotebeamError(str(folder), "no posteriorgram of the list", "NAME.npz, each with NAME.tsv")


def read(folder: Path, floor: float = FLOOR) -> Iterator[Judged]:
    """The onsets of `recordings`, labelled; the same errors."""
    for posteriorgram, notes, row in recordings(folder):
        described = {name: row[name] for name in DESCRIBED}
        yield judged(posteriorgram, notes, floor, **described, corpus=row.get("corpus") or "")


def check_alike(data: Sequence[Judged]) -> None:
    """Refuse recordings of different systems.

    Raises:
        NotebeamError: one of another model than the first, or with other planes.
    """
    for part in data:
        if part.model != data[0].model:
            expected = f"{data[0].model!r}, as of {data[0].name}"
            raise NotebeamError(f"posteriorgram of {part.name}", f"model {part.model!r}", expected)
        if part.planes != data[0].planes:
            got, first = (", ".join(("frame", *PLANES[: one.planes])) for one in (part, data[0]))
            expected = f"{first}, as of {data[0].name}"
            raise NotebeamError(f"posteriorgram of {part.name}", f"the planes {got}", expected)


def model_of(data: Sequence[Judged], given: str | None) -> str:
    """The system whose posteriorgrams these are, `given` where they don't say.

    Raises:
        NotebeamError: neither tells, or they differ.
    """
    model = data[0].model
    if not (model or given):
        raise NotebeamError("--model", "nothing", "a name: the posteriorgrams don't say whose they are")
    if model and given and given != model:
        raise NotebeamError("--model", given, f"{model!r}, whose posteriorgrams these are")
    return model or given or ""


def split(
    data: Sequence[Judged], instruments: Sequence[str], every: int = 3
) -> tuple[list[Judged], list[Judged]]:
    """Recordings to learn from, and those held out: every third composition on these instruments.

    What shares a composition or an instrument with those held out is in neither.
    """
    compositions = sorted({part.composition for part in data})[::every]
    held = [p for p in data if p.instrument in instruments and p.composition in compositions]
    rest = [p for p in data if p.instrument not in instruments and p.composition not in compositions]
    return rest, held
