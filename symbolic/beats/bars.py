"""The network of bars: which beats of those found begin a bar, and how many beats a bar has.

Dilated convolutions over beats: bars have a length in beats, whatever the tempo (downbeats from features in
time with the beat: Durand, Bello, David and Richard, 2017).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from symbolic.beats.chords import Chords
from symbolic.beats.network import BARS, Block, Readings, weights_path
from symbolic.card import load_network

MEMBERS = ("bars", "bars-1", "bars-2", "bars-3")  # networks that are averaged
NEAR = 0.08  # seconds from a beat to its chord
EARLY = 0.04  # seconds before a beat at which what belongs to it begins
LAGS = (1, 2, 3, 4, 6, 8)  # beats, to which a beat is compared
AROUND = 8  # beats before and after, of whose mean loudness and the like a beat stands out
PLAIN, RELATIVE = 15, (1, 2, 4, 5, 7, 9)  # features of a beat itself, and those also told against the mean
PITCH_CLASSES = 36  # features that say which pitch classes sound; they are the last
FEATURES = PLAIN + len(RELATIVE) + 4 * len(LAGS) + PITCH_CLASSES
DILATIONS = (1, 2, 3, 4, 6, 8, 12, 16)  # beats


def beat_features(times: NDArray[np.float64], chords: Chords, readings: Readings) -> NDArray[np.float32]:
    """(N, FEATURES) of beats at `times` (N,) in seconds, increasing, among chords, one at least."""
    features, count = chords.features.astype(np.float64), len(chords.time)
    after = np.searchsorted(chords.time, times).clip(max=count - 1)
    before = (after - 1).clip(0)
    is_before = times - chords.time[before] <= chords.time[after] - times
    nearest = np.where(is_before, before, after)
    struck = np.abs(chords.time[nearest] - times) <= NEAR
    lengths = np.diff(times) if len(times) > 1 else np.array([0.5])
    lengths = np.append(lengths, lengths[-1])[: len(times)]
    bounds = np.searchsorted(chords.time, np.append(times, times[-1] + lengths[-1]) - EARLY)
    chroma, bass = features[:, -24:-12], features[:, -12:]
    sums = np.concatenate([np.zeros((1, 12)), chroma.cumsum(axis=0)])
    within = _unit(sums[bounds[1:]] - sums[bounds[:-1]])
    own = features[nearest]
    at_chord = [*own[:, [2, 3, 4, 7, 8, 9, 0, 1, 5, 6]].T, readings.downbeat[nearest], readings.beat[nearest]]
    size, loudest, loudness, above, longest, shortest, gap, next_gap, low, high, downbeat, beat = at_chord
    above = np.minimum(above, 3)
    told = [size, loudest, loudness, above, longest, shortest]
    rest = [downbeat / 3, beat / 4, gap, next_gap, low, high]
    own_features = np.stack(
        [
            struck,
            *(values * struck for values in told),
            np.diff(bounds) / 4,
            np.log2(lengths / 0.5) / 2,
            *(values * struck for values in rest),
        ],
        axis=1,
    )
    here = chroma[nearest] * struck[:, None]
    relative = own_features[:, RELATIVE] - _running_mean(own_features[:, RELATIVE])
    columns = [own_features, relative, _likeness(within), _likeness(here), here, within]
    return np.concatenate([*columns, bass[nearest] * struck[:, None]], axis=1).astype(np.float32)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.maximum(1e-6, np.linalg.norm(rows, axis=1, keepdims=True)))


def _likeness(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2 * LAGS) cosine of each beat's pitch classes and those some beats before, and after; else 0."""
    unit, columns = _unit(chroma), []
    for lag in LAGS:
        cosine = (unit[lag:] * unit[:-lag]).sum(axis=1)
        nothing = np.zeros(min(lag, len(unit)))
        columns += [np.concatenate([nothing, cosine]), np.concatenate([cosine, nothing])]
    return np.stack(columns, axis=1)


def _running_mean(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over AROUND beats to either side; beyond the ends the last goes on."""
    padded = np.pad(columns, ((AROUND + 1, AROUND), (0, 0)), mode="edge").cumsum(axis=0)
    width = 2 * AROUND + 1
    return np.asarray((padded[width:] - padded[:-width]) / width)


class BarNetwork(nn.Module):
    """Convolutions over beats, a linear head."""

    def __init__(self, channels: int = 32, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Conv1d(FEATURES, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(channels, 3, by, dropout) for by in DILATIONS))
        self.head = nn.Linear(channels, 1 + len(BARS))
        self.input_dropout, self.dropout = nn.Dropout(dropout / 2), nn.Dropout(dropout)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, N) that beats begin a bar, (B, N, len(BARS)) of a bar's beats, of (B, N, FEATURES)."""
        hidden = F.gelu(self.first(self.input_dropout(features).transpose(1, 2)))
        logits = self.head(self.dropout(F.gelu(self.blocks(hidden).transpose(1, 2))))
        return logits[..., 0], logits[..., 1:]


@torch.inference_mode()
def read_bars(
    networks: Sequence[BarNetwork], features: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N,) log-odds that beats begin a bar, and (N, len(BARS)) log-probability of a bar's beats.

    Both are by means of the networks' logits.
    """
    answers = [network(torch.from_numpy(features)[None]) for network in networks]
    downbeat, bar = (torch.cat(logits).mean(dim=0) for logits in zip(*answers, strict=True))
    return downbeat.numpy(), bar.log_softmax(dim=1).numpy()


def load_bar_networks(paths: Sequence[Path] | None = None) -> list[BarNetwork]:
    """Trained networks, in evaluation mode; by default those that come with the package.

    Raises:
        NotebeamError: weights or a card that are missing, damaged or do not fit each other.
    """
    return [
        load_network(BarNetwork, "bars", path) for path in paths or [weights_path(name) for name in MEMBERS]
    ]
