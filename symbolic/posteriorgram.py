"""Posteriorgrams: what an acoustic model outputs, and their file.

Is: the type, its checks, the `.npz` that any transcription system can write.
Is not: a model, or the way from probabilities to notes.
"""

import os
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbolic.arrays import Array, read_arrays
from symbolic.checks import floats, of_type, real, whole
from symbolic.errors import NotebeamError, renamed
from symbolic.files import replacing
from symbolic.pitch import HIGHEST, KEYS, LOWEST
from symbolic.planes import FROM_ZERO, evened, grid_of, plain_array, plane_of, sounding_after

VERSION = 1
LONGEST_HOP = 1.0  # seconds
LATEST = 1e7  # seconds, 115 days

PLANES = ("frame", "onset", "offset", "velocity", "held")
FIELDS = (*PLANES, "times", "hop", "first", "lowest", "logits", "duration", "source", "model", "version")


@dataclass(frozen=True, eq=False)
class Posteriorgram:
    """Probabilities (T, 88) in 0..1 at T frames, `hop` seconds apart. Read-only.

    Made of arrays or tensors of any float type or of zeros and ones; (T, 128) are all MIDI pitches, other
    widths go with `lowest`; of them the piano's 88 keys are kept. With `logits` all planes but `velocity` are
    logits. Without `frame` each onset sounds for 0.1 s; frames at uneven times: `at_times`.

    Raises:
        NotebeamError: another shape or type, a number outside 0..1, a hop that is none, times before 0 s.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> p = nb.Posteriorgram(frame=np.zeros((100, 88)), onset=np.zeros((100, 88)), hop=0.02)
    >>> p.save("song.npz")
    >>> nb.Posteriorgram.load("song.npz").times[-1].round(2)
    np.float64(1.98)
    """

    frame: NDArray[np.float32]  # (T, 88) the key sounds; may be made of None where there is an onset plane
    onset: NDArray[np.float32] | None = None  # (T, 88) a note begins here
    offset: NDArray[np.float32] | None = None  # (T, 88) a note ends here
    velocity: NDArray[np.float32] | None = None  # (T, 88) MIDI velocity / 127 of a note that begins here
    hop: float = field(kw_only=True)  # seconds
    start: float = 0.0  # seconds, time of frame 0's centre
    lowest: int | None = None  # MIDI pitch of column 0; afterwards 21, the piano's
    duration: float = 0.0  # seconds, length of the recording; 0: up to the end of the last frame
    source: str = ""  # the recording
    model: str = ""  # the acoustic model's name
    held: NDArray[np.float32] | None = None  # (T, 88) the key is down, whatever the pedal lets sound
    logits: InitVar[bool] = False  # the planes given, but for velocity, are logits

    def __post_init__(self, logits: bool) -> None:  # noqa: FBT001  how dataclasses pass it
        given = {name: getattr(self, name) for name in PLANES}
        for name in ("source", "model"):
            of_type(getattr(self, name), str, f"Posteriorgram.{name}", "a string")
        with renamed({"Posteriorgram.first": "Posteriorgram.start"}):
            scalars = _checked_scalars(self.hop, self.start, self.lowest, self.duration, "Posteriorgram.")
        hop, start, lowest, duration = scalars
        planes = checked_planes(given, "Posteriorgram.", lowest, hop=hop, logits=logits)
        for name, plane in planes.items():
            object.__setattr__(self, name, plane)
        made = {
            "hop": hop,
            "start": start,
            "lowest": LOWEST,
            "duration": duration or start + hop * self.count,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @property
    def count(self) -> int:
        """Number of frames T."""
        return len(self.frame)

    @property
    def place(self) -> str:
        """How a message names it."""
        return f"posteriorgram of {self.source}" if self.source else "posteriorgram"

    @property
    def times(self) -> NDArray[np.float64]:
        """(T,) seconds of the frames' centres."""
        return np.asarray(self.start + self.hop * np.arange(self.count, dtype=np.float64))

    def part(self, first: int, stop: int) -> "Posteriorgram":
        """Frames first..stop - 1, at their old times; at least one."""
        expected = f"frames first < stop within 0..{self.count}"
        for value in (first, stop):
            whole(value, "Posteriorgram.part", expected)
        if not 0 <= first < stop <= self.count:
            raise NotebeamError("Posteriorgram.part", (first, stop), expected)
        planes: dict[str, Any] = {name: getattr(self, name) for name in PLANES}
        rows: dict[str, Any] = {
            name: plane if plane is None else plane[first:stop] for name, plane in planes.items()
        }
        return replace(self, **rows, start=float(self.times[first]))

    @staticmethod
    def at_times(
        frame: Any,
        onset: Any = None,
        offset: Any = None,
        velocity: Any = None,
        *,
        times: NDArray[np.floating],
        hop: float | None = None,
        held: Any = None,
        lowest: int | None = None,
        logits: bool = False,
        **described: Any,
    ) -> "Posteriorgram":
        """Of planes whose frames are centred on `times` (T,) seconds, which rise and may be uneven.

        Of uneven ones the frames are brought to even times: `frame` and `held` by straight lines between two
        frames, peaks of `onset` and `offset` at their height to the nearest frame; velocities are not mixed.
        `hop`, seconds, is read of a single frame alone. `described`: `duration`, `source`, `model`.

        Raises:
            NotebeamError: also times that do not rise, that leave out frames, or before 0 s.

        >>> import notebeam as nb
        >>> import numpy as np
        >>> nb.Posteriorgram.at_times(np.zeros((3, 88)), times=np.array([0.0, 0.012, 0.02])).hop
        0.01
        """
        given = dict(zip(PLANES, (frame, onset, offset, velocity, held), strict=True))
        arrays = {name: plain_array(value, f"Posteriorgram.{name}") for name, value in given.items()}
        made = {"lowest": lowest, "logits": logits, **described}
        seconds = floats(times, "Posteriorgram.times", "seconds (T,) of the frames")
        alone = np.nan if hop is None else real(hop, "Posteriorgram.hop", "seconds > 0")
        return _timed(arrays, seconds, alone, "Posteriorgram.", made)

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
        for array in arrays.values():  # nobody else has them: planes need not be copied
            array.flags.writeable = False

        def scalar(key: str, default: object) -> Any:
            value = arrays.get(key, np.array(default))
            if value.shape != () or value.dtype.kind not in ("U" if isinstance(default, str) else "iuf"):
                kind = "a string" if isinstance(default, str) else "one number"
                raise NotebeamError(f"{path}: {key}", f"{value.dtype} {value.shape}", kind)
            return value.item()

        version = scalar("version", VERSION)
        if version != VERSION:
            raise NotebeamError(f"{path}: version", version, str(VERSION))
        if not {"frame", "onset"} & arrays.keys():
            raise NotebeamError(f"{path}: frame", "no such key", f"frame or onset, float32 (T, {KEYS})")
        if "logits" in arrays and (arrays["logits"].shape != () or arrays["logits"].dtype.kind != "b"):
            raise NotebeamError(f"{path}: logits", str(arrays["logits"].dtype), "True or False")
        if "times" not in arrays:
            for key in ("hop", "first"):
                if key not in arrays:
                    raise NotebeamError(f"{path}: {key}", "no such key", "times, or hop and first")
        planes = {name: arrays.get(name) for name in PLANES}
        made = {key: scalar(key, "") for key in ("source", "model")}
        made["lowest"] = scalar("lowest", LOWEST) if "lowest" in arrays else None
        made["logits"] = bool(arrays.get("logits", False))
        hop, duration = scalar("hop", np.nan), scalar("duration", -1.0)
        if "duration" in arrays:
            made["duration"] = duration
        # The authority: a hop that was computed from rounded samples drifts, times do not.
        if "times" in arrays:
            return _timed(planes, arrays["times"], hop, f"{path}: ", made)
        return _even(planes, scalar("first", np.nan), hop, f"{path}: ", made)


Planes = Mapping[str, Any]


def checked_planes(
    given: Planes, place: str, lowest: int | None, *, hop: float, logits: bool = False
) -> dict[str, NDArray[np.float32] | None]:
    """The planes by name, each float32 (T, 88) or None; `frame` is made of `onset` where it is None."""
    of_type(logits, (bool, np.bool_), f"{place}logits", "True or False")
    arrays = {name: plain_array(given[name], f"{place}{name}") for name in PLANES}
    first = next((name for name in ("frame", "onset") if arrays[name] is not None), None)
    if first is None:
        raise NotebeamError(f"{place}frame", None, f"probabilities (T, {KEYS})")
    count = len(np.atleast_1d(arrays[first]))
    planes = {
        name: None
        if array is None
        else plane_of(array, f"{place}{name}", count, lowest=lowest, logits=logits and name != "velocity")
        for name, array in arrays.items()
    }
    if planes["frame"] is None and planes["onset"] is not None:
        planes["frame"] = sounding_after(planes["onset"], hop)
    return planes


def _timed(planes: Planes, times: Array, hop: float, place: str, made: dict[str, Any]) -> Posteriorgram:
    """Of frames at `times`, which are brought to even ones where they are not."""
    plane = planes["frame"] if planes["frame"] is not None else planes["onset"]
    if plane is None:
        raise NotebeamError(f"{place}frame", None, f"probabilities (T, {KEYS})")
    start, hop, is_even = grid_of(times, len(np.atleast_1d(plane)), hop, f"{place}times")
    result = _even(planes, start, hop, place, made)
    if is_even:
        return result
    seconds = times.astype(np.float64)
    parts = {name: getattr(result, name) for name in PLANES}
    even: dict[str, Any] = {
        name: None if part is None else evened(name, part, seconds, result.times)
        for name, part in parts.items()
    }
    return replace(result, **even)


def _even(planes: Planes, start: float, hop: float, place: str, made: dict[str, Any]) -> Posteriorgram:
    """Checked under the names of their file or their caller."""
    lowest, rest = made["lowest"], {k: v for k, v in made.items() if k not in ("lowest", "logits")}
    hop, start, lowest, _ = _checked_scalars(hop, start, lowest, rest.get("duration", 0.0), place)
    checked: dict[str, Any] = checked_planes(planes, place, lowest, hop=hop, logits=made["logits"])
    rest.setdefault("duration", start + hop * len(checked["frame"]))
    return Posteriorgram(**checked, hop=hop, start=start, **rest)


def _checked_scalars(
    hop: Any, start: Any, lowest: Any, duration: Any, place: str
) -> tuple[float, float, int | None, float]:
    """The four as plain numbers; without `lowest` the planes' width tells."""
    # Bounds, because the steps of a decoder follow these numbers and not the frames.
    apart = real(hop, f"{place}hop", "seconds > 0")
    if not 0 < apart <= LONGEST_HOP:
        raise NotebeamError(f"{place}hop", hop, f"seconds > 0, {LONGEST_HOP:g} at most")
    first = real(start, f"{place}first", "seconds")
    if first < 0:
        raise NotebeamError(f"{place}first", start, FROM_ZERO)
    if not first <= LATEST:
        raise NotebeamError(f"{place}first", start, f"seconds, {LATEST:g} at most")
    expected = f"the MIDI pitch of column 0, 0 to {HIGHEST}"
    pitch = None if lowest is None else whole(lowest, f"{place}lowest", expected)
    if pitch is not None and not 0 <= pitch <= HIGHEST:
        raise NotebeamError(f"{place}lowest", lowest, expected)
    length = real(duration, f"{place}duration", "seconds")
    if not 0 <= length <= 2 * LATEST:
        raise NotebeamError(f"{place}duration", duration, f"seconds from 0 to {2 * LATEST:g}")
    return apart, first, pitch, length
