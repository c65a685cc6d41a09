"""Drum parts of any MIDI files as rolls (T, D): which pieces of a kit are struck at each step of the beat.

Is: kits (vocabularies of pieces), rolls on a grid of so many steps a quarter note, strokes back from rolls.
Is not: loudness, the groove's deviations from the grid, or a data set: the user brings the files.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symbolic.datasets.midi_folder import read_folder
from symbolic.drums import Strokes, read_drums
from symbolic.errors import NotebeamError

Roll = NDArray[np.bool_]  # (T, D)
MADE_VELOCITY = 90  # a roll has no loudness


@dataclass(frozen=True)
class Piece:
    """One drum or cymbal; all its pitches are read as it, the first one is written."""

    name: str
    pitches: tuple[int, ...]


@dataclass(frozen=True)
class Kit:
    """The pieces that a roll has columns for, in the order of the columns; no pitch belongs to two."""

    pieces: tuple[Piece, ...]

    def __post_init__(self) -> None:
        pitches = [pitch for piece in self.pieces for pitch in piece.pitches]
        repeated = sorted({pitch for pitch in pitches if pitches.count(pitch) > 1})
        if repeated:
            raise NotebeamError("Kit.pieces", f"pitches {repeated} twice", "each pitch in one piece")
        if not pitches or not all(0 <= pitch <= 127 for pitch in pitches):
            raise NotebeamError("Kit.pieces", pitches, "at least one piece, pitches 0..127")

    def __len__(self) -> int:
        return len(self.pieces)

    def columns(self) -> NDArray[np.int64]:
        """(128,) column of each pitch; -1: the kit has no such piece."""
        found = np.full(128, -1)
        for column, piece in enumerate(self.pieces):
            found[list(piece.pitches)] = column
        return found


# General MIDI's percussion map, and the pitches that electronic kits add to it (22, 26, 58), in the nine
# groups that drum models commonly use (Gillick et al. 2019, whose kit this is), and what is left over.
GENERAL_KIT = Kit((
    Piece("kick", (36, 35)),
    Piece("snare", (38, 37, 39, 40)),
    Piece("closed hat", (42, 22, 44)),
    Piece("open hat", (46, 26)),
    Piece("low tom", (43, 41, 58)),
    Piece("mid tom", (47, 45)),
    Piece("high tom", (50, 48)),
    Piece("crash", (49, 52, 55, 57)),
    Piece("ride", (51, 53, 59)),
    Piece("percussion", (56, 54, *range(60, 82))),
))  # fmt: skip


def found_kit(parts: Iterable[Strokes]) -> Kit:
    """A piece for every pitch that is struck in any of the parts, the lowest first."""
    pitches = sorted({pitch for part in parts for pitch in part.pitch.tolist()})
    return Kit(tuple(Piece(f"note {pitch}", (pitch,)) for pitch in pitches))


def drum_roll(strokes: Strokes, kit: Kit = GENERAL_KIT, divisions: int = 4) -> Roll:
    """(T, D) pieces struck at each step, `divisions` steps a quarter note, in whole bars of 4.

    A stroke belongs to the nearest step, the earlier of two; pitches that the kit lacks are left out.
    """
    _check(divisions)
    step = np.maximum(np.ceil(strokes.beat * divisions - 0.5), 0).astype(np.int64)
    bar = 4 * divisions
    steps = -(-(int(step.max(initial=-1)) + 1) // bar) * bar
    roll = np.zeros((steps, len(kit)), dtype=np.bool_)
    column = kit.columns()[strokes.pitch]
    roll[step[column >= 0], column[column >= 0]] = True
    return roll


def strokes_of(roll: Roll, kit: Kit = GENERAL_KIT, divisions: int = 4, tempo: float = 120.0) -> Strokes:
    """Strokes of a roll (T, D), all equally loud, for `symbolic.drums.write_drums`."""
    _check(divisions)
    if roll.ndim != 2 or roll.shape[1] != len(kit):
        raise NotebeamError("strokes_of(roll)", roll.shape, f"shape (T, {len(kit)}), a column a piece")
    step, column = np.nonzero(roll)
    first = np.array([piece.pitches[0] for piece in kit.pieces])
    order = np.lexsort((first[column], step))
    velocity = np.full(len(step), MADE_VELOCITY)
    return Strokes(step[order] / divisions, first[column][order], velocity, tempo)


def read_drum_rolls(
    paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    kit: Kit | None = GENERAL_KIT,
    divisions: int = 4,
    part: Literal["drums", "all"] = "drums",
) -> tuple[list[Roll], Kit]:
    """A roll for each MIDI file, and their kit: the given one, or with None the pitches found in all files.

    Args:
        paths: files, or a folder, whose files that cannot be read are passed over (`read_folder`).
        kit, divisions: as in `drum_roll`. part: as in `symbolic.drums.read_drums`.
    """
    if isinstance(paths, str | os.PathLike):
        parts = read_folder(Path(paths), lambda path: read_drums(path, part))
    else:
        parts = [read_drums(path, part) for path in paths]
    kit = found_kit(parts) if kit is None else kit
    return [drum_roll(strokes, kit, divisions) for strokes in parts], kit


def _check(divisions: int) -> None:
    if not isinstance(divisions, int) or divisions < 1:
        raise NotebeamError("divisions", divisions, "an integer >= 1")
