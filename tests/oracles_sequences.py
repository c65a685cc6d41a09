"""Slow, obvious versions of what concerns sequences other than piano rolls.

Shares no code with the package.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def bouncing_path(place: Floats, speed: Floats, steps: int, radius: float) -> list[Floats]:
    """Centres (balls, 2) at each step, from those of the first: a box of side 10, two substeps a step."""
    place, speed, found = place.copy(), speed.copy(), []
    for _ in range(steps):
        found.append(place.copy())
        for _ in range(2):
            for ball in range(len(place)):
                place[ball] = place[ball] + 0.5 * speed[ball]
            for ball in range(len(place)):
                for axis in range(2):
                    if place[ball, axis] - radius < 0:
                        speed[ball, axis] = abs(speed[ball, axis])
                    if place[ball, axis] + radius > 10:
                        speed[ball, axis] = -abs(speed[ball, axis])
            for i in range(len(place)):
                for j in range(i):
                    gap = place[i] - place[j]
                    distance = math.hypot(gap[0], gap[1])
                    if distance < 2 * radius:
                        unit = gap / distance
                        along_i, along_j = float(speed[i] @ unit), float(speed[j] @ unit)
                        speed[i] = speed[i] + (along_j - along_i) * unit
                        speed[j] = speed[j] + (along_i - along_j) * unit
    return found


def bouncing_pixel(centres: Floats, row: int, column: int, pixels: int, radius: float) -> float:
    """Brightness of one pixel of a box with these centres (balls, 2)."""
    x, y = (column + 0.5) * 10 / pixels, (row + 0.5) * 10 / pixels
    total = 0.0
    for centre in centres:
        squared = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
        total += math.exp(-((squared / radius**2) ** 4))
    return min(total, 1.0)
