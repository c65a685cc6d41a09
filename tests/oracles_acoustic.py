"""Slow, obvious versions of what the acoustic package computes; float64, no shared code."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def sine(
    hertz: float, seconds: float, rate_hz: int = 16_000, amplitude: float = 0.5
) -> npt.NDArray[np.float32]:
    """(S,) a steady tone."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def log_spectrum(frame: Floats, hertz: Floats, rate_hz: int, ratio: float) -> Floats:
    """One frame (S,) of audio on the axis `hertz` (M,): 3 + log10 of triangles over a Hann spectrum.

    A triangle reaches to hertz * ratio - hertz, but at least to the next spectral line.
    """
    size = len(frame)
    taper = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / size) for n in range(size)])
    lines = np.arange(size // 2 + 1) * rate_hz / size
    magnitude = np.abs(np.fft.rfft(frame * taper)) / (taper.sum() / 2)
    result = []
    for centre in hertz:
        reach = max(centre * ratio - centre, rate_hz / size)
        weight = np.array([max(0.0, 1 - abs(line - centre) / reach) for line in lines])
        value = (weight * magnitude).sum() / max(1.0, weight.sum()) if centre <= rate_hz / 2 else 0.0
        result.append(3 + math.log10(max(value, 1e-5)))
    return np.array(result)


def onset_target(onsets: list[tuple[float, int]], frames: int, hop: float, width: int) -> Floats:
    """(T, 88) 1 within a hop of each (seconds, key), falling to 0 at `width` hops where width is 2."""
    target = np.zeros((frames, 88))
    for seconds, key in onsets:
        for frame in range(frames):
            distance = abs(frame - seconds / hop)
            target[frame, key] = max(target[frame, key], min(1.0, max(0.0, width - distance)))
    return target


def rendered_note(sample: Floats, first: int, held: int, fade: int, gain: float, length: int) -> Floats:
    """(length,) one note of a sampler: rings `held` samples, then fades by a squared ramp over `fade`."""
    audio = np.zeros(length)
    for n in range(min(len(sample), held + fade)):
        ramp = 1.0 if n < held else (1 - (n - held) / max(1, min(len(sample), held + fade) - held - 1)) ** 2
        if first + n < length:
            audio[first + n] = sample[n] * gain * ramp
    return audio
