"""Slow, obvious versions of what the core types do; no code shared with the project.

Is: pedal and stroke tick by tick, rolls note by note and step by step.
Is not: fast.
"""

import math

Note = tuple[int, int, int]  # onset, offset (ticks), pitch


def sounding_offset(note: Note, notes: list[Note], pedals: list[tuple[int, int]]) -> int:
    """Tick at which a note stops: key up and pedal up, or its key struck again, or everything over."""
    onset, offset, pitch = note
    over = max([stop for _, stop, _ in notes] + [time for time, _ in pedals])
    tick = onset + 1
    while True:
        struck = any(other == pitch and start == tick for start, _, other in notes)
        value = 0
        for time, new in pedals:
            if time <= tick:
                value = new
        if struck or (tick >= offset and (value < 64 or tick >= over)):
            return tick
        tick += 1


def nearest_step(times: list[float], second: float) -> int:
    """Step whose time is nearest; the earlier of two."""
    best, distance = 0, math.inf
    for step, time in enumerate(times):
        if abs(time - second) < distance:
            best, distance = step, abs(time - second)
    return best


def sounding_cells(notes: list[tuple[float, float, int]], times: list[float]) -> set[tuple[int, int]]:
    """(step, pitch) of every step in which a note sounds; `times` holds the end of the last step too."""
    strokes = {(nearest_step(times, onset), pitch) for onset, _, pitch in notes}
    cells = set()
    for onset, offset, pitch in notes:
        step = nearest_step(times, onset)
        stop = max(nearest_step(times, offset), step + 1)
        cells.add((step, pitch))
        step += 1
        while step < stop and (step, pitch) not in strokes:
            cells.add((step, pitch))
            step += 1
    return cells
