"""What basic-pitch puts out or has saved, as a posteriorgram whose times are right. Needs no audio library.

basic-pitch lays the middle 142 frames of each window one after the other, but its windows are 141.27 frames
apart: each window's frames begin 8.5 ms earlier than the line says. Its own correction of times steps every
172 frames instead. Here every frame is where it was, and all are brought to even times.
"""

import pickle
import zipfile
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from symbolic.arrays import array_names, read_arrays
from symbolic.checks import floats, of_type
from symbolic.errors import NotebeamError, reason_of
from symbolic.planes import plain_array
from symbolic.posteriorgram import Posteriorgram

NAME = "basic-pitch"
RATE_HZ = 22_050
HOP_SAMPLES = 256
HOP = HOP_SAMPLES / RATE_HZ  # seconds
WINDOW_SAMPLES = 2 * RATE_HZ - HOP_SAMPLES
WINDOW_FRAMES = 172
EDGE = 15  # frames at either end of a window that are left to its neighbours
KEPT = WINDOW_FRAMES - 2 * EDGE
STRIDE_SAMPLES = WINDOW_SAMPLES - 2 * EDGE * HOP_SAMPLES  # between windows, as basic-pitch has them

KEYS = ("note", "onset")
SAVED = "basic_pitch_model_output"  # the array of `--save-model-outputs`, a pickled dict
LARGEST = 1 << 30  # bytes of it
_ARRAY = object()  # what a pickle calls numpy.ndarray: called, it would take any memory that a file claims


def frame_times(count: int) -> npt.NDArray[np.float64]:
    """(T,) seconds of the frames that basic-pitch puts out, uneven at the seams of its windows."""
    window, frame = np.divmod(np.arange(count), KEPT)
    return np.asarray((window * STRIDE_SAMPLES + frame * HOP_SAMPLES) / RATE_HZ)


def basic_pitch_posteriorgram(output: Mapping[str, Any], *, source: str = "") -> Posteriorgram:
    """What basic-pitch's `predict` or `run_inference` gives, or its saved `.npz` held.

    Args:
        output: `note` and `onset`, each (T, 88), arrays or tensors; `contour` is not read.
        source: the recording.

    Raises:
        NotebeamError: no mapping, or a plane is missing or has another shape.

    >>> import numpy as np
    >>> planes = {name: np.zeros((300, 88), dtype=np.float32) for name in ("note", "onset")}
    >>> basic_pitch_posteriorgram(planes).model
    'basic-pitch'
    """
    place = source or f"{NAME}'s output"
    of_type(output, Mapping, place, "a dict of planes, the first that its `predict` returns")
    for name in KEYS:
        if name not in output:
            raise NotebeamError(f"{place}: {name}", "no such key", "the keys note and onset, each (T, 88)")
    note, onset = (_plane(output[name], f"{place}: {name}") for name in KEYS)
    times = frame_times(len(np.atleast_1d(note)))
    return Posteriorgram.at_times(note, onset, times=times, hop=HOP, source=source, model=NAME)


def _plane(values: Any, place: str) -> Any:
    """A plane as Posteriorgram takes it, or a list of rows."""
    if isinstance(values, list | tuple):
        values = floats(values, place, "numbers (T, 88)")
    return plain_array(values, place)


def is_basic_pitch(path: str | PathLike[str]) -> bool:
    """Whether an `.npz` is basic-pitch's, by the names of its arrays."""
    names = set(array_names(path))
    return SAVED in names or (set(KEYS) <= names and "frame" not in names)


def read_basic_pitch(path: str | PathLike[str]) -> Posteriorgram:
    """What `basic-pitch --save-model-outputs` saved, or an `.npz` of the arrays `note` and `onset`.

    Raises:
        NotebeamError: something else, damage, or a pickle of more than plain arrays.
    """
    names = array_names(path)
    output: Mapping[str, Any] = _unpickled(path) if SAVED in names else read_arrays(path, KEYS)
    return basic_pitch_posteriorgram(output, source=str(path))


def _empty(kind: object, shape: tuple[int, ...], _: bytes) -> npt.NDArray[Any]:
    """What numpy's pickles begin with: an array without elements, whose bytes follow."""
    if kind is not _ARRAY or shape != (0,):
        raise pickle.UnpicklingError("a pickle that makes an array without its bytes")
    return np.empty(0, dtype=np.int8)


# All that a pickled dict of arrays calls; numpy 1 and 2.
_CALLED = {
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): np.dtype,
}


class _Arrays(pickle.Unpickler):
    """Unpickles plain arrays in plain containers, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _CALLED:
            raise pickle.UnpicklingError(f"a pickle that calls {module}.{name}")
        return _CALLED[module, name]


def _unpickled(path: str | PathLike[str]) -> Mapping[str, Any]:
    """The dict of arrays in a saved output."""
    expected = "basic-pitch's saved output: a dict of plain arrays"
    place = f"{path}: {SAVED}"
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{SAVED}.npy") as member:
            if archive.getinfo(f"{SAVED}.npy").file_size > LARGEST:
                raise pickle.UnpicklingError(f"more than {LARGEST >> 20} MB")
            version = npy.read_magic(member)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            header(member)
            found = np.asarray(_Arrays(member).load(), dtype=object)
    except Exception as error:  # a damaged pickle raises anything
        raise NotebeamError(place, reason_of(error), expected) from error
    output = found.item() if found.shape == () else None
    if not isinstance(output, dict):
        raise NotebeamError(place, f"a {type(output).__name__}", expected)
    for name in KEYS:
        if not isinstance(output.get(name), np.ndarray) or output[name].dtype.kind != "f":
            raise NotebeamError(f"{place}: {name}", "no array of floats", expected)
    return output
