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


def rnade_log_prob(
    step: Floats, outputs: Floats, c: Floats, weight: Floats, out: Floats, scale: Floats, least_sd: float
) -> float:
    """Log-density of one step (D,), number by number; outputs (3, D, M), out (D, H, 3 M)."""
    total, activation = 0.0, c.copy()
    components = outputs.shape[2]
    for i in range(len(step)):
        hidden = np.maximum(0.0, scale[i] * activation)
        linear = hidden @ out[i]
        logits, means, log_sd = (
            linear[part * components : (part + 1) * components] + outputs[part, i] for part in range(3)
        )
        shares = np.exp(logits) / np.exp(logits).sum()
        density = 0.0
        for m in range(components):
            sd = math.sqrt(math.exp(log_sd[m]) ** 2 + least_sd**2)
            gaussian = math.exp(-((step[i] - means[m]) ** 2) / (2 * sd**2)) / (sd * math.sqrt(2 * math.pi))
            density += shares[m] * gaussian
        total += math.log(density)
        activation = activation + step[i] * weight[i]
    return total


def gaussian_rbm_energy(
    step: Floats, hidden: Floats, visible_bias: Floats, hidden_bias: Floats, weight: Floats
) -> float:
    """Energy of real visible units of unit variance and binary hidden units."""
    energy = 0.0
    for i in range(len(step)):
        energy += (step[i] - visible_bias[i]) ** 2 / 2
        for j in range(len(hidden)):
            energy -= step[i] * weight[i, j] * hidden[j]
    for j in range(len(hidden)):
        energy -= hidden_bias[j] * hidden[j]
    return float(energy)


def gaussian_rbm_moments(
    visible_bias: Floats, hidden_bias: Floats, weight: Floats
) -> tuple[float, Floats, Floats]:
    """log Z, the mean (D,) and the covariance (D, D) of v: a mixture of 2^H Gaussians, one for each h."""
    visible, count = weight.shape
    log_shares, means = [], []
    for code in range(2**count):
        hidden = np.array([(code >> j) & 1 for j in range(count)], dtype=np.float64)
        mean = visible_bias + weight @ hidden
        # The square of v completed: -|v - bv|^2/2 + v'Wh = -|v - mean|^2/2 + bv'Wh + |Wh|^2/2.
        exponent = (
            hidden_bias @ hidden
            + visible_bias @ (weight @ hidden)
            + (weight @ hidden) @ (weight @ hidden) / 2
        )
        log_shares.append(exponent + visible / 2 * math.log(2 * math.pi))
        means.append(mean)
    log_z = float(np.logaddexp.reduce(log_shares))
    shares, centres = np.exp(np.array(log_shares) - log_z), np.array(means)
    mean = shares @ centres
    covariance = np.eye(visible) + (centres - mean).T @ (shares[:, None] * (centres - mean))
    return log_z, mean, covariance
