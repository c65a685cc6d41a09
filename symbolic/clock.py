"""Piano rolls, and the clocks that give their steps times: notes to steps and back.

Beats and onsets are given to a clock, which finds neither.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symbolic.checks import brief, floats, of_type, real, whole
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import KEYS, key_of, pitch_of

MOST_STEPS = 10**8
LONE_STEP = 0.5  # seconds that a step lasts when no other step tells its length
MADE_VELOCITY = 64  # a roll has no loudness

ClockKind = Literal["frames", "beats", "onsets"]


@dataclass(frozen=True, eq=False)
class PianoRoll:
    """Keys that sound at each step. Without a `struck` plane a re-struck key looks held.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> roll = nb.PianoRoll(np.zeros((3, 88), dtype=bool), nb.Clock.frames(3, hop=0.04))
    >>> len(roll), roll.struck is None
    (3, True)
    """

    active: NDArray[np.bool_]  # (T, D) the key sounds
    clock: "Clock"  # T steps
    struck: NDArray[np.bool_] | None = None  # (T, D) the key is struck at this step; implies active

    def __post_init__(self) -> None:
        shape = (len(of_type(self.clock, Clock, "PianoRoll.clock", "a Clock")), KEYS)
        for name, plane in (("active", self.active), ("struck", self.struck)):
            if plane is None and name == "struck":
                continue
            if not isinstance(plane, np.ndarray) or plane.dtype != np.bool_ or plane.shape != shape:
                raise NotebeamError(f"PianoRoll.{name}", brief(plane), f"bool {shape}")
        if self.struck is not None and (self.struck & ~self.active).any():
            step, key = (int(i) for i in np.argwhere(self.struck & ~self.active)[0])
            place = f"PianoRoll.struck step {step} key {key}"
            raise NotebeamError(place, "a silent key", "one that is active there")

    def __len__(self) -> int:
        return len(self.active)


@dataclass(frozen=True, eq=False)
class Clock:
    """Times of T steps; a step lasts until the next, the last one `last` seconds.

    >>> import notebeam as nb
    >>> nb.Clock.frames(3, hop=0.04).times.tolist()
    [0.0, 0.04, 0.08]
    >>> nb.Clock.beats([0.0, 0.5, 1.2], divisions=2).times.round(2).tolist()
    [0.0, 0.25, 0.5, 0.85, 1.2]
    """

    times: NDArray[np.float64]  # (T,) seconds, increasing
    kind: ClockKind
    window: float = 0.0  # seconds after a step's time that still belong to it, however near the next step
    last: float | None = None  # seconds; None: as long as the step before

    def __post_init__(self) -> None:
        times = floats(self.times, "Clock.times", "finite increasing seconds, shape (T,)")
        if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise NotebeamError("Clock.times", self.times, "finite increasing seconds, shape (T,)")
        kinds = get_args(ClockKind)
        if not isinstance(self.kind, str) or self.kind not in kinds:
            raise NotebeamError("Clock.kind", brief(self.kind), f"one of {', '.join(kinds)}")
        window = real(self.window, "Clock.window", "seconds >= 0")
        if not 0 <= window < np.inf:
            raise NotebeamError("Clock.window", self.window, "seconds >= 0")
        last = None if self.last is None else real(self.last, "Clock.last", "seconds > 0")
        if last is not None and not 0 < last < np.inf:
            raise NotebeamError("Clock.last", self.last, "seconds > 0")
        times.flags.writeable = False
        for name, value in (("times", times), ("window", window), ("last", last)):
            object.__setattr__(self, name, value)

    @staticmethod
    def frames(count: int, hop: float, start: float = 0.0) -> "Clock":
        """`count` steps, `hop` seconds apart, the first at `start`."""
        steps = whole(count, "Clock.frames(count)", "an integer >= 0")
        if not 0 <= steps <= MOST_STEPS:
            raise NotebeamError("Clock.frames(count)", count, f"an integer 0..{MOST_STEPS}")
        length = real(hop, "Clock.frames(hop)", "seconds > 0")
        if not 0 < length < np.inf:
            raise NotebeamError("Clock.frames(hop)", hop, "seconds > 0")
        first = real(start, "Clock.frames(start)", "finite seconds")
        if not abs(first) < np.inf:
            raise NotebeamError("Clock.frames(start)", start, "finite seconds")
        return Clock(first + length * np.arange(steps, dtype=np.float64), "frames", last=length)

    @staticmethod
    def beats(beats: ArrayLike, divisions: int) -> "Clock":
        """Every beat (seconds) and `divisions` - 1 evenly spaced steps before the next beat."""
        each = whole(divisions, "Clock.beats(divisions)", "an integer >= 1")
        if not 1 <= each <= MOST_STEPS:
            raise NotebeamError("Clock.beats(divisions)", divisions, f"an integer 1..{MOST_STEPS}")
        given = floats(beats, "Clock.beats(beats)", "finite increasing seconds, shape (N,)")
        if given.ndim != 1 or not np.isfinite(given).all() or (np.diff(given) <= 0).any():
            raise NotebeamError("Clock.beats(beats)", beats, "finite increasing seconds, shape (N,)")
        if not len(given):
            return Clock(given, "beats")
        steps = (len(given) - 1) * each + 1
        if steps > MOST_STEPS:
            got = f"{each} for each of {len(given)} beats"
            raise NotebeamError("Clock.beats(divisions)", got, f"{MOST_STEPS} steps at most")
        place = np.arange(steps, dtype=np.float64) / each
        times = np.asarray(np.interp(place, np.arange(len(given)), given), dtype=np.float64)
        return Clock(times, "beats")

    @staticmethod
    def onsets(onset_times: ArrayLike, window: float) -> "Clock":
        """A step wherever something begins; what begins within `window` seconds of it belongs to it."""
        near = real(window, "Clock.onsets(window)", "seconds >= 0")
        if not 0 <= near < np.inf:
            raise NotebeamError("Clock.onsets(window)", window, "seconds >= 0")
        given = floats(onset_times, "Clock.onsets(onset_times)", "finite seconds, shape (N,)")
        if not np.isfinite(given).all():
            raise NotebeamError("Clock.onsets(onset_times)", onset_times, "finite seconds, shape (N,)")
        times: list[float] = []
        for onset in np.sort(given.ravel()).tolist():
            if not times or onset > times[-1] + near:
                times.append(onset)
        return Clock(np.array(times, dtype=np.float64), "onsets", window=near)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def end(self) -> float:
        """Seconds at which the last step ends."""
        if self.last is not None:
            return float(self.times[-1] + self.last) if len(self) else 0.0
        if len(self) < 2:
            return float(self.times[-1] + LONE_STEP) if len(self) else 0.0
        return float(2 * self.times[-1] - self.times[-2])

    def steps_of(self, seconds: ArrayLike) -> NDArray[np.int64]:
        """Nearest step 0..T of each time, T standing for the end; ties go to the earlier step."""
        edges = np.append(self.times, self.end)
        # A step begins after the midpoint to the one before it: the midpoint itself stays earlier.
        starts = (edges[:-1] + edges[1:]) / 2
        starts = np.maximum(starts, edges[:-1] + np.minimum(self.window, np.diff(edges)))
        given = floats(seconds, "Clock.steps_of(seconds)", "seconds")
        return np.searchsorted(starts, given, side="left").astype(np.int64)

    def step_of(self, seconds: float) -> int:
        """Nearest step 0..T-1 of a time; ties go to the earlier step, times outside to the ends."""
        if not len(self):
            raise NotebeamError("Clock.step_of", "a clock without steps", "at least one step")
        time = real(seconds, "Clock.step_of(seconds)", "seconds")
        return min(int(self.steps_of(time)), len(self) - 1)

    def is_before(self, seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(N,) which times lie so far before step 0 that they belong to no step, more than half of one."""
        if not len(self):
            return np.zeros(len(seconds), dtype=np.bool_)
        second = self.times[1] if len(self) > 1 else self.end
        return np.asarray(seconds < self.times[0] - (second - self.times[0]) / 2)

    def struck_roll(self, notes: Notes) -> NDArray[np.bool_]:
        """(T, D) the key is struck at the step; notes struck outside the clock are left out."""
        struck = np.zeros((len(self), KEYS), dtype=np.bool_)
        first, _ = self._spans(notes)
        inside = (first >= 0) & (first < len(self))
        struck[first[inside], key_of(notes.pitch[inside])] = True
        return struck

    def active_roll(self, notes: Notes) -> PianoRoll:
        """Keys that sound, and keys that are struck, at each step.

        A note sounds at the step where it is struck at least, and until its key is struck again at most.
        One that was struck before the clock begins sounds without a stroke.
        """
        first, stop = self._spans(notes)
        key = key_of(notes.pitch)
        # One step further up than any step: the next stroke of the same key is the next larger number.
        strokes = np.unique(key * (len(self) + 2) + first)
        place = np.searchsorted(strokes, key * (len(self) + 2) + first, side="right")
        following = np.append(strokes, np.iinfo(np.int64).max)[place] - key * (len(self) + 2)
        active = filled_roll(first, np.minimum(stop, following), key, len(self))
        return PianoRoll(active, self, self.struck_roll(notes))

    def notes_of(self, roll: PianoRoll) -> Notes:
        """Notes of a roll at this clock: runs of active steps, split where the key is struck again."""
        if len(of_type(roll, PianoRoll, "Clock.notes_of(roll)", "a PianoRoll")) != len(self):
            raise NotebeamError("Clock.notes_of(roll) steps", len(roll), str(len(self)))
        active = np.pad(roll.active, ((1, 1), (0, 0)))  # (T + 2, D): silence before and after
        begins = active & ~np.roll(active, 1, axis=0)
        if roll.struck is not None:
            begins[1:-1] |= roll.struck
        # Key by key, a note ends at the next place where its key begins again or is silent.
        ends = np.flatnonzero((begins | ~active).T)
        starts = np.flatnonzero(begins.T)
        stops = ends[np.searchsorted(ends, starts, side="right")]
        key, step = np.divmod(starts, len(active))
        edges = np.append(self.times, self.end)
        velocity = np.full(len(key), MADE_VELOCITY)
        return Notes.make(
            edges[step - 1], edges[stops % len(active) - 1], pitch_of(key), velocity, place="roll"
        )

    def _spans(self, notes: Notes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First step and the step after the last of each note, in 0..T; first = -1: struck before step 0."""
        notes = of_type(notes, Notes, "Clock: notes", "Notes")
        first, stop = self.steps_of(notes.onset), self.steps_of(notes.offset)
        stop = np.where(first < len(self), np.maximum(stop, first + 1), stop)
        before = self.is_before(notes.onset)
        return np.where(before, -1, first), np.where(before, self.steps_of(notes.offset), stop)


def filled_roll(
    first: NDArray[np.int64], stop: NDArray[np.int64], key: NDArray[np.int64], steps: int
) -> NDArray[np.bool_]:
    """(T, D) of `steps` steps: on where first <= step < stop of some stretch of the key, all three (N,).

    Stretches may overlap, be empty, and reach beyond the steps on either side.
    """
    first, stop = first.clip(0, steps), stop.clip(0, steps)
    some = first < stop
    changes = np.zeros((steps + 1, KEYS), dtype=np.int32)
    np.add.at(changes, (first[some], key[some]), 1)
    np.add.at(changes, (stop[some], key[some]), -1)
    return np.asarray(np.cumsum(changes, axis=0, dtype=np.int32)[:-1] > 0)
