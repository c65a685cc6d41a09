"""Planes of a posteriorgram, made of what other systems have.

Is: arrays or tensors of any float type, of zeros and ones, with a batch axis, of all MIDI pitches or others
than a piano's, logits declared as such, frames at uneven times; what fits no reading is refused. Planes that
lie in a file.
Is not: the posteriorgram or its file (symbolic.posteriorgram).
"""

import mmap
import os
import sys
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbolic.arrays import Array
from symbolic.errors import NotebeamError
from symbolic.pitch import KEYS, LOWEST

Plane = NDArray[np.float32]

MOMENTS = ("onset", "offset")  # planes of what happens at a moment

MIDI_PITCHES = 128
IN_MEMORY = 128 << 20  # bytes of planes, 25 minutes at 20 ms; larger ones lie in a temporary file
EVENNESS = 1e-3  # seconds that a frame may lie off the even grid
WIDEST_GAP = 4  # hops between two frames; wider, and frames are missing
ROUNDING = 1e-5  # by which a probability may leave 0..1
FROM_ZERO = "seconds >= 0, as MIDI holds no others: shift the frames' times"
UNKNOWN_LENGTH = 0.1  # seconds that a note sounds where there is no frame plane


def plain_array(value: Any, place: str) -> Any:
    """An array, or a tensor's numbers as one, without a batch axis of 1; None stays None."""
    torch = sys.modules.get("torch")  # not imported: whoever has a tensor has done that
    if torch is not None and isinstance(value, torch.Tensor):
        if value.is_complex() or value.layout != torch.strided:
            raise NotebeamError(place, f"{value.dtype}, {value.layout}", "a dense tensor of real numbers")
        value = value.detach().float().cpu().numpy()
    if isinstance(value, np.ma.MaskedArray):  # what hides under the mask may be no number
        raise NotebeamError(place, "a masked array", "one without a mask, as `masked.filled(0)` is")
    if value is not None and not isinstance(value, np.ndarray):
        raise NotebeamError(place, f"a {type(value).__name__}", f"an array or tensor (T, {KEYS})")
    return value[0] if value is not None and value.ndim == 3 and len(value) == 1 else value


def plane_of(
    value: Array, place: str, count: int, *, lowest: int | None = None, logits: bool = False
) -> Plane:
    """Checked read-only float32 (count, 88), column 0 is A0; keys that a piano does not have are left out.

    An array that is just that already is taken as it is, any other is copied.

    Args:
        value: (count, D) probabilities, or logits if `logits` says so; D of 128 are all MIDI pitches.
        lowest: MIDI pitch of column 0; None: 88 columns are a piano's, 128 all pitches.
    """
    first = _lowest(value, place, count, lowest)
    numbers = value.astype(np.float32, copy=False)
    if logits:
        if np.isnan(numbers).any():
            frame, key = (int(i) for i in np.argwhere(np.isnan(numbers))[0])
            raise NotebeamError(f"{place} frame {frame} key {key}", float("nan"), "a logit")
        numbers = (0.5 + 0.5 * np.tanh(0.5 * numbers.astype(np.float64))).astype(np.float32)
    meant = "MIDI velocity / 127" if place.endswith("velocity") else "or logits and logits=True"
    least, most = _check_range(numbers, place, f"a number 0..1, {meant}")
    width = numbers.shape[1]
    if not value.flags.writeable and numbers is value and (first, width) == (LOWEST, KEYS):
        if least >= 0 and most <= 1:
            let_go(numbers)
            return numbers
    plane = np.zeros((count, KEYS), dtype=np.float32)
    low, high = max(first, LOWEST), min(first + width, LOWEST + KEYS)
    np.clip(numbers[:, low - first : high - first], 0.0, 1.0, out=plane[:, low - LOWEST : high - LOWEST])
    plane.flags.writeable = False
    return plane


def _check_range(numbers: Plane, place: str, expected: str) -> tuple[float, float]:
    """The least and the largest of probabilities (T, D); refuses the first, in time, outside 0..1."""
    if not numbers.size:
        return 0.0, 0.0
    # Both are nan where any number is.
    least, most = float(numbers.min()), float(numbers.max())
    if not (least >= -ROUNDING and most <= 1 + ROUNDING):
        good = (numbers >= -ROUNDING) & (numbers <= 1 + ROUNDING)
        frame, key = (int(i) for i in np.argwhere(~good)[0])
        raise NotebeamError(f"{place} frame {frame} key {key}", float(numbers[frame, key]), expected)
    return least, most


def _lowest(value: Array, place: str, count: int, lowest: int | None) -> int:
    """MIDI pitch of column 0 of an array whose type and shape can be meant."""
    right = value.dtype.kind in "fbiu" and value.ndim == 2 and len(value) == count
    width = value.shape[1] if right else 0
    if lowest is None:
        lowest = {MIDI_PITCHES: 0, KEYS: LOWEST}.get(width)
    if right and lowest is not None and width <= MIDI_PITCHES:
        if 0 <= lowest <= LOWEST + KEYS - 1 and LOWEST - width < lowest <= MIDI_PITCHES - width:
            return lowest
        expected = f"the MIDI pitch of column 0 of {width}, so that they lie within 0..{MIDI_PITCHES - 1}"
        raise NotebeamError(f"{place}: lowest", lowest, expected)
    rows = "T" if place.endswith("frame") else str(count)
    expected = (
        f"float32 ({rows}, {KEYS}), or ({rows}, {MIDI_PITCHES}), or others with `lowest`, column 0's pitch"
    )
    raise NotebeamError(place, f"{value.dtype} {value.shape}", expected)


def sounding_after(onset: Plane, hop: float) -> Plane:
    """A frame plane (T, 88) where there is none: each onset sounds for `UNKNOWN_LENGTH`."""
    frame = onset.copy()
    for later in range(1, min(len(onset), round(UNKNOWN_LENGTH / hop) + 1)):
        np.maximum(frame[later:], onset[:-later], out=frame[later:])
    frame.flags.writeable = False
    return frame


def grid_of(times: Array, count: int, hop: float, place: str) -> tuple[float, float, bool]:
    """Time of frame 0, the hop, and whether `times` (T,) are even; a single frame takes the `hop` given."""
    if times.dtype.kind not in "fiu" or times.shape != (count,):
        raise NotebeamError(place, f"{times.dtype} {times.shape}", f"float64 ({count},)")
    seconds = times.astype(np.float64)
    if not np.isfinite(seconds).all():
        row = int(np.argmin(np.isfinite(seconds)))
        raise NotebeamError(f"{place} frame {row}", float(seconds[row]), "finite seconds")
    if (seconds < 0).any():
        row = int(np.argmax(seconds < 0))
        raise NotebeamError(f"{place} frame {row}", float(seconds[row]), FROM_ZERO)
    if count < 2:
        if np.isnan(hop):
            got = f"{count} frame" if count else "no frames"
            raise NotebeamError(place, got, "two or more, or `hop` beside them")
        return (float(seconds[0]) if count else 0.0), hop, True
    between = np.diff(seconds)
    if (between <= 0).any():
        row = int(np.argmax(between <= 0)) + 1
        expected = "a time after the frame before: sort the frames by time"
        raise NotebeamError(f"{place} frame {row}", float(seconds[row]), expected)
    start, step = float(seconds[0]), float(seconds[-1] - seconds[0]) / (count - 1)
    error = np.abs(seconds - (start + step * np.arange(count)))
    widest = WIDEST_GAP * max(float(np.median(between)), EVENNESS)
    if between.max() > widest:
        row = int(np.argmax(between)) + 1
        expected = f"at most {widest:.3f} s after the frame before: fill missing frames with zeros"
        raise NotebeamError(f"{place} frame {row}", float(seconds[row]), expected)
    return start, step, bool(error.max() <= EVENNESS)


def evened(name: str, plane: Plane, times: NDArray[np.float64], grid: NDArray[np.float64]) -> Plane:
    """Values (T, 88) of the plane of that name at rising `times`, brought to those of `grid`.

    Between two frames in proportion; but peaks of onsets and offsets, which may be one frame wide, keep their
    height at the frame of the grid that is nearest, and velocities are not mixed.
    """
    left = (np.searchsorted(times, grid, side="right") - 1).clip(0, len(times) - 2)
    share = ((grid - times[left]) / (times[left + 1] - times[left])).clip(0.0, 1.0)[:, None]
    if name == "velocity":
        share = share.round()
    result: Plane = np.asarray((1 - share) * plane[left] + share * plane[left + 1], dtype=np.float32)
    if name in MOMENTS:
        right = np.searchsorted(grid, times).clip(1, len(grid) - 1)
        nearest = right - (times - grid[right - 1] <= grid[right] - times)
        padded = np.pad(plane, ((1, 1), (0, 0)))
        frame, key = np.nonzero((plane > 0) & (plane >= padded[:-2]) & (plane >= padded[2:]))
        np.maximum.at(result, (nearest[frame], key), plane[frame, key])
    result.flags.writeable = False
    return result


class _Room(mmap.mmap):
    """A file of planes, all of it on the disk; of another's map the only copy may lie in memory."""


def room_for(count: int, frames: int) -> NDArray[np.float32]:
    """(count, frames, 88) planes to be filled; large ones in a temporary file, where there is room for it.

    Such a file has no name, so that nothing is left of it however the program ends; in it the frames of a key
    lie one after the other, because keys are what is read.
    """
    size = 4 * count * frames * KEYS
    reserve = getattr(os, "posix_fallocate", None)  # else a full disk would end the program
    if size > IN_MEMORY and reserve is not None:
        try:
            with TemporaryFile() as file:
                reserve(file.fileno(), 0, size)
                keys = np.ndarray((count, KEYS, frames), np.float32, _Room(file.fileno(), size))
                return keys.transpose(0, 2, 1)
        except OSError:
            pass
    return np.empty((count, frames, KEYS), dtype=np.float32)


def let_go(*planes: Plane | None) -> None:
    """Of planes made by `room_for`: what has been read or written need not stay in memory."""
    for plane in planes:
        below: Any = plane
        while isinstance(below, np.ndarray):
            below = below.base
        if isinstance(below, _Room) and hasattr(mmap, "MADV_DONTNEED"):
            below.madvise(mmap.MADV_DONTNEED)
