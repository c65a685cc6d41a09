"""Posteriorgrams: what an acoustic model outputs, and their file.

Is: the type, its checks, the `.npz` that any transcription system can write.
Is not: a model, or the way from probabilities to notes.
"""

import os
import sys
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbolic.arrays import Array, read_arrays
from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.pitch import KEYS, LOWEST

VERSION = 1
EVENNESS = 1e-3  # seconds that a frame may lie off the even grid

LONGEST_HOP = 1.0  # seconds
LATEST = 1e7  # seconds, 115 days

PLANES = ("frame", "onset", "offset", "velocity", "held")
FIELDS = (*PLANES, "times", "hop", "first", "lowest", "duration", "source", "model", "version")


@dataclass(frozen=True, eq=False)
class Posteriorgram:
    """Probabilities (T, 88) in 0..1 at T frames, `hop` seconds apart, as arrays or tensors. Read-only.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> p = nb.Posteriorgram(frame=np.zeros((100, 88)), onset=np.zeros((100, 88)), hop=0.02)
    >>> p.save("song.npz")
    >>> nb.Posteriorgram.load("song.npz").times[-1].round(2)
    np.float64(1.98)
    """

    frame: NDArray[np.float32]  # (T, 88) the key sounds
    onset: NDArray[np.float32] | None = None  # (T, 88) a note begins here
    offset: NDArray[np.float32] | None = None  # (T, 88) a note ends here
    velocity: NDArray[np.float32] | None = None  # (T, 88) MIDI velocity / 127 of a note that begins here
    hop: float = field(kw_only=True)  # seconds
    start: float = 0.0  # seconds, time of frame 0's centre
    lowest: int = LOWEST  # MIDI pitch of column 0
    duration: float = 0.0  # seconds, length of the recording
    source: str = ""  # the recording
    model: str = ""  # the acoustic model's name
    held: NDArray[np.float32] | None = None  # (T, 88) the key is down, whatever the pedal lets sound

    def __post_init__(self) -> None:
        for name in PLANES:
            plane = plain_array(getattr(self, name), f"Posteriorgram.{name}")
            if name == "frame":
                object.__setattr__(self, name, plane)
            if plane is not None:
                object.__setattr__(self, name, _plane(plane, f"Posteriorgram.{name}", len(self.frame)))
            elif name == "frame":
                raise NotebeamError("Posteriorgram.frame", None, f"probabilities (T, {KEYS})")
        _check_scalars(self.hop, self.start, self.lowest, self.duration, "Posteriorgram.")

    @property
    def count(self) -> int:
        """Number of frames T."""
        return len(self.frame)

    @property
    def times(self) -> NDArray[np.float64]:
        """(T,) seconds of the frames' centres."""
        return np.asarray(self.start + self.hop * np.arange(self.count, dtype=np.float64))

    def part(self, first: int, stop: int) -> "Posteriorgram":
        """Frames first..stop - 1, at their old times."""
        planes: dict[str, Any] = {name: getattr(self, name) for name in PLANES}
        rows: dict[str, Any] = {
            name: plane if plane is None else plane[first:stop] for name, plane in planes.items()
        }
        return replace(self, **rows, start=float(self.times[first]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the `.npz`, compressed; the file appears whole or not at all."""
        planes = {name: getattr(self, name) for name in PLANES if getattr(self, name) is not None}
        arrays: dict[str, Array] = {
            **planes,
            "times": self.times,
            "hop": np.array(float(self.hop)),
            "first": np.array(float(self.start)),
            "lowest": np.array(self.lowest),
            "duration": np.array(float(self.duration)),
            "source": np.array(self.source),
            "model": np.array(self.model),
            "version": np.array(VERSION),
        }
        # A file object, because numpy appends .npz to other names.
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Posteriorgram":
        """Read and check the `.npz`; errors name the file and the key."""
        arrays = read_arrays(path, FIELDS, "an .npz of a posteriorgram")

        def scalar(key: str, default: object) -> Any:
            value = arrays.get(key, np.array(default))
            if value.shape != () or value.dtype.kind not in ("U" if isinstance(default, str) else "iuf"):
                kind = "a string" if isinstance(default, str) else "one number"
                raise NotebeamError(f"{path}: {key}", f"{value.dtype} {value.shape}", kind)
            return value.item()

        version = scalar("version", VERSION)
        if version != VERSION:
            raise NotebeamError(f"{path}: version", version, str(VERSION))
        if "frame" not in arrays:
            raise NotebeamError(f"{path}: frame", "no such key", f"float32 (T, {KEYS})")
        count = len(np.atleast_1d(arrays["frame"]))
        planes: dict[str, NDArray[np.float32] | None] = dict.fromkeys(PLANES)
        planes |= {name: _plane(arrays[name], f"{path}: {name}", count) for name in PLANES if name in arrays}
        assert planes["frame"] is not None
        if "times" in arrays:
            # The authority: a hop that was computed from rounded samples drifts, times do not.
            start, hop = _grid(arrays["times"], count, scalar("hop", np.nan), f"{path}: times")
        else:
            for key in ("hop", "first"):
                if key not in arrays:
                    raise NotebeamError(f"{path}: {key}", "no such key", "times, or hop and first")
            start, hop = scalar("first", np.nan), scalar("hop", np.nan)
        lowest, duration = scalar("lowest", LOWEST), scalar("duration", start + hop * count)
        _check_scalars(hop, start, lowest, duration, f"{path}: ")
        strings = {key: scalar(key, "") for key in ("source", "model")}
        return Posteriorgram(
            planes["frame"],
            planes["onset"],
            planes["offset"],
            planes["velocity"],
            hop=float(hop),
            start=float(start),
            lowest=int(lowest),
            duration=float(duration),
            held=planes["held"],
            **strings,
        )


def plain_array(value: Any, place: str) -> Any:
    """An array, or a tensor's numbers as one; None stays None."""
    torch = sys.modules.get("torch")  # not imported: whoever has a tensor has done that
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach().float().cpu().numpy()
    if value is not None and not isinstance(value, np.ndarray):
        raise NotebeamError(place, f"a {type(value).__name__}", f"an array or tensor (T, {KEYS})")
    return value


def _plane(value: Array, place: str, count: int) -> NDArray[np.float32]:
    """Checked read-only float32 (count, 88)."""
    if value.dtype.kind != "f" or value.ndim != 2 or value.shape != (count, KEYS):
        rows = "T" if place.endswith("frame") else str(count)
        raise NotebeamError(place, f"{value.dtype} {value.shape}", f"float32 ({rows}, {KEYS})")
    # Written so that nan breaks the rule as well.
    good = (value >= 0) & (value <= 1)
    if not good.all():
        frame, key = (int(i) for i in np.argwhere(~good)[0])
        raise NotebeamError(f"{place} frame {frame} key {key}", float(value[frame, key]), "a number 0..1")
    plane = value.astype(np.float32)
    plane.flags.writeable = False
    return plane


def _grid(times: Array, count: int, hop: float, place: str) -> tuple[float, float]:
    """Time of frame 0 and the hop of evenly spaced times; a single frame takes the `hop` of the file."""
    if times.dtype.kind not in "fiu" or times.shape != (count,):
        raise NotebeamError(place, f"{times.dtype} {times.shape}", f"float64 ({count},)")
    seconds = times.astype(np.float64)
    if not np.isfinite(seconds).all():
        row = int(np.argmin(np.isfinite(seconds)))
        raise NotebeamError(f"{place} frame {row}", float(seconds[row]), "finite seconds")
    if count < 2:
        return (float(seconds[0]) if count else 0.0), hop
    if (np.diff(seconds) <= 0).any():
        row = int(np.argmax(np.diff(seconds) <= 0)) + 1
        raise NotebeamError(f"{place} frame {row}", float(seconds[row]), "a time after the frame before")
    start, step = float(seconds[0]), float(seconds[-1] - seconds[0]) / (count - 1)
    error = np.abs(seconds - (start + step * np.arange(count)))
    if error.max() > EVENNESS:
        row = int(np.argmax(error))
        expected = f"{start + step * row:.4f} s within {EVENNESS * 1000:g} ms, evenly spaced"
        raise NotebeamError(f"{place} frame {row}", float(seconds[row]), expected)
    return start, step


def _check_scalars(hop: float, start: float, lowest: float, duration: float, place: str) -> None:
    # Bounds, because the steps of a decoder follow these numbers and not the frames.
    if not 0 < hop <= LONGEST_HOP:
        raise NotebeamError(f"{place}hop", hop, f"seconds > 0, {LONGEST_HOP:g} at most")
    if not abs(start) <= LATEST:
        raise NotebeamError(f"{place}first", start, f"seconds, {LATEST:g} at most")
    if lowest != LOWEST:
        raise NotebeamError(f"{place}lowest", lowest, f"{LOWEST}: key 0 is A0")
    if not 0 <= duration <= 2 * LATEST:
        raise NotebeamError(f"{place}duration", duration, f"seconds from 0 to {2 * LATEST:g}")
