"""What the network of tempo reads: how strongly what is struck comes back after each time.

Is: autocorrelations of a performance in windows (tempograms: Grosche and Müller, 2011), at times that lie
evenly in their logarithm, on the classes of tempo and beyond: in another tempo the picture is shifted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.beats.chords import BASS, Chords
from symbolic.beats.network import CLASS, SHORTEST_BEAT, TEMPI, Readings

FRAME = 0.02  # seconds
WINDOW, HOP = 16.0, 4.0  # seconds
SMEAR = 0.03  # seconds: deviation of a stroke in time
BELOW, ABOVE = 8, 14  # classes of times shorter than any beat, and longer
CLASSES = BELOW + TEMPI + ABOVE
PLACES = (0.25, 0.75)  # within a class, at which the autocorrelation is read
WIDTH = 0.03  # share by which it is averaged around each
AROUND = 6  # windows before and after, of whose mean the network is told, beside that of the whole piece
STRENGTHS = 7  # ways to weigh a chord
CHANNELS = 3 * len(PLACES) * STRENGTHS
BLOCK = 64  # windows at once: memory stays bounded


@dataclass(frozen=True, eq=False)
class Tempogram:
    """Pictures of W windows."""

    time: NDArray[np.float64]  # (W,) seconds of their middles
    pictures: NDArray[np.float32]  # (W, CHANNELS, CLASSES): of the window, those around, the whole piece


def tempogram_of(chords: Chords, readings: Readings) -> Tempogram:
    """Pictures of one chord at least, every 4 s; `readings` are the beat network's of these chords."""
    strengths = _strengths(chords.features, readings)
    frame = ((chords.time - chords.time[0]) / FRAME).round().astype(np.int64)
    length = round(WINDOW / FRAME)
    signal = np.zeros((STRENGTHS, int(frame[-1]) + 1 + length), dtype=np.float32)
    for row, values in enumerate(strengths):
        np.add.at(signal[row], frame + length // 2, values)
    reach = np.arange(-4, 5) * FRAME
    bell = np.exp(-0.5 * (reach / SMEAR) ** 2)
    signal = np.stack([np.convolve(row, bell / bell.sum(), mode="same") for row in signal])
    start = np.arange(0, int(frame[-1]) + 1, round(HOP / FRAME))
    views = np.lib.stride_tricks.sliding_window_view(signal, length, axis=1)
    own = np.concatenate(
        [_autocorrelations(views[:, start[row : row + BLOCK]]) for row in range(0, len(start), BLOCK)]
    )
    pictures = np.concatenate([own, _means_around(own), np.broadcast_to(own.mean(axis=0), own.shape)], axis=1)
    return Tempogram(chords.time[0] + start * FRAME, pictures.astype(np.float32))


def _strengths(features: NDArray[np.float32], readings: Readings) -> NDArray[np.float32]:
    """(STRENGTHS, C) how much a chord counts: for itself, by its size, loudness, bass, length and beat."""
    beat = 1 / (1 + np.exp(-readings.beat))
    downbeat = beat / (1 + np.exp(-readings.downbeat))
    rows = [
        np.ones(len(features)),
        np.minimum(features[:, 2], 2),
        np.clip(0.5 + features[:, 3], 0, 1.5),
        features[:, 7] * 12 <= BASS,
        np.clip(0.5 + 0.5 * features[:, 8], 0, 1.5),
        beat,
        downbeat,
    ]
    return np.stack(rows).astype(np.float32)


def _autocorrelations(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """(W, STRENGTHS * places, CLASSES) of windows (STRENGTHS, W, frames): 1 without lag, 0 beyond all."""
    length = windows.shape[2]
    shape = np.sqrt(np.hanning(length))
    shaped = windows * shape
    shaped = shaped - shaped.mean(axis=2, keepdims=True)
    spectrum = np.fft.rfft(shaped, 2 * length)
    found = np.fft.irfft(np.abs(spectrum) ** 2, 2 * length)[..., :length]
    overlap = np.correlate(shape, shape, "full")[length - 1 :] / (shape**2).sum()
    found = found / (found[..., :1] + 1e-6) / np.maximum(overlap, 0.1)
    # Means between two lags are differences of running sums.
    sums = np.concatenate([np.zeros((*found.shape[:2], 1)), found.cumsum(axis=2)], axis=2)
    lags = SHORTEST_BEAT * np.exp((np.arange(-BELOW, TEMPI + ABOVE)[:, None] + PLACES) * CLASS) / FRAME
    first = (lags * (1 - WIDTH) - 0.5).round().astype(np.int64).clip(1, length - 1)
    stop = ((lags * (1 + WIDTH) + 0.5).round().astype(np.int64) + 1).clip(first + 1, length)
    values = (sums[..., stop] - sums[..., first]) / (stop - first)
    values[..., lags >= length - 1] = 0
    by_window = values.transpose(1, 0, 3, 2)  # (W, STRENGTHS, places, CLASSES)
    return np.asarray(by_window.reshape(len(by_window), -1, CLASSES))


def _means_around(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each picture and those AROUND it."""
    count = len(pictures)
    sums = np.concatenate([np.zeros((1, *pictures.shape[1:])), pictures.cumsum(axis=0)])
    first, stop = np.arange(count) - AROUND, np.arange(count) + AROUND + 1
    first, stop = first.clip(0), stop.clip(max=count)
    return np.asarray((sums[stop] - sums[first]) / (stop - first)[:, None, None])
