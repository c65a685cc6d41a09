"""Music as it is written: the scores in the corpus that the library music21 brings along.

Is: Bach's chorales, string quartets and other pieces of several voices as notes, beats and bars, in quarters.
Is not: performances; every note lasts as it is written.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError

if TYPE_CHECKING:
    from partitura.score import Part

COMPOSERS = (
    "beach",
    "beethoven",
    "corelli",
    "haydn",
    "handel",
    "joplin",
    "liliuokalani",
    "mozart",
    "schubert",
    "schumann_clara",
    "schumann_robert",
    "verdi",
    "weber",
)
SUFFIXES = (".mxl", ".xml", ".musicxml")
EVERY = 6  # each so-manyth chorale is left to tests
# Whose transcriptions are judged (benchmarks.scores).
JUDGED = (
    "bach/bwv66.6.mxl",
    "bach/bwv269.mxl",
    "bach/bwv324.mxl",
    "bach/bwv347.mxl",
    "mozart/k545/movement1_exposition.mxl",
    "schumann_clara/polonaise_op1n2.mxl",
)
FEWEST_NOTES = 60
SAME = 1e-6  # quarters


@dataclass(frozen=True, eq=False)
class Score:
    """N notes, by time and pitch, and M beats; times in quarter notes, below 0 before the first whole bar."""

    name: str  # the file's place in the corpus
    onset: NDArray[np.float64]  # (N,)
    duration: NDArray[np.float64]  # (N,)
    pitch: NDArray[np.int64]  # (N,)
    beats: NDArray[np.float64]  # (M,) increasing
    downbeat: NDArray[np.bool_]  # (M,) begins a bar
    thirds: NDArray[np.bool_]  # (M,) the beat is three thirds, as in 6/8
    fifths: NDArray[np.int64]  # (M,) sharps of the key signature, flats below 0


def corpus() -> Path:
    """Folder of music21's corpus.

    Raises:
        NotebeamError: music21 is not installed.
    """
    try:
        import music21
    except ImportError as error:
        expected = "its corpus: pip install 'notebeam[written]'"
        raise NotebeamError("music21", "not installed", expected) from error
    assert music21.__file__ is not None
    return Path(music21.__file__).parent / "corpus"


def parts_of(name: str) -> "list[Part]":
    """The parts of a file of the corpus that have notes."""
    import partitura

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # slurs without ends and the like
        return [part for part in partitura.load_score(str(corpus() / name)).parts if part.notes_tied]


def single_notes(table: NDArray[Any]) -> NDArray[np.int64]:
    """Rows of a table of notes, by time and pitch: without grace notes, which have no time, and of two voices
    on one key at once the first."""
    rows = np.flatnonzero(table["duration_quarter"] > 0)
    places = np.stack([table["onset_quarter"][rows], table["pitch"][rows]])
    _, first = np.unique(places, axis=1, return_index=True)
    return np.asarray(rows[first])


def chorales() -> list[str]:
    """Names of Bach's chorales: cantatas' numbers and 253 to 438, which have four voices."""
    names = [f"bach/{path.name}" for path in sorted((corpus() / "bach").glob("bwv*.mxl"))]
    return [name for name in names if name != "bach/bwv846.mxl"]


def held_out() -> list[str]:
    """Names of the chorales on which nothing is trained."""
    return chorales()[::EVERY]


def read_written() -> list[Score]:
    """All pieces to train on: chorales but those held out, and other music; no sketches, nothing judged."""
    kept_back = {*held_out(), *JUDGED}
    others = [
        str(path.relative_to(corpus()))
        for composer in COMPOSERS
        for path in sorted((corpus() / composer).rglob("*"))
        if path.suffix in SUFFIXES
    ]
    names = [name for name in (*chorales(), *others) if name not in kept_back]
    scores = (read_score(name) for name in names)
    return [score for score in scores if score is not None and len(score.onset) >= FEWEST_NOTES]


def read_score(name: str) -> Score | None:
    """A piece of the corpus; None where the reader fails on it.

    A beat is what the time signature counts, three eighths in 6/8, 9/8, 12/8; in 3/8 an eighth, as in ASAP.
    """
    try:
        parts = parts_of(name)
        table = np.concatenate(
            [part.note_array()[["onset_quarter", "duration_quarter", "pitch"]] for part in parts]
        )
        rows = list(_beats(parts[0]))
    except (IndexError, KeyError, ValueError, AttributeError):
        return None  # a few files of the corpus
    table = table[single_notes(table)]
    beats, downbeat, thirds, fifths = (np.array(column) for column in zip(*rows, strict=True))
    later = np.concatenate([[True], np.diff(beats) > SAME])
    return Score(
        name,
        table["onset_quarter"].astype(np.float64),
        table["duration_quarter"].astype(np.float64),
        table["pitch"].astype(np.int64),
        beats[later],
        downbeat[later],
        thirds[later],
        fifths[later],
    )


def _beats(part: "Part") -> Iterator[tuple[float, bool, bool, int]]:
    """Time in quarters, whether it begins a bar, whether it is of thirds, and the key, of every beat."""
    from partitura import score

    signatures = [(one.start.t, one.beats, one.beat_type) for one in part.iter_all(score.TimeSignature)]
    keys = [(one.start.t, one.fifths) for one in part.iter_all(score.KeySignature)] or [(0, 0)]
    for number, measure in enumerate(part.iter_all(score.Measure)):
        _, upper, lower = [one for one in signatures if one[0] <= measure.start.t][-1]
        fifths = ([one for one in keys if one[0] <= measure.start.t] or keys[:1])[-1][1]
        thirds = upper > 3 and upper % 3 == 0
        unit, whole = (12 / lower, upper // 3) if thirds else (4 / lower, upper)
        start, stop = float(part.quarter_map(measure.start.t)), float(part.quarter_map(measure.end.t))
        count = int(np.ceil((stop - start) / unit - SAME))
        if number == 0 and count < whole:  # before the first bar: its beats are counted from there
            yield from ((stop - unit * back, False, thirds, fifths) for back in range(count, 0, -1))
        else:
            yield from ((start + unit * beat, beat == 0, thirds, fifths) for beat in range(count))
