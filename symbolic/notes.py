"""Notes: what was played, as columns.

Is: the type, its checks, its two text tables.
Is not: MIDI files (symbolic.midi) or steps (symbolic.clock).
"""

import csv
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symbolic.checks import brief, floats, path_of, real, whole
from symbolic.errors import NotebeamError
from symbolic.files import read_text, replacing
from symbolic.pitch import HIGHEST, KEYS, LOWEST

if TYPE_CHECKING:
    from symbolic.metre import Beats

Scalar = TypeVar("Scalar", bound=np.generic)

_COLUMNS = ("onset", "offset", "pitch", "velocity")
_TYPES = {
    "onset": np.float64,
    "offset": np.float64,
    "pitch": np.int64,
    "velocity": np.int64,
    "confidence": np.float32,
    "key_offset": np.float64,
}

# Seconds without a strike, or of one note: more is a broken time, and would fill the memory.
LONGEST_GAP = 4 * 3600.0


@dataclass(frozen=True, eq=False)
class Notes:
    """N notes sorted by onset, then pitch; made with `Notes.make`, which checks them. Read-only.

    >>> import notebeam as nb
    >>> notes = nb.Notes.make(onset=[0.5, 0.0], offset=[1.0, 0.5], pitch=[64, 60], velocity=[80, 64])
    >>> notes.pitch.tolist(), len(notes.cut(0.0, 0.5))
    ([60, 64], 1)
    """

    onset: NDArray[np.float64]  # (N,) seconds, finite; negative only after `shifted`
    offset: NDArray[np.float64]  # (N,) seconds, > onset
    pitch: NDArray[np.int64]  # (N,) MIDI 21..108
    velocity: NDArray[np.int64]  # (N,) 1..127
    confidence: NDArray[np.float32] | None = None  # (N,) 0..1
    key_offset: NDArray[np.float64] | None = None  # (N,) seconds, > onset: the key's release, if known

    def __post_init__(self) -> None:
        count = self.onset.shape if isinstance(self.onset, np.ndarray) else ()
        for name, kind in _TYPES.items():
            column = getattr(self, name)
            if column is None and name in ("confidence", "key_offset"):
                continue
            good = isinstance(column, np.ndarray) and column.dtype == kind and column.ndim == 1
            if not good or column.shape != count:
                expected = f"an array of {np.dtype(kind)}, (N,); Notes.make takes any numbers"
                raise NotebeamError(f"Notes.{name}", brief(column), expected)

    @staticmethod
    def make(
        onset: ArrayLike,
        offset: ArrayLike,
        pitch: ArrayLike,
        velocity: ArrayLike,
        confidence: ArrayLike | None = None,
        key_offset: ArrayLike | None = None,
        place: str = "notes",
    ) -> "Notes":
        """Sorted and checked notes from columns of length N; `place` begins every error line."""
        values = (onset, offset, pitch, velocity)
        columns = {key: _column(value, f"{place}.{key}") for key, value in zip(_COLUMNS, values, strict=True)}
        for key, value in (("confidence", confidence), ("key_offset", key_offset)):
            if value is not None:
                columns[key] = _column(value, f"{place}.{key}")
        for key, column in columns.items():
            if column.shape != columns["onset"].shape:
                raise NotebeamError(
                    f"{place}.{key}", column.shape, f"shape {columns['onset'].shape} of onset"
                )
        _check_rows(columns, place)
        order = np.lexsort((columns["pitch"], columns["onset"]))
        rows = {key: column[order] for key, column in columns.items()}
        return Notes(
            onset=_frozen(rows["onset"]),
            offset=_frozen(rows["offset"]),
            pitch=_frozen(rows["pitch"].astype(np.int64)),
            velocity=_frozen(rows["velocity"].astype(np.int64)),
            confidence=_frozen(rows["confidence"].astype(np.float32)) if "confidence" in rows else None,
            key_offset=_frozen(rows["key_offset"]) if "key_offset" in rows else None,
        )

    @staticmethod
    def empty() -> "Notes":
        """No notes."""
        return Notes.make([], [], [], [])

    def __len__(self) -> int:
        return len(self.onset)

    def save(
        self,
        path: str | os.PathLike[str],
        tempo: float = 120.0,
        *,
        pedal: bool = False,
        beats: "Beats | None" = None,
        right: "NDArray[np.bool_] | None" = None,
    ) -> None:
        """Write a MIDI file (.mid, .midi); arguments and errors as of `symbolic.midi_writing.write_midi`."""
        from symbolic.midi_writing import write_midi

        place, expected = "Notes.save(path)", "a path that ends in .mid or .midi"
        if not path_of(path, place, expected).lower().endswith((".mid", ".midi")):
            raise NotebeamError(place, str(path), expected)

        write_midi(path, self, tempo, pedal=pedal, beats=beats, right=right)

    def cut(self, start: float, stop: float) -> "Notes":
        """Notes struck in [start, stop) seconds, at their old times; they sound until `stop` at most."""
        start, stop = real(start, "Notes.cut(start)", "seconds"), real(stop, "Notes.cut(stop)", "seconds")
        if np.isnan(start) or np.isnan(stop):
            raise NotebeamError("Notes.cut", (start, stop), "a start and a stop, seconds")
        inside = (self.onset >= start) & (self.onset < stop)
        key_offset = None if self.key_offset is None else np.minimum(self.key_offset, stop)
        return self._changed(inside, offset=np.minimum(self.offset, stop), key_offset=key_offset)

    def shifted(self, seconds: float) -> "Notes":
        """The same notes, so many seconds later."""
        seconds = real(seconds, "Notes.shifted(seconds)", "a number of seconds")
        onset, offset = self.onset + seconds, self.offset + seconds
        key_offset = None if self.key_offset is None else self.key_offset + seconds
        return self._changed(slice(None), onset=onset, offset=offset, key_offset=key_offset)

    def transposed(self, semitones: int) -> "Notes":
        """The same notes, so many semitones higher; leaving the piano's range is an error."""
        semitones = whole(semitones, "Notes.transposed(semitones)", "a whole number of semitones")
        if abs(semitones) >= KEYS:
            raise NotebeamError("Notes.transposed(semitones)", semitones, f"fewer than {KEYS} either way")
        return self._changed(slice(None), pitch=self.pitch + semitones)

    def _changed(self, rows: "NDArray[np.bool_] | slice", **columns: NDArray[np.generic] | None) -> "Notes":
        new: dict[str, Any] = {}
        for key in (*_COLUMNS, "confidence", "key_offset"):
            column = columns.get(key, getattr(self, key))
            new[key] = None if column is None else column[rows]
        return Notes.make(**new)


def _column(values: ArrayLike, place: str) -> NDArray[np.float64]:
    """(N,) float64."""
    column = floats(values, place, "a column of numbers")
    if column.ndim != 1:
        raise NotebeamError(place, column.shape, "shape (N,)")
    return column


def _frozen(column: NDArray[Scalar]) -> NDArray[Scalar]:
    """The same array, read-only; callers own it."""
    column.flags.writeable = False
    return column


def _check_rows(
    columns: dict[str, NDArray[np.float64]], place: str, word: str = "row", first: int = 0
) -> None:
    """Raise for the first row that breaks a rule; rows are called `word` and counted from `first`."""
    onset, offset, pitch, velocity = (columns[key] for key in _COLUMNS)
    confidence = columns.get("confidence", np.zeros(len(onset)))
    key_offset = columns.get("key_offset", offset)
    # Written so that nan breaks the rule as well.
    rules = (
        ("onset", np.isfinite(onset), "finite seconds"),
        ("offset", np.isfinite(offset) & (offset > onset), "finite seconds after the onset"),
        ("key_offset", np.isfinite(key_offset) & (key_offset > onset), "finite seconds after the onset"),
        ("pitch", _whole(pitch, LOWEST, HIGHEST), f"a MIDI pitch {LOWEST}..{HIGHEST}"),
        ("velocity", _whole(velocity, 1, 127), "a whole number 1..127"),
        ("confidence", (confidence >= 0) & (confidence <= 1), "a number 0..1"),
    )
    for key, kept, expected in rules:
        if not kept.all():
            row = int(np.argmin(kept))
            raise NotebeamError(f"{place} {word} {first + row} {key}", float(columns[key][row]), expected)


def _whole(column: NDArray[np.float64], low: int, high: int) -> NDArray[np.bool_]:
    return np.asarray((column >= low) & (column <= high) & (column == np.floor(column)))


def read_tsv(path: str | os.PathLike[str]) -> Notes:
    """Notes of a tab-separated table with the columns onset, offset, pitch, velocity, and maybe key_offset.

    `offset` is the sounding offset (pedal up or key struck again), `key_offset` the moment the key is
    released. Errors name the line of the file, the header being line 1.
    """
    lines = read_text(path, "a tab-separated table").splitlines()
    header = lines[0].split("\t") if lines else []
    for key in _COLUMNS:
        if key not in header:
            raise NotebeamError(f"{path} line 1", header, f"a header with the column {key!r}")
    wanted = [*_COLUMNS, *(["key_offset"] if "key_offset" in header else [])]
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(header):
            raise NotebeamError(f"{path} line {number}", line, f"{len(header)} cells between tabs")
        rows.append([_number(cells[header.index(key)], f"{path} line {number} {key}") for key in wanted])
    table = np.array(rows, dtype=np.float64).reshape(-1, len(wanted))
    columns = dict(zip(wanted, table.T, strict=True))
    return _of_columns(columns, path, "onset")


def check_times(
    onset: NDArray[np.float64], offset: NDArray[np.float64], path: str | os.PathLike[str]
) -> None:
    """Refuse times (N,) far beyond all other music: what is made of them is as long as the last note is late.

    Raises:
        NotebeamError: `LONGEST_GAP` seconds without a strike, or of one note.
    """
    gaps = np.diff(np.sort(onset), prepend=min(0.0, onset.min(initial=0.0)))
    longest = max(gaps.max(initial=0.0), (offset - onset).max(initial=0.0))
    if longest > LONGEST_GAP:
        got = f"{longest / 3600:.1f} hours without a strike"
        expected = f"{LONGEST_GAP / 3600:g} at most: a broken time in the file"
        raise NotebeamError(f"{path}: times", got, expected)


def _of_columns(columns: dict[str, NDArray[np.float64]], path: str | os.PathLike[str], onset: str) -> Notes:
    """Notes of a table's columns (N,); errors name its lines, and the column of onsets by its own name."""
    _check_rows(columns, str(path), word="line", first=2)
    early = columns["onset"] < 0
    if early.any():
        row = int(np.argmax(early))
        raise NotebeamError(f"{path} line {2 + row} {onset}", float(columns["onset"][row]), "seconds >= 0")
    check_times(columns["onset"], columns["offset"], path)
    return Notes.make(**columns, place=str(path))


def _number(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise NotebeamError(place, text, "a number") from error


def write_tsv(path: str | os.PathLike[str], notes: Notes) -> None:
    """Write a table that `read_tsv` reads; unknown key offsets are taken to be the sounding ones."""
    key_offset = notes.offset if notes.key_offset is None else notes.key_offset
    # At least the last digit written, or a very short note would come back without length.
    onset = notes.onset.round(4)
    ends = (np.maximum(column.round(4), onset + 1e-4) for column in (notes.offset, key_offset))
    columns = zip(onset, *ends, notes.pitch, notes.velocity, strict=True)
    rows = [f"{on:.4f}\t{off:.4f}\t{up:.4f}\t{pitch}\t{velocity}" for on, off, up, pitch, velocity in columns]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(["onset\toffset\tkey_offset\tpitch\tvelocity", *rows, ""]))


def write_csv(path: str | os.PathLike[str], notes: Notes) -> None:
    """Table start_time_s,end_time_s,pitch_midi,velocity,confidence; an unknown confidence is left blank."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("start_time_s", "end_time_s", "pitch_midi", "velocity", "confidence"))
        for i in range(len(notes)):
            confidence = "" if notes.confidence is None else f"{notes.confidence[i]:.4f}"
            onset = round(float(notes.onset[i]), 4)
            offset = max(round(float(notes.offset[i]), 4), onset + 1e-4)  # however short the note
            times = (f"{onset:.4f}", f"{offset:.4f}")
            writer.writerow((*times, notes.pitch[i], notes.velocity[i], confidence))


def read_csv(path: str | os.PathLike[str]) -> Notes:
    """Notes of a table as `write_csv` writes it; confidences may be missing, other columns are not read.

    Errors name the line of the file, the header being line 1.
    """
    names = {"onset": "start_time_s", "offset": "end_time_s", "pitch": "pitch_midi", "velocity": "velocity"}
    expected = "a table of comma-separated values"
    try:
        lines = list(csv.reader(io.StringIO(read_text(path, expected), newline="")))
    except csv.Error as error:
        raise NotebeamError(str(path), str(error), expected) from error
    header = lines[0] if lines else []
    for name in names.values():
        if name not in header:
            raise NotebeamError(f"{path} line 1", header, f"a header with the column {name!r}")
    if "confidence" in header and any(
        len(row) == len(header) and row[header.index("confidence")] for row in lines[1:]
    ):
        names["confidence"] = "confidence"
    rows = []
    for number, row in enumerate(lines[1:], start=2):
        if len(row) < len(header):
            raise NotebeamError(f"{path} line {number}", ",".join(row), f"{len(header)} cells between commas")
        rows.append(
            [_number(row[header.index(name)], f"{path} line {number} {name}") for name in names.values()]
        )
    table = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    columns = dict(zip(names, table.T, strict=True))
    return _of_columns(columns, path, names["onset"])
