"""Motion capture of walking: 49 numbers a step, the set on which the RTRBM's successors were compared.

Is: the sequences of `mit.npz`, and a validation split.
Is not: angles in degrees: the numbers come preprocessed, each with mean about 0 and standard deviation about
1 over the whole set, and errors are in these units.

All sequences are cut from one stream of 3826 steps in this order (the last frame of one is as near to the
first of the next as any two neighbours are), and the test sequences are the end of it. Validation takes the
last of the training sequences, so that, as the test, it follows what is learnt and repeats none of it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symbolic.arrays import Array, read_arrays
from symbolic.datasets import data_file
from symbolic.errors import NotebeamError

SPLITS = ("train", "test")
VALID = 5  # of the 35 training sequences, the last ones

Frames = NDArray[np.float32]  # (T, D)


@dataclass(frozen=True)
class RealSet:
    """Sequences (T, D) float32 of each split; read-only."""

    train: list[Frames]
    valid: list[Frames]
    test: list[Frames]


def read_motion(folder: Path | None = None) -> RealSet:
    """The motion capture, from `mit.npz` in `folder` (default: the data's `motion`)."""
    path = data_file(folder, "motion", "mit.npz")
    content = read_arrays(path, [*SPLITS, *(f"{name}_lengths" for name in SPLITS)])
    train, test = (_cut(content, name, path) for name in SPLITS)
    if len(train) <= VALID:
        raise NotebeamError(f"{path}: train", f"{len(train)} sequences", f"more than {VALID}")
    return RealSet(train[:-VALID], train[-VALID:], test)


def _cut(content: dict[str, Array], name: str, path: Path) -> list[Frames]:
    """Sequences of the stacked frames `name`, (all steps, D), whose lengths lie beside them."""
    for key in (name, f"{name}_lengths"):
        if key not in content:
            raise NotebeamError(f"{path}: {key}", "no such array", "train, test and the lengths of each")
    stored, stored_lengths = content[name], content[f"{name}_lengths"]
    if stored.dtype.kind not in "fiu" or stored_lengths.dtype.kind not in "iu" or stored_lengths.ndim != 1:
        got = f"{stored.dtype} {stored.shape} and lengths {stored_lengths.dtype} {stored_lengths.shape}"
        raise NotebeamError(f"{path}: {name}", got, "numbers (all steps, D) and integers (sequences,)")
    with np.errstate(over="ignore"):  # infinity is refused below
        frames, lengths = np.asarray(stored, dtype=np.float32), stored_lengths.astype(np.int64)
    if frames.ndim != 2 or (lengths < 1).any() or int(lengths.sum()) != len(frames):
        got = f"{frames.shape} and {len(lengths)} lengths, together {int(lengths.sum())}"
        raise NotebeamError(f"{path}: {name}", got, "frames (all steps, D) and lengths that add up to them")
    if not np.isfinite(frames).all():
        raise NotebeamError(f"{path}: {name}", "nan or infinity", "finite numbers")
    frames.flags.writeable = False
    return np.split(frames, np.cumsum(lengths)[:-1])
