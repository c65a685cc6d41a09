"""The four classic sets of the literature: Piano-midi.de, Nottingham, MuseData, JSB chorales.

Is: their pieces as rolls of active keys, with the literature's splits.
Is not: recordings, or times: the step is a beat's fraction that differs from set to set.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from symbolic.datasets import data_file
from symbolic.errors import NotebeamError
from symbolic.files import open_file, parse_json
from symbolic.pitch import HIGHEST, KEYS, LOWEST

ClassicName = Literal["piano_midi", "nottingham", "musedata", "jsb"]
# Steps a quarter note: the chorales go by quarters, the others by eighths (tunes in 6/8 repeat after six).
STEPS_A_BEAT: dict[str, int] = {"piano_midi": 2, "nottingham": 2, "musedata": 2, "jsb": 1}
Piece = NDArray[np.bool_]  # (T, 88)
LARGEST = 256 << 20  # bytes of a set, unpacked


@dataclass(frozen=True)
class ClassicSet:
    """Pieces (T, 88) bool of each split."""

    train: list[Piece]
    valid: list[Piece]
    test: list[Piece]


def read_classic(name: ClassicName, folder: Path | None = None) -> ClassicSet:
    """One of the four sets, from `NAME.json.gz` in `folder` (default: the data's `symbolic`)."""
    if name not in get_args(ClassicName):
        raise NotebeamError("read_classic(name)", name, f"one of {', '.join(get_args(ClassicName))}")
    path = data_file(folder, "symbolic", f"{name}.json.gz")
    content = parse_json(_unzipped(path), str(path), "gzipped JSON")
    return ClassicSet(*(_pieces(content, split, path) for split in ("train", "valid", "test")))


def _unzipped(path: Path) -> str:
    try:
        with open_file(path, "gzipped JSON") as file, gzip.GzipFile(fileobj=file) as unzipped:
            content = unzipped.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise NotebeamError(str(path), "more unpacked", f"at most {LARGEST} bytes of JSON")
        return content.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise NotebeamError(str(path), f"damage ({error})", "gzipped JSON") from error


def _pieces(content: Any, split: str, path: Path) -> list[Piece]:
    if not isinstance(content, dict) or not isinstance(content.get(split), list):
        raise NotebeamError(f"{path}: {split}", "no such list", "pieces: [[pitches of a step, ...], ...]")
    return [_roll(steps, f"{path}: {split} piece {i}") for i, steps in enumerate(content[split])]


def _roll(steps: list[list[int]], place: str) -> Piece:
    """(T, 88) of T lists of pitches."""
    try:
        step = np.repeat(np.arange(len(steps)), [len(pitches) for pitches in steps])
        pitch = np.array([pitch for pitches in steps for pitch in pitches], dtype=np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotebeamError(place, "something else", "a list of pitches for each step") from error
    if ((pitch < LOWEST) | (pitch > HIGHEST)).any():
        outside = pitch[(pitch < LOWEST) | (pitch > HIGHEST)][0]
        raise NotebeamError(place, int(outside), f"MIDI pitches {LOWEST}..{HIGHEST}")
    if not len(steps):
        raise NotebeamError(place, "an empty piece", "at least one step")
    roll = np.zeros((len(steps), KEYS), dtype=np.bool_)
    roll[step, pitch - LOWEST] = True
    roll.flags.writeable = False
    return roll
