"""The pieces a prior learns from, as rolls made when they are needed.

Is: reading and splitting the data, rolls of notes, augmentation.
Is not: the readers of the sets (datasets), or batches (training.stream).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.clock import Clock
from symbolic.datasets.asap import read_asap
from symbolic.datasets.classic import ClassicName, read_classic
from symbolic.datasets.pop909 import read_pop909
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST
from symbolic.training.config import DataConfig

Roll = NDArray[np.bool_]  # (T, D)
Piece = Notes | Roll  # notes become a roll of frames; the classic sets are rolls already
LEAD_IN = 1.0  # seconds of silence, at most, before the first note of a performance


@dataclass(frozen=True)
class Splits:
    """Pieces to learn from, to stop by, and to report."""

    train: Sequence[Piece]
    valid: Sequence[Roll]
    test: Sequence[Roll]


def read_splits(config: DataConfig) -> Splits:
    """The pieces that a config asks for; no composition is in two splits."""
    if config.set:
        classic = read_classic(cast(ClassicName, config.set))
        return Splits(classic.train, classic.valid, classic.test)
    parts: dict[str, list[Notes]] = {"train": [], "valid": [], "test": []}
    if "asap" in config.performances:
        for performance in read_asap():
            parts[performance.split].append(performance.notes)
    if "pop909" in config.performances:
        # Every song is a composition of its own, so that every so-manieth can be held out.
        apart = max(2, round(1 / config.held_out))
        for index, song in enumerate(read_pop909()):
            parts["valid" if index % apart == 0 else "train"].append(song.notes)
    plain = [
        [frames_roll(notes, config) for notes in parts[name] if len(notes)] for name in ("valid", "test")
    ]
    return Splits([notes for notes in parts["train"] if len(notes)], plain[0], plain[1])


def frames_roll(notes: Notes, config: DataConfig, lead_in: float = 0.0) -> Roll:
    """(T, D) roll at the config's hop and plane, from `lead_in` seconds before the first onset to the end."""
    start = float(notes.onset[0]) - lead_in
    seconds = float(notes.offset.max()) - start
    clock = Clock.frames(int(np.ceil(seconds / config.hop)) + 1, config.hop, start)
    return clock.struck_roll(notes) if config.plane == "struck" else clock.active_roll(notes).active


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
    shift = _shift(np.flatnonzero(piece.any(0)), piece.shape[1] - 1, config.transpose, rng)
    return np.roll(piece, shift, axis=1)  # nothing wraps around: the shift keeps the notes inside


def key_frequencies(pieces: Sequence[Piece], config: DataConfig) -> Tensor:
    """(D,) share of the steps of up to 100 pieces at which each key is on, add-one smoothed."""
    apart = max(1, len(pieces) // 100)
    rolls = [frames_roll(piece, config) if isinstance(piece, Notes) else piece for piece in pieces[::apart]]
    steps = np.concatenate(rolls)
    return torch.from_numpy((steps.sum(0) + 1) / (len(steps) + 2)).float()


def _shift(keys: NDArray[np.integer], highest: int, most: int, rng: np.random.Generator) -> int:
    """Semitones within +-most that keep all keys within 0..highest."""
    if not len(keys):
        return 0
    low, high = max(-most, -int(keys.min())), min(most, highest - int(keys.max()))
    return int(rng.integers(low, high + 1))


def described(config: DataConfig) -> str:
    """The data, in words for a card."""
    name = f"classic set {config.set}, its own splits" if config.set else " + ".join(config.performances)
    return f"{name}; transposed by up to {config.transpose} semitones, stretched by up to {config.stretch}"


def clock_of(config: DataConfig) -> dict[str, str | int | float]:
    """What a step is, for a card."""
    kind: Literal["beats", "frames"] = "beats" if config.set else "frames"
    return {"kind": kind, "divisions": config.divisions} if config.set else {"kind": kind, "hop": config.hop}
