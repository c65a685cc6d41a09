"""Slow and obvious: what a perfect acoustic model would output for given notes, and what notes come back.

Is: posteriorgrams made from notes, note by note and frame by frame.
Is not: shared with the code under test.
"""

import numpy as np

from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram


def notes(*rows: tuple[float, float, int, int]) -> Notes:
    """Rows (onset s, offset s, pitch, velocity)."""
    onset, offset, pitch, velocity = zip(*rows, strict=True)
    return Notes.make(np.array(onset), np.array(offset), np.array(pitch), np.array(velocity))


def ideal(
    played: Notes, *, hop: float = 0.02, duration: float | None = None, start: float = 0.0
) -> Posteriorgram:
    """The posteriorgram of exactly these notes.

    `frame` is 0.9 while a key sounds; `onset` is 0.97 within a frame of the time and falls to 0 at two;
    `offset` is a triangle of 2 frames' half width, at most 0.95 high; `velocity` holds the velocity / 127
    around the onset and 0 elsewhere.
    """
    end = duration if duration is not None else float(played.offset.max(initial=0.0)) + 0.5
    count = int(round((end - start) / hop))
    planes = {
        name: np.zeros((count, 88), dtype=np.float32) for name in ("frame", "onset", "offset", "velocity")
    }
    for row in range(len(played)):
        key = played.pitch[row] - 21
        for frame in range(count):
            time = start + frame * hop
            if played.onset[row] <= time < played.offset[row]:
                planes["frame"][frame, key] = 0.9
            struck = 0.97 * min(1.0, max(0.0, 2 - abs(time - played.onset[row]) / hop))
            ended = 0.95 * max(0.0, 1 - abs(time - played.offset[row]) / (2 * hop))
            for name, height in (("onset", struck), ("offset", ended)):
                planes[name][frame, key] = max(planes[name][frame, key], height)
            if abs(time - played.onset[row]) <= 2 * hop:
                planes["velocity"][frame, key] = played.velocity[row] / 127
    return Posteriorgram(**planes, hop=hop, start=start, duration=end, source="synthetic", model="oracle")


def assert_same_notes(found: Notes, wanted: Notes, *, seconds: float) -> None:
    """The same keys in the same order, onsets and offsets within `seconds`, velocities within 1."""

    def by_key(side: Notes) -> np.ndarray:
        return np.lexsort((side.onset, side.pitch))

    one, other = by_key(found), by_key(wanted)
    assert found.pitch[one].tolist() == wanted.pitch[other].tolist()
    np.testing.assert_allclose(found.onset[one], wanted.onset[other], atol=seconds)
    np.testing.assert_allclose(found.offset[one], wanted.offset[other], atol=seconds)
    np.testing.assert_allclose(found.velocity[one], wanted.velocity[other], atol=1)
