"""Augmentation: pieces in other keys and tempi; and what the steps of a training set are on average."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.datasets.config import DataConfig
from symbolic.datasets.splits import Piece, Roll, frames_roll, plain_roll
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST

LEAD_IN = 1.0  # seconds of silence, at most, before the first note of a performance


def augmented_roll(piece: Piece, config: DataConfig, rng: np.random.Generator) -> Roll:
    """(T, D) roll of a piece as it might also have been played: another key, another tempo, another start."""
    if isinstance(piece, Notes):
        tempo = float(np.exp(rng.uniform(-1, 1) * np.log(config.stretch)))
        shift = _shift(piece.pitch - LOWEST, HIGHEST - LOWEST, config.transpose, rng)
        played = Notes.make(piece.onset * tempo, piece.offset * tempo, piece.pitch + shift, piece.velocity)
        # The lead-in is no multiple of the hop: the phase of the steps differs from epoch to epoch.
        return frames_roll(played, config, lead_in=rng.uniform(0, LEAD_IN))
    if not config.transpose:
        return piece
    planes = piece.reshape(len(piece), 2 if config.plane == "both" else 1, -1)  # (T, 1 or 2, keys)
    shift = _shift(np.flatnonzero(planes.any((0, 1))), planes.shape[2] - 1, config.transpose, rng)
    # Nothing wraps around: the shift keeps the notes inside.
    return cast(Roll, np.roll(planes, shift, axis=2).reshape(piece.shape))


def step_mean(pieces: Sequence[Piece], config: DataConfig) -> Tensor:
    """(D,) mean of the steps; of keys add-one smoothed, so that none is 0 or 1.

    Of 200 pieces or more it is that of 100 to 150, evenly spread over them.
    """
    apart = max(1, len(pieces) // 100)
    steps = np.concatenate([plain_roll(piece, config) for piece in pieces[::apart]])
    if steps.min() < 0 or steps.max() > 1:  # no probabilities
        return torch.from_numpy(steps.mean(0, dtype=np.float64)).float()
    return torch.from_numpy((steps.sum(0, dtype=np.float64) + 1) / (len(steps) + 2)).float()


def _shift(keys: NDArray[np.integer], highest: int, most: int, rng: np.random.Generator) -> int:
    """Semitones within +-most that keep all keys within 0..highest."""
    if not len(keys):
        return 0
    low, high = max(-most, -int(keys.min())), min(most, highest - int(keys.max()))
    return int(rng.integers(low, high + 1))
